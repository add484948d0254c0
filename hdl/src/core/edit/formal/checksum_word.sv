// SPDX-License-Identifier: MIT OR Apache-2.0
// EditChecksum, when one word changes (the first of the source address, which both checksums cover): a checksum that was right is what summing up anew gives (RFC 1071, and RFC 768 for UDP),
// one that was wrong stays wrong, and one that is not there stays as it was.
module checksum_word_proof (
  input clock,
  input [319:0] old,
  input [15:0] changed,
  input [15:0] ip_checksum,
  input [15:0] l4_checksum,
  input ipv4,
  input l4,
  input udp,
  input [3:0] ip_at,
  input [5:0] l4_at
);
  // Sum of all other words under each checksum. It is never zero: IPv4 has its version there, TCP and UDP their protocol number.
  (* anyconst *) wire [15:0] ip_rest;
  (* anyconst *) wire [15:0] l4_rest;
  always @* assume (ip_rest != 0 & l4_rest != 0);

  wire [15:0] from = old[15:0];
  wire [319:0] new_words = {old[319:16], changed};
  wire [CHECKSUM_FLIPS_BITS-1:0] flips;

  edit_checksum dut (
    .clock(clock),
    .words({l4_at, ip_at, udp, l4, ipv4, l4_checksum, ip_checksum, new_words, old}),
    .flips(flips)
  );

  // One's complement sum, and whether two checksums mean the same: both zeros do.
  function [15:0] add(input [15:0] a, input [15:0] b);
    reg [16:0] sum;
    begin
      sum = a + b;
      add = sum[15:0] + sum[16];
    end
  endfunction
  function same(input [15:0] a, input [15:0] b);
    same = a == b | (a == 0 & b == 16'hffff) | (a == 16'hffff & b == 0);
  endfunction

  // What went in six clocks ago.
  localparam WIDTH = 16 + 16 + 16 + 16 + 3;
  reg [6*WIDTH-1:0] pipe;
  reg [2:0] clocks = 0;
  wire [15:0] m, n, ip_was, l4_was;
  wire was_ipv4, had_l4, was_udp;
  assign {m, n, ip_was, l4_was, was_ipv4, had_l4, was_udp} = pipe[6*WIDTH-1 -: WIDTH];
  always @(posedge clock) begin
    pipe <= {pipe[5*WIDTH-1:0], from, changed, ip_checksum, l4_checksum, ipv4, l4, udp};
    if (clocks != 6) clocks <= clocks + 1'b1;
  end

  wire [15:0] ip_is = ip_was ^ flips[CHECKSUM_FLIPS_IP +: CHECKSUM_FLIPS_IP_BITS];
  wire [15:0] l4_is = l4_was ^ flips[CHECKSUM_FLIPS_L4 +: CHECKSUM_FLIPS_L4_BITS];
  wire ip_covers = was_ipv4;
  wire l4_covers = had_l4 & !(was_udp & l4_was == 0);
  wire [15:0] ip_right_before = ~add(ip_rest, m);
  wire [15:0] ip_right = ~add(ip_rest, n);
  wire [15:0] l4_right_before = ~add(l4_rest, m);
  wire [15:0] l4_sum = ~add(l4_rest, n);
  wire [15:0] l4_right = was_udp & l4_sum == 0 ? 16'hffff : l4_sum;

  always @(posedge clock) if (clocks == 6) begin
    if (ip_covers) begin
      if (ip_was == ip_right_before) ip_is_what_summing_gives: assert (ip_is == ip_right | m == n & ip_is == ip_was);
      ip_wrong_stays_wrong: assert (same(ip_was, ip_right_before) == same(ip_is, ip_right));
    end else ip_stays: assert (ip_is == ip_was);
    if (l4_covers) begin
      if (l4_was == l4_right_before | was_udp & same(l4_was, l4_right_before))
        l4_is_what_summing_gives: assert (l4_is == l4_right | m == n & l4_is == l4_was);
      l4_wrong_stays_wrong: assert (same(l4_was, l4_right_before) == same(l4_is, l4_right));
    end else l4_stays: assert (l4_is == l4_was);
  end
endmodule
