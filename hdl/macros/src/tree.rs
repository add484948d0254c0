// SPDX-License-Identifier: MIT OR Apache-2.0
//! The syntax tree of a kernel, as constants. What only running code knows (literals, widths and offsets of fields, which may depend on const
//! parameters) goes into tables beside it, and the tree has their indices.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    BinOp, Block, Error, Expr, ExprAssign, ExprBinary, ExprCall, ExprField, ExprForLoop, ExprIf, ExprMacro, ExprMatch,
    ExprMethodCall, GenericArgument, ItemFn, LitStr, Macro, Member, Pat, PathArguments, Result, Stmt, Token, UnOp,
};

/// The function `hdl` of a kernel.
pub fn hdl(function: &ItemFn) -> Result<TokenStream> {
    if function.sig.inputs.len() != 1 {
        return Err(Error::new(function.sig.span(), "a kernel takes `&mut self` and nothing else"));
    }
    let mut tables = Tables::default();
    let body = tables.block(&function.block)?;
    let Tables { literals, sizes, links } = tables;
    Ok(quote! {
        fn hdl(&self) -> ::rust_hdl_core::prelude::ast::Verilog {
            use ::millrace_hdl::kernel as k;
            static BODY: &[k::Stmt] = #body;
            k::verilog(BODY, &[#(#literals.into()),*], &[#(#sizes),*], &[#(#links),*])
        }
    })
}

/// What the tree refers to by index: expressions that are evaluated when it is asked for.
#[derive(Default)]
struct Tables {
    literals: Vec<TokenStream>,
    sizes: Vec<TokenStream>,
    links: Vec<TokenStream>,
}

/// Adds to a table and gives the index.
fn add(table: &mut Vec<TokenStream>, item: TokenStream) -> usize {
    table.push(item);
    table.len() - 1
}

impl Tables {
    fn block(&mut self, block: &Block) -> Result<TokenStream> {
        let statements = block.stmts.iter().map(|statement| self.statement(statement)).collect::<Result<Vec<_>>>()?;
        Ok(quote!(&[#(#statements),*]))
    }

    fn statement(&mut self, statement: &Stmt) -> Result<TokenStream> {
        match statement {
            Stmt::Expr(expr, _) => self.effect(expr),
            Stmt::Macro(invocation) => self.invocation(&invocation.mac),
            _ => {
                Err(Error::new(statement.span(), "a kernel has no local variables and items: use a `Signal<Local, _>`"))
            }
        }
    }

    fn effect(&mut self, expr: &Expr) -> Result<TokenStream> {
        match expr {
            Expr::Assign(assign) => self.assignment(assign),
            Expr::If(branches) => {
                let branches = self.branches(branches)?;
                Ok(quote!(k::Stmt::If(#branches)))
            }
            Expr::Match(choice) => self.choice(choice),
            Expr::ForLoop(repeat) => self.repeat(repeat),
            Expr::Macro(ExprMacro { mac, .. }) => self.invocation(mac),
            Expr::Call(call) => self.connection(call),
            _ => Err(Error::new(expr.span(), "this is no statement of hardware")),
        }
    }

    /// `signal.next = value` and `signal.next.field = value`.
    fn assignment(&mut self, assign: &ExprAssign) -> Result<TokenStream> {
        let Expr::Field(target) = &*assign.left else {
            return Err(Error::new(assign.left.span(), "assign to `signal.next` or `signal.next.field`"));
        };
        // `self.next` alone is a signal of that name.
        if let Expr::Field(next) = &*target.base
            && name(next).ends_with("$next")
        {
            let signal = self.value(&next.base)?;
            let (width, offset) = self.field(&target.base, &target.member)?;
            let value = self.value(&assign.right)?;
            return Ok(quote!(k::Stmt::Field { base: #signal, width: #width, offset: #offset, value: #value }));
        }
        if is_named(&target.member, "val") {
            return Err(Error::new(target.span(), "assign to `next`, not to `val`"));
        }
        let (target, value) = (name(target), self.value(&assign.right)?);
        Ok(quote!(k::Stmt::Assign(k::Expr::Signal(#target), #value)))
    }

    fn branches(&mut self, branches: &ExprIf) -> Result<TokenStream> {
        let test = self.value(&branches.cond)?;
        let then = self.block(&branches.then_branch)?;
        let otherwise = match branches.else_branch.as_ref().map(|(_, otherwise)| &**otherwise) {
            None => quote!(k::Else::Nothing),
            Some(Expr::Block(block)) => {
                let block = self.block(&block.block)?;
                quote!(k::Else::Block(#block))
            }
            Some(Expr::If(next)) => {
                let next = self.branches(next)?;
                quote!(k::Else::If(&#next))
            }
            Some(other) => return Err(Error::new(other.span(), "`else` takes a block or another `if`")),
        };
        Ok(quote!(k::If { test: #test, then: #then, otherwise: #otherwise }))
    }

    fn choice(&mut self, choice: &ExprMatch) -> Result<TokenStream> {
        let test = self.value(&choice.expr)?;
        let mut cases = vec![];
        for arm in &choice.arms {
            let condition = pattern(&arm.pat)?;
            let block = match &*arm.body {
                Expr::Block(block) => self.block(&block.block)?,
                single => {
                    let statement = self.effect(single)?;
                    quote!(&[#statement])
                }
            };
            cases.push(quote!((#condition, #block)));
        }
        Ok(quote!(k::Stmt::Match(#test, &[#(#cases),*])))
    }

    fn repeat(&mut self, repeat: &ExprForLoop) -> Result<TokenStream> {
        let refused = || Error::new(repeat.expr.span(), "loops are of the form `for i in FIRST..END`");
        let (Pat::Ident(index), Expr::Range(range)) = (&*repeat.pat, &*repeat.expr) else {
            return Err(refused());
        };
        let (from, to) = range.start.as_ref().zip(range.end.as_ref()).ok_or_else(refused)?;
        let index = index.ident.to_string();
        let from = add(&mut self.literals, from.to_token_stream());
        let to = add(&mut self.literals, to.to_token_stream());
        let body = self.block(&repeat.body)?;
        Ok(quote!(k::Stmt::Loop { index: #index, from: #from, to: #to, body: #body }))
    }

    /// `comment!("…")`, `clock!(self, clock, block, …)`.
    fn invocation(&mut self, invocation: &Macro) -> Result<TokenStream> {
        if invocation.path.is_ident("comment") {
            let text: LitStr = invocation.parse_body()?;
            return Ok(quote!(k::Stmt::Comment(#text)));
        }
        let Some(Clocks { clock, blocks, .. }) = Clocks::of(invocation) else {
            return Err(Error::new(invocation.path.span(), "a kernel has `comment!` and `clock!`, and no other macro"));
        };
        let clock = name(&clock);
        let clocks = blocks.iter().map(|block| name(quote!(#block.clock.next)));
        Ok(quote!(k::Stmt::Macro(&[#(k::Stmt::Assign(k::Expr::Signal(#clocks), k::Expr::Signal(#clock))),*])))
    }

    /// `Interface::<T>::link(&mut self.a, &mut self.b)`, and `join`.
    fn connection(&mut self, call: &ExprCall) -> Result<TokenStream> {
        let refused =
            || Error::new(call.span(), "of calls, only `Interface::link(…)` and `Interface::join(…)` are statements");
        let Expr::Path(path) = &*call.func else {
            return Err(refused());
        };
        let mut function = path.path.clone();
        let last = function.segments.last_mut().ok_or_else(refused)?;
        if !["link", "join"].iter().any(|name| last.ident == name) || call.args.len() != 2 {
            return Err(refused());
        }
        last.ident = format_ident!("{}_hdl", last.ident);
        let (left, right) = (name(&call.args[0]), name(&call.args[1]));
        let link = add(&mut self.links, quote!(#function("", #left, #right)));
        Ok(quote!(k::Stmt::Link(#link)))
    }

    fn value(&mut self, expr: &Expr) -> Result<TokenStream> {
        match expr {
            Expr::Path(_) | Expr::Index(_) => {
                let name = name(expr);
                Ok(quote!(k::Expr::Signal(#name)))
            }
            Expr::Field(field) => self.read(field),
            Expr::Paren(paren) => {
                let inner = self.value(&paren.expr)?;
                Ok(quote!(k::Expr::Paren(&#inner)))
            }
            Expr::Lit(literal) => {
                let index = add(&mut self.literals, literal.to_token_stream());
                Ok(quote!(k::Expr::Literal(#index)))
            }
            Expr::Unary(unary) => {
                let argument = self.value(&unary.expr)?;
                match unary.op {
                    UnOp::Not(_) => Ok(quote!(k::Expr::Unary(k::VerilogOpUnary::Not, &#argument))),
                    UnOp::Neg(_) => Ok(quote!(k::Expr::Unary(k::VerilogOpUnary::Neg, &#argument))),
                    _ => Err(Error::new(unary.span(), "hardware has the prefix operators `!` and `-`")),
                }
            }
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.cast(call),
            Expr::MethodCall(method) => self.method(method),
            _ => Err(Error::new(expr.span(), "this is no expression of hardware")),
        }
    }

    /// `signal.val().field`, or the name of a signal.
    fn read(&mut self, field: &ExprField) -> Result<TokenStream> {
        if let Expr::MethodCall(method) = &*field.base
            && method.method == "val"
        {
            let signal = self.value(&field.base)?;
            let (width, offset) = self.field(&field.base, &field.member)?;
            return Ok(quote!(k::Expr::Slice(&#signal, #width, &#offset)));
        }
        let name = name(field);
        // A signal of a block may have this name.
        if name.ends_with("$next") {
            return Err(Error::new(field.span(), "read a signal by `val()`, not by `next`"));
        }
        Ok(quote!(k::Expr::Signal(#name)))
    }

    /// Indices of the width and of the offset of a field of the struct that `base` is.
    fn field(&mut self, base: &Expr, member: &Member) -> Result<(usize, TokenStream)> {
        let Member::Named(field) = member else {
            return Err(Error::new(member.span(), "fields have names"));
        };
        let (width, offset) = (format_ident!("get_my_width_{field}"), format_ident!("get_my_offset_{field}"));
        let width = add(&mut self.sizes, quote!(#base.#width()));
        let offset = add(&mut self.literals, quote!(#base.#offset()));
        Ok((width, quote!(k::Expr::Literal(#offset))))
    }

    fn binary(&mut self, binary: &ExprBinary) -> Result<TokenStream> {
        let operator = match binary.op {
            BinOp::Sub(_) => "Sub",
            BinOp::Add(_) => "Add",
            BinOp::Mul(_) => "Mul",
            BinOp::And(_) => "LogicalAnd",
            BinOp::Or(_) => "LogicalOr",
            BinOp::BitXor(_) => "BitXor",
            BinOp::BitAnd(_) => "BitAnd",
            BinOp::BitOr(_) => "BitOr",
            BinOp::Shl(_) => "Shl",
            BinOp::Shr(_) => "Shr",
            BinOp::Eq(_) => "Eq",
            BinOp::Lt(_) => "Lt",
            BinOp::Le(_) => "Le",
            BinOp::Ne(_) => "Ne",
            BinOp::Ge(_) => "Ge",
            BinOp::Gt(_) => "Gt",
            _ => return Err(Error::new(binary.op.span(), "hardware does not have this operator")),
        };
        let operator = format_ident!("{operator}");
        let (left, right) = (self.value(&binary.left)?, self.value(&binary.right)?);
        Ok(quote!(k::Expr::Binary(&#left, k::VerilogOp::#operator, &#right)))
    }

    /// `bit_cast::<TO, FROM>(x)`, `bits(x)`, `Bits::…(x)`, and casts of signs.
    fn cast(&mut self, call: &ExprCall) -> Result<TokenStream> {
        let refused = || Error::new(call.span(), "hardware does not have this function: it has casts, and logic");
        let Expr::Path(path) = &*call.func else {
            return Err(refused());
        };
        let first = path.path.segments.first().ok_or_else(refused)?;
        let [argument] = &call.args.iter().collect::<Vec<_>>()[..] else {
            return Err(refused());
        };
        let argument = self.value(argument)?;
        match first.ident.to_string().as_str() {
            "unsigned_cast" => Ok(quote!(k::Expr::Unsigned(&#argument))),
            "signed_bit_cast" | "signed_cast" => Ok(quote!(k::Expr::Signed(&#argument))),
            "bit_cast" | "bits" | "Bits" => {
                let width = match parameter(&first.arguments) {
                    Some(width) => quote!(#width),
                    None => quote!((#call).bits()),
                };
                let width = add(&mut self.sizes, width);
                Ok(quote!(k::Expr::Cast(&#argument, #width)))
            }
            _ => Err(refused()),
        }
    }

    /// All bits of a value to one.
    fn reduced(&mut self, operator: &str, value: &Expr) -> Result<TokenStream> {
        let (operator, value) = (format_ident!("{operator}"), self.value(value)?);
        Ok(quote!(k::Expr::Unary(k::VerilogOpUnary::#operator, &#value)))
    }

    fn method(&mut self, method: &ExprMethodCall) -> Result<TokenStream> {
        let called = method.method.to_string();
        let arguments: Vec<&Expr> = method.args.iter().collect();
        match (called.as_str(), &arguments[..]) {
            ("val" | "into" | "index" | "to_bits", _) => self.value(&method.receiver),
            ("all", []) => self.reduced("All", &method.receiver),
            ("any", []) => self.reduced("Any", &method.receiver),
            ("xor", []) => self.reduced("Xor", &method.receiver),
            ("to_signed_bits", []) => {
                let receiver = self.value(&method.receiver)?;
                Ok(quote!(k::Expr::Signed(&#receiver)))
            }
            ("get_bit", [index]) => {
                let (receiver, index) = (self.value(&method.receiver)?, self.value(index)?);
                Ok(quote!(k::Expr::Index(&#receiver, &#index)))
            }
            ("replace_bit", [index, value]) => {
                let (receiver, index) = (self.value(&method.receiver)?, self.value(index)?);
                let value = self.value(value)?;
                Ok(quote!(k::Expr::IndexReplace(&#receiver, &#index, &#value)))
            }
            ("get_bits", [offset]) => {
                let width = method.turbofish.as_ref().and_then(|t| t.args.first());
                let width =
                    width.ok_or_else(|| Error::new(method.span(), "say how many bits: `get_bits::<WIDTH>(offset)`"))?;
                let width = add(&mut self.sizes, width.to_token_stream());
                let (receiver, offset) = (self.value(&method.receiver)?, self.value(offset)?);
                Ok(quote!(k::Expr::Slice(&#receiver, #width, &#offset)))
            }
            _ => Err(Error::new(method.method.span(), "hardware does not have this method with these arguments")),
        }
    }
}

/// The first const argument of a path's segment.
fn parameter(arguments: &PathArguments) -> Option<&GenericArgument> {
    if let PathArguments::AngleBracketed(arguments) = arguments { arguments.args.first() } else { None }
}

fn is_named(member: &Member, name: &str) -> bool {
    matches!(member, Member::Named(ident) if ident == name)
}

/// The label of a `match` arm.
fn pattern(pattern: &Pat) -> Result<String> {
    match pattern {
        Pat::Ident(_) | Pat::Path(_) => Ok(name(pattern)),
        Pat::Lit(literal) => Ok(literal.to_token_stream().to_string()),
        Pat::Wild(_) => Ok("default".into()),
        _ => Err(Error::new(pattern.span(), "hardware matches names of states, literals and `_`")),
    }
}

/// The name under which the emitter knows a signal: the path to it from `self`, its parts joined by `$`.
fn name(path: impl ToTokens) -> String {
    let text: String = path.to_token_stream().to_string().chars().filter(|c| !c.is_whitespace()).collect();
    text.replace("self.", "").replace('.', "$").replace("::", "$").replace("&mut", "")
}

/// The arguments of `clock!(self, clock, block, …)`: `clock` becomes the clock of each block.
pub struct Clocks {
    /// `self`
    pub me: Expr,
    /// The clock, as a field of `self`.
    pub clock: Expr,
    /// Fields of `self`.
    pub blocks: Punctuated<Expr, Token![,]>,
}

impl Clocks {
    /// Of an invocation of `clock!` that can be read.
    pub fn of(invocation: &Macro) -> Option<Clocks> {
        if invocation.path.is_ident("clock") { invocation.parse_body().ok() } else { None }
    }
}

impl Parse for Clocks {
    fn parse(input: ParseStream) -> Result<Clocks> {
        let me = input.parse()?;
        input.parse::<Token![,]>()?;
        let clock = input.parse()?;
        input.parse::<Token![,]>()?;
        let blocks = Punctuated::parse_terminated(input)?;
        if blocks.is_empty() {
            Err(Error::new(Span::call_site(), "no block to clock"))
        } else {
            Ok(Clocks { me, clock, blocks })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a kernel with this body.
    fn refusal(body: &str) -> String {
        let function: ItemFn = syn::parse_str(&format!("fn update(&mut self) {{ {body} }}")).expect("Rust");
        hdl(&function).expect_err("it was taken").to_string()
    }

    #[test]
    fn what_is_no_hardware_is_refused_with_what_would_be() {
        for (body, reason) in [
            ("let a = 1;", "no local variables"),
            ("self.a.val = self.b.val();", "assign to `next`"),
            ("self.a[1] = self.b.val();", "assign to `signal.next`"),
            ("self.a.next = self.b.next;", "read a signal by `val()`"),
            ("self.a.next = self.b.val() % self.c.val();", "does not have this operator"),
            ("self.a.next = self.b.val().get_bits(3);", "say how many bits"),
            ("self.a.next = self.b.val().count_ones();", "does not have this method"),
            ("self.a.next = largest(self.b.val());", "does not have this function"),
            ("for i in self.all { }", "loops are of the form"),
            ("match self.a.val() { 1 | 2 => {} _ => {} }", "hardware matches names"),
            ("println!(\"x\");", "`comment!` and `clock!`"),
            ("clock!(self, clock);", "`comment!` and `clock!`"),
            ("self.a.connect();", "no statement of hardware"),
        ] {
            let said = refusal(body);
            assert!(said.contains(reason), "{body}: {said}");
        }
        let function: ItemFn = syn::parse_quote!(
            fn update(&mut self, more: usize) {}
        );
        assert!(hdl(&function).expect_err("two arguments").to_string().contains("nothing else"));
    }

    #[test]
    fn a_signal_has_the_name_of_the_path_to_it() {
        let of = |text: &str| name(syn::parse_str::<Expr>(text).expect("Rust"));
        assert_eq!(of("self.cells[i].key.next"), "cells[i]$key$next");
        assert_eq!(of("&mut self.port"), "port");
        assert_eq!(of("State::Idle"), "State$Idle");
    }
}
