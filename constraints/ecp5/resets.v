// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The core's reset and the PHYs': both begin as soon as `ready` goes low; the core's ends 32 clocks after `ready` came back, the PHYs' 2^21
// clocks after it (17 ms at 125 MHz; PHYs want 10 ms), so that the core is there when a link comes up.
module resets (
    input      clock,
    input      ready,
    output reg reset,
    output reg phy_reset
);
    // `ready` does not belong to `clock`.
    reg [1:0] seen = 2'b00;
    reg [21:0] waited = 22'd0;
    initial {reset, phy_reset} = 2'b11;
    always @(posedge clock) begin
        seen <= {seen[0], ready};
        if (!seen[1]) waited <= 22'd0;
        else if (!waited[21]) waited <= waited + 22'd1;
        reset <= waited[21:5] == 17'd0;
        phy_reset <= !waited[21];
    end
endmodule
