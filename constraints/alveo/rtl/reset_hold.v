// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A reset in the clock it is needed in. `reset` is a register output, synchronous to `clock`: high from the second edge after `request`
// rises (which it may do at any time, `clock` running or not) until 16 clocks after it has fallen. A request of any length is
// so seen for 16 clocks in every clock that has one of these, at the same time: what the FIFOs between clocks ask for.
//
`default_nettype none

module reset_hold (
    input  wire clock,
    // Glitch-free; any clock.
    input  wire request,
    output wire reset
);
  (* ASYNC_REG = "TRUE" *) reg [1:0] seen = 2'b11;
  reg [4:0] clocks = 5'd0;

  always @(posedge clock or posedge request)
    if (request) seen <= 2'b11;
    else seen <= {seen[0], 1'b0};

  always @(posedge clock)
    if (seen[1]) clocks <= 5'd0;
    else if (!clocks[4]) clocks <= clocks + 5'd1;

  reg held = 1'b1;
  always @(posedge clock) held <= !clocks[4];
  assign reset = held;
endmodule

`default_nettype wire
