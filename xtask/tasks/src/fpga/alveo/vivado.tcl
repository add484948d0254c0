# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Stands in for Vivado where there is none: the commands that the build scripts and constraints use, with the options and values that AMD
# documents for them (UG835 commands, UG912 properties, PG195 and PG203 IP), over a netlist that was elaborated elsewhere. An
# unknown option, value, file or object, and a step out of order, is an error. What the scripts ask for is written down, to be judged.
#
#   tclsh vivado.tcl NETLIST RECORD SCRIPT ARGUMENT…
#
# NETLIST sets, in the namespace `design', the arrays `port` (bit of a port → direction), `cell` (→ module), `pin` (→ cell), `pins_of` (cell → its pins), `fanin` (pin → its startpoints), `clock_at`
# (pin → clock), `period` (clock → ns), and `top`, `ip_modules`, `ip_clock_ports`, `slack`, `skew`.

namespace eval vivado {
    variable step start
    variable project_part {}
    variable constraints {}
    variable ips [dict create]
    variable record

    # Steps of a build, in their order.
    variable order {start project synth opt place route}

    proc note {args} {
        variable record
        puts $record [join $args \t]
    }

    proc at_least {needed} {
        variable step
        variable order
        if {[lsearch $order $step] < [lsearch $order $needed]} {
            error "needs the step `$needed' before it; the build is at `$step'"
        }
    }

    proc go {from to} {
        variable step
        if {$step ni $from} {
            error "comes after `[join $from {' or `}]'; the build is at `$step'"
        }
        set step $to
    }

    # A command: options without and with a value, number of words, and a body that sees them as `option` and `words`.
    proc command {name flags valued least most body} {
        proc ::$name {args} [format {
            set ::vivado::option [dict create]
            set ::vivado::words {}
            while {[llength $args]} {
                set args [lassign $args word]
                if {![regexp {^-[a-z_]+$} $word]} {
                    lappend ::vivado::words $word
                } elseif {$word in {%2$s}} {
                    dict set ::vivado::option $word 1
                } elseif {$word in {%3$s}} {
                    if {![llength $args]} { error "%1$s: $word has no value" }
                    set args [lassign $args value]
                    dict set ::vivado::option $word $value
                } else {
                    error "%1$s: unknown option $word"
                }
            }
            set count [llength $::vivado::words]
            if {$count < %4$d || $count > %5$d} {
                error "%1$s: $count arguments, %4$d to %5$d are right: $::vivado::words"
            }
            ::vivado::try {
                return [namespace eval ::vivado [list apply {{option words} {%6$s} ::vivado} $::vivado::option $::vivado::words]]
            } on error {what} {
                return -code error "%1$s: $what"
            }
        } $name $flags $valued $least $most $body]
    }

    proc given {option name {otherwise {}}} {
        return [expr {[dict exists $option $name] ? [dict get $option $name] : $otherwise}]
    }

    proc legal {what value values} {
        if {$value ni $values} {
            error "$what `$value': one of [join $values {, }]"
        }
    }

    proc file_there {path} {
        if {![file isfile $path]} {
            error "no file $path"
        }
    }

    # Brackets in Vivado's patterns are brackets.
    proc glob_of {pattern} {
        return [string map {\[ \\\[ \] \\\] \\ \\\\} $pattern]
    }

    # Names of `array` that a pattern of the list matches; a bus by its name is all its bits.
    proc find {array patterns option} {
        at_least synth
        set found {}
        foreach pattern $patterns {
            set glob [glob_of $pattern]
            set hits [list {*}[array names ::design::$array $glob] {*}[array names ::design::$array "$glob\\\[*\\\]"]]
            if {![llength $hits] && ![dict exists $option -quiet]} {
                error "nothing is named $pattern"
            }
            lappend found {*}$hits
        }
        return [lsort -unique -dictionary $found]
    }

    # A filter of comparisons joined by `||`.
    proc passes {name filter} {
        foreach comparison [split [string map {|| \n} $filter] \n] {
            if {![regexp {^\s*(\w+)\s*(=~|==)\s*(\S+)\s*$} $comparison all property operator value]} {
                error "filter not understood: $comparison"
            }
            legal "property in a filter" $property {REF_NAME ORIG_REF_NAME NAME}
            set is [expr {$property eq "NAME" ? $name : $::design::cell($name)}]
            if {$operator eq "==" ? $is eq $value : [string match [glob_of $value] $is]} {
                return 1
            }
        }
        return 0
    }

    # Pins and ports, given as such or by cells: every pin of the cell.
    proc path_points {objects} {
        set points {}
        foreach object $objects {
            if {[info exists ::design::pin($object)] || [info exists ::design::port($object)]} {
                lappend points $object
            } elseif {[info exists ::design::pins_of($object)]} {
                lappend points {*}$::design::pins_of($object)
            } else {
                error "no such start or end of a path: $object"
            }
        }
        return [lsort -unique $points]
    }

    proc exception {kind option words} {
        at_least synth
        set from [path_points [given $option -from]]
        set to [path_points [given $option -to]]
        if {![llength $from] && ![llength $to]} {
            error "neither -from nor -to has an object"
        }
        if {[llength $words] == 1 && (![string is double -strict [lindex $words 0]] || [lindex $words 0] <= 0)} {
            error "`[lindex $words 0]' is no time in ns"
        }
        note $kind $from $to [lindex $words 0]
    }

    proc directive {option known} {
        if {[dict exists $option -directive]} {
            legal -directive [dict get $option -directive] $known
        }
    }

    # ---- Properties ----

    # Of ports: legal values, or a pattern for them.
    variable port_properties {
        PACKAGE_PIN {^[A-Z]{1,2}[0-9]{1,2}$}
        IOSTANDARD {^(LVCMOS12|LVCMOS18|LVDS|DIFF_SSTL12)$}
        PULLUP {^(true|TRUE)$} PULLDOWN {^(true|TRUE)$}
        SLEW {^(SLOW|MEDIUM|FAST)$} DRIVE {^(2|4|6|8|12)$}
    }
    # UG908, "Device Configuration Bitstream Settings"; UltraScale+.
    variable design_properties {
        CFGBVS {^GND$} CONFIG_VOLTAGE {^1.8$} CONFIG_MODE {^SPIx[1248]$}
        BITSTREAM.CONFIG.CONFIGFALLBACK {^(ENABLE|DISABLE)$}
        BITSTREAM.CONFIG.CONFIGRATE {^(2.7|5.3|8.0|10.6|21.3|31.9|36.4|51.0|56.7|63.8|72.9|85.0|102.0|127.5|170.0)$}
        BITSTREAM.CONFIG.EXTMASTERCCLK_EN {^(DISABLE|DIV-1|DIV-2|DIV-4|DIV-8)$}
        BITSTREAM.CONFIG.OVERTEMPSHUTDOWN {^(ENABLE|DISABLE)$}
        BITSTREAM.CONFIG.SPI_32BIT_ADDR {^(YES|NO)$} BITSTREAM.CONFIG.SPI_BUSWIDTH {^(NONE|1|2|4|8)$}
        BITSTREAM.CONFIG.SPI_FALL_EDGE {^(YES|NO)$} BITSTREAM.CONFIG.UNUSEDPIN {^(PULLUP|PULLDOWN|PULLNONE)$}
        BITSTREAM.GENERAL.COMPRESS {^(TRUE|FALSE)$}
    }
    variable ip_properties [dict create xdma {
        functional_mode {^(DMA|AXI_Bridge)$} mode_selection {^(Basic|Advanced)$}
        pcie_blk_locn {^(PCIE4C?_)?X[0-9]Y[0-9]$} en_gt_selection {^(true|false)$} select_quad {^GT[HY]_Quad_[0-9]+$}
        ref_clk_freq {^(100|125|250)_MHz$} pl_link_cap_max_link_speed {^(2.5|5.0|8.0|16.0)_GT/s$}
        pl_link_cap_max_link_width {^X(1|2|4|8|16)$} axi_data_width {^(64|128|256|512)_bit$} axisten_freq {^(62.5|125|250)$}
        xdma_axi_intf_mm {^AXI_(Stream|Memory_Mapped)$} xdma_rnum_chnl {^[1-4]$} xdma_wnum_chnl {^[1-4]$}
        xdma_num_usr_irq {^([1-9]|1[0-6])$} axilite_master_en {^(true|false)$}
        axilite_master_scale {^(Kilobytes|Megabytes|Gigabytes)$} axilite_master_size {^(1|2|4|8|16|32|64|128|256|512)$}
        pciebar2axibar_axil_master {^0x[0-9A-F]{8,16}$} cfg_mgmt_if {^(true|false)$}
    } cmac_usplus {
        CMAC_CAUI4_MODE {^[01]$} NUM_LANES {^(4x25|10x10)$} GT_REF_CLK_FREQ {^(125|156.25|161.1328125|195.3125|201.4160156|257.8125|312.5|322.265625)$}
        USER_INTERFACE {^(AXIS|LBUS)$} GT_DRP_CLK {^[0-9]+(\.[0-9]+)?$} TX_FLOW_CONTROL {^[01]$} RX_FLOW_CONTROL {^[01]$}
        INCLUDE_RS_FEC {^[01]$} ENABLE_PIPELINE_REG {^[01]$} RX_MIN_PACKET_LEN {^(6[4-9]|[7-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-6])$}
        RX_MAX_PACKET_LEN {^([1-8]?[0-9]{3}|9[0-5][0-9]{2}|9600)$} CMAC_CORE_SELECT {^CMACE4_X[0-9]+Y[0-9]+$}
        GT_GROUP_SELECT {^X[0-9]+Y[0-9]+~X[0-9]+Y[0-9]+$} LANE1_GT_LOC {^X[0-9]+Y[0-9]+$} LANE2_GT_LOC {^X[0-9]+Y[0-9]+$}
        LANE3_GT_LOC {^X[0-9]+Y[0-9]+$} LANE4_GT_LOC {^X[0-9]+Y[0-9]+$}
    }]

    proc check_property {what known name value} {
        if {![dict exists $known $name]} {
            error "$what has no property $name"
        }
        if {![regexp -- [dict get $known $name] $value]} {
            error "$what: $name cannot be $value"
        }
    }

    proc set_one {object name value} {
        variable ips
        if {$object eq "design"} {
            variable design_properties
            check_property "the design" $design_properties $name $value
            note design $name $value
        } elseif {$object eq "project"} {
            check_property "the project" {target_language {^(Verilog|VHDL)$}} $name $value
        } elseif {[dict exists $ips $object]} {
            variable ip_properties
            if {![regexp {^CONFIG\.(\w+)$} $name all bare]} {
                error "$object has no property $name (CONFIG.… is right)"
            }
            check_property $object [dict get $ip_properties [dict get $ips $object kind]] $bare $value
            dict set ips $object $name $value
            note ip $object $bare $value
        } elseif {[info exists ::design::port($object)]} {
            variable port_properties
            check_property $object $port_properties $name $value
            note port $object $name $value
        } else {
            error "no such object: $object"
        }
    }

    # ---- Commands ----

    command create_project {-in_memory -force} {-part} 0 2 {
        go start project
        variable project_part
        if {![regexp {^xcu[0-9a-z]+-[a-z]+[0-9]+-[123]L?V?-[ei]$} [given $option -part]]} {
            error "-part `[given $option -part]' is no UltraScale+ Alveo part"
        }
        set project_part [given $option -part]
    }
    command current_project {-quiet} {} 0 0 { at_least project; return project }
    command current_design {-quiet} {} 0 0 { at_least synth; return design }
    command read_verilog {-sv -quiet} {} 1 1 {
        at_least project
        foreach path [lindex $words 0] {
            file_there $path
            note verilog [file normalize $path]
        }
    }
    command read_xdc {-unmanaged -quiet} {-ref -cells -mode} 1 1 {
        at_least project
        variable constraints
        foreach path [lindex $words 0] {
            file_there $path
            lappend constraints [file normalize $path]
        }
    }
    command create_ip {-force -quiet} {-name -vendor -library -version -module_name -dir -vlnv} 0 0 {
        at_least project
        variable ips
        variable ip_properties
        legal -name [given $option -name] [dict keys $ip_properties]
        legal -vendor [given $option -vendor] xilinx.com
        legal -library [given $option -library] ip
        if {[dict exists $option -dir] && ![file isdirectory [dict get $option -dir]]} {
            error "no folder [dict get $option -dir]"
        }
        if {[dict exists $ips [given $option -module_name]]} {
            error "there is an IP named [given $option -module_name]"
        }
        dict set ips [given $option -module_name] [dict create kind [given $option -name] state made]
    }
    command get_ips {-quiet -all} {-filter} 1 1 {
        variable ips
        if {![dict exists $ips [lindex $words 0]]} {
            error "no IP [lindex $words 0]"
        }
        return [lindex $words 0]
    }
    command generate_target {-force -quiet} {} 2 2 {
        variable ips
        legal "target" [lindex $words 0] {all synthesis instantiation_template simulation}
        dict set ips [lindex $words 1] state generated
    }
    command synth_ip {-force -quiet} {} 1 1 {
        variable ips
        if {[dict get $ips [lindex $words 0] state] ne "generated"} {
            error "[lindex $words 0] has not been generated"
        }
        dict set ips [lindex $words 0] state synthesised
    }
    command set_property {-quiet} {-dict} 1 3 {
        set object [lindex $words end]
        if {![llength $object]} { error "no object" }
        if {[dict exists $option -dict]} {
            if {[llength $words] != 1} { error "-dict takes the objects and nothing else" }
            set pairs [dict get $option -dict]
        } else {
            if {[llength $words] != 3} { error "a name, a value and objects are right" }
            set pairs [lrange $words 0 1]
        }
        foreach one $object {
            foreach {name value} $pairs { set_one $one $name $value }
        }
    }
    command get_property {-quiet -min -max} {} 2 2 {
        variable ips
        lassign $words name object
        if {[dict exists $ips $object $name]} { return [dict get $ips $object $name] }
        if {$name eq "PERIOD" && [info exists ::design::period($object)]} { return $::design::period($object) }
        if {$name eq "SLACK" && $object in {setup_path hold_path}} { return $::design::slack }
        error "$object has no property $name"
    }
    command synth_design {-quiet} {-top -part -flatten_hierarchy -directive -mode -generic -verilog_define} 0 0 {
        go project synth
        variable project_part
        variable constraints
        variable ips
        if {[given $option -top] ne $::design::top} { error "the top is $::design::top, not [given $option -top]" }
        if {[given $option -part] ne $project_part} { error "the project's part is $project_part, not [given $option -part]" }
        foreach module $::design::ip_modules {
            if {![dict exists $ips $module]} { error "the design uses $module, which no create_ip makes" }
            if {[dict get $ips $module state] ne "synthesised"} { error "$module has not been synthesised" }
        }
        foreach made [dict keys $ips] {
            if {$made ni $::design::ip_modules} { error "nothing uses the IP $made" }
        }
        note part $project_part
        foreach clock_port $::design::ip_clock_ports {
            set ::design::clock_at($clock_port) $clock_port
            set ::design::period($clock_port) 6.206
        }
        foreach path $constraints { read_constraints $path }
    }

    # XDC is less than Tcl (UG903, "XDC Constraints"): no loops, no conditions.
    proc read_constraints {path} {
        set xdc [interp create]
        foreach name [interp eval $xdc {info commands}] {
            if {$name ni {set list rename}} { interp eval $xdc [list rename $name {}] }
        }
        interp eval $xdc {rename rename {}}
        foreach name {set_property create_clock set_false_path set_max_delay set_bus_skew set_operating_conditions
            get_ports get_pins get_cells get_clocks current_design} {
            interp alias $xdc $name {} $name
        }
        set channel [open $path]
        set text [read $channel]
        close $channel
        set line 1
        set statement {}
        set first 1
        foreach part [split $text \n] {
            append statement $part \n
            if {[info complete $statement]} {
                if {[catch {interp eval $xdc $statement} what]} {
                    error "[file tail $path]:$first: $what"
                }
                set statement {}
                set first [expr {$line + 1}]
            }
            incr line
        }
        if {$statement ne {}} { error "[file tail $path]:$first: the statement does not end" }
        interp delete $xdc
    }

    command get_ports {-quiet} {-filter} 1 1 { return [find port [lindex $words 0] $option] }
    command get_pins {-quiet -hierarchical} {-filter -of_objects} 1 1 { return [find pin [lindex $words 0] $option] }
    command get_cells {-quiet -hierarchical} {-filter} 0 1 {
        set patterns [expr {[llength $words] ? [lindex $words 0] : "*"}]
        set cells [find cell $patterns $option]
        if {![dict exists $option -filter]} { return $cells }
        set cells [lmap name $cells { if {![passes $name [dict get $option -filter]]} continue; set name }]
        if {![llength $cells] && ![dict exists $option -quiet]} { error "no cell passes [dict get $option -filter]" }
        return $cells
    }
    command get_clocks {-quiet} {-of_objects} 0 1 {
        at_least synth
        if {![dict exists $option -of_objects]} { return [find period [lindex $words 0] $option] }
        set clocks {}
        foreach object [dict get $option -of_objects] {
            if {[info exists ::design::clock_at($object)]} { lappend clocks $::design::clock_at($object) }
        }
        if {![llength $clocks] && ![dict exists $option -quiet]} { error "no clock at [dict get $option -of_objects]" }
        return [lsort -unique $clocks]
    }
    command all_fanin {-flat -startpoints_only -only_cells -quiet} {-levels -to} 1 1 {
        at_least synth
        foreach needed {-flat -startpoints_only} {
            if {![dict exists $option $needed]} { error "this stand-in only knows all_fanin with $needed" }
        }
        set starts {}
        foreach pin [lindex $words 0] {
            if {![info exists ::design::fanin($pin)]} { error "no such endpoint: $pin" }
            lappend starts {*}$::design::fanin($pin)
        }
        return [lsort -unique -dictionary $starts]
    }
    command create_clock {-add -quiet} {-name -period -waveform} 1 1 {
        at_least synth
        set period [given $option -period]
        if {![string is double -strict $period] || $period <= 0} { error "-period `$period' is no time in ns" }
        if {![llength [lindex $words 0]]} { error "no object" }
        set name [given $option -name [lindex $words 0 0]]
        foreach object [lindex $words 0] {
            if {![info exists ::design::port($object)]} { error "no such port: $object" }
            if {[info exists ::design::clock_at($object)]} { error "$object has the clock $::design::clock_at($object)" }
            set ::design::clock_at($object) $name
            note clock $object $period
        }
        set ::design::period($name) $period
    }
    command set_false_path {-quiet -setup -hold} {-from -to -through} 0 0 { exception false_path $option $words }
    command set_max_delay {-quiet -datapath_only} {-from -to -through} 1 1 {
        if {[dict exists $option -datapath_only] && ![llength [given $option -from]]} { error "-datapath_only needs -from" }
        exception max_delay $option $words
    }
    command set_bus_skew {-quiet} {-from -to -through} 1 1 {
        foreach needed {-from -to} {
            if {![llength [given $option $needed]]} { error "needs $needed" }
        }
        exception bus_skew $option $words
    }
    command set_operating_conditions {-quiet} {-design_power_budget -ambient_temp -airflow -heatsink} 0 0 {
        if {![string is double -strict [given $option -design_power_budget 1]]} { error "the budget is in W" }
    }

    command opt_design {-quiet} {-directive} 0 0 {
        directive $option {Explore ExploreArea ExploreWithRemap ExploreSequentialArea AddRemap NoBramPowerOpt RuntimeOptimized Default}
        go synth opt
    }
    command place_design {-quiet} {-directive} 0 0 {
        directive $option {Default Explore WLDrivenBlockPlacement EarlyBlockPlacement ExtraNetDelay_high ExtraNetDelay_low AltSpreadLogic_high
            AltSpreadLogic_medium AltSpreadLogic_low ExtraPostPlacementOpt ExtraTimingOpt SSI_SpreadLogic_high SSI_SpreadLogic_low
            SSI_SpreadSLLs SSI_BalanceSLLs SSI_BalanceSLRs SSI_HighUtilSLRs RuntimeOptimized Quick Auto_1 Auto_2 Auto_3}
        go opt place
    }
    command phys_opt_design {-quiet} {-directive} 0 0 {
        directive $option {Default Explore ExploreWithHoldFix ExploreWithAggressiveHoldFix AggressiveExplore AlternateReplication
            AggressiveFanoutOpt AddRetime AlternateFlowWithRetiming RuntimeOptimized RQS}
        at_least place
    }
    command route_design {-quiet} {-directive} 0 0 {
        directive $option {Default Explore AggressiveExplore NoTimingRelaxation MoreGlobalIterations HigherDelayCost RuntimeOptimized
            AlternateCLBRouting Quick}
        go place route
    }
    proc written {path} {
        if {![file isdirectory [file dirname $path]]} { error "no folder for $path" }
    }
    command write_checkpoint {-force -quiet} {} 1 1 { at_least synth; written [lindex $words 0] }
    command write_bitstream {-force -quiet -bin_file} {} 1 1 { at_least route; written [lindex $words 0]; note bitstream [lindex $words 0] }
    command report_utilization {-hierarchical -quiet} {-file} 0 0 { at_least synth; written [given $option -file] }
    command report_timing_summary {-report_unconstrained -quiet} {-max_paths -nworst -file} 0 0 { at_least route; written [given $option -file] }
    command report_cdc {-details -quiet} {-file} 0 0 { at_least route; written [given $option -file] }
    command report_drc {-quiet} {-file} 0 0 { at_least route; written [given $option -file] }
    command report_bus_skew {-return_string -quiet} {-file} 0 0 {
        at_least route
        if {[dict exists $option -return_string]} { return "Slack ($::design::skew)" }
        written [given $option -file]
    }
    command get_timing_paths {-setup -hold -quiet} {-max_paths -nworst} 0 0 {
        at_least route
        return [expr {[dict exists $option -hold] ? "hold_path" : "setup_path"}]
    }
}

# Vivado's Tcl may be 8.5: what came later is for this file alone.
rename ::lmap ::vivado::lmap
rename ::try ::vivado::try

lassign $argv netlist record script
set argv [lrange $argv 3 end]
set argc [llength $argv]
source $netlist
set vivado::record [open $record w]
if {[catch {source $script} what]} {
    puts stderr $what
    exit 1
}
vivado::note step $vivado::step
close $vivado::record
