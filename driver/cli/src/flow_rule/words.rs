// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words of a rule, and values among them.

use super::Refusal;
use crate::port_name;
use millrace_regs::config::Config;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A word, and its number from 1.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    pub text: &'a str,
    number: usize,
}

impl Word<'_> {
    /// What is wrong with it.
    pub fn wrong(self, problem: impl Into<String>) -> Refusal {
        Refusal::Syntax { word: self.number, text: self.text.into(), problem: problem.into() }
    }
}

/// How the value of a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A number of so many bits.
    Number(u32),
    /// 0 or 1.
    Flag,
    Mac,
    Ipv4,
    Ipv6,
    /// A port's number, from 0, or its name.
    Port,
}

impl Form {
    /// All of its bits.
    pub fn ones(self) -> u128 {
        u128::MAX >> (128 - self.bits())
    }

    pub fn bits(self) -> u32 {
        match self {
            Form::Number(bits) => bits,
            Form::Flag => 1,
            Form::Mac => 48,
            Form::Ipv4 => 32,
            Form::Ipv6 => 128,
            Form::Port => 8,
        }
    }
}

/// Words that are left.
pub struct Words<'a> {
    words: &'a [String],
    next: usize,
}

impl<'a> Words<'a> {
    pub fn new(words: &'a [String]) -> Self {
        Self { words, next: 0 }
    }

    pub fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).map(String::as_str)
    }

    /// The next word, which is to be `wanted`.
    pub fn next(&mut self, wanted: &str) -> Result<Word<'a>, Refusal> {
        let number = self.next + 1;
        let Some(text) = self.peek() else {
            return Err(Refusal::Syntax { word: number, text: String::new(), problem: format!("give {wanted}") });
        };
        self.next += 1;
        Ok(Word { text, number })
    }

    pub fn expect(&mut self, text: &str, wanted: &str) -> Result<(), Refusal> {
        let word = self.next(wanted)?;
        if word.text == text { Ok(()) } else { Err(word.wrong(format!("give {wanted}"))) }
    }

    /// There are no more.
    pub fn end(&mut self) -> Result<(), Refusal> {
        if self.peek().is_none() { Ok(()) } else { Err(self.next("")?.wrong("the rule ends before this")) }
    }

    /// A number of 0 to `most`.
    pub fn number(&mut self, wanted: &str, most: u128) -> Result<u128, Refusal> {
        let word = self.next(wanted)?;
        let digits = word.text.strip_prefix("0x").or_else(|| word.text.strip_prefix("0X"));
        let parsed = digits.map_or_else(|| word.text.parse(), |hex| u128::from_str_radix(hex, 16));
        parsed.ok().filter(|n| *n <= most).ok_or_else(|| word.wrong(format!("give a number of 0 to {most}")))
    }

    /// A value of this form.
    pub fn value(&mut self, form: Form, config: &Config) -> Result<u128, Refusal> {
        match form {
            Form::Number(_) | Form::Flag => self.number("a number", form.ones()),
            Form::Mac => {
                let word = self.next("a MAC address")?;
                mac(word.text).ok_or_else(|| word.wrong("give a MAC address, as 02:00:00:00:00:01"))
            }
            Form::Ipv4 => {
                let word = self.next("an IPv4 address")?;
                let address = word.text.parse::<Ipv4Addr>();
                address.map(|a| a.to_bits().into()).map_err(|_| word.wrong("give an IPv4 address, as 10.0.0.1"))
            }
            Form::Ipv6 => {
                let word = self.next("an IPv6 address")?;
                let address = word.text.parse::<Ipv6Addr>();
                address.map(Ipv6Addr::to_bits).map_err(|_| word.wrong("give an IPv6 address, as 2001:db8::1"))
            }
            Form::Port => {
                let word = self.next("a port")?;
                port_name::by_id(config, word.text).map(|port| port as u128).map_err(|error| word.wrong(error.0))
            }
        }
    }
}

fn mac(text: &str) -> Option<u128> {
    let bytes: Vec<&str> = text.split(':').collect();
    let is_mac = bytes.len() == 6 && bytes.iter().all(|byte| (1..=2).contains(&byte.len()));
    let value = |all: u128, byte: &&str| Some(all << 8 | u128::from(u8::from_str_radix(byte, 16).ok()?));
    bytes.iter().try_fold(0, value).filter(|_| is_mac)
}
