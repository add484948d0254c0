// SPDX-License-Identifier: MIT OR Apache-2.0
// EditChecksum, when any of the 20 words change: the checksums become ~fold(~HC + sum of (~m + m')), RFC 1624 equation 3, with no carry
// lost on the way; and folding word by word comes to the same, so that what `checksum_word` proves holds for all words together.
module checksum_words_proof (
  input clock,
  input [319:0] old,
  input [319:0] new_words,
  input [15:0] ip_checksum,
  input [15:0] l4_checksum,
  input ipv4,
  input l4,
  input udp,
  input [3:0] ip_at,
  input [5:0] l4_at
);
  wire [CHECKSUM_FLIPS_BITS-1:0] flips;

  edit_checksum dut (
    .clock(clock),
    .words({l4_at, ip_at, udp, l4, ipv4, l4_checksum, ip_checksum, new_words, old}),
    .flips(flips)
  );

  // ~m + m' of each word, as numbers.
  wire [31:0] term [0:19];
  wire [19:0] differs;
  genvar i;
  generate for (i = 0; i < 20; i = i + 1) begin : words
    assign differs[i] = old[16*i +: 16] != new_words[16*i +: 16];
    assign term[i] = differs[i] ? {16'd0, ~old[16*i +: 16]} + {16'd0, new_words[16*i +: 16]} : 0;
  end endgenerate

  wire [31:0] ip_total =
    (term[0] + term[1] + (term[8] + term[9])) + (term[18] + term[19] + {16'd0, ~ip_checksum});
  wire [31:0] l4_total =
    (term[0] + term[1] + (term[8] + term[9]) + (term[2] + term[3] + (term[4] + term[5])))
    + (term[6] + term[7] + (term[10] + term[11]) + (term[12] + term[13] + (term[14] + term[15])))
    + (term[16] + term[17] + {16'd0, ~l4_checksum});
  wire ip_covers = ipv4 & (differs & 20'hc0303) != 0;
  wire l4_covers = l4 & differs[17:0] != 0 & !(udp & l4_checksum == 0);

  // Adds what runs over 16 bits until nothing does: for numbers of up to 22 bits, twice.
  function [15:0] fold(input [31:0] x);
    reg [16:0] once;
    begin
      once = x[15:0] + x[21:16];
      fold = once[15:0] + once[16];
    end
  endfunction

  // What is due six clocks later.
  localparam WIDTH = 32 + 32 + 16 + 16 + 3 + 4 + 6;
  reg [6*WIDTH-1:0] pipe;
  reg [2:0] clocks = 0;
  wire [31:0] ip_due, l4_due;
  wire [15:0] ip_was, l4_was;
  wire ip_changes, l4_changes, was_udp;
  wire [3:0] ip_was_at;
  wire [5:0] l4_was_at;
  assign {ip_due, l4_due, ip_was, l4_was, ip_changes, l4_changes, was_udp, ip_was_at, l4_was_at} = pipe[6*WIDTH-1 -: WIDTH];
  always @(posedge clock) begin
    pipe <= {pipe[5*WIDTH-1:0], ip_total, l4_total, ip_checksum, l4_checksum, ip_covers, l4_covers, udp, ip_at, l4_at};
    if (clocks != 6) clocks <= clocks + 1'b1;
  end
  wire [15:0] ip_new = ~fold(ip_due);
  wire [15:0] l4_sum = ~fold(l4_due);
  wire [15:0] l4_new = was_udp & l4_sum == 0 ? 16'hffff : l4_sum;

  always @(posedge clock) if (clocks == 6) begin
    ip_follows_equation_3: assert ((ip_was ^ flips[CHECKSUM_FLIPS_IP +: CHECKSUM_FLIPS_IP_BITS]) == (ip_changes ? ip_new : ip_was));
    l4_follows_equation_3: assert ((l4_was ^ flips[CHECKSUM_FLIPS_L4 +: CHECKSUM_FLIPS_L4_BITS]) == (l4_changes ? l4_new : l4_was));
    ip_goes_to_its_place: assert (flips[CHECKSUM_FLIPS_IP_HERE +: CHECKSUM_FLIPS_IP_HERE_BITS] == (ip_was_at >= 6 & ip_was_at < 15 ? 15'd1 << ip_was_at : 0));
    l4_goes_to_its_place: assert (flips[CHECKSUM_FLIPS_L4_HERE +: CHECKSUM_FLIPS_L4_HERE_BITS] == (l4_was_at >= 14 & l4_was_at < 48 ? 48'd1 << l4_was_at : 0));
  end

  // Any sum that can occur, and one more term.
  (* anyconst *) wire [21:0] sum;
  (* anyconst *) wire [16:0] more;
  always @* begin
    if (sum != 0) fold_is_the_remainder: assert (fold({10'd0, sum}) == (sum - 1'b1) % 65535 + 1'b1);
    if (sum != 0 & sum < 22'h3e0000)
      word_by_word_is_the_same: assert (fold(fold({10'd0, sum}) + more) == fold({10'd0, sum} + more));
  end
endmodule
