// SPDX-License-Identifier: MIT OR Apache-2.0
//! Expressions of a kernel.

use super::{Class, Kernel, Made, add, arguments, is_struct};
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    BinOp, Block, Error, Expr, ExprBinary, ExprCall, ExprIf, ExprLit, ExprMatch, ExprMethodCall, ExprStruct,
    GenericArgument, Lit, Member, Pat, Path, PathArguments, Result, Token, UnOp,
};

fn hard(runs: TokenStream, tree: TokenStream) -> Made {
    Made { runs, tree, class: Class::Hard }
}

impl Kernel {
    /// Any expression.
    pub fn value(&mut self, expr: &Expr) -> Result<Made> {
        if let Expr::Lit(literal) = expr {
            return self.literal(literal);
        }
        if let Some(state) = state(expr) {
            return Ok(hard(quote!(#expr), quote!(t::Expr::State(#state))));
        }
        if self.class_of(expr.to_token_stream()) == Class::Fixed && !is_struct(expr) {
            let index = add(&mut self.constants, quote!(#expr));
            return Ok(Made { runs: quote!((#expr)), tree: quote!(t::Expr::Constant(#index)), class: Class::Fixed });
        }
        if let Some(place) = self.place(expr)? {
            let path = place.tree();
            return Ok(hard(place.read(), quote!(t::Expr::Path(#path))));
        }
        match expr {
            Expr::Path(path) => {
                let name = path.path.get_ident().map(ToString::to_string).unwrap_or_default();
                let path = quote!(t::Path { own: false, steps: &[t::Step::Field(#name)] });
                Ok(Made { runs: quote!(#expr), tree: quote!(t::Expr::Path(#path)), class: Class::Number })
            }
            Expr::Paren(inner) => {
                let Made { runs, tree, class } = self.value(&inner.expr)?;
                Ok(Made { runs: quote!((#runs)), tree, class })
            }
            Expr::Unary(unary) => {
                let Made { runs, tree, class } = self.value(&unary.expr)?;
                let (op, name) = match unary.op {
                    UnOp::Not(op) => (op.to_token_stream(), quote!(Not)),
                    UnOp::Neg(op) => (op.to_token_stream(), quote!(Negate)),
                    _ => return Err(Error::new(unary.span(), "hardware has the prefix operators `!` and `-`")),
                };
                Ok(Made { runs: quote!((#op #runs)), tree: quote!(t::Expr::Unary(t::Unary::#name, &#tree)), class })
            }
            Expr::Binary(binary) => self.binary(binary),
            Expr::MethodCall(method) => self.method(method),
            Expr::Call(call) => self.call(call),
            Expr::If(branches) => self.choose(branches),
            Expr::Match(choice) => self.select(choice),
            Expr::Struct(literal) => self.structure(literal),
            Expr::Block(block) => {
                let (runs, tree) = self.branch(&block.block)?;
                let test = quote!(&t::Expr::Bit(true));
                Ok(hard(quote!({ #runs }), quote!(t::Expr::If(#test, &#tree, &#tree))))
            }
            _ => Err(Error::new(expr.span(), "this is no expression of hardware")),
        }
    }

    fn literal(&mut self, literal: &ExprLit) -> Result<Made> {
        let (tree, class) = match &literal.lit {
            Lit::Int(number) => {
                let value: u128 = number.base10_parse()?;
                (quote!(t::Expr::Number(#value)), Class::Fixed)
            }
            Lit::Bool(bit) => (quote!(t::Expr::Bit(#bit)), Class::Hard),
            _ => return Err(Error::new(literal.span(), "hardware has numbers, `true` and `false`")),
        };
        // Rust takes a number that nothing says a type of for an i32.
        let long = matches!(&literal.lit, Lit::Int(number)
            if number.suffix().is_empty() && number.base10_parse::<u128>().is_ok_and(|n| n > i32::MAX as u128));
        let runs = if long { format!("{}_u64", literal.to_token_stream()).parse()? } else { quote!(#literal) };
        Ok(Made { runs, tree, class })
    }

    fn binary(&mut self, binary: &ExprBinary) -> Result<Made> {
        let op = binary.op;
        let name = operator(&op).ok_or_else(|| Error::new(binary.op.span(), "hardware does not have this operator"))?;
        let name = format_ident!("{name}");
        let (left, right) = (self.value(&binary.left)?, self.value(&binary.right)?);
        let (a, b, x, y) = (&left.runs, &right.runs, &left.tree, &right.tree);
        let shift = match op {
            BinOp::Shl(_) => Some(quote!(v::shift_left)),
            BinOp::Shr(_) => Some(quote!(v::shift_right)),
            _ => None,
        };
        let logic = matches!(op, BinOp::And(_) | BinOp::Or(_));
        let runs = match (left.class, right.class, shift) {
            (Class::Hard, _, Some(shift)) => quote!(#shift(#a, v::amount(#b))),
            (Class::Hard, Class::Hard, _) | (_, Class::Hard, Some(_)) => quote!((#a #op #b)),
            _ if logic => quote!((#a #op #b)),
            (Class::Hard, ..) => quote!({ let a = #a; a #op v::like(&a, #b) }),
            (_, Class::Hard, _) => quote!({ let b = #b; v::like(&b, #a) #op b }),
            _ => quote!((#a #op #b)),
        };
        let tree = quote!(t::Expr::Binary(&#x, t::Binary::#name, &#y));
        Ok(Made { runs, tree, class: left.class.max(right.class) })
    }

    /// An index or offset: Rust's number, or bits.
    pub fn index(&mut self, expr: &Expr) -> Result<Made> {
        let index = self.value(expr)?;
        let runs = &index.runs;
        Ok(if index.class == Class::Hard { Made { runs: quote!((#runs).index()), ..index } } else { index })
    }

    fn method(&mut self, method: &ExprMethodCall) -> Result<Made> {
        let Made { runs, tree, .. } = self.value(&method.receiver)?;
        let name = &method.method;
        let reduced = |operator: &str| {
            let operator = format_ident!("{operator}");
            hard(quote!((#runs).#name()), quote!(t::Expr::Unary(t::Unary::#operator, &#tree)))
        };
        match (name.to_string().as_str(), &arguments(&method.args)[..]) {
            ("all", []) => Ok(reduced("All")),
            ("any", []) => Ok(reduced("Any")),
            ("xor", []) => Ok(reduced("Parity")),
            ("get_bit", [index]) => {
                let Made { runs: at, tree: index, .. } = self.index(index)?;
                Ok(hard(quote!((#runs).get_bit(#at)), quote!(t::Expr::GetBit(&#tree, &#index))))
            }
            ("get_bits", [offset]) => {
                let width = method.turbofish.as_ref().and_then(|t| t.args.first());
                let width =
                    width.ok_or_else(|| Error::new(method.span(), "say how many bits: `get_bits::<WIDTH>(offset)`"))?;
                let index = add(&mut self.widths, width.to_token_stream());
                let Made { runs: at, tree: offset, .. } = self.index(offset)?;
                let tree = quote!(t::Expr::GetBits(&#tree, #index, &#offset));
                Ok(hard(quote!(v::get_bits::<#width, _>(#runs, #at)), tree))
            }
            ("replace_bit", [index, bit]) => {
                let (index, bit) = (self.index(index)?, self.value(bit)?);
                let (at, value, index, bit) = (index.runs, bit.fitted(), index.tree, bit.tree);
                let tree = quote!(t::Expr::ReplaceBit(&#tree, &#index, &#bit));
                Ok(hard(quote!((#runs).replace_bit(#at, #value)), tree))
            }
            _ => Err(Error::new(name.span(), "hardware does not have this method with these arguments")),
        }
    }

    /// `cast::<WIDTH>(x)`, `concat::<WIDTH>(x, y, …)`, `pack`, `unpack`, and functions of hardware.
    fn call(&mut self, call: &ExprCall) -> Result<Made> {
        let Expr::Path(path) = &*call.func else {
            return Err(Error::new(call.func.span(), "a call names its function"));
        };
        let last = path.path.segments.last().expect("a path has segments");
        let width = parameter(&last.arguments);
        match (last.ident.to_string().as_str(), &arguments(&call.args)[..]) {
            ("cast" | "bit_cast", [value]) => {
                let width =
                    width.ok_or_else(|| Error::new(call.span(), "say how many bits: `cast::<WIDTH>(value)`"))?;
                let index = add(&mut self.widths, quote!(#width));
                let Made { runs, tree, .. } = self.value(value)?;
                Ok(hard(quote!(v::cast::<#width, _>(#runs)), quote!(t::Expr::Cast(&#tree, #index))))
            }
            ("pack", [value]) => {
                let width =
                    width.ok_or_else(|| Error::new(call.span(), "say how many bits: `pack::<WIDTH>(value)`"))?;
                let index = add(&mut self.widths, quote!(#width));
                let Made { runs, tree, .. } = self.value(value)?;
                Ok(hard(quote!(v::pack::<#width, _>(#runs)), quote!(t::Expr::Pack(&#tree, #index))))
            }
            ("unpack", [value]) => {
                let type_ =
                    width.ok_or_else(|| Error::new(call.span(), "say of what type: `unpack::<Struct>(bits)`"))?;
                let index = add(&mut self.types, quote!(#type_));
                let Made { runs, tree, .. } = self.value(value)?;
                Ok(hard(quote!(v::unpack::<#type_, _>(#runs)), quote!(t::Expr::Unpack(&#tree, #index))))
            }
            ("concat", parts) => {
                let width = width
                    .ok_or_else(|| Error::new(call.span(), "say how many bits: `concat::<WIDTH>(high, …, low)`"))?;
                let index = add(&mut self.widths, quote!(#width));
                let parts = parts.iter().map(|part| self.value(part)).collect::<Result<Vec<_>>>()?;
                let (runs, trees) = (parts.iter().map(|part| &part.runs), parts.iter().map(|part| &part.tree));
                let tree = quote!(t::Expr::Concat(&[#(#trees),*], #index));
                Ok(hard(quote!(v::Concat::<#width>::default()#(.push(#runs))*.value()), tree))
            }
            (_, values) => {
                let (function, kernel) = (&path.path, kernel_of(&path.path));
                let index = add(&mut self.calls, kernel);
                let values = values.iter().map(|value| self.value(value)).collect::<Result<Vec<_>>>()?;
                let (runs, trees) = (values.iter().map(Made::fitted), values.iter().map(|value| &value.tree));
                Ok(hard(quote!(#function(#(#runs),*)), quote!(t::Expr::Call(#index, &[#(#trees),*]))))
            }
        }
    }

    /// A block as a branch of an expression.
    fn branch(&mut self, block: &Block) -> Result<(TokenStream, TokenStream)> {
        self.depth += 1;
        let made = self.block_with_value(block);
        self.depth -= 1;
        let (runs, body, value) = made?;
        Ok((runs, quote!(t::Block { body: #body, value: #value })))
    }

    fn choose(&mut self, branches: &ExprIf) -> Result<Made> {
        let test = self.value(&branches.cond)?;
        let (then, then_tree) = self.branch(&branches.then_branch)?;
        let (otherwise, tree) = match branches.else_branch.as_ref().map(|(_, otherwise)| &**otherwise) {
            Some(Expr::Block(block)) => self.branch(&block.block)?,
            Some(Expr::If(next)) => {
                let Made { runs, tree, .. } = self.choose(next)?;
                (runs, quote!(t::Block { body: &[], value: #tree }))
            }
            _ => return Err(Error::new(branches.span(), "an `if` that is a value has an `else`")),
        };
        let (runs, test) = (&test.runs, &test.tree);
        let runs = quote!(if #runs { #then } else { #otherwise });
        Ok(hard(quote!((#runs)), quote!(t::Expr::If(&#test, &#then_tree, &#tree))))
    }

    fn select(&mut self, choice: &ExprMatch) -> Result<Made> {
        let test = self.value(&choice.expr)?;
        let (mut arms, mut trees) = (vec![], vec![]);
        self.depth += 1;
        for arm in &choice.arms {
            let (pattern, states) = (&arm.pat, states(&arm.pat)?);
            let (runs, body, value) = match &*arm.body {
                Expr::Block(block) => self.block_with_value(&block.block)?,
                single => {
                    let value = self.value(single)?;
                    (value.fitted(), quote!(&[]), value.tree)
                }
            };
            arms.push(quote!(#pattern => { #runs }));
            trees.push(quote!(t::Arm { states: &[#(#states),*], body: #body, value: Some(#value) }));
        }
        self.depth -= 1;
        let (runs, test) = (&test.runs, &test.tree);
        Ok(hard(quote!((match #runs { #(#arms)* })), quote!(t::Expr::Match(&#test, &[#(#trees),*]))))
    }

    fn structure(&mut self, literal: &ExprStruct) -> Result<Made> {
        let (mut runs, mut trees) = (vec![], vec![]);
        for field in &literal.fields {
            let Member::Named(name) = &field.member else {
                return Err(Error::new(field.span(), "fields have names"));
            };
            let (value, text) = (self.value(&field.expr)?, name.to_string());
            let (fitted, tree) = (value.fitted(), &value.tree);
            runs.push(quote!(#name: #fitted,));
            trees.push(quote!((#text, #tree)));
        }
        let (path, mut like, mut tree) = (&literal.path, TokenStream::new(), quote!(None));
        if let Some(rest) = &literal.rest {
            let base = self.value(rest)?;
            let (runs, inner) = (&base.runs, &base.tree);
            like = quote!(..#runs);
            tree = quote!(Some(&#inner));
        }
        Ok(hard(quote!(#path { #(#runs)* #like }), quote!(t::Expr::Struct(#tree, &[#(#trees),*]))))
    }
}

/// The tree of a function, which is an item of the type that has its name.
fn kernel_of(path: &Path) -> TokenStream {
    let mut owner = path.clone();
    let last = owner.segments.last_mut().expect("a path has segments");
    let arguments = std::mem::take(&mut last.arguments);
    quote!(#owner::kernel #arguments())
}

/// The first const argument of a path's segment.
fn parameter(arguments: &PathArguments) -> Option<&GenericArgument> {
    if let PathArguments::AngleBracketed(arguments) = arguments { arguments.args.first() } else { None }
}

/// A state of an enum: `State::Idle`. Constants are in capitals.
fn state(expr: &Expr) -> Option<String> {
    if let Expr::Path(path) = expr { state_of(&path.path) } else { None }
}

fn state_of(path: &Path) -> Option<String> {
    let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let [.., owner, last] = &names[..] else { return None };
    let camel = |name: &str| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    (camel(owner) && camel(last)).then(|| format!("{owner}${last}"))
}

/// The states that a pattern names; none for all others.
pub fn states(pattern: &Pat) -> Result<Vec<String>> {
    let refused = || Error::new(pattern.span(), "hardware matches states of an enum, and `_`");
    match pattern {
        Pat::Wild(_) => Ok(vec![]),
        Pat::Path(path) => state_of(&path.path).map(|state| vec![state]).ok_or_else(refused),
        Pat::Or(cases) => {
            let all = cases.cases.iter().map(states).collect::<Result<Vec<_>>>()?;
            if all.iter().any(Vec::is_empty) { Err(refused()) } else { Ok(all.concat()) }
        }
        _ => Err(refused()),
    }
}

/// The operator that `x op= y` has.
pub fn changing(op: &BinOp) -> Option<BinOp> {
    Some(match op {
        BinOp::AddAssign(op) => BinOp::Add(Token![+](op.span())),
        BinOp::SubAssign(op) => BinOp::Sub(Token![-](op.span())),
        BinOp::BitAndAssign(op) => BinOp::BitAnd(Token![&](op.span())),
        BinOp::BitOrAssign(op) => BinOp::BitOr(Token![|](op.span())),
        BinOp::BitXorAssign(op) => BinOp::BitXor(Token![^](op.span())),
        BinOp::ShlAssign(op) => BinOp::Shl(Token![<<](op.span())),
        BinOp::ShrAssign(op) => BinOp::Shr(Token![>>](op.span())),
        _ => return None,
    })
}

fn operator(op: &BinOp) -> Option<&'static str> {
    Some(match op {
        BinOp::Add(_) => "Add",
        BinOp::Sub(_) => "Sub",
        BinOp::Mul(_) => "Mul",
        BinOp::Div(_) => "Div",
        BinOp::Rem(_) => "Rem",
        BinOp::And(_) => "LogicalAnd",
        BinOp::Or(_) => "LogicalOr",
        BinOp::BitAnd(_) => "And",
        BinOp::BitOr(_) => "Or",
        BinOp::BitXor(_) => "Xor",
        BinOp::Shl(_) => "ShiftLeft",
        BinOp::Shr(_) => "ShiftRight",
        BinOp::Eq(_) => "Equal",
        BinOp::Ne(_) => "NotEqual",
        BinOp::Lt(_) => "Less",
        BinOp::Le(_) => "LessEqual",
        BinOp::Gt(_) => "Greater",
        BinOp::Ge(_) => "GreaterEqual",
        _ => return None,
    })
}
