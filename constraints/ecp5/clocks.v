// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Clocks of a board with a 100 MHz oscillator: 125 MHz for the ports, the same a quarter of a period later for RGMII's transmit clock, and
// the core's clock. The PLL's VCO runs at 625 MHz: 100 / 4 * 5 * 5 (Lattice FPGA-TN-02200: 400 to 800 MHz).
module clocks #(
    parameter CORE_DIVIDER = 5 // core clock = 625 MHz / CORE_DIVIDER: 5 = 125 MHz, 8 = 78.125 MHz, 10 = 62.5 MHz
) (
    input  clk100,
    output tx_clock,
    output tx_clock_90,
    output clock,
    output locked
);
    (* FREQUENCY_PIN_CLKI = "100" *)
    EHXPLLL #(
        .CLKI_DIV(4),
        .CLKFB_DIV(5),
        .FEEDBK_PATH("CLKOP"),
        .CLKOP_ENABLE("ENABLED"),
        .CLKOP_DIV(5),
        .CLKOP_CPHASE(4),
        .CLKOP_FPHASE(0),
        .CLKOS_ENABLE("ENABLED"),
        .CLKOS_DIV(5),
        .CLKOS_CPHASE(5), // 1.25 periods of the VCO later than CLKOP: 90 degrees of 5
        .CLKOS_FPHASE(2),
        .CLKOS2_ENABLE("ENABLED"),
        .CLKOS2_DIV(CORE_DIVIDER),
        .CLKOS2_CPHASE(CORE_DIVIDER - 1),
        .CLKOS2_FPHASE(0),
        .PLLRST_ENA("DISABLED"),
        .OUTDIVIDER_MUXA("DIVA"),
        .OUTDIVIDER_MUXB("DIVB"),
        .OUTDIVIDER_MUXC("DIVC")
    ) pll (
        .CLKI(clk100),
        .CLKFB(tx_clock),
        .RST(1'b0),
        .STDBY(1'b0),
        .PHASESEL0(1'b0),
        .PHASESEL1(1'b0),
        .PHASEDIR(1'b0),
        .PHASESTEP(1'b0),
        .PHASELOADREG(1'b0),
        .PLLWAKESYNC(1'b0),
        .ENCLKOP(1'b1),
        .ENCLKOS(1'b1),
        .ENCLKOS2(1'b1),
        .ENCLKOS3(1'b0),
        .CLKOP(tx_clock),
        .CLKOS(tx_clock_90),
        .CLKOS2(clock),
        .LOCK(locked)
    );
endmodule
