// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads flow files: one flow per line, in the syntax of `ovs-ofctl add-flows` (ovs-ofctl(8), "Flow Syntax").

use std::collections::HashMap;
use std::sync::Arc;

use super::action::Action;
use super::error::{Fault, FlowFileError, MAX_PROBLEMS, Problems};
use super::flow::{DEFAULT_PRIORITY, Flow, FlowTable, Match};
use super::group::Groups;
use super::lex::{Pair, Pairs, Span};
use super::parse_action::ActionParser;
use super::parse_match::MatchParser;
use super::port::Ports;
use super::suggest;
use super::value::number_up_to;

/// What editors of some systems put before the text of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Whether this is a line that `ovs-ofctl dump-flows` prints before the flows of each message, or `dump-groups` before groups: `OFPST_FLOW reply (OF1.3) (xid=0x2):`.
fn is_reply_header(line: &str) -> bool {
    let line = line.trim_start();
    let kinds = ["OFPST_FLOW", "NXST_FLOW", "OFPST_GROUP_DESC", "NXST_GROUP_DESC"];
    kinds.iter().any(|kind| line.strip_prefix(kind).is_some_and(|rest| rest.starts_with(" reply (")))
}

/// The lines of a file that say something: number, text, and what of it is no comment.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str, Span<'_>)> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line, line.split('#').next().unwrap_or("")));
    let lines = lines.filter(|(_, _, code)| !code.trim().is_empty() && !is_reply_header(code));
    lines.map(|(number, line, code)| (number, line, Span::new(code)))
}

/// Reads a whole flow file of a switch without groups, as [`parse_flows`].
///
/// # Errors
/// As there.
pub fn parse_flow_file(name: &str, text: &str, ports: Ports) -> Result<FlowTable, FlowFileError> {
    parse_flows(name, text, ports, Arc::default())
}

/// Reads a whole flow file. `name` is used in errors. A flow with the table, priority and match of an earlier one replaces it.
///
/// # Errors
/// All faults of the file, up to [`MAX_IN_LINE`](super::error::MAX_IN_LINE) of a line and [`MAX_PROBLEMS`] in all, each with line and column; then nothing of the
/// file is used.
pub fn parse_flows(name: &str, text: &str, ports: Ports, groups: Arc<Groups>) -> Result<FlowTable, FlowFileError> {
    let mut flows: Vec<Flow> = Vec::new();
    let mut places: HashMap<(u8, u16, Match), usize> = HashMap::new();
    let mut problems = Problems::default();
    for (number, line, code) in lines(text) {
        match parse_line(code, &ports, &groups) {
            Ok(mut flow) => {
                flow.line = number;
                match places.get(&(flow.table, flow.priority, flow.matches)) {
                    Some(&at) => flows[at] = flow,
                    None => {
                        places.insert((flow.table, flow.priority, flow.matches), flows.len());
                        flows.push(flow);
                    }
                }
            }
            Err(faults) => problems.add(number, line, faults),
        }
    }
    problems.end(name)?;
    Ok(FlowTable { ports, flows, groups })
}

/// Reads one flow, without a comment.
///
/// # Errors
/// As [`parse_flow_file`], with line 1.
pub fn parse_flow(text: &str, ports: &Ports) -> Result<Flow, FlowFileError> {
    parse_line(Span::new(text), ports, &Groups::default()).map_err(|faults| FlowFileError {
        file: "flow".to_owned(),
        problems: faults.into_iter().map(|f| f.place(1, text)).collect(),
        omitted: 0,
    })
}

/// Attributes of a flow beside match and actions.
struct Attributes {
    table: u8,
    priority: u16,
    idle_timeout: u16,
    hard_timeout: u16,
    cookie: u64,
}

fn parse_line(line: Span<'_>, ports: &Ports, groups: &Groups) -> Result<Flow, Vec<Fault>> {
    let line = skip_command(line).map_err(|f| vec![f])?;
    let Some((before, actions)) = split_actions(line) else {
        let end = line.at + line.text.trim_end().len();
        return Err(vec![Fault::new(end, "the flow has no actions").hint("actions=…, or actions=drop")]);
    };
    let mut faults = Vec::new();
    let mut attributes =
        Attributes { table: 0, priority: DEFAULT_PRIORITY, idle_timeout: 0, hard_timeout: 0, cookie: 0 };
    let mut matches = MatchParser::default();
    for pair in Pairs::new(before) {
        let taken = matches.take(&pair, ports).unwrap_or_else(|| attributes.take(&pair));
        faults.extend(taken.err());
        if faults.len() > MAX_PROBLEMS {
            return Err(faults);
        }
    }
    let known = matches.so_far();
    // Where a part was not understood its absence is no fault of the rest.
    let matches = if faults.is_empty() { matches.finish() } else { Ok(known) };
    let sure = faults.is_empty() && matches.is_ok();
    let parsed = ActionParser::new(ports, Some(groups), attributes.table, known, sure).parse(actions);
    match (matches, parsed) {
        (Ok(matches), Ok(actions)) if faults.is_empty() => Ok(attributes.flow(matches, actions)),
        (matches, parsed) => {
            faults.extend(matches.err().into_iter().flatten());
            faults.extend(parsed.err().into_iter().flatten());
            Err(faults)
        }
    }
}

/// Takes a leading `add` off; the other commands of flow files are not supported.
fn skip_command<'a>(line: Span<'a>) -> Result<Span<'a>, Fault> {
    let text = line.trim();
    let end = text.text.find([',', ' ', '\t']).unwrap_or(text.text.len());
    match &text.text[..end] {
        "add" => Ok(text.slice(end, text.text.len())),
        c @ ("modify" | "modify_strict" | "delete" | "delete_strict") => {
            Err(Fault::new(text.at, format!("command `{c}` is not supported in a flow file"))
                .hint("a flow file adds flows"))
        }
        _ => Ok(line),
    }
}

/// The part before `actions=` and the part after it; `action=` does too, as for ovs-ofctl.
fn split_actions(line: Span) -> Option<(Span, Span)> {
    let start = line.text.find("action")?;
    let equals = start + line.text[start..].find('=')?;
    Some((line.slice(0, start), line.slice(equals + 1, line.text.len())))
}

impl Attributes {
    fn take(&mut self, pair: &Pair) -> Result<(), Fault> {
        let name = pair.key.text;
        let known = ["table", "priority", "idle_timeout", "hard_timeout", "cookie", "importance"];
        if !known.contains(&name) {
            return unknown_key(pair);
        }
        let Some(value) = pair.value.filter(|v| !v.is_empty()) else {
            return Err(Fault::new(pair.key.at, format!("{name} has no value")).hint(format!("{name}=…")));
        };
        match name {
            "table" => self.table = number_up_to(value, 254, "table")? as u8,
            "priority" => self.priority = number_up_to(value, 0xffff, "priority")? as u16,
            "idle_timeout" => self.idle_timeout = number_up_to(value, 0xffff, "idle_timeout")? as u16,
            "hard_timeout" => self.hard_timeout = number_up_to(value, 0xffff, "hard_timeout")? as u16,
            // Which flow makes room for another where a controller limits a table: not here.
            "importance" => {
                number_up_to(value, 0xffff, "importance")?;
            }
            _ if value.text.contains('/') => {
                return Err(Fault::new(value.at, "a flow that is added cannot have a cookie mask").hint("cookie=N"));
            }
            _ => self.cookie = number_up_to(value, u128::from(u64::MAX), "cookie")? as u64,
        }
        Ok(())
    }

    fn flow(self, matches: Match, actions: Vec<Action>) -> Flow {
        Flow {
            table: self.table,
            priority: self.priority,
            matches,
            actions,
            idle_timeout: self.idle_timeout,
            hard_timeout: self.hard_timeout,
            cookie: self.cookie,
            line: 0,
        }
    }
}

/// Statistics that `ovs-ofctl dump-flows` prints are passed over, so that its output is a flow file.
const STATISTICS: [&str; 5] = ["duration", "n_packets", "n_bytes", "idle_age", "hard_age"];

/// Flags that it prints, and others that ovs-ofctl takes. They say what a controller is told and what happens when a flow is added to
/// those that are there: nothing that a flow file can ask for. `check_overlap` is not checked: in a dump the flows have another order
/// than that in which the switch checked them.
const FLAGS: [&str; 7] = [
    "send_flow_rem",
    "check_overlap",
    "reset_counts",
    "no_packet_counts",
    "no_byte_counts",
    "no_readonly_table",
    "allow_hidden_fields",
];

/// A key that is neither of the match nor an attribute that is used.
fn unknown_key(pair: &Pair) -> Result<(), Fault> {
    let name = pair.key.text;
    match name {
        _ if FLAGS.contains(&name) => Ok(()),
        _ if STATISTICS.contains(&name) && pair.value.is_some() => Ok(()),
        "vlan" => {
            Err(Fault::new(pair.key.at, "`vlan` is not a field").hint("vlan_tci=0x1000/0x1000 for any tag, dl_vlan=N"))
        }
        _ if suggest::is_unsupported_key(name) => Err(Fault::new(pair.key.at, format!("`{name}` is not supported"))),
        _ => {
            let fault = Fault::new(pair.key.at, format!("unknown field `{name}`"));
            Err(match suggest::nearest_key(name) {
                Some(hint) => fault.hint(hint),
                None => fault,
            })
        }
    }
}
