// SPDX-License-Identifier: MIT OR Apache-2.0
//! Processors that a card may have.

use clap::ValueEnum;

/// A processor's architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Architecture {
    /// Of 64-bit Arm cores
    #[value(name = "aarch64")]
    Aarch64,
    /// Of 64-bit x86 cores
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
            Self::X86_64 => "x86_64",
        }
    }

    /// What Debian calls it.
    pub fn debian(self) -> &'static str {
        match self {
            Self::Aarch64 => "arm64",
            Self::X86_64 => "amd64",
        }
    }

    /// Rust's target for programs that need no libraries.
    pub fn target(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64-unknown-linux-musl",
            Self::X86_64 => "x86_64-unknown-linux-musl",
        }
    }

    /// How UEFI names it in the files of boot loaders (UEFI 2.10, 3.5.1.1).
    pub fn uefi(self) -> &'static str {
        match self {
            Self::Aarch64 => "aa64",
            Self::X86_64 => "x64",
        }
    }

    /// Words of a kernel's command line for its console, where it would not take the serial line that its firmware tells of.
    pub fn console(self) -> &'static str {
        match self {
            Self::Aarch64 => "",
            Self::X86_64 => "console=tty0 console=ttyS0",
        }
    }
}
