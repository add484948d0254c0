// SPDX-License-Identifier: MIT OR Apache-2.0
// Merge: every beat that a source hands over leaves once, in the next clock, unchanged but for zeros past its last byte;
// frames leave whole and without a gap; one is begun only with a credit, in turn, and without a clock between if it was there.
// Three sources, two bytes a beat.
module merge_proof (
  input clock,
  input reset,
  input [MERGED_BEAT_BITS-1:0] inp_0_data,
  input [MERGED_BEAT_BITS-1:0] inp_1_data,
  input [MERGED_BEAT_BITS-1:0] inp_2_data,
  input [2:0] valid_in,
  input credit
);
  wire [2:0] ready;
  wire [MERGED_BEAT_BITS-1:0] out;
  wire valid;
  wire start;

  merge dut (
    .clock(clock), .reset(reset),
    .inp_0_data(inp_0_data), .inp_0_valid(valid_in[0]), .inp_0_ready(ready[0]),
    .inp_1_data(inp_1_data), .inp_1_valid(valid_in[1]), .inp_1_ready(ready[1]),
    .inp_2_data(inp_2_data), .inp_2_valid(valid_in[2]), .inp_2_ready(ready[2]),
    .credit(credit), .out(out), .valid(valid), .started(start)
  );

  wire [2:0] taken = valid_in & ready;
  wire [2:0] last = {inp_2_data[MERGED_BEAT_LAST], inp_1_data[MERGED_BEAT_LAST], inp_0_data[MERGED_BEAT_LAST]};
  wire [MERGED_BEAT_BITS-1:0] beat = taken[0] ? inp_0_data : taken[1] ? inp_1_data : inp_2_data;
  wire [MERGED_BEAT_BYTES_BITS-1:0] bytes = beat[MERGED_BEAT_BYTES +: MERGED_BEAT_BYTES_BITS];
  wire [15:0] kept = !beat[MERGED_BEAT_LAST] ? 16'hffff : bytes == 0 ? 0 : bytes == 1 ? 16'h00ff : 16'hffff;

  // Sources inside a frame: they have handed over its first beat, and not yet its last.
  reg [2:0] inside;
  reg [MERGED_BEAT_BITS-1:0] due;
  reg beat_due;
  (* anyconst *) wire [1:0] me;
  reg [1:0] starts;
  reg started = 0;
  wire mine_valid = valid_in >> me;
  wire mine_taken = taken >> me;
  wire waiting = mine_valid & inside == 0 & !mine_taken;
  // In the clock before: sources with a beat that was not taken, the one with a beat that was.
  reg [2:0] asked;
  reg [2:0] served;
  wire there = asked != 0 | (served & valid_in) != 0;

  always @(posedge clock) begin
    started <= 1;
    inside <= (inside | taken) & ~(taken & last);
    asked <= valid_in & ~taken;
    served <= taken;
    beat_due <= taken != 0;
    due <= beat;
    due[MERGED_BEAT_FIRST] <= inside == 0;
    due[MERGED_BEAT_DATA +: MERGED_BEAT_DATA_BITS] <= beat[MERGED_BEAT_DATA +: MERGED_BEAT_DATA_BITS] & kept;
    if (start & waiting) starts <= starts + 1'b1;
    if (mine_taken | !mine_valid) starts <= 0;
    if (reset) begin
      inside <= 0;
      asked <= 0;
      served <= 0;
      beat_due <= 0;
      starts <= 0;
    end
  end

  always @* if (!started) assume (reset);
  always @* assume (me < 3);
  // `Ingress` never pauses inside a frame, and holds what it offers.
  always @* assume (((inside | asked) & ~valid_in) == 0);

  always @(posedge clock) if (started & !reset) begin
    a_beat_leaves_in_the_next_clock: assert (valid == beat_due);
    beats_are_not_changed: assert (!beat_due | out == due);
    one_beat_is_taken_at_most: assert ((taken & (taken - 1'b1)) == 0);
    frames_do_not_mix: assert (inside == 0 | taken == inside);
    one_frame_is_open_at_most: assert ((inside & (inside - 1'b1)) == 0);
    a_frame_starts_with_credit_alone: assert (!start | inside == 0 & credit);
    a_frame_that_is_there_starts_at_once: assert (start | !(inside == 0 & credit & there));
    a_start_says_so: assert (start == (inside == 0 & taken != 0));
    a_frame_waits_for_two_others_at_most: assert (!(start & waiting) | starts < 2);
  end
endmodule
