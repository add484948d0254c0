// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace serve`: the simulated DPU as PCI functions, which other processes drive over vfio-user.

use crate::answers::{NAP_MS, answer, reply, write_json};
use crate::args::ServeArgs;
use crate::claim::{Claim, FolderClaim, check_distinct};
use crate::control::{Request, Server};
use crate::dpu::{Dpu, LEAP};
use crate::error::{BadInput, BadInputExt};
use crate::faults::FaultWatch;
use crate::feeder::Feeder;
use crate::flow_file;
use crate::functions::{self, Functions};
use crate::inputs::{Inputs, by_vport};
use crate::mode::Mode;
use crate::outputs::Files;
use crate::reloading::Reloading;
use crate::run::{BURST, LONGEST_RUN_NS, unix_ns};
use crate::signals::Signals;
use crate::standard;
use crate::stats::{Sent, Stats};
use crate::uplink::{Opened, Places, Uplink};
use crate::wall_clock::WallClock;
use anyhow::{Context, Result};
use millrace_driver::Device;
use millrace_driver::virtio::{LocalMemory, Settings};
use millrace_firmware::slowpath;
use millrace_sim::capture::Format;
use millrace_sim::served::{self, Ecpf, Served, ServedMemory, VfCount};
use millrace_sim::{Bar, CYCLE_NS, Config, EmbeddedDpu, Latency, Preset, Ready};
use nix::poll::{PollFd, PollTimeout, poll};
use std::path::Path;
use std::time::{Duration, Instant};

/// The build that is served.
const PRESET: Preset = Preset::Host;
/// Where the device sees the memory of the representors' rings and buffers.
const ECPF_ADDRESS: u64 = 1 << 32;
/// Frames that wait at an uplink; more stay where they come from.
const UPLINK_AHEAD: usize = 64;

/// The slow path, if it is in this process.
type SlowPath = Dpu<EmbeddedDpu<ServedMemory>>;

/// Does what the command line says.
pub fn run(args: &ServeArgs) -> Result<()> {
    let config = PRESET.config();
    let vfs = vf_count(args, &config)?;
    if args.mode == Mode::Nic && args.flows.is_some() {
        let problem = "--mode nic: the slow path is the PF's then, and not in this process (--flows)";
        return Err(BadInput(problem.into()).into());
    }
    functions::check(&config, &args.functions)?;
    let detect = args.detect.detection(&config, true)?;
    let places = Places::new(&config, &by_vport(&config, "uplink", &args.uplinks)?)?;
    check_standard_input(args, &places)?;
    let flows = args.files().map(|files| flow_file::read(files, &config)).transpose()?;
    let inputs = Inputs::open(&config, &places.captures(), false)?;
    let left_out = inputs.left_out(config.vports());
    let signals = Signals::catch()?;
    let uplinks = places.open(&config)?;
    let stats = claim_stats(args, &config, &places, &uplinks)?;
    let server = match &flows {
        Some(_) => Server::open_until_signal(args.control.as_deref(), &signals)?,
        None => None,
    };
    let folder = FolderClaim::new(&args.sockets)?;

    let settings = Settings::representors(config.vports() as u16);
    let memory = LocalMemory::new(ECPF_ADDRESS, settings.memory_bytes());
    let ecpf = match args.mode {
        _ if flows.is_some() => Ecpf::Here(memory.clone()),
        Mode::Dpu => Ecpf::Socket(served::Mode::Dpu),
        Mode::Nic => Ecpf::Socket(served::Mode::Nic),
    };
    let latency = Latency { cycles: args.latency / CYCLE_NS, ..Latency::default() };
    let served = Served::new(PRESET, &args.sockets, vfs, ecpf, latency).bad_input()?;
    let mut functions = Functions::new(&config, config.pfs + usize::from(args.vfs));
    let mut slow_path = match flows {
        Some(flows) => {
            let mut device = EmbeddedDpu::new(served.dpu().clone(), memory, settings)?;
            functions.configure(&args.functions, device.bar())?;
            let settings = slowpath::Settings { detect, ..slowpath::Settings::default() };
            Some(Dpu::over(device, flows, settings)?)
        }
        None => None,
    };
    if let Some(dpu) = &mut slow_path {
        dpu.left_out = left_out;
    }
    let feeder = Feeder::new(inputs, args.pace, config.vports(), served.dpu().borrow().cycle());
    // Up to here no file was changed.
    let uplinks = begin(uplinks, &feeder)?;
    let sent = vec![Sent::default(); config.uplinks];
    let ecpf = Bar::new(served.dpu().clone(), 0);
    let clock = WallClock::start();
    let mut session = Session {
        args,
        served,
        slow_path,
        functions,
        feeder,
        uplinks,
        sent,
        server,
        signals,
        reloading: Reloading::default(),
        clock,
        moved_at: 0,
        ecpf,
        faults: FaultWatch::new(&config),
        unseen: false,
    };
    standard::say_ready();
    let ran = session.go();
    let finished = session.finish(stats);
    drop(folder);
    ran.and(finished)
}

/// How many VFs there are, and are enabled.
fn vf_count(args: &ServeArgs, config: &Config) -> Result<VfCount, BadInput> {
    let (total, enabled) = (args.vfs, args.numvfs.unwrap_or(args.vfs));
    if usize::from(total) > config.vfs {
        return Err(BadInput(format!("--vfs {total}: the device has {} VFs", config.vfs)));
    }
    if enabled > total {
        return Err(BadInput(format!("--numvfs {enabled}: the device has {total} VFs (--vfs)")));
    }
    Ok(VfCount { total, enabled })
}

/// Refuses flows and captures that would read the standard input twice.
fn check_standard_input(args: &ServeArgs, places: &Places<'_>) -> Result<(), BadInput> {
    let captures = places.captures();
    let flows = args.flows.as_deref().filter(|flows| standard::is(flows)).map(|_| "--flows".to_owned());
    let uplinks = captures.iter().filter(|(_, file)| *file == standard::NAME).map(|_| "--uplink".to_owned());
    standard::check_uses(&flows.into_iter().chain(uplinks).collect::<Vec<_>>())
}

/// Claims the file of the statistics, which is none of those that are read, nor a capture that is written.
fn claim_stats(
    args: &ServeArgs,
    config: &Config,
    places: &Places<'_>,
    uplinks: &[(usize, Opened)],
) -> Result<Option<Claim>, BadInput> {
    let captures = places.captures();
    let mut read: Vec<&Path> = args.flows.as_deref().into_iter().collect();
    read.extend(captures.iter().map(|(_, file)| Path::new(*file)));
    read.retain(|file| !standard::is(file));
    let stats = Files::claim(config, None, args.stats.as_deref(), None, &read)?.stats;
    let written: Vec<&Claim> = uplinks.iter().filter_map(|(_, uplink)| uplink.claim()).chain(&stats).collect();
    check_distinct(&written, &read)?;
    Ok(stats)
}

/// The device begins to run: opens captures for what leaves it.
fn begin(uplinks: Vec<(usize, Opened)>, feeder: &Feeder) -> Result<Vec<(usize, Uplink)>> {
    let epoch_ns = if feeder.progress().0 > 0 { feeder.cycle_0_ns() } else { unix_ns()? };
    let format = Format::for_times_up_to(epoch_ns + feeder.span_ns() + LONGEST_RUN_NS);
    uplinks.into_iter().map(|(vport, uplink)| Ok((vport, uplink.begin(format, epoch_ns)?))).collect()
}

struct Session<'a> {
    args: &'a ServeArgs,
    served: Served,
    slow_path: Option<SlowPath>,
    functions: Functions,
    /// The packets of captures that come in at uplinks.
    feeder: Feeder,
    uplinks: Vec<(usize, Uplink)>,
    /// What left the uplinks.
    sent: Vec<Sent>,
    server: Option<Server>,
    signals: Signals,
    /// Flows that a signal asked for are on their way into force.
    reloading: Reloading,
    clock: WallClock,
    /// Cycle in which something moved last.
    moved_at: u64,
    /// The ECPF's BAR, to look for faults.
    ecpf: Bar<ServedMemory>,
    faults: FaultWatch,
    /// Something has moved since faults were looked for.
    unseen: bool,
}

impl Session<'_> {
    fn go(&mut self) -> Result<()> {
        while !self.signals.stop() {
            self.reload()?;
            self.answer();
            let rests = self.turn()?;
            self.look_for_faults()?;
            if rests {
                self.nap()?;
            }
        }
        self.feeder.stop();
        let end = Instant::now() + Duration::from_millis(self.args.grace);
        while Instant::now() < end {
            if self.turn()? && !self.pass_quiet_time()? {
                break;
            }
        }
        // What was seen last is told too.
        self.answer();
        Ok(())
    }

    /// Lets everything go on for some cycles; true if nothing is left to do.
    fn turn(&mut self) -> Result<bool> {
        let mut moved = self.served.turn()? + self.read_uplinks()?;
        self.feed()?;
        let idle = self.served.dpu().borrow_mut().run_until_idle(BURST);
        moved += self.write_uplinks()?;
        if let Some(dpu) = &mut self.slow_path {
            dpu.device().poll()?;
            if idle {
                // What came last is not left in its ring until time has passed.
                moved += dpu.device().look()?;
            }
            moved += dpu.turn()? + usize::from(dpu.has_work());
        }
        if !idle || moved != 0 {
            self.moved_at = self.served.dpu().borrow().cycle();
            self.unseen = true;
        }
        Ok(idle && moved == 0)
    }

    /// Says which functions were stopped, wherever the slow path is. A device at rest is not woken for it.
    fn look_for_faults(&mut self) -> Result<()> {
        if self.unseen && self.faults.look(&mut self.ecpf)? {
            self.unseen = false;
        }
        Ok(())
    }

    /// Offers packets of captures, as far as they may enter.
    fn feed(&mut self) -> Result<()> {
        let waits = self.slow_path.as_ref().is_some_and(|dpu| dpu.has_work() || dpu.upcall_waiting());
        let mut dpu = self.served.dpu().borrow_mut();
        let settled = !waits && dpu.idle();
        self.feeder.feed(&mut *dpu, settled)
    }

    /// Nothing moves: lets time pass until a packet of a capture is to enter, or one arrives at the end of its wire. False if there is none.
    fn pass_quiet_time(&mut self) -> Result<bool> {
        let arrivals = self.uplinks.iter_mut().filter_map(|(_, uplink)| uplink.line()?.due());
        let Some(due) = arrivals.chain(self.feeder.due()).min() else { return Ok(false) };
        let mut dpu = self.served.dpu().borrow_mut();
        let now = dpu.cycle();
        let leap = self.slow_path.as_ref().map_or(u64::MAX, |slow_path| slow_path.leap(now, self.moved_at));
        dpu.skip(due.saturating_sub(now).min(leap));
        Ok(true)
    }

    fn read_uplinks(&mut self) -> Result<usize> {
        let mut dpu = self.served.dpu().borrow_mut();
        let mut count = 0;
        for (uplink, other) in &mut self.uplinks {
            while dpu.pending(*uplink) < UPLINK_AHEAD
                && let Some(frame) = other.recv()?
            {
                dpu.send(*uplink, frame);
                count += 1;
            }
        }
        Ok(count)
    }

    fn write_uplinks(&mut self) -> Result<usize> {
        let mut dpu = self.served.dpu().borrow_mut();
        let mut count = 0;
        for (uplink, sent) in self.sent.iter_mut().enumerate() {
            let mut other = self.uplinks.iter_mut().find(|(number, _)| *number == uplink).map(|(_, other)| other);
            while let Some(received) = dpu.recv(uplink) {
                count += 1;
                sent.packets += 1;
                sent.bytes += received.frame.len() as u64;
                if let Some(other) = &mut other {
                    sent.tap_refused += u64::from(!other.send(received.frame, received.cycle)?);
                }
            }
            if let Some(line) = other.and_then(Uplink::line) {
                let cycle = dpu.cycle();
                let (arrived, lost) = line.deliver(cycle);
                count += arrived as usize;
                sent.tap_refused += lost;
                dpu.set_ready(uplink, if line.is_full(cycle) { Ready::Never } else { Ready::Always });
            }
        }
        Ok(count)
    }

    /// Sleeps until there is something to do, but not for long; time goes on meanwhile.
    fn nap(&mut self) -> Result<()> {
        if self.pass_quiet_time()? {
            return Ok(());
        }
        let clients = match &self.server {
            None => vec![],
            Some(server) => match server.awaits() {
                Some(clients) => clients,
                None => return Ok(()),
            },
        };
        let uplinks = self.uplinks.iter().filter_map(|(_, uplink)| uplink.awaits());
        let others = uplinks.chain(clients).map(|(fd, events)| PollFd::new(fd, events));
        let mut descriptors: Vec<PollFd> = self.served.descriptors().chain(others).collect();
        match poll(&mut descriptors, PollTimeout::from(NAP_MS)) {
            Ok(_) | Err(nix::Error::EINTR) => (),
            Err(error) => return Err(error).context("cannot wait for clients"),
        }
        let mut dpu = self.served.dpu().borrow_mut();
        let behind = self.clock.cycles().saturating_sub(dpu.cycle());
        dpu.skip(behind.min(LEAP));
        Ok(())
    }

    fn answer(&mut self) {
        let (Some(server), Some(dpu)) = (&mut self.server, &mut self.slow_path) else { return };
        let (sent, served, functions) = (&self.sent, &self.served, &mut self.functions);
        server.serve(|request, from| match request {
            Request::Stats => reply(stats(dpu, served, sent)),
            Request::Functions { .. } | Request::SetFunction { .. } => {
                reply(functions.answer(dpu.device().bar(), request))
            }
            request => answer(dpu, request, from),
        });
    }

    /// SIGHUP: the flow file as it is now.
    fn reload(&mut self) -> Result<()> {
        let asked = self.signals.take_reload();
        let (Some(files), Some(dpu)) = (self.args.files(), &mut self.slow_path) else { return Ok(()) };
        if asked {
            self.reloading.begin(dpu, files)?;
        }
        if self.reloading.is_over(dpu, |dpu| dpu.rules_agree()) {
            eprintln!("millrace: the flows are in force");
        }
        Ok(())
    }

    /// Prints the statistics, or writes them where they were asked for, and completes captures.
    fn finish(mut self, claim: Option<Claim>) -> Result<()> {
        let told = self.tell_stats(claim);
        let finished = self.uplinks.into_iter().try_for_each(|(_, uplink)| uplink.finish());
        told.and(finished)
    }

    fn tell_stats(&mut self, claim: Option<Claim>) -> Result<()> {
        let Some(dpu) = &mut self.slow_path else { return Ok(()) };
        let stats = stats(dpu, &self.served, &self.sent)?;
        match claim {
            Some(claim) => write_json(claim, &stats),
            None => {
                eprint!("{}", stats.table());
                Ok(())
            }
        }
    }
}

/// What happened so far.
fn stats(dpu: &mut SlowPath, served: &Served, sent: &[Sent]) -> Result<Stats> {
    let mut stats = dpu.port_stats(sent)?;
    functions::add_functions(&mut stats, &PRESET.config(), dpu.device().bar())?;
    let device = served.dpu().borrow();
    Ok(Stats { cycles: Some(device.cycle()), clocked_cycles: Some(device.clocked_cycles()), ..stats })
}
