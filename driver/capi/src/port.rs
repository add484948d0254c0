// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports: frames of a representor, or of a PF or VF, in buffers that are handed out and taken back.

use crate::backend::{self, Buffers, Control, Name, Opened, Pair, Receiver, Sender};
use crate::device::{Representor, State, millrace_device};
use crate::error::millrace_error::{MILLRACE_E_BUSY, MILLRACE_E_NOT_FOUND};
use crate::error::{Failure, call, count};
use crate::events::{self, Watch};
use crate::handle::{Part, get, put, slice, text};
use crate::options::{Options, millrace_options};
use millrace_driver::vfio_user::Role;
use millrace_driver::virtio::{HEADROOM, OutFrame};
use millrace_regs::UpcallReason;
use std::ffi::{c_char, c_int};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// `reason` of a frame that is no upcall.
const NO_REASON: u8 = 0xff;

/// A port: the representor of a vport, or a PF or VF itself. Its two directions may be used by two threads at once.
pub struct millrace_port {
    receive: Part<Receive>,
    send: Part<Box<dyn Sender>>,
    rest: Part<Rest>,
}

/// The receiveq, and what tells of frames in it.
struct Receive {
    receiver: Box<dyn Receiver>,
    wake: Option<OwnedFd>,
}

/// What is beside the queues.
struct Rest {
    buffers: Arc<dyn Buffers>,
    watch: Option<Watch>,
    of: Of,
}

enum Of {
    /// The representor of this vport.
    Device(&'static millrace_device, usize),
    /// A function of its own.
    Function(Box<dyn Control>, Option<OwnedFd>),
}

impl millrace_port {
    /// Takes all parts: the port is closed. None if it was.
    pub fn take(&self) -> Option<(Pair, PortEnd)> {
        let Receive { receiver, .. } = self.receive.close()?;
        let sender = self.send.close()?;
        let Rest { of, .. } = self.rest.close()?;
        let end = match of {
            Of::Device(device, vport) => PortEnd::Device(device, vport),
            Of::Function(control, _) => PortEnd::Function(control),
        };
        Some((Pair { receiver, sender }, end))
    }
}

/// Where what a closed port had goes.
pub enum PortEnd {
    Device(&'static millrace_device, usize),
    Function(Box<dyn Control>),
}

/// A frame in a buffer of the library.
#[repr(C)]
pub struct millrace_frame {
    /// First byte. A frame that is sent may begin somewhere else in its buffer: up to MILLRACE_HEADROOM bytes before the place at which a buffer is handed out.
    pub data: *mut u8,
    /// Bytes, without FCS.
    pub length: u32,
    /// The library's: number of the buffer.
    pub buffer: u32,
    /// `enum millrace_reason` of a frame that a representor received, 0xff of others. Not looked at when it is sent.
    pub reason: u8,
}

/// Bytes before a frame that may be made part of it.
pub const MILLRACE_HEADROOM: u32 = 64;

const _: () = assert!(
    MILLRACE_HEADROOM as usize + millrace_regs::host::NET_HEADER + millrace_regs::host::ECPF_HEADER <= HEADROOM
);

/// Why the slow path gets a frame.
#[repr(C)]
pub enum millrace_reason {
    /// No rule matched.
    MILLRACE_REASON_MISS = 0,
    /// The parser gave up: no rule was looked for.
    MILLRACE_REASON_PUNT = 1,
    /// A rule says so; the frame has its edits.
    MILLRACE_REASON_ACTION = 2,
}

const _: () = assert!(
    millrace_reason::MILLRACE_REASON_MISS as u8 == UpcallReason::Miss as u8
        && millrace_reason::MILLRACE_REASON_PUNT as u8 == UpcallReason::Punt as u8
        && millrace_reason::MILLRACE_REASON_ACTION as u8 == UpcallReason::Action as u8
);

/// What is told of a port.
#[repr(C)]
pub struct millrace_port_info {
    /// Longest frame that a buffer holds from the place on at which it is handed out.
    pub frame_bytes: u32,
    /// The vport, of a representor; 0xffffffff of a PF or VF.
    pub vport: u32,
    /// Of a PF or VF: its link is up. 1 of a representor.
    pub link_up: u32,
    /// Of a PF or VF: longest payload of a frame, 0 if it is not told.
    pub mtu: u32,
    /// Of a PF or VF: its MAC address, 0 if it is not told.
    pub mac: [u8; 6],
}

/// Opens the representor of a vport: frames that no rule matched there, or that rules hand up, are received, and what is sent leaves at the vport, without a lookup. Its buffers are
/// the device's: a frame of one representor can be sent by another.
///
/// Returns 0, and the handle in `*port`. Errors: ARGUMENT, CLOSED, NOT_FOUND (no such vport), BUSY (it is open), NO_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_representor_open(
    device: *mut millrace_device,
    vport: u32,
    port: *mut *mut millrace_port,
) -> c_int {
    call(|| {
        // SAFETY: the caller's. A handle stays for ever.
        let device: &'static millrace_device = unsafe { get(device, "device") }?;
        if port.is_null() {
            return Err(Failure::null("port"));
        }
        let mut state = device.0.lock()?;
        let handle = open_representor(device, &mut state, vport as usize)?;
        // SAFETY: the caller's.
        unsafe { put(port, "port", std::ptr::from_ref(handle).cast_mut()) }.map(|()| 0)
    })
}

fn open_representor(
    device: &'static millrace_device,
    state: &mut State,
    vport: usize,
) -> Result<&'static millrace_port, Failure> {
    let watch = match state.representors.get(vport) {
        None => return Err(Failure::new(MILLRACE_E_NOT_FOUND, format!("there is no vport {vport}"))),
        Some(Representor::Port(_)) => {
            return Err(Failure::new(MILLRACE_E_BUSY, format!("the representor of vport {vport} is open")));
        }
        Some(Representor::Nobody(_)) => state.watch(vport)?,
    };
    let wake = state.wakes.as_ref().map(|wakes| wakes.receive[vport].try_clone()).transpose();
    let wake = wake.map_err(Failure::no_descriptor)?;
    let place = &mut state.representors[vport];
    // The handle is made first, so that there is one to put into the pair's place.
    let handle: &'static millrace_port = Box::leak(Box::new(millrace_port {
        receive: Part::empty(),
        send: Part::empty(),
        rest: Part::new(Rest { buffers: state.buffers.clone(), watch, of: Of::Device(device, vport) }),
    }));
    let Representor::Nobody(Pair { receiver, sender }) = std::mem::replace(place, Representor::Port(handle)) else {
        unreachable!("it was looked at")
    };
    handle.receive.fill(Receive { receiver, wake });
    handle.send.fill(sender);
    Ok(handle)
}

/// Opens a PF or VF, as a host has it: `vfio-user:SOCKET`, such as that of a VF that `millrace serve` makes, `vfio:ADDRESS`, or `embedded:NAME` of this thread's device. `options` may be NULL.
///
/// Returns 0, and the handle in `*port`. Errors: ARGUMENT, NO_DEVICE, FOREIGN, BUSY, UNSUPPORTED, NO_MEMORY, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_open(
    name: *const c_char,
    options: *const millrace_options,
    port: *mut *mut millrace_port,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let (name, options) = unsafe { (text(name, "name")?, Options::read(options)?) };
        if port.is_null() {
            return Err(Failure::null("port"));
        }
        if options.image.is_some() || options.take_over {
            return Err(Failure::argument("a port has no tables"));
        }
        let Opened { control, buffers, pairs, wakes, .. } =
            backend::open(&Name::parse(name)?, Role::Network, &options)?;
        let Pair { receiver, sender } = pairs.into_iter().next().expect("a pair was asked for");
        let (wake, changes, watch) = match wakes {
            None => (None, None, None),
            Some(mut wakes) => {
                let watch = Watch::new([&wakes.changes].into_iter().chain(&wakes.receive).chain(&wakes.gone))?;
                (Some(wakes.receive.swap_remove(0)), Some(wakes.changes), Some(watch))
            }
        };
        let handle = Box::leak(Box::new(millrace_port {
            receive: Part::new(Receive { receiver, wake }),
            send: Part::new(sender),
            rest: Part::new(Rest { buffers, watch, of: Of::Function(control, changes) }),
        }));
        // SAFETY: the caller's.
        unsafe { put(port, "port", &raw mut *handle) }.map(|()| 0)
    })
}

/// Closes a port. The buffers of a PF or VF are gone with it; those of a representor are the device's. Frames that a closed representor gets are kept for who opens it next, as
/// many as have room.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, DEVICE (then it is closed all the same).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_close(port: *mut millrace_port) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let port = unsafe { get(port, "port") }?;
        let (pair, end) = port.take().ok_or_else(Failure::closed)?;
        match end {
            // A device that was closed meanwhile does not need it any more.
            PortEnd::Device(device, vport) => {
                if let Ok(mut state) = device.0.lock() {
                    state.representors[vport] = Representor::Nobody(pair);
                }
            }
            PortEnd::Function(mut control) => control.stop()?,
        }
        Ok(0)
    })
}

/// What is told of the port, in `*info`.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_info(port: *mut millrace_port, info: *mut millrace_port_info) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let mut rest = unsafe { get(port, "port") }?.rest.lock()?;
        let frame_bytes = rest.buffers.frame_bytes() as u32;
        let value = match &mut rest.of {
            Of::Device(_, vport) => {
                millrace_port_info { frame_bytes, vport: *vport as u32, link_up: 1, mtu: 0, mac: [0; 6] }
            }
            Of::Function(control, _) => {
                let config = control.config()?;
                let (link_up, mtu) = (config.link_up.into(), config.mtu.unwrap_or(0).into());
                millrace_port_info { frame_bytes, vport: u32::MAX, link_up, mtu, mac: config.mac.unwrap_or_default() }
            }
        };
        // SAFETY: the caller's.
        unsafe { put(info, "info", value) }.map(|()| 0)
    })
}

/// Makes sure that the port's function is there and well: to be called when its descriptor is ready and nothing was received, or now and then. What `millrace_port_info` tells of a PF or VF
/// may have changed then. Of a representor it is `millrace_device_check`.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, DEVICE, TABLES_LOST: then port or device have to be closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_check(port: *mut millrace_port) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let mut rest = unsafe { get(port, "port") }?.rest.lock()?;
        let device = match &mut rest.of {
            Of::Device(device, _) => *device,
            Of::Function(control, changes) => {
                if let Some(changes) = changes {
                    events::take(changes);
                }
                return control.check().map(|()| 0);
            }
        };
        // Who closes the device waits for its ports.
        drop(rest);
        device.0.lock()?.check().map(|()| 0)
    })
}

/// A file descriptor that is ready to read when `millrace_port_receive` or `millrace_port_check` has something: for poll, select and epoll alone. `millrace_port_receive` has to give 0 before it is waited for.
/// It is closed with the port.
///
/// Returns it, 0 or more. Errors: ARGUMENT, CLOSED, UNSUPPORTED (opened without MILLRACE_EVENTS).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_fd(port: *const millrace_port) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        events::descriptor(unsafe { get(port, "port") }?.rest.lock()?.watch.as_ref())
    })
}

/// Receives frames, in their order, at most `limit`, into `frames`. Their buffers are the caller's, until they are sent or freed.
///
/// Returns the number of frames; it does not wait for any. Errors: ARGUMENT, CLOSED, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_receive(
    port: *mut millrace_port,
    frames: *mut millrace_frame,
    limit: u32,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let port = unsafe { get(port, "port") }?;
        if frames.is_null() && limit != 0 {
            return Err(Failure::null("frames"));
        }
        let buffers = port.rest.lock()?.buffers.clone();
        let mut receive = port.receive.lock()?;
        let mut next = frames;
        let mut each = |received: millrace_driver::virtio::ReceivedFrame| {
            let reason = received.reason.map_or(NO_REASON, |reason| reason as u8);
            let frame = millrace_frame { length: received.len, reason, ..handed_out(&*buffers, received.buffer) };
            // SAFETY: there are no more frames than the caller has room for.
            unsafe {
                next.write(frame);
                next = next.add(1);
            }
        };
        let Receive { receiver, wake } = &mut *receive;
        let mut received = receiver.receive(limit as usize, &mut each)?;
        // Only an empty queue is waited for. What comes after its event was taken gives another.
        if received == 0 && wake.as_ref().is_some_and(events::take) {
            received = receiver.receive(limit as usize, &mut each)?;
        }
        count(received)
    })
}

/// Sends frames, in this order, as many as have room. The buffers of those that were accepted are not the caller's any more, and nothing of them may be touched.
///
/// Returns the number of frames that were accepted: of the others nothing was changed, and 0 may be given to say that the first has no room. With `count` 0 it makes buffers free
/// whose frames were sent, as every call does. Errors: ARGUMENT (the first frame is not in a buffer that the caller has), CLOSED, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_send(
    port: *mut millrace_port,
    frames: *const millrace_frame,
    count: u32,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let (port, frames) = unsafe { (get(port, "port")?, slice(frames, count as usize, "frames")?) };
        let buffers = port.rest.lock()?.buffers.clone();
        let accepted = port.send.lock()?.send(&mut frames.iter().map(|frame| out(&*buffers, frame)))?;
        self::count(accepted)
    })
}

/// Hands out at most `limit` free buffers, for frames to be made in: `data` is where a received frame would be, `length` 0.
///
/// Returns the number of buffers, less than `limit` if there are no more. Errors: ARGUMENT, CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_allocate(
    port: *mut millrace_port,
    frames: *mut millrace_frame,
    limit: u32,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let port = unsafe { get(port, "port") }?;
        if frames.is_null() && limit != 0 {
            return Err(Failure::null("frames"));
        }
        let buffers = port.rest.lock()?.buffers.clone();
        let mut next = frames;
        let taken = buffers.take(limit as usize, &mut |buffer| {
            // SAFETY: there are no more than the caller has room for.
            unsafe {
                next.write(handed_out(&*buffers, buffer));
                next = next.add(1);
            }
        });
        count(taken)
    })
}

/// Takes buffers back: of frames that were received and are not sent, or that were allocated. Any port of the same function, in any thread, takes them.
///
/// Returns the number of buffers that were taken back: fewer than `count` if one was not the caller's. Errors: ARGUMENT (the first was not), CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_port_free(
    port: *mut millrace_port,
    frames: *const millrace_frame,
    count: u32,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let (port, frames) = unsafe { (get(port, "port")?, slice(frames, count as usize, "frames")?) };
        let buffers = port.rest.lock()?.buffers.clone();
        self::count(buffers.give_back(&mut frames.iter().map(|frame| frame.buffer))?)
    })
}

/// A buffer that is the caller's, with no frame in it.
fn handed_out(buffers: &dyn Buffers, buffer: u32) -> millrace_frame {
    let start = buffers.start(buffer).expect("a buffer that was handed out");
    // SAFETY: a buffer is longer than its headroom.
    let data = unsafe { start.add(HEADROOM) };
    millrace_frame { data: data.as_ptr(), length: 0, buffer, reason: NO_REASON }
}

/// A frame of the caller's, by its place in its buffer; one that is not in it has a place that no buffer has.
fn out(buffers: &dyn Buffers, frame: &millrace_frame) -> OutFrame {
    let start = buffers.start(frame.buffer).and_then(|start| frame.data.addr().checked_sub(start.addr().get()));
    let start = start.and_then(|start| u32::try_from(start).ok()).unwrap_or(u32::MAX);
    OutFrame { buffer: frame.buffer, start, len: frame.length }
}
