// SPDX-License-Identifier: MIT OR Apache-2.0
//! All `unsafe` code of this crate: the C entry points of the Verilated models, and the requests to the kernel that have
//! no safe wrapper.
//!
//! # Why this is sound
//! - An [`Entry`] is the table that `build/shim.rs` writes; [`Port`] and [`Entry`] repeat its layout.
//! - A [`Model`] owns its instance: it is made in [`Model::new`], freed in `drop`, and cannot be copied. What `eval`
//!   and tracing use belongs to the instance (each has a `VerilatedContext` of its own), so it may move to another thread;
//!   `&mut` keeps two threads from using it at once.
//! - The storage of a port lives as long as the instance, at a fixed place, and is only touched by `eval` (which takes
//!   `&mut self`) and through references that borrow the model. Its size follows from its width, as Verilator's manual
//!   defines it: 8, 16, 32, 64 bits, or an array of 32-bit words.
//! - A [`Pin`] is an index that is checked at each use: one of another model reads another pin and nothing worse.

use millrace_regs::config::Preset;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

/// Layout of the shim's `Port`.
#[repr(C)]
struct Port {
    name: *const c_char,
    bits: u32,
    input: u32,
    storage: *mut c_void,
}

/// Layout of the shim's `MillraceEntry`.
#[repr(C)]
struct Entry {
    create: unsafe extern "C" fn() -> *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
    ports: unsafe extern "C" fn(*mut c_void, *mut usize) -> *const Port,
    eval: unsafe extern "C" fn(*mut c_void),
    trace_open: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    trace_dump: unsafe extern "C" fn(*mut c_void, u64),
    trace_close: unsafe extern "C" fn(*mut c_void),
}

include!(concat!(env!("OUT_DIR"), "/models.rs"));

/// A pin of a model: see [`Model::pin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin(usize);

/// An instance of a Verilated model.
pub struct Model {
    entry: &'static Entry,
    instance: NonNull<c_void>,
    ports: Vec<PinInfo>,
}

struct PinInfo {
    name: String,
    bits: usize,
    input: bool,
    storage: NonNull<c_void>,
}

// SAFETY: see the module's documentation.
unsafe impl Send for Model {}

impl Model {
    /// A new instance in its power-on state; none if this preset is not linked in.
    pub fn new(preset: Preset) -> Option<Self> {
        let entry = entry(preset)?;
        // SAFETY: `create` has no preconditions and returns an instance that is ours.
        let instance = NonNull::new(unsafe { (entry.create)() })?;
        let mut count = 0;
        // SAFETY: `ports` returns an array of `count` rows that lives as long as the instance and is never written.
        let rows = unsafe {
            let first = (entry.ports)(instance.as_ptr(), &mut count);
            std::slice::from_raw_parts(first, count)
        };
        let ports = rows
            .iter()
            .map(|port| PinInfo {
                // SAFETY: the names are string literals of the shim.
                name: unsafe { CStr::from_ptr(port.name) }.to_string_lossy().into_owned(),
                bits: port.bits as usize,
                input: port.input != 0,
                storage: NonNull::new(port.storage).expect("a port has storage"),
            })
            .collect();
        Some(Self { entry, instance, ports })
    }

    /// The pin called `name`, if there is one with that direction and width.
    pub fn pin(&self, name: &str, input: bool, bits: usize) -> Option<Pin> {
        self.ports.iter().position(|p| p.name == name && p.input == input && p.bits == bits).map(Pin)
    }

    /// Brings the outputs, and with a clock's edge the registers, in line with the inputs.
    pub fn eval(&mut self) {
        // SAFETY: the instance is alive and `&mut self` says that nobody else uses it.
        unsafe { (self.entry.eval)(self.instance.as_ptr()) }
    }

    /// Value of a pin of up to 8 bits.
    #[inline]
    pub fn byte(&self, pin: Pin) -> u8 {
        let port = &self.ports[pin.0];
        assert!(port.bits <= 8);
        // SAFETY: storage of one byte, alive and not written while `self` is borrowed.
        unsafe { port.storage.cast::<u8>().read() }
    }

    /// Sets an input of up to 8 bits.
    #[inline]
    pub fn set_byte(&mut self, pin: Pin, value: u8) {
        let port = &self.ports[pin.0];
        assert!(port.bits <= 8 && port.input);
        // SAFETY: storage of one byte, alive and exclusively ours.
        unsafe { port.storage.cast::<u8>().write(value) }
    }

    /// Value of a pin of up to 64 bits.
    pub fn value(&self, pin: Pin) -> u64 {
        let port = &self.ports[pin.0];
        // SAFETY: storage of the size that belongs to the width, alive and not written while `self` is borrowed.
        unsafe {
            match port.bits {
                0..=8 => port.storage.cast::<u8>().read().into(),
                9..=16 => port.storage.cast::<u16>().read().into(),
                17..=32 => port.storage.cast::<u32>().read().into(),
                33..=64 => port.storage.cast::<u64>().read(),
                bits => panic!("a pin of {bits} bits is no number"),
            }
        }
    }

    /// Sets an input of up to 64 bits; bits past its width must be 0.
    pub fn set_value(&mut self, pin: Pin, value: u64) {
        let port = &self.ports[pin.0];
        assert!(port.input && (port.bits >= 64 || value >> port.bits == 0));
        // SAFETY: storage of the size that belongs to the width, alive and exclusively ours.
        unsafe {
            match port.bits {
                0..=8 => port.storage.cast::<u8>().write(value as u8),
                9..=16 => port.storage.cast::<u16>().write(value as u16),
                17..=32 => port.storage.cast::<u32>().write(value as u32),
                33..=64 => port.storage.cast::<u64>().write(value),
                bits => panic!("a pin of {bits} bits is no number"),
            }
        }
    }

    /// A pin of more than 64 bits in words of 32, least significant first.
    #[inline]
    pub fn words(&self, pin: Pin) -> &[u32] {
        let port = &self.ports[pin.0];
        assert!(port.bits > 64);
        // SAFETY: an array of that many words, alive and not written while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(port.storage.cast::<u32>().as_ptr(), port.bits.div_ceil(32)) }
    }

    /// An input of more than 64 bits; bits past its width must stay 0.
    #[inline]
    pub fn words_mut(&mut self, pin: Pin) -> &mut [u32] {
        let port = &self.ports[pin.0];
        assert!(port.bits > 64 && port.input);
        // SAFETY: an array of that many words, alive and exclusively ours.
        unsafe { std::slice::from_raw_parts_mut(port.storage.cast::<u32>().as_ptr(), port.bits.div_ceil(32)) }
    }

    /// Starts a waveform file (FST) with all signals; false if the file cannot be made.
    pub fn trace_open(&mut self, path: &Path) -> bool {
        let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
        // SAFETY: the instance is ours, the path is a C string that outlives the call.
        unsafe { (self.entry.trace_open)(self.instance.as_ptr(), path.as_ptr()) != 0 }
    }

    /// Adds the state at `time` (ns, rising from call to call) to the waveform, if there is one.
    pub fn trace_dump(&mut self, time: u64) {
        // SAFETY: the instance is ours.
        unsafe { (self.entry.trace_dump)(self.instance.as_ptr(), time) }
    }

    /// Completes the waveform file.
    pub fn trace_close(&mut self) {
        // SAFETY: the instance is ours.
        unsafe { (self.entry.trace_close)(self.instance.as_ptr()) }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: made by `create`, destroyed only here; it completes an open waveform file.
        unsafe { (self.entry.destroy)(self.instance.as_ptr()) }
    }
}

/// An interface's name as the kernel takes it.
pub struct InterfaceName([c_char; libc::IFNAMSIZ]);

impl InterfaceName {
    /// Refuses what no interface can be called.
    pub fn new(name: &str) -> io::Result<Self> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() >= libc::IFNAMSIZ || bytes.contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an interface's name has 1 to 15 bytes"));
        }
        let mut padded = [0; libc::IFNAMSIZ];
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = *from as c_char;
        }
        Ok(Self(padded))
    }
}

/// Whether TAP devices of this kernel can have a `struct virtio_net_hdr` before each frame. `file`: `/dev/net/tun`.
pub fn has_tap_headers(file: &impl AsRawFd) -> io::Result<bool> {
    let mut flags: c_int = 0;
    // SAFETY: TUNGETFEATURES writes one `int`, which outlives the call.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNGETFEATURES, &mut flags) })?;
    Ok(flags & libc::IFF_VNET_HDR != 0)
}

/// Makes the open `/dev/net/tun` a TAP device called `name`, with a header before the frames or without, and all offloads off.
pub fn attach_tap(file: &impl AsRawFd, name: &InterfaceName, headers: bool) -> io::Result<()> {
    // SAFETY: a structure of plain numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name = name.0;
    let header = if headers { libc::IFF_VNET_HDR } else { 0 };
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | header) as i16;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which outlives the call.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &mut request) })?;
    set_tap_offloads(file, 0)
}

/// Sets what a TAP device leaves to who reads its frames: `TUN_F_…` of `linux/if_tun.h`.
pub fn set_tap_offloads(file: &impl AsRawFd, offloads: u32) -> io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes a number, not a pointer.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(offloads)) })
}

/// Sets the bytes of the header before each frame of a TAP device, whose numbers are little-endian from then on, as virtio 1 has them.
pub fn set_tap_header(file: &impl AsRawFd, bytes: usize) -> io::Result<()> {
    for (request, value) in [(libc::TUNSETVNETHDRSZ, bytes as c_int), (libc::TUNSETVNETLE, 1)] {
        // SAFETY: both read one `int`, which outlives the call.
        check(unsafe { libc::ioctl(file.as_raw_fd(), request, &value) })?;
    }
    Ok(())
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
