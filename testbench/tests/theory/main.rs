// SPDX-License-Identifier: MIT OR Apache-2.0
//! `docs/theory-of-operation.md` says what happens: each block of values on the page is what the simulated device and its slow path do
//! with the packet and the flow that it works through. `MILLRACE_WRITE=1` writes them into the page.

mod page;
mod recorder;
mod waveform;

use millrace_driver::{Place, RuleInfo, Rules};
use millrace_firmware::openflow::{Ports, parse_flow_file};
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_model::parse;
use millrace_regs::hash::slots;
use millrace_regs::{Field, KEY_FIELDS, Lengths, STEP_FIELDS, Verdict};
use millrace_sim::{Embedded, Preset};
use millrace_testbench::scenarios::build::{mac, patched, tagged, v4};
use page::Page;
use recorder::Recorder;
use std::fmt::Write;

const FLOW: &str =
    "in_port=vf0,ip,nw_dst=10.0.0.0/24 actions=strip_vlan,mod_dl_dst:02:00:00:00:00:55,dec_ttl,output:p0";
const VF0: usize = 3;
const P0: usize = 0;
/// Clocks that the waveform shows.
const CLOCKS: u64 = 68;

/// 150 bytes: more than the header window, so that the payload has to move by the tag that goes.
fn frame() -> Vec<u8> {
    tagged(&v4(1, 2).udp(4000, 53, 104), 0x8100, 5)
}

/// Bytes in lines of 16.
fn hex(frame: &[u8]) -> String {
    frame.chunks(16).enumerate().fold(String::new(), |mut text, (n, line)| {
        let bytes: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(text, "{:3}  {}", 16 * n, bytes.join(" "));
        text
    })
}

/// The fields that are not zero.
fn fields(table: &[Field], words: &[u32]) -> String {
    table.iter().filter(|field| field.get(words) != 0).fold(String::new(), |mut text, field| {
        let (low, high) = (field.offset, field.offset + field.width - 1);
        let place = format!("[{high}:{low}]");
        let _ = writeln!(text, "{:<11} {place:<10} {:#x}", field.name, field.get(words));
        text
    })
}

fn words(words: &[u32]) -> String {
    words.chunks(8).fold(String::new(), |text, line| {
        let line: Vec<String> = line.iter().map(|word| format!("{word:08x}")).collect();
        text + &line.join(" ") + "\n"
    })
}

/// Lets hardware and slow path come to rest: a rule is written when the packets of its flow that came before have left.
fn settle(device: &mut Recorder<Embedded>, slow_path: &mut SlowPath) {
    for _ in 0..4 {
        slow_path.poll(device).unwrap();
        device.inner.simulation().run_until_idle(1 << 20);
        device.inner.simulation().skip(10_000);
    }
}

#[test]
fn the_page_says_what_happens() {
    let mut page = Page::read("docs/theory-of-operation.md");
    let frame = frame();
    page.block("flow", &format!("{FLOW}\n"));
    page.block("frame", &hex(&frame));

    let mut device = Recorder::new(Embedded::new(Preset::Sim).unwrap());
    let flows = parse_flow_file("the page", FLOW, Ports::sim()).unwrap();
    let mut slow_path = SlowPath::new(&mut device, flows, Settings::default()).unwrap();
    let key = parse(VF0 as u8, &frame).key;
    page.block("key", &fields(KEY_FIELDS, &key.pack()));

    // The first packet: a miss.
    device.inner.simulation().send(VF0, frame.clone());
    device.inner.simulation().run_until_idle(1 << 20);
    device.log.clear();
    settle(&mut device, &mut slow_path);
    let out = device.inner.simulation().recv(P0).unwrap().frame;
    assert_eq!(out.len(), frame.len() - 4);
    assert_eq!(patched(frame.clone(), 0, &mac(0x55))[..12], out[..12]);
    let rule = slow_path.rules().iter().next().expect("a rule was made");
    page.block("mask", &fields(KEY_FIELDS, &rule.mask.pack()));
    let lengths = slow_path.rules().config().lengths();
    page.block("masked_key", &words(&rule.key.pack()[..lengths.key]));
    assert_eq!(rule.key, key & rule.mask);
    page.block("slots", &where_it_may_be(slow_path.rules(), &rule));
    page.block("step", &fields(STEP_FIELDS, &rule.program[0].pack()));
    assert_eq!(rule.program.len(), 1);
    page.block("registers", &device.shown());
    let megaflow = slow_path.dump_megaflows(&mut device).unwrap().remove(0);
    page.block("megaflow", &format!("{megaflow}\n"));

    // The second: a hit, in RTL alone.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hit.fst");
    let simulation = device.inner.simulation();
    let start = simulation.cycle();
    simulation.trace(&file, start..start + CLOCKS).unwrap();
    simulation.send(VF0, frame.clone());
    assert!(simulation.run_until_idle(1 << 20));
    assert_eq!(simulation.upcalls_waiting(), 0);
    simulation.skip(CLOCKS);
    simulation.trace_end();
    let hit = simulation.recv(P0).unwrap().frame;
    assert_eq!(hit, out, "by the hardware as by the slow path");
    page.block("out", &hex(&hit));
    page.picture("theory-waveform.svg", &waveform::picture(&file));
    let verdicts = slow_path.rules_mut().verdicts(&mut device, VF0 as u8).unwrap();
    assert_eq!((verdicts[Verdict::Miss].packets, verdicts[Verdict::Hit].packets), (1, 1));
    let counters = slow_path.rules_mut().counters(&mut device, rule.id).unwrap();
    assert_eq!((counters.packets, counters.bytes), (1, frame.len() as u64));
    page.finish();
}

/// The rule's table, the slot of each way at which its key may be, and the one that it was given.
fn where_it_may_be(rules: &Rules, rule: &RuleInfo) -> String {
    let Place::Hash { table, slot } = rule.place else { panic!("the rule is in the TCAM") };
    let seed = rules.tables().nth(table.into()).expect("the rule's table").seed;
    let slot_bits = rules.config().slots_log2 as u32;
    let slots = slots(&rule.key.pack(), seed, slot_bits);
    let (way, place) = (slot >> slot_bits, slot & ((1 << slot_bits) - 1));
    assert_eq!(slots[way as usize], place);
    let slots = slots.map(|slot| slot.to_string()).join(", ");
    format!(
        "table {table}, seed {seed:#x}: slots {slots} of ways 0 to 3; rule {} lies in way {way}, slot {place}\n",
        rule.id.number()
    )
}

const _: () = assert!(Lengths::ONE_PASS.key == 15 && Lengths::ONE_PASS.step == 21, "the page says so");
