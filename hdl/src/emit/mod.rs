// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verilog from rust-hdl blocks: sized expressions, one module per distinct block, registers inlined.
mod expr;
mod lower;
mod tree;
use expr::*;
use lower::*;
use rust_hdl_core::ast::Verilog;
use rust_hdl_core::prelude::Block;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use tree::{collect, Node};

struct Module { name: String, base: String, ty: String, body: String, layouts: Vec<String>, paths: Vec<String>, outs: Vec<String> }
#[derive(Default)]
struct Emit { mods: Vec<Module>, cores: BTreeSet<String>, top: Option<String>, errors: Vec<String> }
/// The Verilog of `u`, or every place where the Rust cannot be translated.
pub fn verilog(u: &dyn Block, top: Option<&str>) -> Result<String, Vec<String>> {
    let mut root = collect(u, "top");
    let mut e = Emit { top: top.map(|s| s.into()), ..Default::default() };
    e.module(&mut root, "top");
    if !e.errors.is_empty() { return Err(e.errors) }
    let mut s = String::new();
    for m in e.mods.iter().rev() {
        writeln!(s, "// {}: from the Rust block {}", m.name, m.ty).unwrap();
        let p = &m.paths;
        writeln!(s, "// {}{}", p[0], if p.len() > 1 { format!(" and {} more", p.len() - 1) } else { String::new() }).unwrap();
        for l in &m.layouts { writeln!(s, "//   {l}").unwrap() }
        writeln!(s, "module {}{}endmodule\n", m.name, m.body).unwrap();
    }
    for c in &e.cores { s += c; s.push('\n') }
    Ok(s)
}
fn short(t: &str) -> String {                                   // a::b::Tcam<c::D, 16> is Tcam<D, 16>
    let mut out = String::new();
    for part in t.split_inclusive(['<', '>', ',', ' ']) { out += part.rsplit("::").next().unwrap() }
    out
}
fn snake(t: &str) -> String {
    let mut o = String::new();
    for (i, c) in t.chars().enumerate() {
        if c.is_uppercase() && i > 0 && !o.ends_with('_') { o.push('_') }
        if c.is_alphanumeric() { o.push(c.to_ascii_lowercase()) } else if !o.ends_with('_') { o.push('_') }
    }
    o.trim_matches('_').into()
}
fn layout(d: &TypeDescriptor, out: &mut Vec<String>) {
    if let TypeKind::Composite(v) = &d.kind {
        let mut p = 0;
        let f: Vec<String> = v.iter().map(|f| { let w = width(&f.kind); p += w; if w == 1 { format!("{} [{}]", f.fieldname, p - 1) } else { format!("{} [{}:{}]", f.fieldname, p - 1, p - w) } }).collect();
        let l = format!("{}: {}", d.name, f.join(", "));
        if !out.contains(&l) { out.push(l) }
    }
}
fn range(w: usize) -> String { if w == 1 { String::new() } else { format!("[{}:0] ", w - 1) } }
fn visit<'a>(s: &'a St, w: &mut dyn FnMut(usize), r: &mut dyn FnMut(&'a Ex)) {
    match s {
        St::Set { sig, rhs, .. } => { w(*sig); r(rhs) }
        St::SetBit { sig, idx, rhs } => { w(*sig); r(idx); r(rhs) }
        St::If(t, a, b) => { r(t); for x in a.iter().chain(b) { visit(x, w, r) } }
        St::Case(t, v) => { r(t); for x in v.iter().flat_map(|c| &c.1) { visit(x, w, r) } }
        St::Note(_) => {}
    }
}
fn writes(s: &St) -> Vec<usize> { let mut v = vec![]; visit(s, &mut |x| if !v.contains(&x) { v.push(x) }, &mut |_| {}); v }
fn reads(s: &St) -> HashSet<usize> { let mut v = HashSet::new(); visit(s, &mut |_| {}, &mut |e| e.sigs(&mut |x| { v.insert(x); })); v }
type Cov = HashMap<usize, Vec<bool>>;
/// Which bits are written on every path; a read of a bit not yet written goes to `early`.
fn cover(b: &[St], c: &mut Cov, early: &mut BTreeSet<usize>) {
    let chk = |e: &Ex, c: &Cov, early: &mut BTreeSet<usize>| e.parts(&mut |s, lo, w| if let Some(v) = c.get(&s) {
        let hi = if w == usize::MAX { v.len() } else { lo + w };
        if v[lo..hi].contains(&false) { early.insert(s); }
    });
    let meet = |a: &mut Cov, b: &Cov| for (k, v) in a.iter_mut() { for (x, y) in v.iter_mut().zip(&b[k]) { *x &= *y } };
    for s in b { match s {
        St::Set { sig, lo, w, rhs } => { chk(rhs, c, early); if let Some(v) = c.get_mut(sig) { v[*lo..lo + w].fill(true) } }
        St::SetBit { idx, rhs, .. } => { chk(idx, c, early); chk(rhs, c, early) }
        St::If(t, a, b) => { chk(t, c, early); let mut d = c.clone(); cover(a, c, early); cover(b, &mut d, early); meet(c, &d) }
        St::Case(t, v) => { chk(t, c, early); let base = c.clone(); for (i, (_, x)) in v.iter().enumerate() { let mut d = base.clone(); cover(x, &mut d, early); if i == 0 { *c = d } else { meet(c, &d) } } }
        St::Note(_) => {}
    } }
}
fn find(p: &mut Vec<usize>, i: usize) -> usize { let mut i = i; while p[i] != i { p[i] = p[p[i]]; i = p[i] } i }

impl Emit {
    fn module(&mut self, n: &mut Node, path: &str) -> usize {
        let kids: Vec<Option<usize>> = { let mut v = vec![]; for k in n.kids.iter_mut() {
            let reg = matches!(k.prim.as_deref(), Some("reg" | "dff"));
            let p = format!("{path}.{}", k.name.replace('$', "_"));
            v.push(if reg { None } else { Some(self.module(k, &p)) });
        } v };
        let base = match (&n.ty, path, &self.top) { (_, "top", Some(t)) => t.clone(), (Some(t), ..) => snake(short(t).split('<').next().unwrap()), _ => snake(n.name.trim_end_matches(|c: char| c == '$' || c.is_ascii_digit())) };
        let mut layouts = vec![];
        for a in &n.atoms { layout(&a.desc, &mut layouts) }
        let (body, outs) = match self.body(n, &kids) { Ok(b) => b, Err(m) => { self.errors.extend(m.into_iter().map(|m| format!("{path} ({base}): {m}"))); (String::new(), vec![]) } };
        if let Some(i) = self.mods.iter().position(|m| (m.base == base || n.ty.is_none()) && m.body == body) { self.mods[i].paths.push(path.into()); return i }
        let mut name = base.clone();
        let mut k = 1;
        while self.mods.iter().any(|m| m.name == name) {
            name = match &n.ty { Some(t) if k == 1 && t.contains('<') => snake(&short(t)), _ => format!("{base}_{}", k + 1) };
            k += 1;
        }
        let ty = n.ty.as_deref().map(short).unwrap_or("(no tag)".into());
        self.mods.push(Module { name, base, ty, body, layouts, paths: vec![path.into()], outs });
        self.mods.len() - 1
    }
    fn body(&mut self, n: &Node, kids: &[Option<usize>]) -> Result<(String, Vec<String>), Vec<String>> {
        let mut l = Lower::new(n);
        let mut err: Vec<String> = vec![];
        let mut st = vec![];
        let mut custom = None;
        match &n.code {
            Verilog::Combinatorial(b) => for s in b { if let Err(m) = l.block(std::slice::from_ref(s), &mut st) { err.push(m) } },
            Verilog::Custom(c) => custom = Some((c.clone(), "reg ")),
            Verilog::Wrapper(w) => { self.cores.insert(w.cores.clone()); custom = Some((w.code.clone(), "")) }
            Verilog::Blackbox(_) => err.push("black boxes: use a wrapper".into()),
            Verilog::Empty => {}
        }
        if !err.is_empty() { return Err(err) }
        let syms = &l.syms;
        // ---- which statements stand alone, which share an always block
        let (w, r): (Vec<_>, Vec<_>) = st.iter().map(|s| (writes(s), reads(s))).unzip();
        let mut wr: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, v) in w.iter().enumerate() { for s in v { wr.entry(*s).or_default().push(i) } }
        let mut uf: Vec<usize> = (0..st.len()).collect();
        let mut multi = HashSet::new();
        for (s, v) in &wr {
            let mut bits = vec![false; syms[*s].w];
            let alone = v.iter().all(|i| match &st[*i] { St::Set { lo, w, .. } => { let ok = !bits[*lo..lo + w].contains(&true); bits[*lo..lo + w].fill(true); ok } _ => false });
            if !alone { multi.insert(*s); } else if bits.contains(&false) { err.push(format!("{}: bits never driven", syms[*s].name)) }
        }
        for (i, rd) in r.iter().enumerate() { for s in rd { if let Some(v) = wr.get(s) {
            if v.iter().all(|j| *j >= i) && !w[i].contains(s) && syms[*s].role != Role::KidIn { err.push(format!("{} is read before it is written", syms[*s].name)) }
            if multi.contains(s) && v.iter().any(|j| *j < i) && v.iter().any(|j| *j > i) {              // reads an intermediate value
                for t in &w[i] { multi.insert(*t); }
                let (a, b) = (find(&mut uf, i), find(&mut uf, v[0]));
                uf[a] = b;
            }
        } } }
        for s in &multi { let v = &wr[s]; for j in &v[1..] { let (a, b) = (find(&mut uf, *j), find(&mut uf, v[0])); uf[a] = b } }
        let lone = |i: usize| matches!(&st[i], St::Set { sig, .. } if !multi.contains(sig));
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();                                 // keyed by first statement
        let mut first: HashMap<usize, usize> = HashMap::new();
        for i in 0..st.len() { if !lone(i) && !matches!(st[i], St::Note(_)) { let g = find(&mut uf, i); let f = *first.entry(g).or_insert(i); groups.entry(f).or_default().push(i) } }
        // ---- latches, early reads, undriven
        for g in groups.values() {
            let mut cov: Cov = g.iter().flat_map(|i| &w[*i]).map(|s| (*s, vec![false; syms[*s].w])).collect();
            let mut early = BTreeSet::new();
            let b: Vec<St> = g.iter().map(|i| st[*i].clone()).collect();
            cover(&b, &mut cov, &mut early);
            for s in early { if syms[s].role != Role::KidIn { err.push(format!("{} is read before it is written on every path", syms[s].name)) } }
            let mut names: Vec<_> = cov.iter().filter(|(s, v)| v.contains(&false) && syms[**s].role != Role::Helper).map(|(s, _)| &syms[*s].name).collect();
            names.sort();
            for s in names { err.push(format!("{s} is not written on every path (latch)")) }
        }
        let rd: HashMap<usize, usize> = { let mut m = HashMap::new(); for v in &r { for s in v { *m.entry(*s).or_insert(0) += 1 } } m };
        if custom.is_none() { for (i, s) in syms.iter().enumerate() {
            let need = matches!(s.role, Role::Out | Role::KidIn) || (s.role == Role::Local && rd.contains_key(&i));
            if need && !wr.contains_key(&i) { err.push(format!("{} is never driven", s.name)) }
        } }
        if !err.is_empty() { err.sort(); err.dedup(); return Err(err) }
        // ---- direct connections
        let mut conn: HashMap<usize, Ex> = HashMap::new();
        let mut gone: HashSet<usize> = HashSet::new();                                                  // statements that became a connection
        let mut alias: HashMap<usize, usize> = HashMap::new();
        for (s, v) in &wr { if multi.contains(s) || v.len() != 1 || rd.contains_key(s) { continue }
            let St::Set { lo: 0, w, rhs, .. } = &st[v[0]] else { continue };
            if *w != syms[*s].w { continue }
            if syms[*s].role == Role::KidIn && (kids[syms[*s].kid].is_none() || rhs.simple()) { conn.insert(*s, rhs.clone()); gone.insert(v[0]); }
            if let (Role::Out, K::Part { sig, full: true, .. }) = (syms[*s].role, &rhs.k) {
                if syms[*sig].role == Role::KidOut && rd[sig] == 1 && kids[syms[*sig].kid].is_some() && !alias.contains_key(sig) { alias.insert(*sig, *s); gone.insert(v[0]); }
            }
        }
        let name = |s: usize| alias.get(&s).map_or(&syms[s].name, |t| &syms[*t].name).clone();
        let in_always: HashSet<usize> = groups.values().flatten().flat_map(|i| w[*i].iter().copied()).collect();
        let kind = |s: usize| if in_always.contains(&s) { "reg " } else { "wire " };
        // ---- text
        let mut o = String::from(" (\n");
        let ports: Vec<String> = syms.iter().enumerate().filter_map(|(i, s)| Some(match s.role {
            Role::In => format!("    input  wire {}{}", range(s.w), s.name),
            Role::Out => format!("    output {}{}{}", custom.as_ref().map_or(if in_always.contains(&i) { "reg  " } else { "wire " }, |c| if c.1.is_empty() { "wire " } else { "reg  " }), range(s.w), s.name),
            Role::Inout => format!("    inout  wire {}{}", range(s.w), s.name),
            _ => return None,
        })).collect();
        let outs = syms.iter().filter(|s| s.role == Role::Out).map(|s| s.name.clone()).collect();
        o += &ports.join(",\n");
        o += "\n);\n";
        if let Some((c, _)) = custom { for t in c.lines() { writeln!(o, "    {t}").unwrap() } return Ok((o, outs)) }
        let mut used: HashSet<usize> = rd.keys().copied().collect();
        for s in &st { labels(s, &mut |t| if let Some(i) = syms.iter().position(|s| s.role == Role::Const && s.name == t) { used.insert(i); }) }
        let (mut decl, mut initial) = (String::new(), String::new());
        for (i, s) in syms.iter().enumerate() { match s.role {
            Role::Const if used.contains(&i) => writeln!(decl, "    localparam {}{} = {};", range(s.w), s.name, con(s.val.clone(), s.w).show(&name, true)).unwrap(),
            Role::Local | Role::Helper if wr.contains_key(&i) => writeln!(decl, "    {}{}{};", kind(i), range(s.w), s.name).unwrap(),
            Role::KidIn if !conn.contains_key(&i) => writeln!(decl, "    {}{}{};", kind(i), range(s.w), s.name).unwrap(),
            Role::KidOut if kids[s.kid].is_none() => {
                let init = match &n.kids[s.kid].code { Verilog::Custom(c) if n.kids[s.kid].prim.as_deref() == Some("dff") => c.split("q = ").nth(1).and_then(|t| t.split_once(';')).and_then(|t| t.0.split_once("'h")).and_then(|t| num_bigint::BigUint::parse_bytes(t.1.trim().as_bytes(), 16)).map(|v| format!("    initial {} = {};\n", s.name, con(v, s.w).show(&name, true))), _ => None };
                writeln!(decl, "    reg {}{};", range(s.w), s.name).unwrap();
                initial += &init.unwrap_or_default();
            }
            Role::KidOut if !alias.contains_key(&i) && rd.contains_key(&i) => writeln!(decl, "    wire {}{};", range(s.w), s.name).unwrap(),
            _ => {}
        } }
        if !decl.is_empty() { o += &decl; o.push('\n') }
        for (k, m) in kids.iter().enumerate() { if let Some(m) = m {
            let c: Vec<String> = syms.iter().enumerate().filter(|(_, s)| s.kid == k).map(|(i, s)| {
                let port = &s.name[n.kids[k].name.replace('$', "_").len() + 1..];
                let v = if s.role == Role::KidOut && !alias.contains_key(&i) && !rd.contains_key(&i) { String::new() } else { conn.get(&i).map_or_else(|| name(i), |e| e.show(&name, true)) };
                format!("        .{port}({v})")
            }).collect();
            writeln!(o, "    {} {} (\n{}\n    );\n", self.mods[*m].name, n.kids[k].name.replace('$', "_"), c.join(",\n")).unwrap();
        } }
        for (i, s) in st.iter().enumerate() {
            if gone.contains(&i) { continue }
            if let St::Note(c) = s { writeln!(o, "    // {}", c.trim()).unwrap(); continue }
            if lone(i) { let mut t = String::new(); text(s, &name, syms, "    assign ", "=", &mut t); o += &t }
            if let Some(g) = groups.get(&i) {
                o += "    always @* begin\n";
                let mut h: Vec<usize> = g.iter().filter(|i| !matches!(st[**i], St::Set { .. })).flat_map(|i| w[*i].iter().copied()).filter(|s| syms[*s].role == Role::Helper).collect();
                h.sort();
                for s in h { writeln!(o, "        {} = {};", syms[s].name, zero(syms[s].w).show(&name, true)).unwrap() }
                for j in g { text(&st[*j], &name, syms, "        ", "=", &mut o) }
                o += "    end\n";
            }
        }
        if !initial.is_empty() { o.push('\n'); o += &initial }
        // ---- registers, those with the same clock, reset and enable together
        let mut regs: Vec<((String, String, String), Vec<(String, String, String)>)> = vec![];
        for (k, _) in kids.iter().enumerate().filter(|(_, m)| m.is_none()) {
            let get = |p: &str| l.by.get(&format!("{}${p}", n.kids[k].name)).map(|s| conn.get(s).map_or_else(|| name(*s), |e| e.show(&name, true)));
            let key = (get("clock").unwrap(), get("reset").unwrap_or("1'b0".into()), get("en").unwrap_or("1'b1".into()));
            let init = n.kids[k].atoms.iter().find(|a| a.name == "init").map(|a| con(lit(&a.val).0.to_biguint().unwrap(), a.w).show(&name, true)).unwrap_or_default();
            let row = (get("q").unwrap(), get("d").unwrap(), init);
            match regs.iter_mut().find(|x| x.0 == key) { Some(x) => x.1.push(row), None => regs.push((key, vec![row])) }
        }
        for ((ck, rs, en), v) in regs {
            write!(o, "\n    always @(posedge {ck}) ").unwrap();
            let asg = |f: &dyn Fn(&(String, String, String)) -> &String, ind: &str| v.iter().map(|x| format!("{ind}{} <= {};\n", x.0, f(x))).collect::<String>();
            let d = |ind: &str| asg(&|x| &x.1, ind);
            let e = if en == "1'b1" { String::new() } else { format!("if ({en}) ") };
            if rs == "1'b0" { write!(o, "{e}begin\n{}    end\n", d("        ")).unwrap() }
            else { write!(o, "begin\n        if ({rs}) begin\n{}        end else {e}begin\n{}        end\n    end\n", asg(&|x| &x.2, "            "), d("            ")).unwrap() }
        }
        Ok((o, outs))
    }
}
fn labels(s: &St, f: &mut dyn FnMut(&str)) {
    match s {
        St::If(_, a, b) => a.iter().chain(b).for_each(|x| labels(x, f)),
        St::Case(_, v) => for (c, b) in v { if let Some((t, _)) = c { f(t) } b.iter().for_each(|x| labels(x, f)) },
        _ => {}
    }
}
fn text(s: &St, n: &dyn Fn(usize) -> String, syms: &[Sym], ind: &str, eq: &str, o: &mut String) {
    let deep = format!("{}    ", if ind.trim().is_empty() { ind } else { "    " });
    match s {
        St::Set { sig, lo, w, rhs } => {
            let sel = if *w == syms[*sig].w { String::new() } else if *w == 1 { format!("[{lo}]") } else { format!("[{}:{lo}]", lo + w - 1) };
            writeln!(o, "{ind}{}{sel} {eq} {};", n(*sig), rhs.show(n, true)).unwrap()
        }
        St::SetBit { sig, idx, rhs } => writeln!(o, "{ind}{}[{}] {eq} {};", n(*sig), idx.show(n, true), rhs.show(n, true)).unwrap(),
        St::If(t, a, b) => {
            writeln!(o, "{ind}if ({}) begin", t.show(n, true)).unwrap();
            for x in a { text(x, n, syms, &deep, eq, o) }
            if let [St::If(..)] = &b[..] {
                write!(o, "{ind}end else ").unwrap();
                let mut t = String::new();
                text(&b[0], n, syms, ind, eq, &mut t);
                o.push_str(t.trim_start());
                return;
            }
            if !b.is_empty() { writeln!(o, "{ind}end else begin").unwrap(); for x in b { text(x, n, syms, &deep, eq, o) } }
            writeln!(o, "{ind}end").unwrap()
        }
        St::Case(t, v) => {
            writeln!(o, "{ind}case ({})", t.show(n, true)).unwrap();
            for (c, b) in v {
                writeln!(o, "{deep}{}: begin", c.as_ref().map_or("default", |c| &c.0)).unwrap();
                for x in b { text(x, n, syms, &format!("{deep}    "), eq, o) }
                writeln!(o, "{deep}end").unwrap();
            }
            writeln!(o, "{ind}endcase").unwrap()
        }
        St::Note(c) => writeln!(o, "{ind}// {}", c.trim()).unwrap(),
    }
}

pub use lower::literal_value;
