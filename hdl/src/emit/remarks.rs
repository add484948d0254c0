// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the doc comments of a block say of its fields, for remarks at their declarations.

use super::tree::Node;
use std::collections::BTreeMap;

/// The remarks that are not yet made, by the field.
pub(super) struct Remarks<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Remarks<'a> {
    pub fn of(node: &'a Node) -> Self {
        Remarks(node.field_docs.iter().map(|(field, doc)| (field.as_str(), doc.as_str())).collect())
    }

    /// That of the field which a signal or child (`inp$data`, `cell$3`) is of, at its first one; else empty.
    pub fn take(&mut self, path: &str) -> String {
        let field = path.split('$').next().unwrap_or_default();
        self.0.remove(field).map(plain).unwrap_or_default()
    }
}

/// Text without Markdown's links, in ASCII: of [`Self::new`](x) and [`new`] remains `new`.
pub(crate) fn plain(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fifo;
    use crate::emit::tree::collect;
    use rust_hdl_core::prelude::Bits;

    #[test]
    fn links_become_names() {
        assert_eq!(plain("as [`latency`](Self::latency) of [`Lookup`] says"), "as `latency` of `Lookup` says");
    }

    #[test]
    fn a_field_is_remarked_on_once() {
        let node = collect(&Fifo::<Bits<8>, 3, 4>::default(), "top");
        let mut remarks = Remarks::of(&node);
        assert_eq!(remarks.take("empty$x"), "Nothing is held.");
        assert_eq!(remarks.take("empty"), "");
        assert_eq!(remarks.take("clock"), "");
    }
}
