// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `millrace os`.

use crate::host_link::HostChoice;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Where a card has the key that it trusts.
const KEY: &str = "/etc/millrace/os.pem";

#[derive(Args, Debug)]
#[command(after_help = "\
A card's disk has two slots. `install` writes an image to the one that is not in use, if it is whole and signed with the key that this system trusts; nothing is changed
otherwise. The next start tries it. When the firmware has come up the system says `confirm`; an image that is not confirmed within three starts is given up, and the one
before it is started again. `send` is for the host, all others are for the card.

Exit code 2 means that the image was refused.")]
pub struct OsArgs {
    /// What is to be done.
    #[command(subcommand)]
    pub command: OsCommand,

    /// Boot partition.
    #[arg(long, value_name = "DIR", default_value = "/boot")]
    pub boot: PathBuf,
}

/// Images that the host sends.
#[derive(Args, Debug)]
pub struct ImagesArgs {
    /// Take images of DPU-OS that the host sends from its PF (`millrace os send`), and install those that are signed with the key: `millrace os install`.
    #[arg(long)]
    pub images_from_host: bool,

    /// Public key (Ed25519, PEM) of those whose images are taken.
    #[arg(long, value_name = "FILE", default_value = KEY, requires = "images_from_host")]
    pub image_key: PathBuf,
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
        #[arg(long, value_name = "FILE", default_value = KEY)]
        key: PathBuf,
    },
    /// Keep the image that runs: it has come up.
    Confirm,
    /// On the host: send an image to its card, which installs it if it is signed with the key that the card trusts. The card's firmware has to have been started with
    /// --images-from-host. Prints what the card says.
    Send {
        /// Image.
        #[arg(value_name = "IMAGE")]
        image: PathBuf,

        /// The PF: its network interface (CAP_NET_RAW is needed), or `vfio-user:PATH`, a socket at which another process serves it.
        #[arg(long, value_name = "FUNCTION")]
        via: HostChoice,
    },
}
