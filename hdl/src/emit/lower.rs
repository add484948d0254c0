// SPDX-License-Identifier: MIT OR Apache-2.0
//! From rust-hdl's AST to sized statements over a symbol table.
use super::expr::*;
use super::tree::Node;
use num_bigint::{BigInt, BigUint};
use rust_hdl_core::ast::*;
use rust_hdl_core::atom::AtomKind;
use rust_hdl_core::bits::clog2;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::HashMap;
pub type R<T> = Result<T, String>;
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Role { In, Out, Inout, Local, Const, KidIn, KidOut, Helper }
pub struct Sym { pub name: String, pub w: usize, pub signed: bool, pub role: Role, pub desc: TypeDescriptor, pub val: BigUint, pub kid: usize }
#[derive(Clone, Debug)]
pub enum St {
    Set { sig: usize, lo: usize, w: usize, rhs: Ex },
    SetBit { sig: usize, idx: Ex, rhs: Ex },
    If(Ex, Vec<St>, Vec<St>),
    Case(Ex, Vec<(Option<(String, BigUint)>, Vec<St>)>),
    Note(String),
}
pub struct Lower { pub syms: Vec<Sym>, pub by: HashMap<String, usize>, pub enums: HashMap<String, (BigUint, usize)>, loops: Vec<(String, i64)>, tmp: Vec<St>, hint: String }
pub fn lit(v: &VerilogLiteral) -> (BigInt, usize) {
    let s = format!("{v:x}");                                 // the fields are private; the text is not
    let (b, h) = s.split_once("'h").unwrap();
    (BigInt::parse_bytes(h.as_bytes(), 16).unwrap(), b.parse().unwrap())
}
fn fit(v: BigInt, w: usize) -> R<Ex> {
    let m = BigInt::from(1) << w;
    let u = if v < BigInt::from(0) { &m + &v } else { v.clone() };
    match u.to_biguint() { Some(x) if BigInt::from(x.clone()) < m => Ok(con(x, w)), _ => Err(format!("literal {v} does not fit {w} bits")) }
}
fn flat(s: &str) -> String { s.replace("::", "$").replace('.', "$").trim_start_matches('$').trim_end_matches("$next").to_string() }
impl Lower {
    pub fn new(n: &Node) -> Lower {
        let mut l = Lower { syms: vec![], by: HashMap::new(), enums: HashMap::new(), loops: vec![], tmp: vec![], hint: String::new() };
        for a in &n.atoms {
            let role = match a.kind { AtomKind::InputParameter => Role::In, AtomKind::OutputParameter => Role::Out, AtomKind::InOutParameter => Role::Inout, AtomKind::Constant => Role::Const, _ => Role::Local };
            l.add(a.name.clone(), a.name.replace('$', "_"), a.w, a.signed, role, a.desc.clone(), lit(&a.val).0.to_biguint().unwrap_or_default(), usize::MAX);
        }
        for (i, k) in n.kids.iter().enumerate() {
            let reg = matches!(k.prim.as_deref(), Some("reg" | "dff"));
            for a in k.atoms.iter().filter(|a| a.kind.is_parameter()) {
                let role = if a.kind == AtomKind::InputParameter { Role::KidIn } else { Role::KidOut };
                let base = k.name.replace('$', "_");
                let name = if reg && a.name == "q" { base } else { format!("{base}_{}", a.name.replace('$', "_")) };
                l.add(format!("{}${}", k.name, a.name), name, a.w, a.signed, role, a.desc.clone(), Default::default(), i);
            }
        }
        l
    }
    fn add(&mut self, key: String, name: String, w: usize, signed: bool, role: Role, desc: TypeDescriptor, val: BigUint, kid: usize) -> usize {
        let mut name = name;
        while self.syms.iter().any(|s| s.name == name) || KEYWORDS.contains(&name.as_str()) { name.push('_') }
        self.enum_of(&desc, w);
        self.by.insert(key, self.syms.len());
        self.syms.push(Sym { name, w, signed, role, desc, val, kid });
        self.syms.len() - 1
    }
    fn enum_of(&mut self, d: &TypeDescriptor, w: usize) {
        match &d.kind {
            TypeKind::Enum(v) => for (i, x) in v.iter().enumerate() {
                if self.enums.insert(flat(x), (i.into(), w)).is_none() {
                    let d = TypeDescriptor { name: d.name.clone(), kind: TypeKind::Bits(w) };
                    self.add(flat(x), flat(x).replace('$', "_"), w, false, Role::Const, d, i.into(), usize::MAX);
                }
            },
            TypeKind::Composite(v) => for f in v { self.enum_of(&f.kind, width(&f.kind)) },
            _ => {}
        }
    }
    pub fn full(&self, s: usize) -> Ex { Ex { w: self.syms[s].w, k: K::Part { sig: s, lo: 0, full: true } } }
    fn helper(&mut self, e: Ex) -> usize {
        let n = format!("{}_t{}", self.hint, self.syms.len());
        let s = self.add(n.clone(), n, e.w, false, Role::Helper, TypeDescriptor { name: "Bits".into(), kind: TypeKind::Bits(e.w) }, Default::default(), usize::MAX);
        self.tmp.push(St::Set { sig: s, lo: 0, w: e.w, rhs: e });
        s
    }
    fn cut(&mut self, e: Ex, lo: usize, w: usize) -> Ex {
        match slice(&e, lo, w) { Some(x) => x, None => { let s = self.helper(e); slice(&self.full(s), lo, w).unwrap() } }
    }
    // ------------------------------------------------ names
    fn path(&self, s: &str) -> R<String> {
        let mut out = String::new();
        let mut rest = s;
        while let Some(a) = rest.find('[') {
            let b = rest[a..].find(']').ok_or("unbalanced [")? + a;
            out += &format!("{}${}", &rest[..a], self.int(&rest[a + 1..b])?);
            rest = &rest[b + 1..];
        }
        Ok(flat(&(out + rest)))
    }
    fn int(&self, t: &str) -> R<i64> {                          // + - * and names of loop variables, left to right with *
        let t = t.trim_start_matches('(').trim_end_matches(')');
        if let Some(p) = t.rfind(['+', '-']).filter(|p| *p > 0) {
            let (a, b) = (self.int(&t[..p])?, self.int(&t[p + 1..])?);
            return Ok(if t.as_bytes()[p] == b'+' { a + b } else { a - b });
        }
        if let Some((a, b)) = t.rsplit_once('*') { return Ok(self.int(a)? * self.int(b)?) }
        if let Some((_, v)) = self.loops.iter().rev().find(|(n, _)| n == t) { return Ok(*v) }
        t.trim_end_matches("usize").parse().map_err(|_| format!("index `{t}` is neither a number nor a loop variable (a Rust const cannot be seen here)"))
    }
    pub fn sym(&self, s: &str) -> R<usize> {
        let p = self.path(s)?;
        self.by.get(&p).copied().ok_or_else(|| format!("`{s}` is not a signal of this block (a Rust const, or a path the macro cannot translate): use a Constant field or a `_field` loop bound"))
    }
    // ------------------------------------------------ types
    fn ty(&self, e: &VerilogExpression) -> R<Option<(usize, bool)>> {
        use VerilogExpression as V;
        Ok(match e {
            V::Signal(s) => {
                if self.loops.iter().any(|l| l.0 == *s) { return Ok(None) }
                let y = &self.syms[self.sym(s)?]; Some((y.w, y.signed))
            }
            V::Literal(v) => if lit(v).1 == 1 { Some((1, false)) } else { None },
            V::Cast(_, w) => Some((*w, false)),
            V::Signed(x) => self.ty(x)?.map(|t| (t.0, true)),
            V::Unsigned(x) => self.ty(x)?.map(|t| (t.0, false)),
            V::Paren(x) => self.ty(x)?,
            V::Binary(a, op, b) => match op {
                VerilogOp::Eq | VerilogOp::Ne | VerilogOp::Lt | VerilogOp::Le | VerilogOp::Gt | VerilogOp::Ge | VerilogOp::LogicalAnd | VerilogOp::LogicalOr => Some((1, false)),
                VerilogOp::Shl | VerilogOp::Shr => self.ty(a)?,
                VerilogOp::Mul => match (self.ty(a)?, self.ty(b)?) { (Some((16, s)), Some((16, t))) if s == t => Some((32, s)), (None, None) => None, _ => return Err("products are 16 x 16 bits".into()) },
                _ => { let t = self.ty(a)?; if t.is_some() { t } else { self.ty(b)? } }
            },
            V::Unary(VerilogOpUnary::Not | VerilogOpUnary::Neg, x) => self.ty(x)?,
            V::Unary(..) | V::Index(..) => Some((1, false)),
            V::Slice(b, w, off) => { let sg = self.field_signed(b, off, *w); Some((*w, sg.unwrap_or(self.ty(b)?.map_or(false, |t| t.1)))) }
            V::IndexReplace(a, ..) => self.ty(a)?,
        })
    }
    fn field_signed(&self, b: &VerilogExpression, off: &VerilogExpression, w: usize) -> Option<bool> {
        let (VerilogExpression::Signal(s), VerilogExpression::Literal(o)) = (b, off) else { return None };
        let o = o.as_usize();
        let TypeKind::Composite(v) = &self.syms[self.sym(s).ok()?].desc.kind else { return None };
        let mut p = 0;
        for f in v { let fw = width(&f.kind); if p == o && fw == w { return Some(matches!(f.kind.kind, TypeKind::Signed(_))) } p += fw }
        None
    }
    fn konst(&self, e: &VerilogExpression) -> R<BigInt> {
        use VerilogExpression as V;
        Ok(match e {
            V::Literal(v) => lit(v).0,
            V::Signal(s) => BigInt::from(self.int(s)?),
            V::Paren(x) | V::Signed(x) | V::Unsigned(x) => self.konst(x)?,
            V::Unary(VerilogOpUnary::Neg, x) => -self.konst(x)?,
            V::Binary(a, op, b) => { let (a, b) = (self.konst(a)?, self.konst(b)?); match op { VerilogOp::Add => a + b, VerilogOp::Sub => a - b, VerilogOp::Mul => a * b, _ => return Err("operator on two literals".into()) } }
            _ => return Err(format!("not a constant: {e:?}")),
        })
    }
    // ------------------------------------------------ expressions
    pub fn ex(&mut self, e: &VerilogExpression, want: Option<usize>) -> R<Ex> {
        use VerilogExpression as V;
        let t = self.ty(e)?;
        let Some((w, _)) = t else { return fit(self.konst(e)?, want.ok_or_else(|| format!("no width for literal {e:?}"))?) };
        let r = match e {
            V::Signed(_) => return Err("signed_cast/signed_bit_cast inside an expression: its width is not in the AST; assign it to a Local first".into()),
            V::Paren(x) | V::Unsigned(x) => self.ex(x, None)?,
            V::Literal(v) => fit(lit(v).0, 1)?,
            V::Signal(s) => { let i = self.sym(s)?; self.full(i) }
            V::Cast(x, w) => match self.ty(x)? {
                None => fit(self.konst(x)?, *w)?,
                Some((n, _)) => { let i = self.ex(x, None)?; if *w <= n { self.cut(i, 0, *w) } else { zext(i, *w) } }
            },
            V::Unary(op, x) => {
                let i = self.ex(x, None)?;
                match op { VerilogOpUnary::Not => un("~", i, w), VerilogOpUnary::Neg => un("-", i, w), VerilogOpUnary::All => un("&", i, 1), VerilogOpUnary::Any => un("|", i, 1), VerilogOpUnary::Xor => un("^", i, 1) }
            }
            V::Binary(a, op, b) => self.binary(a, op, b, w)?,
            V::Index(b, i) => { let x = self.ex(b, None)?; self.select(x, i, 1)? }
            V::Slice(b, w, o) => { let x = self.ex(b, None)?; self.select(x, o, *w)? }
            V::IndexReplace(a, i, v) => {
                let (x, v) = (self.ex(a, None)?, self.ex(v, Some(1))?);
                if self.ty(i)?.is_none() {
                    let k = usize::try_from(self.konst(i)?).map_err(|_| "negative index")?;
                    if k >= w { return Err(format!("replace_bit({k}) of {w} bits")) }
                    let (hi, lo) = (self.cut(x.clone(), k + 1, w - k - 1), self.cut(x, 0, k));
                    cat(vec![hi, v, lo])
                } else {
                    let i = self.ex(i, None)?;
                    let m = un("~", bin(con(1u8.into(), w), "<<", i.clone(), w), w);
                    bin(bin(x, "&", m, w), "|", bin(zext(v, w), "<<", i, w), w)
                }
            }
        };
        match want {
            Some(n) if n != r.w => Err(format!("{} bits where {n} are needed: {e:?}", r.w)),
            _ => Ok(r),
        }
    }
    fn atom(&mut self, e: Ex) -> Ex { if matches!(e.k, K::Part { .. }) { e } else { let s = self.helper(e); self.full(s) } }
    fn select(&mut self, x: Ex, off: &VerilogExpression, w: usize) -> R<Ex> {
        if self.ty(off)?.is_none() {
            let o = usize::try_from(self.konst(off)?).map_err(|_| "negative offset")?;
            if o + w > x.w { return Err(format!("bits [{}:{o}] of a {}-bit value", o + w - 1, x.w)) }
            return Ok(self.cut(x, o, w));
        }
        let o = self.ex(off, None)?;
        let o = if o.w < clog2(x.w) { zext(o, clog2(x.w)) } else { o };
        if o.w < 24 && w == 1 && o.w == clog2(x.w) || o.w < 24 && (1usize << o.w) - 1 + w <= x.w {
            let sig = match x.k { K::Part { sig, full: true, .. } => sig, _ => self.helper(x) };
            return Ok(Ex { w, k: K::Dyn { sig, off: Box::new(o) } });
        }
        let xw = x.w;                                            // may run over the top: zeros, as in Rust
        let sh = bin(x, ">>", o, xw);
        Ok(self.cut(sh, 0, w))
    }
    fn binary(&mut self, a: &VerilogExpression, op: &VerilogOp, b: &VerilogExpression, w: usize) -> R<Ex> {
        use VerilogOp::*;
        let (ta, tb) = (self.ty(a)?, self.ty(b)?);
        if let Shl | Shr = op {
            if ta.is_none() { return Err("shift of a literal".into()) }
            let x = self.ex(a, None)?;
            if tb.is_some() { let s = self.ex(b, None)?; return Ok(bin(x, if let Shl = op { "<<" } else { ">>" }, s, w)) }
            let k = usize::try_from(self.konst(b)?).map_err(|_| "negative shift")?.min(w);
            let keep = if let Shl = op { slice(&x, 0, w - k) } else { slice(&x, k, w - k) };
            return Ok(match (keep, op) {
                (Some(y), Shl) => cat(vec![y, zero(k)]),
                (Some(y), _) => zext(y, w),
                (None, _) => bin(x, if let Shl = op { "<<" } else { ">>" }, con(k.into(), 32), w),
            });
        }
        if let Mul = op { let (x, y) = (self.ex(a, None)?, self.ex(b, None)?);
            if ta.unwrap().1 { let (x, y) = (self.atom(x), self.atom(y)); let s = |e| Ex { w, k: K::Sext(Box::new(e)) }; return Ok(bin(s(x), "*", s(y), w)) }
            return Ok(bin(zext(x, w), "*", zext(y, w), w)) }
        let ow = ta.or(tb).map(|t| t.0);
        if ow.is_none() { return Err("operator on two literals".into()) }
        let x = self.ex(a, ow)?;
        let y = if matches!(op, Add) && tb.map(|t| t.0) == Some(1) && ow != Some(1) { zext(self.ex(b, None)?, ow.unwrap()) } else { self.ex(b, ow)? };
        let sg = ta.or(tb).unwrap().1;
        let s = match op { Add => "+", Sub => "-", LogicalAnd => "&&", LogicalOr => "||", BitXor => "^", BitAnd => "&", BitOr => "|", Eq => "==", Ne => "!=",
            Lt => if sg { "s<" } else { "<" }, Le => if sg { "s<=" } else { "<=" }, Gt => if sg { "s>" } else { ">" }, Ge => if sg { "s>=" } else { ">=" }, _ => unreachable!() };
        Ok(bin(x, s, y, w))
    }
    // ------------------------------------------------ statements
    pub fn block(&mut self, b: &[VerilogStatement], out: &mut Vec<St>) -> R<()> { for s in b { self.stmt(s, out)? } Ok(()) }
    fn push(&mut self, s: St, out: &mut Vec<St>) { out.append(&mut self.tmp); out.push(s) }
    fn target(&mut self, s: &str) -> R<usize> {
        let i = self.sym(s)?;
        if matches!(self.syms[i].role, Role::In | Role::Const | Role::KidOut) { return Err(format!("assignment to `{s}`, which this block does not drive")) }
        self.hint = self.syms[i].name.clone();
        Ok(i)
    }
    fn stmt(&mut self, s: &VerilogStatement, out: &mut Vec<St>) -> R<()> {
        use VerilogStatement as S;
        match s {
            S::Assignment(VerilogExpression::Signal(l), r) => {
                let sig = self.target(l)?;
                let w = self.syms[sig].w;
                if let VerilogExpression::IndexReplace(a, i, v) = r {
                    if let VerilogExpression::Signal(x) = a.as_ref() { if self.sym(x)? == sig {       // x = x.replace_bit(i, v)
                        let v = self.ex(v, Some(1))?;
                        if self.ty(i)?.is_none() {
                            let k = usize::try_from(self.konst(i)?).map_err(|_| "negative index")?;
                            if k >= w { return Err(format!("replace_bit({k}) of {w} bits")) }
                            self.push(St::Set { sig, lo: k, w: 1, rhs: v }, out);
                        } else { let idx = self.ex(i, None)?; let idx = if idx.w < clog2(w) { zext(idx, clog2(w)) } else { idx }; self.push(St::SetBit { sig, idx, rhs: v }, out) }
                        return Ok(());
                    } }
                }
                let mut r = r;
                while let VerilogExpression::Paren(x) = r { r = x }
                let rhs = match r {
                    VerilogExpression::Signed(x) => match self.ty(x)? {                  // signed_cast, or signed_bit_cast to the target's width
                        Some((n, sg)) if n == w || sg => { let i = self.ex(x, None)?; let i = self.atom(i); if w <= n { slice(&i, 0, w).unwrap() } else { Ex { w, k: K::Sext(Box::new(i)) } } }
                        None => fit(self.konst(x)?, w)?,
                        _ => return Err(format!("{l}: cast of another width")),
                    },
                    _ => self.ex(r, Some(w)).map_err(|m| format!("{l}: {m}"))?,
                };
                self.push(St::Set { sig, lo: 0, w, rhs }, out);
            }
            S::SliceAssignment { base: VerilogExpression::Signal(l), width, offset, replacement } => {
                let sig = self.target(l)?;
                let lo = usize::try_from(self.konst(offset)?).map_err(|_| "offset")?;
                let rhs = self.ex(replacement, Some(*width)).map_err(|m| format!("{l}: {m}"))?;
                self.push(St::Set { sig, lo, w: *width, rhs }, out);
            }
            S::If(c) => {
                let t = self.ex(&c.test, Some(1))?;
                let (mut a, mut b, pre) = (vec![], vec![], std::mem::take(&mut self.tmp));
                self.block(&c.then, &mut a)?;
                match &c.otherwise {
                    VerilogBlockOrConditional::Block(x) => self.block(x, &mut b)?,
                    VerilogBlockOrConditional::Conditional(x) => self.stmt(x, &mut b)?,
                    VerilogBlockOrConditional::None => {}
                }
                self.tmp = pre;
                self.push(St::If(t, a, b), out);
            }
            S::Match(m) => {
                let t = self.ex(&m.test, None)?;
                let pre = std::mem::take(&mut self.tmp);
                let mut v = vec![];
                for c in &m.cases {
                    let lab = if c.condition == "default" { None } else {
                        let (val, w) = self.enums.get(&flat(&c.condition)).cloned().ok_or_else(|| format!("match arm `{}` is not an enum state", c.condition))?;
                        if w != t.w { return Err("match arm of another enum".into()) }
                        Some((c.condition.replace('$', "_"), val))
                    };
                    let mut b = vec![];
                    self.block(&c.block, &mut b)?;
                    v.push((lab, b));
                }
                if v.iter().all(|x| x.0.is_some()) { v.last_mut().unwrap().0 = None }              // exhaustive in Rust: no latch
                self.tmp = pre;
                self.push(St::Case(t, v), out);
            }
            S::Loop(l) if self.by.contains_key(&l.index) => return Err(format!("loop variable `{0}` has the name of the signal `self.{0}`: the macro drops `self.`", l.index)),
            S::Loop(l) => for i in l.from.as_usize()..l.to.as_usize() {
                self.loops.push((l.index.clone(), i as i64));
                let r = self.block(&l.block, out);
                self.loops.pop();
                r?
            },
            S::Comment(c) => { let c = c.trim(); let c = ["comment!", "println!", "assert!"].iter().find_map(|p| c.strip_prefix(p)).unwrap_or(c); out.push(St::Note(c.trim_matches([' ', '(', ')', '"']).into())) }
            S::Link(v) => for k in v {
                let (d, fwd) = match k { VerilogLink::Forward(d) => (d, true), VerilogLink::Backward(d) => (d, false), VerilogLink::Bidirectional(_) => return Err("tri-state".into()) };
                let n = |o: &str| format!("{o}${}", flat(&d.my_name)).trim_end_matches('$').to_string();
                let (t, s) = if fwd { (n(&d.other_name), n(&d.owner_name)) } else { (n(&d.owner_name), n(&d.other_name)) };
                let (t, s) = (self.target(&t)?, self.sym(&s)?);
                out.push(St::Set { sig: t, lo: 0, w: self.syms[t].w, rhs: self.full(s) });
            },
            S::Macro(m) => self.block(m, out)?,
            _ => return Err(format!("statement {s:?}")),
        }
        Ok(())
    }
}
pub fn width(d: &TypeDescriptor) -> usize {
    match &d.kind { TypeKind::Bits(n) | TypeKind::Signed(n) => *n, TypeKind::Enum(v) => clog2(v.len()), TypeKind::Composite(v) => v.iter().map(|f| width(&f.kind)).sum() }
}
const KEYWORDS: &[&str] = &["input", "output", "inout", "wire", "reg", "module", "case", "default", "begin", "end", "assign", "always", "initial", "parameter", "signed", "table", "buf", "and", "or", "not", "xor", "nor", "nand", "task", "function", "event", "time", "real", "integer", "small", "medium", "large", "strong0", "force", "release", "wait", "repeat", "forever", "for", "while", "if", "else", "logic", "bit", "byte", "int", "packed", "struct", "union", "unique", "priority", "static", "type", "var", "void", "do", "final", "local", "new", "null", "property", "rand", "ref", "return", "sequence", "super", "this", "with", "checker", "config", "edge", "disable", "matches", "tagged", "expect", "context"];

/// The value of a literal, whose fields rust-hdl keeps private.
pub fn literal_value(v: &VerilogLiteral) -> BigUint { lit(v).0.to_biguint().unwrap_or_default() }
