// SPDX-License-Identifier: MIT OR Apache-2.0
// Ram: a read gives the word last written before it, a clock later, and the output holds while `re` is low.
module ram_proof (
  input clock,
  input re,
  input [1:0] raddr,
  input we,
  input [1:0] waddr,
  input [3:0] wdata
);
  wire [3:0] rdata;

  ram dut (.clock(clock), .re(re), .raddr(raddr), .rdata(rdata), .we(we), .waddr(waddr), .wdata(wdata));

  // One address, chosen by the solver, and the word there.
  (* anyconst *) wire [1:0] address;
  reg [3:0] word = 0;
  reg [3:0] due;
  reg read = 0;

  always @(posedge clock) begin
    if (we & waddr == address) word <= wdata;
    if (re) begin
      read <= raddr == address;
      due <= word;
    end
    a_read_gives_the_word_last_written: assert (!read | rdata == due);
  end
endmodule
