# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What crosses between the core's clock and the MACs', by the names of our modules; after synthesis, when the registers exist. Everything
# else is within one clock. Follows AMD UG903, "CDC Constraints" and "set_bus_skew". A constraint that would match nothing is an error.

proc some {what objects} {
    if {![llength $objects]} {
        error "constraint without object: no $what"
    }
    return $objects
}

# All instances of a module, however synthesis renamed their copies.
proc instances {module} {
    return [some "instance of $module" [get_cells -hierarchical -filter "REF_NAME =~ $module* || ORIG_REF_NAME =~ $module*"]]
}

# The shorter period of the clocks on both sides, given a clock pin of each, in ns.
proc shorter_period {one other} {
    set periods {}
    foreach pin [list $one $other] {
        lappend periods [get_property PERIOD [some "clock at $pin" [get_clocks -of_objects [some "pin $pin" [get_pins $pin]]]]]
    }
    return [tcl::mathfunc::min {*}$periods]
}

foreach fifo [instances async_fifo_] {
    set period [shorter_period $fifo/head_seen/first_reg\[0\]/C $fifo/tail_seen/first_reg\[0\]/C]
    # The pointers, Gray codes: no bit later than one clock, and no two further apart. Synthesis may have merged the register of the
    # highest bit with its binary one, so the sources are found from the synchroniser.
    foreach synchroniser {head_seen tail_seen} {
        set to [some "synchroniser in $fifo" [get_pins $fifo/$synchroniser/first_reg\[*\]/D]]
        set from [some "source of $fifo/$synchroniser" [all_fanin -flat -startpoints_only $to]]
        set_max_delay -datapath_only -from $from -to $to $period
        set_bus_skew -from $from -to $to $period
    }
    # A word has been in the LUT RAM for two clocks of the reader when its pointer has come across.
    set_max_delay -datapath_only \
        -from [some "RAM in $fifo" [get_cells $fifo/ram/mem_reg*]] \
        -to [some "word of $fifo" [get_cells $fifo/word_reg\[*\]]] $period
}

# Resets come at any time, and leave with the clock.
foreach hold [instances reset_hold] {
    set_false_path -to [some "preset in $hold" [get_pins $hold/seen_reg\[*\]/PRE]]
}

# The CMACs' own constraints have a clock for their reference; if not, here is one (161.1328125 MHz).
foreach port [some "reference clock of a QSFP" [get_ports qsfp*_refclk_p]] {
    if {![llength [get_clocks -quiet -of_objects $port]]} {
        create_clock -name $port -period 6.206 $port
    }
}
