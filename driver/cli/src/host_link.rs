// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host's function, for frames to and from the card: a network interface of this machine, or our own driver on a function that is served.

use crate::error::{BadInput, BadInputExt};
use anyhow::{Context, Result};
use millrace_driver::vfio_user::VfioUserNet;
use millrace_driver::virtio::Settings;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Of a frame that the card sends.
const LONGEST: usize = 1514;
/// The pair of virtqueues in use, and frames that are taken from it at once.
const PAIR: u16 = 0;
const BURST: usize = 64;

/// Which function is the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostChoice {
    /// Its interface, with its stock driver.
    Interface(String),
    /// Its socket, at which another process serves it.
    Served(PathBuf),
}

impl FromStr for HostChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("vfio-user:") {
            Some("") => Err("give `vfio-user:` and a path".into()),
            Some(path) => Ok(Self::Served(path.into())),
            None if text.is_empty() || text.contains('/') => {
                Err("give the name of an interface, or `vfio-user:` and a path".into())
            }
            None => Ok(Self::Interface(text.into())),
        }
    }
}

/// A way for frames.
pub enum HostLink {
    Interface { socket: OwnedFd, address: [u8; 6] },
    Served { net: Box<VfioUserNet>, address: [u8; 6] },
}

impl HostLink {
    /// Opens it.
    pub fn open(choice: &HostChoice) -> Result<Self> {
        match choice {
            HostChoice::Interface(name) => open_interface(name),
            HostChoice::Served(path) => {
                let mut net = VfioUserNet::connect(path, Settings::default()).bad_input()?;
                let address = net.net().config()?.mac.context("the function has no address")?;
                Ok(Self::Served { net: Box::new(net), address })
            }
        }
    }

    /// Its MAC address.
    pub fn address(&self) -> [u8; 6] {
        match self {
            Self::Interface { address, .. } | Self::Served { address, .. } => *address,
        }
    }

    /// Sends a frame, if there is room for it now: who has sent it sends it again if it gets no answer.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        match self {
            Self::Interface { socket, .. } => match send(socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::EINTR) => Ok(()),
                Err(error) => Err(error).context("cannot send"),
            },
            Self::Served { net, .. } => {
                net.net().reclaim(PAIR)?;
                net.net().send(PAIR, [frame])?;
                Ok(())
            }
        }
    }

    /// Hands on the frames that have come.
    pub fn receive(&mut self, mut take: impl FnMut(&[u8])) -> Result<()> {
        match self {
            Self::Interface { socket, .. } => {
                let mut frame = [0; LONGEST];
                loop {
                    match recv(socket.as_raw_fd(), &mut frame, MsgFlags::MSG_DONTWAIT) {
                        Ok(length) => take(&frame[..length]),
                        Err(Errno::EAGAIN) => return Ok(()),
                        Err(Errno::EINTR) => (),
                        Err(error) => return Err(error).context("cannot receive"),
                    }
                }
            }
            Self::Served { net, .. } => {
                net.refresh()?;
                net.net().receive(PAIR, BURST, take)?;
                Ok(())
            }
        }
    }

    /// Waits until a frame comes, but no longer than that.
    pub fn wait(&self, limit: Duration) -> Result<()> {
        let descriptors: Vec<BorrowedFd> = match self {
            Self::Interface { socket, .. } => vec![socket.as_fd()],
            Self::Served { net, .. } => net.descriptors().into(),
        };
        let mut events: Vec<PollFd> = descriptors.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // In whole milliseconds, and a little late rather than too early.
        match poll(&mut events, PollTimeout::try_from(limit.as_millis() + 1).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for frames"),
        }
    }

    /// Ends it.
    pub fn close(self) -> Result<()> {
        match self {
            Self::Interface { .. } => Ok(()),
            Self::Served { net, .. } => Ok(net.stop()?),
        }
    }
}

/// Opens a packet socket at an interface (packet(7)).
fn open_interface(name: &str) -> Result<HostLink> {
    let own = |link: &LinkAddr| link.addr().map(|address| (*link, address));
    let found = getifaddrs().context("cannot list the interfaces")?.filter(|entry| entry.interface_name == name);
    let link = found.filter_map(|entry| entry.address.as_ref().and_then(|address| own(address.as_link_addr()?))).next();
    let (link, address) = link.ok_or_else(|| BadInput(format!("there is no interface {name} of Ethernet")))?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll);
    let socket = socket.with_context(|| format!("cannot send frames at {name} (CAP_NET_RAW is needed)"))?;
    bind(socket.as_raw_fd(), &link).with_context(|| format!("cannot send frames at {name}"))?;
    Ok(HostLink::Interface { socket, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_its_interface_or_its_socket() {
        assert_eq!("eth0".parse(), Ok(HostChoice::Interface("eth0".into())));
        assert_eq!("vfio-user:dpu/pf.sock".parse(), Ok(HostChoice::Served("dpu/pf.sock".into())));
        for text in ["", "vfio-user:", "dpu/pf.sock"] {
            assert!(text.parse::<HostChoice>().unwrap_err().contains("`vfio-user:` and a path"), "{text}");
        }
    }

    #[test]
    fn an_interface_that_there_is_not_is_said() {
        let error = open_interface("no-such-one").err().unwrap();
        assert_eq!(error.to_string(), "there is no interface no-such-one of Ethernet");
    }
}
