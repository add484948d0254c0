// SPDX-License-Identifier: MIT OR Apache-2.0
//! A slow path in C, made on the card itself: what docs/c-on-the-card.md says.

use super::arm::{AGENT, EMULATOR, wait_for_firmware};
use super::bench::Bench;
use super::dpu::Dpu;
use super::guest::{Guest, Machine};
use super::network::Network;
use super::scenarios::Outcome;
use crate::architecture::Architecture;
use crate::dpu_os::{self, Variant};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

const PAGE: &str = include_str!("../../../../docs/c-on-the-card.md");
const PROFILE: &str = "minimal";
/// MiB.
const MEMORY: u32 = 512;
/// A compiler whose instructions are emulated takes a minute on a busy machine.
const COMPILATION: Duration = Duration::from_secs(300);
/// For which the program answers.
const ADDRESS: &str = "192.0.2.1";
const PACKETS: u32 = 20;

/// A card that compiles the example, and a stock guest that talks to it.
pub fn devel(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU has no ECPF"));
    }
    bench.install.add(&EMULATOR)?;
    let variant = Variant { devel: true, ..Variant::plain(PROFILE) };
    let image = dpu_os::build(variant, Architecture::Aarch64, &[AGENT], &[])?;
    let network = Network::Dpu(Dpu::start_without_slow_path(bench, "dpu")?);
    let machine = Machine { memory: MEMORY, ..Machine::card(&image) };
    let mut card = Guest::start_as(bench, "card", &machine, &[network.nic("ecpf")])?;
    card.wait_until_ready()?;
    wait_for_firmware(&mut card, "")?;
    let blocks = on_the_card();
    let (program, before) = blocks.split_last().context("the page runs nothing on the card")?;
    for command in before.iter().flat_map(|block| block.lines()) {
        let answer = card.attempt_for(command, COMPILATION)?;
        ensure!(answer.code == 0, "`{command}` ended with {}: {}", answer.code, answer.output);
    }
    let program = card.start_job(program.trim_end())?;
    let log = format!("/tmp/{}", program.id());
    card.run(&format!("for i in $(seq 400); do grep -q ready {log} && exit; usleep 100000; done; cat {log}; exit 1"))
        .context("the program does not come up")?;
    let [mut guest] = bench.guests(&network, ["vf0"])?;
    guest.run(&format!("ip route add {ADDRESS} dev eth0"))?;
    guest.run(&format!("arping -c 3 -w 20 -I eth0 {ADDRESS}")).context("the program does not answer")?;
    // Nobody is behind the uplink.
    guest.attempt(&format!("ping -c {PACKETS} -i 0.1 -W 1 {ADDRESS}"))?;
    let said = card.stop(&program)?;
    let count = counted(&said).with_context(|| format!("the program says:\n{said}"))?;
    ensure!((1..=PACKETS).contains(&count), "of {PACKETS} packets the hardware counted {count}");
    bench.finish(network, [card, guest])?;
    Ok(Outcome::Passed(format!("{count} of {PACKETS} packets in hardware")))
}

/// What the page runs on the card: commands, a line each.
fn on_the_card() -> Vec<String> {
    millrace_pages::blocks(PAGE, "sh card")
}

/// The packets of the first flow.
fn counted(said: &str) -> Option<u32> {
    let line = said.lines().find_map(|line| line.strip_prefix("flow 1: "))?;
    line.split_once(' ')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_what_the_card_runs() {
        let blocks = on_the_card();
        assert_eq!(blocks.len(), 3);
        assert!(blocks[2].starts_with("cd /root && exec ./arp_responder"), "{}", blocks[2]);
        assert_eq!(counted("ready\nflow 1\nflow 1: 19 packets in hardware\n"), Some(19));
        assert_eq!(counted("ready\nflow 1\n"), None);
    }
}
