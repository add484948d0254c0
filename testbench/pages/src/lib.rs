// SPDX-License-Identifier: MIT OR Apache-2.0
//! What pages of the documentation run. A page marks what a test runs by the words behind the fence of a block: `sh` for the reader's machine, `sh card` for a card.

/// The blocks of a page behind a fence with these words, from top to bottom, each with its last end of line.
pub fn blocks(page: &str, words: &str) -> Vec<String> {
    let mut blocks = vec![];
    // Within a block: its lines, if they are wanted.
    let mut block: Option<Option<String>> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut block) {
            (Some(found), None) => block = Some((found == words).then(String::new)),
            (Some(_), Some(_)) => blocks.extend(block.take().flatten()),
            (None, Some(Some(text))) => text.extend([line, "\n"]),
            (None, _) => (),
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_a_kind_are_found_in_order() {
        let page =
            "Text\n```\nplain\n```\n```sh\none\ntwo # ```\n```\n```sh card\nthree\n```\nMore\n```sh\nfour\n```\n";
        assert_eq!(blocks(page, "sh"), ["one\ntwo # ```\n", "four\n"]);
        assert_eq!(blocks(page, "sh card"), ["three\n"]);
        assert_eq!(blocks("```sh\nwithout an end\n", "sh"), [""; 0]);
    }
}
