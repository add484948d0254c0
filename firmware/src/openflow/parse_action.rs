// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `actions=` part of a flow, with the checks that ovs-ofctl and the switch make of it.

use super::action::Action;
use super::error::{Fault, MAX_PROBLEMS};
use super::field::*;
use super::flow::Match;
use super::group::{Groups, MAX_GROUP};
use super::key::{NW_FRAG_LATER, VLAN_CFI, VLAN_VID_MASK};
use super::lex::{Pair, Pairs, Span};
use super::parse_match::{prereq_met, prereq_words};
use super::port::*;
use super::suggest;
use super::value::{self, number_up_to};

/// Tags that a packet can have here (`vlan-limit=2`).
const MAX_TAGS: u8 = 2;

/// Clones one in the other (`MAX_OFPACT_PARSE_DEPTH`).
const MAX_CLONES: usize = 100;

/// Actions that a flow can have, those in clones with them. Open vSwitch takes as many as fit into a message of OpenFlow: about 4,000
/// outputs.
pub const MAX_ACTIONS: usize = 65_535;

/// Order of instructions (OpenFlow 1.3 §5.9): what comes later in a list must not rank lower.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Apply,
    WriteMetadata,
    GotoTable,
}

/// Reads one list of actions.
pub(super) struct ActionParser<'p> {
    ports: &'p Ports,
    /// The groups that there are, if that is known.
    groups: Option<&'p Groups>,
    table: u8,
    /// The flow's match; edits that change what is known of the packet change it too.
    known: Match,
    /// The match was understood: what it does not say is not known of the packet.
    sure: bool,
    /// Tags the packet is known to have at this place in the list.
    tags: u8,
    rank: Rank,
    /// Clones that this place in the list is in.
    clones: usize,
    actions: Vec<Action>,
    /// There are more actions than a flow can have.
    full: bool,
    faults: Vec<Fault>,
}

type Parsed = Result<Action, Fault>;

impl<'p> ActionParser<'p> {
    /// For a flow of `table` with this match; not `sure` if parts of the match were faults.
    pub fn new(
        ports: &'p Ports,
        groups: Option<&'p Groups>,
        table: u8,
        matches: Match,
        sure: bool,
    ) -> ActionParser<'p> {
        let tags = u8::from(prereq_met(Prereq::Vlan, &matches));
        let (actions, faults) = (Vec::new(), Vec::new());
        ActionParser {
            ports,
            groups,
            table,
            known: matches,
            sure,
            tags,
            rank: Rank::Apply,
            clones: 0,
            actions,
            full: false,
            faults,
        }
    }

    /// Reads the whole list. All faults are reported, up to more than anybody is told.
    pub fn parse(mut self, text: Span) -> Result<Vec<Action>, Vec<Fault>> {
        self.list(text);
        if self.faults.is_empty() { Ok(self.actions) } else { Err(self.faults) }
    }

    fn list(&mut self, text: Span) {
        let mut drop_at = None;
        let (mut count, mut drops) = (0, 0);
        for pair in Pairs::new(text) {
            count += 1;
            let name = pair.key.text;
            let taken = if name.eq_ignore_ascii_case("clone") {
                self.clone_(&pair)
            } else if name.eq_ignore_ascii_case("note") {
                pair.value.map_or(Ok(()), value::note)
            } else {
                self.action(&pair).and_then(|action| match action {
                    Action::Drop => {
                        drops += 1;
                        drop_at = Some(pair.key.at);
                        Ok(())
                    }
                    action => self.push(action, pair.key.at),
                })
            };
            self.faults.extend(taken.err());
            if self.full || self.faults.len() > MAX_PROBLEMS {
                return;
            }
        }
        if let Some(at) = drop_at.filter(|_| count > drops) {
            self.faults.push(Fault::new(at, "`drop` stands alone").hint("remove it or the other actions"));
        }
    }

    fn push(&mut self, action: Action, at: usize) -> Result<(), Fault> {
        self.check_order(&action, at)?;
        if self.actions.len() == MAX_ACTIONS {
            self.full = true;
            return Err(Fault::new(at, format!("the flow has more than {MAX_ACTIONS} actions"))
                .hint("resubmit to another table for the rest"));
        }
        self.actions.push(action);
        Ok(())
    }

    /// `clone(…)`. What its actions do to the packet is not known after it.
    fn clone_(&mut self, pair: &Pair) -> Result<(), Fault> {
        if self.clones == MAX_CLONES {
            let message = format!("more than {MAX_CLONES} clones are one in the other");
            return Err(Fault::new(pair.key.at, message));
        }
        let at = self.actions.len();
        self.push(Action::Clone { actions: 0 }, pair.key.at)?;
        let (known, tags) = (self.known, self.tags);
        self.clones += 1;
        self.list(pair.value.unwrap_or(pair.key.slice(0, 0)));
        self.clones -= 1;
        (self.known, self.tags) = (known, tags);
        self.actions[at] = Action::Clone { actions: (self.actions.len() - at - 1) as u32 };
        Ok(())
    }

    fn check_order(&mut self, action: &Action, at: usize) -> Result<(), Fault> {
        let rank = match action {
            Action::WriteMetadata { .. } => Rank::WriteMetadata,
            Action::GotoTable(_) => Rank::GotoTable,
            _ => Rank::Apply,
        };
        if rank != Rank::Apply && self.clones > 0 {
            return Err(Fault::new(at, "an instruction cannot be in a clone").hint("resubmit(,TABLE)"));
        }
        if rank < self.rank {
            let after = if self.rank == Rank::GotoTable { "goto_table" } else { "write_metadata" };
            return Err(Fault::new(at, format!("this comes too late: nothing of its kind may follow {after}"))
                .hint("actions first, then write_metadata, then goto_table"));
        }
        if rank == self.rank && rank != Rank::Apply {
            return Err(
                Fault::new(at, "an instruction is given twice").hint("write_metadata and goto_table: once each")
            );
        }
        self.rank = rank;
        Ok(())
    }

    fn action(&mut self, pair: &Pair) -> Parsed {
        let name = pair.key.text.to_ascii_lowercase();
        match name.as_str() {
            "drop" => self.bare(pair, Action::Drop),
            "in_port" | "normal" | "flood" | "all" | "local" if pair.value.is_none() => self.output(pair.key),
            "output" => self.output(required(pair)?),
            "set_field" => self.set_field(required(pair)?),
            "load" => self.load(required(pair)?),
            "move" => self.move_(required(pair)?),
            "mod_dl_src" | "mod_dl_dst" | "mod_nw_src" | "mod_nw_dst" | "mod_nw_tos" | "mod_nw_ecn" | "mod_nw_ttl" => {
                self.modify(&name, required(pair)?)
            }
            "mod_tp_src" => Ok(Action::SetTpSrc(number_up_to(required(pair)?, 0xffff, "port")? as u16)),
            "mod_tp_dst" => Ok(Action::SetTpDst(number_up_to(required(pair)?, 0xffff, "port")? as u16)),
            "mod_vlan_vid" | "set_vlan_vid" => self.vlan_vid(required(pair)?),
            "mod_vlan_pcp" | "set_vlan_pcp" => self.vlan_pcp(required(pair)?),
            "dec_ttl" => self.dec_ttl(pair),
            "push_vlan" => self.push_vlan(required(pair)?),
            "pop_vlan" | "strip_vlan" => self.pop_vlan(pair),
            "resubmit" => self.resubmit(pair),
            "write_metadata" => write_metadata(required(pair)?),
            "goto_table" => self.goto_table(required(pair)?),
            "group" => self.group(required(pair)?),
            "exit" => self.bare(pair, Action::Exit),
            _ => self.port_or_unknown(pair),
        }
    }

    fn bare(&self, pair: &Pair, action: Action) -> Parsed {
        match pair.value {
            Some(value) => Err(Fault::new(value.at, format!("`{}` takes no argument", pair.key.text))),
            None => Ok(action),
        }
    }

    /// A port by itself is an output to it; anything else is not an action.
    fn port_or_unknown(&self, pair: &Pair) -> Parsed {
        let name = pair.key.text;
        if suggest::is_unsupported_action(name) {
            return Err(Fault::new(pair.key.at, format!("action `{name}` is not supported")));
        }
        let is_port = name.starts_with(|c: char| c.is_ascii_digit() || c == '"') || self.ports.number(name).is_some();
        if is_port && pair.value.is_none() {
            return self.output(pair.key);
        }
        let fault = Fault::new(pair.key.at, format!("unknown action `{name}`"));
        Err(match suggest::nearest_action(name) {
            Some(hint) => fault.hint(hint),
            None => fault,
        })
    }

    fn output(&self, at: Span) -> Parsed {
        if at.text.contains("port=") {
            return Err(
                Fault::new(at.at, "`output(port=…,max_len=…)` (truncation) is not supported").hint("output:PORT")
            );
        }
        let is_field = at.text.contains('[') || Field::by_name(at.text).is_some_and(|f| f != Field::InPort);
        if is_field {
            let src = self.subfield(at)?;
            self.check_prereq(src.field, at.at)?;
            return Ok(Action::OutputField(src));
        }
        match value::port(at, self.ports)? {
            OFPP_IN_PORT => Ok(Action::InPort),
            OFPP_NORMAL => Ok(Action::Normal),
            OFPP_FLOOD => Ok(Action::Flood),
            OFPP_ALL => Ok(Action::All),
            OFPP_CONTROLLER => Err(Fault::new(at.at, "output to CONTROLLER is not supported")),
            OFPP_TABLE => Err(Fault::new(at.at, "output to TABLE is not supported")),
            _ => value::real_port(at, self.ports).map(Action::Output),
        }
    }

    /// `field`, `field[]`, `field[bit]` or `field[first..last]`.
    fn subfield(&self, s: Span) -> Result<Subfield, Fault> {
        let (name, range) = match s.split_once("[") {
            None => (s, None),
            Some((name, range)) => {
                let inner = range
                    .text
                    .strip_suffix(']')
                    .ok_or_else(|| Fault::new(s.at + s.text.len(), format!("`]` is missing after `{}`", s.text)))?;
                (name, Some(range.slice(0, inner.len())))
            }
        };
        let field = field_named(name)?;
        let bits = field.info().bits;
        let Some(range) = range.filter(|r| !r.is_empty()) else { return Ok(Subfield::whole(field)) };
        let (first, last) = match range.split_once("..") {
            Some((a, b)) => (value::number(a)?, value::number(b)?),
            None => (value::number(range)?, value::number(range)?),
        };
        if first > last || last >= u128::from(bits) {
            return Err(Fault::new(range.at, format!("bits {} are not in {}", range.text, name.text)).hint(format!(
                "{} has bits 0..{}",
                name.text,
                bits - 1
            )));
        }
        Ok(Subfield { field, ofs: first as u8, bits: (last - first + 1) as u8 })
    }

    /// The destination of a `set_field`, `load` or `move`.
    fn check_writable(&self, field: Field, at: usize) -> Result<(), Fault> {
        if !field.info().writable {
            return Err(Fault::new(at, format!("{} is read-only", field.info().name)));
        }
        self.check_prereq(field, at)
    }

    fn check_prereq(&self, field: Field, at: usize) -> Result<(), Fault> {
        let info = field.info();
        let needs_tag = info.prereq == Prereq::Vlan || field == Field::VlanVid;
        let is_l4 = !matches!(info.prereq, Prereq::Ip | Prereq::Ipv4 | Prereq::Ipv6 | Prereq::Arp | Prereq::None);
        let met = match needs_tag {
            true => self.tags > 0,
            // Later fragments have no L4 header.
            false => prereq_met(info.prereq, &self.known) && !(is_l4 && self.known.key.nw_frag() & NW_FRAG_LATER != 0),
        };
        // Where something was not understood its absence is no fault of the rest.
        if met || !self.sure || !self.faults.is_empty() {
            return Ok(());
        }
        let words = prereq_words(if needs_tag { Prereq::Vlan } else { info.prereq });
        Err(Fault::new(at, format!("the flow's match does not make sure that the packet has {}", info.name))
            .hint(format!("match on {words}")))
    }

    fn set_field(&mut self, s: Span) -> Parsed {
        let (text, dst) = arrow(s)?;
        if dst.text.contains('[') {
            return Err(Fault::new(dst.at, "set_field takes a whole field").hint("load:VALUE->FIELD[a..b]"));
        }
        let field = field_named(dst)?;
        self.check_writable(field, dst.at)?;
        let (v, mask) = if field.info().format == Format::Port {
            (u128::from(value::port(text, self.ports)?), field.info().valid)
        } else {
            value::field_value(field, text, self.ports)?
        };
        self.note_write(field, v);
        Ok(Action::SetField { field, value: v, mask })
    }

    fn load(&mut self, s: Span) -> Parsed {
        let (text, dst) = arrow(s)?;
        let sub = self.subfield(dst)?;
        self.check_writable(sub.field, dst.at)?;
        let n = value::number(text)?;
        if n & !(Subfield { ofs: 0, ..sub }.mask()) != 0 {
            return Err(Fault::new(text.at, format!("{} does not fit into {} bits", text.text, sub.bits)));
        }
        let (v, mask) = (n << sub.ofs, sub.mask() & sub.field.info().valid);
        self.note_write(sub.field, v);
        Ok(Action::SetField { field: sub.field, value: v & mask, mask })
    }

    fn move_(&mut self, s: Span) -> Parsed {
        let (from, to) = arrow(s)?;
        let (src, dst) = (self.subfield(from)?, self.subfield(to)?);
        self.check_prereq(src.field, from.at)?;
        self.check_writable(dst.field, to.at)?;
        if src.bits != dst.bits {
            return Err(Fault::new(
                from.at,
                format!("{} is {} bits wide, {} is {}", from.text, src.bits, to.text, dst.bits),
            )
            .hint("both must be of the same width"));
        }
        Ok(Action::Move { src, dst })
    }

    /// A write of the whole TCI says whether there is a tag from here on.
    fn note_write(&mut self, field: Field, value: u128) {
        if field == Field::VlanTci {
            let present = value & u128::from(VLAN_CFI) != 0;
            self.tags = if present { self.tags.max(1) } else { self.tags.saturating_sub(1) };
        }
    }

    fn modify(&self, name: &str, s: Span) -> Parsed {
        let field = match name {
            "mod_dl_src" => Field::EthSrc,
            "mod_dl_dst" => Field::EthDst,
            "mod_nw_src" => Field::Ipv4Src,
            "mod_nw_dst" => Field::Ipv4Dst,
            "mod_nw_tos" => Field::NwTos,
            "mod_nw_ecn" => Field::IpEcn,
            _ => Field::NwTtl,
        };
        if let Some(i) = s.text.find('/') {
            return Err(Fault::new(s.at + i, format!("{name} takes no mask")).hint("set_field takes one"));
        }
        let (v, mask) = value::field_value(field, s, self.ports)?;
        Ok(Action::SetField { field, value: v, mask })
    }

    fn vlan_vid(&mut self, s: Span) -> Parsed {
        let vid = number_up_to(s, u128::from(VLAN_VID_MASK), "VLAN identifier")? as u16;
        self.tags = self.tags.max(1);
        Ok(Action::SetVlanVid { vid, push: true })
    }

    fn vlan_pcp(&mut self, s: Span) -> Parsed {
        let pcp = number_up_to(s, 7, "VLAN priority")? as u8;
        self.tags = self.tags.max(1);
        Ok(Action::SetVlanPcp { pcp, push: true })
    }

    fn dec_ttl(&self, pair: &Pair) -> Parsed {
        match pair.value.filter(|v| !v.is_empty()) {
            Some(value) => {
                Err(Fault::new(value.at, "dec_ttl with controller identifiers is not supported").hint("dec_ttl"))
            }
            None => Ok(Action::DecTtl),
        }
    }

    fn push_vlan(&mut self, s: Span) -> Parsed {
        let tpid = number_up_to(s, 0xffff, "TPID")? as u16;
        if tpid != ETH_TYPE_VLAN && tpid != ETH_TYPE_VLAN_8021AD {
            return Err(Fault::new(s.at, format!("{} is not the TPID of a VLAN tag", s.text)).hint("0x8100 or 0x88a8"));
        }
        if self.tags >= MAX_TAGS {
            return Err(Fault::new(s.at, "the packet has two VLAN tags here already: more are not supported"));
        }
        self.tags += 1;
        Ok(Action::PushVlan(tpid))
    }

    fn pop_vlan(&mut self, pair: &Pair) -> Parsed {
        self.tags = self.tags.saturating_sub(1);
        self.bare(pair, Action::PopVlan)
    }

    fn resubmit(&self, pair: &Pair) -> Parsed {
        let s = required(pair)?;
        let (port, table) = match s.split_once(",") {
            Some((port, table)) => (port.trim(), Some(table.trim())),
            None => (s.trim(), None),
        };
        if let Some((_, third)) = table.and_then(|t| t.split_once(",")) {
            let message = format!("resubmit with a third argument (`{}`) is not supported", third.text);
            return Err(Fault::new(third.at, message));
        }
        let port = match port {
            p if p.is_empty() => None,
            p => Some(value::port(p, self.ports)?).filter(|&n| n != OFPP_IN_PORT),
        };
        let table = match table.filter(|t| !t.is_empty()) {
            Some(t) => Some(number_up_to(t, 255, "table")? as u8).filter(|&n| n != 255),
            None => None,
        };
        if port.is_none() && table.is_none() {
            return Err(Fault::new(s.at, "resubmit needs a port or a table").hint("resubmit(,TABLE)"));
        }
        Ok(Action::Resubmit { port, table })
    }

    fn group(&self, s: Span) -> Parsed {
        let id = number_up_to(s, MAX_GROUP.into(), "group")? as u32;
        match self.groups {
            Some(groups) if groups.find(id).is_none() => {
                Err(Fault::new(s.at, format!("there is no group {id}")).hint("--groups FILE"))
            }
            _ => Ok(Action::Group(id)),
        }
    }

    fn goto_table(&self, s: Span) -> Parsed {
        let table = number_up_to(s, 254, "table")? as u8;
        if table <= self.table {
            return Err(Fault::new(s.at, format!("goto_table:{table} in table {} goes back", self.table))
                .hint("only to a higher table; resubmit can go anywhere"));
        }
        Ok(Action::GotoTable(table))
    }
}

/// The argument of an action that must have one.
fn required<'a>(pair: &Pair<'a>) -> Result<Span<'a>, Fault> {
    pair.value.filter(|v| !v.is_empty()).ok_or_else(|| {
        Fault::new(pair.key.at, format!("`{}` needs an argument", pair.key.text)).hint(format!("{}:…", pair.key.text))
    })
}

/// `A->B`.
fn arrow<'a>(s: Span<'a>) -> Result<(Span<'a>, Span<'a>), Fault> {
    match s.split_once("->") {
        Some((a, b)) => Ok((a.trim(), b.trim())),
        None => Err(Fault::new(s.at, format!("`->` is missing in `{}`", s.text)).hint("VALUE->FIELD")),
    }
}

fn field_named(s: Span) -> Result<Field, Fault> {
    if let Some(field) = Field::by_name(s.text) {
        return Ok(field);
    }
    if suggest::is_unsupported_field(s.text) {
        return Err(Fault::new(s.at, format!("field `{}` is not supported", s.text)));
    }
    let fault = Fault::new(s.at, format!("unknown field `{}`", s.text));
    Err(match suggest::nearest_field(s.text) {
        Some(hint) => fault.hint(hint),
        None => fault,
    })
}

fn write_metadata(s: Span) -> Parsed {
    let limit = u128::from(u64::MAX);
    let (value, mask) = match s.split_once("/") {
        Some((v, m)) => (number_up_to(v, limit, "metadata")?, number_up_to(m, limit, "mask")?),
        None => (number_up_to(s, limit, "metadata")?, limit),
    };
    Ok(Action::WriteMetadata { value: (value & mask) as u64, mask: mask as u64 })
}
