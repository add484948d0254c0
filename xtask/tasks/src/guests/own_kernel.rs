// SPDX-License-Identifier: MIT OR Apache-2.0
//! DPU-OS with a kernel of the profile's own: how large it is, how soon it is at work, what memory it takes; and that it starts by UEFI and takes updates, as with
//! Debian's, from the host.

use super::arm::{AGENT, EMULATOR, wait_for_firmware};
use super::bench::Bench;
use super::dpu::Dpu;
use super::dpu_os::{Maker, expect_slots, wait_until_up};
use super::guest::{Guest, Machine, Medium, OWN_TIME};
use super::network::Network;
use super::scenarios::Outcome;
use super::wire::{Listener, Wire};
use crate::architecture::Architecture;
use crate::dpu_os::{self, Variant};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use xtask::run;

const VARIANT: Variant = Variant { build_kernel: true, ..Variant::plain("minimal") };
/// Tells when the first upcall was handled.
const CLOCK: (&str, &[u8]) = ("first-upcall", include_bytes!("first-upcall"));
/// Where it does.
const TOLD: &str = "/run/first-upcall";
/// The firmware takes images that the host sends.
const TAKES_IMAGES: (&str, &[u8]) = (
    "etc/inittab",
    b"::sysinit:/etc/start\n::respawn:/etc/services/firmware --images-from-host\n::respawn:/etc/services/agent\n::ctrlaltdel:/sbin/reboot\n",
);
/// Bytes of kernel and first file system together, at most.
const IMAGE: u64 = 12_000_000;
/// KiB that it takes at work, at most.
const USED: u32 = 40 << 10;
/// Between frames that come in.
const PAUSE: Duration = Duration::from_millis(20);
/// MiB of the card.
const MEMORY: u32 = 64;

/// With an Arm core.
pub fn own_kernel(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU has no ECPF"));
    }
    bench.install.add(&EMULATOR)?;
    let figures = figures(bench)?;
    let maker = Maker::new(bench, VARIANT, Architecture::Aarch64)?;
    let (old, new) = (maker.release("1", &[TAKES_IMAGES])?, maker.release("2", &[TAKES_IMAGES])?);
    let dpu = Dpu::start_without_slow_path(bench, "dpu")?;
    let pf = dpu.socket("pf");
    let network = Network::Dpu(dpu);
    let mut card = maker.start("disk", &old, Medium::Disk(old.disk()), &[], &network)?;
    card.wait_until_started()?;
    wait_until_up(&mut card)?;
    let said = send(&new.update(), &pf)?;
    ensure!(said.contains("2 in slot b") && said.contains("on trial"), "the card says {said:?} of an update");
    card.restart()?;
    wait_until_up(&mut card).context("with the update")?;
    let name = VARIANT.name();
    let slots = [
        format!("2 in slot b: DPU-OS {name} 2: has come up, runs"),
        format!("1 in slot a: DPU-OS {name} 1: has come up"),
    ];
    expect_slots(&mut card, &slots.each_ref().map(String::as_str))?;
    bench.finish(network, [card])?;
    Ok(Outcome::Passed(figures))
}

/// What it takes, for people. Frames come in before it is there.
fn figures(bench: &Bench) -> Result<String> {
    let image = dpu_os::build(VARIANT, Architecture::Aarch64, &[AGENT, CLOCK], &[])?;
    let bytes = size(&image)?;
    ensure!(bytes <= IMAGE, "kernel and initramfs have {bytes} bytes, more than {IMAGE}");
    let path = bench.sockets().join("wire");
    let listener = Listener::open(&path)?;
    let uplink = format!("p0=unix:{}", path.display());
    let dpu = Dpu::serve(bench, "dpu", &["--uplink".into(), uplink.into()])?;
    let wire = listener.accept(bench.interrupts)?;
    let (over, machine) = (AtomicBool::new(false), Machine { memory: MEMORY, time: OWN_TIME, ..Machine::card(&image) });
    let network = Network::Dpu(dpu);
    thread::scope(|scope| {
        let sender = scope.spawn(|| send_until(wire, &over));
        let measured = measure(bench, &machine, &network);
        over.store(true, Ordering::Relaxed);
        let sent = sender.join().expect("sending does not panic");
        let (card, seconds, available) = measured?;
        sent?;
        bench.finish(network, [card])?;
        let (memory, all) = (MEMORY * 1024 - available, MEMORY * 1024);
        ensure!(memory <= USED, "at work it has taken {memory} KiB of memory, more than {USED}");
        Ok(format!(
            "kernel and initramfs have {bytes} bytes; the first upcall is handled {seconds} s after the kernel's start, by its own time; at work it has taken {memory} of {all} KiB"
        ))
    })
}

/// Starts the card: it, the seconds until its first upcall, and KiB of memory that it has left.
fn measure(bench: &Bench, machine: &Machine, network: &Network) -> Result<(Guest, f64, u32)> {
    let mut card = Guest::start_as(bench, "card", machine, &[network.nic("ecpf")])?;
    card.wait_until_ready()?;
    wait_for_firmware(&mut card, "")?;
    card.run(&format!("for i in $(seq 400); do [ -s {TOLD} ] && exit; usleep 100000; done; exit 1"))
        .context("no upcall is handled")?;
    let seconds = card.run(&format!("cat {TOLD}"))?.trim().parse()?;
    let available = card.run("awk '/^MemAvailable/ { print $2 }' /proc/meminfo")?.trim().parse()?;
    Ok((card, seconds, available))
}

/// Sends frames of one flow, fifty a second.
fn send_until(mut wire: Wire, over: &AtomicBool) -> Result<()> {
    let mut frame = [[2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]].concat();
    // An EtherType for experiments, of which nothing is looked at.
    frame.extend([0x88, 0xb6]);
    frame.resize(60, 0);
    while !over.load(Ordering::Relaxed) {
        wire.send(&frame)?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Sends an image from the host, at whose PF our own driver is; what the card says.
fn send(image: &Path, pf: &Path) -> Result<String> {
    let mut send = run::command(run::target().join("release/millrace"));
    send.args(["os", "send"]).arg(image).args(["--via", &format!("vfio-user:{}", pf.display())]);
    let output = send.output().context("cannot start millrace")?;
    ensure!(output.status.success(), "the card takes no image: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Bytes of kernel and first file system.
fn size(image: &dpu_os::Image) -> Result<u64> {
    [&image.kernel, &image.initramfs].into_iter().try_fold(0, |sum, file| Ok(sum + fs::metadata(file)?.len()))
}
