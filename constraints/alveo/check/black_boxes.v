// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The pins of the primitives and IP blocks that the wrapper uses, for the checks without Vivado; `build.tcl` does not read this file.
// Widths are those of the IP as `ip.tcl` configures it (AMD PG195, PG203, UG974). `clock` names the pin whose clock a pin belongs to; a pin
// without is a clock, asynchronous, or a pad: a transceiver's `lane` or `reference` clock. `period` is a clock's, in ns.
//
/* verilator lint_off DECLFILENAME */
/* verilator lint_off UNUSED */
/* verilator lint_off UNDRIVEN */
(* blackbox *)
module IBUFDS (
    input  wire I,
    input  wire IB,
    output wire O
);
endmodule

(* blackbox *)
module BUFG (
    input  wire I,
    output wire O
);
endmodule

(* blackbox *)
module BUFGCE_DIV #(
    parameter integer BUFGCE_DIVIDE = 1
) (
    input  wire I,
    input  wire CE,
    input  wire CLR,
    output wire O
);
endmodule

(* blackbox *)
module IBUFDS_GTE4 #(
    parameter [1:0] REFCLK_HROW_CK_SEL = 2'b00
) (
    (* pad = "reference" *) input  wire I,
    (* pad = "reference" *) input  wire IB,
    input  wire CEB,
    output wire O,
    output wire ODIV2
);
endmodule

(* blackbox *)
module xdma_0 (
    input  wire sys_clk,
    input  wire sys_clk_gt,
    input  wire sys_rst_n,
    (* clock = "axi_aclk" *) output wire user_lnk_up,
    (* pad = "lane" *) input  wire [15:0] pci_exp_rxp,
    (* pad = "lane" *) input  wire [15:0] pci_exp_rxn,
    (* pad = "lane" *) output wire [15:0] pci_exp_txp,
    (* pad = "lane" *) output wire [15:0] pci_exp_txn,
    (* period = "4.000" *) output wire axi_aclk,
    (* clock = "axi_aclk" *) output wire axi_aresetn,
    (* clock = "axi_aclk" *) input  wire usr_irq_req,
    (* clock = "axi_aclk" *) output wire usr_irq_ack,
    (* clock = "axi_aclk" *) output wire [511:0] m_axis_h2c_tdata_0,
    (* clock = "axi_aclk" *) output wire [63:0] m_axis_h2c_tkeep_0,
    (* clock = "axi_aclk" *) output wire m_axis_h2c_tlast_0,
    (* clock = "axi_aclk" *) output wire m_axis_h2c_tvalid_0,
    (* clock = "axi_aclk" *) input  wire m_axis_h2c_tready_0,
    (* clock = "axi_aclk" *) input  wire [511:0] s_axis_c2h_tdata_0,
    (* clock = "axi_aclk" *) input  wire [63:0] s_axis_c2h_tkeep_0,
    (* clock = "axi_aclk" *) input  wire s_axis_c2h_tlast_0,
    (* clock = "axi_aclk" *) input  wire s_axis_c2h_tvalid_0,
    (* clock = "axi_aclk" *) output wire s_axis_c2h_tready_0,
    (* clock = "axi_aclk" *) output wire [31:0] m_axil_awaddr,
    (* clock = "axi_aclk" *) output wire [2:0] m_axil_awprot,
    (* clock = "axi_aclk" *) output wire m_axil_awvalid,
    (* clock = "axi_aclk" *) input  wire m_axil_awready,
    (* clock = "axi_aclk" *) output wire [31:0] m_axil_wdata,
    (* clock = "axi_aclk" *) output wire [3:0] m_axil_wstrb,
    (* clock = "axi_aclk" *) output wire m_axil_wvalid,
    (* clock = "axi_aclk" *) input  wire m_axil_wready,
    (* clock = "axi_aclk" *) input  wire [1:0] m_axil_bresp,
    (* clock = "axi_aclk" *) input  wire m_axil_bvalid,
    (* clock = "axi_aclk" *) output wire m_axil_bready,
    (* clock = "axi_aclk" *) output wire [31:0] m_axil_araddr,
    (* clock = "axi_aclk" *) output wire [2:0] m_axil_arprot,
    (* clock = "axi_aclk" *) output wire m_axil_arvalid,
    (* clock = "axi_aclk" *) input  wire m_axil_arready,
    (* clock = "axi_aclk" *) input  wire [31:0] m_axil_rdata,
    (* clock = "axi_aclk" *) input  wire [1:0] m_axil_rresp,
    (* clock = "axi_aclk" *) input  wire m_axil_rvalid,
    (* clock = "axi_aclk" *) output wire m_axil_rready
);
endmodule

(* blackbox *)
module cmac_usplus_0 (
    (* pad = "reference" *) input  wire gt_ref_clk_p,
    (* pad = "reference" *) input  wire gt_ref_clk_n,
    output wire gt_ref_clk_out,
    (* pad = "lane" *) input  wire [3:0] gt_rxp_in,
    (* pad = "lane" *) input  wire [3:0] gt_rxn_in,
    (* pad = "lane" *) output wire [3:0] gt_txp_out,
    (* pad = "lane" *) output wire [3:0] gt_txn_out,
    input  wire [11:0] gt_loopback_in,
    output wire [3:0] gt_powergoodout,
    output wire [3:0] gt_rxrecclkout,
    output wire gt_rxusrclk2,
    input  wire gtwiz_reset_tx_datapath,
    input  wire gtwiz_reset_rx_datapath,
    input  wire sys_reset,
    input  wire init_clk,
    (* period = "3.103" *) output wire gt_txusrclk2,
    input  wire rx_clk,
    input  wire core_rx_reset,
    input  wire core_tx_reset,
    (* clock = "rx_clk" *) output wire usr_rx_reset,
    (* clock = "gt_txusrclk2" *) output wire usr_tx_reset,
    input  wire core_drp_reset,
    input  wire drp_clk,
    (* clock = "drp_clk" *) input  wire [9:0] drp_addr,
    (* clock = "drp_clk" *) input  wire [15:0] drp_di,
    (* clock = "drp_clk" *) input  wire drp_en,
    (* clock = "drp_clk" *) input  wire drp_we,
    (* clock = "drp_clk" *) output wire [15:0] drp_do,
    (* clock = "drp_clk" *) output wire drp_rdy,
    (* clock = "rx_clk" *) input  wire ctl_rx_enable,
    (* clock = "rx_clk" *) input  wire ctl_rx_force_resync,
    (* clock = "rx_clk" *) input  wire ctl_rx_test_pattern,
    (* clock = "rx_clk" *) input  wire ctl_rx_rsfec_enable,
    (* clock = "rx_clk" *) input  wire ctl_rx_rsfec_enable_correction,
    (* clock = "rx_clk" *) input  wire ctl_rx_rsfec_enable_indication,
    (* clock = "rx_clk" *) input  wire ctl_rsfec_ieee_error_indication_mode,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_enable,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_test_pattern,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_send_idle,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_send_rfi,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_send_lfi,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_rsfec_enable,
    (* clock = "gt_txusrclk2" *) input  wire [55:0] tx_preamblein,
    (* clock = "rx_clk" *) output wire [55:0] rx_preambleout,
    (* clock = "gt_txusrclk2" *) output wire tx_ovfout,
    (* clock = "gt_txusrclk2" *) output wire tx_unfout,
    (* clock = "rx_clk" *) output wire stat_rx_status,
    (* clock = "gt_txusrclk2" *) input  wire [511:0] tx_axis_tdata,
    (* clock = "gt_txusrclk2" *) input  wire [63:0] tx_axis_tkeep,
    (* clock = "gt_txusrclk2" *) input  wire tx_axis_tlast,
    (* clock = "gt_txusrclk2" *) input  wire tx_axis_tuser,
    (* clock = "gt_txusrclk2" *) input  wire tx_axis_tvalid,
    (* clock = "gt_txusrclk2" *) output wire tx_axis_tready,
    (* clock = "rx_clk" *) output wire [511:0] rx_axis_tdata,
    (* clock = "rx_clk" *) output wire [63:0] rx_axis_tkeep,
    (* clock = "rx_clk" *) output wire rx_axis_tlast,
    (* clock = "rx_clk" *) output wire rx_axis_tuser,
    (* clock = "rx_clk" *) output wire rx_axis_tvalid
);
endmodule

(* blackbox *)
module cmac_usplus_1 (
    (* pad = "reference" *) input  wire gt_ref_clk_p,
    (* pad = "reference" *) input  wire gt_ref_clk_n,
    output wire gt_ref_clk_out,
    (* pad = "lane" *) input  wire [3:0] gt_rxp_in,
    (* pad = "lane" *) input  wire [3:0] gt_rxn_in,
    (* pad = "lane" *) output wire [3:0] gt_txp_out,
    (* pad = "lane" *) output wire [3:0] gt_txn_out,
    input  wire [11:0] gt_loopback_in,
    output wire [3:0] gt_powergoodout,
    output wire [3:0] gt_rxrecclkout,
    output wire gt_rxusrclk2,
    input  wire gtwiz_reset_tx_datapath,
    input  wire gtwiz_reset_rx_datapath,
    input  wire sys_reset,
    input  wire init_clk,
    (* period = "3.103" *) output wire gt_txusrclk2,
    input  wire rx_clk,
    input  wire core_rx_reset,
    input  wire core_tx_reset,
    (* clock = "rx_clk" *) output wire usr_rx_reset,
    (* clock = "gt_txusrclk2" *) output wire usr_tx_reset,
    input  wire core_drp_reset,
    input  wire drp_clk,
    (* clock = "drp_clk" *) input  wire [9:0] drp_addr,
    (* clock = "drp_clk" *) input  wire [15:0] drp_di,
    (* clock = "drp_clk" *) input  wire drp_en,
    (* clock = "drp_clk" *) input  wire drp_we,
    (* clock = "drp_clk" *) output wire [15:0] drp_do,
    (* clock = "drp_clk" *) output wire drp_rdy,
    (* clock = "rx_clk" *) input  wire ctl_rx_enable,
    (* clock = "rx_clk" *) input  wire ctl_rx_force_resync,
    (* clock = "rx_clk" *) input  wire ctl_rx_test_pattern,
    (* clock = "rx_clk" *) input  wire ctl_rx_rsfec_enable,
    (* clock = "rx_clk" *) input  wire ctl_rx_rsfec_enable_correction,
    (* clock = "rx_clk" *) input  wire ctl_rx_rsfec_enable_indication,
    (* clock = "rx_clk" *) input  wire ctl_rsfec_ieee_error_indication_mode,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_enable,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_test_pattern,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_send_idle,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_send_rfi,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_send_lfi,
    (* clock = "gt_txusrclk2" *) input  wire ctl_tx_rsfec_enable,
    (* clock = "gt_txusrclk2" *) input  wire [55:0] tx_preamblein,
    (* clock = "rx_clk" *) output wire [55:0] rx_preambleout,
    (* clock = "gt_txusrclk2" *) output wire tx_ovfout,
    (* clock = "gt_txusrclk2" *) output wire tx_unfout,
    (* clock = "rx_clk" *) output wire stat_rx_status,
    (* clock = "gt_txusrclk2" *) input  wire [511:0] tx_axis_tdata,
    (* clock = "gt_txusrclk2" *) input  wire [63:0] tx_axis_tkeep,
    (* clock = "gt_txusrclk2" *) input  wire tx_axis_tlast,
    (* clock = "gt_txusrclk2" *) input  wire tx_axis_tuser,
    (* clock = "gt_txusrclk2" *) input  wire tx_axis_tvalid,
    (* clock = "gt_txusrclk2" *) output wire tx_axis_tready,
    (* clock = "rx_clk" *) output wire [511:0] rx_axis_tdata,
    (* clock = "rx_clk" *) output wire [63:0] rx_axis_tkeep,
    (* clock = "rx_clk" *) output wire rx_axis_tlast,
    (* clock = "rx_clk" *) output wire rx_axis_tuser,
    (* clock = "rx_clk" *) output wire rx_axis_tvalid
);
endmodule
