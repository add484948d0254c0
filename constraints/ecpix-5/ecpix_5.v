// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Millrace on the LambdaConcept ECPIX-5: uplink p0 on the RGMII port, all else over the USB UART.
//
// Light LD2, lit when low: green messages for the host, red something was damaged or dropped, blue traffic of the port.
module ecpix_5 (
    input        clk100,
    input        rst_n,
    output [2:0] led,
    input        uart_rx,
    output       uart_tx,

    input        rgmii_rxc,
    input        rgmii_rx_ctl,
    input  [3:0] rgmii_rxd,
    output       rgmii_txc,
    output       rgmii_tx_ctl,
    output [3:0] rgmii_txd,
    output       phy_rst_n
);
    wire clock;
    wire tx_clock;
    wire tx_clock_90;
    wire locked;
    clocks clocks (
        .clk100(clk100),
        .tx_clock(tx_clock),
        .tx_clock_90(tx_clock_90),
        .clock(clock),
        .locked(locked)
    );

    wire reset;
    wire phy_reset;
    resets resets (
        .clock(clock),
        .ready(locked & rst_n),
        .reset(reset),
        .phy_reset(phy_reset)
    );
    assign phy_rst_n = ~phy_reset;

    wire rx_clock;
    wire [7:0] rxd;
    wire rx_dv;
    wire rx_er;
    wire [7:0] txd;
    wire tx_en;
    wire tx_er;
    // The PHY (KSZ9031) delays its receive clock by itself.
    rgmii #(
        .RX_TAPS(0)
    ) rgmii (
        .rgmii_rxc(rgmii_rxc),
        .rgmii_rx_ctl(rgmii_rx_ctl),
        .rgmii_rxd(rgmii_rxd),
        .rgmii_txc(rgmii_txc),
        .rgmii_tx_ctl(rgmii_tx_ctl),
        .rgmii_txd(rgmii_txd),
        .rx_clock(rx_clock),
        .gmii_rxd(rxd),
        .gmii_rx_dv(rx_dv),
        .gmii_rx_er(rx_er),
        .tx_clock(tx_clock),
        .tx_clock_90(tx_clock_90),
        .gmii_txd(txd),
        .gmii_tx_en(tx_en),
        .gmii_tx_er(tx_er)
    );

    wire [2:0] light;
    assign led = ~light;
    gigabit_nic nic (
        .clock(clock),
        .reset(reset),
        .tx_clock(tx_clock),
        .rx_clock_0(rx_clock),
        .gmii_rxd_0(rxd),
        .gmii_rx_dv_0(rx_dv),
        .gmii_rx_er_0(rx_er),
        .gmii_txd_0(txd),
        .gmii_tx_en_0(tx_en),
        .gmii_tx_er_0(tx_er),
        .uart_rx(uart_rx),
        .uart_tx(uart_tx),
        .led_0(light[0]),
        .led_1(light[1]),
        .led_2(light[2])
    );
endmodule
