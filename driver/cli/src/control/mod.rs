// SPDX-License-Identifier: MIT OR Apache-2.0
//! The control socket of a running device: one JSON object per line and request, one per answer, in order.
//!
//! Only the user that runs the device, and root, get to it: it is in a folder of theirs, it is theirs from the moment it is
//! there, and each end asks the kernel who is at the other.

mod client;
mod connection;
#[cfg(test)]
mod fuzz;
mod peer;
mod place;
mod server;

pub use client::{Client, ask};
pub use server::Server;

pub use place::Place;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a running device can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The rules in the hardware.
    Rules,
    /// A rule by hand, as the words of testpmd's `flow create`. Answered with its number.
    AddRule { words: Vec<String> },
    /// Takes a rule by hand out.
    DeleteRule { rule: u16 },
    /// The rules by hand.
    RulesByHand,
    /// Statistics so far.
    Stats,
    /// All registers.
    Registers,
    /// A register, by name or byte address.
    ReadRegister { register: String },
    /// Writes a register, by name or byte address.
    WriteRegister { register: String, value: u32 },
    /// New flows, and groups in place of those that are there. Answered when no packet is handled by the old ones any more.
    Reload {
        flows: Text,
        #[serde(default)]
        groups: Option<Text>,
    },
    /// What is set of PF and VFs, or of one of them.
    Functions {
        #[serde(default)]
        function: Option<String>,
    },
    /// Scans and spoofed sources that were told of after the one with this number. With `wait` it is answered when there are some.
    Events {
        #[serde(default)]
        after: u64,
        #[serde(default)]
        wait: bool,
    },
    /// Why a frame (hexadecimal) that comes in on a port goes where it goes.
    Explain { port: String, frame: String },
    /// Sets something of a PF or VF: `vlan=100,qos=3`, as `--vf` has it. Answered with what is set of it then.
    SetFunction { function: String, settings: String },
}

/// The text of a file, and its name for messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub name: String,
    pub text: String,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Ok(Value),
    /// The request cannot be met, whoever asks when.
    BadInput(String),
    /// Something went wrong.
    Failed(String),
}

/// What is said to a request at a time, so that a long answer neither holds up the device nor is in memory whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The answer.
    Whole(Answer),
    /// The request is to be put again, with this number, which is not 0: it takes time.
    Later(u32),
    /// There is nothing to say yet: the request is to be put again when something has happened, with 0.
    Idle,
    /// Items of a list, each as JSON. With `next` there are more, from there on, when the request is put again.
    Items { items: Vec<String>, next: Option<u32> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_lines_of_json() {
        let request = Request::WriteRegister { register: "SCRATCH".into(), value: 7 };
        let line = serde_json::to_string(&request).unwrap();
        assert_eq!(line, r#"{"request":"write_register","register":"SCRATCH","value":7}"#);
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        assert!(serde_json::from_str::<Request>(r#"{"request":"sats"}"#).is_err());
        let all = serde_json::from_str::<Request>(r#"{"request":"functions"}"#).unwrap();
        assert_eq!(all, Request::Functions { function: None });
        assert_eq!(serde_json::to_string(&Answer::Ok(Value::from(3))).unwrap(), r#"{"ok":3}"#);
    }
}
