// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `millrace os`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(after_help = "\
A card's disk has two slots. `install` writes an image to the one that is not in use, if it is whole and signed with the key that this system trusts; nothing is changed
otherwise. The next start tries it. When the firmware has come up the system says `confirm`; an image that is not confirmed within three starts is given up, and the one
before it is started again.

Exit code 2 means that the image was refused.")]
pub struct OsArgs {
    /// What is to be done.
    #[command(subcommand)]
    pub command: OsCommand,

    /// Boot partition.
    #[arg(long, value_name = "DIR", default_value = "/boot")]
    pub boot: PathBuf,
}

#[derive(Subcommand, Debug)]
pub enum OsCommand {
    /// Show the images in the slots, the newest first.
    Show,
    /// Write an image (`update`, as `cargo xtask dpu-os` makes it) to the slot that is not in use.
    Install {
        /// Image.
        #[arg(value_name = "IMAGE")]
        image: PathBuf,

        /// Public key (Ed25519, PEM) of those whose images are taken.
        #[arg(long, value_name = "FILE", default_value = "/etc/millrace/os.pem")]
        key: PathBuf,
    },
    /// Keep the image that runs: it has come up.
    Confirm,
}
