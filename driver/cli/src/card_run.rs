// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace run --device serial:…`: the slow path of a card, whose ports are its own.

use crate::args::RunArgs;
use crate::claim;
use crate::control::Server;
use crate::dpu::Dpu;
use crate::error::{BadInput, BadInputExt};
use crate::flow_file;
use crate::inputs::by_vport;
use crate::signals::Signals;
use crate::slow_path::{Session, Surroundings, with_hint};
use crate::standard;
use crate::stats::Stats;
use crate::taps;
use anyhow::{Context, Result};
use millrace_driver::serial::{Serial, Tty, patience};
use millrace_driver::{Device, Others, Sent, discover};
use millrace_firmware::slowpath::Settings;
use millrace_regs::addr;
use millrace_regs::config::Config;
use millrace_sim::tap::{Tap, is_gone};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Rules whose counters are read in one turn: each takes a few times the way to the card and back.
const COUNTERS_AT_ONCE: usize = 4;
/// Frames of a TAP device that are handed to the card before others get their turn.
const TAP_BURST: usize = 16;

type Card = Dpu<Serial<Tty>>;

/// Does what the command line says, with a card.
pub fn run(args: &RunArgs, path: &Path, baud: u32) -> Result<()> {
    refuse_options(args)?;
    standard::check_once(args)?;
    let mut device = Serial::new(Tty::open(path, baud).bad_input()?, patience(baud))
        .with_context(|| format!("the card at {}", path.display()))?;
    let config = discover(&mut device).map_err(with_hint)?;
    let macs = device.losses()?.ports.len();
    let interfaces = by_vport(&config, "tap", &args.taps)?;
    if let Some((vport, _)) = interfaces.iter().find(|(vport, _)| *vport < macs) {
        let port = config.vport_name(*vport).unwrap_or_default();
        return Err(BadInput(format!("port {port} of the card has a MAC: it has no --tap")).into());
    }
    let detect = args.detect.detection(&config, false)?;
    let flows = flow_file::read(args.files(), &config)?;
    let signals = Signals::catch()?;
    let taps = taps::open(&config, &interfaces)?;
    let stats = claim::of_stats(args.stats.as_deref(), &args.files().paths())?;
    let server = Server::open_until_signal(args.control.as_deref(), &signals)?;

    free_the_fast_path(&mut device, &config, macs)?;
    let others = if args.take_over { Others::TakeOver } else { Others::Refuse };
    let settings = Settings { counters_at_once: COUNTERS_AT_ONCE, others, detect, ..Settings::default() };
    let card = Dpu::over(device, flows, settings).map_err(with_hint)?;
    let ports = (0..config.vports()).map(|_| Port::default()).collect();
    Session::new(args.files(), card, Ports { taps, ports }, server, signals).run(stats)?;
    Ok(())
}

/// What only a simulated device has.
fn refuse_options(args: &RunArgs) -> Result<(), BadInput> {
    let given = [
        ("--in", !args.inputs.is_empty()),
        ("--out", args.out.is_some()),
        ("--trace", args.trace.is_some()),
        ("--host", args.host.is_some()),
        ("--preset", args.preset.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(BadInput(format!("{option} is for a simulated device: a card has its own ports"))),
        None => Ok(()),
    }
}

/// The host channel is slower than the ports by far: what it has no room for is dropped and counted, and does not stop the pipeline.
fn free_the_fast_path(device: &mut impl Device, config: &Config, macs: usize) -> Result<()> {
    for queue in macs..config.queues() {
        device.write32(addr::queue_ctrl(queue as u32), 1)?;
    }
    Ok(())
}

/// What happened at a port of the host channel, on our side.
#[derive(Default)]
struct Port {
    /// Frames that the TAP device did not take, and those that have none to go to.
    tap_refused: u64,
    no_tap: u64,
}

/// What is at the ports of a card that have no MAC.
struct Ports {
    taps: Vec<(usize, Tap)>,
    ports: Vec<Port>,
}

impl Surroundings for Ports {
    type Device = Serial<Tty>;

    fn turn(&mut self, card: &mut Card) -> Result<usize> {
        Ok(self.write_taps(card)? + self.read_taps(card)?)
    }

    fn awaits<'a>(&'a self, card: &'a Serial<Tty>) -> Vec<BorrowedFd<'a>> {
        self.taps.iter().map(|(_, tap)| tap.as_fd()).chain([card.line().as_fd()]).collect()
    }

    fn stats(&self, card: &mut Card) -> Result<Stats> {
        card_stats(card, &self.ports)
    }

    fn last_stats(&self, card: &mut Card) -> Result<Stats> {
        let host_channel = line_stats(card);
        Ok(Stats { host_channel, ..card.slow_path_stats()? })
    }
}

impl Ports {
    /// Frames that leave at ports of the host channel; how many.
    fn write_taps(&mut self, card: &mut Card) -> Result<usize> {
        let mut count = 0;
        while let Some((vport, frame)) = card.device().recv_frame() {
            count += 1;
            let vport = usize::from(vport);
            let Some(port) = self.ports.get_mut(vport) else {
                tracing::warn!("the card sent a frame of port number {vport}, which it does not have");
                continue;
            };
            match self.taps.iter_mut().find(|(v, _)| *v == vport) {
                None => port.no_tap += 1,
                Some((_, tap)) => match tap.send(&frame) {
                    Ok(true) => (),
                    Ok(false) => port.tap_refused += 1,
                    Err(error) if is_gone(&error) => port.tap_refused += 1,
                    Err(error) => return Err(error).with_context(|| format!("TAP device {}", tap.name())),
                },
            }
        }
        Ok(count)
    }

    /// Frames that come in at ports of the host channel, as long as the line takes them; how many.
    fn read_taps(&mut self, card: &mut Card) -> Result<usize> {
        let mut count = 0;
        for (vport, tap) in &mut self.taps {
            for _ in 0..TAP_BURST {
                if !card.device().has_room() {
                    return Ok(count);
                }
                let name = tap.name().to_owned();
                match tap.recv() {
                    Ok(Some(frame)) if !frame.is_empty() => {
                        let Sent::Accepted = card.device().send_frame(*vport as u8, frame)? else { break };
                        count += 1;
                    }
                    Ok(_) => break,
                    Err(error) if is_gone(&error) => break,
                    Err(error) => return Err(error).with_context(|| format!("TAP device {name}")),
                }
            }
        }
        Ok(count)
    }
}

/// What happened at the card's ports, on its board and on the line.
fn card_stats(card: &mut Card, ports: &[Port]) -> Result<Stats> {
    let mut stats = card.port_stats(&[])?;
    let config = *card.config();
    let losses = card.device().losses()?;
    for (vport, ours) in ports.iter().enumerate() {
        let Some(port) = stats.ports.get_mut(&config.vport_name(vport).unwrap_or_default()) else { continue };
        match losses.ports.get(vport) {
            Some(lost) => {
                port.received.packets += u64::from(*lost);
                port.dropped.ingress.insert("drop_port_lost".into(), (*lost).into());
            }
            None => {
                port.not_sent.insert("tap_refused".into(), ours.tap_refused);
                port.not_sent.insert("no_tap".into(), ours.no_tap);
            }
        }
    }
    let upcalls = card.queue_stats(config.vports() as u8)?;
    let theirs = [
        ("upcalls_queued", upcalls.packets),
        ("upcalls_no_room", upcalls.drops),
        ("dropped_by_card", losses.host_dropped.into()),
    ];
    stats.host_channel = line_stats(card);
    stats.host_channel.extend(theirs.map(|(name, count)| (name.into(), count)));
    Ok(stats)
}

/// What happened at this end of the line.
fn line_stats(card: &mut Card) -> BTreeMap<String, u64> {
    let line = card.device().stats();
    let counts = [
        ("upcalls_arrived", line.upcalls),
        ("damaged", line.damaged),
        ("unknown", line.unknown),
        ("not_taken", line.not_taken),
        ("accesses_repeated", line.repeated),
        ("answers_late", line.stray),
    ];
    counts.map(|(name, count)| (name.into(), count)).into()
}
