// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random frames, cuts and buffers, in random order of what both sides do.

use crate::bench::{CONFIG, Device, Net, frame, kinds, message, receive, small};
use millrace_driver::Sent;
use millrace_driver::virtio::{Cut, Rss, Settings, VirtioNet};
use millrace_model::host::Delivered;
use millrace_model::host::steering::Steering;
use millrace_regs::config::{MAX_FRAME, MIN_FRAME};
use millrace_regs::host::{NET_HEADER, RECEIVE_CHAIN};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::VecDeque;

/// The function under test, and a counter of it.
const FUNCTION: u32 = 2;
const NO_BUFFER: u32 = 0x2c;

#[derive(Clone, Debug)]
enum Op {
    /// A frame is sent on a pair, its chain cut.
    Send {
        pair: u16,
        len: usize,
        cuts: Vec<Cut>,
    },
    /// Frames of these lengths are sent on a pair.
    Burst {
        pair: u16,
        lens: Vec<usize>,
    },
    /// A frame of a flow comes in.
    Deliver {
        len: usize,
        flow: u8,
    },
    Receive {
        pair: u16,
        limit: usize,
    },
    Reclaim {
        pair: u16,
    },
    Run,
    /// Frames are spread over pairs, as the function likes.
    SetPairs {
        pairs: u16,
    },
    /// As the driver says.
    SetRss {
        table: Vec<u16>,
    },
    /// A virtqueue is reset alone.
    ResetQueue {
        queue: u16,
    },
    Restart,
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![4 => MIN_FRAME..200, 2 => 200usize..2000, 1 => 2000..=MAX_FRAME]
}

fn cut(gaps: usize, lens: u32) -> impl Strategy<Value = Cut> {
    (0..=gaps, prop_oneof![1..=16u32, 1..=lens]).prop_map(|(gap, len)| Cut { gap, len })
}

fn op() -> impl Strategy<Value = Op> {
    let pair = 0..2u16;
    prop_oneof![
        6 => (pair.clone(), length(), vec(cut(70, 3000), 0..6)).prop_map(|(pair, len, cuts)| Op::Send { pair, len, cuts }),
        2 => (pair.clone(), vec(length(), 0..5)).prop_map(|(pair, lens)| Op::Burst { pair, lens }),
        8 => (length(), any::<u8>()).prop_map(|(len, flow)| Op::Deliver { len, flow }),
        5 => (pair.clone(), 0..6usize).prop_map(|(pair, limit)| Op::Receive { pair, limit }),
        1 => pair.clone().prop_map(|pair| Op::Reclaim { pair }),
        3 => Just(Op::Run),
        1 => (1..=2u16).prop_map(|pairs| Op::SetPairs { pairs }),
        1 => vec(pair, 4).prop_map(|table| Op::SetRss { table }),
        1 => (0..4u16).prop_map(|queue| Op::ResetQueue { queue }),
        1 => Just(Op::Restart),
    ]
}

/// Chains for a receiveq. Those for merged buffers hold the header; others any frame, or not.
fn shapes(merge: bool, queue_size: u16) -> impl Strategy<Value = Vec<Vec<Cut>>> {
    let most = RECEIVE_CHAIN.min(queue_size.into());
    let chain = vec(cut(70, 3000), 1..=most).prop_map(move |mut chain| {
        let room: u32 = chain.iter().map(|cut| cut.len).sum();
        if merge {
            chain[0].len += (NET_HEADER as u32).saturating_sub(room);
        }
        chain
    });
    vec(chain, 1..5)
}

fn settings() -> impl Strategy<Value = Settings> {
    (0..=8u32, 1..=256u16, any::<[bool; 3]>()).prop_flat_map(|(log2, any_size, [merge, packed, in_order])| {
        let queue_size = if packed { any_size } else { 1 << log2 };
        let ascending = (0..queue_size).collect::<Vec<u16>>();
        let order = if in_order { Just(vec![]).boxed() } else { Just(ascending).prop_shuffle().boxed() };
        (order, shapes(merge, queue_size), 1..12u16, any::<[bool; 4]>()).prop_map(
            move |(
                descriptor_order,
                receive,
                transmit_buffers,
                [interrupts, event_idx, notification_data, indirect],
            )| Settings {
                pairs: 2,
                queue_size,
                descriptor_order,
                merge,
                packed,
                indirect,
                event_idx,
                in_order,
                notification_data,
                interrupts,
                receive,
                transmit_bytes: NET_HEADER + MAX_FRAME + 6 * 70,
                transmit_buffers,
                ..Settings::default()
            },
        )
    })
}

/// Both sides with what is on its way between them.
struct Bench {
    device: Device,
    net: Net,
    settings: Settings,
    /// Frames that were sent and have not come out, for each pair.
    sent: [VecDeque<Vec<u8>>; 2],
    /// Frames that were written to buffers and not received, for each pair.
    delivered: [VecDeque<Vec<u8>>; 2],
    dropped: u32,
    count: u64,
    /// The receiveq of each pair was found empty: what comes next gives an interrupt.
    armed: [bool; 2],
    /// What the function was told last.
    steering: Steering,
}

impl Bench {
    fn new(settings: Settings, lag: u32) -> Self {
        let device = Device::new(8 << 20, lag);
        let net = device.start(FUNCTION, settings.clone());
        Self {
            device,
            net,
            settings,
            sent: Default::default(),
            delivered: Default::default(),
            dropped: 0,
            count: 0,
            armed: [true; 2],
            steering: Steering::pairs(2),
        }
    }

    fn frame(&mut self, len: usize) -> Vec<u8> {
        self.count += 1;
        frame(len, self.count)
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Send { pair, len, cuts } => self.send(*pair, *len, cuts),
            Op::Burst { pair, lens } => self.burst(*pair, lens),
            Op::Deliver { len, flow } => self.deliver(*len, *flow),
            Op::Receive { pair, limit } => self.receive(*pair, *limit),
            Op::Reclaim { pair } => assert!(self.net.reclaim(*pair).unwrap() <= self.settings.queue_size.into()),
            Op::Run => self.device.run(),
            Op::SetPairs { pairs } => {
                self.net.set_pairs(*pairs).unwrap();
                self.steering = Steering::pairs(*pairs);
            }
            Op::SetRss { table } => self.set_rss(table),
            Op::ResetQueue { queue } => self.reset_queue(*queue),
            Op::Restart => self.restart(),
        }
        self.look_out();
    }

    fn send(&mut self, pair: u16, len: usize, cuts: &[Cut]) {
        let frame = self.frame(len);
        // A chain has at most as many descriptors as its queue, of which the last is what the cuts leave.
        let cuts = &cuts[..cuts.len().min(usize::from(self.settings.queue_size) - 1)];
        if self.net.send_cut(pair, &frame, cuts).unwrap() == Sent::Accepted {
            self.sent[usize::from(pair)].push_back(frame);
        }
    }

    fn burst(&mut self, pair: u16, lens: &[usize]) {
        let frames: Vec<Vec<u8>> = lens.iter().map(|len| self.frame(*len)).collect();
        let accepted = self.net.send(pair, frames.iter().map(Vec::as_slice)).unwrap();
        self.sent[usize::from(pair)].extend(frames.into_iter().take(accepted));
    }

    fn set_rss(&mut self, table: &[u16]) {
        let rss = Rss { table: table.to_vec(), ..Rss::spread(2) };
        self.net.set_rss(&rss).unwrap();
        self.steering.table = rss.table;
    }

    fn deliver(&mut self, len: usize, flow: u8) {
        let mut frame = self.frame(len);
        // IPv4 and UDP, from a port to itself.
        let header = [8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, flow, 0, flow];
        if let Some(place) = frame.get_mut(12..12 + header.len()) {
            place.copy_from_slice(&header);
        }
        let pair = self.steering.receiveq(&frame);
        let at = usize::from(pair);
        let queue = self.net.queues(pair).unwrap()[0];
        let waiting = queue.outstanding() > self.delivered[at].len() as u16 * 8;
        let room = |chain: &Vec<Cut>| chain.iter().map(|cut| cut.len as usize).sum::<usize>();
        let smallest = self.settings.receive.iter().map(room).min().unwrap();
        match self.device.steer(FUNCTION, &frame) {
            Delivered::Written(chains) => {
                assert!(chains == 1 || self.settings.merge);
                self.look_for_interrupt(pair);
                self.delivered[at].push_back(frame);
            }
            Delivered::NoBuffer => {
                self.dropped += 1;
                assert!(!waiting || smallest < NET_HEADER + len, "there was a buffer for {len} bytes");
            }
            Delivered::Fault(reason) => panic!("fault {}", reason.name()),
            Delivered::Refused => panic!("a policy that nobody set"),
        }
        assert_eq!(self.device.get(FUNCTION, NO_BUFFER), self.dropped);
    }

    fn look_for_interrupt(&mut self, pair: u16) {
        let given = self.device.interrupts().contains(&message(FUNCTION as usize, 1 + 2 * pair));
        let armed = &mut self.armed[usize::from(pair)];
        let Settings { interrupts, event_idx, packed, .. } = self.settings;
        let wanted = interrupts && (*armed || !event_idx);
        // What was asked for comes again after two laps of a packed ring.
        assert!(given == wanted || (interrupts && packed && given), "given: {given}");
        *armed = false;
    }

    fn receive(&mut self, pair: u16, limit: usize) {
        let expected = &mut self.delivered[usize::from(pair)];
        let count = self.net.receive(pair, limit, |frame| assert_eq!(Some(frame), expected.pop_front().as_deref()));
        let count = count.unwrap();
        assert!(count == limit || (count < limit && expected.is_empty()), "{count} of {limit}");
        self.armed[usize::from(pair)] |= count < limit;
    }

    /// Frames come out as they were sent, on each pair.
    fn look_out(&mut self) {
        for out in self.device.frames() {
            assert_eq!((out.function, out.queue % 2, out.control.len()), (FUNCTION as usize, 1, 0));
            let sent = self.sent[out.queue / 2].pop_front();
            assert!(sent.as_ref() == Some(&out.frame), "virtqueue {}", out.queue);
        }
    }

    fn reset_queue(&mut self, queue: u16) {
        self.net.reset_queue(queue).unwrap();
        self.look_out();
        let pair = usize::from(queue / 2);
        if queue.is_multiple_of(2) {
            self.delivered[pair].clear();
            self.armed[pair] = true;
        } else {
            self.sent[pair].clear();
        }
    }

    fn restart(&mut self) {
        self.net.restart().unwrap();
        self.look_out();
        self.sent.iter_mut().for_each(VecDeque::clear);
        self.delivered.iter_mut().for_each(VecDeque::clear);
        self.device.interrupts();
        self.armed = [true; 2];
        self.steering = Steering::pairs(2);
    }

    /// Nothing is left on its way, and every buffer is where it was.
    fn finish(&mut self) {
        self.device.run();
        self.look_out();
        for pair in 0..2 {
            self.receive(pair, usize::MAX);
            assert!(self.sent[usize::from(pair)].is_empty());
            self.net.reclaim(pair).unwrap();
            let [_, transmit] = self.net.queues(pair).unwrap();
            assert_eq!((transmit.outstanding(), transmit.free()), (0, self.settings.queue_size.into()));
        }
        self.net.check().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn frames_go_through_whatever_buffers_and_cuts(
        settings in settings(),
        lag in 0..4u32,
        ops in vec(op(), 1..150),
    ) {
        let mut bench = Bench::new(settings, lag);
        for op in &ops {
            bench.apply(op);
        }
        bench.finish();
    }

    #[test]
    fn functions_do_not_disturb_each_other(
        lens in vec((1..CONFIG.functions() as u32, length(), any::<Index>()), 1..60),
    ) {
        let device = Device::new(4 << 20, 0);
        let mut nets: Vec<Net> =
            (1..CONFIG.functions() as u32).map(|function| device.start(function, Settings { queue_size: 64, transmit_buffers: 64, ..Settings::default() })).collect();
        for (function, len, victim) in lens {
            let bytes = frame(len, function.into());
            let net = &mut nets[function as usize - 1];
            prop_assert_eq!(net.send(0, [&bytes[..]]).unwrap(), 1);
            device.run();
            let out = device.frames();
            prop_assert_eq!((out.len(), out[0].function, &out[0].frame), (1, function as usize, &bytes));
            let to = 1 + victim.index(CONFIG.functions() - 1) as u32;
            prop_assert!(matches!(device.deliver(to, 0, 0, &bytes), Delivered::Written(_)));
            for (number, net) in (1..).zip(&mut nets) {
                prop_assert_eq!(receive(net, 0), if number == to { vec![bytes.clone()] } else { vec![] });
            }
        }
    }
}

#[test]
fn indices_wrap_past_65536_in_both_directions() {
    for settings in
        kinds(&small()).into_iter().flat_map(|kind| [false, true].map(|merge| Settings { merge, ..kind.clone() }))
    {
        let device = Device::new(1 << 20, 0);
        let cuts = vec![vec![Cut { gap: 1, len: 40 }, Cut { gap: 3, len: 40 }]];
        let merge = settings.merge;
        let settings = Settings { receive: if merge { cuts } else { small().receive }, ..settings };
        let mut net = device.start(1, settings);
        for round in 0..35_000u64 {
            let frames = [frame(60 + (round % 7) as usize, round), frame(14, round + 1)];
            assert_eq!(net.send(0, frames.iter().map(Vec::as_slice)).unwrap(), 2);
            device.run();
            let out: Vec<_> = device.frames().into_iter().map(|out| out.frame).collect();
            assert_eq!(out, frames);
            let into = &frames[(round % 2) as usize];
            assert_eq!(device.deliver(1, 0, 0, into), Delivered::Written(1 + usize::from(merge && into.len() > 68)));
            assert_eq!(receive(&mut net, 0), std::slice::from_ref(into));
        }
    }
}

#[test]
fn reset_under_traffic_gives_buffers_back_and_frames_of_before_never_come() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, small());
    for round in 0..50u64 {
        for _ in 0..3 {
            assert!(matches!(device.deliver(1, 0, 0, &frame(100, round)), Delivered::Written(1)));
            net.send(0, [&frame(200, round)[..]]).unwrap();
        }
        net.restart().unwrap();
        device.frames();
        assert_eq!(receive(&mut net, 0), Vec::<Vec<u8>>::new());
        device.run();
        assert_eq!(device.frames(), []);
    }
    let (bar, memory) = net.stop().unwrap();
    assert_eq!(device.deliver(1, 0, 0, &[0; 60]), Delivered::NoBuffer);
    let mut net = VirtioNet::start(bar, memory, Settings { queue_size: 2, ..small() }).unwrap();
    assert_eq!(device.deliver(1, 0, 0, &frame(60, 1)), Delivered::Written(1));
    assert_eq!(receive(&mut net, 0), [frame(60, 1)]);
}
