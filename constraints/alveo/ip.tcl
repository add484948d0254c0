# SPDX-License-Identifier: MIT OR Apache-2.0
#
# AMD's IP blocks. Names of properties as in AMD PG195 (XDMA 4.1) and PG203 (CMAC 3.1) and public build scripts (OpenNIC, Corundum, Coyote).

# An IP block `module` of kind `name` with these properties, synthesised by itself.
proc make_ip {name module properties folder} {
    file mkdir $folder
    create_ip -name $name -vendor xilinx.com -library ip -module_name $module -dir $folder -force
    set ip [get_ips $module]
    set_property -dict $properties $ip
    # A value that the IP does not know is replaced in silence.
    dict for {property value} $properties {
        set is [get_property $property $ip]
        if {![string equal -nocase $is $value] && !([string is double -strict $is] && [string is double -strict $value] && $is == $value)} {
            error "$module: $property is $is, not $value"
        }
    }
    generate_target all $ip
    synth_ip $ip
}

# PCIe Gen3 x16 with a 512-bit stream each way at 250 MHz, and BAR 0 of 64 KiB as an AXI4-Lite master. `pcie`: `block` and `quad` of lane 0.
proc make_xdma {pcie folder} {
    make_ip xdma xdma_0 [dict create \
        CONFIG.functional_mode DMA \
        CONFIG.mode_selection Advanced \
        CONFIG.pcie_blk_locn [dict get $pcie block] \
        CONFIG.en_gt_selection true \
        CONFIG.select_quad [dict get $pcie quad] \
        CONFIG.ref_clk_freq 100_MHz \
        CONFIG.pl_link_cap_max_link_speed 8.0_GT/s \
        CONFIG.pl_link_cap_max_link_width X16 \
        CONFIG.axi_data_width 512_bit \
        CONFIG.axisten_freq 250 \
        CONFIG.xdma_axi_intf_mm AXI_Stream \
        CONFIG.xdma_rnum_chnl 1 \
        CONFIG.xdma_wnum_chnl 1 \
        CONFIG.xdma_num_usr_irq 1 \
        CONFIG.axilite_master_en true \
        CONFIG.axilite_master_scale Kilobytes \
        CONFIG.axilite_master_size 64 \
        CONFIG.pciebar2axibar_axil_master 0x00000000 \
        CONFIG.cfg_mgmt_if false \
    ] $folder
}

# 100GBASE-R4 with RS-FEC from a reference clock of 161.1328125 MHz. Frames of up to 9,600 bytes come through: the core counts what is too
# long for it. FCS is added and removed, which is what the IP does unless told otherwise. `cmac`: `core`, and `lanes` by their transceivers.
proc make_cmac {module cmac folder} {
    set lanes [dict get $cmac lanes]
    set properties [dict create \
        CONFIG.CMAC_CAUI4_MODE 1 \
        CONFIG.NUM_LANES 4x25 \
        CONFIG.GT_REF_CLK_FREQ 161.1328125 \
        CONFIG.USER_INTERFACE AXIS \
        CONFIG.GT_DRP_CLK 100.00 \
        CONFIG.TX_FLOW_CONTROL 0 \
        CONFIG.RX_FLOW_CONTROL 0 \
        CONFIG.INCLUDE_RS_FEC 1 \
        CONFIG.ENABLE_PIPELINE_REG 1 \
        CONFIG.RX_MIN_PACKET_LEN 64 \
        CONFIG.RX_MAX_PACKET_LEN 9600 \
        CONFIG.CMAC_CORE_SELECT [dict get $cmac core] \
        CONFIG.GT_GROUP_SELECT [lindex $lanes 0]~[lindex $lanes 3] \
    ]
    foreach lane {1 2 3 4} {
        dict set properties CONFIG.LANE${lane}_GT_LOC [lindex $lanes $lane-1]
    }
    make_ip cmac_usplus $module $properties $folder
}
