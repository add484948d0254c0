// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole network card as Verilog, from pin to pin, and the driver at the other end of its UART: a frame that misses is an upcall, the
//! slow path sends it out at another port and programs a rule, and the next one goes from port to port with no help.

mod bench;
mod model;
mod noise;

use bench::{Card, on_wire};
use millrace_driver::serial::{Line, Losses, Serial, Tty};
use millrace_driver::{Device, DeviceError, Others, Owner, Rules, Sent, discover};
use millrace_firmware::openflow::{Ports, parse_flow_file};
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_live::program;
use millrace_regs::slip::encode;
use millrace_regs::{Verdict, addr};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use noise::Noise;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

/// A pty has no rate; the driver allows for a slow line, as the simulated card is one.
const BAUD: u32 = 115_200;
/// How long an answer may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait for something that has to happen.
const LIMIT: Duration = Duration::from_secs(120);
const P0: u8 = 0;
const P1: u8 = 1;
const VF0: u8 = 3;

/// A frame, or rather what matters of one, with every byte value that SLIP escapes.
fn frame(source: u8, len: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, source, 0x88, 0xb5, 0xc0, 0xdb, 0xdc, 0xdd];
    frame.extend((frame.len()..len).map(|i| i as u8 ^ source));
    frame
}

/// The card's driver and slow path.
struct Host<L> {
    device: Serial<L>,
    slow_path: SlowPath,
}

impl<L: Line> Host<L> {
    fn new(line: L, patience: Duration, flows: &str) -> Self {
        let mut device = Serial::new(line, patience).expect("the card answers");
        let config = discover(&mut device).expect("a Millrace device");
        assert_eq!(config.registers(), model::PRESET.config().registers());
        let ports = Ports::new(config.vports() as u16, config.uplinks as u16);
        let flows = parse_flow_file("card.flows", flows, ports).expect("flows");
        // Nothing ages while a busy machine simulates.
        let settings = Settings { max_idle: u64::MAX, ..Settings::default() };
        let slow_path = SlowPath::new(&mut device, flows, settings).expect("the card's tables");
        Self { device, slow_path }
    }

    /// Works until a frame is on a wire.
    fn frame_out(&mut self, card: &Card) -> (u8, Vec<u8>) {
        let end = Instant::now() + LIMIT;
        loop {
            self.slow_path.poll(&mut self.device).expect("the card answers");
            if let Some(frame) = card.recv(1) {
                return frame;
            }
            assert!(Instant::now() < end, "no frame: {:?}", self.slow_path.stats());
        }
    }

    /// Works until something is so.
    fn wait_for<T>(&mut self, mut what: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            self.slow_path.poll(&mut self.device).expect("the card answers");
            if let Some(found) = what(self) {
                return found;
            }
            assert!(Instant::now() < end, "it did not happen: {:?}", self.slow_path.stats());
        }
    }

    fn verdict(&mut self, vport: u8, verdict: Verdict) -> u64 {
        let verdicts = self.slow_path.rules_mut().verdicts(&mut self.device, vport).expect("the card answers");
        verdicts[verdict].packets
    }
}

#[test]
fn a_frame_misses_and_the_next_one_goes_from_port_to_port() {
    let mut card = Card::start();
    let tty = Tty::open(card.path(), BAUD).unwrap();
    let flows = "in_port=p0,actions=output:p1\nin_port=p1,actions=output:vf0\nin_port=vf0,actions=output:p0\n";
    let mut host = Host::new(tty, PATIENCE, flows);

    let (first, second) = (frame(2, 20), frame(3, 300));
    card.send(P0, &first);
    assert_eq!(host.frame_out(&card), (P1, on_wire(&first)), "by the slow path, padded");
    host.wait_for(|host| (host.slow_path.megaflows().1 == 1).then_some(()));
    card.send(P0, &second);
    assert_eq!(host.frame_out(&card), (P1, on_wire(&second)), "by the hardware");
    assert_eq!((host.verdict(P0, Verdict::Miss), host.verdict(P0, Verdict::Hit)), (1, 1));
    assert_eq!(host.verdict(P1, Verdict::PacketOut), 1);
    let stats = host.device.stats();
    assert_eq!((stats.upcalls, stats.damaged, stats.repeated, stats.unknown, stats.stray), (1, 0, 0, 0, 0));
    let megaflow = host.slow_path.dump_megaflows(&mut host.device).unwrap().remove(0);
    assert!(megaflow.to_string().contains("packets:1, bytes:300,"), "{megaflow}");

    // Ports without a MAC are on the channel.
    for (len, handled) in [(77, "by the slow path"), (78, "by the hardware")] {
        card.send(P1, &frame(4, len));
        assert_eq!(host.wait_for(|host| host.device.recv_frame()), (VF0, frame(4, len)), "{handled}");
        assert_eq!(host.device.send_frame(VF0, &frame(5, len)).unwrap(), Sent::Accepted);
        assert_eq!(host.frame_out(&card), (P0, on_wire(&frame(5, len))), "{handled}");
        host.wait_for(|host| (host.slow_path.megaflows().1 == 3).then_some(()));
    }

    // What does not belong there is counted, by whoever drops it.
    let mut wrong = on_wire(&frame(6, 60));
    *wrong.last_mut().unwrap() ^= 1;
    card.send_wire(P1, &wrong);
    host.wait_for(|host| (host.verdict(P1, Verdict::DropRxError) == 1).then_some(()));
    let mut line = vec![];
    encode(&[&[9; 30]], &mut line);
    line.extend([1, 2, 3, 4, 5, 6, 7, 0xc0]);
    card.write_line(&line);
    host.wait_for(|host| {
        (host.device.losses().unwrap() == Losses { host_dropped: 2, ports: vec![0, 0] }).then_some(())
    });
    assert!(matches!(host.device.read32(0x4000), Err(DeviceError::Refused { .. })));
    assert_eq!(host.device.read32(addr::ID).unwrap(), 0x4d49_4c4c);
    assert!(card.recv(0).is_none(), "nothing else left the card");
}

#[test]
fn damage_on_the_line_costs_frames_and_time_but_nothing_wrong_happens() {
    const FLOWS: u8 = 8;
    let card = Card::start();
    let line = Noise::new(Tty::open(card.path(), BAUD).unwrap(), 7, 0.001);
    let flows: Vec<String> =
        (1..=FLOWS).map(|n| format!("in_port=p0,dl_src=02:00:00:00:00:{n:02x},actions=output:p1")).collect();
    let mut host = Host::new(line, Duration::from_millis(300), &flows.join("\n"));

    let (mut sent, mut out) = (vec![], vec![]);
    let mut exchange = |host: &mut Host<_>, source: u8, rounds: usize| {
        let next = frame(source, 60 + sent.len() % 100);
        card.send(P0, &next);
        sent.push((P1, on_wire(&next)));
        for _ in 0..rounds {
            host.slow_path.poll(&mut host.device).expect("the card answers");
            if let Some(frame) = card.recv(1) {
                assert!(sent.contains(&frame), "this was never sent: {frame:x?}");
                out.push(frame);
                return true;
            }
        }
        false
    };
    for source in 1..=FLOWS {
        // Frames of the slow path may be lost: one of them arrives, and has a rule.
        let end = Instant::now() + LIMIT;
        while host.slow_path.megaflows().1 < usize::from(source) || !exchange(&mut host, source, 50) {
            exchange(&mut host, source, 50);
            assert!(Instant::now() < end, "{:?} {:?}", host.slow_path.stats(), host.device.stats());
        }
    }
    host.wait_for(|host| (host.slow_path.waiting() == 0).then_some(()));
    let hits = host.verdict(P0, Verdict::Hit);
    for source in 1..=FLOWS {
        assert!(exchange(&mut host, source, 10_000), "a rule is as it should be");
    }
    host.wait_for(|host| (host.verdict(P0, Verdict::Hit) == hits + u64::from(FLOWS)).then_some(()));
    let stats = host.device.stats();
    assert!(stats.damaged > 0 && stats.repeated > 0 && stats.unknown == 0, "{stats:?}");
    println!("{} frames sent, {} arrived, {stats:?}", sent.len(), out.len());
}

/// The command, with this control socket.
fn millrace(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program("millrace").expect("it is built"));
    command.args(args).current_dir(folder).arg("--control").arg(folder.join("control"));
    command
}

fn ask(folder: &Path, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = millrace(folder, args).output().expect("it starts");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

/// Whether the slow path has taken the card over: what the card said before, nobody heard.
fn answers(folder: &Path) -> bool {
    millrace(folder, &["stats"]).output().expect("it starts").status.success()
}

/// `millrace run`, which ends with the test.
struct Running(Child);

impl Running {
    fn wait_until(&mut self, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + LIMIT;
        while !done() {
            assert!(self.0.try_wait().unwrap().is_none(), "millrace ended");
            assert!(Instant::now() < end, "it did not happen");
        }
    }

    fn frame_out(&mut self, card: &Card) -> (u8, Vec<u8>) {
        let mut frame = None;
        self.wait_until(|| {
            frame = frame.take().or_else(|| card.recv(10));
            frame.is_some()
        });
        frame.expect("it was waited for")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_command_runs_the_slow_path_of_a_card() {
    let card = Card::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.flows"), "in_port=p0,actions=output:p1\n").unwrap();
    fs::write(path.join("b.flows"), "in_port=p0,actions=output:pf,in_port\n").unwrap();
    let device = format!("serial:{},baud={BAUD}", card.path().display());
    let run = ["run", "--device", &device, "--flows", "a.flows"];
    let refused = |args: &[&str], message: &str| {
        let output = millrace(path, &run).args(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && error.contains(message), "{error}");
    };

    let mut other = Serial::new(Tty::open(card.path(), BAUD).unwrap(), PATIENCE).unwrap();
    let _theirs = Rules::with_owner(&mut other, Owner::new(7).unwrap(), Others::Refuse).unwrap();
    drop(other);
    refused(&[], "belong to owner 0x00000007");
    let mut running = Running(millrace(path, &run).args(["--stats", "s.json", "--take-over"]).spawn().unwrap());
    let stats = || serde_json::from_str::<Value>(&ask(path, &["stats", "--json"])).unwrap();

    running.wait_until(|| answers(path));
    card.send(P0, &frame(1, 60));
    assert_eq!(running.frame_out(&card), (P1, on_wire(&frame(1, 60))));
    running.wait_until(|| ask(path, &["rules"]).contains("offloaded:yes"));
    card.send(P0, &frame(2, 80));
    assert_eq!(running.frame_out(&card), (P1, on_wire(&frame(2, 80))));
    let now = stats();
    let p0 = &now["ports"]["p0"];
    assert_eq!([&p0["in"]["packets"], &p0["hardware"], &p0["slow_path"]].map(Value::as_u64), [2, 1, 1].map(Some));
    assert_eq!(now["ports"]["p1"]["out"]["packets"], 2);
    assert_eq!(now["preset"], "ecp5");
    assert_eq!(now["host_channel"]["upcalls_arrived"], 1);
    assert_eq!(now["host_channel"]["damaged"], 0);
    assert!(ask(path, &["reg", "ID"]).contains("0x4d494c4c"));
    assert!(ask(path, &["stats"]).contains("host channel: "));

    ask(path, &["reload", "--flows", "b.flows"]);
    card.send(P0, &frame(3, 70));
    assert_eq!(running.frame_out(&card), (P0, on_wire(&frame(3, 70))), "by the new flows");
    running.wait_until(|| stats()["ports"]["pf"]["not_sent"]["no_tap"] == 1);

    refused(&[], "another process has it open");
    refused(&["--in", "p0=a.pcap"], "--in is for a simulated device");
    refused(&["--preset", "sim"], "--preset is for a simulated device");

    kill(Pid::from_raw(running.0.id() as i32), Signal::SIGINT).unwrap();
    assert!(running.0.wait().unwrap().success());
    let last: Value = serde_json::from_str(&fs::read_to_string(path.join("s.json")).unwrap()).unwrap();
    assert_eq!(last["ports"]["p0"]["in"]["packets"], 3);
}

#[test]
fn a_card_that_goes_away_is_named_and_what_its_host_counted_is_kept() {
    let card = Card::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.flows"), "in_port=p0,actions=output:p1\n").unwrap();
    fs::write(path.join("s.json"), "of an earlier run").unwrap();
    let device = format!("serial:{},baud={BAUD}", card.path().display());
    let mut run = millrace(path, &["run", "--device", &device, "--flows", "a.flows", "--stats", "s.json"]);
    let log = fs::File::create(path.join("log")).unwrap();
    let mut running = Running(run.stderr(log).spawn().unwrap());
    running.wait_until(|| answers(path));
    card.send(P0, &frame(1, 60));
    assert_eq!(running.frame_out(&card), (P1, on_wire(&frame(1, 60))));

    drop(card);
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    let said = fs::read_to_string(path.join("log")).unwrap();
    assert!(said.contains("s.json has nothing of what the device counted: the device cannot be reached: "), "{said}");
    let stats: Value = serde_json::from_str(&fs::read_to_string(path.join("s.json")).unwrap()).unwrap();
    let why = stats["incomplete"].as_str().expect("why there are no counts of the card");
    assert!(why.starts_with("the device cannot be reached: "), "{why}");
    assert_eq!(stats["slow_path"]["misses"], 1);
    assert_eq!(stats["host_channel"]["upcalls_arrived"], 1);
    assert_eq!(stats["host_channel"]["upcalls_queued"], Value::Null);
    assert_eq!(stats["ports"].as_object().expect("ports").len(), 0);
}
