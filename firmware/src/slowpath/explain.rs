// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the slow path would do with a packet, in the form of `ofproto/trace`. Nothing is learned, counted or handed over.

use super::SlowPath;
use super::core::Core;
use super::dump::actions;
use crate::compile::{hardware_key, program};
use crate::detect::{MacAddress, source};
use crate::openflow::packet_text;
use crate::packet::parse;
use crate::xlate::{Trace, Translation, explain};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};

/// The name of the switch, where Open vSwitch has that of a bridge.
const BRIDGE: &str = "bridge(\"millrace\")";

/// A packet's way through the flow tables. The strings are lines without their ends, but for `tables`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Explained {
    /// The packet as the slow path parses it.
    pub flow: String,
    /// Tables, flows and actions: lines.
    pub tables: String,
    /// The packet after all edits, if there were any.
    pub final_flow: Option<String>,
    /// What all this depends on.
    pub megaflow: String,
    /// What is done with all packets of the megaflow.
    pub actions: String,
    /// Why nothing is put out although flows may have done it.
    pub error: Option<String>,
    /// Why the slow path handles all packets of the megaflow.
    pub software: Option<String>,
    /// The source is blocked: the slow path drops its packets before it looks at tables.
    pub blocked: bool,
}

impl Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explained { flow, tables, megaflow, actions, .. } = self;
        writeln!(f, "Flow: {flow}\n\n{BRIDGE}\n{:-<1$}", "", BRIDGE.len())?;
        writeln!(f, "{tables}\nFinal flow: {}", self.final_flow.as_deref().unwrap_or("unchanged"))?;
        writeln!(f, "Megaflow: {megaflow}\nDatapath actions: {actions}")?;
        if let Some(error) = &self.error {
            writeln!(f, "Translation failed ({error}), packet is dropped.")?;
        }
        if let Some(reason) = &self.software {
            writeln!(f, "This flow is handled by the userspace slow path because it:\n  - {reason}")?;
        }
        if self.blocked {
            writeln!(f, "The source is blocked: its packets are dropped before all this.")?;
        }
        Ok(())
    }
}

impl SlowPath {
    /// What would become of a packet that misses now; `frame` has 14 bytes at least.
    pub fn explain(&self, vport: u8, frame: &[u8]) -> Explained {
        let (key, _) = parse(frame, u16::from(vport) + 1);
        let blocked = self.guard.blocks(vport, MacAddress(key.dl_src()), source(&key));
        Explained { blocked, ..self.core.explain(vport, frame) }
    }
}

impl<R> Core<R> {
    fn explain(&self, vport: u8, frame: &[u8]) -> Explained {
        let (key, _) = parse(frame, u16::from(vport) + 1);
        let (mut translation, mut trace) = (Translation::default(), Trace::default());
        let end = explain(&self.pipeline, &self.macs, &key, &mut translation, &mut trace);
        // What is watched narrows the megaflow.
        self.watch.look(&key, &mut translation);
        let (actions, software) = match program(&key, &translation) {
            Ok(program) => (actions(&program, &hardware_key(&key), &self.pipeline.ports()), None),
            Err(reason) => ("userspace(pid=0,slow_path(action))".into(), Some(reason.to_string())),
        };
        Explained {
            flow: packet_text::packet(&key),
            tables: trace.text(),
            final_flow: (end != key).then(|| packet_text::packet(&end)),
            megaflow: packet_text::megaflow(&key, &translation.mask),
            actions,
            error: translation.error.map(|error| error.to_string()),
            software,
            blocked: false,
        }
    }
}
