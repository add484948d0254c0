// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ECPF's pairs of virtqueues: pair v is the representor of vport v.

use super::{DmaMemory, Settings, VirtioError, VirtioNet, VirtioPci};
use crate::{DropReason, DropSample, Sent};
use millrace_regs::UpcallReason;
use millrace_regs::host::{
    ECPF_HEADER, ECPF_HEADER_LENGTH, ECPF_HEADER_REASON, NET_HEADER, SAMPLE_BYTES, SAMPLE_SPOOF, SAMPLE_VLAN,
};
use std::collections::VecDeque;

/// Samples that are kept until they are taken: the latest.
const SAMPLES: usize = 64;

/// A frame that the slow path gets through a representor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepresentorUpcall {
    /// The vport it came in on.
    pub vport: u16,
    /// Why the slow path gets it.
    pub reason: UpcallReason,
    /// The frame, without FCS.
    pub frame: Vec<u8>,
}

/// Why a representor gets a frame.
#[derive(Clone, Copy)]
pub(super) enum Why {
    /// It is an upcall.
    Upcall(UpcallReason),
    /// It is a sample.
    Dropped(DropReason),
}

/// The ECPF's function in use.
pub struct Representors<T, M> {
    net: VirtioNet<T, M>,
    samples: VecDeque<DropSample>,
}

impl<T: VirtioPci, M: DmaMemory> Representors<T, M> {
    /// Brings the ECPF up; `settings.pairs` is the number of vports.
    ///
    /// # Errors
    /// As [`VirtioNet::start`].
    pub fn start(transport: T, memory: M, settings: Settings) -> Result<Self, VirtioError> {
        Ok(Self { net: VirtioNet::start_with(transport, memory, settings, ECPF_HEADER)?, samples: VecDeque::new() })
    }

    /// The function itself: reset, faults, configuration. Frames that are received through it are without vport and reason.
    pub fn net(&mut self) -> &mut VirtioNet<T, M> {
        &mut self.net
    }

    /// Resets the function, as [`VirtioNet::stop`].
    ///
    /// # Errors
    /// As there.
    pub fn stop(self) -> Result<(T, M), VirtioError> {
        self.net.stop()
    }

    /// The upcalls of a vport, in their order, at most `limit` with the samples between them, which [`next_sample`](Self::next_sample) gives.
    ///
    /// # Errors
    /// As [`VirtioNet::receive`].
    pub fn upcalls(&mut self, vport: u16, limit: usize) -> Result<Vec<RepresentorUpcall>, VirtioError> {
        let mut frames = vec![];
        self.net.receive_with(vport, limit, |front, frame| {
            frames.push(why(2 * vport, front, frame.len()).map(|why| (why, frame.to_vec())));
        })?;
        let mut upcalls = vec![];
        for frame in frames {
            match frame? {
                (Why::Upcall(reason), frame) => upcalls.push(RepresentorUpcall { vport, reason, frame }),
                (Why::Dropped(reason), frame) => self.keep(DropSample { vport: vport as u8, reason, frame }),
            }
        }
        Ok(upcalls)
    }

    fn keep(&mut self, sample: DropSample) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The next sample of those that came with upcalls; the latest are kept.
    pub fn next_sample(&mut self) -> Option<DropSample> {
        self.samples.pop_front()
    }

    /// Sends a frame out of a vport, without a lookup.
    ///
    /// # Errors
    /// As [`VirtioNet::send`].
    pub fn packet_out(&mut self, vport: u16, frame: &[u8]) -> Result<Sent, VirtioError> {
        let sent = self.add_packet_out(vport, frame)?;
        self.show(vport)?;
        Ok(sent)
    }

    /// As [`packet_out`](Self::packet_out), but the function sees the frame after [`show`](Self::show): for several at once.
    ///
    /// # Errors
    /// As [`VirtioNet::send`].
    pub fn add_packet_out(&mut self, vport: u16, frame: &[u8]) -> Result<Sent, VirtioError> {
        // Byte 0, what is done with the frame, is 0: it is sent out of the vport of the pair.
        self.net.add(vport, &[0; ECPF_HEADER], frame, &[])
    }

    /// Shows the function the frames that were added for a vport.
    ///
    /// # Errors
    /// As [`VirtioNet::send`].
    pub fn show(&mut self, vport: u16) -> Result<(), VirtioError> {
        self.net.show(vport)
    }
}

/// Checks what lies in front of a representor's frame of `len` bytes, after virtio's header was: why the slow path gets it.
pub(super) fn why(queue: u16, front: &[u8], len: usize) -> Result<Why, VirtioError> {
    let wrong = |problem| VirtioError::Header { queue, problem, bytes: front.to_vec() };
    let header = &front[NET_HEADER..];
    let why = match header[ECPF_HEADER_REASON] {
        SAMPLE_SPOOF => Some(Why::Dropped(DropReason::Spoof)),
        SAMPLE_VLAN => Some(Why::Dropped(DropReason::Vlan)),
        number => UpcallReason::from_number(number.into()).map(Why::Upcall),
    };
    let why = why.ok_or_else(|| wrong("there is no such reason of an upcall"))?;
    if matches!(why, Why::Dropped(_)) && len > SAMPLE_BYTES {
        return Err(wrong("a sample is too long"));
    }
    let length = &header[ECPF_HEADER_LENGTH..][..4];
    let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
    if length as usize != len {
        return Err(wrong("`length` is not that of the frame"));
    }
    if header[1..4].iter().chain(&header[8..]).any(|byte| *byte != 0) {
        return Err(wrong("what is reserved is not 0"));
    }
    Ok(why)
}
