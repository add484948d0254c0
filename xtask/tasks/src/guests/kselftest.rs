// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's own tests of network drivers (`tools/testing/selftests/drivers/net`), on a newer kernel than other guests have: that of
//! the tests. They run on `vf0`; `vf1`, in a network namespace, is the remote endpoint.

use super::bench::Bench;
use super::guest::{Guest, Machine, OWN_TIME, WITH_IPV6};
use super::initramfs::{self, Contents};
use super::install::{Group, Install, remove};
use super::network::Network;
use super::scenarios::{Outcome, SWITCH};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use xtask::run;

/// Which cases pass, and why the others do not.
const PAGE: &str = include_str!("../../../../docs/kselftest.md");

/// The kernel and its source are of the same release of the backports.
const LINUX: Group = Group {
    name: "kselftest",
    packages: &[
        ("linux-image-cloud-amd64", "the kernel that the kernel's tests belong to"),
        ("linux-source", "the kernel's own tests of drivers"),
        ("python3-minimal", "runs the kernel's tests"),
        ("python3-yaml", "reads what the kernel's tests know of netlink"),
        ("bash", "the shell that the kernel's tests ask for"),
        ("iproute2", "sets up what the kernel's tests need"),
        ("socat", "the other end of the kernel's tests"),
        ("ethtool", "what the kernel's tests ask of a driver"),
        ("iputils-ping", "ping of the guest"),
        ("iperf3", "TCP traffic of the guest"),
        ("busybox-static", "the guest's shell and tools"),
    ],
    spared: &["adduser", "base-files", "binutils", "debianutils", "initramfs-tools", "kmod", "linux-base", "xz-utils"],
};
/// Programs and libraries that the tests load, beside those of all guests.
const INSTALLED: [&str; 7] = [
    "usr/bin/python3",
    "usr/bin/bash",
    "usr/bin/ip",
    "usr/sbin/tc",
    "usr/bin/socat",
    "usr/lib/python3.13/lib-dynload/_ctypes.cpython-313-x86_64-linux-gnu.so",
    "usr/lib/python3/dist-packages/yaml/_yaml.cpython-313-x86_64-linux-gnu.so",
];

/// The driver, and what `reconfig_tx_stall` asks `tc` for.
const MODULES: [&str; 6] = ["virtio_net", "sch_fq", "sch_ingress", "cls_flower", "cls_matchall", "act_skbedit"];

/// What of the source is kept.
const KEPT: [&str; 7] = [
    "*/Documentation/netlink/specs",
    "*/tools/net/ynl/pyynl",
    "*/tools/testing/selftests/drivers/net/lib",
    "*/tools/testing/selftests/drivers/net/hw",
    "*/tools/testing/selftests/drivers/net/*.py",
    "*/tools/testing/selftests/net/lib",
    "*/tools/testing/selftests/kselftest.h",
];
/// Programs that the tests start, below [`SELFTESTS`].
const COMPILED: [&str; 2] = ["net/lib/csum", "net/lib/xdp_helper"];
const SELFTESTS: &str = "tools/testing/selftests";
/// Of the guest: the tests find their parts relative to themselves.
const TREE: &str = "linux";
/// What `ringparam` provokes: it halves the number of a ring's entries until the driver refuses.
const PROVOKED: [&str; 2] = ["resize rx fail: rx queue index: 0 err: -22", "cannot be smaller than"];
/// A test of many cases, on a busy machine.
const LIMIT: Duration = Duration::from_secs(900);
/// Python, its libraries and what it makes of them.
const MEMORY: u32 = 768;

/// Each test of the page.
pub fn kselftest(bench: &Bench) -> Result<Outcome> {
    let expected = expected(PAGE)?;
    let install = Install::ensure_apart(&LINUX)?;
    let tree = tests(&install)?;
    let initramfs = bench.sockets().join("initramfs");
    let libraries = [install.path("usr/lib/python3.13"), install.path("usr/lib/python3")];
    let contents = Contents {
        modules: &MODULES,
        installed: &INSTALLED,
        folders: &[(&tree, TREE), (&libraries[0], "usr/lib/python3.13"), (&libraries[1], "usr/lib/python3")],
        // They ask for the shell, and do not mean that of busybox, which has an `ip` of its own.
        links: &[("bin/sh", "/usr/bin/bash")],
        ..Contents::STOCK
    };
    initramfs::write(&install, &contents, &initramfs)?;
    let network = Network::start(bench, SWITCH, &["--mtu".into(), "9000".into()])?;
    let machine = Machine {
        command_line: WITH_IPV6,
        memory: MEMORY,
        time: OWN_TIME,
        provoked: &PROVOKED,
        ..Machine::stock(&install, &initramfs)
    };
    let nics = [network.nic("vf0"), network.nic("vf1")];
    let mut guest = Guest::start_as(bench, "kselftest", &machine, &nics)?;
    guest.wait_until_ready()?;
    endpoints(&mut guest)?;
    let mut found = Verdicts::new();
    for test in scripts(&expected) {
        let said = run_test(&mut guest, &test)?;
        let name = Path::new(&test).file_stem().expect("it is a file").display().to_string();
        fs::write(bench.log(&format!("{name}.log")), &said)?;
        let verdicts = verdicts(&said);
        ensure!(!verdicts.is_empty(), "{test} does not run:\n{}", said.trim_end());
        found.extend(verdicts.into_iter().map(|(case, verdict)| ((test.clone(), case), verdict)));
    }
    bench.finish(network, [guest])?;
    let differences = differences(&expected, &found);
    ensure!(differences.is_empty(), "not as docs/kselftest.md says: {}", differences.join("; "));
    let count = |verdict| found.values().filter(|other| **other == verdict).count();
    let [passed, failed, skipped] = [Verdict::Passes, Verdict::Fails, Verdict::Skipped].map(count);
    Ok(Outcome::Passed(format!("{passed} cases pass, {failed} fail and {skipped} are skipped, as they should")))
}

/// The tests out of the kernel's source, and the programs that they start: a folder laid out as the source.
fn tests(install: &Install) -> Result<PathBuf> {
    let tree = install.path("usr/src/tests");
    let whole = install.path("usr/src/tests.whole");
    if !whole.is_file() {
        unpack(install, &tree)?;
        fs::write(&whole, "")?;
    }
    let selftests = tree.join(SELFTESTS);
    for program in COMPILED.into_iter().filter(|program| !selftests.join(program).is_file()) {
        let mut compile = run::command("cc");
        compile.args(["-O2", "-static", "-I.", "-o", program, &format!("{program}.c")]).current_dir(&selftests);
        run::checked(compile)?;
    }
    Ok(tree)
}

/// What is kept of the kernel's source. The rest is of no more use.
fn unpack(install: &Install, tree: &Path) -> Result<()> {
    remove(tree)?;
    fs::create_dir_all(tree).with_context(|| format!("cannot make {}", tree.display()))?;
    let source = install.path("usr/src");
    let mut files = fs::read_dir(&source)?.filter_map(|entry| Some(entry.ok()?.path()));
    let archive = files.find(|path| path.to_string_lossy().ends_with(".tar.xz"));
    let archive = archive.with_context(|| format!("no source of the kernel in {}", source.display()))?;
    eprintln!("setup: taking the kernel's tests out of {}", archive.display());
    let mut unpack = install.busybox("xzcat").arg(&archive).stdout(Stdio::piped()).spawn()?;
    let mut pick = run::command("tar");
    pick.args(["-x", "--strip-components=1", "--wildcards", "-C"]).arg(tree).args(KEPT);
    pick.stdin(unpack.stdout.take().expect("it is piped"));
    let picked = run::checked(pick);
    let unpacked = unpack.wait()?;
    picked?;
    ensure!(unpacked.success(), "cannot unpack {}", archive.display());
    remove(&archive)
}

/// Gives the functions addresses, and `vf1` a namespace of its own.
fn endpoints(guest: &mut Guest) -> Result<()> {
    const IP: &str = "/usr/bin/ip";
    guest.run(&format!("modprobe -a {}", MODULES.join(" ")))?;
    guest.run("mkdir -p /run/netns /var && ln -s /run /var/run")?;
    // `csum` receives a hundred packets at once, with more bytes around them than a socket takes at first.
    guest.run("echo 4194304 >/proc/sys/net/core/rmem_default")?;
    // Tests take the interface down and up again.
    guest.run("echo 1 >/proc/sys/net/ipv6/conf/all/keep_addr_on_down")?;
    guest.run(&format!("{IP} netns add remote && {IP} link set eth1 netns remote"))?;
    for (ip, interface, host) in [(IP.to_owned(), "eth0", 1), (format!("{IP} -n remote"), "eth1", 2)] {
        guest.run(&format!("{ip} address add 10.0.0.{host}/24 dev {interface}"))?;
        guest.run(&format!("{ip} address add fd00::{host}/64 dev {interface} nodad"))?;
        guest.run(&format!("{ip} link set {interface} mtu 1500 up && {ip} link set lo up"))?;
    }
    guest.run("until grep -q 1 /sys/class/net/eth0/carrier; do usleep 20000; done").context("the link stays down")?;
    guest.run("/usr/sbin/ethtool --set-channels eth0 combined 2").map(drop)
}

/// Runs a test; what it says.
fn run_test(guest: &mut Guest, test: &str) -> Result<String> {
    let (folder, file) = test.rsplit_once('/').unwrap_or((".", test));
    let settings = "PATH=/usr/bin:/usr/sbin:/bin NETIF=eth0 LOCAL_V4=10.0.0.1 REMOTE_V4=10.0.0.2 \
                    LOCAL_V6=fd00::1 REMOTE_V6=fd00::2 REMOTE_TYPE=netns REMOTE_ARGS=remote";
    let command = format!(
        "cd /{TREE}/{SELFTESTS}/drivers/net/{folder} && {settings} timeout -s KILL {} python3 {file}",
        LIMIT.as_secs()
    );
    // Its exit code says no more than its output.
    Ok(guest.attempt_for(&command, 2 * LIMIT)?.output)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passes,
    Fails,
    Skipped,
    /// Of the page: passes or fails, as fast as the host is.
    Varies,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Verdict::Passes => "passes",
            Verdict::Fails => "fails",
            Verdict::Skipped => "skipped",
            Verdict::Varies => "varies",
        })
    }
}

/// What comes of the cases of tests: by the test's file, below `drivers/net`, and the case's name.
type Verdicts = BTreeMap<(String, String), Verdict>;

/// Those of a page: rows `test | cases | verdict | why` of a table.
fn expected(page: &str) -> Result<Verdicts> {
    let mut expected = Verdicts::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, test, cases, verdict, ..] = columns[..] else { bail!("no row of verdicts: {line}") };
        let all = [Verdict::Passes, Verdict::Fails, Verdict::Skipped, Verdict::Varies];
        let verdict = all.into_iter().find(|known| known.to_string() == verdict);
        let verdict = verdict.with_context(|| format!("no verdict: {line}"))?;
        for case in cases.split(", ") {
            let key = (test.trim_matches('`').to_owned(), case.trim_matches('`').to_owned());
            ensure!(expected.insert(key, verdict).is_none(), "{case} of {test} is there twice");
        }
    }
    Ok(expected)
}

/// The tests that have verdicts.
fn scripts(verdicts: &Verdicts) -> Vec<String> {
    let mut scripts: Vec<String> = verdicts.keys().map(|(test, _)| test.clone()).collect();
    scripts.dedup();
    scripts
}

/// Those that a test prints (Test Anything Protocol): `ok 1 csum.ipv4_rx_tcp # SKIP reason`.
fn verdicts(said: &str) -> Vec<(String, Verdict)> {
    let verdict = |line: &str| {
        let (passes, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (false, rest),
            None => (true, line.strip_prefix("ok ")?),
        };
        let (name, comment) = rest.split_once(" # ").unwrap_or((rest, ""));
        let (_, case) = name.split_once(' ')?.1.split_once('.')?;
        let skipped = comment.starts_with("SKIP") || comment.starts_with("XFAIL");
        let verdict = if skipped {
            Verdict::Skipped
        } else if passes {
            Verdict::Passes
        } else {
            Verdict::Fails
        };
        Some((case.to_owned(), verdict))
    };
    said.lines().filter_map(verdict).collect()
}

/// Where what was found is not what was expected, for people.
fn differences(expected: &Verdicts, found: &Verdicts) -> Vec<String> {
    let told = |verdict: Option<&Verdict>| verdict.map_or("is not there".to_owned(), Verdict::to_string);
    let mut all: Vec<_> = expected.keys().chain(found.keys()).collect();
    all.sort();
    all.dedup();
    let agree = |expected: Option<&Verdict>, found: Option<&Verdict>| match expected {
        Some(Verdict::Varies) => matches!(found, Some(Verdict::Passes | Verdict::Fails)),
        _ => expected == found,
    };
    let differs = all.into_iter().filter(|key| !agree(expected.get(*key), found.get(*key)));
    let text = |key: &(String, String)| {
        format!("{} of {}: {}, there: {}", key.1, key.0, told(found.get(key)), told(expected.get(key)))
    };
    differs.map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_verdict_of_each_case() {
        let expected = expected(PAGE).unwrap();
        assert_eq!(expected[&("hw/csum.py".to_owned(), "ipv6_rx_udp".to_owned())], Verdict::Passes);
        assert!(super::expected("| `a.py` | `b` | maybe | |").is_err());
        assert!(super::expected("| `a.py` | `b`, `b` | fails | |").is_err());
    }

    #[test]
    fn a_change_in_either_direction_is_a_difference() {
        let said =
            "TAP version 13\n1..4\n# Check failed 0 < 1\nnot ok 1 irq.down\nok 2 irq.up # SKIP no\nok 3 irq.on\n";
        let all = verdicts(said);
        assert_eq!(all[0], ("down".to_owned(), Verdict::Fails));
        assert_eq!(all[1..], [("up".to_owned(), Verdict::Skipped), ("on".to_owned(), Verdict::Passes)]);
        let found: Verdicts = all.into_iter().map(|(case, verdict)| (("irq.py".to_owned(), case), verdict)).collect();
        let page = expected("| `irq.py` | `down`, `on` | passes | |\n| `irq.py` | `other` | fails | why |").unwrap();
        let differences = differences(&page, &found);
        assert_eq!(differences.len(), 3, "{differences:?}");
        assert_eq!(differences[0], "down of irq.py: fails, there: passes");
        assert_eq!(differences[1], "other of irq.py: is not there, there: fails");
        let page = expected("| `irq.py` | `down`, `on` | varies | |\n| `irq.py` | `up` | skipped | why |").unwrap();
        assert!(super::differences(&page, &found).is_empty());
    }
}
