// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the doc comments of the blocks say, for the headers of their Verilog.

use crate::emit::{Module, plain};

/// Longest line of a header.
const WIDTH: usize = 120;

/// The header of a module's file: what its block does, its latency and its parameters, as comments.
pub fn header(module: &Module) -> String {
    let mut header = String::from("// SPDX-License-Identifier: MIT OR Apache-2.0\n");
    for paragraph in module.doc.split("\n\n").filter(|text| !text.trim().is_empty()) {
        header += "//\n";
        // A list keeps its lines.
        for part in paragraph.replace("\n- ", "\u{0}- ").split('\u{0}') {
            wrap(&plain(&part.replace('\n', " ")), &mut header);
        }
    }
    header + "//\n"
}

fn wrap(text: &str, out: &mut String) {
    let mut line = String::from("//");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            *out += &line;
            out.push('\n');
            line = String::from("//");
        }
        line.push(' ');
        line += word;
    }
    *out += &line;
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::millrace::Millrace;
    use crate::core::sizes::Sizes;
    use millrace_regs::config::{Config, Preset};

    const CONFIG: Config = Preset::Ecp5.config();
    const SIZES: Sizes = Sizes::of(&CONFIG);

    #[test]
    fn every_module_of_the_core_says_what_it_does() {
        let core = Box::new(<crate::sized!(Millrace<SIZES>)>::new(&CONFIG));
        let modules = crate::emit::modules(core.as_ref(), Some("millrace")).unwrap();
        for module in modules {
            assert!(module.doc.len() > 20, "{} ({}) has no doc comment", module.name, module.block);
            let header = header(&module);
            assert!(
                header.is_ascii() && header.lines().all(|line| line.starts_with("//") && line.len() <= WIDTH),
                "{header}"
            );
        }
    }
}
