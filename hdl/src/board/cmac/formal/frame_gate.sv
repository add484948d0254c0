// SPDX-License-Identifier: MIT OR Apache-2.0
// FrameGate: keeps every beat in order; a frame begins when it is held to its end, soon, and comes out without a pause.
// Four beats of one byte, frames of up to four beats.
module frame_gate_proof (
  input clock,
  input reset,
  input [MAC_BEAT_BITS-1:0] inp_data,
  input inp_valid,
  input out_ready
);
  wire inp_ready;
  wire [MAC_BEAT_BITS-1:0] out_data;
  wire out_valid;
  wire [2:0] held;

  frame_gate dut (
    .clock(clock), .reset(reset),
    .inp_data(inp_data), .inp_valid(inp_valid), .inp_ready(inp_ready),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready)
  );

  // A beat may wait for the end of its frame for ever: no limit here, but below for a whole frame.
  stream_order #(.WIDTH(MAC_BEAT_BITS), .COUNT(3), .LATENCY(7)) order (
    .clock(clock), .reset(reset),
    .in_data(inp_data), .in_valid(inp_valid), .in_ready(inp_ready),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready),
    .held(held)
  );

  wire enters = inp_valid & inp_ready;
  wire leaves = out_valid & out_ready;
  // Beats of the frame that comes in; frames held to their end; a frame is going out; clocks that a whole frame has not shown.
  reg [2:0] beats;
  reg [2:0] ends;
  reg out_open;
  reg [2:0] waited;

  always @(posedge clock) begin
    if (enters) beats <= inp_data[MAC_BEAT_LAST] ? 0 : beats + 1'b1;
    ends <= ends + (enters & inp_data[MAC_BEAT_LAST]) - (leaves & out_data[MAC_BEAT_LAST]);
    if (leaves) out_open <= !out_data[MAC_BEAT_LAST];
    waited <= ends != 0 & !out_valid ? waited + 1'b1 : 0;
    if (reset) begin
      beats <= 0;
      ends <= 0;
      out_open <= 0;
      waited <= 0;
    end
  end

  always @* assume (!inp_valid | beats < 3 | inp_data[MAC_BEAT_LAST]);

  always @(posedge clock) if (order.started & !reset) begin
    no_pause_inside_a_frame: assert (!out_open | out_valid);
    a_frame_is_whole_when_it_shows: assert (!out_valid | ends != 0);
    a_whole_frame_shows_in_the_fourth_clock: assert (waited <= 3);
    a_free_place_is_offered: assert (inp_ready == (held < 4));
  end
endmodule
