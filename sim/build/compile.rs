// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiling what Verilator wrote.

use crate::verilator::Sources;
use anyhow::{Context, Result};
use cc::Build;
use std::fs;
use std::path::{Path, PathBuf};

/// Taken if this machine has it (AVX2 and what came with it): 6 % faster than the compiler's default.
const MARCH: &str = "-march=x86-64-v3";

/// Bytes of C++ in a file of files: a few seconds without optimisation.
const JOINED: u64 = 4_000_000;

pub struct Compiler {
    scratch: PathBuf,
    include: PathBuf,
    march: Option<&'static str>,
}

impl Compiler {
    pub fn new(scratch: &Path, include: PathBuf) -> Result<Self> {
        let march =
            host_is_v3() && base(&include, scratch).is_flag_supported(MARCH).context("no C++ compiler works")?;
        Ok(Self { scratch: scratch.to_owned(), include, march: march.then_some(MARCH) })
    }

    /// Whether its atomic operations are calls of a library that is not linked by itself: clang's are.
    pub fn wants_libatomic(&self) -> bool {
        cfg!(target_os = "linux")
            && self.options(&self.scratch, 3).try_get_compiler().is_ok_and(|compiler| compiler.is_like_clang())
    }

    /// What the compiler is and is told, for the cache's key: but not where it works, which differs from build to build.
    pub fn describe(&self) -> Result<String> {
        let tool = self
            .options(&self.scratch, 3)
            .try_get_compiler()
            .context("no C++ compiler is found; `cargo xtask setup` installs one (Debian's package is `g++`)")?;
        let mut command = tool.to_command();
        command.arg("--version");
        let answer = command.output().with_context(|| format!("{} does not start", tool.path().display()))?;
        Ok(format!("{}{:?}", String::from_utf8_lossy(&answer.stdout), tool.args()))
    }

    /// Makes `libLIBRARY.a` of a model and its shim in `folder`; what runs in every cycle at level `optimisation`.
    pub fn compile_model(
        &self,
        library: &str,
        sources: &Sources,
        optimisation: u32,
        shim: &str,
        folder: &Path,
    ) -> Result<()> {
        let shim_file = folder.join("shim.cpp");
        fs::write(&shim_file, shim)?;
        let (trace, slow) = (joined("trace", &sources.trace, folder)?, joined("slow", &sources.slow, folder)?);
        let mut objects = vec![];
        for (optimisation, files) in [(optimisation, &sources.fast), (1, &trace), (0, &slow)] {
            objects.extend(compile(self.build(folder, optimisation).files(files))?);
        }
        objects.extend(compile(self.build(folder, 3).file(&shim_file))?);
        self.build(folder, 3).objects(objects).try_compile(library).context("cannot make the library")
    }

    /// Makes `libLIBRARY.a` of the part that all models share.
    pub fn compile_runtime(&self, library: &str, files: &[PathBuf], folder: &Path) -> Result<()> {
        self.build(folder, 2)
            .files(files)
            .try_compile(library)
            .context("cannot compile Verilator's runtime (it needs zlib's header: Debian's package is `zlib1g-dev`)")
    }

    fn build(&self, folder: &Path, optimisation: u32) -> Build {
        let mut build = self.options(folder, optimisation);
        build.include(folder);
        build
    }

    fn options(&self, folder: &Path, optimisation: u32) -> Build {
        let mut build = base(&self.include, folder);
        build.opt_level(optimisation);
        if let Some(march) = self.march {
            build.flag(march);
        }
        build
    }
}

/// Files `NAME_N.cpp` that include others, up to [`JOINED`] bytes. Reading the declarations takes a second for each file that is compiled: half of the
/// time of those with little or no optimisation.
fn joined(name: &str, files: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    let mut units: Vec<(u64, String)> = vec![];
    for file in files {
        let size = fs::metadata(file).with_context(|| format!("Verilator wrote no {}", file.display()))?.len();
        let line = format!("#include \"{}\"\n", file.display());
        match units.last_mut() {
            Some((sum, text)) if *sum + size <= JOINED => {
                *sum += size;
                *text += &line;
            }
            _ => units.push((size, line)),
        }
    }
    let write = |(number, (_, text)): (usize, (u64, String))| -> Result<PathBuf> {
        let unit = folder.join(format!("{name}_{number}.cpp"));
        fs::write(&unit, text)?;
        Ok(unit)
    };
    units.into_iter().enumerate().map(write).collect()
}

fn compile(build: &Build) -> Result<Vec<PathBuf>> {
    build.try_compile_intermediates().context("cannot compile what Verilator wrote")
}

/// What all our calls of the compiler have in common, whatever cargo's profile says.
fn base(include: &Path, out: &Path) -> Build {
    let mut build = Build::new();
    build
        .cpp(true)
        .std("c++17")
        .debug(false)
        .warnings(false)
        .cargo_metadata(false)
        .out_dir(out)
        .define("VM_TRACE", "1")
        .define("VM_TRACE_FST", "1")
        .define("VM_COVERAGE", "0")
        .define("VL_IGNORE_UNKNOWN_ARCH", None)
        .include(include)
        .include(include.join("vltstd"))
        .flag_if_supported("-fno-strict-aliasing")
        .flag_if_supported("-w");
    build
}

/// Does this machine run code for x86-64-v3?
fn host_is_v3() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has!("avx2") && has!("bmi1") && has!("bmi2") && has!("f16c") && has!("fma") && has!("lzcnt") && has!("movbe")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}
