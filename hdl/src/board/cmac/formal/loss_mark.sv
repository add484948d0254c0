// SPDX-License-Identifier: MIT OR Apache-2.0
// LossMark: each frame that comes in goes out once, with all its beats as they came or ended by a mark, under any back-pressure;
// frames do not mix; a mark goes out as soon as it may. What a reset finds on its way in is left out to its end. Two bytes a beat.
module loss_mark_proof (
  input clock,
  input reset,
  input [MAC_BEAT_BITS-1:0] data,
  input valid,
  input gone,
  input out_ready
);
  wire [MAC_BEAT_BITS-1:0] out;
  wire out_valid;

  loss_mark dut (
    .clock(clock), .reset(reset),
    .data(data), .valid(valid), .gone(gone),
    .out_data(out), .out_valid(out_valid), .out_ready(out_ready)
  );

  wire comes = valid & !gone;
  // A frame is coming in; all its beats so far went out. A frame is going out; it will not end by itself.
  reg inside;
  reg complete;
  reg out_open;
  wire stands = out_open & !(inside & complete);
  // Frames that came, less those that went out to their end.
  reg signed [41:0] pending;
  wire first = comes & !inside;
  wire passes = comes & out_ready & (inside ? complete : !out_open);
  wire marks = out_ready & !passes & (stands | !out_open) & pending != 0;
  reg started = 0;

  always @(posedge clock) begin
    started <= 1;
    if (comes) begin
      inside <= !data[MAC_BEAT_LAST];
      complete <= passes;
    end else if (gone) inside <= 0;
    if (out_valid) out_open <= !out[MAC_BEAT_LAST];
    pending <= pending + $signed({1'b0, first}) - $signed({1'b0, out_valid & out[MAC_BEAT_LAST]});
    if (reset) begin
      complete <= 0;
      out_open <= 0;
      pending <= 0;
    end
  end

  // At power-up the MAC's receiver is in reset.
  always @* if (!started) assume (reset & gone);
  // Two hours of shortest frames.
  always @* assume (pending < 42'sh0ff_ffff_ffff);

  always @(posedge clock) if (started & !reset) begin
    what_goes_out_is_taken: assert (!out_valid | out_ready);
    a_beat_goes_out_or_a_mark: assert (out_valid == (passes | marks));
    a_beat_is_not_changed: assert (!passes | out == data);
    a_mark_says_so: assert (!marks | out[MAC_BEAT_ERROR] & out[MAC_BEAT_LAST] & out[MAC_BEAT_KEEP +: MAC_BEAT_KEEP_BITS] == 1);
  end

  // What the proof leans on.
  (* hierconn *) wire [39:0] \dut.owed ;
  (* hierconn *) wire \dut.skips ;
  (* hierconn *) wire \dut.open ;
  (* hierconn *) wire \dut.cut ;
`ifndef PROMISES_ONLY
  always @(posedge clock) if (started) begin
    it_skips_what_is_not_complete: assert (\dut.skips == (inside & !complete));
    it_knows_what_is_open: assert (\dut.open == out_open & \dut.cut == stands);
    a_frame_that_comes_in_whole_goes_out: assert (!(inside & complete) | out_open);
    it_owes_the_pending_frames: assert (\dut.owed + (out_open & !stands) == pending);
  end
`endif
endmodule
