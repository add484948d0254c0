// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace os send`: an image of DPU-OS from the host to its card.

use crate::error::BadInput;
use crate::host_link::{HostChoice, HostLink};
use anyhow::{Context, Result, bail};
use millrace_update::transfer::{Message, Outcome, Sender};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between looks while nothing comes.
const NAP: Duration = Duration::from_millis(250);

/// Sends it, and prints what the card says of it.
pub fn run(image: &Path, choice: &HostChoice) -> Result<()> {
    let bytes = fs::read(image).map_err(|error| BadInput(format!("cannot read {}: {error}", image.display())))?;
    let (start, mut link) = (Instant::now(), HostLink::open(choice)?);
    let Some(mut sender) = Sender::new(&bytes, number()?, Duration::ZERO) else {
        return Err(BadInput(format!("{} is no image: it is too long", image.display())).into());
    };
    let source = link.address();
    while sender.outcome().is_none() {
        while let Some(message) = sender.next(start.elapsed()) {
            link.send(&message.frame(source))?;
        }
        link.wait(sender.due().saturating_sub(start.elapsed()).min(NAP))?;
        link.receive(|frame| {
            if let Some(message) = Message::parse(frame) {
                sender.take(&message, start.elapsed());
            }
        })?;
    }
    link.close()?;
    match sender.outcome() {
        Some(Outcome::Installed(text)) => println!("{text}"),
        Some(Outcome::Refused(why)) => return Err(BadInput(format!("the card says: {why}")).into()),
        _ => bail!("the card does not answer: its firmware takes images with --images-from-host"),
    }
    Ok(())
}

/// One that no transfer before this has had.
fn number() -> Result<u32> {
    let mut bytes = [0; 4];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("there are no random numbers")?;
    Ok(u32::from_ne_bytes(bytes))
}
