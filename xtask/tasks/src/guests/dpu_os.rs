// SPDX-License-Identifier: MIT OR Apache-2.0
//! DPU-OS as it comes to a card: from a disk by UEFI, by signed updates, over the network.

use super::arm::{AGENT, EMULATOR, wait_for_firmware};
use super::bench::Bench;
use super::dpu::Dpu;
use super::guest::{Answer, Board, Firmware, Guest, Machine, Medium};
use super::install::Group;
use super::network::Network;
use super::scenarios::Outcome;
use super::traffic::{address, ping};
use crate::architecture::Architecture;
use crate::dpu_os::{self, DISK, Image, Media, NETWORK, Release, UPDATE, Variant};
use anyhow::{Context, Result, ensure};
use millrace_update::{SigningKey, TRIES, read_private};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use xtask::run;

const UEFI: Group = Group {
    name: "uefi",
    packages: &[
        ("qemu-efi-aarch64", "the firmware that guests with Arm cores start with"),
        ("ovmf", "the firmware that guests with x86 cores start with"),
    ],
    spared: &[],
};
const PAGE: &str = include_str!("../../../../docs/dpu-os.md");
const VARIANT: Variant = Variant::plain("minimal");
/// With which the firmware of the slow path does not come up, and how long it is waited for, in seconds.
const BROKEN: [(&str, &[u8]); 2] = [("etc/millrace/flows", b"actions=fly\n"), ("etc/millrace/trial", b"5\n")];
/// What the command says by its exit code when an image is refused.
const REFUSED: i32 = 2;
const PINGS: u32 = 20;
/// How often it is asked whether an image is confirmed, ten times a second.
const PATIENCE: u32 = 600;

/// With an Arm core.
pub fn dpu_os(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU has no ECPF"));
    }
    bench.install.add(&EMULATOR)?;
    let maker = Maker { key: follow_page(bench)?, ..Maker::new(bench, VARIANT, Architecture::Aarch64)? };
    let old = maker.release("1", &[])?;
    let new = maker.release("2", &[])?;
    let broken = maker.release("3", &BROKEN)?;
    let updates = [new.update(), broken.update(), new.damaged()?, new.signed_by_another()?];
    let network = Network::Dpu(Dpu::start_without_slow_path(bench, "dpu")?);
    let mut card = maker.start("card", &old, Medium::Disk(old.disk()), &updates, &network)?;
    card.wait_until_started()?;
    wait_until_up(&mut card)?;
    let first = ["1 in slot a: DPU-OS minimal 1: has come up, runs"];
    expect_slots(&mut card, &first)?;
    refuses_others(&mut card)?;
    expect_slots(&mut card, &first)?;

    for command in millrace_pages::blocks(PAGE, "sh card").iter().flat_map(|block| block.lines()) {
        match command {
            "reboot" => card.restart()?,
            other => card.run(other).map(drop).context("as the page says")?,
        }
    }
    wait_until_up(&mut card).context("with the update")?;
    let second = ["2 in slot b: DPU-OS minimal 2: has come up, runs", "1 in slot a: DPU-OS minimal 1: has come up"];
    expect_slots(&mut card, &second)?;
    // It is at work.
    let [mut a, b] = bench.guests(&network, ["vf0", "vf1"])?;
    ping(&mut a, &address("vf1"), PINGS, 56)?;

    card.run("millrace os install /dev/vdc").context("a signed update that does not come up")?;
    card.restart()?;
    for trial in 1..=TRIES {
        card.wait_until_started().with_context(|| format!("after start {trial} of an image that does not come up"))?;
    }
    wait_until_up(&mut card).context("after an image that did not come up")?;
    expect_slots(&mut card, &["3 in slot a: DPU-OS minimal 3: did not come up", second[0]])?;
    // As if power went.
    stop_in_update(&mut card, fs::metadata(&new.image.kernel)?.len())?;
    card.kill()?;
    let mut card = maker.start("again", &old, Medium::Disk(old.disk()), &updates, &network)?;
    card.wait_until_started().context("after an update that did not end")?;
    wait_until_up(&mut card).context("after an update that did not end")?;
    expect_slots(&mut card, &second[..1])?;
    card.run("millrace os install /dev/vdb").context("an update behind one that did not end")?;
    bench.finish(network, [card, a, b])?;

    let network = Network::Dpu(Dpu::start_without_slow_path(bench, "dpu")?);
    let mut card = maker.start("network", &new, Medium::Network(new.network()), &[], &network)?;
    card.wait_until_started().context("over the network")?;
    wait_until_up(&mut card).context("over the network")?;
    let said = card.attempt("millrace os show")?;
    ensure!(said.output.contains("not started from a slot"), "a system without a disk says {}", said.output);
    bench.finish(network, [card])?;
    Ok(Outcome::Passed(format!("{} bytes as an update", fs::metadata(new.update())?.len())))
}

/// Does what the page says on the machine that builds, in a home of its own; the key that is there then.
fn follow_page(bench: &Bench) -> Result<SigningKey> {
    let home = bench.sockets().join("home");
    fs::create_dir(&home).with_context(|| format!("cannot make {}", home.display()))?;
    let mut shell = run::command("sh");
    shell.arg("-exc").arg(millrace_pages::blocks(PAGE, "sh").concat());
    // Rust is where it was.
    let before = PathBuf::from(std::env::var_os("HOME").context("there is no HOME")?);
    for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        shell.env(variable, std::env::var_os(variable).map_or_else(|| before.join(folder), PathBuf::from));
    }
    let log = File::create(bench.log("page.log"))?;
    shell.env("HOME", &home).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    run::checked(shell).context("docs/dpu-os.md does not do what it says")?;
    Ok(read_private(&home.join("card.pem"))?)
}

/// With an x86 core.
pub fn dpu_os_x86_64(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU has no ECPF"));
    }
    let maker = Maker::new(bench, VARIANT, Architecture::X86_64)?;
    let image = maker.release("1", &[])?;
    for (name, medium) in [("disk", Medium::Disk(image.disk())), ("network", Medium::Network(image.network()))] {
        let network = Network::Dpu(Dpu::start_without_slow_path(bench, "dpu")?);
        let mut card = maker.start(name, &image, medium, &[], &network)?;
        card.wait_until_started().context(name)?;
        wait_until_up(&mut card).context(name)?;
        bench.finish(network, [card])?;
    }
    Ok(Outcome::Passed(String::new()))
}

/// Makes images, and starts cards with them.
pub struct Maker<'a> {
    bench: &'a Bench<'a>,
    variant: Variant<'static>,
    architecture: Architecture,
    key: SigningKey,
}

/// An image in all its forms.
pub struct Made {
    folder: PathBuf,
    image: Image,
    media: Media,
}

impl<'a> Maker<'a> {
    pub fn new(bench: &'a Bench, variant: Variant<'static>, architecture: Architecture) -> Result<Self> {
        bench.install.add(&UEFI)?;
        Ok(Self { bench, variant, architecture, key: dpu_os::test_key()? })
    }

    /// Makes an image, with files in place of the profile's.
    pub fn release(&self, version: &str, files: &[(&str, &[u8])]) -> Result<Made> {
        let (folder, variant, architecture) = (self.bench.sockets().join(version), self.variant, self.architecture);
        let release = Release { variant, architecture, version, services: &[AGENT], files, out: &folder };
        let image = release.build(&self.key)?;
        let media = Media::new(&image, architecture, &variant.name(), version)?;
        Ok(Made { folder, image, media })
    }

    /// Starts a card that has the ECPF, with further disks.
    pub fn start(
        &self,
        name: &str,
        made: &Made,
        medium: Medium,
        disks: &[PathBuf],
        network: &Network,
    ) -> Result<Guest> {
        let (board, code, variables) = match self.architecture {
            Architecture::Aarch64 => {
                (Board::Arm, "usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "usr/share/AAVMF/AAVMF_VARS.fd")
            }
            Architecture::X86_64 => {
                (Board::PcWithIommu, "usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd")
            }
        };
        let own = self.bench.sockets().join(format!("{name}.variables"));
        fs::copy(self.bench.install.path(variables), &own).context("cannot copy the variables of UEFI")?;
        let firmware = Firmware { code: self.bench.install.path(code), variables: own, medium, disks: disks.to_vec() };
        let machine = Machine::card_with(&made.image, board, firmware);
        Guest::start_as(self.bench, name, &machine, &[network.nic("ecpf")])
    }
}

impl Made {
    pub fn disk(&self) -> PathBuf {
        self.folder.join(DISK)
    }

    fn network(&self) -> PathBuf {
        self.folder.join(NETWORK)
    }

    pub fn update(&self) -> PathBuf {
        self.folder.join(UPDATE)
    }

    /// The update, with a bit of its kernel changed.
    fn damaged(&self) -> Result<PathBuf> {
        let (path, mut bytes) = (self.folder.join("damaged"), fs::read(self.update())?);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes)?;
        Ok(path)
    }

    /// The update, signed with a key that no card trusts.
    fn signed_by_another(&self) -> Result<PathBuf> {
        let path = self.folder.join("another");
        self.media.write_update(Path::new(&path), &SigningKey::from_bytes(&[1; 32]))?;
        Ok(path)
    }
}

/// Waits until the firmware of a card is at work, and its image is not on trial any more.
pub fn wait_until_up(card: &mut Guest) -> Result<()> {
    wait_for_firmware(card, "")?;
    let wait = format!(
        "for i in $(seq {PATIENCE}); do millrace os show 2>&1 | grep -q 'trial.*runs' || exit 0; usleep 100000; done; exit 1"
    );
    card.run(&wait).map(drop).context("the image is not confirmed")
}

/// Fails unless this is in the slots.
pub fn expect_slots(card: &mut Guest, expected: &[&str]) -> Result<()> {
    let said = card.run("millrace os show")?;
    ensure!(said.lines().eq(expected.iter().copied()), "the slots hold:\n{said}expected:\n{}", expected.join("\n"));
    Ok(())
}

/// Stops an update in the middle of a kernel of so many bytes, in place of another of that length.
fn stop_in_update(card: &mut Guest, kernel: u64) -> Result<()> {
    let update = card.start_job("exec millrace os install /dev/vdb")?;
    let size = "$(stat -c %s /boot/a/kernel 2>/dev/null || echo 0)";
    let halfway = format!("s={size}; [ $s -gt 0 ] && [ $s -lt {kernel} ]");
    let stop = format!("until {halfway}; do usleep 10000; done; kill -STOP -{}", update.id());
    card.run(&stop).context("no update is under way")?;
    // Only now is it sure that it has not ended since.
    card.run("! ls /boot/loader/entries | grep +").map(drop).context("the update has an entry already")
}

/// Fails unless images that are damaged, or signed by somebody else, are refused, and with a reason.
fn refuses_others(card: &mut Guest) -> Result<()> {
    for (disk, reason) in [
        ("/dev/vdd", "it is damaged: its files are not those that were signed"),
        ("/dev/vde", "its signature is not that of the key that this system trusts"),
        ("/etc/start", "it is no image: there is no manifest.json where it should be"),
    ] {
        let Answer { code, output } = card.attempt(&format!("millrace os install {disk}"))?;
        let expected = format!("{disk} is refused: {reason}");
        ensure!(code == REFUSED && output.contains(&expected), "exit code {code}: {output}expected: {expected}");
    }
    Ok(())
}
