// SPDX-License-Identifier: MIT OR Apache-2.0
// Stands in for the LutRam of AsyncFifo: keeps the word at one address that the proof chooses; from all others anything is read.
// What holds for it holds for the emitted module (proof `lut_ram`), whose other words are among "anything".
module lut_ram (
  input clock,
  input [1:0] raddr,
  output [7:0] rdata,
  input we,
  input [1:0] waddr,
  input [7:0] wdata
);
  (* anyconst *) wire [1:0] watched;
  (* anyseq *) wire [7:0] anything;
  reg [7:0] word;
  always @(posedge clock) if (we & waddr == watched) word <= wdata;
  assign rdata = raddr == watched ? word : anything;
endmodule
