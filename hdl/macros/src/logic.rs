// SPDX-License-Identifier: MIT OR Apache-2.0
//! `#[block]` on an `impl`: its function `update` becomes the kernel.

use crate::block::CLOCK;
use crate::kernel::Kernel;
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Error, FnArg, ImplItem, ImplItemFn, ItemFn, ItemImpl, Pat, Result};

/// The `impl` without `update`, and the logic made of that.
pub fn logic(mut item: ItemImpl) -> Result<TokenStream> {
    let at = item.items.iter().position(|item| matches!(item, ImplItem::Fn(f) if f.sig.ident == "update"));
    let Some(ImplItem::Fn(update)) = at.map(|at| item.items.remove(at)) else {
        return Err(Error::new_spanned(&item.self_ty, "a block has a function `update(&mut self)`"));
    };
    let logic = kernel_of(&update)?;
    let names_clocks = names_clocks(update.block.to_token_stream());
    let (generics, _, bounds) = item.generics.split_for_impl();
    let block = &item.self_ty;
    let rest = (!item.items.is_empty()).then_some(&item);
    Ok(quote! {
        #rest

        #[automatically_derived]
        impl #generics #block #bounds {
            /// Whether the kernel may read or drive a clock.
            const NAMES_CLOCKS: bool = #names_clocks;
        }

        #[automatically_derived]
        impl #generics ::rust_hdl_core::prelude::Logic for #block #bounds {
            #logic
        }
    })
}

fn names_clocks(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(name) => name.to_string().contains(CLOCK),
        TokenTree::Group(group) => names_clocks(group.stream()),
        _ => false,
    })
}

fn kernel_of(update: &ImplItemFn) -> Result<TokenStream> {
    if update.sig.inputs.len() != 1 || update.sig.receiver().is_none() {
        return Err(Error::new_spanned(&update.sig, "`update` takes `&mut self` and nothing else"));
    }
    let mut kernel = Kernel::default();
    let (runs, body) = kernel.statements(&update.block)?;
    let tables = kernel.tables();
    let prelude = &kernel.prelude;
    Ok(quote! {
        #[inline]
        #[allow(unused_imports, unused_parens, unused_mut, unused_assignments, clippy::all)]
        fn update(&mut self) {
            use ::millrace_hdl::front::{place::{Drive as _, PlainDrive as _, PlainStep as _, Step as _}, value as v};
            self.carry_to_fields();
            #runs
        }

        #[allow(unused_variables, unused_parens, clippy::all)]
        fn hdl(&self) -> ::rust_hdl_core::prelude::ast::Verilog {
            use ::millrace_hdl::front::tree as t;
            static BODY: &[t::Stmt] = #body;
            #(#prelude)*
            ::millrace_hdl::front::hand_over(t::Kernel {
                body: BODY, parameters: &[], result: None, clocks: Self::FIELD_CLOCKS, #tables
            })
        }
    })
}

/// A function that kernels call: itself for the simulator, and a type of the same name that gives its tree.
pub fn function(item: &ItemFn) -> Result<TokenStream> {
    let mut kernel = Kernel::default();
    let mut parameters = vec![];
    for input in &item.sig.inputs {
        let FnArg::Typed(typed) = input else {
            return Err(Error::new_spanned(input, "a function of hardware takes values"));
        };
        let Pat::Ident(name) = &*typed.pat else {
            return Err(Error::new_spanned(&typed.pat, "parameters have names"));
        };
        kernel.bind(&name.ident);
        parameters.push(name.ident.to_string());
    }
    let (runs, body, result) = kernel.block_with_value(&item.block)?;
    let tables = kernel.tables();
    let prelude = &kernel.prelude;
    let (attributes, visibility, signature) = (&item.attrs, &item.vis, &item.sig);
    let name = format_ident!("{}", item.sig.ident);
    let (generics, _, bounds) = item.sig.generics.split_for_impl();
    Ok(quote! {
        #(#attributes)*
        #[allow(unused_imports, unused_parens, unused_mut, clippy::all)]
        #visibility #signature {
            use ::millrace_hdl::front::{place::{Drive as _, PlainDrive as _, PlainStep as _, Step as _}, value as v};
            #runs
        }

        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility enum #name {}

        #[allow(unused_parens, clippy::all)]
        impl #name {
            #[doc(hidden)]
            pub fn kernel #generics () -> ::millrace_hdl::front::tree::Kernel #bounds {
                use ::millrace_hdl::front::tree as t;
                static BODY: &[t::Stmt] = #body;
                static RESULT: &t::Expr = &#result;
                #(#prelude)*
                t::Kernel { body: BODY, parameters: &[#(#parameters),*], result: Some(RESULT), clocks: &[], #tables }
            }
        }
    })
}
