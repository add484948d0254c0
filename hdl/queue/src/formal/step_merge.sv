// SPDX-License-Identifier: MIT OR Apache-2.0
// StepMerge: every step of both sources leaves once, unchanged, in the clock in which it is taken; chains are whole, and a source that
// waits sees one chain of the other begin at most.
module step_merge_proof (
  input clock,
  input reset,
  input [STEP_BITS-1:0] split_data,
  input [STEP_BITS-1:0] packed_data,
  input split_valid,
  input packed_valid,
  input out_ready
);
  wire split_ready, packed_ready, out_valid;
  wire [STEP_BITS-1:0] out_data;
  step_merge dut (.*);

  reg started = 0;
  always @(posedge clock) started <= 1;
  always @* if (!started) assume (reset);

  wire [1:0] valid = {packed_valid, split_valid};
  wire [1:0] taken = valid & {packed_ready, split_ready};
  wire [1:0] last = {packed_data[STEP_LAST], split_data[STEP_LAST]};
  // Sources inside a chain; those that offered a step that was not taken.
  reg [1:0] inside, waited;
  (* anyconst *) wire me;
  reg begun;
  wire waits = valid[me] & inside == 0 & !taken[me];
  always @(posedge clock) begin
    inside <= (inside | taken) & ~(taken & last);
    waited <= valid & ~taken;
    begun <= valid[me] & !taken[me] & (begun | inside == 0 & taken != 0);
    if (reset) begin
      inside <= 0;
      waited <= 0;
      begun <= 0;
    end
  end
  // Sources hold what they offer.
  always @* assume ((waited & ~valid) == 0);

  always @(posedge clock) if (started & !reset) begin
    one_is_taken_at_most: assert (taken != 2'd3);
    what_is_taken_leaves: assert ((taken != 0) == (out_valid & out_ready));
    steps_are_not_changed: assert (taken == 0 | out_data == (taken[1] ? packed_data : split_data));
    chains_are_whole: assert (inside == 0 | (taken & ~inside) == 0);
    one_chain_is_open_at_most: assert (inside != 2'd3);
    nobody_waits_for_two_chains: assert (!(waits & taken != 0 & begun));
    what_is_there_is_offered: assert (out_valid | ((inside == 0 ? valid : valid & inside) == 0));
  end
endmodule
