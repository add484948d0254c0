// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace firmware`: the slow path of a device in another process, whose ECPF is served at a socket.

use crate::args::FirmwareArgs;
use crate::control::{Place, Server};
use crate::dpu::Dpu;
use crate::error::BadInputExt;
use crate::flow_file;
use crate::functions;
use crate::outputs::Files;
use crate::signals::Signals;
use crate::slow_path::{Session, Surroundings, with_hint};
use crate::standard;
use crate::stats::Stats;
use anyhow::{Context, Result};
use millrace_driver::vfio_user::VfioUserDpu;
use millrace_driver::{Device, Image, Others, discover};
use millrace_firmware::slowpath::{self, Settings};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// Name of the ECPF's socket in the folder of a device.
const ECPF_SOCKET: &str = "ecpf.sock";

/// Does what the command line says.
pub fn run(args: &FirmwareArgs) -> Result<()> {
    let path = args.device.0.join(ECPF_SOCKET);
    let mut device = VfioUserDpu::connect(&path).bad_input()?;
    let config = discover(&mut device).map_err(with_hint)?;
    functions::check(&config, &args.functions)?;
    let flows = flow_file::read(&args.flows, &config)?;
    let signals = Signals::catch()?;
    let read: Vec<_> = [args.flows.as_path()].into_iter().filter(|flows| !standard::is(flows)).collect();
    let stats = Files::claim(&config, None, args.stats.as_deref(), None, &read)?.stats;
    let server = Server::open_until_signal(args.control.as_deref(), &signals)?;

    let others = if args.take_over { Others::TakeOver } else { Others::Refuse };
    let settings = Settings { others, ..Settings::default() };
    let image = Image::open(&image_path(args)?).bad_input()?;
    let mut dpu = Dpu::with_image(device, flows, settings, image).map_err(with_hint)?;
    say_what_was_found(dpu.counted());
    functions::configure(&config, &args.functions, config.pfs + config.vfs, dpu.device().bar())?;
    standard::say_ready();
    let device = Session::new(&args.flows, dpu, Representors, server, signals).run(stats)?;
    Ok(device.stop()?)
}

/// The file of the image: the device's own, whatever way its name was written.
fn image_path(args: &FirmwareArgs) -> Result<PathBuf> {
    if let Some(path) = &args.image {
        return Ok(path.clone());
    }
    let device = args.device.0.canonicalize().with_context(|| format!("cannot find {}", args.device.0.display()))?;
    let name = device.to_string_lossy().replace('%', "%25").replace('/', "%2F");
    Ok(Place::of_this_user().made_for(&format!("tables-{name}"))?)
}

fn say_what_was_found(stats: &slowpath::Stats) {
    let slowpath::Stats { taken_over, updated, removed, .. } = stats;
    if *taken_over > 0 {
        eprintln!(
            "millrace: {taken_over} rules were there and are taken over; {updated} were changed, {removed} taken out"
        );
    }
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
