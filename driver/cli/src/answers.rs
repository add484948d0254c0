// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every device answers to its clients.

use crate::by_hand;
use crate::claim::Claim;
use crate::control::{Answer, Reply, Request, Text};
use crate::dpu::Dpu;
use crate::error::BadInput;
use crate::explain;
use anyhow::{Context, Result};
use millrace_driver::Device;
use std::io::{ErrorKind, Write};

/// Longest sleep while nothing happens, in milliseconds.
pub const NAP_MS: u8 = 10;

/// Answers what can be asked of every device, and asked again with the number `from` until the answer is whole.
pub fn answer<D: Device>(dpu: &mut Dpu<D>, request: &Request, from: u32) -> Reply {
    match request {
        Request::Rules => rules(dpu, from).unwrap_or_else(|error| reply::<()>(Err(error))),
        Request::AddRule { words } => reply(by_hand::add(dpu, words)),
        Request::DeleteRule { rule } => reply(by_hand::delete(dpu, *rule)),
        Request::RulesByHand => reply(by_hand::list(dpu)),
        Request::Explain { port, frame } => {
            explain::answer(dpu.slow_path(), port, frame, from).unwrap_or_else(|error| reply::<()>(Err(error)))
        }
        Request::Stats => reply(dpu.port_stats(&[])),
        Request::Registers => reply(dpu.registers()),
        Request::ReadRegister { register } => reply(dpu.read_register(register).map(|register| [register])),
        Request::WriteRegister { register, value } => {
            reply(dpu.write_register(register, *value).map(|register| [register]))
        }
        Request::Events { after, wait } => match dpu.events().after(*after) {
            Some(batch) => reply(Ok(batch)),
            None if *wait => Reply::Idle,
            None => reply(Ok(dpu.events().nothing())),
        },
        Request::Reload { flows, groups } => reload(dpu, flows, groups.as_ref(), from, |dpu| dpu.rules_agree()),
        Request::Functions { .. } | Request::SetFunction { .. } => reply::<()>(Err(BadInput(
            "this device has no host side, so nothing can be set of its PF and VFs".into(),
        )
        .into())),
    }
}

/// The reply that says this.
pub fn reply<T: serde::Serialize>(value: Result<T>) -> Reply {
    Reply::Whole(match value.and_then(|value| Ok(serde_json::to_value(value)?)) {
        Ok(value) => Answer::Ok(value),
        Err(error) if error.is::<BadInput>() => Answer::BadInput(format!("{error:#}")),
        Err(error) => Answer::Failed(format!("{error:#}")),
    })
}

/// Begins to put flows in force when it is asked first, and says so when it is `done`.
pub fn reload<D: Device>(
    dpu: &mut Dpu<D>,
    flows: &Text,
    groups: Option<&Text>,
    from: u32,
    done: fn(&mut Dpu<D>) -> bool,
) -> Reply {
    let ticket = match from {
        0 => match dpu.reload(flows, groups) {
            Ok(ticket) => ticket,
            Err(error) => return reply::<()>(Err(error)),
        },
        ticket => ticket,
    };
    match dpu.is_read(ticket) {
        Err(refusal) => reply::<()>(Err(refusal.into())),
        Ok(true) if done(dpu) => reply(Ok(())),
        Ok(_) => Reply::Later(ticket),
    }
}

fn rules<D: Device>(dpu: &mut Dpu<D>, from: u32) -> Result<Reply> {
    let (rules, next) = dpu.rules(from)?;
    let items = rules.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(Reply::Items { items, next })
}

/// Writes what a run ends with.
pub fn write_json(claim: Claim, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    let path = claim.path().to_owned();
    match claim.take().and_then(|mut file| file.write_all(text.as_bytes())) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.with_context(|| format!("cannot write {}", path.display())),
    }
}
