// SPDX-License-Identifier: MIT OR Apache-2.0
//! A kernel of a `block`: each statement and expression as Rust that the simulator runs, and as a tree of constants for the emitter.

mod value;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use std::collections::HashMap;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Block, Error, Expr, ExprAssign, ExprBinary, ExprCall, ExprForLoop, ExprIf, ExprMatch, ExprMethodCall, Ident,
    LitStr, Local, Macro, Pat, Result, Stmt, Token,
};

/// When the value of an expression is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// When Rust is compiled, or the block is built: it goes into the table of constants.
    Fixed,
    /// When loops are unrolled.
    Number,
    /// In hardware.
    Hard,
}

/// An expression, for the simulator and for the emitter.
pub struct Made {
    pub runs: TokenStream,
    pub tree: TokenStream,
    pub class: Class,
}

impl Made {
    /// As Rust that takes the type wanted where it stands.
    pub fn fitted(&self) -> TokenStream {
        let runs = &self.runs;
        if self.class == Class::Hard { quote!(#runs) } else { quote!(v::fit(#runs)) }
    }
}

/// The tables of a kernel, and the names that are known where we are.
#[derive(Default)]
pub struct Kernel {
    constants: Vec<TokenStream>,
    widths: Vec<TokenStream>,
    types: Vec<TokenStream>,
    calls: Vec<TokenStream>,
    /// Local constants, which the tables need too.
    pub prelude: Vec<TokenStream>,
    names: Vec<HashMap<String, Class>>,
    /// How many branches and loops we are in.
    depth: usize,
}

/// Adds to a table and gives the index.
fn add(table: &mut Vec<TokenStream>, item: TokenStream) -> usize {
    table.push(item);
    table.len() - 1
}

impl Kernel {
    /// The tables, as fields of the tree.
    pub fn tables(&self) -> TokenStream {
        let Kernel { constants, widths, types, calls, .. } = self;
        quote! {
            file: file!(),
            constants: vec![#(::millrace_hdl::front::value::Fixed::constant(#constants)),*],
            widths: vec![#(#widths),*],
            types: vec![#(<#types as ::rust_hdl_core::prelude::Synth>::descriptor()),*],
            calls: vec![#(#calls),*],
        }
    }

    /// Makes a name known as one of hardware.
    pub fn bind(&mut self, name: &Ident) {
        self.bind_as(name, Class::Hard);
    }

    fn bind_as(&mut self, name: &Ident, class: Class) {
        if self.names.is_empty() {
            self.names.push(HashMap::new());
        }
        self.names.last_mut().expect("there is one").insert(name.to_string(), class);
    }

    /// What a local variable is.
    pub fn class_of_name(&self, name: &Ident) -> Option<Class> {
        self.names.iter().rev().find_map(|names| names.get(&name.to_string()).copied())
    }

    /// The class of what the tokens are, by the names in them.
    pub fn class_of(&self, tokens: TokenStream) -> Class {
        let mut class = Class::Fixed;
        let mut after_dot = false;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let found = match &token {
                TokenTree::Ident(name) if *name == "self" => class_of_field(&mut tokens.clone()),
                TokenTree::Ident(name) if !after_dot => self.class_of_name(name).unwrap_or(Class::Fixed),
                TokenTree::Group(group) => self.class_of(group.stream()),
                _ => Class::Fixed,
            };
            class = class.max(found);
            after_dot = matches!(&token, TokenTree::Punct(dot) if dot.as_char() == '.');
        }
        class
    }

    /// Statements in a scope of their own.
    pub fn statements(&mut self, block: &Block) -> Result<(TokenStream, TokenStream)> {
        self.names.push(HashMap::new());
        let made = self.each(&block.stmts);
        self.names.pop();
        made
    }

    /// Statements and the value behind them.
    pub fn block_with_value(&mut self, block: &Block) -> Result<(TokenStream, TokenStream, TokenStream)> {
        let Some((Stmt::Expr(value, None), before)) = block.stmts.split_last() else {
            return Err(Error::new(block.span(), "this block has no value"));
        };
        self.names.push(HashMap::new());
        let made = self.each(before).and_then(|(runs, body)| {
            let value = self.value(value)?;
            let (result, tree) = (value.fitted(), value.tree);
            Ok((quote!(#runs #result), body, tree))
        });
        self.names.pop();
        made
    }

    fn each(&mut self, statements: &[Stmt]) -> Result<(TokenStream, TokenStream)> {
        let (mut runs, mut trees) = (TokenStream::new(), vec![]);
        let mut errors: Option<Error> = None;
        for statement in statements {
            match self.statement(statement) {
                Ok((run, tree)) => {
                    runs.extend(run);
                    let line = line(statement.span());
                    trees.extend(tree.map(|what| quote!(t::Stmt { line: #line, what: t::What::#what })));
                }
                Err(error) => match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                },
            }
        }
        errors.map_or(Ok((runs, quote!(&[#(#trees),*]))), Err)
    }

    /// What runs, and the statement of the tree, if it is one of hardware.
    fn statement(&mut self, statement: &Stmt) -> Result<(TokenStream, Option<TokenStream>)> {
        let hard = |(runs, tree)| (runs, Some(tree));
        match statement {
            Stmt::Local(local) => self.local(local),
            Stmt::Expr(expr, _) => self.effect(expr).map(hard),
            Stmt::Macro(invocation) => self.invocation(&invocation.mac).map(hard),
            Stmt::Item(item) => Err(Error::new(item.span(), "items stand outside a kernel")),
        }
    }

    /// `let`: a wire; of a constant, and not `mut`, that constant.
    fn local(&mut self, local: &Local) -> Result<(TokenStream, Option<TokenStream>)> {
        let (pattern, type_) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, Some(&typed.ty)),
            pattern => (pattern, None),
        };
        let Pat::Ident(name) = pattern else {
            return Err(Error::new(pattern.span(), "`let` takes one name"));
        };
        let Some(init) = &local.init else {
            return Err(Error::new(local.span(), "`let` takes a value"));
        };
        let fixed = self.class_of(init.expr.to_token_stream()) == Class::Fixed && !is_struct(&init.expr);
        if fixed && type_.is_none() && name.mutability.is_none() && self.depth == 0 {
            self.bind_as(&name.ident, Class::Fixed);
            let statement = quote!(#[allow(unused_variables)] #local);
            self.prelude.push(statement.clone());
            return Ok((statement, None));
        }
        let value = self.value(&init.expr)?;
        if value.class == Class::Number && type_.is_none() && name.mutability.is_none() {
            return Err(Error::new(
                init.expr.span(),
                "write a number of the loop where it is used, or give the `let` a type",
            ));
        }
        self.bind(&name.ident);
        let (runs, tree, text) = (value.fitted(), &value.tree, name.ident.to_string());
        let written = type_.map(|type_| quote!(: #type_));
        let type_ = match type_ {
            Some(type_) => {
                let index = add(&mut self.types, type_.to_token_stream());
                quote!(Some(#index))
            }
            None => quote!(None),
        };
        Ok((quote!(let #name #written = #runs;), Some(quote!(Let(#text, #type_, #tree)))))
    }

    /// A statement in place of a block.
    fn single(&mut self, expr: &Expr) -> Result<(TokenStream, TokenStream)> {
        let line = line(expr.span());
        let (runs, tree) = self.effect(expr)?;
        Ok((runs, quote!(&[t::Stmt { line: #line, what: t::What::#tree }])))
    }

    fn effect(&mut self, expr: &Expr) -> Result<(TokenStream, TokenStream)> {
        match expr {
            Expr::Assign(assign) => self.assignment(assign),
            Expr::Binary(binary) => self.changed(binary),
            Expr::If(branches) => self.branches(branches),
            Expr::Match(choice) => self.choice(choice),
            Expr::ForLoop(repeat) => self.repeat(repeat),
            Expr::Macro(invocation) => self.invocation(&invocation.mac),
            Expr::Call(call) => self.connection(call),
            Expr::MethodCall(call) => self.bit(call),
            _ => Err(Error::new(expr.span(), "this is no statement of hardware")),
        }
    }

    fn assignment(&mut self, assign: &ExprAssign) -> Result<(TokenStream, TokenStream)> {
        let place = self.place(&assign.left)?;
        let place = place.ok_or_else(|| Error::new(assign.left.span(), "this cannot be assigned"))?;
        let value = self.value(&assign.right)?;
        let (target, runs, tree, path) = (place.target(), value.fitted(), value.tree, place.tree());
        Ok((quote!(#target = #runs;), quote!(Set(#path, #tree))))
    }

    /// `x += y`
    fn changed(&mut self, binary: &ExprBinary) -> Result<(TokenStream, TokenStream)> {
        let Some(op) = value::changing(&binary.op) else {
            return Err(Error::new(binary.span(), "this is no statement of hardware"));
        };
        let right = ExprBinary { attrs: vec![], left: binary.left.clone(), op, right: binary.right.clone() };
        self.assignment(&ExprAssign {
            attrs: vec![],
            left: binary.left.clone(),
            eq_token: Token![=](binary.span()),
            right: Box::new(Expr::Binary(right)),
        })
    }

    fn branches(&mut self, branches: &ExprIf) -> Result<(TokenStream, TokenStream)> {
        let test = self.value(&branches.cond)?;
        self.depth += 1;
        let (then, then_tree) = self.statements(&branches.then_branch)?;
        let (otherwise, tree) = match branches.else_branch.as_ref().map(|(_, otherwise)| &**otherwise) {
            None => (TokenStream::new(), quote!(&[])),
            Some(Expr::Block(block)) => self.statements(&block.block)?,
            Some(next) => self.single(next)?,
        };
        self.depth -= 1;
        let (runs, test) = (&test.runs, &test.tree);
        Ok((quote!(if #runs { #then } else { #otherwise }), quote!(If(#test, #then_tree, #tree))))
    }

    fn choice(&mut self, choice: &ExprMatch) -> Result<(TokenStream, TokenStream)> {
        let test = self.value(&choice.expr)?;
        let (mut arms, mut trees) = (vec![], vec![]);
        self.depth += 1;
        for arm in &choice.arms {
            let (pattern, states) = (&arm.pat, value::states(&arm.pat)?);
            let (runs, tree) = match &*arm.body {
                Expr::Block(block) => self.statements(&block.block)?,
                single => self.single(single)?,
            };
            arms.push(quote!(#pattern => { #runs }));
            trees.push(quote!(t::Arm { states: &[#(#states),*], body: #tree, value: None }));
        }
        self.depth -= 1;
        let (runs, test) = (&test.runs, &test.tree);
        Ok((quote!(match #runs { #(#arms)* }), quote!(Match(#test, &[#(#trees),*]))))
    }

    fn repeat(&mut self, repeat: &ExprForLoop) -> Result<(TokenStream, TokenStream)> {
        let refused = || Error::new(repeat.expr.span(), "loops are of the form `for i in FIRST..END`");
        let (Pat::Ident(index), Expr::Range(range)) = (&*repeat.pat, &*repeat.expr) else {
            return Err(refused());
        };
        let (from, to) = range.start.as_ref().zip(range.end.as_ref()).ok_or_else(refused)?;
        let (from, to) = (self.value(from)?, self.value(to)?);
        if from.class.max(to.class) == Class::Hard {
            return Err(Error::new(repeat.expr.span(), "how often a loop runs must be known when the block is built"));
        }
        self.names.push(HashMap::new());
        self.bind_as(&index.ident, Class::Number);
        self.depth += 1;
        let body = self.statements(&repeat.body);
        self.depth -= 1;
        self.names.pop();
        let (runs, body) = body?;
        let (name, text) = (&index.ident, index.ident.to_string());
        let (first, last, from, to) = (&from.runs, &to.runs, &from.tree, &to.tree);
        Ok((quote!(for #name in #first..#last { #runs }), quote!(For(#text, #from, #to, #body))))
    }

    /// `comment!("…")`
    fn invocation(&mut self, invocation: &Macro) -> Result<(TokenStream, TokenStream)> {
        if !invocation.path.is_ident("comment") {
            return Err(Error::new(invocation.path.span(), "a kernel has `comment!`, and no other macro"));
        }
        let text: LitStr = invocation.parse_body()?;
        Ok((TokenStream::new(), quote!(Comment(#text))))
    }

    /// `link(self.a, self.b.a)`: two ends of a bundle that face the same way, the own one first; `join` of those of two sub-blocks.
    fn connection(&mut self, call: &ExprCall) -> Result<(TokenStream, TokenStream)> {
        let refused = || Error::new(call.span(), "of calls, only `link(…, …)` and `join(…, …)` are statements");
        let (Expr::Path(path), [left, right]) = (&*call.func, &call.args.iter().collect::<Vec<_>>()[..]) else {
            return Err(refused());
        };
        let name = path.path.get_ident().ok_or_else(refused)?;
        let (left, right) = (self.place(left)?.ok_or_else(refused)?, self.place(right)?.ok_or_else(refused)?);
        let (a, b, left, right) = (left.native(), right.native(), left.tree(), right.tree());
        let runs = match name.to_string().as_str() {
            "link" => quote!(::rust_hdl_core::prelude::LogicLink::link(&mut #a, &mut #b);),
            "join" => quote!((#a).join(&mut #b);),
            _ => return Err(refused()),
        };
        Ok((runs, quote!(Link(#left, #right))))
    }

    /// `x.set_bit(index, bit)`
    fn bit(&mut self, call: &ExprMethodCall) -> Result<(TokenStream, TokenStream)> {
        let refused = || Error::new(call.span(), "of methods, only `set_bit(index, bit)` is a statement");
        let (true, [index, bit]) = (call.method == "set_bit", &call.args.iter().collect::<Vec<_>>()[..]) else {
            return Err(refused());
        };
        let place = self.place(&call.receiver)?.ok_or_else(refused)?;
        let (index, bit) = (self.index(index)?, self.value(bit)?);
        let (target, path, at, value) = (place.target(), place.tree(), index.runs, bit.fitted());
        let (index, bit) = (index.tree, bit.tree);
        let runs = quote!({
            let (at, value) = (#at, #value);
            let target = &mut #target;
            *target = target.replace_bit(at, value);
        });
        Ok((runs, quote!(SetBit(#path, #index, #bit))))
    }
}

/// Fields whose names begin with `_` are plain Rust, and so is the `len()` of a `Vec`.
fn class_of_field(behind_self: &mut dyn Iterator<Item = TokenTree>) -> Class {
    let tokens: Vec<TokenTree> = behind_self.take(5).collect();
    match &tokens[..] {
        [TokenTree::Punct(_), TokenTree::Ident(name), ..] if name.to_string().starts_with('_') => Class::Fixed,
        [_, _, TokenTree::Punct(_), TokenTree::Ident(name), TokenTree::Group(none)]
            if name == "len" && none.stream().is_empty() =>
        {
            Class::Fixed
        }
        _ => Class::Hard,
    }
}

/// The line in the source.
#[cfg(not(test))]
fn line(span: Span) -> usize {
    span.unwrap().line()
}

/// The line in the text that a test gave: there is no compiler around it.
#[cfg(test)]
fn line(span: Span) -> usize {
    span.start().line
}

fn is_struct(expr: &Expr) -> bool {
    matches!(expr, Expr::Struct(_))
}

/// The arguments of a call.
fn arguments<P>(arguments: &Punctuated<Expr, P>) -> Vec<&Expr> {
    arguments.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(text: &str) -> Result<(TokenStream, TokenStream)> {
        Kernel::default().statements(&syn::parse_str(text).expect("Rust"))
    }

    #[test]
    fn what_is_no_hardware_is_refused_where_it_stands() {
        for (body, reason, place) in [
            ("{ let (a, b) = self.c; }", "`let` takes one name", "(a, b)"),
            ("{ let a; }", "`let` takes a value", "let a;"),
            ("{ 5 = self.a; }", "cannot be assigned", "5"),
            ("{ self.a = self.b % self.c.next(); }", "does not have this method", "next"),
            ("{ self.a = self.b.get_bits(3); }", "say how many bits", "self.b.get_bits(3)"),
            ("{ self.a = cast(self.b); }", "say how many bits", "cast(self.b)"),
            ("{ self.a = if self.b { self.c }; }", "has an `else`", "if self.b { self.c }"),
            ("{ self.a = self.b[self.c]; }", "must be known when it is built", "self.c"),
            ("{ for i in self.all { } }", "loops are of the form", "self.all"),
            ("{ for i in 0..self.n { } }", "how often a loop runs", "0..self.n"),
            ("{ self.a = match self.b { 1 => self.c, _ => self.d }; }", "hardware matches states", "1"),
            ("{ println!(\"x\"); }", "`comment!`, and no other macro", "println"),
            ("{ self.a.connect(); }", "only `set_bit", "self.a.connect()"),
            ("{ self.a = &self.b; }", "no expression of hardware", "&self.b"),
            ("{ self.a = \"text\" == self.b; }", "hardware has numbers", "\"text\""),
        ] {
            let error = kernel(body).expect_err(body);
            assert!(error.to_string().contains(reason), "{body}: {error}");
            assert_eq!(error.span().source_text().as_deref(), Some(place), "{body}");
        }
    }

    #[test]
    fn all_faults_of_a_kernel_are_told_at_once() {
        let error = kernel("{ 1 = self.a; self.b = self.c; 2 = self.d; }").expect_err("two faults");
        assert_eq!(error.into_iter().count(), 2);
    }

    #[test]
    fn classes_say_when_a_value_is_known() {
        let mut kernel = Kernel::default();
        kernel.bind(&syn::parse_quote!(wire));
        kernel.bind_as(&syn::parse_quote!(i), Class::Number);
        for (text, class) in [
            ("W / 8 - 1", Class::Fixed),
            ("self._count", Class::Fixed),
            ("self.count.len() - 1", Class::Fixed),
            ("x.wire", Class::Fixed),
            ("W * i", Class::Number),
            ("self.count", Class::Hard),
            ("i + f(wire)", Class::Hard),
        ] {
            assert_eq!(kernel.class_of(text.parse().expect("tokens")), class, "{text}");
        }
    }

    #[test]
    fn a_path_goes_on_in_the_value_of_a_signal() {
        let (runs, tree) = kernel("{ self.a[1].b = self.c.d; }").expect("a kernel");
        let runs = runs.to_string().replace(' ', "");
        assert_eq!(runs, "*(&mut(&mutself.a[1]).target().b).target()=(&(&self.c).step().d).read();");
        assert!(tree.to_string().contains("Step :: Index"), "{tree}");
    }
}
