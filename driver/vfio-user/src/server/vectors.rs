// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interrupts: eventfds of the client, masks, and what is pending.

use super::signal::Signaller;
use crate::wire::{IrqSet, flags, irq};
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// The interrupts of a served function. Clones are handles of the same.
///
/// An interrupt is given by adding 1 to the eventfd that the client set for the vector. While there is none, or the vector is masked, it is kept pending, and given once
/// as soon as it can be. Disabling all vectors, as QEMU does whenever it adds one, loses none; a reset of the function does.
#[derive(Clone)]
pub struct Vectors {
    kinds: Rc<RefCell<Kinds>>,
}

struct Kinds {
    signaller: Signaller,
    msix: Vec<Vector>,
    /// That an error happened, and that the function is wanted back: kept as the client sets them, and never given.
    error: [Vector; 1],
    request: [Vector; 1],
}

#[derive(Default)]
struct Vector {
    event: Option<OwnedFd>,
    masked: bool,
    pending: bool,
}

impl Vector {
    /// Gives what is pending if it can be given.
    fn settle(&mut self, signaller: &Signaller) {
        if let (true, false, Some(event)) = (self.pending, self.masked, &self.event) {
            signaller.signal(event);
            self.pending = false;
        }
    }

    fn raise(&mut self, signaller: &Signaller) {
        self.pending = true;
        self.settle(signaller);
    }
}

impl Vectors {
    pub(super) fn new(count: u16) -> Self {
        let vectors = (0..count).map(|_| Vector::default()).collect();
        Self {
            kinds: Rc::new(RefCell::new(Kinds {
                signaller: Signaller::new(),
                msix: vectors,
                error: Default::default(),
                request: Default::default(),
            })),
        }
    }

    /// Gives an interrupt. One that the function does not have is nobody's: nothing is done.
    pub fn interrupt(&self, vector: u16) {
        let mut kinds = self.kinds.borrow_mut();
        let Kinds { signaller, msix, .. } = &mut *kinds;
        if let Some(vector) = msix.get_mut(usize::from(vector)) {
            vector.raise(signaller);
        }
    }

    /// Whether an interrupt waits: the vector's bit in the function's pending bit array.
    pub fn is_pending(&self, vector: u16) -> bool {
        self.kinds.borrow().msix.get(usize::from(vector)).is_some_and(|vector| vector.pending)
    }

    /// The function was reset: nothing is pending or masked. The eventfds stay.
    pub(super) fn reset(&self) {
        for vector in &mut self.kinds.borrow_mut().msix {
            (vector.masked, vector.pending) = (false, false);
        }
    }

    /// The client has gone.
    pub(super) fn clear(&self) {
        let mut kinds = self.kinds.borrow_mut();
        let Kinds { msix, error, request, .. } = &mut *kinds;
        msix.iter_mut().chain(error).chain(request).for_each(|vector| *vector = Vector::default());
    }

    /// Interrupts of a kind; none if there is no such kind. INTx and MSI are not served.
    pub(super) fn count(&self, kind: u32) -> Option<u32> {
        match kind {
            irq::MSIX => Some(self.kinds.borrow().msix.len() as u32),
            irq::ERROR | irq::REQUEST => Some(1),
            _ => (kind < irq::COUNT).then_some(0),
        }
    }

    /// `VFIO_USER_DEVICE_SET_IRQS`, with what follows the structure, and the descriptors.
    pub(super) fn set(&self, set: &IrqSet, data: &[u8], descriptors: Vec<OwnedFd>) -> Result<(), Errno> {
        let action = Action::new(set.flags)?;
        let mut kinds = self.kinds.borrow_mut();
        let (vectors, signaller) = kinds.of(set.index)?;
        let disables = (set.flags, set.start, set.count) == (flags::SET_DATA_NONE | flags::SET_TRIGGER, 0, 0);
        if disables {
            for vector in vectors {
                (vector.event, vector.masked) = (None, false);
            }
            return Ok(());
        }
        let end = set.start.checked_add(set.count).filter(|_| set.count != 0).ok_or(Errno::EINVAL)?;
        let vectors = vectors.get_mut(set.start as usize..end as usize).ok_or(Errno::EINVAL)?;
        match set.flags & flags::SET_DATA_MASK {
            flags::SET_DATA_EVENTFD => action.set_events(vectors, descriptors, signaller),
            flags::SET_DATA_NONE => {
                vectors.iter_mut().for_each(|vector| action.perform(vector, signaller));
                Ok(())
            }
            _ => {
                let chosen = data.get(..vectors.len()).ok_or(Errno::EINVAL)?;
                let pairs = vectors.iter_mut().zip(chosen);
                pairs.filter(|(_, chosen)| **chosen != 0).for_each(|(vector, _)| action.perform(vector, signaller));
                Ok(())
            }
        }
    }
}

impl Kinds {
    /// The vectors of a kind, and the way to signal them.
    fn of(&mut self, kind: u32) -> Result<(&mut [Vector], &Signaller), Errno> {
        let vectors: &mut [Vector] = match kind {
            irq::MSIX => &mut self.msix,
            irq::ERROR => &mut self.error,
            irq::REQUEST => &mut self.request,
            _ if kind < irq::COUNT => &mut [],
            _ => return Err(Errno::EINVAL),
        };
        Ok((vectors, &self.signaller))
    }
}

/// What is done with each vector.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Action {
    Mask,
    Unmask,
    Trigger,
}

impl Action {
    /// From flags that have one action and one kind of data.
    fn new(flags: u32) -> Result<Self, Errno> {
        if !matches!(
            flags & flags::SET_DATA_MASK,
            flags::SET_DATA_NONE | flags::SET_DATA_BOOL | flags::SET_DATA_EVENTFD
        ) {
            return Err(Errno::EINVAL);
        }
        match flags & !flags::SET_DATA_MASK {
            flags::SET_MASK => Ok(Self::Mask),
            flags::SET_UNMASK => Ok(Self::Unmask),
            flags::SET_TRIGGER => Ok(Self::Trigger),
            _ => Err(Errno::EINVAL),
        }
    }

    fn perform(self, vector: &mut Vector, signaller: &Signaller) {
        match self {
            Self::Mask => vector.masked = true,
            Self::Unmask => {
                vector.masked = false;
                vector.settle(signaller);
            }
            Self::Trigger => vector.raise(signaller),
        }
    }

    /// Sets the vectors' eventfds, or takes them all away if none came.
    fn set_events(self, vectors: &mut [Vector], descriptors: Vec<OwnedFd>, signaller: &Signaller) -> Result<(), Errno> {
        if self != Self::Trigger {
            // That the guest masks a vector is told by eventfd only of INTx.
            return Err(Errno::ENOTSUP);
        }
        if descriptors.is_empty() {
            vectors.iter_mut().for_each(|vector| vector.event = None);
            return Ok(());
        }
        if descriptors.len() != vectors.len() {
            return Err(Errno::EINVAL);
        }
        for event in &descriptors {
            check_event(event)?;
        }
        for (vector, event) in vectors.iter_mut().zip(descriptors) {
            vector.event = Some(event);
            vector.settle(signaller);
        }
        Ok(())
    }
}

/// Refuses what a write could block on or change: files, sockets, pipes and devices. An eventfd is none of these: its file has no type.
fn check_event(event: &OwnedFd) -> Result<(), Errno> {
    let kind = fstat(event)?.st_mode & SFlag::S_IFMT.bits();
    if kind == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::eventfd::{EfdFlags, EventFd};
    use proptest::prelude::*;
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    const EVENTS: u32 = flags::SET_DATA_EVENTFD | flags::SET_TRIGGER;

    fn event() -> (EventFd, OwnedFd) {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).unwrap();
        let other = event.as_fd().try_clone_to_owned().unwrap();
        (event, other)
    }

    fn set(flags: u32, start: u32, count: u32) -> IrqSet {
        IrqSet { argsz: 20, flags, index: irq::MSIX, start, count }
    }

    fn taken(event: &EventFd) -> u64 {
        event.read().unwrap_or(0)
    }

    #[test]
    fn an_interrupt_without_eventfd_waits_for_one() {
        let vectors = Vectors::new(4);
        let (first, its) = event();
        vectors.set(&set(EVENTS, 1, 1), &[], vec![its]).unwrap();
        vectors.interrupt(1);
        assert_eq!((taken(&first), vectors.is_pending(1)), (1, false));
        vectors.set(&set(flags::SET_DATA_NONE | flags::SET_TRIGGER, 0, 0), &[], vec![]).unwrap();
        vectors.interrupt(1);
        vectors.interrupt(1);
        assert_eq!((taken(&first), vectors.is_pending(1), vectors.is_pending(0)), (0, true, false));
        let (second, its) = event();
        vectors.set(&set(EVENTS, 1, 1), &[], vec![its]).unwrap();
        assert_eq!((taken(&first), taken(&second), vectors.is_pending(1)), (0, 1, false));
        vectors.interrupt(9);
        assert!(!vectors.is_pending(9));
    }

    #[test]
    fn a_masked_interrupt_waits_and_a_reset_forgets_it() {
        let vectors = Vectors::new(2);
        let (event, its) = event();
        vectors.set(&set(EVENTS, 0, 1), &[], vec![its]).unwrap();
        vectors.set(&set(flags::SET_DATA_BOOL | flags::SET_MASK, 0, 2), &[1, 0], vec![]).unwrap();
        vectors.interrupt(0);
        assert_eq!((taken(&event), vectors.is_pending(0)), (0, true));
        vectors.set(&set(flags::SET_DATA_NONE | flags::SET_UNMASK, 0, 2), &[], vec![]).unwrap();
        assert_eq!((taken(&event), vectors.is_pending(0)), (1, false));
        vectors.set(&set(flags::SET_DATA_NONE | flags::SET_MASK, 0, 1), &[], vec![]).unwrap();
        vectors.interrupt(0);
        vectors.reset();
        assert_eq!((taken(&event), vectors.is_pending(0)), (0, false));
        vectors.interrupt(0);
        assert_eq!(taken(&event), 1, "the eventfd stays, the mask does not");
    }

    #[test]
    fn what_no_vector_can_be_set_to_is_refused() {
        let vectors = Vectors::new(2);
        let file = || OwnedFd::from(File::open("/dev/null").unwrap());
        let socket = || OwnedFd::from(UnixStream::pair().unwrap().0);
        let pipe = || nix::unistd::pipe().unwrap().1;
        for other in [file(), socket(), pipe()] {
            assert_eq!(vectors.set(&set(EVENTS, 0, 1), &[], vec![other]), Err(Errno::EINVAL));
        }
        let eventfd = || event().1;
        let none = flags::SET_DATA_NONE;
        let cases = [
            (set(EVENTS, 0, 2), vec![eventfd()], Errno::EINVAL),
            (set(EVENTS, 0, 1), vec![eventfd(), eventfd()], Errno::EINVAL),
            (set(EVENTS, 2, 1), vec![eventfd()], Errno::EINVAL),
            (set(EVENTS, u32::MAX, 2), vec![], Errno::EINVAL),
            (set(EVENTS, 0, 0), vec![], Errno::EINVAL),
            (set(flags::SET_DATA_EVENTFD | flags::SET_MASK, 0, 1), vec![eventfd()], Errno::ENOTSUP),
            (set(none | flags::SET_DATA_BOOL | flags::SET_MASK, 0, 1), vec![], Errno::EINVAL),
            (set(none | flags::SET_MASK | flags::SET_TRIGGER, 0, 1), vec![], Errno::EINVAL),
            (set(none, 0, 1), vec![], Errno::EINVAL),
            (set(none | flags::SET_MASK | 64, 0, 1), vec![], Errno::EINVAL),
            (set(flags::SET_DATA_BOOL | flags::SET_TRIGGER, 0, 2), vec![], Errno::EINVAL),
            (IrqSet { index: irq::COUNT, ..set(none | flags::SET_MASK, 0, 1) }, vec![], Errno::EINVAL),
            (IrqSet { index: 0, ..set(EVENTS, 0, 1) }, vec![eventfd()], Errno::EINVAL),
        ];
        for (set, descriptors, error) in cases {
            assert_eq!(vectors.set(&set, &[1], descriptors), Err(error), "{set:?}");
        }
        let off = IrqSet { index: 0, ..set(none | flags::SET_TRIGGER, 0, 0) };
        assert_eq!(vectors.set(&off, &[], vec![]), Ok(()), "INTx can be disabled all the same");
    }

    #[test]
    fn a_full_eventfd_does_not_block() {
        let vectors = Vectors::new(1);
        let event = EventFd::from_flags(EfdFlags::empty()).unwrap();
        event.write(u64::MAX - 1).unwrap();
        let its = event.as_fd().try_clone_to_owned().unwrap();
        vectors.set(&set(EVENTS, 0, 1), &[], vec![its]).unwrap();
        vectors.interrupt(0);
        assert!(taken(&event) >= u64::MAX - 1);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Interrupt,
        Set,
        Unset,
        Mask,
        Unmask,
        DisableAll,
        Reset,
    }

    fn step() -> impl Strategy<Value = Step> {
        use Step::{DisableAll, Interrupt, Mask, Reset, Set, Unmask, Unset};
        prop::sample::select(vec![Interrupt, Interrupt, Set, Unset, Mask, Unmask, DisableAll, Reset])
    }

    proptest! {
        /// After every step an interrupt that was raised has been given, or is pending for a reason.
        #[test]
        fn no_interrupt_is_lost(steps in prop::collection::vec(step(), 1..60)) {
            let vectors = Vectors::new(1);
            let (seen, _) = event();
            let (mut armed, mut masked, mut owed) = (false, false, false);
            for step in steps {
                let none = flags::SET_DATA_NONE;
                let (flags, count) = match step {
                    Step::Interrupt => { vectors.interrupt(0); owed = true; (0, 0) }
                    Step::Reset => { vectors.reset(); (masked, owed) = (false, false); (0, 0) }
                    Step::Set => { armed = true; (EVENTS, 1) }
                    Step::Unset => { armed = false; (EVENTS, 1) }
                    Step::Mask => { masked = true; (none | flags::SET_MASK, 1) }
                    Step::Unmask => { masked = false; (none | flags::SET_UNMASK, 1) }
                    Step::DisableAll => { (armed, masked) = (false, false); (none | flags::SET_TRIGGER, 0) }
                };
                if flags != 0 {
                    let event = matches!(step, Step::Set).then(|| seen.as_fd().try_clone_to_owned().unwrap());
                    vectors.set(&set(flags, 0, count), &[], event.into_iter().collect()).unwrap();
                }
                let given = owed && armed && !masked;
                prop_assert_eq!(taken(&seen), u64::from(given));
                owed &= !given;
                prop_assert_eq!(vectors.is_pending(0), owed);
            }
        }
    }
}
