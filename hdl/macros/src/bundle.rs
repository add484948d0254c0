// SPDX-License-Identifier: MIT OR Apache-2.0
//! `#[bundle(Mirror)]` on a struct of signals: both ends of a bundle.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Error, Field, Fields, GenericArgument, Ident, ItemStruct, PathArguments, PathSegment, Result, Type, parse_quote,
};

/// The struct, its mirror with each signal the other way, and what both implement.
pub fn bundle(mirror: Ident, item: &ItemStruct) -> Result<TokenStream> {
    let mut other = item.clone();
    let Fields::Named(fields) = &mut other.fields else {
        return Err(Error::new_spanned(item, "the signals of a bundle have names"));
    };
    fields.named.iter_mut().try_for_each(turn)?;
    let text = format!("The other end of [`{}`].", item.ident);
    other.attrs = vec![parse_quote!(#[doc = #text])];
    other.ident = mirror;
    let (one, two) = (end(item, &other.ident), end(&other, &item.ident));
    Ok(quote!(#one #two))
}

fn end(item: &ItemStruct, mirror: &Ident) -> TokenStream {
    let (name, mirror, (generics, arguments, bounds)) =
        (&item.ident, mirror.to_string(), item.generics.split_for_impl());
    let names: Vec<&Ident> = item.fields.iter().filter_map(|field| field.ident.as_ref()).collect();
    quote! {
        #[derive(::rust_hdl_core::prelude::LogicInterface, Clone, Debug, Default)]
        #[join = #mirror]
        #item

        #[automatically_derived]
        impl #generics ::millrace_hdl::front::carry::Field for #name #arguments #bounds {
            fn inputs(&mut self) -> bool {
                false #(| ::millrace_hdl::front::carry::Field::inputs(&mut self.#names))*
            }
            fn outputs(&mut self) -> bool {
                false #(| ::millrace_hdl::front::carry::Field::outputs(&mut self.#names))*
            }
        }
    }
}

/// Makes an input an output, and an output an input.
fn turn(field: &mut Field) -> Result<()> {
    let refused = Error::new_spanned(&field.ty, "a bundle has `Signal<In, …>` and `Signal<Out, …>`");
    let direction = direction(&mut field.ty).ok_or_else(|| refused.clone())?;
    *direction = match direction.to_string().as_str() {
        "In" => Ident::new("Out", direction.span()),
        "Out" => Ident::new("In", direction.span()),
        _ => return Err(refused),
    };
    Ok(())
}

/// The direction in `Signal<In, T>`.
fn direction(type_: &mut Type) -> Option<&mut Ident> {
    let signal = last(type_).filter(|signal| signal.ident == "Signal")?;
    let PathArguments::AngleBracketed(arguments) = &mut signal.arguments else { return None };
    let Some(GenericArgument::Type(direction)) = arguments.args.first_mut() else { return None };
    last(direction).map(|segment| &mut segment.ident)
}

/// The last part of a type's path.
fn last(type_: &mut Type) -> Option<&mut PathSegment> {
    if let Type::Path(path) = type_ { path.path.segments.last_mut() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_has_each_signal_the_other_way() {
        let made = bundle(
            parse_quote!(Giver),
            &parse_quote!(
                pub struct Taker<T: Synth> {
                    pub data: Signal<In, T>,
                    pub taken: Signal<Out, Bit>,
                }
            ),
        );
        let text = made.expect("a bundle").to_string().replace(' ', "");
        assert!(text.contains("pubstructTaker<T:Synth>{pubdata:Signal<In,T>,pubtaken:Signal<Out,Bit>,}"), "{text}");
        assert!(text.contains("pubstructGiver<T:Synth>{pubdata:Signal<Out,T>,pubtaken:Signal<In,Bit>,}"), "{text}");
        assert!(text.contains("#[join=\"Taker\"]") && text.contains("#[join=\"Giver\"]"), "{text}");
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        for field in ["a: Bits<8>", "a: Signal<Local, Bit>", "a: Vec<Signal<In, Bit>>"] {
            let item = syn::parse_str(&format!("struct A {{ {field} }}")).expect("a struct");
            let error = bundle(parse_quote!(B), &item).expect_err(field);
            assert!(error.to_string().contains("`Signal<In, …>`"), "{error}");
        }
    }
}
