// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sized expressions: every node knows its width, so nothing is left to Verilog's context rules.
use num_bigint::BigUint;
#[derive(Clone, Debug, PartialEq)]
pub enum K {
    Const(BigUint),
    Part { sig: usize, lo: usize, full: bool },          // one flat constant select
    Dyn { sig: usize, off: Box<Ex> },                    // sig[off +: w]
    Un(&'static str, Box<Ex>),
    Bin(Box<Ex>, &'static str, Box<Ex>),
    Cat(Vec<Ex>),                                        // most significant first
    Sext(Box<Ex>),
}
#[derive(Clone, Debug, PartialEq)]
pub struct Ex { pub w: usize, pub k: K }
pub fn con(v: BigUint, w: usize) -> Ex { Ex { w, k: K::Const(v) } }
pub fn zero(w: usize) -> Ex { con(BigUint::default(), w) }
fn mask(w: usize) -> BigUint { (BigUint::from(1u8) << w) - 1u8 }
pub fn un(op: &'static str, a: Ex, w: usize) -> Ex { Ex { w, k: K::Un(op, Box::new(a)) } }
pub fn bin(a: Ex, op: &'static str, b: Ex, w: usize) -> Ex {
    if op == "|" { if let Some(m) = merge(&a, &b) { return m } }
    Ex { w, k: K::Bin(Box::new(a), op, Box::new(b)) }
}
pub fn cat(parts: Vec<Ex>) -> Ex {
    let mut v: Vec<Ex> = vec![];
    for p in parts { if p.w == 0 { continue } match p.k {
        K::Cat(x) => v.extend(x),
        K::Const(ref c) => match v.last_mut() {                     // join neighbouring constants
            Some(Ex { w, k: K::Const(d) }) => { *d = (d.clone() << p.w) | c; *w += p.w }
            _ => v.push(p),
        },
        _ => v.push(p),
    } }
    if v.len() == 1 { return v.pop().unwrap() }
    Ex { w: v.iter().map(|x| x.w).sum(), k: K::Cat(v) }
}
pub fn zext(e: Ex, w: usize) -> Ex { if e.w == w { e } else { cat(vec![zero(w - e.w), e]) } }
/// bits [lo +: w] of an expression without a helper, where that is possible
pub fn slice(e: &Ex, lo: usize, w: usize) -> Option<Ex> {
    if lo == 0 && w == e.w { return Some(e.clone()) }
    if w == 0 { return Some(zero(0)) }
    if lo >= e.w { return Some(zero(w)) }
    if lo + w > e.w { return slice(e, lo, e.w - lo).map(|x| zext(x, w)) }
    Some(match &e.k {
        K::Const(c) => con((c >> lo) & mask(w), w),
        K::Part { sig, lo: l, .. } => Ex { w, k: K::Part { sig: *sig, lo: l + lo, full: false } },
        K::Cat(v) => {
            let (mut out, mut pos) = (vec![], 0);
            for p in v.iter().rev() {
                let (a, b) = (lo.max(pos), (lo + w).min(pos + p.w));
                if a < b { out.push(slice(p, a - pos, b - a)?) }
                pos += p.w;
            }
            out.reverse();
            cat(out)
        }
        K::Un("~", a) => un("~", slice(a, lo, w)?, w),
        K::Bin(a, op @ ("&" | "|" | "^"), b) => bin(slice(a, lo, w)?, op, slice(b, lo, w)?, w),
        K::Bin(a, op @ ("+" | "-"), b) if lo == 0 => bin(slice(a, 0, w)?, op, slice(b, 0, w)?, w),
        _ => return None,
    })
}
/// `{x, 8'd0} | {8'd0, y}` is `{x, y}`
fn merge(a: &Ex, b: &Ex) -> Option<Ex> {
    let cuts = |e: &Ex| -> Vec<usize> { let mut p = 0; let mut v = vec![0];
        match &e.k { K::Cat(x) => for s in x.iter().rev() { p += s.w; v.push(p) }, _ => v.push(e.w) } v };
    if !matches!(a.k, K::Cat(_)) && !matches!(b.k, K::Cat(_)) { return None }
    let mut c = cuts(a); c.extend(cuts(b)); c.sort(); c.dedup();
    let mut out = vec![];
    for p in c.windows(2) {
        let (x, y) = (slice(a, p[0], p[1] - p[0])?, slice(b, p[0], p[1] - p[0])?);
        out.push(if x == zero(x.w) { y } else if y == zero(y.w) { x } else { return None });
    }
    out.reverse();
    Some(cat(out))
}
impl Ex {
    pub fn sigs(&self, f: &mut dyn FnMut(usize)) {
        match &self.k {
            K::Const(_) => {}
            K::Part { sig, .. } => f(*sig),
            K::Dyn { sig, off } => { f(*sig); off.sigs(f) }
            K::Un(_, a) | K::Sext(a) => a.sigs(f),
            K::Bin(a, _, b) => { a.sigs(f); b.sigs(f) }
            K::Cat(v) => v.iter().for_each(|x| x.sigs(f)),
        }
    }
    pub fn parts(&self, f: &mut dyn FnMut(usize, usize, usize)) {
        match &self.k {
            K::Const(_) => {}
            K::Part { sig, lo, .. } => f(*sig, *lo, self.w),
            K::Dyn { sig, off } => { f(*sig, 0, usize::MAX); off.parts(f) }
            K::Un(_, a) | K::Sext(a) => a.parts(f),
            K::Bin(a, _, b) => { a.parts(f); b.parts(f) }
            K::Cat(v) => v.iter().for_each(|x| x.parts(f)),
        }
    }
    pub fn simple(&self) -> bool { matches!(self.k, K::Const(_) | K::Part { .. }) }
    /// Text; `n` names a signal, `top` leaves the outer parentheses out.
    pub fn show(&self, n: &dyn Fn(usize) -> String, top: bool) -> String {
        let par = |s: String| if top { s } else { format!("({s})") };
        match &self.k {
            K::Const(c) if self.w == 1 => format!("1'b{c}"),
            K::Const(c) if *c < BigUint::from(10u8) => format!("{}'d{c}", self.w),
            K::Const(c) => format!("{}'h{c:x}", self.w),
            K::Part { sig, full: true, .. } => n(*sig),
            K::Part { sig, lo, .. } if self.w == 1 => format!("{}[{lo}]", n(*sig)),
            K::Part { sig, lo, .. } => format!("{}[{}:{lo}]", n(*sig), lo + self.w - 1),
            K::Dyn { sig, off } if self.w == 1 => format!("{}[{}]", n(*sig), off.show(n, true)),
            K::Dyn { sig, off } => format!("{}[{} +: {}]", n(*sig), off.show(n, true), self.w),
            K::Un("~", a) if a.w == 1 => format!("!{}", a.show(n, false)),
            K::Un(op, a) => { let t = format!("{op}{}", a.show(n, false)); if op.len() == 1 && *op != "~" { par(t) } else { t } }
            K::Bin(a, op, b) if op.starts_with('s') => par(format!("$signed({}) {} $signed({})", a.show(n, true), &op[1..], b.show(n, true))),
            K::Bin(a, op @ ("<<" | ">>"), b) if matches!(b.k, K::Const(_)) => { let K::Const(c) = &b.k else { unreachable!() }; par(format!("{} {op} {c}", a.show(n, false))) }
            K::Bin(a, op, b) => par(format!("{} {op} {}", a.show(n, false), b.show(n, false))),
            K::Cat(v) => format!("{{{}}}", v.iter().map(|x| x.show(n, true)).collect::<Vec<_>>().join(", ")),
            K::Sext(a) => { let s = slice(a, a.w - 1, 1).expect("sext of a plain signal"); format!("{{{{{}{{{}}}}}, {}}}", self.w - a.w, s.show(n, true), a.show(n, true)) }
        }
    }
}
