// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is checked. Each leaves the function with a driver of default settings, and interrupts.

use crate::card::{CONFIGURATION, Card, Deadline, MEMORY, RECEIVE, TRANSMIT};
use crate::station::ETHERNET;
use anyhow::{Context, Result, ensure};
use millrace_driver::BoxError;
use millrace_driver::vfio::{Problem, Role, VfioFunction};
use millrace_driver::virtio::{Cut, DmaMemory, Settings, VirtioError, VirtioPci};
use millrace_regs::config::Preset;
use millrace_regs::host::{COMMON, DEVICE, FaultReason, Feature, NOTIFY, common, device};

type Check = fn(&mut Card) -> Result<String>;

pub const CHECKS: &[(&str, Check)] = &[
    ("registers", registers),
    ("configuration", configuration),
    ("frames", frames),
    ("large frames", large_frames),
    ("scattered frames", scattered_frames),
    ("features", features),
    ("interrupts", interrupts),
    ("polling", polling),
    ("fault", fault),
    ("unmapped memory", unmapped_memory),
    ("restart", restart),
    ("reset under traffic", reset_under_traffic),
    ("memory taken away", memory_taken_away),
    ("opened again", opened_again),
];

/// Registers read the same mapped and by system calls, at each width.
fn registers(card: &mut Card) -> Result<String> {
    let parts = card.parts()?;
    let mut calls = parts.function.bar_by_calls();
    let mapped = parts.net()?.transport();
    ensure!(mapped.is_mapped(), "the BAR is not mapped");
    let reads = [read(mapped), read(&mut calls)];
    let [mapped_reads, calls_read] = reads.map(|read| read.map_err(anyhow::Error::from_boxed));
    let (by_mapping, by_calls) = (mapped_reads?, calls_read?);
    ensure!(by_mapping == by_calls, "mapped they read {by_mapping:x?}, by system calls {by_calls:x?}");
    let queues = Preset::Host.config().virtqueues_of_function(1) as u32;
    ensure!(by_mapping[..2] == [0xf, queues], "device_status and num_queues read {by_mapping:x?}");
    for value in [1, 0] {
        let crossed = written(&mut calls, mapped, value).and_then(|()| written(mapped, &mut calls, value ^ 1));
        crossed.map_err(anyhow::Error::from_boxed)?;
    }
    Ok(format!("mapped, IOMMU group {}, {} vectors", parts.function.group(), parts.events.len()))
}

/// What is written one way has to be read the other way.
fn written(to: &mut impl VirtioPci, from: &mut impl VirtioPci, value: u8) -> Result<(), BoxError> {
    let [select, queue] =
        [common::DEVICE_FEATURE_SELECT, common::QUEUE_SELECT].map(|field| COMMON.offset + field.offset);
    to.write32(select, value.into())?;
    to.write16(queue, value.into())?;
    match (from.read32(select)?, from.read16(queue)?) {
        (a, b) if (a, b) == (u32::from(value), u16::from(value)) => Ok(()),
        reads => Err(format!("{value} was written, {reads:?} are read").into()),
    }
}

/// `device_status`, `num_queues` and the first half of the MAC address, each by an access of its width.
fn read(bar: &mut impl VirtioPci) -> Result<[u32; 3], BoxError> {
    let status = bar.read8(COMMON.offset + common::DEVICE_STATUS.offset)?;
    let queues = bar.read16(COMMON.offset + common::NUM_QUEUES.offset)?;
    Ok([status.into(), queues.into(), bar.read32(DEVICE.offset + device::MAC.offset)?])
}

fn configuration(card: &mut Card) -> Result<String> {
    let expected = card.expected;
    let config = card.net()?.config()?;
    ensure!(config.mac == Some(expected.mac), "the MAC address is {:02x?}", config.mac);
    ensure!(config.mtu == Some(expected.mtu), "the MTU is {:?}", config.mtu);
    ensure!(config.link_up, "the link is down");
    card.ask()?;
    Ok(format!("an MTU of {}, and the peer answers", expected.mtu))
}

fn frames(card: &mut Card) -> Result<String> {
    let count = card.echo(60..=1514)?;
    Ok(format!("{count} echoes in frames of 60 to 1,514 bytes"))
}

fn large_frames(card: &mut Card) -> Result<String> {
    let longest = ETHERNET + usize::from(card.expected.mtu);
    let count = card.echo((1515..longest).step_by(97).chain([longest - 1, longest]))?;
    let too_long = vec![0; card.parts()?.settings.transmit_bytes];
    match card.net()?.send(0, [&too_long[..]]) {
        Err(VirtioError::FrameTooLong { .. }) => {}
        other => anyhow::bail!("a frame that no buffer holds: {other:?}"),
    }
    Ok(format!("{count} echoes in frames of 1,515 to {longest} bytes"))
}

/// Frames over several receive buffers, of one and more descriptors.
fn scattered_frames(card: &mut Card) -> Result<String> {
    let cut = |gap, len| Cut { gap, len };
    let receive = vec![vec![cut(0, 1600)], vec![cut(3, 1), cut(0, 800), cut(5, 1200)], vec![cut(1, 2000)]];
    let default = card.parts()?.settings.clone();
    card.parts()?.set(Settings { receive, queue_size: 128, ..default.clone() })?;
    let longest = ETHERNET + usize::from(card.expected.mtu);
    let count = card.echo((60..=longest).step_by(83))?;
    card.parts()?.set(default)?;
    Ok(format!("{count} echoes in frames of 60 to {longest} bytes over up to {} buffers", longest.div_ceil(1600)))
}

fn features(card: &mut Card) -> Result<String> {
    let default = card.parts()?.settings.clone();
    let known = Feature::OFFERED & default.features();
    let all = card.net()?.features();
    ensure!(all == known, "agreed on {all:#x}, not on {known:#x}");
    card.parts()?.set(Settings { merge: false, ..default.clone() })?;
    let some = card.net()?.features();
    ensure!(some == all & !Feature::MergeableBuffers.bit(), "agreed on {some:#x} without mergeable buffers");
    card.echo([60, 1514, 9000])?;
    card.parts()?.set(default)?;
    Ok(format!("{all:#x}, and {some:#x}"))
}

/// Each virtqueue's vector is signalled, and no other.
fn interrupts(card: &mut Card) -> Result<String> {
    let default = card.parts()?.settings.clone();
    // With EVENT_IDX a transmitq tells of a frame only if the driver waits for room.
    card.parts()?.set(Settings { event_idx: false, ..default.clone() })?;
    for vector in [CONFIGURATION, RECEIVE, TRANSMIT] {
        card.parts()?.take(vector);
    }
    for _ in 0..50 {
        card.echo([60])?;
        card.parts()?.wait_for(TRANSMIT, &Deadline::new())?;
    }
    ensure!(!card.parts()?.take(CONFIGURATION), "the configuration's vector was signalled");
    card.parts()?.set(default)?;
    Ok("50 times each".to_owned())
}

/// Without interrupts none comes.
fn polling(card: &mut Card) -> Result<String> {
    let default = card.parts()?.settings.clone();
    card.parts()?.set(Settings { interrupts: false, ..default.clone() })?;
    for vector in [CONFIGURATION, RECEIVE, TRANSMIT] {
        card.parts()?.take(vector);
    }
    let count = card.echo((60..1514).step_by(29))?;
    for vector in [CONFIGURATION, RECEIVE, TRANSMIT] {
        ensure!(!card.parts()?.take(vector), "vector {vector} was signalled");
    }
    card.parts()?.set(default)?;
    Ok(format!("{count} echoes without an interrupt"))
}

/// A ring that breaks the rules stops its virtqueue, and the driver hears of it.
fn fault(card: &mut Card) -> Result<String> {
    let default = split(card)?;
    let net = card.net()?;
    let [_, transmit] = net.queues(0)?;
    let (available, ahead) = (transmit.rings().available, transmit.size() + 1);
    let index = net.memory().load16(available + 2).wrapping_add(ahead);
    net.memory().store16(available + 2, index);
    let told = faulted(card, FaultReason::AvailIndex)?;
    card.parts()?.set(default)?;
    Ok(told)
}

/// Brings the function up with split virtqueues; gives the settings of before.
fn split(card: &mut Card) -> Result<Settings> {
    let default = card.parts()?.settings.clone();
    card.parts()?.set(Settings { packed: false, ..default.clone() })?;
    Ok(default)
}

/// An address that the IOMMU does not let through stops the virtqueue, and nothing else happens.
fn unmapped_memory(card: &mut Card) -> Result<String> {
    let default = split(card)?;
    let net = card.net()?;
    let [_, transmit] = net.queues(0)?;
    let (rings, memory) = (transmit.rings(), net.memory());
    let behind = memory.address() + (1 << 36);
    memory.store64(rings.descriptors, behind);
    memory.store32(rings.descriptors + 8, 100);
    memory.store32(rings.descriptors + 12, 0);
    memory.store16(rings.available + 4, 0);
    memory.store_barrier();
    memory.store16(rings.available + 2, 1);
    let told = faulted(card, FaultReason::Bus)?;
    card.parts()?.set(default)?;
    Ok(told)
}

/// Notifies the transmitq, on whose rings something is wrong; the function has to say what. It is brought up again.
fn faulted(card: &mut Card, reason: FaultReason) -> Result<String> {
    card.parts()?.take(CONFIGURATION);
    let net = card.net()?;
    net.memory().full_barrier();
    net.transport().write16(NOTIFY.at(1), 1).map_err(anyhow::Error::from_boxed)?;
    card.parts()?.wait_for(CONFIGURATION, &Deadline::new())?;
    let told = match card.net()?.check() {
        Err(VirtioError::NeedsReset(fault)) => fault,
        other => anyhow::bail!("the function tells of nothing: {other:?}"),
    };
    ensure!((told.reason(), told.virtqueue) == (Some(reason), 1), "the function tells of {told}");
    card.net()?.restart()?;
    card.echo([60, 1514])?;
    Ok(told.to_string())
}

fn restart(card: &mut Card) -> Result<String> {
    for _ in 0..20 {
        card.net()?.restart()?;
        card.echo([60, 1514])?;
    }
    Ok("20 times".to_owned())
}

/// When a reset is over nothing is written to memory any more, while frames keep coming.
fn reset_under_traffic(card: &mut Card) -> Result<String> {
    const TIMES: u8 = 10;
    let mut spare = card.parts()?.function.memory(MEMORY)?;
    for pattern in 1..=TIMES {
        traffic(card)?;
        let parts = card.parts()?;
        let (bar, memory) = parts.stop()?;
        let filled = vec![pattern; memory.bytes()];
        memory.write(0, &filled);
        parts.start(bar, spare)?;
        traffic(card)?;
        card.echo([60, 1514])?;
        let mut bytes = vec![0; memory.bytes()];
        memory.read(0, &mut bytes);
        let changed = bytes.iter().position(|byte| *byte != pattern);
        ensure!(changed.is_none(), "byte {changed:?} of the memory was written after reset {pattern}");
        spare = memory;
    }
    Ok(format!("{TIMES} times"))
}

/// Waits until the peer's frames come, and has some under way in both directions.
fn traffic(card: &mut Card) -> Result<()> {
    let request = card.station.request(0, 0, 1000)?;
    for _ in 0..32 {
        card.parts()?.send(&request)?;
    }
    card.parts()?.frames(&Deadline::new()).map(drop)
}

/// Memory that goes takes the function's driver down, and nothing else.
fn memory_taken_away(card: &mut Card) -> Result<String> {
    let other = card.parts()?.function.memory(MEMORY)?;
    traffic(card)?;
    drop(other);
    let status = COMMON.offset + common::DEVICE_STATUS.offset;
    let reads = card.net()?.transport().read8(status).map_err(anyhow::Error::from_boxed)?;
    ensure!(reads == 0, "device_status is {reads:#x}: the function was not reset");
    card.net()?.restart()?;
    card.echo([60, 1514])?;
    card.parts()?.function.reset()?;
    card.net()?.restart()?;
    card.echo([60, 1514])?;
    Ok("the function was reset, and goes on when it is brought up".to_owned())
}

/// Nobody else has the function meanwhile; when it was closed under traffic it can be opened.
fn opened_again(card: &mut Card) -> Result<String> {
    let address = card.parts()?.function.address();
    let refused = VfioFunction::open(address, Role::Network).err().context("it was opened twice")?;
    ensure!(matches!(refused.problem, Problem::Open { .. }), "opened twice it says {refused}");
    for _ in 0..3 {
        traffic(card)?;
        card.reopen()?;
        card.echo([60, 1514])?;
    }
    Ok(format!("3 times; meanwhile: {refused}"))
}
