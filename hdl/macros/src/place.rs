// SPDX-License-Identifier: MIT OR Apache-2.0
//! Paths of a kernel: from `self` or from a local variable along fields and elements.

use crate::kernel::{Class, Kernel, Made};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Member, Result};

/// Inputs of registers, which are no fields of their values.
const PORTS: [&str; 4] = ["clock", "reset", "en", "d"];

/// A path.
pub struct Place {
    /// Of a local variable its name; else the path begins at `self`.
    local: Option<Ident>,
    steps: Vec<Step>,
    span: proc_macro2::Span,
}

enum Step {
    Field(Ident),
    Index(Made),
}

impl Kernel {
    /// The path that `expr` is, if it is one.
    pub fn place(&mut self, expr: &Expr) -> Result<Option<Place>> {
        let span = expr.span();
        match expr {
            Expr::Path(path) => {
                let Some(name) = path.path.get_ident() else { return Ok(None) };
                let local = if name == "self" { None } else { Some(name.clone()) };
                let known = local.is_none() || self.class_of_name(name) == Some(Class::Hard);
                Ok(known.then(|| Place { local, steps: vec![], span }))
            }
            Expr::Field(field) => {
                let Some(mut place) = self.place(&field.base)? else { return Ok(None) };
                let Member::Named(name) = &field.member else {
                    return Err(Error::new(field.member.span(), "fields have names"));
                };
                place.steps.push(Step::Field(name.clone()));
                Ok(Some(Place { span, ..place }))
            }
            Expr::Index(index) => {
                let Some(mut place) = self.place(&index.expr)? else { return Ok(None) };
                let at = self.value(&index.index)?;
                if at.class == Class::Hard {
                    return Err(Error::new(index.index.span(), "which block is meant must be known when it is built"));
                }
                place.steps.push(Step::Index(at));
                Ok(Some(Place { span, ..place }))
            }
            Expr::Paren(inner) => self.place(&inner.expr),
            _ => Ok(None),
        }
    }
}

impl Place {
    /// The value there.
    pub fn read(&self) -> TokenStream {
        match &self.local {
            Some(_) => self.native(),
            None => {
                let inner = self.along(&quote!(&), &quote!(step));
                quote_spanned!(self.span=> (&#inner).read())
            }
        }
    }

    /// What an assignment writes.
    pub fn target(&self) -> TokenStream {
        match &self.local {
            Some(_) => self.native(),
            None => {
                // A register's port by its name.
                let port =
                    matches!(self.steps.last(), Some(Step::Field(name)) if PORTS.iter().any(|port| name == port));
                let inner = if port { self.native() } else { self.along(&quote!(&mut), &quote!(target)) };
                quote_spanned!(self.span=> *(&mut #inner).target())
            }
        }
    }

    /// The path as Rust has it: what holds signals, and local variables.
    pub fn native(&self) -> TokenStream {
        let root = self.local.as_ref().map_or(quote!(self), |name| quote!(#name));
        self.steps.iter().fold(root, |path, step| match step {
            Step::Field(name) => quote!(#path.#name),
            Step::Index(Made { runs, .. }) => quote!(#path[#runs]),
        })
    }

    /// The path from `self`, where each further field may be one of a signal's value.
    fn along(&self, reference: &TokenStream, method: &TokenStream) -> TokenStream {
        let mut path = quote!(self);
        for (at, step) in self.steps.iter().enumerate() {
            path = match step {
                Step::Index(Made { runs, .. }) => quote!(#path[#runs]),
                Step::Field(name) if at == 0 => quote!(#path.#name),
                Step::Field(name) => quote_spanned!(name.span()=> (#reference #path).#method().#name),
            };
        }
        path
    }

    /// The path in the tree.
    pub fn tree(&self) -> TokenStream {
        let root = self.local.iter().map(|name| {
            let name = name.to_string();
            quote!(t::Step::Field(#name))
        });
        let steps = self.steps.iter().map(|step| match step {
            Step::Field(name) => {
                let name = name.to_string();
                quote!(t::Step::Field(#name))
            }
            Step::Index(Made { tree, .. }) => quote!(t::Step::Index(#tree)),
        });
        let steps = root.chain(steps);
        let own = self.local.is_none();
        quote!(t::Path { own: #own, steps: &[#(#steps),*] })
    }
}
