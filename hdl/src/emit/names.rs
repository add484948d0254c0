// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verilog identifiers from Rust names.

use std::collections::HashSet;

/// Identifiers of one scope, each given once.
#[derive(Clone, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// An identifier close to `wanted` that is no keyword and not taken yet, if need be with a number; it is now.
    pub fn take(&mut self, wanted: &str) -> String {
        let mut name = wanted.replace('$', "_");
        let mut number = 2;
        if is_keyword(&name) {
            name.push('_');
        }
        let free = name.clone();
        while self.0.contains(&name) {
            name = format!("{free}_{number}");
            number += 1;
        }
        self.0.insert(name.clone());
        name
    }
}

/// A type's name without the paths of modules: `a::Tcam<b::Key, 16>` is `Tcam<Key, 16>`.
pub(super) fn without_paths(rust_type: &str) -> String {
    let parts = rust_type.split_inclusive(['<', '>', ',', ' ']);
    parts.map(|part| part.rsplit("::").next().unwrap_or_default()).collect()
}

/// A type's name as an identifier: `LutFifo<Bits<40>, 3>` is `lut_fifo_bits_40_3`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut last = ' ';
    for c in name.chars() {
        let boundary = c.is_uppercase() && (last.is_lowercase() || last.is_ascii_digit());
        if (boundary || !c.is_alphanumeric()) && !snake.ends_with('_') && !snake.is_empty() {
            snake.push('_');
        }
        if c.is_alphanumeric() {
            snake.push(c.to_ascii_lowercase());
        }
        last = c;
    }
    snake.trim_end_matches('_').into()
}

fn is_keyword(name: &str) -> bool {
    KEYWORDS.binary_search(&name).is_ok()
}

/// Keywords of IEEE 1364-2005 and 1800-2017 that a Rust field may be named, sorted: SystemVerilog tools read us, too.
const KEYWORDS: &[&str] = &[
    "accept_on",
    "alias",
    "always",
    "always_comb",
    "always_ff",
    "always_latch",
    "and",
    "assert",
    "assign",
    "assume",
    "automatic",
    "before",
    "begin",
    "bind",
    "bins",
    "binsof",
    "bit",
    "break",
    "buf",
    "bufif0",
    "bufif1",
    "byte",
    "case",
    "casex",
    "casez",
    "cell",
    "chandle",
    "checker",
    "class",
    "clocking",
    "cmos",
    "config",
    "const",
    "constraint",
    "context",
    "continue",
    "cover",
    "covergroup",
    "coverpoint",
    "cross",
    "deassign",
    "default",
    "defparam",
    "design",
    "disable",
    "dist",
    "do",
    "edge",
    "else",
    "end",
    "endcase",
    "endchecker",
    "endclass",
    "endclocking",
    "endconfig",
    "endfunction",
    "endgenerate",
    "endgroup",
    "endinterface",
    "endmodule",
    "endpackage",
    "endprimitive",
    "endprogram",
    "endproperty",
    "endsequence",
    "endspecify",
    "endtable",
    "endtask",
    "enum",
    "event",
    "eventually",
    "expect",
    "export",
    "extends",
    "extern",
    "final",
    "first_match",
    "for",
    "force",
    "foreach",
    "forever",
    "fork",
    "forkjoin",
    "function",
    "generate",
    "genvar",
    "global",
    "highz0",
    "highz1",
    "if",
    "iff",
    "ifnone",
    "ignore_bins",
    "illegal_bins",
    "implements",
    "implies",
    "import",
    "incdir",
    "include",
    "initial",
    "inout",
    "input",
    "inside",
    "instance",
    "int",
    "integer",
    "interconnect",
    "interface",
    "intersect",
    "join",
    "join_any",
    "join_none",
    "large",
    "let",
    "liblist",
    "library",
    "local",
    "localparam",
    "logic",
    "longint",
    "macromodule",
    "matches",
    "medium",
    "modport",
    "module",
    "nand",
    "negedge",
    "nettype",
    "new",
    "nexttime",
    "nmos",
    "nor",
    "noshowcancelled",
    "not",
    "notif0",
    "notif1",
    "null",
    "or",
    "output",
    "package",
    "packed",
    "parameter",
    "pmos",
    "posedge",
    "primitive",
    "priority",
    "program",
    "property",
    "protected",
    "pull0",
    "pull1",
    "pulldown",
    "pullup",
    "pulsestyle_ondetect",
    "pulsestyle_onevent",
    "pure",
    "rand",
    "randc",
    "randcase",
    "randsequence",
    "rcmos",
    "real",
    "realtime",
    "ref",
    "reg",
    "reject_on",
    "release",
    "repeat",
    "restrict",
    "return",
    "rnmos",
    "rpmos",
    "rtran",
    "rtranif0",
    "rtranif1",
    "s_always",
    "s_eventually",
    "s_nexttime",
    "s_until",
    "s_until_with",
    "scalared",
    "sequence",
    "shortint",
    "shortreal",
    "showcancelled",
    "signed",
    "small",
    "soft",
    "solve",
    "specify",
    "specparam",
    "static",
    "string",
    "strong",
    "strong0",
    "strong1",
    "struct",
    "super",
    "supply0",
    "supply1",
    "sync_accept_on",
    "sync_reject_on",
    "table",
    "tagged",
    "task",
    "this",
    "throughout",
    "time",
    "timeprecision",
    "timeunit",
    "tran",
    "tranif0",
    "tranif1",
    "tri",
    "tri0",
    "tri1",
    "triand",
    "trior",
    "trireg",
    "type",
    "typedef",
    "union",
    "unique",
    "unique0",
    "unsigned",
    "until",
    "until_with",
    "untyped",
    "use",
    "uwire",
    "var",
    "vectored",
    "virtual",
    "void",
    "wait",
    "wait_order",
    "wand",
    "weak",
    "weak0",
    "weak1",
    "while",
    "wildcard",
    "wire",
    "with",
    "within",
    "wor",
    "xnor",
    "xor",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_for_the_search() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn a_taken_name_gets_a_number_and_a_keyword_an_underscore() {
        let mut names = Names::default();
        assert_eq!(names.take("inp$data"), "inp_data");
        assert_eq!(names.take("inp_data"), "inp_data_2");
        assert_eq!(names.take("inp$data"), "inp_data_3");
        assert_eq!(names.take("table"), "table_");
    }

    #[test]
    fn types_become_identifiers() {
        assert_eq!(without_paths("a::b::Tcam<c::Key, d::E<3>>"), "Tcam<Key, E<3>>");
        assert_eq!(snake_case("LutFifo<Beat<512, 7>, 9>"), "lut_fifo_beat_512_7_9");
        assert_eq!(snake_case("AXILite"), "axilite");
        assert_eq!(snake_case("Key5Tuple"), "key5_tuple");
    }
}
