// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults that the check of an Alveo board must find: one for each thing that it looks at.

/// A file below `constraints/` (`{board}` is the board's name) with one text replaced, and what must be said of it.
pub struct Mutant {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub said: &'static str,
}

const fn mutant(file: &'static str, from: &'static str, to: &'static str, said: &'static str) -> Mutant {
    Mutant { file, from, to, said }
}

/// In scripts and constraints: the netlist stays.
pub const SCRIPTS: &[Mutant] = &[
    // Pins.
    mutant("{board}/board.xdc", "[get_ports pcie_refclk_n]", "[get_ports pcie_clk_n]", "nothing is named pcie_clk_n"),
    mutant("{board}/board.xdc", "PACKAGE_PIN A", "PACKAGE_PIN QQQ", "PACKAGE_PIN cannot be QQQ"),
    mutant(
        "{board}/board.xdc",
        "set_property PACKAGE_PIN A",
        "set_property PACKAGE_PIN J18 [get_ports pcie_refclk_n]\n#",
        "has no PACKAGE_PIN",
    ),
    mutant(
        "{board}/board.xdc",
        "set_false_path -from",
        "set_property PACKAGE_PIN Y1 [get_ports {pcie_refclk_n pcie_refclk_p}]\nset_false_path -from",
        "pin Y1 is both",
    ),
    mutant(
        "{board}/board.xdc",
        "set_false_path -from",
        "set_property PACKAGE_PIN Y1 [get_ports {pcie_tx_p[3]}]\nset_false_path -from",
        "has its pin from its IP block",
    ),
    mutant("{board}/board.xdc", "IOSTANDARD LVCMOS", "IOSTANDARD LVCMOS9", "IOSTANDARD cannot be LVCMOS9"),
    mutant("{board}/board.xdc", " IOSTANDARD ", " SLEW SLOW} [get_ports clk_*]\n# {", "has no IOSTANDARD"),
    mutant("{board}/board.xdc", "SLEW SLOW DRIVE 8}", "IOSTANDARD {}}", "IOSTANDARD cannot be"),
    mutant("{board}/board.xdc", " PULLUP true}", " PULUP true}", "has no property PULUP"),
    mutant(
        "{board}/board.xdc",
        "set_false_path -from [get_ports pcie_reset_n]",
        "",
        "neither a clock nor on a false path",
    ),
    mutant(
        "{board}/board.xdc",
        "set_false_path -from [get_ports pcie_reset_n]",
        "set_false_path -to [get_ports pcie_reset_n]",
        "which is an input",
    ),
    mutant(
        "{board}/board.xdc",
        "create_clock -name pcie_refclk -period 10.000",
        "create_clock -name pcie_refclk -period ten",
        "no time in ns",
    ),
    mutant(
        "{board}/board.xdc",
        "create_clock -name pcie_refclk",
        "create_clock -nome pcie_refclk",
        "unknown option -nome",
    ),
    mutant("{board}/board.xdc", "CONFIG_MODE SPIx4", "CONFIG_MODE SPIx3", "CONFIG_MODE cannot be SPIx3"),
    mutant(
        "{board}/board.xdc",
        "set_operating_conditions",
        "foreach x {1} {}\nset_operating_conditions",
        "invalid command name \"foreach\"",
    ),
    // IP blocks.
    mutant(
        "alveo/ip.tcl",
        "CONFIG.axisten_freq 250",
        "CONFIG.axisten_frequency 250",
        "has no property axisten_frequency",
    ),
    mutant("alveo/ip.tcl", "AXI_Stream", "AXIS", "xdma_axi_intf_mm cannot be AXIS"),
    mutant("alveo/ip.tcl", "synth_ip $ip", "", "has not been synthesised"),
    mutant("alveo/ip.tcl", "-vendor xilinx.com", "-vendor xilinx", "-vendor `xilinx'"),
    mutant("{board}/board.tcl", "{core CMACE4_X0Y", "{core CMAC_X0Y", "CMAC_CORE_SELECT cannot be"),
    mutant("{board}/board.tcl", "set cmacs {", "set cmacs {}\nset others {", "uses cmac_usplus_0"),
    mutant("{board}/board.tcl", "set part xcu", "set part xcv", "no UltraScale+ Alveo part"),
    // The flow.
    mutant("alveo/build.tcl", "[string trim [read $channel]]", "[string trim [gets $channel]]", "does not read"),
    mutant("alveo/build.tcl", "$top.v]", "$top.sv]", "no file"),
    mutant("alveo/build.tcl", "place_design -directive ExtraTimingOpt", "", "phys_opt_design: needs the step `place'"),
    mutant("alveo/build.tcl", "-directive ExtraTimingOpt", "-directive MoreTimingOpt", "-directive `MoreTimingOpt'"),
    mutant("alveo/build.tcl", "write_bitstream -force", "write_checkpoint -force", "without a bitstream"),
    mutant(
        "alveo/build.tcl",
        "source [file join $here crossings.tcl]",
        "",
        "crosses between clocks without a constraint",
    ),
    mutant("alveo/build.tcl", "set number 0", "lmap x {} {}\nset number 0", "invalid command name \"lmap\""),
    // Clock crossings.
    mutant("alveo/crossings.tcl", "instances async_fifo_", "instances asynch_fifo_", "no cell passes"),
    mutant("alveo/crossings.tcl", "first_reg\\[*\\]/D", "second_reg\\[*\\]/D", "no such endpoint"),
    mutant("alveo/crossings.tcl", "{head_seen tail_seen}", "{head_seen}", "without a constraint"),
    mutant("alveo/crossings.tcl", "        set_bus_skew", "        #", "without a bus skew"),
    mutant("alveo/crossings.tcl", "word_reg\\[*\\]", "loaded_reg", "without a constraint"),
    mutant("alveo/crossings.tcl", "/PRE", "/CLR", "nothing is named"),
    mutant("alveo/crossings.tcl", "/PRE", "/D", "constrains no path"),
];

/// In the wrapper: elaborated again.
pub const WRAPPER: &[Mutant] = &[
    mutant(
        "alveo/rtl/alveo_qsfp.v",
        ".mac_rx_reset     (mac_rx_reset)",
        ".mac_rx_reset     (port_reset)",
        "without a synchroniser",
    ),
    mutant("alveo/rtl/alveo_qsfp.v", ".mac_clock        (mac_clock)", ".mac_clock        (clock)", "no such endpoint"),
    // A wire that nothing drives.
    mutant("alveo/rtl/alveo_qsfp.v", ".reset  (mac_reset)", ".reset  ()", "has no driver"),
];
