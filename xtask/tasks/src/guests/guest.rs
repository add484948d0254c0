// SPDX-License-Identifier: MIT OR Apache-2.0
//! A guest: QEMU with a stock kernel, network functions behind root ports, and a line on which it takes commands.

use super::bench::Bench;
use super::install::Install;
use super::process::Process;
use super::qmp::Qmp;
use super::wait::{Deadline, Interrupts, Lines};
use crate::dpu_os::Image;
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A quiet machine boots it in five seconds; each instruction is emulated.
const BOOT: Duration = Duration::from_secs(180);
/// Of one command.
const COMMAND: Duration = Duration::from_secs(90);
const END: Duration = Duration::from_secs(60);
/// MiB.
const MEMORY: u32 = 256;
/// `quiet` would hide the warnings among which drivers complain; IPv6 would speak unasked. On a busy host a guest sees no tick of its timer for
/// long enough to take it for broken.
const COMMAND_LINE: &str = "loglevel=5 panic=-1 ipv6.disable=1 no_timer_check";
/// The same with IPv6.
pub const WITH_IPV6: &str = "loglevel=5 panic=-1 no_timer_check";
/// What the kernel says when something is wrong with it or with a device.
const COMPLAINTS: [&str; 6] = ["BUG:", "WARNING:", "Oops", "Kernel panic", "virtio_net", "vfio"];

/// Eight nanoseconds an instruction: it sees no host that is busy. When it has nothing to do its time is the host's.
pub const OWN_TIME: Option<&str> = Some("shift=3,sleep=on");
/// A nanosecond an instruction: times are numbers of instructions. It does not wait when it has nothing to do.
pub const INSTRUCTIONS: Option<&str> = Some("shift=0,sleep=off");

/// A network function as QEMU is given it.
pub struct Nic {
    /// A `-netdev`, if it has one.
    pub netdev: Option<Value>,
    /// The `-device`, without its bus.
    pub device: Value,
}

/// What a guest is.
pub struct Machine<'a> {
    pub kernel: PathBuf,
    pub initramfs: &'a Path,
    /// What its kernel is told beside its console.
    pub command_line: &'a str,
    pub board: Board,
    /// MiB.
    pub memory: u32,
    /// QEMU's `-icount`, if its time passes with the instructions that it runs.
    pub time: Option<&'static str>,
    /// If it starts by UEFI: from where, and not from `kernel`. It may start again then.
    pub firmware: Option<Firmware>,
    /// What its kernel says because the scenario asks for something impossible: no complaint.
    pub provoked: &'static [&'static str],
}

/// UEFI, and what it starts a guest from.
#[derive(Clone)]
pub struct Firmware {
    pub code: PathBuf,
    /// Which it writes to.
    pub variables: PathBuf,
    pub medium: Medium,
    /// Further disks.
    pub disks: Vec<PathBuf>,
}

/// What a guest starts from.
#[derive(Clone)]
pub enum Medium {
    Disk(PathBuf),
    /// A folder that is served with TFTP, whose `boot.efi` is started.
    Network(PathBuf),
}

/// What its kernel runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// A PC.
    Pc,
    /// A PC with an IOMMU, which its kernel uses.
    PcWithIommu,
    /// QEMU's board `virt`, with an Arm core and a virtio IOMMU: its SMMU refuses devices whose maps others look at.
    Arm,
}

impl<'a> Machine<'a> {
    /// As most guests are.
    pub fn stock(install: &Install, initramfs: &'a Path) -> Self {
        Self::of(install.kernel(), initramfs, COMMAND_LINE, Board::Pc)
    }

    /// A card's processor.
    pub fn card(image: &'a Image) -> Self {
        let Image { kernel, initramfs, command_line, .. } = image;
        Self::of(kernel.clone(), initramfs, command_line, Board::Arm)
    }

    /// The same, which starts by UEFI.
    pub fn card_with(image: &'a Image, board: Board, firmware: Firmware) -> Self {
        Self { board, firmware: Some(firmware), ..Self::card(image) }
    }

    fn of(kernel: PathBuf, initramfs: &'a Path, command_line: &'a str, board: Board) -> Self {
        Self { kernel, initramfs, command_line, board, memory: MEMORY, time: None, firmware: None, provoked: &[] }
    }
}

/// A running guest. Killed when dropped.
pub struct Guest {
    name: String,
    console: PathBuf,
    provoked: &'static [&'static str],
    qemu: Process,
    qmp: Qmp,
    agent: Lines<UnixStream>,
}

/// What a command came to.
pub struct Answer {
    pub code: i32,
    pub output: String,
}

/// A command that a guest runs beside others.
pub struct Job(String);

impl Job {
    /// The number of its process, and of its group.
    pub fn id(&self) -> &str {
        &self.0
    }
}

impl Guest {
    /// Starts it. Its console and QEMU's messages become `NAME.console` and `NAME.qemu` among the scenario's logs.
    pub fn start(bench: &Bench, name: &str, nics: &[Nic]) -> Result<Self> {
        Self::start_as(bench, name, &Machine::stock(bench.install, bench.initramfs), nics)
    }

    /// As [`start`](Self::start), of another kind.
    pub fn start_as(bench: &Bench, name: &str, machine: &Machine, nics: &[Nic]) -> Result<Self> {
        Self::launch(bench, name, machine, nics).with_context(|| format!("cannot start guest {name}"))
    }

    fn launch(bench: &Bench, name: &str, machine: &Machine, nics: &[Nic]) -> Result<Self> {
        let (console, errors) = (bench.log(&format!("{name}.console")), bench.log(&format!("{name}.qemu")));
        let [monitor, line] = ["qmp", "agent"].map(|kind| bench.sockets().join(format!("{name}.{kind}")));
        let listeners = [listen(&monitor)?, listen(&line)?];
        let mut qemu = emulator(bench, machine);
        qemu.arg("-serial").arg(format!("file:{}", console.display()));
        for (id, path) in [("qmp", &monitor), ("agent", &line)] {
            qemu.arg("-chardev").arg(format!("socket,id={id},path={}", path.display()));
        }
        qemu.args(["-serial", "chardev:agent", "-qmp", "chardev:qmp"]);
        for (index, nic) in nics.iter().enumerate() {
            add(&mut qemu, index, nic);
        }
        let qemu = Process::start(&qemu, &errors, bench.interrupts)?;
        let [monitor, line] = listeners;
        let qmp = Qmp::new(bench.interrupts, accept(monitor, &qemu, bench.interrupts)?)?;
        let agent = Lines::new(bench.interrupts, accept(line, &qemu, bench.interrupts)?);
        Ok(Self { name: name.to_owned(), console, provoked: machine.provoked, qemu, qmp, agent })
    }

    /// Waits until it has booted.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Deadline::after(BOOT);
        match self.agent.next(deadline).with_context(|| format!("guest {} does not boot", self.name))?.as_deref() {
            Some("ready") => Ok(()),
            Some(other) => bail!("guest {} did not boot: it said {other:?}", self.name),
            None => bail!("guest {} ended before it had booted", self.name),
        }
    }

    /// Waits until it has started by UEFI, which may have written to the agent's line before.
    pub fn wait_until_started(&mut self) -> Result<()> {
        let deadline = Deadline::after(BOOT);
        loop {
            let line = self.agent.next(deadline).with_context(|| format!("guest {} does not start", self.name))?;
            if line.with_context(|| format!("guest {} ended", self.name))?.ends_with("ready") {
                return Ok(());
            }
        }
    }

    /// Has it start again, and waits until it has. The agent's answer may be cut short by that.
    pub fn restart(&mut self) -> Result<()> {
        writeln!(self.agent.file, "run reboot")?;
        self.wait_until_started()
    }

    /// Runs a command line of the shell, which has to succeed; its output.
    pub fn run(&mut self, command: &str) -> Result<String> {
        let answer = self.attempt(command)?;
        if answer.code != 0 {
            bail!("`{command}` in guest {} ended with {}: {}", self.name, answer.code, answer.output.trim_end());
        }
        Ok(answer.output)
    }

    /// Runs a command line of the shell that may fail, and may take this long.
    pub fn attempt_for(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        self.ask("run", command, limit)
    }

    /// Runs a command line of the shell, which may fail.
    pub fn attempt(&mut self, command: &str) -> Result<Answer> {
        self.ask("run", command, COMMAND)
    }

    /// Runs a command beside others.
    pub fn start_job(&mut self, command: &str) -> Result<Job> {
        Ok(Job(self.ask("start", command, COMMAND)?.output.trim_end().to_owned()))
    }

    /// Waits for the end of a job.
    pub fn end_of(&mut self, job: &Job) -> Result<Answer> {
        self.ask("wait", &job.0, COMMAND)
    }

    /// Ends a job that would go on, with SIGTERM; what it printed.
    pub fn stop(&mut self, job: &Job) -> Result<String> {
        self.run(&format!("kill -TERM -{}", job.0))?;
        Ok(self.end_of(job)?.output)
    }

    fn ask(&mut self, verb: &str, argument: &str, limit: Duration) -> Result<Answer> {
        self.answer(verb, argument, limit).with_context(|| format!("`{argument}` in guest {}", self.name))
    }

    fn answer(&mut self, verb: &str, argument: &str, limit: Duration) -> Result<Answer> {
        let deadline = Deadline::after(limit);
        writeln!(self.agent.file, "{verb} {argument}")?;
        let mut output = String::new();
        loop {
            let line = self.agent.next(deadline)?.context("the guest has ended")?;
            match (line.strip_prefix('|'), line.strip_prefix("exit ")) {
                (Some(text), _) => output.extend([text.strip_prefix(' ').unwrap_or(text), "\n"]),
                (_, Some(code)) => return Ok(Answer { code: code.parse()?, output }),
                _ => bail!("it answers {line:?}"),
            }
        }
    }

    /// Ends it in order. Its kernel must have complained of nothing.
    pub fn quit(mut self) -> Result<()> {
        let end = self.qmp.execute("quit", json!({})).and_then(|_| self.qemu.succeed(Deadline::after(END)));
        end.with_context(|| format!("cannot end guest {}", self.name))?;
        let said = fs::read(&self.console).with_context(|| format!("cannot read {}", self.console.display()))?;
        match complaint(&String::from_utf8_lossy(&said), self.provoked) {
            Some(line) => bail!("the kernel of guest {} says: {line}", self.name),
            None => Ok(()),
        }
    }

    /// Ends it as a crash of QEMU would.
    pub fn kill(mut self) -> Result<()> {
        self.qemu.signal(Signal::SIGKILL)?;
        self.qemu.end(Deadline::after(END)).map(drop)
    }
}

/// QEMU with all that guests have in common.
fn emulator(bench: &Bench, machine: &Machine) -> Command {
    let board = machine.board;
    let mut qemu = bench.install.program(board.emulator());
    for data in ["usr/share/qemu", "usr/share/seabios"] {
        qemu.arg("-L").arg(bench.install.path(data));
    }
    // A device at the other end of a socket sees memory that is shared, and nothing else.
    let size = u64::from(machine.memory) << 20;
    let memory = json!({"qom-type": "memory-backend-memfd", "id": "memory", "size": size, "share": true});
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-cpu", "max"]);
    qemu.args(["-machine", &format!("{},accel=tcg,memory-backend=memory", board.machine())]);
    qemu.args(["-m", &format!("{}M", machine.memory), "-object", &memory.to_string()]);
    qemu.args(machine.time.iter().flat_map(|time| ["-icount", time]));
    qemu.args(board.iommu().iter().flat_map(|iommu| ["-device", iommu]));
    match &machine.firmware {
        Some(firmware) => firmware.add_to(&mut qemu),
        None => {
            qemu.args(["-no-reboot", "-append", &format!("{} {}", machine.command_line, board.command_line())]);
            qemu.arg("-kernel").arg(&machine.kernel).arg("-initrd").arg(machine.initramfs);
        }
    }
    qemu
}

impl Firmware {
    fn add_to(&self, qemu: &mut Command) {
        for (file, readonly) in [(&self.code, "on"), (&self.variables, "off")] {
            qemu.args(["-drive", &format!("if=pflash,format=raw,readonly={readonly},file={}", file.display())]);
        }
        let mut disks = self.disks.clone();
        match &self.medium {
            Medium::Disk(disk) => disks.insert(0, disk.clone()),
            Medium::Network(folder) => {
                let net = format!("user,id=tftp,tftp={},bootfile=boot.efi", folder.display());
                qemu.args(["-netdev", &net, "-device", "virtio-net-pci,netdev=tftp,bootindex=0,romfile="]);
            }
        }
        for (index, disk) in disks.iter().enumerate() {
            qemu.args(["-drive", &format!("if=none,id=disk{index},format=raw,file={}", disk.display())]);
            qemu.args(["-device", &format!("virtio-blk-pci,drive=disk{index},bootindex={}", index + 1)]);
        }
    }
}

impl Board {
    fn emulator(self) -> &'static str {
        match self {
            Self::Pc | Self::PcWithIommu => "usr/bin/qemu-system-x86_64",
            Self::Arm => "usr/bin/qemu-system-aarch64",
        }
    }

    fn machine(self) -> &'static str {
        match self {
            Self::Pc => "q35",
            Self::PcWithIommu => "q35,kernel-irqchip=split",
            Self::Arm => "virt,gic-version=3",
        }
    }

    fn command_line(self) -> &'static str {
        match self {
            Self::Pc => "console=ttyS0",
            Self::PcWithIommu => "console=ttyS0 intel_iommu=on",
            Self::Arm => "console=ttyAMA0",
        }
    }

    fn iommu(self) -> Option<&'static str> {
        match self {
            Self::Pc => None,
            Self::PcWithIommu => Some("intel-iommu,intremap=on,caching-mode=on"),
            Self::Arm => Some("virtio-iommu-pci"),
        }
    }
}

/// Puts a function on a root port of its own: those in one slot would share an IOMMU group.
fn add(qemu: &mut Command, index: usize, nic: &Nic) {
    let port = format!("port{index}");
    let root = json!({"driver": "pcie-root-port", "id": port, "chassis": index + 1});
    let mut device = nic.device.clone();
    device["bus"] = port.into();
    if let Some(netdev) = &nic.netdev {
        qemu.args(["-netdev", &netdev.to_string()]);
    }
    qemu.args(["-device", &root.to_string(), "-device", &device.to_string()]);
}

fn listen(path: &Path) -> Result<UnixListener> {
    UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))
}

/// QEMU's connection, which it makes before anything else.
fn accept(listener: UnixListener, qemu: &Process, interrupts: &Interrupts) -> Result<UnixStream> {
    match interrupts.first(&[listener.as_fd(), qemu.as_fd()], Deadline::after(END))? {
        0 => Ok(listener.accept()?.0),
        _ => bail!("QEMU ended"),
    }
}

/// The first line of a console that tells of something wrong, and that was not provoked.
fn complaint<'a>(console: &'a str, provoked: &[&str]) -> Option<&'a str> {
    let has = |line: &str, texts: &[&str]| texts.iter().any(|text| line.contains(text));
    console.lines().find(|line| has(line, &COMPLAINTS) && !has(line, provoked))
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn the_kernels_complaints_are_found() {
        assert_eq!(complaint("[ 0.1] Linux\n[ 1.2] NET: up\n", &[]), None);
        let stuck = "[ 9.0] virtio_net virtio0 eth0: NETDEV WATCHDOG: transmit queue 0 timed out\n";
        assert_eq!(complaint(stuck, &[]), Some(stuck.trim_end()));
        assert_eq!(complaint(stuck, &["eth1: NETDEV"]), Some(stuck.trim_end()));
        assert_eq!(complaint(stuck, &["queue 0 timed out"]), None);
    }
}
