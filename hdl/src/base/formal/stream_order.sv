// SPDX-License-Identifier: MIT OR Apache-2.0
// Judges a stream block that keeps the order of its words: none is lost, doubled, made up or changed.
//
// The solver picks a word that goes in ("watched"); the word that comes out after all that were ahead of it must be that word.
// Since it may pick any word, this holds for all of them.
module stream_order #(
  parameter WIDTH = 8,
  // Bits that count the words held.
  parameter COUNT = 4,
  // Clocks after which a word that is held shows at the output, if none is there.
  parameter LATENCY = 1
) (
  input clock,
  input reset,
  input [WIDTH-1:0] in_data,
  input in_valid,
  input in_ready,
  input [WIDTH-1:0] out_data,
  input out_valid,
  input out_ready,
  output reg [COUNT-1:0] held
);
  (* anyseq *) wire watch_this;
  reg watching;
  reg [COUNT-1:0] ahead;
  reg [WIDTH-1:0] watched;
  reg [COUNT-1:0] waited;
  wire push = in_valid & in_ready;
  wire pop = out_valid & out_ready;

  always @(posedge clock) begin
    held <= held + push - pop;
    if (watching & pop) begin
      ahead <= ahead - 1'b1;
      if (ahead == 0) watching <= 0;
    end
    if (!watching & push & watch_this) begin
      watching <= 1;
      watched <= in_data;
      ahead <= held - pop;
    end
    waited <= held != 0 & !out_valid ? waited + 1'b1 : 0;
    if (reset) begin
      held <= 0;
      watching <= 0;
      waited <= 0;
    end
  end

  reg started = 0;
  always @(posedge clock) started <= 1;
  always @* if (!started) assume (reset);

  always @(posedge clock) if (started & !reset) begin
    nothing_is_made_up: assert (!out_valid | held != 0);
    words_keep_order_and_value: assert (!(watching & ahead == 0 & out_valid) | out_data == watched);
    no_word_is_stuck: assert (waited <= LATENCY);
    if ($past(!reset & out_valid & !out_ready)) begin
      valid_waits_for_ready: assert (out_valid);
      data_waits_for_ready: assert ($stable(out_data));
    end
  end
endmodule
