// SPDX-License-Identifier: MIT OR Apache-2.0
//! Open vSwitch as the oracle: a private ovs-vswitchd with its userspace datapath, fed one frame at a time.
//!
//! Everything lives in a temporary directory of its own: no service of the system, no kernel module, no network device. The ports are
//! dummy ones; frames go in over their sockets and come out in pcap files. Time stands still but for [`Ovs::warp`].

mod daemon;
mod unixctl;

use anyhow::{Context, Result, bail, ensure};
use millrace_firmware::openflow::{Groups, Ports, parse_group_file};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use daemon::Daemon;
use unixctl::Unixctl;

/// Ports of the switch, in the order of their OpenFlow numbers, from 1.
pub const PORTS: [&str; 11] = ["p0", "p1", "pf", "vf0", "vf1", "vf2", "vf3", "vf4", "vf5", "vf6", "vf7"];

/// How long OVS may take for one step.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came out of a port: frames in their order.
pub type Frames = Vec<Vec<u8>>;

/// A running Open vSwitch with one bridge and the ports of [`PORTS`]. Its processes end when it is dropped.
pub struct Ovs {
    dir: tempfile::TempDir,
    inputs: Vec<UnixStream>,
    control: Unixctl,
    /// Frames handed in so far.
    sent: u64,
    /// Frames of each port's capture that belong to earlier runs.
    seen: Vec<usize>,
    details: Vec<String>,
    _vswitchd: Daemon,
    _ovsdb: Daemon,
}

impl Ovs {
    /// Starts the daemons and makes bridge and ports. Two VLAN tags are looked at, as Millrace does.
    pub fn start() -> Result<Ovs> {
        Ovs::with_vlan_limit(2)
    }

    /// The same with another number of VLAN tags that are looked at (`vlan-limit`, 1 unless configured).
    pub fn with_vlan_limit(limit: u8) -> Result<Ovs> {
        let dir = tempfile::Builder::new().prefix("millrace-ovs-").tempdir()?;
        let at = |name: &str| dir.path().join(name);
        let schema = "/usr/share/openvswitch/vswitch.ovsschema";
        run(daemon::program("ovsdb-tool")?.arg("create").arg(at("conf.db")).arg(schema))?;
        let ovsdb = Daemon::start(
            daemon::program("ovsdb-server")?
                .arg(at("conf.db"))
                .arg(format!("--remote=punix:{}", at("db.sock").display()))
                .arg(format!("--unixctl={}", at("db.ctl").display())),
            &at("ovsdb-server.log"),
        )?;
        ovsdb.wait_for(&at("db.sock"), PATIENCE)?;
        let vsctl = |args: &[&str]| vsctl(&at("db.sock"), args);
        vsctl(&["--no-wait", "init", "--", "set", "Open_vSwitch", ".", &format!("other_config:vlan-limit={limit}")])?;
        let vswitchd = Daemon::start(
            daemon::program("ovs-vswitchd")?
                .env("OVS_RUNDIR", dir.path()) // The bridge's OpenFlow socket goes there.
                .arg(format!("unix:{}", at("db.sock").display()))
                .args(["--enable-dummy", "--disable-system", "--disable-system-route"])
                .arg(format!("--unixctl={}", at("vswitchd.ctl").display())),
            &at("ovs-vswitchd.log"),
        )?;
        vswitchd.wait_for(&at("vswitchd.ctl"), PATIENCE)?;
        vsctl(&bridge_commands(dir.path()).iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut control = Unixctl::connect(&at("vswitchd.ctl"))?;
        control.call("time/stop", &[])?;
        let inputs: std::io::Result<_> =
            PORTS.iter().map(|port| UnixStream::connect(at(&format!("{port}.sock")))).collect();
        let inputs = inputs.context("cannot connect to a dummy port of Open vSwitch")?;
        Ok(Ovs {
            dir,
            inputs,
            control,
            sent: 0,
            seen: vec![0; PORTS.len()],
            details: Vec::new(),
            _vswitchd: vswitchd,
            _ovsdb: ovsdb,
        })
    }

    /// Replaces all flows by those of a flow file, and forgets MAC addresses, cached flows and what came out so far. Gives the version
    /// of OpenFlow that the file was loaded over.
    pub fn load_flows(&mut self, file: &Path) -> Result<&'static str> {
        let target = format!("unix:{}", self.dir.path().join("br0.mgmt").display());
        run(ofctl("OpenFlow15")?.args(["del-flows", &target]))?;
        run(ofctl("OpenFlow15")?.args(["del-groups", &target]))?;
        if let Some(groups) = groups_of(file) {
            run(ofctl("OpenFlow15")?.args(["add-groups", &target]).arg(groups))?;
        }
        // As for ovs-ofctl, OpenFlow 1.0 comes first; flows that it cannot express need a later version, and a file can ask for it.
        let add = |version| run(ofctl(version)?.args(["add-flows", &target]).arg(file));
        let newer = std::fs::read_to_string(file)?.contains("-O OpenFlow15");
        let version = if newer || add("OpenFlow10").is_err() { "OpenFlow15" } else { "OpenFlow10" };
        if version == "OpenFlow15" {
            run(ofctl(version)?.args(["del-flows", &target]))?;
            add(version)?;
        }
        self.control.call("fdb/flush", &["br0"])?;
        self.control.call("revalidator/purge", &[])?;
        for port in 0..PORTS.len() {
            self.seen[port] = self.capture(port)?.len();
        }
        Ok(version)
    }

    /// Hands one frame in and waits until the switch is done with it. Gives the megaflows of the datapath afterwards, in the form of
    /// `dpctl/dump-flows` without their statistics; then empties the datapath, so that the next frame sees the switch's state as it is.
    pub fn frame(&mut self, port: usize, frame: &[u8]) -> Result<BTreeSet<String>> {
        let length = u16::try_from(frame.len()).context("frame too long for a dummy port")?.to_be_bytes();
        self.inputs[port].write_all(&[&length[..], frame].concat())?;
        self.sent += 1;
        let deadline = Instant::now() + PATIENCE;
        while self.received()? < self.sent {
            ensure!(Instant::now() < deadline, "Open vSwitch did not take a frame of {} bytes", frame.len());
        }
        let flows = self.control.call("dpctl/dump-flows", &[])?;
        let details = self.control.call("dpctl/dump-flows", &["-m"])?;
        self.details = details.lines().filter(|line| line.contains("in_port(")).map(str::to_owned).collect();
        self.control.call("revalidator/purge", &[])?;
        Ok(flows.lines().filter_map(megaflow).collect())
    }

    /// The megaflows that there were after the last [`Self::frame`], in the form of `dpctl/dump-flows -m`.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// What `ofproto/trace` says of a frame. As with the frame itself, stations are learned.
    pub fn trace(&mut self, port: usize, frame: &[u8]) -> Result<String> {
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        self.control.call("ofproto/trace", &["br0", &format!("in_port={}", port + 1), &hex])
    }

    /// The datapath's number of each port.
    pub fn datapath_ports(&mut self) -> Result<BTreeMap<u32, String>> {
        let shown = self.control.call("dpctl/show", &[])?;
        let port = |line: &str| {
            let (number, rest) = line.trim().strip_prefix("port ")?.split_once(": ")?;
            Some((number.parse().ok()?, rest.split(' ').next()?.to_owned()))
        };
        Ok(shown.lines().filter_map(port).collect())
    }

    /// Lets `seconds` go by for everything in the switch that has a timeout.
    pub fn warp(&mut self, seconds: u64) -> Result<()> {
        if seconds == 0 {
            return Ok(());
        }
        self.control.call("time/warp", &[&(seconds * 1000).to_string(), "1000"])?;
        Ok(())
    }

    /// What came out of every port since [`Ovs::load_flows`].
    pub fn output(&self) -> Result<Vec<Frames>> {
        (0..PORTS.len()).map(|port| Ok(self.capture(port)?.split_off(self.seen[port]))).collect()
    }

    /// The flows of the bridge as `ovs-ofctl dump-flows` shows them over a version of OpenFlow; an error if that cannot express them.
    pub fn dump_flows(&self, version: &str, options: &[&str]) -> Result<String> {
        let target = format!("unix:{}", self.dir.path().join("br0.mgmt").display());
        let dump = run(ofctl(version)?.args(options).args(["dump-flows", &target]))?;
        ensure!(!dump.contains("***decode error"), "{version} cannot express the flows");
        Ok(dump)
    }

    /// Frames that the datapath has dealt with since the start.
    fn received(&mut self) -> Result<u64> {
        let stats = self.control.call("dpif-netdev/pmd-stats-show", &[])?;
        let line = stats.lines().find_map(|l| l.trim().strip_prefix("packets received:"));
        Ok(line.context("no count of packets in Open vSwitch's statistics")?.trim().parse()?)
    }

    fn capture(&self, port: usize) -> Result<Frames> {
        let path = self.dir.path().join(format!("{}.pcap", PORTS[port]));
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        read_capture(&bytes).with_context(|| format!("{} is cut short", path.display()))
    }
}

/// Frames of a capture that this machine's Open vSwitch wrote: it says `snaplen` 1,518 and writes longer frames all the same, which
/// readers of captures refuse.
fn read_capture(bytes: &[u8]) -> Option<Frames> {
    const FILE_HEADER: usize = 24;
    const RECORD_HEADER: usize = 16;
    let mut rest = bytes.get(FILE_HEADER..)?;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let captured = u32::from_ne_bytes(rest.get(8..12)?.try_into().ok()?) as usize;
        frames.push(rest.get(RECORD_HEADER..RECORD_HEADER + captured)?.to_vec());
        rest = &rest[RECORD_HEADER + captured..];
    }
    Some(frames)
}

/// A line of `dpctl/dump-flows` up to its statistics.
fn megaflow(line: &str) -> Option<String> {
    line.split(", packets:").next().filter(|f| f.contains("in_port(")).map(str::to_owned)
}

/// Arguments of `ovs-vsctl` that make the bridge and its ports.
fn bridge_commands(dir: &Path) -> Vec<String> {
    let mut args: Vec<String> =
        ["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail-mode=secure"]
            .into_iter()
            .map(str::to_owned)
            .collect();
    args.push("protocols=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15".to_owned());
    for (i, port) in PORTS.iter().enumerate() {
        let at = |suffix: &str| dir.join(format!("{port}.{suffix}")).display().to_string();
        args.extend(["--", "add-port", "br0", port, "--", "set", "interface", port, "type=dummy"].map(str::to_owned));
        args.push(format!("ofport_request={}", i + 1));
        args.push("mtu_request=9216".to_owned());
        args.push(format!("options:pstream=punix:{}", at("sock")));
        args.push(format!("options:tx_pcap={}", at("pcap")));
    }
    args
}

/// The file of the groups that a flow file speaks of, if there is one beside it.
pub fn groups_of(flows: &Path) -> Option<PathBuf> {
    Some(flows.with_extension("groups")).filter(|file| file.is_file())
}

/// The groups that a flow file speaks of, as Millrace reads them.
pub fn groups_beside(flows: &Path) -> Result<Groups> {
    let Some(file) = groups_of(flows) else { return Ok(Groups::default()) };
    Ok(parse_group_file(&file.display().to_string(), &std::fs::read_to_string(&file)?, Ports::sim())?)
}

/// `ovs-ofctl` that speaks these versions of OpenFlow.
fn ofctl(versions: &str) -> Result<Command> {
    let mut command = daemon::program("ovs-ofctl")?;
    command.args(["-O", versions]);
    Ok(command)
}

/// What `ovs-ofctl parse-flows` makes of a flow file: one line for each flow, or the error it prints.
pub fn parse_flows(file: &Path) -> Result<std::result::Result<Vec<String>, String>> {
    let output = ofctl("OpenFlow10,OpenFlow15")?.arg("parse-flows").arg(file).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(Ok(printed.lines().filter_map(|l| l.split_once(": ADD ").map(|(_, flow)| flow.to_owned())).collect()))
}

fn vsctl(db: &Path, args: &[&str]) -> Result<()> {
    let db = format!("--db=unix:{}", db.display());
    run(daemon::program("ovs-vsctl")?.arg(db).arg("--timeout=20").args(args)).map(|_| ())
}

/// Runs a command to its end; what it printed, or an error with that.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        let program = Path::new(command.get_program()).file_name().unwrap_or_default();
        bail!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where the flow files of the scenarios are.
pub fn scenario_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}
