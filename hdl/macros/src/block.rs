// SPDX-License-Identifier: MIT OR Apache-2.0
//! `#[block]` on a struct: construction, the tag, and clock and reset for its fields.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, Expr, ExprLit, Field, Fields, GenericParam, Ident, ItemStruct, Lit, Meta, MetaNameValue, Result,
    parse_quote,
};

/// The struct, and what it implements. `check` comes before each construction.
pub fn block(check: &TokenStream, mut item: ItemStruct) -> Result<TokenStream> {
    let Fields::Named(fields) = &mut item.fields else {
        return Err(Error::new_spanned(&item, "the fields of a block have names"));
    };
    if !fields.named.iter().any(|field| is(field, "tag")) {
        let parameters = item.generics.params.iter().filter_map(parameter);
        let own = doc(&item.attrs);
        let said = fields.named.iter().filter_map(|field| {
            let (name, doc) = (field.ident.as_ref()?.to_string(), doc(&field.attrs));
            (!doc.is_empty()).then(|| quote!((#name, #doc)))
        });
        let source = quote!(::millrace_hdl::base::Source {
            parameters: &[#(#parameters),*],
            doc: #own,
            fields: &[#(#said),*],
        });
        fields.named.insert(
            0,
            parse_quote!(#[init(::millrace_hdl::base::Tag::of(#source))] tag: ::millrace_hdl::base::Tag<Self>),
        );
    }
    let mut plans = vec![];
    for field in &mut fields.named {
        plans.push(Plan::of(field)?);
    }
    let construction = plans.iter().map(|Plan { name, value, .. }| quote!(#name: #value));
    let carried = plans.iter().filter_map(Plan::carried);
    let clocks = plans.iter().filter_map(|plan| {
        let (name, clock) = (plan.name.to_string(), plan.clock.as_ref()?.to_string());
        Some(quote!((#name, #clock)))
    });
    let given = |name: &str| plans.iter().find(|plan| plan.name == name).map(|plan| &plan.name);
    let own = |name: &str, otherwise: TokenStream| given(name).map_or(otherwise, |name| quote!(self.#name.val()));
    let (own_clock, own_reset) =
        (own("clock", quote!(::rust_hdl_core::prelude::Clock::default())), own("reset", quote!(false)));
    let take_clock = given("clock").map(|name| quote!(self.#name.next = clock.clock(index);));
    let take_reset = given("reset").map(|name| quote!(self.#name.next = reset;));
    let check = (!check.is_empty()).then(|| quote!(#check;));
    let (name, (generics, arguments, bounds)) = (&item.ident, item.generics.split_for_impl());
    Ok(quote! {
        #[derive(::rust_hdl_core::prelude::LogicBlock)]
        #item

        #[automatically_derived]
        impl #generics Default for #name #arguments #bounds {
            fn default() -> Self {
                #check
                Self { #(#construction),* }
            }
        }

        #[automatically_derived]
        impl #generics ::millrace_hdl::front::carry::Field for #name #arguments #bounds {
            #[allow(unused_variables)]
            fn carry(&mut self, clock: &impl ::millrace_hdl::front::carry::Source, index: usize, reset: bool) {
                #take_clock
                #take_reset
            }
        }

        #[automatically_derived]
        #[allow(dead_code)]
        impl #generics #name #arguments #bounds {
            /// Fields with another clock than `clock`.
            const FIELD_CLOCKS: &'static [(&'static str, &'static str)] = &[#(#clocks),*];
            /// Clock and reset, to all fields that take them.
            fn carry_to_fields(&mut self) {
                let (clock, reset) = (#own_clock, #own_reset);
                #(#carried)*
            }
        }
    })
}

/// The name of a generic parameter.
fn parameter(parameter: &GenericParam) -> Option<String> {
    match parameter {
        GenericParam::Type(parameter) => Some(parameter.ident.to_string()),
        GenericParam::Const(parameter) => Some(parameter.ident.to_string()),
        GenericParam::Lifetime(_) => None,
    }
}

/// The text of the doc comments among attributes.
fn doc(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| {
        let Meta::NameValue(MetaNameValue { path, value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }), .. }) =
            &attribute.meta
        else {
            return None;
        };
        path.is_ident("doc").then(|| text.value().trim().to_owned())
    };
    attributes.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

fn is(field: &Field, name: &str) -> bool {
    field.ident.as_ref().is_some_and(|ident| ident == name)
}

/// What is to be done for a field.
struct Plan {
    name: Ident,
    /// What it holds at first.
    value: TokenStream,
    /// Its clock, if that is not `clock`.
    clock: Option<Ident>,
}

impl Plan {
    /// Reads and takes off the field's attributes.
    fn of(field: &mut Field) -> Result<Plan> {
        let name = field.ident.clone().expect("named fields have names");
        let (mut value, mut clock) = (quote!(Default::default()), None);
        let mut kept = vec![];
        for attribute in std::mem::take(&mut field.attrs) {
            if attribute.path().is_ident("init") {
                value = argument(&attribute)?.into_token_stream();
            } else if attribute.path().is_ident("count") {
                let count = argument(&attribute)?;
                value = quote!((0..#count).map(|_| Default::default()).collect());
            } else if attribute.path().is_ident("clock") {
                clock = Some(attribute.parse_args()?);
            } else {
                kept.push(attribute);
            }
        }
        field.attrs = kept;
        Ok(Plan { name, value, clock })
    }

    /// The statement that gives the field its clock and the reset. Fields with `_` are plain Rust.
    fn carried(&self) -> Option<TokenStream> {
        let name = &self.name;
        let clock = self.clock.as_ref().map_or(quote!(&clock), |clock| quote!(&self.#clock));
        let plain = name.to_string().starts_with('_');
        (!plain).then(|| quote!(::millrace_hdl::front::carry::Field::carry(&mut self.#name, #clock, 0, reset);))
    }
}

/// The expression in an attribute's parentheses.
fn argument(attribute: &Attribute) -> Result<Expr> {
    attribute.parse_args()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_say_how_they_begin() {
        let mut field: Field = parse_quote!(#[count(N)] #[clock(other)] #[doc = "Kept."] a: Vec<Dff<Bit>>);
        let plan = Plan::of(&mut field).expect("it is right");
        assert_eq!(plan.value.to_string(), "(0 .. N) . map (| _ | Default :: default ()) . collect ()");
        assert_eq!(plan.clock.expect("a clock"), "other");
        assert_eq!(field.attrs.len(), 1);
    }

    #[test]
    fn doc_comments_are_kept_by_line() {
        let item: ItemStruct = parse_quote!(
            /// Counts.
            ///
            /// Up.
            #[derive(Debug)]
            struct Counter {}
        );
        assert_eq!(doc(&item.attrs), "Counts.\n\nUp.");
    }

    #[test]
    fn a_struct_without_names_is_refused() {
        assert!(
            block(
                &TokenStream::new(),
                parse_quote!(
                    struct A(Signal<In, Bit>);
                )
            )
            .expect_err("no names")
            .to_string()
            .contains("names")
        );
    }
}
