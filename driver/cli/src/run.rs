// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace run`: captures and TAP devices through the simulated hardware and the slow path.

use crate::answers::{NAP_MS, answer, reload, reply, write_json};
use crate::args::{Host, RunArgs};
use crate::claim::Claim;
use crate::control::{Request, Server};
use crate::dpu::{Dpu, LEAP};
use crate::error::{BadInput, BadInputExt};
use crate::feeder::Feeder;
use crate::flow_file;
use crate::functions::Functions;
use crate::inputs::{Inputs, by_vport};
use crate::outputs::{Files, Outputs};
use crate::reloading::Reloading;
use crate::signals::Signals;
use crate::standard;
use crate::taps;
use crate::wall_clock::WallClock;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use millrace_firmware::detect::Detection;
use millrace_firmware::openflow::FlowTable;
use millrace_firmware::slowpath::Settings;
use millrace_sim::capture::Format;
use millrace_sim::tap::{Tap, is_gone};
use millrace_sim::{Config, Embedded, EmbeddedHost, Latency, Preset, Simulated};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Cycles between two looks at signals, control socket and TAP devices.
pub const BURST: u64 = 256;
/// Packets that the slow path handles between two looks: some take no cycles, and all take time.
const HANDLED: usize = 64;
/// Time that answers which are under way get at the end of a run.
const LAST_ANSWERS: Duration = Duration::from_millis(200);
/// Packets that wait at a port of a TAP device; more stay in the device's own queue.
const TAP_AHEAD: usize = 64;
/// More time than a run can take besides that of its captures: a year.
pub const LONGEST_RUN_NS: u64 = 366 * 86_400 * 1_000_000_000;
/// A run of fewer packets is over before a progress bar says anything.
const LONG_RUN: u64 = 1000;

/// Does what the command line says, with a simulated device.
pub fn run(args: &RunArgs) -> Result<()> {
    if args.take_over {
        return Err(BadInput("--take-over is for a card: a simulated device belongs to nobody else".into()).into());
    }
    let (preset, host) = build(args)?;
    let config = preset.config();
    standard::check_once(args)?;
    let captures = by_vport(&config, "in", &args.inputs)?;
    let interfaces = by_vport(&config, "tap", &args.taps)?;
    if let Some((vport, _)) = captures.iter().find(|(vport, _)| interfaces.iter().any(|(v, _)| v == vport)) {
        let port = config.vport_name(*vport).unwrap_or_default();
        return Err(BadInput(format!("port {port} has both --in and --tap")).into());
    }
    if captures.is_empty() && interfaces.is_empty() && !args.hold {
        return Err(BadInput("nothing to do: give --in, --tap or --hold".into()).into());
    }
    let flows = flow_file::read(args.files(), &config)?;
    let inputs = Inputs::open(&config, &captures, args.strict)?;
    let signals = Signals::catch()?;
    let detect = args.detect.detection(&config, matches!(host, Host::Rings))?;
    let given = Given { config, captures, interfaces, flows, inputs, detect, signals };
    match host {
        Host::Pins => run_on(args, Embedded::new(preset).bad_input()?, given),
        Host::Rings => run_on(args, EmbeddedHost::new(preset, Latency::default()).bad_input()?, given),
    }
}

/// The build, and how its ports are reached.
fn build(args: &RunArgs) -> Result<(Preset, Host), BadInput> {
    let has_host = |preset: Preset| Preset::HOSTED.contains(&preset);
    match (args.host.unwrap_or(Host::Pins), args.preset) {
        (host @ Host::Pins, preset) => match preset.unwrap_or(Preset::Sim) {
            preset if has_host(preset) => Err(BadInput(format!(
                "preset {preset} has no pins for the frames of PF and VFs: its ports are reached with --host rings"
            ))),
            preset => Ok((preset, host)),
        },
        (host @ Host::Rings, preset) => match preset.unwrap_or(Preset::Host) {
            preset if has_host(preset) => Ok((preset, host)),
            preset => {
                Err(BadInput(format!("--host rings: preset {preset} has no host side; {} has", Preset::Host.name())))
            }
        },
    }
}

/// What a run was given, looked at.
struct Given<'a> {
    config: Config,
    captures: Vec<(usize, &'a str)>,
    interfaces: Vec<(usize, &'a str)>,
    flows: FlowTable,
    inputs: Inputs,
    detect: Detection,
    signals: Signals,
}

fn run_on<D: Simulated>(args: &RunArgs, device: D, given: Given<'_>) -> Result<()> {
    let Given { config, captures, interfaces, flows, inputs, detect, signals } = given;
    let mut dpu = Dpu::over(device, flows, Settings { detect, ..Settings::default() })?;
    dpu.left_out = inputs.left_out(config.vports());
    let taps = taps::open(&config, &interfaces)?;
    let feeder = Feeder::new(inputs, args.pace, config.vports(), dpu.cycle());
    let epoch_ns = if taps.is_empty() { feeder.cycle_0_ns() } else { unix_ns()? };
    dpu.events().time_zero = Some(epoch_ns);
    let format = Format::for_times_up_to(epoch_ns + feeder.span_ns() + LONGEST_RUN_NS);
    let mut files = claim_files(args, &config, &captures, format)?;
    let server = Server::open_until_signal(args.control.as_deref(), &signals)?;

    // Up to here nothing was changed that does not go back to what it was.
    let outputs = Outputs::new(&config, files.begin_captures()?, epoch_ns);
    if let Some(claim) = files.trace.take() {
        let path = claim.path().to_owned();
        claim.take().with_context(|| format!("cannot write {}", path.display()))?;
        dpu.device().trace(&path, args.trace_cycles.clone())?;
    }
    let progress = progress_bar(feeder.progress().0);
    let clock = (!taps.is_empty()).then(WallClock::start);
    let stats = files.stats;
    let functions = Functions::new(&config, config.pfs + config.vfs);
    let mut session = Session {
        args,
        dpu,
        functions,
        feeder,
        taps,
        outputs,
        stats,
        server,
        signals,
        reloading: Reloading::default(),
        progress,
        clock,
    };
    // What was counted until something failed is worth having.
    let ran = session.go();
    ran.and(session.finish())
}

/// Claims all files that the run will write, captures in this format.
fn claim_files(args: &RunArgs, config: &Config, captures: &[(usize, &str)], format: Format) -> Result<Files, BadInput> {
    let mut inputs = args.files().paths();
    inputs.extend(captures.iter().map(|(_, file)| Path::new(*file)));
    inputs.retain(|input| !standard::is(input));
    let captures = args.out.as_deref().map(|folder| (folder, format));
    Files::claim(config, captures, args.stats.as_deref(), args.trace.as_deref(), &inputs)
}

struct Session<'a, D> {
    args: &'a RunArgs,
    dpu: Dpu<D>,
    functions: Functions,
    feeder: Feeder,
    taps: Vec<(usize, Tap)>,
    outputs: Outputs,
    /// Where the statistics go at the end.
    stats: Option<Claim>,
    server: Option<Server>,
    signals: Signals,
    /// Flows that a signal asked for are on their way into force.
    reloading: Reloading,
    progress: ProgressBar,
    clock: Option<WallClock>,
}

impl<D: Simulated> Session<'_, D> {
    fn go(&mut self) -> Result<()> {
        loop {
            if self.signals.stop() {
                return self.wind_down();
            }
            if self.signals.take_reload() {
                self.reloading.begin(&mut self.dpu, self.args.files())?;
            }
            if self.reloading.is_over(&mut self.dpu, Dpu::reloaded) {
                eprintln!("millrace: {} is in force", self.args.flows.display());
            }
            self.serve();
            self.read_taps()?;
            let settled = self.burst()?;
            self.outputs.drain(self.dpu.device(), &mut self.taps)?;
            self.progress.set_position(self.feeder.progress().1);
            if settled && !self.wait()? {
                return Ok(());
            }
        }
    }

    /// Simulates some cycles; true if it stopped because nothing is left to do.
    fn burst(&mut self) -> Result<bool> {
        let end = self.dpu.cycle() + BURST;
        let mut handled = 0;
        while self.dpu.cycle() < end && handled < HANDLED {
            let settled = self.dpu.settled();
            self.feeder.feed(self.dpu.device(), settled)?;
            if settled && self.dpu.settled() {
                return Ok(true);
            }
            handled += self.dpu.step()?;
        }
        Ok(false)
    }

    /// Nothing moves: lets time pass until something may. False if nothing ever will.
    fn wait(&mut self) -> Result<bool> {
        if let Some(due) = self.feeder.due() {
            let left = due.saturating_sub(self.dpu.cycle());
            self.dpu.pass_quiet_time(left)?;
            return Ok(true);
        }
        if self.clock.is_none() && !self.args.hold {
            return Ok(false);
        }
        self.nap()?;
        if let Some(clock) = &self.clock {
            let behind = clock.cycles().saturating_sub(self.dpu.cycle());
            self.dpu.pass_time(behind.min(LEAP))?;
        }
        Ok(true)
    }

    /// Sleeps until a TAP device or a client has something, but not for long.
    fn nap(&self) -> Result<()> {
        let Some(clients) = self.server.as_ref().map_or_else(|| Some(vec![]), Server::awaits) else {
            return Ok(());
        };
        let taps = self.taps.iter().map(|(_, tap)| (tap.as_fd(), PollFlags::POLLIN));
        let mut descriptors: Vec<PollFd> = taps.chain(clients).map(|(fd, events)| PollFd::new(fd, events)).collect();
        match poll(&mut descriptors, PollTimeout::from(NAP_MS)) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for the TAP devices"),
        }
    }

    fn read_taps(&mut self) -> Result<()> {
        let device = self.dpu.device();
        let mut gone = None;
        for (i, (vport, tap)) in self.taps.iter_mut().enumerate() {
            while device.pending(*vport) < TAP_AHEAD {
                let name = tap.name().to_owned();
                match tap.recv() {
                    Ok(Some(frame)) if !frame.is_empty() => device.send(*vport, frame.to_vec()),
                    Ok(_) => break,
                    Err(error) if is_gone(&error) => {
                        eprintln!("millrace: the TAP device {name} was deleted: its port stays silent");
                        gone = Some(i);
                        break;
                    }
                    Err(error) => return Err(error).with_context(|| format!("TAP device {name}")),
                }
            }
        }
        if let Some(i) = gone {
            self.dpu.wind_down();
            self.taps.swap_remove(i);
        }
        Ok(())
    }

    /// Ends early: what is under way still arrives, unless that takes too long.
    fn wind_down(&mut self) -> Result<()> {
        self.feeder.stop();
        let end = Instant::now() + Duration::from_millis(self.args.grace);
        while !self.burst()? {
            if Instant::now() >= end {
                self.dpu.break_off()?;
                break;
            }
            self.serve();
            self.outputs.drain(self.dpu.device(), &mut self.taps)?;
        }
        self.outputs.drain(self.dpu.device(), &mut self.taps)
    }

    fn serve(&mut self) {
        if let Some(server) = &mut self.server {
            let (dpu, functions, sent) = (&mut self.dpu, &mut self.functions, self.outputs.sent());
            server.serve(|request, from| match request {
                Request::Stats => reply(dpu.stats(sent)),
                Request::Functions { .. } | Request::SetFunction { .. } => match dpu.device().ecpf() {
                    Some(ecpf) => reply(functions.answer(ecpf, request)),
                    None => answer(dpu, request, from),
                },
                Request::Reload { flows, groups } => reload(dpu, flows, groups.as_ref(), from, |dpu| dpu.reloaded()),
                request => answer(dpu, request, from),
            });
        }
    }

    /// Requests that are there when the run ends get their answers.
    fn serve_last(&mut self) {
        let end = Instant::now() + LAST_ANSWERS;
        self.serve();
        while self.server.as_ref().is_some_and(|server| server.awaits().is_none()) && Instant::now() < end {
            self.serve();
        }
    }

    fn finish(mut self) -> Result<()> {
        self.progress.finish_and_clear();
        self.serve_last();
        self.dpu.device().trace_end();
        let stats = self.write_stats();
        // A disk that is full for the captures may have room for the statistics, and the other way round.
        self.outputs.finish().and(stats)
    }

    fn write_stats(&mut self) -> Result<()> {
        let Some(claim) = self.stats.take() else {
            return Ok(());
        };
        let stats = self.dpu.stats(self.outputs.sent())?;
        write_json(claim, &stats)
    }
}

/// A bar on the terminal for long runs, when somebody is looking.
fn progress_bar(packets: u64) -> ProgressBar {
    if packets < LONG_RUN || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} packets, {per_sec}, {eta} left");
    ProgressBar::new(packets).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The time of this machine, in nanoseconds since 1970.
pub fn unix_ns() -> Result<u64> {
    let since: Duration =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(since.as_nanos() as u64)
}
