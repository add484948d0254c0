// SPDX-License-Identifier: MIT OR Apache-2.0
//
// After configuration: `oscillator_reset` for 2^(BITS-2) clocks, while the oscillator of the QSFPs reads its frequency pins; `reset` for 2^BITS,
// until it has settled. At 100 MHz and 22 bits: 10 ms and 42 ms.
//
`default_nettype none

module power_up #(
    parameter BITS = 22
) (
    input  wire clock,
    output wire oscillator_reset,
    output wire reset
);
  reg [BITS:0] clocks = {(BITS + 1) {1'b0}};
  reg first = 1'b1;
  reg early = 1'b1;

  always @(posedge clock) begin
    if (!clocks[BITS]) clocks <= clocks + 1'b1;
    first <= clocks[BITS:BITS-2] == 3'd0;
    early <= !clocks[BITS];
  end

  assign oscillator_reset = first;
  assign reset = early;
endmodule

`default_nettype wire
