# SPDX-License-Identifier: MIT OR Apache-2.0
#
# A bitstream for an Alveo card, without a project:
#
#   vivado -mode batch -source constraints/alveo/build.tcl -tclargs BOARD RTL OUT
#
# BOARD is alveo-u50 or alveo-u250, RTL the folder that `cargo xtask verilog --preset alveo --board BOARD --out RTL` wrote, OUT a folder for
# everything that comes out of it. Fails if a path is too slow. Tcl 8.5, for Vivado's sake.

if {$argc != 3} {
    error "usage: vivado -mode batch -source build.tcl -tclargs BOARD RTL OUT"
}
lassign $argv board rtl out
set here [file dirname [file normalize [info script]]]
set boards [lsort [glob -tails -directory [file dirname $here] -type d alveo-*]]
if {$board ni $boards} {
    error "unknown board `$board': the boards are [join $boards {, }]"
}
set card [file join [file dirname $here] $board]
set list [file join $rtl millrace.f]
if {![file isfile $list]} {
    error "no $list: write it with `cargo xtask verilog --preset alveo --board $board --out $rtl'"
}
file mkdir $out

# The card: part, top, pcie, cmacs.
source [file join $card board.tcl]
source [file join $here ip.tcl]

# What is read, made and built.
create_project -in_memory -part $part
set_property target_language Verilog [current_project]
set channel [open $list]
foreach name [split [string trim [read $channel]] \n] {
    read_verilog [file join $rtl $name]
}
close $channel
read_verilog [lsort [glob -directory [file join $here rtl] *.v]]
read_verilog [file join $card $top.v]
read_xdc [file join $card board.xdc]
make_xdma $pcie [file join $out ip]
set number 0
foreach cmac $cmacs {
    make_cmac cmac_usplus_$number $cmac [file join $out ip]
    incr number
}

synth_design -top $top -part $part
# The registers between clocks exist, by their names, from here on.
source [file join $here crossings.tcl]
write_checkpoint -force [file join $out synthesised.dcp]
report_utilization -hierarchical -file [file join $out utilization_synthesised.rpt]

opt_design -directive Explore
place_design -directive ExtraTimingOpt
phys_opt_design -directive AggressiveExplore
route_design -directive AggressiveExplore
phys_opt_design -directive AggressiveExplore
write_checkpoint -force [file join $out routed.dcp]

report_utilization -hierarchical -file [file join $out utilization.rpt]
report_timing_summary -max_paths 20 -report_unconstrained -file [file join $out timing.rpt]
report_bus_skew -file [file join $out bus_skew.rpt]
report_cdc -details -file [file join $out cdc.rpt]
report_drc -file [file join $out drc.rpt]

# Setup and hold of the slowest path, and what the bits of a Gray code may be apart.
foreach check {setup hold} {
    set path [get_timing_paths -$check -max_paths 1 -nworst 1]
    if {[llength $path] != 1} {
        error "no path has a $check check: clocks are missing"
    }
    set slack [get_property SLACK $path]
    puts "$check slack: $slack ns"
    if {$slack < 0} {
        error "timing is not met: the worst path misses its $check time by [expr {-$slack}] ns (timing.rpt)"
    }
}
if {[string match *VIOLATED* [report_bus_skew -return_string]]} {
    error "bits of a pointer between clocks are too far apart (bus_skew.rpt)"
}

write_bitstream -force [file join $out $top.bit]
puts "bitstream: [file join $out $top.bit]"
