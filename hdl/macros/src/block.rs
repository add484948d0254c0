// SPDX-License-Identifier: MIT OR Apache-2.0
//! `#[block]` on a struct: construction, the tag, and clock and reset for its fields.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, Expr, ExprLit, Field, Fields, GenericParam, Ident, ItemStruct, Lit, Meta, MetaNameValue, Result,
    Type, parse_quote,
};

/// Is in the name of each clock: a kernel that has it in none of its paths need not run when clocks move.
pub const CLOCK: &str = "clock";

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
    fields.named.push(parse_quote!(_activity: ::millrace_hdl::front::activity::Activity));
    let mut plans = vec![];
    for field in &mut fields.named {
        plans.push(Plan::of(field)?);
    }
    let construction = plans.iter().map(|Plan { name, value, .. }| quote!(#name: #value));
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
    let each = |method: TokenStream, of: &[Kind]| {
        let names = plans.iter().filter(|plan| of.contains(&plan.kind)).map(|plan| &plan.name);
        quote!(false #(| ::millrace_hdl::front::carry::Field::#method(&mut self.#names))*)
    };
    let clocks_move = each(quote!(inputs), &[Kind::Clock]);
    let inputs_move = each(quote!(inputs), &[Kind::Input, Kind::Other]);
    let outputs_move = each(quote!(outputs), &[Kind::Output, Kind::Other]);
    let fields_move = each(quote!(run), &[Kind::Register, Kind::Other]);
    let takers = || plans.iter().filter(|plan| matches!(plan.kind, Kind::Register | Kind::Other));
    let (taking, reset_taking) = (takers().map(Plan::takes_clock), takers().map(|plan| &plan.name));
    let parts: Vec<&Ident> = plans.iter().filter(|plan| plan.kind != Kind::Plain).map(|plan| &plan.name).collect();
    let names = parts.iter().map(ToString::to_string);
    let (name, (generics, arguments, bounds)) = (&item.ident, item.generics.split_for_impl());
    Ok(quote! {
        #item

        #[automatically_derived]
        impl #generics Default for #name #arguments #bounds {
            fn default() -> Self {
                #check
                Self { #(#construction),* }
            }
        }

        #[automatically_derived]
        impl #generics ::rust_hdl_core::block::Block for #name #arguments #bounds {
            fn connect_all(&mut self) {
                ::rust_hdl_core::logic::Logic::connect(self);
                #(::rust_hdl_core::block::Block::connect_all(&mut self.#parts);)*
            }
            #[inline]
            fn update_all(&mut self) {
                ::millrace_hdl::front::activity::run(self)
            }
            #[inline]
            fn has_changed(&self) -> bool {
                self._activity.moved()
            }
            fn accept(&self, name: &str, probe: &mut dyn ::rust_hdl_core::probe::Probe) {
                let described = ::millrace_hdl::emit::Described(self);
                probe.visit_start_scope(name, &described);
                #(::rust_hdl_core::block::Block::accept(&self.#parts, #names, probe);)*
                probe.visit_end_scope(name, &described);
            }
        }

        #[automatically_derived]
        impl #generics ::millrace_hdl::front::activity::Active for #name #arguments #bounds {
            const SEES_CLOCKS: bool = {
                #[allow(unused_imports)]
                use ::millrace_hdl::front::activity::WithoutKernel as _;
                Self::NAMES_CLOCKS
            };
            #[inline]
            fn activity(&mut self) -> &mut ::millrace_hdl::front::activity::Activity {
                &mut self._activity
            }
            #[inline]
            fn clocks(&mut self) -> bool {
                #clocks_move
            }
            #[inline]
            fn inputs(&mut self) -> bool {
                #inputs_move
            }
            #[inline]
            fn outputs(&mut self) -> bool {
                #outputs_move
            }
            #[inline]
            #[allow(unused_variables)]
            fn carry_clocks(&mut self) {
                let clock = #own_clock;
                #(#taking)*
            }
            #[inline]
            fn run_fields(&mut self) -> bool {
                #fields_move
            }
        }

        #[automatically_derived]
        impl #generics ::millrace_hdl::front::carry::Field for #name #arguments #bounds {
            #[inline]
            #[allow(unused_variables)]
            fn carry_clock(&mut self, clock: &impl ::millrace_hdl::front::carry::Source, index: usize) {
                #take_clock
            }
            #[inline]
            #[allow(unused_variables)]
            fn carry(&mut self, reset: bool) {
                #take_reset
            }
            #[inline]
            fn run(&mut self) -> bool {
                ::rust_hdl_core::block::Block::update_all(self);
                self._activity.drove()
            }
        }

        #[automatically_derived]
        #[allow(dead_code)]
        impl #generics #name #arguments #bounds {
            /// Fields with another clock than `clock`.
            const FIELD_CLOCKS: &'static [(&'static str, &'static str)] = &[#(#clocks),*];
            /// The reset, to all fields that take it, and what registers take that the kernel does not load.
            #[inline]
            fn carry_to_fields(&mut self) {
                let reset = #own_reset;
                #(::millrace_hdl::front::carry::Field::carry(&mut self.#reset_taking, reset);)*
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
    kind: Kind,
}

/// What a field is, as far as its type says so by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Plain Rust: the name begins with `_`.
    Plain,
    Clock,
    Input,
    Output,
    /// Takes no part in a simulation: constants, local signals.
    Constant,
    Register,
    /// A bundle, a sub-block, or a `Vec`.
    Other,
}

impl Kind {
    fn of(name: &Ident, type_: &Type) -> Kind {
        let text = type_.to_token_stream().to_string().replace(' ', "");
        let (outer, inner) = text.split_once('<').unwrap_or((&text, ""));
        match outer.rsplit("::").next().unwrap_or(outer) {
            _ if name.to_string().starts_with('_') => Kind::Plain,
            "Signal" if inner == "In,Clock>" => Kind::Clock,
            "Vec" if inner == "Signal<In,Clock>>" => Kind::Clock,
            "Signal" if inner.starts_with("In,") => Kind::Input,
            "Signal" if inner.starts_with("Out,") => Kind::Output,
            "Signal" if inner.starts_with("Local,") => Kind::Constant,
            "Constant" | "Param" | "Tag" => Kind::Constant,
            "Reg" | "DffR" | "DffE" | "Dff" => Kind::Register,
            _ => Kind::Other,
        }
    }
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
        let kind = Kind::of(&name, &field.ty);
        if kind == Kind::Clock && !name.to_string().contains(CLOCK) {
            return Err(Error::new(name.span(), "the name of a clock says that it is one: `clock`, `rx_clock`"));
        }
        Ok(Plan { name, value, clock, kind })
    }

    /// The statement that gives the field its clock.
    fn takes_clock(&self) -> TokenStream {
        let name = &self.name;
        let clock = self.clock.as_ref().map_or(quote!(&clock), |clock| quote!(&self.#clock));
        quote!(::millrace_hdl::front::carry::Field::carry_clock(&mut self.#name, #clock, 0);)
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

    #[test]
    fn types_say_what_a_field_is() {
        for (field, kind) in [
            (quote!(clock: Signal<In, Clock>), Kind::Clock),
            (quote!(port_clocks: Vec<Signal<In, Clock>>), Kind::Clock),
            (quote!(a: Signal<In, Bits<{ N }>>), Kind::Input),
            (quote!(a: Signal<Out, T>), Kind::Output),
            (quote!(a: DffE<Bits<3>>), Kind::Register),
            (quote!(a: Vec<Dff<Bit>>), Kind::Other),
            (quote!(_a: Signal<In, Bit>), Kind::Plain),
        ] {
            let mut field: Field = parse_quote!(#field);
            assert_eq!(Plan::of(&mut field).expect("it is right").kind, kind, "{}", quote!(#field));
        }
    }

    #[test]
    fn a_clock_that_does_not_say_so_is_refused() {
        assert!(Plan::of(&mut parse_quote!(ticks: Signal<In, Clock>)).is_err());
    }
}
