// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads flows while a device is running, in a thread of its own: of many flows that takes seconds, in which the device goes on.

use crate::error::BadInput;
use millrace_firmware::openflow::FlowTable;
use millrace_firmware::slowpath::Replacement;
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

/// Refusals that are kept for those who ask; older ones are forgotten, for who asked for them has left.
const REFUSALS: usize = 64;

/// The number of flows that were asked for: 1, 2, …, in the order in which they come into force.
pub type Ticket = u32;

/// Reads flows, and says what is wrong with them.
pub type Read = Box<dyn FnOnce() -> Result<FlowTable, BadInput> + Send>;

/// Flows on their way.
#[derive(Default)]
pub struct Loader {
    thread: Option<Thread>,
    given: Ticket,
    /// The last that came back.
    back: Ticket,
    refused: BTreeMap<Ticket, BadInput>,
}

/// Reads one after the other, and ends with its loader.
struct Thread {
    work: Sender<Read>,
    done: Receiver<Result<Replacement, BadInput>>,
}

impl Thread {
    fn start() -> io::Result<Self> {
        let (work, to_do) = channel::<Read>();
        let (to_send, done) = channel();
        let read = move || {
            for read in to_do {
                if to_send.send(read().map(Replacement::new)).is_err() {
                    return; // the device has ended
                }
            }
        };
        thread::Builder::new().name("flows".into()).spawn(read)?;
        Ok(Self { work, done })
    }
}

impl Loader {
    /// Begins to read flows, once those that were asked for before are read.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn begin(&mut self, read: Read) -> io::Result<Ticket> {
        let thread = match &mut self.thread {
            Some(thread) => thread,
            none => none.insert(Thread::start()?),
        };
        thread.work.send(read).expect("the thread is there as long as its loader");
        self.given += 1;
        Ok(self.given)
    }

    /// The next flows that are ready to come into force, if any are.
    pub fn take(&mut self) -> Option<Replacement> {
        while self.back < self.given {
            match self.thread.as_ref()?.done.try_recv() {
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => panic!("the thread that reads flows failed"),
                Ok(Ok(flows)) => {
                    self.back += 1;
                    return Some(flows);
                }
                Ok(Err(refusal)) => {
                    self.back += 1;
                    self.refused.insert(self.back, refusal);
                    if self.refused.len() > REFUSALS {
                        self.refused.pop_first();
                    }
                }
            }
        }
        None
    }

    /// Whether these flows are read. A refusal is told once.
    pub fn is_read(&mut self, ticket: Ticket) -> Result<bool, BadInput> {
        match self.refused.remove(&ticket) {
            Some(refusal) => Err(refusal),
            None => Ok(ticket <= self.back),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_firmware::openflow::{Ports, parse_flow_file};
    use std::sync::mpsc;

    fn flows(lines: usize) -> Result<FlowTable, BadInput> {
        let text: String = (0..lines).map(|n| format!("priority={n},actions=drop\n")).collect();
        Ok(parse_flow_file("f", &text, Ports::sim()).unwrap())
    }

    /// As [`Loader::take`], but waits.
    fn wait(loader: &mut Loader, ticket: Ticket) -> Vec<usize> {
        let mut ready = vec![];
        while loader.back < ticket {
            ready.extend(loader.take().map(|flows| flows.len()));
            thread::yield_now();
        }
        ready
    }

    #[test]
    fn flows_come_in_the_order_in_which_they_were_asked_for_and_nobody_waits_for_them() {
        let mut loader = Loader::default();
        assert!(loader.take().is_none());
        let (go, held) = mpsc::channel::<()>();
        let slow: Read = Box::new(move || {
            held.recv().unwrap();
            flows(1)
        });
        let bad: Read = Box::new(|| Err(BadInput("bad".into())));
        let quick: Read = Box::new(|| flows(3));
        let tickets = [slow, bad, quick].map(|read| loader.begin(read).unwrap());
        assert_eq!(tickets, [1, 2, 3]);
        assert!(loader.take().is_none());
        assert_eq!(tickets.map(|ticket| loader.is_read(ticket).unwrap()), [false; 3]);
        go.send(()).unwrap();
        assert_eq!(wait(&mut loader, 3), [1, 3]);
        assert_eq!(loader.is_read(2).unwrap_err().0, "bad");
        assert_eq!(tickets.map(|ticket| loader.is_read(ticket).unwrap()), [true; 3]);
    }

    #[test]
    fn refusals_that_nobody_asks_for_are_forgotten() {
        let mut loader = Loader::default();
        for _ in 0..3 * REFUSALS {
            loader.begin(Box::new(|| Err(BadInput("bad".into())))).unwrap();
        }
        assert!(wait(&mut loader, 3 * REFUSALS as Ticket).is_empty());
        assert_eq!(loader.refused.len(), REFUSALS);
        assert!(loader.is_read(3 * REFUSALS as Ticket).is_err());
    }
}
