# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Alveo U50. Sites of the hard blocks: Corundum (fpga/mqnic/AU50), OpenNIC (cmac_usplus_0_au50.tcl), Coyote (block design, u50).

set part xcu50-fsvh2104-2-e
set top alveo_u50
# Lanes 0 to 15 of the slot: quads 227 to 224, GTYE4_CHANNEL_X1Y15 down to X1Y0.
set pcie {block PCIE4C_X1Y0 quad GTY_Quad_227}
# The QSFP28: quad 131.
set cmacs {
    {core CMACE4_X0Y4 lanes {X0Y28 X0Y29 X0Y30 X0Y31}}
}
