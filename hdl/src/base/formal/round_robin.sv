// SPDX-License-Identifier: MIT OR Apache-2.0
// RoundRobin: grants one of those that ask, and nobody who keeps asking sees another one granted twice before.
// Twelve requests.
module round_robin_proof (
  input clock,
  input reset,
  input [11:0] request,
  input take
);
  wire [11:0] grant;
  wire any;

  round_robin dut (.clock(clock), .reset(reset), .request(request), .take(take), .grant(grant), .any(any));

  // Two requesters, chosen by the solver: the one waits, the other is granted meanwhile.
  (* anyconst *) wire [3:0] me;
  (* anyconst *) wire [3:0] other;
  reg [3:0] takes;
  reg passed_by;
  reg started = 0;
  wire [15:0] asking = {4'd0, request};
  wire [15:0] granted = {4'd0, grant};
  wire waiting = asking[me] & !granted[me];

  always @(posedge clock) begin
    started <= 1;
    if (take & waiting) begin
      takes <= takes + 1'b1;
      passed_by <= passed_by | granted[other];
    end
    if (reset | !asking[me] | take & granted[me]) begin
      takes <= 0;
      passed_by <= 0;
    end
  end

  always @* if (!started) assume (reset);
  // `take` says that a grant is used.
  always @* assume (!take | any);

  always @(posedge clock) if (started & !reset) begin
    one_at_most_is_granted: assert ((grant & (grant - 1'b1)) == 0);
    only_who_asks_is_granted: assert ((grant & ~request) == 0);
    somebody_is_granted_if_anybody_asks: assert ((grant != 0) == (request != 0));
    any_says_so: assert (any == (request != 0));
    nobody_is_passed_by_twice_by_the_same: assert (!(waiting & passed_by & granted[other]));
    a_request_is_granted_within_twelve_takes: assert (!(waiting & takes == 11));
  end
endmodule
