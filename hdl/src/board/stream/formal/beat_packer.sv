// SPDX-License-Identifier: MIT OR Apache-2.0
// BeatPacker: bytes that cannot wait, under any back-pressure. Each frame leaves with one last beat or is counted as lost, never both;
// a frame that ends without error has every byte that came, in order. Two bytes a beat.
module beat_packer_proof (
  input clock,
  input reset,
  input [7:0] octet,
  input push,
  input finish,
  input error,
  input out_ready
);
  wire [19:0] out_data;
  wire out_valid;
  wire lost;

  beat_packer dut (
    .clock(clock), .reset(reset),
    .octet(octet), .push(push), .finish(finish), .error(error),
    .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready), .lost(lost)
  );

  // Bits of a MarkedBeat.
  wire [15:0] data = out_data[15:0];
  wire [1:0] bytes = out_data[17:16];
  wire last = out_data[18];
  wire marked = out_data[19];
  wire taken = out_valid & out_ready;

  // The bytes of the frame coming in that are not out: at most two.
  reg [15:0] due;
  reg [1:0] count;
  wire beat_due = (push & count == 2) | finish;
  // A beat of this frame was due and did not go out.
  reg incomplete;
  // Frames that ended, less those that left or were counted as lost.
  reg signed [2:0] waiting;
  reg started = 0;

  always @(posedge clock) begin
    started <= 1;
    if (push) begin
      due <= count == 1 ? {octet, due[7:0]} : {due[15:8], octet};
      count <= count == 2 ? 1 : count + 1'b1;
    end
    if (finish) count <= 0;
    incomplete <= (incomplete | (beat_due & !taken)) & !finish;
    waiting <= waiting + $signed({2'b0, finish}) - $signed({2'b0, taken & last}) - $signed({2'b0, lost});
    if (reset) begin
      count <= 0;
      incomplete <= 0;
      waiting <= 0;
    end
  end

  always @* if (!started) assume (reset);
  always @* assume (!(push & finish));

  always @(posedge clock) if (started & !reset) begin
    each_frame_leaves_or_is_lost_once: assert (waiting == 0 | waiting == 1);
    the_end_of_a_cut_frame_is_offered: assert (waiting == 0 | (out_valid & last & marked));
    a_frame_is_lost_when_it_ends: assert (!lost | finish);
    a_cut_frame_goes_no_further: assert (!(incomplete & out_valid) | (last & marked));
    beats_are_full_but_the_last: assert (!out_valid | bytes == 2 | (bytes == 1 & last));
    if (out_valid & !(last & marked)) begin
      a_beat_is_due: assert (beat_due);
      a_beat_has_the_bytes_that_came: assert (bytes == count & data[7:0] == due[7:0] & (count == 1 | data[15:8] == due[15:8]));
    end
    a_sound_frame_is_whole: assert (!(out_valid & last & !marked) | (finish & !error & !incomplete));
  end
endmodule
