# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Alveo U250. Sites of the hard blocks: Corundum (fpga/mqnic/AU250), OpenNIC (cmac_usplus_0_au250.tcl), AMD's XDMA example (xcu250.xdc).

set part xcu250-figd2104-2-e
set top alveo_u250
# Lanes 0 to 15 of the slot: quads 227 to 224, GTYE4_CHANNEL_X1Y31 down to X1Y16.
set pcie {block X0Y1 quad GTY_Quad_227}
# QSFP28 0 and 1: quads 231 and 230.
set cmacs {
    {core CMACE4_X0Y8 lanes {X1Y44 X1Y45 X1Y46 X1Y47}}
    {core CMACE4_X0Y7 lanes {X1Y40 X1Y41 X1Y42 X1Y43}}
}
