// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace firmware`: the slow path of a device that is elsewhere: hardware, or simulated in another process.

use crate::answers::reply;
use crate::args::FirmwareArgs;
#[cfg(feature = "os")]
use crate::args::ImagesArgs;
use crate::claim;
use crate::control::{Place, Reply, Request, Server};
use crate::dpu::Dpu;
use crate::ecpf_choice::EcpfChoice;
use crate::error::BadInputExt;
use crate::faults::FaultWatch;
use crate::flow_file;
use crate::functions::{self, Functions};
#[cfg(feature = "os")]
use crate::images::{Images, WithImages};
use crate::signals::Signals;
use crate::slow_path::{Session, Surroundings, with_hint};
use crate::standard;
use crate::stats::Stats;
use anyhow::{Context, Result};
use millrace_driver::vfio::{VfioBar, VfioDpu};
use millrace_driver::vfio_user::{Mode, VfioUserBar, VfioUserDpu};
use millrace_driver::virtio::VirtioPci;
use millrace_driver::{Device, Image, Others, discover};
use millrace_firmware::slowpath::{self, Settings};
#[cfg(feature = "os")]
use millrace_regs::config::Config;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// Does what the command line says.
pub fn run(args: &FirmwareArgs) -> Result<()> {
    match &args.device {
        EcpfChoice::Served(folder) => {
            let (dpu, mode) = VfioUserDpu::open(folder).bad_input()?;
            if mode == Mode::Nic {
                eprintln!("millrace: the device is in NIC mode: its slow path is at the PF");
            }
            run_on(dpu, args)
        }
        EcpfChoice::Vfio(address) => run_on(VfioDpu::open(*address).bad_input()?, args),
    }
}

fn run_on<D: EcpfDevice>(mut device: D, args: &FirmwareArgs) -> Result<()> {
    let config = discover(&mut device).map_err(with_hint)?;
    #[cfg(feature = "os")]
    let device = WithImages::new(device, images(&args.images, &config)?);
    functions::check(&config, &args.functions)?;
    let detect = args.detect.detection(&config, true)?;
    let flows = flow_file::read(args.files(), &config)?;
    let signals = Signals::catch()?;
    let stats = claim::of_stats(args.stats.as_deref(), &args.files().paths())?;
    let server = Server::open_until_signal(args.control.as_deref(), &signals)?;

    let others = if args.take_over { Others::TakeOver } else { Others::Refuse };
    let settings = Settings { others, detect, ..Settings::default() };
    let image = Image::open(&image_path(args)?).bad_input()?;
    let mut dpu = Dpu::with_image(device, flows, settings, image).map_err(with_hint)?;
    say_what_was_found(dpu.counted());
    let mut functions = Functions::new(&config, config.pfs + config.vfs);
    functions.configure(&args.functions, dpu.device().bar())?;
    standard::say_ready();
    let around = Host { functions, faults: FaultWatch::new(&config), device: PhantomData };
    let device = Session::new(args.files(), dpu, around, server, signals).run(stats)?;
    device.stop()
}

/// Takes images of the host, if that is asked for.
#[cfg(feature = "os")]
fn images(args: &ImagesArgs, config: &Config) -> Result<Option<Images>> {
    if !args.images_from_host {
        return Ok(None);
    }
    let vport = config.vport_number("pf").context("the device has no PF")?;
    Ok(Some(Images::new(vport as u8, &args.image_key).bad_input()?))
}

/// The file of the image: the device's own, whatever way its name was written.
fn image_path(args: &FirmwareArgs) -> Result<PathBuf> {
    if let Some(path) = &args.image {
        return Ok(path.clone());
    }
    let device = match &args.device {
        EcpfChoice::Served(folder) => {
            let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
            folder.to_string_lossy().into_owned()
        }
        EcpfChoice::Vfio(address) => address.to_string(),
    };
    let name = device.replace('%', "%25").replace('/', "%2F");
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

/// A device, as its ECPF's driver sees it.
trait EcpfDevice: Device + Sized {
    type Bar: VirtioPci;

    /// The ECPF's BAR 0.
    fn bar(&mut self) -> &mut Self::Bar;

    /// What to wait for.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// Resets the function.
    fn stop(self) -> Result<()>;
}

impl EcpfDevice for VfioUserDpu {
    type Bar = VfioUserBar;

    fn bar(&mut self) -> &mut VfioUserBar {
        self.bar()
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.descriptors().into()
    }

    fn stop(self) -> Result<()> {
        Ok(self.stop()?)
    }
}

impl EcpfDevice for VfioDpu {
    type Bar = VfioBar;

    fn bar(&mut self) -> &mut VfioBar {
        self.bar()
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.descriptors().into()
    }

    fn stop(self) -> Result<()> {
        Ok(self.stop()?)
    }
}

#[cfg(feature = "os")]
impl<D: EcpfDevice> EcpfDevice for WithImages<D> {
    type Bar = D::Bar;

    fn bar(&mut self) -> &mut D::Bar {
        self.device.bar()
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.device.descriptors()
    }

    fn stop(self) -> Result<()> {
        self.device.stop()
    }
}

/// All that such a device has is the slow path's, but for what its host's functions may do.
struct Host<D> {
    functions: Functions,
    faults: FaultWatch,
    device: PhantomData<D>,
}

impl<D: EcpfDevice> Surroundings for Host<D> {
    type Device = D;

    fn functions(&mut self, dpu: &mut Dpu<D>, request: &Request) -> Option<Reply> {
        Some(reply(self.functions.answer(dpu.device().bar(), request)))
    }

    fn turn(&mut self, dpu: &mut Dpu<D>) -> Result<usize> {
        dpu.device().poll()?;
        self.faults.look(dpu.device().bar())?;
        Ok(usize::from(dpu.has_work() || dpu.device().upcall_waiting()))
    }

    fn awaits<'a>(&'a self, device: &'a D) -> Vec<BorrowedFd<'a>> {
        device.descriptors()
    }

    fn stats(&self, dpu: &mut Dpu<D>) -> Result<Stats> {
        let mut stats = dpu.port_stats(&[])?;
        let config = *dpu.config();
        functions::add_functions(&mut stats, &config, dpu.device().bar())?;
        Ok(stats)
    }

    fn last_stats(&self, dpu: &mut Dpu<D>) -> Result<Stats> {
        dpu.slow_path_stats()
    }
}
