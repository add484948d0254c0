// SPDX-License-Identifier: MIT OR Apache-2.0
// Skid: a register stage that keeps every word, holds two, and whose ready and valid are registers.
module skid_proof (
  input clock,
  input reset,
  input [7:0] inp_data,
  input inp_valid,
  input out_ready
);
  wire inp_ready;
  wire [7:0] out_data;
  wire out_valid;
  wire empty;
  wire [1:0] held;

  skid dut (
    .clock(clock), .reset(reset),
    .inp_data(inp_data), .inp_valid(inp_valid), .inp_ready(inp_ready),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready),
    .empty(empty)
  );

  stream_order #(.WIDTH(8), .COUNT(2), .LATENCY(0)) order (
    .clock(clock), .reset(reset),
    .in_data(inp_data), .in_valid(inp_valid), .in_ready(inp_ready),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready),
    .held(held)
  );

  always @(posedge clock) if (order.started & !reset) begin
    two_words_at_most: assert (held <= 2);
    empty_says_so: assert (empty == (held == 0));
    a_free_place_is_offered: assert (inp_ready == (held < 2));
  end
endmodule
