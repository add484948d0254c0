// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The host's side of an Alveo card: AMD's XDMA (PCIe Gen3 x16). Its 250 MHz user clock is the clock of the whole core, so nothing crosses
// between clocks here. One pair of DMA channels carries the host stream, BAR 0 of 64 KiB the registers.
//
`default_nettype none

module alveo_host (
    input  wire         pcie_refclk_p,
    input  wire         pcie_refclk_n,
    input  wire         pcie_reset_n,
    input  wire [15:0]  pcie_rx_p,
    input  wire [15:0]  pcie_rx_n,
    output wire [15:0]  pcie_tx_p,
    output wire [15:0]  pcie_tx_n,

    // 250 MHz, and its synchronous reset, until the link is up and whenever it goes down.
    output wire         clock,
    output wire         reset,

    // From the host.
    output wire [511:0] m_axis_tdata,
    output wire [63:0]  m_axis_tkeep,
    output wire         m_axis_tlast,
    output wire         m_axis_tvalid,
    input  wire         m_axis_tready,
    // To the host.
    input  wire [511:0] s_axis_tdata,
    input  wire [63:0]  s_axis_tkeep,
    input  wire         s_axis_tlast,
    input  wire         s_axis_tvalid,
    output wire         s_axis_tready,

    output wire [15:0]  m_axil_awaddr,
    output wire         m_axil_awvalid,
    input  wire         m_axil_awready,
    output wire [31:0]  m_axil_wdata,
    output wire [3:0]   m_axil_wstrb,
    output wire         m_axil_wvalid,
    input  wire         m_axil_wready,
    input  wire [1:0]   m_axil_bresp,
    input  wire         m_axil_bvalid,
    output wire         m_axil_bready,
    output wire [15:0]  m_axil_araddr,
    output wire         m_axil_arvalid,
    input  wire         m_axil_arready,
    input  wire [31:0]  m_axil_rdata,
    input  wire [1:0]   m_axil_rresp,
    input  wire         m_axil_rvalid,
    output wire         m_axil_rready
);
  wire refclk;
  wire refclk_gt;
  wire aresetn;
  // BAR 0 is 64 KiB: the bits above 15 are 0.
  /* verilator lint_off UNUSED */
  wire [31:0] awaddr;
  wire [31:0] araddr;
  /* verilator lint_on UNUSED */

  assign m_axil_awaddr = awaddr[15:0];
  assign m_axil_araddr = araddr[15:0];

  IBUFDS_GTE4 #(
      .REFCLK_HROW_CK_SEL(2'b00)
  ) refclk_buffer (
      .I    (pcie_refclk_p),
      .IB   (pcie_refclk_n),
      .CEB  (1'b0),
      .O    (refclk_gt),
      .ODIV2(refclk)
  );

  reset_hold core_reset (
      .clock  (clock),
      .request(!aresetn),
      .reset  (reset)
  );

  xdma_0 xdma (
      .sys_clk            (refclk),
      .sys_clk_gt         (refclk_gt),
      .sys_rst_n          (pcie_reset_n),
      .user_lnk_up        (),
      .pci_exp_rxp        (pcie_rx_p),
      .pci_exp_rxn        (pcie_rx_n),
      .pci_exp_txp        (pcie_tx_p),
      .pci_exp_txn        (pcie_tx_n),
      .axi_aclk           (clock),
      .axi_aresetn        (aresetn),
      .usr_irq_req        (1'b0),
      .usr_irq_ack        (),
      .m_axis_h2c_tdata_0 (m_axis_tdata),
      .m_axis_h2c_tkeep_0 (m_axis_tkeep),
      .m_axis_h2c_tlast_0 (m_axis_tlast),
      .m_axis_h2c_tvalid_0(m_axis_tvalid),
      .m_axis_h2c_tready_0(m_axis_tready),
      .s_axis_c2h_tdata_0 (s_axis_tdata),
      .s_axis_c2h_tkeep_0 (s_axis_tkeep),
      .s_axis_c2h_tlast_0 (s_axis_tlast),
      .s_axis_c2h_tvalid_0(s_axis_tvalid),
      .s_axis_c2h_tready_0(s_axis_tready),
      .m_axil_awaddr      (awaddr),
      .m_axil_awprot      (),
      .m_axil_awvalid     (m_axil_awvalid),
      .m_axil_awready     (m_axil_awready),
      .m_axil_wdata       (m_axil_wdata),
      .m_axil_wstrb       (m_axil_wstrb),
      .m_axil_wvalid      (m_axil_wvalid),
      .m_axil_wready      (m_axil_wready),
      .m_axil_bresp       (m_axil_bresp),
      .m_axil_bvalid      (m_axil_bvalid),
      .m_axil_bready      (m_axil_bready),
      .m_axil_araddr      (araddr),
      .m_axil_arprot      (),
      .m_axil_arvalid     (m_axil_arvalid),
      .m_axil_arready     (m_axil_arready),
      .m_axil_rdata       (m_axil_rdata),
      .m_axil_rresp       (m_axil_rresp),
      .m_axil_rvalid      (m_axil_rvalid),
      .m_axil_rready      (m_axil_rready)
  );
endmodule

`default_nettype wire
