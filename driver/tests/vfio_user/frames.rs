// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames in buffers that are handed out: none is copied, and none is anybody's twice.

use crate::server::{CONFIG, Served};
use millrace_driver::vfio_user::{Role, VfioUserBar, VfioUserFunction};
use millrace_driver::virtio::{
    FrameFunction, FramePair, FrameSettings, HEADROOM, MappedMemory, OutFrame, ReceivedFrame, VirtioError, vports,
};
use millrace_regs::UpcallReason;
use millrace_vfio_user::SharedMemory;
use std::thread;

/// Function 2 is VF 0.
const VF: &str = "f2";
const VF_FUNCTION: usize = 2;

type Memory = MappedMemory<SharedMemory>;

/// A function with its pairs.
struct Driver {
    frames: FrameFunction<VfioUserBar, Memory>,
    pairs: Vec<FramePair<VfioUserBar, Memory>>,
    function: VfioUserFunction,
}

impl Driver {
    fn start(served: &Served, name: &str, role: Role, settings: FrameSettings) -> Result<Self, VirtioError> {
        let function = VfioUserFunction::connect(&served.path(name), role).unwrap();
        let pairs = if role == Role::Ecpf { vports(&mut function.bar()).unwrap() } else { 1 };
        let settings = FrameSettings { pairs, ..settings };
        let memory = function.memory(settings.memory_bytes()).unwrap();
        let (frames, pairs) = FrameFunction::start(function.bar(), memory, role, &settings)?;
        Ok(Self { frames, pairs, function })
    }

    /// Makes a frame in a free buffer.
    fn make(&self, bytes: &[u8]) -> OutFrame {
        let mut buffers = vec![];
        assert_eq!(self.frames.buffers().take(1, |buffer| buffers.push(buffer)), 1);
        let frame = OutFrame { buffer: buffers[0], start: HEADROOM as u32, len: bytes.len() as u32 };
        self.write(frame, bytes);
        frame
    }

    /// Those of a frame in a buffer that the test has.
    fn bytes(&self, frame: OutFrame) -> Vec<u8> {
        // SAFETY: they lie in the buffer, which neither the device nor anybody else has.
        unsafe { std::slice::from_raw_parts(self.place(frame), frame.len as usize) }.to_vec()
    }

    fn write(&self, frame: OutFrame, bytes: &[u8]) {
        assert!(bytes.len() <= frame.len as usize);
        // SAFETY: as in `bytes`.
        unsafe { self.place(frame).copy_from(bytes.as_ptr(), bytes.len()) }
    }

    fn place(&self, frame: OutFrame) -> *mut u8 {
        let start = self.frames.buffers().start(frame.buffer).unwrap();
        // SAFETY: a frame begins in its buffer.
        unsafe { start.as_ptr().add(frame.start as usize) }
    }

    /// The next frame of a pair.
    fn receive(&mut self, pair: usize) -> ReceivedFrame {
        let mut received = None;
        while self.pairs[pair].receiver.receive(1, |frame| received = Some(frame)).unwrap() == 0 {
            self.function.check().unwrap();
            thread::yield_now();
        }
        received.unwrap()
    }

    /// Waits until the device has done all that it was notified of: what is asked for after an answer is answered after that.
    fn settle(&mut self) {
        for _ in 0..2 {
            self.frames.config().unwrap();
        }
    }

    fn send(&mut self, pair: usize, frame: OutFrame) {
        while self.pairs[pair].sender.send([frame]).unwrap() == 0 {
            thread::yield_now();
        }
    }
}

fn out(received: ReceivedFrame) -> OutFrame {
    OutFrame { buffer: received.buffer, start: HEADROOM as u32, len: received.len }
}

#[test]
fn a_frame_is_received_edited_and_sent_out_of_one_buffer() {
    let served = Served::start();
    let settings = FrameSettings { queue_size: 16, frame_bytes: 9000, ..FrameSettings::default() };
    let mut ecpf = Driver::start(&served, "ecpf", Role::Ecpf, settings.clone()).unwrap();
    let mut vf = Driver::start(&served, VF, Role::Network, settings).unwrap();
    let vport = CONFIG.vport_of_function(VF_FUNCTION).unwrap();
    // Laps of rings and buffers.
    for (round, len) in [60, 61, 1514, 8996].into_iter().cycle().take(200).enumerate() {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + round) as u8).collect();
        let made = vf.make(&bytes);
        vf.send(0, made);
        let up = ecpf.receive(vport);
        assert_eq!((up.reason, ecpf.bytes(out(up))), (Some(UpcallReason::Miss), bytes.clone()), "{round}");
        // Four bytes more, in front.
        let longer = OutFrame { start: HEADROOM as u32 - 4, len: up.len + 4, ..out(up) };
        ecpf.write(longer, b"more");
        ecpf.send(vport, longer);
        let down = vf.receive(0);
        assert_eq!((down.reason, vf.bytes(out(down))), (None, [b"more", &bytes[..]].concat()), "{round}");
        assert_eq!(vf.frames.buffers().give_back([down.buffer]).unwrap(), 1);
    }
    ecpf.frames.stop().unwrap();
    vf.frames.stop().unwrap();
}

#[test]
fn who_holds_all_buffers_gets_no_more_until_some_come_back() {
    let served = Served::start();
    let settings = FrameSettings { queue_size: 4, frame_bytes: 100, ..FrameSettings::default() };
    let mut ecpf =
        Driver::start(&served, "ecpf", Role::Ecpf, FrameSettings { queue_size: 64, ..settings.clone() }).unwrap();
    let mut vf = Driver::start(&served, VF, Role::Network, settings).unwrap();
    let vport = CONFIG.vport_of_function(VF_FUNCTION).unwrap();
    // 4 of 8 buffers are in the receiveq.
    let mut held = vec![];
    assert_eq!(vf.frames.buffers().take(9, |buffer| held.push(buffer)), 4);
    for id in 0..4 {
        let frame = ecpf.make(&[id; 60]);
        ecpf.send(vport, frame);
        let down = vf.receive(0);
        assert_eq!(vf.bytes(out(down)), [id; 60]);
        held.push(down.buffer);
    }
    held.sort_unstable();
    assert_eq!(held, [0, 1, 2, 3, 4, 5, 6, 7], "each is somebody's once");
    // One that comes now finds no buffer; the one after it does.
    let lost = ecpf.make(&[4; 60]);
    ecpf.send(vport, lost);
    vf.settle();
    assert_eq!(vf.frames.buffers().give_back(held).unwrap(), 8);
    assert_eq!(vf.pairs[0].receiver.receive(9, |_| ()).unwrap(), 0);
    let kept = ecpf.make(&[5; 60]);
    ecpf.send(vport, kept);
    let down = vf.receive(0);
    assert_eq!(vf.bytes(out(down)), [5; 60]);
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let served = Served::start();
    for (settings, text) in [
        (FrameSettings { queue_size: 12, ..FrameSettings::default() }, "not a power of two"),
        (FrameSettings { queue_size: 512, ..FrameSettings::default() }, "does not take size 512"),
        (FrameSettings { frame_bytes: 0, ..FrameSettings::default() }, "for no frame"),
        (FrameSettings { frame_bytes: 9217, ..FrameSettings::default() }, "longer ones than any build has"),
    ] {
        let error = Driver::start(&served, VF, Role::Network, settings).err().unwrap();
        assert!(error.to_string().contains(text), "{error}");
    }
}
