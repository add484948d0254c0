// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which signals a kernel drives.

use crate::tree::Clocks;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Block, Expr, ExprCall, ExprIf, ExprMacro, Member, Stmt};

/// Statements that tell the simulator of each signal that is assigned. Loops stay loops, all branches count.
pub fn connect(block: &Block) -> TokenStream {
    block
        .stmts
        .iter()
        .filter_map(|statement| if let Stmt::Expr(expr, _) = statement { Some(expr) } else { None })
        .map(of)
        .collect()
}

fn of(expr: &Expr) -> TokenStream {
    match expr {
        Expr::Assign(assign) => driven(&assign.left),
        Expr::If(branches) => of_if(branches),
        Expr::Match(choice) => choice.arms.iter().map(|arm| of(&arm.body)).collect(),
        Expr::Block(block) => connect(&block.block),
        Expr::ForLoop(repeat) => {
            let (index, range, body) = (&repeat.pat, &repeat.expr, connect(&repeat.body));
            quote!(for #index in #range { #body })
        }
        Expr::Call(call) => of_call(call),
        Expr::Macro(invocation) => of_macro(invocation),
        _ => TokenStream::new(),
    }
}

fn of_if(branches: &ExprIf) -> TokenStream {
    let otherwise = branches.else_branch.as_ref().map(|(_, otherwise)| of(otherwise));
    let then = connect(&branches.then_branch);
    quote!(#then #otherwise)
}

/// `a.b.next` and `a.b.next.field` drive `a.b`.
fn driven(target: &Expr) -> TokenStream {
    let Expr::Field(field) = target else {
        return TokenStream::new();
    };
    let base = &field.base;
    match &field.member {
        Member::Named(name) if name == "next" => quote!(::rust_hdl_core::prelude::logic::logic_connect_fn(&mut #base);),
        _ => driven(base),
    }
}

/// `Interface::<T>::join(a, b)` and `link`.
fn of_call(call: &ExprCall) -> TokenStream {
    let Expr::Path(path) = &*call.func else {
        return TokenStream::new();
    };
    let arguments = &call.args;
    match path.path.segments.last().map(|segment| segment.ident.to_string()).as_deref() {
        Some("join") => quote!(::rust_hdl_core::prelude::logic::logic_connect_join_fn(#arguments);),
        Some("link") => quote!(::rust_hdl_core::prelude::logic::logic_connect_link_fn(#arguments);),
        _ => TokenStream::new(),
    }
}

fn of_macro(invocation: &ExprMacro) -> TokenStream {
    let Some(Clocks { me, blocks, .. }) = Clocks::of(&invocation.mac) else {
        return TokenStream::new();
    };
    let blocks = blocks.iter().map(ToTokens::to_token_stream);
    quote!(#(::rust_hdl_core::prelude::logic::logic_connect_fn(&mut #me.#blocks.clock);)*)
}
