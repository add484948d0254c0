// SPDX-License-Identifier: MIT OR Apache-2.0
// Stands in for Synchroniser where clocks have no relation: of a word that changes while its first register samples it, each
// bit is seen as it was or as it will be. Everything that the emitted module does in simulation is among this.
module synchroniser #(parameter WIDTH = 3) (
  input clock,
  input [WIDTH-1:0] d,
  output [WIDTH-1:0] q
);
  (* gclk *) reg instant;
  (* anyseq *) wire [WIDTH-1:0] late;
  reg [WIDTH-1:0] before;
  reg [WIDTH-1:0] first;
  reg [WIDTH-1:0] second;
  always @(posedge instant) before <= d;
  always @(posedge clock) begin
    first <= d & ~late | before & late;
    second <= first;
  end
  assign q = second;
endmodule
