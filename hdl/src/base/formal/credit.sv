// SPDX-License-Identifier: MIT OR Apache-2.0
// Credit: never more than five are under way, and none of the five is lost: one that is given back can be taken two clocks later.
// Five credits, counted in three bits.
module credit_proof (
  input clock,
  input reset,
  input take,
  input give_back
);
  wire available;
  wire idle;

  credit dut (.clock(clock), .reset(reset), .take(take), .give_back(give_back), .available(available), .idle(idle));

  reg [3:0] under_way;
  reg late;
  reg started = 0;

  always @(posedge clock) begin
    started <= 1;
    under_way <= reset ? 0 : under_way + take - give_back;
    late <= !reset & give_back;
  end

  always @* if (!started) assume (reset);
  // The contract of the ports.
  always @* assume (!take | available);
  always @* assume (!give_back | under_way != 0);

  always @(posedge clock) if (started & !reset) begin
    never_more_than_five: assert (under_way <= 5);
    all_five_can_be_taken: assert (available == (under_way + late < 5));
    idle_says_so: assert (idle == (under_way + late == 0));
  end
endmodule
