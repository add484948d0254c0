// SPDX-License-Identifier: MIT OR Apache-2.0
//! [`macro@kernel`]: an `update` function as hardware.
//!
//! The function itself stays as it is, for the Rust simulator. Beside it come `connect`, which names the signals that it drives, and
//! `hdl`, which gives its syntax tree. The tree is a table of constants (see `millrace_hdl::kernel`): code that builds it node by node would be
//! half of all that the compiler has to optimise in this workspace, and it runs once.

mod connect;
mod tree;

use proc_macro::TokenStream;
use quote::quote;
use syn::{ItemFn, parse_macro_input};

/// Makes an `update` function the logic of a block: goes before `fn update(&mut self)` in an `impl Logic`.
#[proc_macro_attribute]
pub fn kernel(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    let connect = connect::connect(&function.block);
    match tree::hdl(&function) {
        Ok(hdl) => quote! {
            #[allow(unreachable_patterns)]
            #function

            #[allow(unused_variables)]
            #[automatically_derived]
            fn connect(&mut self) {
                #connect
            }

            #[automatically_derived]
            #hdl
        }
        .into(),
        Err(error) => error.to_compile_error().into(),
    }
}
