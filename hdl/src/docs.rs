// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the doc comments of the blocks say, for the headers of their Verilog.

use crate::emit::Module;

include!(concat!(env!("OUT_DIR"), "/docs.rs"));

/// Longest line of a header.
const WIDTH: usize = 120;

/// The header of a module's file: what its block does, its latency and its parameters, as comments.
pub fn header(module: &Module) -> String {
    let mut header = String::from("// SPDX-License-Identifier: MIT OR Apache-2.0\n");
    for paragraph in doc(module).split("\n\n").filter(|text| !text.trim().is_empty()) {
        header += "//\n";
        // A list keeps its lines.
        for part in paragraph.replace("\n- ", "\u{0}- ").split('\u{0}') {
            wrap(&plain(&part.replace('\n', " ")), &mut header);
        }
    }
    header + "//\n"
}

/// The doc comment of the block that the module is made from; empty for a block without.
pub fn doc(module: &Module) -> &'static str {
    let path = module.block.split('<').next().unwrap_or_default();
    let found = DOCS.iter().find(|(name, _)| *name == path);
    // Types are named by where they are defined; some are known by a re-export.
    found.map_or("", |(_, doc)| doc)
}

/// Text without Markdown's links, in ASCII: of [`Self::new`](x) and [`new`] remains `new`.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        out += before;
        let Some((name, after)) = link.split_once("`]") else {
            return out + "[`" + link;
        };
        out += &format!("`{name}`");
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    (out + rest).replace('·', "*").replace('§', "section ")
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
    use rust_hdl_core::prelude::*;

    const CONFIG: Config = Preset::Ecp5.config();
    const SIZES: Sizes = Sizes::of(&CONFIG);

    #[test]
    fn every_module_of_the_core_says_what_it_does() {
        let mut core = Box::new(<crate::sized!(Millrace<SIZES>)>::new(&CONFIG));
        core.connect_all();
        let modules = crate::emit::modules(core.as_ref(), Some("millrace")).unwrap();
        for module in modules {
            assert!(doc(&module).len() > 20, "{} ({}) has no doc comment", module.name, module.block);
            let header = header(&module);
            assert!(
                header.is_ascii() && header.lines().all(|line| line.starts_with("//") && line.len() <= WIDTH),
                "{header}"
            );
        }
    }

    #[test]
    fn links_become_names() {
        assert_eq!(plain("as [`latency`](Self::latency) of [`Lookup`] says"), "as `latency` of `Lookup` says");
    }
}
