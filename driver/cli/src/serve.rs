// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace serve`: the simulated DPU as PCI functions, which other processes drive over vfio-user.

use crate::args::ServeArgs;
use crate::claim::{Claim, FolderClaim};
use crate::control::{Request, Server};
use crate::dpu::{Dpu, LEAP};
use crate::error::{BadInput, BadInputExt};
use crate::flow_file;
use crate::functions;
use crate::inputs::by_vport;
use crate::outputs::{Files, Sent};
use crate::run::{BURST, NAP_MS, answer, reply, write_json};
use crate::signals::Signals;
use crate::standard;
use crate::stats::Stats;
use crate::uplink::{self, Uplink};
use crate::wall_clock::WallClock;
use anyhow::{Context, Result};
use millrace_driver::Device;
use millrace_driver::virtio::{LocalMemory, Settings};
use millrace_firmware::openflow::FlowTable;
use millrace_firmware::slowpath;
use millrace_sim::served::{Ecpf, Served, ServedMemory};
use millrace_sim::{CYCLE_NS, Config, EmbeddedDpu, Latency, Preset};
use nix::poll::{PollFd, PollTimeout, poll};
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
    if args.vfs > config.vfs {
        return Err(BadInput(format!("--vfs {}: the device has {} VFs", args.vfs, config.vfs)).into());
    }
    let uplinks = by_vport(&config, "uplink", &args.uplinks)?;
    let flows = args.flows.as_deref().map(|flows| flow_file::read(flows, &config)).transpose()?;
    let signals = Signals::catch()?;
    let uplinks = uplink::open(&config, &uplinks)?;
    let read: Vec<_> = args.flows.as_deref().into_iter().filter(|flows| !standard::is(flows)).collect();
    let stats = Files::claim(&config, None, args.stats.as_deref(), None, &read)?.stats;
    let server = match &flows {
        Some(_) => Server::open_until_signal(args.control.as_deref(), &signals)?,
        None => None,
    };
    let folder = FolderClaim::new(&args.sockets)?;

    let settings = Settings::representors(config.vports() as u16);
    let memory = LocalMemory::new(ECPF_ADDRESS, settings.memory_bytes());
    let ecpf = if flows.is_some() { Ecpf::Here(memory.clone()) } else { Ecpf::Socket };
    let latency = Latency { cycles: args.latency / CYCLE_NS, ..Latency::default() };
    let served = Served::new(PRESET, &args.sockets, args.vfs, ecpf, latency).bad_input()?;
    let slow_path = flows.map(|flows| start_slow_path(args, &config, &served, memory, settings, flows)).transpose()?;
    let sent = vec![Sent::default(); config.uplinks];
    let clock = WallClock::start();
    let mut session = Session { args, served, slow_path, uplinks, sent, server, signals, reloading: false, clock };
    standard::say_ready();
    let ran = session.go();
    let finished = session.finish(stats);
    drop((session, folder));
    ran.and(finished)
}

/// Brings the ECPF up, gives each function its configuration, and puts the flows in force.
fn start_slow_path(
    args: &ServeArgs,
    config: &Config,
    served: &Served,
    memory: LocalMemory,
    settings: Settings,
    flows: FlowTable,
) -> Result<SlowPath> {
    let mut device = EmbeddedDpu::new(served.dpu().clone(), memory, settings)?;
    functions::configure(config, &args.functions, config.pfs + args.vfs, device.bar())?;
    Ok(Dpu::over(device, flows, slowpath::Settings::default())?)
}

struct Session<'a> {
    args: &'a ServeArgs,
    served: Served,
    slow_path: Option<SlowPath>,
    uplinks: Vec<(usize, Uplink)>,
    /// What left the uplinks.
    sent: Vec<Sent>,
    server: Option<Server>,
    signals: Signals,
    /// Flows that a signal asked for are on their way into force.
    reloading: bool,
    clock: WallClock,
}

impl Session<'_> {
    fn go(&mut self) -> Result<()> {
        while !self.signals.stop() {
            if self.signals.take_reload() {
                self.reload_own_flows();
            }
            if self.reloading && self.slow_path.as_ref().is_some_and(|dpu| dpu.rules_agree()) {
                self.reloading = false;
                eprintln!("millrace: the flows are in force");
            }
            self.answer();
            if self.turn()? {
                self.nap()?;
            }
        }
        let end = Instant::now() + Duration::from_millis(self.args.grace);
        while !self.turn()? && Instant::now() < end {}
        Ok(())
    }

    /// Lets everything go on for some cycles; true if nothing is left to do.
    fn turn(&mut self) -> Result<bool> {
        let mut moved = self.served.turn()? + self.read_uplinks()?;
        let idle = self.served.dpu().borrow_mut().run_until_idle(BURST);
        moved += self.write_uplinks()?;
        if let Some(dpu) = &mut self.slow_path {
            dpu.device().poll()?;
            moved += dpu.turn()? + usize::from(dpu.has_work());
        }
        Ok(idle && moved == 0)
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
                    sent.tap_refused += u64::from(!other.send(&received.frame)?);
                }
            }
        }
        Ok(count)
    }

    /// Sleeps until there is something to do, but not for long; time goes on meanwhile.
    fn nap(&mut self) -> Result<()> {
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
        let (sent, served) = (&self.sent, &self.served);
        server.serve(|request, from| match request {
            Request::Stats => reply(stats(dpu, served, sent)),
            request => answer(dpu, request, from),
        });
    }

    /// SIGHUP: the flow file as it is now. A faulty one changes nothing.
    fn reload_own_flows(&mut self) {
        let (Some(path), Some(dpu)) = (&self.args.flows, &mut self.slow_path) else { return };
        if let Some(flows) = flow_file::read_again(path, dpu.config()) {
            dpu.reload(flows);
            self.reloading = true;
        }
    }

    /// Prints the statistics, and writes them where they were asked for.
    fn finish(&mut self, claim: Option<Claim>) -> Result<()> {
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
    functions::add_losses(&mut stats, &PRESET.config(), dpu.device().bar())?;
    Ok(Stats { cycles: Some(served.dpu().borrow().cycle()), ..stats })
}
