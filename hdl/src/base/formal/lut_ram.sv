// SPDX-License-Identifier: MIT OR Apache-2.0
// LutRam: a read gives, in the same clock, the word last written before it.
module lut_ram_proof (
  input clock,
  input [1:0] raddr,
  input we,
  input [1:0] waddr,
  input [3:0] wdata
);
  wire [3:0] rdata;

  lut_ram dut (.clock(clock), .raddr(raddr), .rdata(rdata), .we(we), .waddr(waddr), .wdata(wdata));

  // One address, chosen by the solver, and the word there.
  (* anyconst *) wire [1:0] address;
  reg [3:0] word = 0;

  always @(posedge clock) begin
    if (we & waddr == address) word <= wdata;
    a_read_gives_the_word_last_written: assert (raddr != address | rdata == word);
  end
endmodule
