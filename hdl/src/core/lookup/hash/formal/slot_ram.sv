// SPDX-License-Identifier: MIT OR Apache-2.0
// Stands in for the Ram of a HashWay: keeps the word at one address that the proof chooses; from all others anything is read.
// What holds for it holds for the emitted module (proof `ram`), whose other words are among "anything".
module ram (
  input clock,
  input re,
  input [3:0] raddr,
  output reg [SLOT_BITS-1:0] rdata,
  input we,
  input [3:0] waddr,
  input [SLOT_BITS-1:0] wdata
);
  (* anyconst *) wire [3:0] watched;
  (* anyseq *) wire [SLOT_BITS-1:0] anything;
  reg [SLOT_BITS-1:0] word;
  always @(posedge clock) begin
    if (re) rdata <= raddr == watched ? word : anything;
    if (we & waddr == watched) word <= wdata;
  end
endmodule
