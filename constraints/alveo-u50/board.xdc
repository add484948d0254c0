# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Pins and clocks of the Alveo U50. Pin facts: Corundum (fpga/mqnic/AU50/fpga_100g/fpga.xdc) and Taxi (src/cndm/board/Alveo/fpga/fpga_au50.xdc), both
# from AMD's board file; OpenNIC (constr/au50/pins.xdc) agrees where it names a pin.
#
# The lanes of PCIe and QSFP have no pins here: they follow from the quads in board.tcl.

# Configuration from QSPI flash.
set_property CFGBVS GND [current_design]
set_property CONFIG_VOLTAGE 1.8 [current_design]
set_property CONFIG_MODE SPIx4 [current_design]
set_property BITSTREAM.CONFIG.CONFIGFALLBACK ENABLE [current_design]
set_property BITSTREAM.CONFIG.CONFIGRATE 85.0 [current_design]
set_property BITSTREAM.CONFIG.EXTMASTERCCLK_EN DISABLE [current_design]
set_property BITSTREAM.CONFIG.OVERTEMPSHUTDOWN ENABLE [current_design]
set_property BITSTREAM.CONFIG.SPI_32BIT_ADDR YES [current_design]
set_property BITSTREAM.CONFIG.SPI_BUSWIDTH 4 [current_design]
set_property BITSTREAM.CONFIG.SPI_FALL_EDGE YES [current_design]
set_property BITSTREAM.CONFIG.UNUSEDPIN PULLUP [current_design]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]

# Of the card's 75 W, what the FPGA may take.
set_operating_conditions -design_power_budget 63

# 100 MHz from the SI5394.
set_property -dict {PACKAGE_PIN G17 IOSTANDARD LVDS} [get_ports clk_100mhz_p]
set_property -dict {PACKAGE_PIN G16 IOSTANDARD LVDS} [get_ports clk_100mhz_n]
create_clock -name clk_100mhz -period 10.000 [get_ports clk_100mhz_p]

# PCIe: reference clock of x16 (quad 225), reset.
set_property PACKAGE_PIN AF9 [get_ports pcie_refclk_p]
set_property PACKAGE_PIN AF8 [get_ports pcie_refclk_n]
create_clock -name pcie_refclk -period 10.000 [get_ports pcie_refclk_p]
set_property -dict {PACKAGE_PIN AW27 IOSTANDARD LVCMOS18 PULLUP true} [get_ports pcie_reset_n]
set_false_path -from [get_ports pcie_reset_n]

# QSFP28: 161.1328125 MHz from the SI5394 (quad 131); its clock is in the CMAC's own constraints.
set_property PACKAGE_PIN N36 [get_ports qsfp_refclk_p]
set_property PACKAGE_PIN N37 [get_ports qsfp_refclk_n]

# Lamps of the cage.
set_property -dict {PACKAGE_PIN E16 IOSTANDARD LVCMOS18 SLEW SLOW DRIVE 8} [get_ports qsfp_led_stat_g]
set_property -dict {PACKAGE_PIN F17 IOSTANDARD LVCMOS18 SLEW SLOW DRIVE 8} [get_ports qsfp_led_stat_y]
set_false_path -to [get_ports qsfp_led_stat_*]

# HBM over temperature, driven low: floating, it would cut the card's power.
set_property -dict {PACKAGE_PIN J18 IOSTANDARD LVCMOS18 PULLDOWN true} [get_ports hbm_cattrip]
set_false_path -to [get_ports hbm_cattrip]
