// SPDX-License-Identifier: MIT OR Apache-2.0
//! What becomes of one packet, the plain way: linear search, recursion, no masks. Written from ovs-actions(7) and ovs-fields(7); shares
//! nothing with the translation but the types.

use crate::mac::{MacTable, Station};
use crate::openflow::group::{Bucket, GroupKind};
use crate::openflow::{Action, Field, Flow, FlowKey, FlowTable, Prereq, Subfield, slot};

/// The word of the VLAN tags.
pub const TAGS: usize = slot::VLAN_TCI0.word as usize;

/// One packet put out: OpenFlow port, fields.
pub type Output = (u16, FlowKey);

pub struct Naive<'a> {
    pub table: &'a FlowTable,
    pub macs: &'a MacTable,
    pub outputs: Vec<Output>,
    key: FlowKey,
    resubmits: u32,
    failed: bool,
    exited: bool,
    learned: Vec<(Station, u16)>,
}

/// All outputs of a packet, in order.
pub fn run(table: &FlowTable, macs: &MacTable, key: &FlowKey) -> Vec<Output> {
    let (outputs, learned) = (Vec::new(), Vec::new());
    let mut naive = Naive { table, macs, outputs, key: *key, resubmits: 0, failed: false, exited: false, learned };
    naive.lookup_and_act(0, None, 0);
    if naive.failed { Vec::new() } else { naive.outputs }
}

fn ip(key: &FlowKey) -> bool {
    matches!(key.dl_type(), 0x0800 | 0x86dd)
}

impl Naive<'_> {
    fn lookup_and_act(&mut self, table: u8, in_port: Option<u16>, depth: u32) {
        let mut view = self.key;
        if let Some(port) = in_port {
            view.set_in_port(port);
        }
        if view.nw_frag() & 1 != 0 {
            view.set_tp_src(0);
            view.set_tp_dst(0);
        }
        let flows = self.table.flows.iter().filter(|f| f.table == table && f.matches.fits(&view));
        let Some(flow) = flows.max_by_key(|f| f.priority).cloned() else {
            return;
        };
        self.list(&flow, &flow.actions, depth);
    }

    fn list(&mut self, flow: &Flow, actions: &[Action], depth: u32) {
        let mut rest = actions.iter();
        while let Some(action) = rest.next() {
            if let Action::Clone { actions } = *action {
                let (inner, after) = rest.as_slice().split_at(actions as usize);
                let before = self.key;
                self.list(flow, inner, depth);
                self.key = before;
                rest = after.iter();
            } else if !self.act(flow, action, depth) {
                return;
            }
            if self.failed || self.exited {
                return;
            }
        }
    }

    fn resubmit(&mut self, from: u8, to: u8, in_port: Option<u16>, depth: u32) {
        if depth >= 64 || self.resubmits >= 4096 {
            self.failed = true;
            return;
        }
        self.resubmits += 1;
        self.lookup_and_act(to, in_port, depth + u32::from(to <= from));
    }

    /// False ends the list.
    fn act(&mut self, flow: &Flow, action: &Action, depth: u32) -> bool {
        match *action {
            Action::Output(port) if port == self.key.in_port() => {}
            Action::Output(port) => self.put(port),
            Action::OutputField(from) => match from.get(&self.key) as u16 {
                0xfff8 => self.put(self.key.in_port()),
                0xfffb | 0xfffc => self.flood(),
                0xfff9 => self.resubmit(flow.table, 0, None, depth),
                0xfffa => self.normal(),
                port if port == self.key.in_port() => {}
                port => self.put(port),
            },
            Action::InPort => self.put(self.key.in_port()),
            Action::Normal => self.normal(),
            Action::Flood | Action::All => self.flood(),
            Action::Drop => {}
            Action::SetField { field, value, mask } => {
                if self.has(field.info().prereq) {
                    self.set(field, value, mask);
                }
            }
            Action::SetVlanVid { vid, push } => self.set_tci(vid, 0xfff, push),
            Action::SetVlanPcp { pcp, push } => self.set_tci(u16::from(pcp) << 13, 0xe000, push),
            Action::SetTpSrc(port) if ip(&self.key) && self.key.nw_frag() & 2 == 0 => self.key.set_tp_src(port),
            Action::SetTpDst(port) if ip(&self.key) && self.key.nw_frag() & 2 == 0 => self.key.set_tp_dst(port),
            Action::SetTpSrc(_) | Action::SetTpDst(_) => {}
            Action::Move { src, dst } => {
                if self.has(src.field.info().prereq) && self.has(dst.field.info().prereq) {
                    let Subfield { field, ofs, .. } = dst;
                    self.set(field, src.get(&self.key) << ofs, dst.mask());
                }
            }
            Action::DecTtl if !ip(&self.key) => {}
            Action::DecTtl if self.key.nw_ttl() <= 1 => return false,
            Action::DecTtl => self.key.set_nw_ttl(self.key.nw_ttl() - 1),
            Action::PushVlan(tpid) => {
                let two = self.key.vlan_tci0() & 0x1000 != 0;
                let (tpid0, tci0) = (self.key.vlan_tpid0(), self.key.vlan_tci0());
                self.key.set_vlan_tpid1(if two { tpid0 } else { 0 });
                self.key.set_vlan_tci1(if two { tci0 } else { 0 });
                self.key.set_vlan_tpid0(tpid);
                self.key.set_vlan_tci0(0x1000);
            }
            Action::PopVlan => {
                if self.key.vlan_tci0() & 0x1000 != 0 {
                    self.key.set_vlan_tpid0(self.key.vlan_tpid1());
                    self.key.set_vlan_tci0(self.key.vlan_tci1());
                    self.key.set_vlan_tpid1(0);
                    self.key.set_vlan_tci1(0);
                }
            }
            Action::Resubmit { port, table } => {
                self.resubmit(flow.table, table.unwrap_or(flow.table), port.filter(|p| *p != 0xfff8), depth);
            }
            Action::WriteMetadata { value, mask } => {
                self.key.set_metadata(self.key.metadata() & !mask | value & mask);
            }
            Action::Clone { .. } => unreachable!("lists are carried out by `list`"),
            Action::Group(id) => return self.group(flow, id, depth),
            Action::Exit => self.exited = true,
            Action::GotoTable(table) => self.resubmit(flow.table, table, None, depth),
        }
        true
    }

    /// A group whose choice is no hash.
    fn group(&mut self, flow: &Flow, id: u32, depth: u32) -> bool {
        if depth >= 64 {
            self.failed = true;
            return true;
        }
        let Some(place) = self.table.groups.find(id) else { return false };
        let group = self.table.groups.at(place);
        let is_live = |bucket: &&Bucket| bucket.watch_port.is_none_or(|port| self.table.ports.contains(port));
        let buckets: Vec<&Bucket> = match group.kind {
            GroupKind::All => group.buckets.iter().collect(),
            GroupKind::Indirect => group.buckets.iter().take(1).collect(),
            GroupKind::FastFailover => group.buckets.iter().find(is_live).into_iter().collect(),
            GroupKind::Select(_) => unreachable!("what a hash chooses is not known here"),
        };
        for bucket in buckets {
            let before = self.key;
            self.list(flow, &bucket.actions, depth + 1);
            self.key = before;
            (self.exited, self.failed) = (false, false);
        }
        true
    }

    fn has(&self, prereq: Prereq) -> bool {
        let k = &self.key;
        let l4 = |proto| ip(k) && k.nw_proto() == proto && k.nw_frag() & 2 == 0;
        match prereq {
            Prereq::None => true,
            Prereq::Vlan => k.vlan_tci0() & 0x1000 != 0,
            Prereq::Arp => matches!(k.dl_type(), 0x0806 | 0x8035),
            Prereq::Ipv4 => k.dl_type() == 0x0800,
            Prereq::Ipv6 => k.dl_type() == 0x86dd,
            Prereq::Ip => ip(k),
            Prereq::Tcp => l4(6),
            Prereq::Udp => l4(17),
            Prereq::Sctp => l4(132),
            Prereq::Icmpv4 => l4(1) && k.dl_type() == 0x0800,
            Prereq::Icmpv6 => l4(58) && k.dl_type() == 0x86dd,
        }
    }

    fn set(&mut self, field: Field, value: u128, mask: u128) {
        field.set_masked(&mut self.key, value, mask);
        if matches!(field, Field::DlVlan | Field::VlanPcp | Field::DlVlanPcp) {
            self.key.set_vlan_tci0(self.key.vlan_tci0() | 0x1000);
        }
        self.fix_tpid();
    }

    fn fix_tpid(&mut self) {
        match (self.key.vlan_tpid0(), self.key.vlan_tci0()) {
            (_, 0) => self.key.set_vlan_tpid0(0),
            (0, _) => self.key.set_vlan_tpid0(0x8100),
            _ => {}
        }
    }

    fn set_tci(&mut self, value: u16, mask: u16, push: bool) {
        let tci = self.key.vlan_tci0();
        if tci & 0x1000 != 0 || push {
            self.key.set_vlan_tci0(tci & !mask | value | 0x1000);
            self.fix_tpid();
        }
    }

    fn put(&mut self, port: u16) {
        if self.table.ports.contains(port) {
            // A tag without its CFI bit is none, and hides what is below it.
            let mut out = self.key;
            if out.get(slot::VLAN_TCI0) & 0x1000 == 0 {
                out.0[TAGS] = 0;
            } else if out.get(slot::VLAN_TCI1) & 0x1000 == 0 {
                out.0[TAGS] &= 0xffff_ffff;
            }
            self.outputs.push((port, out));
        }
    }

    fn flood(&mut self) {
        for port in self.table.ports.numbers() {
            if port != self.key.in_port() {
                self.put(port);
            }
        }
    }

    fn normal(&mut self) {
        let key = self.key;
        let tagged = key.vlan_tci0() & 0x1000 != 0;
        let reserved = key.dl_dst() & !0xf == 0x0180_c200_0000;
        if !self.table.ports.contains(key.in_port()) || reserved {
            return;
        }
        if matches!(key.dl_type(), 0x8100 | 0x88a8) && !tagged {
            return;
        }
        let station = Station::new(key.vlan_tci0() & 0xfff, key.dl_dst());
        if key.dl_src() >> 40 & 1 == 0 {
            self.learned.push((Station::new(station.vlan(), key.dl_src()), key.in_port()));
        }
        let learned = self.learned.iter().rev().find(|(known, _)| *known == station);
        let place = learned.map(|(_, port)| *port).or_else(|| self.macs.lookup(station));
        if tagged && key.vlan_tci0() & 0xefff == 0 {
            self.key.0[TAGS] = 0;
        } else if key.vlan_tci1() & 0xefff == 0 {
            self.key.0[TAGS] &= 0xffff_ffff;
        }
        match place.filter(|_| key.dl_dst() >> 40 & 1 == 0) {
            Some(port) if port == key.in_port() => {}
            Some(port) => self.put(port),
            None => self.flood(),
        }
        self.key.0[TAGS] = key.0[TAGS];
    }
}
