// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace rules`, `stats`, `reg`, `reload` and `vf`: questions to a running device.

use crate::args::{ConnectArgs, QueryArgs, RegArgs, ReloadArgs, RulesArgs, RulesCommand, VfArgs};
use crate::by_hand::RuleShown;
use crate::control::{Request, Text, ask};
use crate::error::{BadInput, BadInputExt};
use crate::flow_file::{self, Files};
use crate::functions::FunctionStatus;
use crate::registers;
use crate::standard;
use crate::stats::Stats;
use crate::vf;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, Write};
use std::path::Path;

/// A register and what it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterValue {
    pub name: String,
    pub address: u32,
    pub access: String,
    pub value: u32,
}

/// A rule as people read it.
#[derive(Deserialize)]
struct RuleText {
    text: String,
}

pub fn rules(args: &RulesArgs) -> Result<()> {
    match &args.command {
        None => show(&args.query.connect, &Request::Rules, |rules: Vec<RuleText>| {
            rules.into_iter().map(|rule| rule.text + "\n").collect()
        }),
        Some(RulesCommand::Add(add)) => {
            let request = Request::AddRule { words: add.words.clone() };
            show(&add.connect, &request, |rule: u16| format!("{rule}\n"))
        }
        Some(RulesCommand::Del(del)) => {
            show(&del.connect, &Request::DeleteRule { rule: del.rule }, |_: Value| String::new())
        }
        Some(RulesCommand::List(list)) => show(&list.connect, &Request::RulesByHand, |rules: Vec<RuleShown>| {
            rules.iter().map(RuleShown::line).collect()
        }),
    }
}

pub fn stats(args: &QueryArgs) -> Result<()> {
    show(&args.connect, &Request::Stats, |stats: Stats| stats.table())
}

pub fn reg(args: &RegArgs) -> Result<()> {
    let request = match (&args.register, &args.value) {
        (None, _) => Request::Registers,
        (Some(register), None) => Request::ReadRegister { register: register.clone() },
        (Some(register), Some(value)) => {
            Request::WriteRegister { register: register.clone(), value: registers::number(value)? }
        }
    };
    show(&args.connect, &request, |registers: Vec<RegisterValue>| {
        let line =
            |r: RegisterValue| format!("{:#06x}  {:<3}  {:<24} {:#010x}\n", r.address, r.access, r.name, r.value);
        registers.into_iter().map(line).collect()
    })
}

pub fn reload(args: &ReloadArgs) -> Result<()> {
    let files = Files { flows: &args.flows, groups: args.groups.as_deref() };
    standard::check_uses(&standard::uses(files))?;
    let text = |path: &Path| Ok::<_, BadInput>(Text { name: flow_file::name(path), text: flow_file::text(path)? });
    let flows = text(files.flows)?;
    let groups = files.groups.map(text).transpose()?;
    show(&args.connect, &Request::Reload { flows, groups }, |_: Value| String::new())
}

pub fn vf(args: &VfArgs) -> Result<()> {
    let request = match args.words.as_slice() {
        [] => Request::Functions { function: None },
        [show] if show == "show" => Request::Functions { function: None },
        [show, function] if show == "show" => Request::Functions { function: Some(function.clone()) },
        [function] => Request::Functions { function: Some(function.clone()) },
        [function, settings @ ..] => {
            Request::SetFunction { function: function.clone(), settings: vf::list_of(settings).bad_input()? }
        }
    };
    show(&args.connect, &request, |functions: Vec<FunctionStatus>| functions.iter().map(FunctionStatus::line).collect())
}

/// Prints an answer, as JSON or for people.
fn show<T: for<'de> Deserialize<'de>>(
    connect: &ConnectArgs,
    request: &Request,
    text: impl FnOnce(T) -> String,
) -> Result<()> {
    let answer = ask(connect.control.as_deref(), request)?;
    let text = if connect.json {
        serde_json::to_string_pretty(&answer)? + "\n"
    } else {
        text(serde_json::from_value(answer).context("the device's answer makes no sense")?)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot print"),
    }
}
