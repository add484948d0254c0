// SPDX-License-Identifier: MIT OR Apache-2.0
//! [`macro@block`]: a struct and an `impl` as a block of hardware. [`macro@function`]: what kernels call. [`macro@bundle`]: signals that go together.
//! [`macro@sized`]: the type of a block of some sizes. [`macro@with_sizes`]: what is no block, and has sizes.
//!
//! Of a kernel, the attribute makes the `update` that the Rust simulator runs, and `hdl`, which gives its tree. The tree is a table of constants (see
//! `millrace_hdl::front::tree`): code that builds it node by node would be half of all that the compiler has to optimise in this workspace, and it
//! runs once.

mod block;
mod bundle;
mod kernel;
mod logic;
mod place;
mod sizes;

use proc_macro::TokenStream;
use syn::{Error, Ident, Item, ItemFn, ItemStruct, parse_macro_input};

/// Makes a block: goes before its struct, and before the `impl` that holds its `update`. `docs/blocks.md` says what may stand in both. The attribute
/// of the struct may hold an expression, which is evaluated whenever one is made: `#[block(Self::check())]`.
#[proc_macro_attribute]
pub fn block(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let item = match sizes::expand(item.into()) {
        Ok(item) => item.into(),
        Err(error) => return error.to_compile_error().into(),
    };
    let made = match parse_macro_input!(item as Item) {
        Item::Struct(item) => block::block(&attribute.into(), item),
        Item::Impl(item) => logic::logic(item),
        other => Err(Error::new_spanned(other, "`block` goes before a struct or its `impl`")),
    };
    made.unwrap_or_else(|error| error.to_compile_error()).into()
}

/// The type of a block with `const SIZES: Sizes`, for the sizes of a build: `sized!(Pipeline<SIM>)`, where `SIM` is a constant. With `const HOST: HostSizes`
/// as well `sized!(Dpu<SIM; HOST_SIM>)`, with that alone `sized!(Functions<; HOST_SIM>)`.
#[proc_macro]
pub fn sized(tokens: TokenStream) -> TokenStream {
    sizes::sized(tokens.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Lets an item that is no block, a test's bench, say, have `const SIZES: Sizes` and `const HOST: HostSizes`.
#[proc_macro_attribute]
pub fn with_sizes(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    sizes::expand(item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes both ends of a bundle: goes before the struct with the signals as one end has them, and names the other end, whose signals go the other
/// way: `#[bundle(Src)]`.
#[proc_macro_attribute]
pub fn bundle(mirror: TokenStream, item: TokenStream) -> TokenStream {
    let (mirror, item) = (parse_macro_input!(mirror as Ident), parse_macro_input!(item as ItemStruct));
    bundle::bundle(mirror, &item).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Lets kernels call a function of values, which becomes a part of each.
#[proc_macro_attribute]
pub fn function(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as ItemFn);
    logic::function(&item).unwrap_or_else(|error| error.to_compile_error()).into()
}
