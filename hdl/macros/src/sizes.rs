// SPDX-License-Identifier: MIT OR Apache-2.0
//! `SIZES`: one generic parameter in the place of all sizes of a build.
//!
//! Stable Rust takes numbers as const parameters, but no structs, and no field of one as a width. So `const SIZES: Sizes` is written, and what the
//! compiler sees is a const parameter for each field: `SIZES.bus_bits` is `BUS_BITS`, and `SIZES` among generic arguments is all of them in order.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{Error, Result};

/// The fields of `millrace_hdl`'s `Sizes`.
const FIELDS: [&str; 19] = [
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
];

const NAME: &str = "SIZES";

/// The item or impl with the parameters in full. Tokens without `SIZES` stay as they are.
pub fn expand(tokens: TokenStream) -> Result<TokenStream> {
    let mut all = tokens.into_iter().peekable();
    let mut out = TokenStream::new();
    while let Some(token) = all.next() {
        match token {
            TokenTree::Group(group) => out.extend([TokenTree::Group(inside(&group)?)]),
            TokenTree::Ident(word) if word == "const" && is_name(all.peek()) => {
                (0..3).for_each(|_| drop(all.next()));
                let names = parameters(word.span());
                out.extend(quote!(#(const #names: usize),*));
            }
            TokenTree::Ident(word) if word == NAME => match all.peek() {
                Some(TokenTree::Punct(dot)) if dot.as_char() == '.' => {
                    all.next();
                    out.extend([TokenTree::Ident(field(all.next(), word.span())?)]);
                }
                _ => {
                    let names = parameters(word.span());
                    out.extend(quote!(#(#names),*));
                }
            },
            other => out.extend([other]),
        }
    }
    Ok(out)
}

/// `Block<CONSTANT, more>` with each field of the constant as an argument of its own.
pub fn sized(tokens: TokenStream) -> Result<TokenStream> {
    let wanted =
        "a type with sizes is written `sized!(Block<SIZES_OF_A_BUILD>)`, with the block's other parameters behind";
    let mut all: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == c);
    let open = all.iter().position(|token| is(token, '<'));
    let (Some(open), Some(true)) = (open, all.last().map(|token| is(token, '>'))) else {
        return Err(Error::new(Span::call_site(), wanted));
    };
    all.pop();
    let given = all.split_off(open + 1);
    let comma = given.iter().position(|token| is(token, ',')).unwrap_or(given.len());
    let value: TokenStream = given[..comma].iter().cloned().collect();
    let more = &given[comma..];
    let fields = FIELDS.iter().map(|field| Ident::new(field, Span::call_site()));
    Ok(quote!(#(#all)* #({ #value.#fields }),* #(#more)* >))
}

fn inside(group: &Group) -> Result<Group> {
    let tokens = expand(group.stream())?;
    let mut made = Group::new(group.delimiter(), tokens);
    made.set_span(group.span());
    Ok(made)
}

fn is_name(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Ident(name)) if name == NAME)
}

fn parameters(span: Span) -> Vec<Ident> {
    FIELDS.iter().map(|field| Ident::new(&field.to_uppercase(), span)).collect()
}

fn field(token: Option<TokenTree>, span: Span) -> Result<Ident> {
    match token {
        Some(TokenTree::Ident(name)) if FIELDS.contains(&name.to_string().as_str()) => {
            Ok(Ident::new(&name.to_string().to_uppercase(), name.span()))
        }
        other => {
            let at = other.map_or(span, |token| token.span());
            Err(Error::new(at, format!("{NAME} has the fields {}", FIELDS.join(", "))))
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
        assert!(all.starts_with("Core < BUS_BITS , BUS_BYTES ,") && all.ends_with("VERDICT_BITS >"), "{all}");
        let declared = expanded(quote!(
            struct Core<const SIZES: Sizes>;
        ));
        assert!(declared.starts_with("struct Core < const BUS_BITS : usize , const BUS_BYTES"), "{declared}");
    }

    #[test]
    fn a_type_takes_the_fields_of_a_constant_and_more() {
        let all = sized(quote!(super::Nic<a::SIM, 3>)).expect("a type").to_string();
        assert!(all.starts_with("super :: Nic < { a :: SIM . bus_bits } ,"), "{all}");
        assert!(all.ends_with("{ a :: SIM . verdict_bits } , 3 >"), "{all}");
        assert!(sized(quote!(Nic)).is_err());
    }

    #[test]
    fn a_field_that_is_none_is_refused() {
        assert!(expanded(quote!(SIZES.width)).starts_with("SIZES has the fields bus_bits, "));
    }
}
