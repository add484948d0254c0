// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Millrace on the Lattice Versa ECP5-5G: uplinks p0 and p1 on the two RGMII ports (lower and upper jack), all else over the USB UART.
//
// LEDs are lit when low: 0 messages for the host, 1 something was damaged or dropped, 2 and 3 traffic of the ports; 7: the PLL has locked.
module versa_ecp5 (
    input        clk100,
    input        rst_n,
    output [7:0] led,
    input        uart_rx,
    output       uart_tx,

    input  [1:0] rgmii_rxc,
    input  [1:0] rgmii_rx_ctl,
    input  [7:0] rgmii_rxd,
    output [1:0] rgmii_txc,
    output [1:0] rgmii_tx_ctl,
    output [7:0] rgmii_txd,
    output [1:0] phy_rst_n
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
    assign phy_rst_n = {2{~phy_reset}};

    wire [1:0] rx_clock;
    wire [15:0] rxd;
    wire [1:0] rx_dv;
    wire [1:0] rx_er;
    wire [15:0] txd;
    wire [1:0] tx_en;
    wire [1:0] tx_er;
    genvar i;
    generate
        for (i = 0; i < 2; i = i + 1) begin : port
            // The PHYs (88E1512) do not delay their receive clock by themselves.
            rgmii #(
                .RX_TAPS(80)
            ) rgmii (
                .rgmii_rxc(rgmii_rxc[i]),
                .rgmii_rx_ctl(rgmii_rx_ctl[i]),
                .rgmii_rxd(rgmii_rxd[4*i+:4]),
                .rgmii_txc(rgmii_txc[i]),
                .rgmii_tx_ctl(rgmii_tx_ctl[i]),
                .rgmii_txd(rgmii_txd[4*i+:4]),
                .rx_clock(rx_clock[i]),
                .gmii_rxd(rxd[8*i+:8]),
                .gmii_rx_dv(rx_dv[i]),
                .gmii_rx_er(rx_er[i]),
                .tx_clock(tx_clock),
                .tx_clock_90(tx_clock_90),
                .gmii_txd(txd[8*i+:8]),
                .gmii_tx_en(tx_en[i]),
                .gmii_tx_er(tx_er[i])
            );
        end
    endgenerate

    wire [3:0] light;
    assign led = ~{locked, 3'b000, light};
    gigabit_nic nic (
        .clock(clock),
        .reset(reset),
        .tx_clock(tx_clock),
        .rx_clock_0(rx_clock[0]),
        .rx_clock_1(rx_clock[1]),
        .gmii_rxd_0(rxd[7:0]),
        .gmii_rxd_1(rxd[15:8]),
        .gmii_rx_dv_0(rx_dv[0]),
        .gmii_rx_dv_1(rx_dv[1]),
        .gmii_rx_er_0(rx_er[0]),
        .gmii_rx_er_1(rx_er[1]),
        .gmii_txd_0(txd[7:0]),
        .gmii_txd_1(txd[15:8]),
        .gmii_tx_en_0(tx_en[0]),
        .gmii_tx_en_1(tx_en[1]),
        .gmii_tx_er_0(tx_er[0]),
        .gmii_tx_er_1(tx_er[1]),
        .uart_rx(uart_rx),
        .uart_tx(uart_tx),
        .led_0(light[0]),
        .led_1(light[1]),
        .led_2(light[2]),
        .led_3(light[3])
    );
endmodule
