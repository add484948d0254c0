// SPDX-License-Identifier: MIT OR Apache-2.0
//! Splits a line of a flow file into keys and values, by the rules of ovs-ofctl, and keeps the places.

/// A piece of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span<'a> {
    pub text: &'a str,
    /// Byte offset in the line.
    pub at: usize,
}

impl<'a> Span<'a> {
    pub fn new(text: &'a str) -> Span<'a> {
        Span { text, at: 0 }
    }

    /// The bytes `from..to` of this span.
    pub fn slice(self, from: usize, to: usize) -> Span<'a> {
        Span { text: &self.text[from..to], at: self.at + from }
    }

    /// The part before the first `separator` and the part after it.
    pub fn split_once(self, separator: &str) -> Option<(Span<'a>, Span<'a>)> {
        let i = self.text.find(separator)?;
        Some((self.slice(0, i), self.slice(i + separator.len(), self.text.len())))
    }

    /// Without white space at either end.
    pub fn trim(self) -> Span<'a> {
        let from = self.text.len() - self.text.trim_start().len();
        self.slice(from, from + self.text.trim().len())
    }

    pub fn is_empty(self) -> bool {
        self.text.is_empty()
    }
}

/// A key with or without a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pair<'a> {
    pub key: Span<'a>,
    /// What follows `=` or `:`, or stands in parentheses; of `name(a)->b` all that follows the opening one, as for ovs-ofctl.
    pub value: Option<Span<'a>>,
    /// Whether the value stood in parentheses.
    pub parens: bool,
}

/// The keys and values of a line: separated by commas or white space, values after `=` or `:` or in parentheses (which nest).
pub(super) struct Pairs<'a> {
    rest: Span<'a>,
}

const SEPARATORS: [char; 5] = [',', ' ', '\t', '\r', '\n'];

impl<'a> Pairs<'a> {
    pub fn new(text: Span<'a>) -> Pairs<'a> {
        Pairs { rest: text }
    }
}

/// Length of the value at the start of `text`: up to the first of `ends` outside parentheses. A quoted value ends with its quote.
fn value_len(text: &str, ends: &[char]) -> usize {
    if text.starts_with('"')
        && let Some(close) = text[1..].find('"')
    {
        return close + 2;
    }
    let mut depth = 0usize;
    for (i, c) in text.char_indices() {
        match c {
            _ if depth == 0 && ends.contains(&c) => return i,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

/// Length of the key at the start of `text`; a quoted key (a port's name) ends with its quote.
fn key_len(text: &str) -> usize {
    if text.starts_with('"')
        && let Some(close) = text[1..].find('"')
    {
        return close + 2;
    }
    text.find(|c| SEPARATORS.contains(&c) || matches!(c, ':' | '=' | '(')).unwrap_or(text.len())
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let skip = self.rest.text.find(|c| !SEPARATORS.contains(&c))?;
        let text = self.rest.slice(skip, self.rest.text.len());
        let len = key_len(text.text);
        let key = text.slice(0, len);
        let after = text.slice(len, text.text.len());
        let (value, used) = match after.text.chars().next() {
            Some(':' | '=') => {
                let n = value_len(&after.text[1..], &SEPARATORS);
                (Some(after.slice(1, 1 + n)), 1 + n)
            }
            Some('(') => {
                let n = value_len(&after.text[1..], &[')']);
                let behind = &after.text[1 + n..];
                match behind.strip_prefix(")->") {
                    // A quoted value may end before the parenthesis does.
                    None => (Some(after.slice(1, 1 + n)), 1 + n + usize::from(behind.starts_with(')'))),
                    // What stands behind the arrow belongs to the value.
                    Some(target) => {
                        let end = after.text.len() - target.len() + value_len(target, &SEPARATORS);
                        (Some(after.slice(1, end)), end)
                    }
                }
            }
            _ => (None, 0),
        };
        let parens = after.text.starts_with('(');
        self.rest = after.slice(used, after.text.len());
        Some(Pair { key, value, parens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(&str, Option<&str>)> {
        Pairs::new(Span::new(text)).map(|p| (p.key.text, p.value.map(|v| v.text))).collect()
    }

    #[test]
    fn keys_and_values_are_split_as_ovs_ofctl_does() {
        assert_eq!(
            split("table=1, ip nw_src=1.2.3.4/8,,resubmit(,2) output:\"vf 3\",drop"),
            [
                ("table", Some("1")),
                ("ip", None),
                ("nw_src", Some("1.2.3.4/8")),
                ("resubmit", Some(",2")),
                ("output", Some("\"vf 3\"")),
                ("drop", None)
            ]
        );
        assert_eq!(split("reply (\"\"é"), [("reply", None), ("", Some("\"\"")), ("é", None)]);
        assert_eq!(split("clone(a(b),c)d"), [("clone", Some("a(b),c")), ("d", None)]);
        assert_eq!(
            split("check_pkt_larger(100)->NXM_NX_REG0[0],1"),
            [("check_pkt_larger", Some("100)->NXM_NX_REG0[0]")), ("1", None)]
        );
        assert_eq!(split("eth_dst=aa:bb:cc:dd:ee:ff"), [("eth_dst", Some("aa:bb:cc:dd:ee:ff"))]);
    }

    #[test]
    fn places_are_offsets_in_the_line() {
        let pairs: Vec<_> = Pairs::new(Span::new("  ip , x=5")).collect();
        assert_eq!((pairs[0].key.at, pairs[1].key.at, pairs[1].value.unwrap().at), (2, 7, 9));
    }
}
