// SPDX-License-Identifier: MIT OR Apache-2.0
//
// One RGMII port at 1 Gb/s (RGMII 2.0): double data rate on the pins, GMII towards the core.
//
// `rgmii_rxc` comes from the PHY. RX_TAPS delays data and control against it by 25 ps a tap (Lattice FPGA-TN-02032), 80 taps = 2 ns, for
// a PHY that does not delay its clock itself. `tx_clock_90` is `tx_clock` a quarter of a period (2 ns) later: it becomes `rgmii_txc`, so
// that its edges lie in the middle of the data.
module rgmii #(
    parameter RX_TAPS = 80
) (
    input        rgmii_rxc,
    input        rgmii_rx_ctl,
    input  [3:0] rgmii_rxd,
    output       rgmii_txc,
    output       rgmii_tx_ctl,
    output [3:0] rgmii_txd,

    output       rx_clock,
    output [7:0] gmii_rxd,
    output       gmii_rx_dv,
    output       gmii_rx_er,

    input        tx_clock,
    input        tx_clock_90,
    input  [7:0] gmii_txd,
    input        gmii_tx_en,
    input        gmii_tx_er
);
    assign rx_clock = rgmii_rxc;

    // Receive: the low nibble with the rising edge; control is valid there, and valid xor error with the falling edge.
    wire [4:0] rx_pins = {rgmii_rx_ctl, rgmii_rxd};
    wire [4:0] rx_late;
    wire [4:0] rx_rise;
    wire [4:0] rx_fall;
    genvar i;
    generate
        for (i = 0; i < 5; i = i + 1) begin : rx
            DELAYG #(
                .DEL_MODE("SCLK_ALIGNED"),
                .DEL_VALUE(RX_TAPS)
            ) delay (
                .A(rx_pins[i]),
                .Z(rx_late[i])
            );
            IDDRX1F in (
                .D(rx_late[i]),
                .SCLK(rgmii_rxc),
                .RST(1'b0),
                .Q0(rx_rise[i]),
                .Q1(rx_fall[i])
            );
        end
    endgenerate
    reg [9:0] gmii_rx;
    always @(posedge rgmii_rxc)
        gmii_rx <= {rx_rise[4] ^ rx_fall[4], rx_rise[4], rx_fall[3:0], rx_rise[3:0]};
    assign gmii_rxd = gmii_rx[7:0];
    assign gmii_rx_dv = gmii_rx[8];
    assign gmii_rx_er = gmii_rx[9];

    // Transmit, the same way.
    reg [9:0] gmii_tx;
    always @(posedge tx_clock)
        gmii_tx <= {gmii_tx_en ^ gmii_tx_er, gmii_tx_en, gmii_txd};
    wire [4:0] tx_rise = {gmii_tx[8], gmii_tx[3:0]};
    wire [4:0] tx_fall = {gmii_tx[9], gmii_tx[7:4]};
    wire [4:0] tx_pins;
    generate
        for (i = 0; i < 5; i = i + 1) begin : tx
            ODDRX1F out (
                .D0(tx_rise[i]),
                .D1(tx_fall[i]),
                .SCLK(tx_clock),
                .RST(1'b0),
                .Q(tx_pins[i])
            );
        end
    endgenerate
    assign rgmii_txd = tx_pins[3:0];
    assign rgmii_tx_ctl = tx_pins[4];
    ODDRX1F clock_out (
        .D0(1'b1),
        .D1(1'b0),
        .SCLK(tx_clock_90),
        .RST(1'b0),
        .Q(rgmii_txc)
    );
endmodule
