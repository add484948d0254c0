// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A QSFP28 of an Alveo card: AMD's CMAC (100GBASE-R4 with RS-FEC, FCS added and checked) and the way to the core's clock (`cmac_port`).
//
// The transmit user clock of the transceivers, 322.265625 MHz, is the clock of both directions.
//
`default_nettype none

// An IP block knows its place in the chip, so each QSFP has one of its own name: the same pins for each.
`define CMAC_PINS \
      .gt_ref_clk_p(refclk_p), .gt_ref_clk_n(refclk_n), .gt_ref_clk_out(), \
      .gt_rxp_in(rx_p), .gt_rxn_in(rx_n), .gt_txp_out(tx_p), .gt_txn_out(tx_n), \
      .gt_loopback_in(12'd0), .gt_powergoodout(), .gt_rxrecclkout(), .gt_rxusrclk2(), \
      .gtwiz_reset_tx_datapath(1'b0), .gtwiz_reset_rx_datapath(1'b0), \
      .sys_reset(init_reset), .init_clk(init_clock), \
      .gt_txusrclk2(mac_clock), .rx_clk(mac_clock), \
      .core_rx_reset(1'b0), .core_tx_reset(1'b0), .usr_rx_reset(mac_rx_reset), .usr_tx_reset(mac_absent), \
      .core_drp_reset(1'b0), .drp_clk(init_clock), .drp_addr(10'd0), .drp_di(16'd0), .drp_en(1'b0), .drp_we(1'b0), \
      .drp_do(), .drp_rdy(), \
      .ctl_rx_enable(1'b1), .ctl_rx_force_resync(1'b0), .ctl_rx_test_pattern(1'b0), \
      .ctl_tx_enable(1'b1), .ctl_tx_test_pattern(1'b0), \
      .ctl_tx_send_idle(1'b0), .ctl_tx_send_rfi(1'b0), .ctl_tx_send_lfi(1'b0), \
      .ctl_tx_rsfec_enable(1'b1), .ctl_rx_rsfec_enable(1'b1), .ctl_rx_rsfec_enable_correction(1'b1), \
      .ctl_rx_rsfec_enable_indication(1'b1), .ctl_rsfec_ieee_error_indication_mode(1'b0), \
      .tx_preamblein(56'd0), .rx_preambleout(), .tx_ovfout(), .tx_unfout(), .stat_rx_status(stat_rx_status), \
      .tx_axis_tdata(mac_tx_tdata), .tx_axis_tkeep(mac_tx_tkeep), .tx_axis_tlast(mac_tx_tlast), \
      .tx_axis_tuser(mac_tx_tuser), .tx_axis_tvalid(mac_tx_tvalid), .tx_axis_tready(mac_tx_tready), \
      .rx_axis_tdata(mac_rx_tdata), .rx_axis_tkeep(mac_rx_tkeep), .rx_axis_tlast(mac_rx_tlast), \
      .rx_axis_tuser(mac_rx_tuser), .rx_axis_tvalid(mac_rx_tvalid)

module alveo_qsfp #(
    // 0 or 1: which of the card's QSFPs.
    parameter QSFP = 0
) (
    // Free-running 100 MHz; `init_reset` until the reference clock has settled.
    input  wire         init_clock,
    input  wire         init_reset,
    // 161.1328125 MHz.
    input  wire         refclk_p,
    input  wire         refclk_n,
    input  wire [3:0]   rx_p,
    input  wire [3:0]   rx_n,
    output wire [3:0]   tx_p,
    output wire [3:0]   tx_n,
    // The receiver is aligned. For a lamp: of the MAC's clock.
    output reg          link,

    // The core's clock and reset.
    input  wire         clock,
    input  wire         reset,
    // From the core.
    input  wire [511:0] s_axis_tdata,
    input  wire [63:0]  s_axis_tkeep,
    input  wire         s_axis_tlast,
    input  wire         s_axis_tuser,
    input  wire         s_axis_tvalid,
    output wire         s_axis_tready,
    // To the core.
    output wire [511:0] m_axis_tdata,
    output wire [63:0]  m_axis_tkeep,
    output wire         m_axis_tlast,
    output wire         m_axis_tuser,
    output wire         m_axis_tvalid,
    input  wire         m_axis_tready
);
  wire         mac_clock;
  wire         mac_absent;
  wire         mac_rx_reset;
  wire         stat_rx_status;
  wire [511:0] mac_tx_tdata;
  wire [63:0]  mac_tx_tkeep;
  wire         mac_tx_tlast;
  wire         mac_tx_tuser;
  wire         mac_tx_tvalid;
  wire         mac_tx_tready;
  wire [511:0] mac_rx_tdata;
  wire [63:0]  mac_rx_tkeep;
  wire         mac_rx_tlast;
  wire         mac_rx_tuser;
  wire         mac_rx_tvalid;
  wire         port_reset;
  wire         mac_reset;

  // Two registers, of two clocks; when one changes while the other is low, a LUT's output changes once.
  wire         stop = reset | mac_absent;

  reset_hold port_reset_hold (
      .clock  (clock),
      .request(stop),
      .reset  (port_reset)
  );

  reset_hold mac_reset_hold (
      .clock  (mac_clock),
      .request(stop),
      .reset  (mac_reset)
  );

  always @(posedge mac_clock) link <= stat_rx_status;

  generate
    if (QSFP == 0) begin : first
      cmac_usplus_0 cmac (`CMAC_PINS);
    end else begin : second
      cmac_usplus_1 cmac (`CMAC_PINS);
    end
  endgenerate

  cmac_port port (
      .clock            (clock),
      .reset            (reset),
      .port_reset       (port_reset),
      .s_axis_tx_tdata  (s_axis_tdata),
      .s_axis_tx_tkeep  (s_axis_tkeep),
      .s_axis_tx_tlast  (s_axis_tlast),
      .s_axis_tx_tuser  (s_axis_tuser),
      .s_axis_tx_tvalid (s_axis_tvalid),
      .s_axis_tx_tready (s_axis_tready),
      .m_axis_rx_tdata  (m_axis_tdata),
      .m_axis_rx_tkeep  (m_axis_tkeep),
      .m_axis_rx_tlast  (m_axis_tlast),
      .m_axis_rx_tuser  (m_axis_tuser),
      .m_axis_rx_tvalid (m_axis_tvalid),
      .m_axis_rx_tready (m_axis_tready),
      .mac_clock        (mac_clock),
      .mac_reset        (mac_reset),
      .mac_rx_reset     (mac_rx_reset),
      .m_axis_mac_tdata (mac_tx_tdata),
      .m_axis_mac_tkeep (mac_tx_tkeep),
      .m_axis_mac_tlast (mac_tx_tlast),
      .m_axis_mac_tuser (mac_tx_tuser),
      .m_axis_mac_tvalid(mac_tx_tvalid),
      .m_axis_mac_tready(mac_tx_tready),
      .mac_rx_tdata     (mac_rx_tdata),
      .mac_rx_tkeep     (mac_rx_tkeep),
      .mac_rx_tlast     (mac_rx_tlast),
      .mac_rx_tuser     (mac_rx_tuser),
      .mac_rx_tvalid    (mac_rx_tvalid)
  );
endmodule

`undef CMAC_PINS
`default_nettype wire
