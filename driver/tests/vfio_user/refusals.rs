// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sockets behind which is not what is wanted.

use crate::server::{Served, config_space};
use millrace_driver::vfio_user::{VfioUserDpu, VfioUserNet};
use millrace_driver::virtio::Settings;
use millrace_vfio_user::{Client, DeviceInfo, Function, Server, Space};
use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use std::os::unix::net::UnixListener;
use std::sync::mpsc::channel;
use std::thread::spawn;
use tempfile::TempDir;

/// A function of which there is only the configuration space, and whether its client has gone.
struct Config([u8; 256], bool);

impl Function for Config {
    fn read(&mut self, space: Space, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        match space {
            Space::Config => data.copy_from_slice(&self.0[offset as usize..][..data.len()]),
            Space::Bar(_) => data.fill(0xff),
        }
        Ok(())
    }

    fn write(&mut self, _: Space, _: u64, _: &[u8]) -> Result<(), Errno> {
        Ok(())
    }

    fn reset(&mut self) {
        self.1 = true;
    }
}

/// What the driver says to a function with this configuration space and BARs.
fn refusal(config: [u8; 256], bars: [u64; 6], ecpf: bool) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let (ready, is_ready) = channel();
    let its_path = path.clone();
    let thread = spawn(move || {
        let info = DeviceInfo { config_bytes: 256, bars, msix_vectors: 64 };
        let mut server = Server::bind(its_path, info).unwrap();
        ready.send(()).unwrap();
        let mut function = Config(config, false);
        while !function.1 {
            poll(&mut server.descriptors(), PollTimeout::NONE).unwrap();
            server.turn(&mut function).unwrap();
        }
    });
    is_ready.recv().unwrap();
    let error = if ecpf {
        VfioUserDpu::connect(&path).err().unwrap()
    } else {
        VfioUserNet::connect(&path, Settings::default()).err().unwrap()
    };
    thread.join().unwrap();
    error.to_string().replace(&format!("{}: ", path.display()), "")
}

#[test]
fn other_functions_are_refused_with_what_they_are() {
    let block = [1 << 24, 0, 0, 0, 0, 0];
    let ecpf = [1 << 24, 0, 1 << 16, 0, 0, 0];
    let mut nic = config_space(0x100e);
    nic[..2].copy_from_slice(&0x8086u16.to_le_bytes());
    assert!(refusal(nic, block, false).starts_with("this is PCI device 8086:100e, not a function of Millrace"));
    assert_eq!(refusal(config_space(0x10f0), ecpf, false), "this is the ECPF, not a PF or VF");
    assert_eq!(refusal(config_space(0x1041), block, true), "this is a PF or VF, not the ECPF");
    assert!(
        refusal(config_space(0x1041), ecpf.map(|bytes| bytes / 2), false)
            .starts_with("not a function of Millrace: BAR 0")
    );
    assert_eq!(refusal(config_space(0x10f0), ecpf, true), "this ECPF has 65535 virtqueues");
    // A function whose registers do not answer is not waited for.
    assert_eq!(
        refusal(config_space(0x1041), block, false),
        "the function does not answer: all bits of its registers read as 1"
    );
}

#[test]
fn who_is_no_server_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let connect = || VfioUserNet::connect(&path, Settings::default()).err().unwrap().to_string();
    assert!(connect().contains("cannot connect: No such file or directory"), "{}", connect());
    let listener = UnixListener::bind(&path).unwrap();
    let thread = spawn(move || drop(listener.accept().unwrap()));
    let error = connect();
    assert!(error.contains("the connection was closed at once"), "{error}");
    thread.join().unwrap();
}

#[test]
fn a_function_has_one_driver() {
    let served = Served::start();
    let _first = VfioUserDpu::connect(&served.path("ecpf")).unwrap();
    let error = VfioUserDpu::connect(&served.path("ecpf")).err().unwrap().to_string();
    assert!(error.contains("the function has another client"), "{error}");
}

#[test]
fn a_client_has_hung_up_though_its_socket_is_held_elsewhere() {
    let served = Served::start();
    let path = served.path("f1");
    let first = Client::connect(&path).unwrap();
    // As by a process that is just being started.
    let held = first.descriptor().try_clone_to_owned().unwrap();
    drop(first);
    Client::connect(&path).unwrap();
    drop(held);
}
