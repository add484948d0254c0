// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace firmware`: the slow path of a device in another process, whose ECPF is served at a socket.

use crate::args::FirmwareArgs;
use crate::control::Server;
use crate::dpu::Dpu;
use crate::error::BadInputExt;
use crate::flow_file;
use crate::functions;
use crate::outputs::Files;
use crate::signals::Signals;
use crate::slow_path::{Session, Surroundings, with_hint};
use crate::standard;
use crate::stats::Stats;
use anyhow::Result;
use millrace_driver::vfio_user::VfioUserDpu;
use millrace_driver::{Device, Others, discover};
use millrace_firmware::slowpath::Settings;
use std::os::fd::BorrowedFd;

/// Name of the ECPF's socket in the folder of a device.
const ECPF_SOCKET: &str = "ecpf.sock";

/// Does what the command line says.
pub fn run(args: &FirmwareArgs) -> Result<()> {
    let path = args.device.0.join(ECPF_SOCKET);
    let mut device = VfioUserDpu::connect(&path).bad_input()?;
    let config = discover(&mut device)?;
    let flows = flow_file::read(&args.flows, &config)?;
    let signals = Signals::catch()?;
    let read: Vec<_> = [args.flows.as_path()].into_iter().filter(|flows| !standard::is(flows)).collect();
    let stats = Files::claim(&config, None, args.stats.as_deref(), None, &read)?.stats;
    let server = Server::open_until_signal(args.control.as_deref(), &signals)?;

    let others = if args.take_over { Others::TakeOver } else { Others::Refuse };
    let mut dpu = Dpu::over(device, flows, Settings { others, ..Settings::default() }).map_err(with_hint)?;
    functions::configure(&config, &args.functions, config.pfs + config.vfs, dpu.device().bar())?;
    standard::say_ready();
    let device = Session::new(&args.flows, dpu, Representors, server, signals).run(stats)?;
    Ok(device.stop()?)
}

/// All that such a device has is the slow path's.
struct Representors;

impl Surroundings for Representors {
    type Device = VfioUserDpu;

    fn turn(&mut self, dpu: &mut Dpu<VfioUserDpu>) -> Result<usize> {
        dpu.device().poll()?;
        Ok(usize::from(dpu.has_work() || dpu.device().upcall_waiting()))
    }

    fn awaits<'a>(&'a self, device: &'a VfioUserDpu) -> Vec<BorrowedFd<'a>> {
        device.descriptors().into()
    }

    fn stats(&self, dpu: &mut Dpu<VfioUserDpu>) -> Result<Stats> {
        let mut stats = dpu.port_stats(&[])?;
        let config = *dpu.config();
        functions::add_losses(&mut stats, &config, dpu.device().bar())?;
        Ok(stats)
    }

    fn last_stats(&self, dpu: &mut Dpu<VfioUserDpu>) -> Result<Stats> {
        dpu.slow_path_stats()
    }
}
