// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Millrace on an Alveo U250: p0 and p1 on its QSFP28s, everything else over PCIe.
//
`default_nettype none

module alveo_u250 (
    // 300 MHz, free-running.
    input  wire        clk_300mhz_p,
    input  wire        clk_300mhz_n,

    // PCIe x16; the lanes' pins follow from the IP's quads.
    input  wire        pcie_refclk_p,
    input  wire        pcie_refclk_n,
    input  wire        pcie_reset_n,
    input  wire [15:0] pcie_rx_p,
    input  wire [15:0] pcie_rx_n,
    output wire [15:0] pcie_tx_p,
    output wire [15:0] pcie_tx_n,

    // QSFP28s; the lanes' pins follow from the IPs' quads. Each has an oscillator that takes its frequency from two pins.
    input  wire        qsfp0_refclk_p,
    input  wire        qsfp0_refclk_n,
    input  wire [3:0]  qsfp0_rx_p,
    input  wire [3:0]  qsfp0_rx_n,
    output wire [3:0]  qsfp0_tx_p,
    output wire [3:0]  qsfp0_tx_n,
    output wire        qsfp0_modsell,
    output wire        qsfp0_resetl,
    output wire        qsfp0_lpmode,
    output wire        qsfp0_refclk_reset,
    output wire [1:0]  qsfp0_fs,
    input  wire        qsfp1_refclk_p,
    input  wire        qsfp1_refclk_n,
    input  wire [3:0]  qsfp1_rx_p,
    input  wire [3:0]  qsfp1_rx_n,
    output wire [3:0]  qsfp1_tx_p,
    output wire [3:0]  qsfp1_tx_n,
    output wire        qsfp1_modsell,
    output wire        qsfp1_resetl,
    output wire        qsfp1_lpmode,
    output wire        qsfp1_refclk_reset,
    output wire [1:0]  qsfp1_fs,

    // Lamps: links up; a message of the host had no place to go.
    output wire [2:0]  led
);
  wire         clock;
  wire         reset;
  wire         init_clock;
  wire         init_reset;
  wire         oscillator_reset;
  wire [1:0]   link;
  reg          dropped;
  wire [31:0]  host_dropped;
  wire [511:0] rx_0_tdata;
  wire [63:0]  rx_0_tkeep;
  wire         rx_0_tlast;
  wire         rx_0_tuser;
  wire         rx_0_tvalid;
  wire         rx_0_tready;
  wire [511:0] tx_0_tdata;
  wire [63:0]  tx_0_tkeep;
  wire         tx_0_tlast;
  wire         tx_0_tuser;
  wire         tx_0_tvalid;
  wire         tx_0_tready;
  wire [511:0] rx_1_tdata;
  wire [63:0]  rx_1_tkeep;
  wire         rx_1_tlast;
  wire         rx_1_tuser;
  wire         rx_1_tvalid;
  wire         rx_1_tready;
  wire [511:0] tx_1_tdata;
  wire [63:0]  tx_1_tkeep;
  wire         tx_1_tlast;
  wire         tx_1_tuser;
  wire         tx_1_tvalid;
  wire         tx_1_tready;
  wire [511:0] from_host_tdata;
  wire [63:0]  from_host_tkeep;
  wire         from_host_tlast;
  wire         from_host_tvalid;
  wire         from_host_tready;
  wire [511:0] to_host_tdata;
  wire [63:0]  to_host_tkeep;
  wire         to_host_tlast;
  wire         to_host_tvalid;
  wire         to_host_tready;
  wire [15:0]  awaddr;
  wire         awvalid;
  wire         awready;
  wire [31:0]  wdata;
  wire [3:0]   wstrb;
  wire         wvalid;
  wire         wready;
  wire [1:0]   bresp;
  wire         bvalid;
  wire         bready;
  wire [15:0]  araddr;
  wire         arvalid;
  wire         arready;
  wire [31:0]  rdata;
  wire [1:0]   rresp;
  wire         rvalid;
  wire         rready;

  assign led = {dropped, link};

  always @(posedge clock) dropped <= host_dropped != 32'd0;

  // Selected, not in reset, at full power; 161.1328125 MHz.
  assign qsfp0_modsell = 1'b0;
  assign qsfp0_resetl = 1'b1;
  assign qsfp0_lpmode = 1'b0;
  assign qsfp0_refclk_reset = oscillator_reset;
  assign qsfp0_fs = 2'b10;
  assign qsfp1_modsell = 1'b0;
  assign qsfp1_resetl = 1'b1;
  assign qsfp1_lpmode = 1'b0;
  assign qsfp1_refclk_reset = oscillator_reset;
  assign qsfp1_fs = 2'b10;

  wire clk_300mhz;

  IBUFDS clock_input (
      .I (clk_300mhz_p),
      .IB(clk_300mhz_n),
      .O (clk_300mhz)
  );

  // 100 MHz.
  BUFGCE_DIV #(
      .BUFGCE_DIVIDE(3)
  ) clock_buffer (
      .I  (clk_300mhz),
      .CE (1'b1),
      .CLR(1'b0),
      .O  (init_clock)
  );

  power_up power_up (
      .clock           (init_clock),
      .oscillator_reset(oscillator_reset),
      .reset           (init_reset)
  );

  alveo_host host (
      .pcie_refclk_p (pcie_refclk_p),
      .pcie_refclk_n (pcie_refclk_n),
      .pcie_reset_n  (pcie_reset_n),
      .pcie_rx_p     (pcie_rx_p),
      .pcie_rx_n     (pcie_rx_n),
      .pcie_tx_p     (pcie_tx_p),
      .pcie_tx_n     (pcie_tx_n),
      .clock         (clock),
      .reset         (reset),
      .m_axis_tdata  (from_host_tdata),
      .m_axis_tkeep  (from_host_tkeep),
      .m_axis_tlast  (from_host_tlast),
      .m_axis_tvalid (from_host_tvalid),
      .m_axis_tready (from_host_tready),
      .s_axis_tdata  (to_host_tdata),
      .s_axis_tkeep  (to_host_tkeep),
      .s_axis_tlast  (to_host_tlast),
      .s_axis_tvalid (to_host_tvalid),
      .s_axis_tready (to_host_tready),
      .m_axil_awaddr (awaddr),
      .m_axil_awvalid(awvalid),
      .m_axil_awready(awready),
      .m_axil_wdata  (wdata),
      .m_axil_wstrb  (wstrb),
      .m_axil_wvalid (wvalid),
      .m_axil_wready (wready),
      .m_axil_bresp  (bresp),
      .m_axil_bvalid (bvalid),
      .m_axil_bready (bready),
      .m_axil_araddr (araddr),
      .m_axil_arvalid(arvalid),
      .m_axil_arready(arready),
      .m_axil_rdata  (rdata),
      .m_axil_rresp  (rresp),
      .m_axil_rvalid (rvalid),
      .m_axil_rready (rready)
  );

  alveo_qsfp #(
      .QSFP(0)
  ) qsfp0 (
      .init_clock   (init_clock),
      .init_reset   (init_reset),
      .refclk_p     (qsfp0_refclk_p),
      .refclk_n     (qsfp0_refclk_n),
      .rx_p         (qsfp0_rx_p),
      .rx_n         (qsfp0_rx_n),
      .tx_p         (qsfp0_tx_p),
      .tx_n         (qsfp0_tx_n),
      .link         (link[0]),
      .clock        (clock),
      .reset        (reset),
      .s_axis_tdata (tx_0_tdata),
      .s_axis_tkeep (tx_0_tkeep),
      .s_axis_tlast (tx_0_tlast),
      .s_axis_tuser (tx_0_tuser),
      .s_axis_tvalid(tx_0_tvalid),
      .s_axis_tready(tx_0_tready),
      .m_axis_tdata (rx_0_tdata),
      .m_axis_tkeep (rx_0_tkeep),
      .m_axis_tlast (rx_0_tlast),
      .m_axis_tuser (rx_0_tuser),
      .m_axis_tvalid(rx_0_tvalid),
      .m_axis_tready(rx_0_tready)
  );

  alveo_qsfp #(
      .QSFP(1)
  ) qsfp1 (
      .init_clock   (init_clock),
      .init_reset   (init_reset),
      .refclk_p     (qsfp1_refclk_p),
      .refclk_n     (qsfp1_refclk_n),
      .rx_p         (qsfp1_rx_p),
      .rx_n         (qsfp1_rx_n),
      .tx_p         (qsfp1_tx_p),
      .tx_n         (qsfp1_tx_n),
      .link         (link[1]),
      .clock        (clock),
      .reset        (reset),
      .s_axis_tdata (tx_1_tdata),
      .s_axis_tkeep (tx_1_tkeep),
      .s_axis_tlast (tx_1_tlast),
      .s_axis_tuser (tx_1_tuser),
      .s_axis_tvalid(tx_1_tvalid),
      .s_axis_tready(tx_1_tready),
      .m_axis_tdata (rx_1_tdata),
      .m_axis_tkeep (rx_1_tkeep),
      .m_axis_tlast (rx_1_tlast),
      .m_axis_tuser (rx_1_tuser),
      .m_axis_tvalid(rx_1_tvalid),
      .m_axis_tready(rx_1_tready)
  );

  millrace_host millrace (
      .clock             (clock),
      .reset             (reset),
      .s_axis_rx_0_tdata (rx_0_tdata),
      .s_axis_rx_0_tkeep (rx_0_tkeep),
      .s_axis_rx_0_tlast (rx_0_tlast),
      .s_axis_rx_0_tuser (rx_0_tuser),
      .s_axis_rx_0_tvalid(rx_0_tvalid),
      .s_axis_rx_0_tready(rx_0_tready),
      .m_axis_tx_0_tdata (tx_0_tdata),
      .m_axis_tx_0_tkeep (tx_0_tkeep),
      .m_axis_tx_0_tlast (tx_0_tlast),
      .m_axis_tx_0_tuser (tx_0_tuser),
      .m_axis_tx_0_tvalid(tx_0_tvalid),
      .m_axis_tx_0_tready(tx_0_tready),
      .s_axis_rx_1_tdata (rx_1_tdata),
      .s_axis_rx_1_tkeep (rx_1_tkeep),
      .s_axis_rx_1_tlast (rx_1_tlast),
      .s_axis_rx_1_tuser (rx_1_tuser),
      .s_axis_rx_1_tvalid(rx_1_tvalid),
      .s_axis_rx_1_tready(rx_1_tready),
      .m_axis_tx_1_tdata (tx_1_tdata),
      .m_axis_tx_1_tkeep (tx_1_tkeep),
      .m_axis_tx_1_tlast (tx_1_tlast),
      .m_axis_tx_1_tuser (tx_1_tuser),
      .m_axis_tx_1_tvalid(tx_1_tvalid),
      .m_axis_tx_1_tready(tx_1_tready),
      .s_axis_host_tdata (from_host_tdata),
      .s_axis_host_tkeep (from_host_tkeep),
      .s_axis_host_tlast (from_host_tlast),
      .s_axis_host_tuser (1'b0),
      .s_axis_host_tvalid(from_host_tvalid),
      .s_axis_host_tready(from_host_tready),
      .m_axis_host_tdata (to_host_tdata),
      .m_axis_host_tkeep (to_host_tkeep),
      .m_axis_host_tlast (to_host_tlast),
      .m_axis_host_tuser (),
      .m_axis_host_tvalid(to_host_tvalid),
      .m_axis_host_tready(to_host_tready),
      .host_dropped      (host_dropped),
      .s_axil_awaddr     (awaddr),
      .s_axil_awvalid    (awvalid),
      .s_axil_awready    (awready),
      .s_axil_wdata      (wdata),
      .s_axil_wstrb      (wstrb),
      .s_axil_wvalid     (wvalid),
      .s_axil_wready     (wready),
      .s_axil_bresp      (bresp),
      .s_axil_bvalid     (bvalid),
      .s_axil_bready     (bready),
      .s_axil_araddr     (araddr),
      .s_axil_arvalid    (arvalid),
      .s_axil_arready    (arready),
      .s_axil_rdata      (rdata),
      .s_axil_rresp      (rresp),
      .s_axil_rvalid     (rvalid),
      .s_axil_rready     (rready)
  );
endmodule

`default_nettype wire
