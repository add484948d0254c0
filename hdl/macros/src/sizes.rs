// SPDX-License-Identifier: MIT OR Apache-2.0
//! `SIZES` and `HOST`: one generic parameter in the place of all sizes of a build, and of all of its host side.
//!
//! Stable Rust takes numbers as const parameters, but no structs, and no field of one as a width. So `const SIZES: Sizes` is written, and what the
//! compiler sees is a const parameter for each field: `SIZES.bus_bits` is `BUS_BITS`, and `SIZES` among generic arguments is all of them in order.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{Error, Result};

/// A parameter's name, and the fields of its type.
struct List {
    name: &'static str,
    fields: &'static [&'static str],
}

/// `Sizes` of `millrace_hdl`.
const SIZES: List = List {
    name: "SIZES",
    fields: &[
        "bus_bits",
        "bus_bytes",
        "count_bits",
        "buffer_log2",
        "buffer_count_bits",
        "payload_log2",
        "payload_count_bits",
        "payload_pairs_log2",
        "vports",
        "queues",
        "host_sources",
        "way_log2",
        "table_log2",
        "tcam_entries",
        "hash_rules_log2",
        "tcam_log2",
        "steps_log2",
        "rule_bits",
        "verdict_bits",
        "credit_bits",
        "key_bits",
        "key_words",
        "further_key_bits",
        "group_bits",
        "entry_bits",
        "step_bits",
        "further_step_bits",
        "staged_words",
        "staged_log2",
        "data_bits",
        "behind_bits",
        "ahead_bits",
        "again_bits",
        "note_bits",
        "pass_bits",
        "metadata_bits",
        "upcall_user_bits",
    ],
};

/// `HostSizes` of `millrace_queue`.
const HOST: List = List {
    name: "HOST",
    fields: &[
        "uplinks",
        "functions",
        "function_bits",
        "function_word_bits",
        "pairs",
        "pair_bits",
        "store_bits",
        "vqs",
        "vq_bits",
        "queue_word_bits",
        "vectors",
        "vector_bits",
        "table_bits",
    ],
};

/// The list of this name.
fn list(name: &Ident) -> Option<&'static List> {
    [&SIZES, &HOST].into_iter().find(|list| name == list.name)
}

/// The item or impl with the parameters in full. Tokens without them stay as they are.
pub fn expand(tokens: TokenStream) -> Result<TokenStream> {
    let mut all = tokens.into_iter().peekable();
    let mut out = TokenStream::new();
    while let Some(token) = all.next() {
        match token {
            TokenTree::Group(group) => out.extend([TokenTree::Group(inside(&group)?)]),
            TokenTree::Ident(word) if word == "const" => match all.peek().and_then(listed) {
                Some(list) => {
                    // The name, the colon and the type.
                    (0..3).for_each(|_| drop(all.next()));
                    let names = list.parameters(word.span());
                    out.extend(quote!(#(const #names: usize),*));
                }
                None => out.extend([TokenTree::Ident(word)]),
            },
            TokenTree::Ident(word) => match (list(&word), all.peek()) {
                (Some(list), Some(TokenTree::Punct(dot))) if dot.as_char() == '.' => {
                    all.next();
                    out.extend([TokenTree::Ident(list.field(all.next(), word.span())?)]);
                }
                (Some(list), _) => {
                    let names = list.parameters(word.span());
                    out.extend(quote!(#(#names),*));
                }
                (None, _) => out.extend([TokenTree::Ident(word)]),
            },
            other => out.extend([other]),
        }
    }
    Ok(out)
}

/// `Block<SIM, more>`, `Block<SIM; HOST, more>` or `Block<; HOST, more>` with each field of the constants as an argument of its own.
pub fn sized(tokens: TokenStream) -> Result<TokenStream> {
    let wanted = "a type with sizes is written `sized!(Block<SIZES_OF_A_BUILD; SIZES_OF_ITS_HOST_SIDE>)` or with one of them alone, \
                  with the block's other parameters behind";
    let mut all: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == c);
    let open = all.iter().position(|token| is(token, '<'));
    let (Some(open), Some(true)) = (open, all.last().map(|token| is(token, '>'))) else {
        return Err(Error::new(Span::call_site(), wanted));
    };
    all.pop();
    let given = all.split_off(open + 1);
    let mut halves = given.split(|token| is(token, ';'));
    let core = halves.next().unwrap_or_default();
    let host = halves.next().unwrap_or_default();
    if halves.next().is_some() || core.is_empty() && host.is_empty() {
        return Err(Error::new(Span::call_site(), wanted));
    }
    let (mut values, mut more) = (TokenStream::new(), TokenStream::new());
    for (list, half) in [(&SIZES, core), (&HOST, host)].into_iter().filter(|(_, half)| !half.is_empty()) {
        let comma = half.iter().position(|token| is(token, ',')).unwrap_or(half.len());
        let value: TokenStream = half[..comma].iter().cloned().collect();
        let fields = list.fields.iter().map(|field| Ident::new(field, Span::call_site()));
        values.extend(quote!(#({ #value.#fields },)*));
        more.extend(half[comma..].iter().skip(1).cloned());
    }
    Ok(quote!(#(#all)* #values #more >))
}

fn inside(group: &Group) -> Result<Group> {
    let tokens = expand(group.stream())?;
    let mut made = Group::new(group.delimiter(), tokens);
    made.set_span(group.span());
    Ok(made)
}

fn listed(token: &TokenTree) -> Option<&'static List> {
    match token {
        TokenTree::Ident(name) => list(name),
        _ => None,
    }
}

impl List {
    fn parameters(&self, span: Span) -> Vec<Ident> {
        self.fields.iter().map(|field| Ident::new(&field.to_uppercase(), span)).collect()
    }

    fn field(&self, token: Option<TokenTree>, span: Span) -> Result<Ident> {
        match token {
            Some(TokenTree::Ident(name)) if self.fields.contains(&name.to_string().as_str()) => {
                Ok(Ident::new(&name.to_string().to_uppercase(), name.span()))
            }
            other => {
                let at = other.map_or(span, |token| token.span());
                Err(Error::new(at, format!("{} has the fields {}", self.name, self.fields.join(", "))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(tokens: TokenStream) -> String {
        expand(tokens).map_or_else(|error| error.to_string(), |tokens| tokens.to_string())
    }

    #[test]
    fn a_field_is_a_parameter() {
        assert_eq!(expanded(quote!(Beat<{ SIZES.bus_bits }, 7>)), quote!(Beat<{ BUS_BITS }, 7>).to_string());
    }

    #[test]
    fn the_name_alone_is_all_parameters() {
        let all = expanded(quote!(Core<SIZES>));
        assert!(all.starts_with("Core < BUS_BITS , BUS_BYTES ,") && all.ends_with("UPCALL_USER_BITS >"), "{all}");
        let declared = expanded(quote!(
            struct Core<const SIZES: Sizes>;
        ));
        assert!(declared.starts_with("struct Core < const BUS_BITS : usize , const BUS_BYTES"), "{declared}");
    }

    #[test]
    fn a_type_takes_the_fields_of_a_constant_and_more() {
        let all = sized(quote!(super::Nic<a::SIM, 3>)).expect("a type").to_string();
        assert!(all.starts_with("super :: Nic < { a :: SIM . bus_bits } ,"), "{all}");
        assert!(all.ends_with("{ a :: SIM . upcall_user_bits } , 3 >"), "{all}");
        let all = sized(quote!(Dpu<SIM; A>)).expect("a type").to_string();
        assert!(all.contains("{ SIM . upcall_user_bits } , { A . uplinks } ,"), "{all}");
        let all = sized(quote!(Functions<; A>)).expect("a type").to_string();
        assert!(all.starts_with("Functions < { A . uplinks } ,") && all.ends_with("{ A . table_bits } , >"), "{all}");
        for wrong in [quote!(Nic), quote!(Nic), quote!(Nic<A; B; C>)] {
            assert!(sized(wrong).is_err());
        }
    }

    #[test]
    fn a_field_that_is_none_is_refused() {
        assert!(expanded(quote!(SIZES.width)).starts_with("SIZES has the fields bus_bits, "));
        assert!(expanded(quote!(HOST.width)).starts_with("HOST has the fields uplinks, "));
    }
}
