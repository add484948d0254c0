// SPDX-License-Identifier: MIT OR Apache-2.0
//! What lies where in the client's device addresses.

use super::file::MappedFile;
use crate::wire::MAX_MAPS;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Which way an access goes, seen from the device.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Read,
    Write,
}

/// Where the bytes of a region are.
#[derive(Clone)]
pub enum Backing {
    /// In a file, from this offset on.
    File(Rc<MappedFile>, u64),
    /// In the client: it is asked by message.
    Client,
}

impl Backing {
    /// That of what lies `bytes` further on.
    fn skip(&self, bytes: u64) -> Self {
        match self {
            Self::File(file, offset) => Self::File(file.clone(), offset + bytes),
            Self::Client => Self::Client,
        }
    }
}

/// A region; its first address is its key.
#[derive(Clone)]
pub struct Region {
    pub last: u64,
    pub read: bool,
    pub write: bool,
    pub backing: Backing,
}

/// The part of an access that lies in one region.
pub struct Piece {
    pub len: usize,
    pub backing: Backing,
}

/// Regions by their first address; none overlaps another.
#[derive(Default)]
pub struct Regions {
    regions: BTreeMap<u64, Region>,
}

impl Regions {
    /// Whether nothing of `first ..= last` is mapped, and there is room for one more.
    ///
    /// # Errors
    /// EEXIST, ENOSPC.
    pub fn check_free(&self, first: u64, last: u64) -> Result<(), Errno> {
        if self.regions.range(..=last).next_back().is_some_and(|(_, region)| region.last >= first) {
            return Err(Errno::EEXIST);
        }
        if self.regions.len() >= MAX_MAPS { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    /// Adds a region where [`check_free`](Self::check_free) found room.
    pub fn insert(&mut self, first: u64, region: Region) {
        self.regions.insert(first, region);
    }

    /// Takes `first ..= last` away. Regions that lie in it in part keep what does not.
    ///
    /// # Errors
    /// ENOSPC if a region would fall into two, and one more is too many. Nothing is done then.
    pub fn remove(&mut self, first: u64, last: u64) -> Result<(), Errno> {
        let before = self.regions.range(..first).next_back().filter(|(_, region)| region.last >= first);
        if let Some((&start, region)) = before {
            let behind = (region.last > last)
                .then(|| Region { backing: region.backing.skip(last + 1 - start), ..region.clone() });
            if behind.is_some() && self.regions.len() >= MAX_MAPS {
                return Err(Errno::ENOSPC);
            }
            let region = self.regions.get_mut(&start).expect("it was found");
            region.last = first - 1;
            if let Some(behind) = behind {
                self.regions.insert(last + 1, behind);
                return Ok(());
            }
        }
        let within: Vec<u64> = self.regions.range(first..=last).map(|(start, _)| *start).collect();
        for start in within {
            let region = self.regions.remove(&start).expect("it was listed");
            if region.last > last {
                let behind = Region { backing: region.backing.skip(last + 1 - start), ..region };
                self.regions.insert(last + 1, behind);
            }
        }
        Ok(())
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.regions.clear();
    }

    /// The start of an access to `len` bytes, 1 or more: as many of them as lie in one region; none if the first does not, or not so that the
    /// access is allowed.
    pub fn piece(&self, address: u64, len: usize, direction: Direction) -> Option<Piece> {
        let (&start, region) = self.regions.range(..=address).next_back()?;
        let allowed = match direction {
            Direction::Read => region.read,
            Direction::Write => region.write,
        };
        if address > region.last || !allowed {
            return None;
        }
        // One less, as 2^64 bytes may be left.
        let left = region.last - address;
        let len = len.min(usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1));
        Some(Piece { len, backing: region.backing.skip(address - start) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Change {
        Map { first: u64, len: u64, write: bool },
        Unmap { first: u64, len: u64 },
    }

    fn change() -> impl Strategy<Value = Change> {
        let range = || (0..60u64, 1..24u64);
        prop_oneof![
            (range(), any::<bool>()).prop_map(|((first, len), write)| Change::Map { first, len, write }),
            range().prop_map(|(first, len)| Change::Unmap { first, len }),
        ]
    }

    fn region(last: u64, write: bool) -> Region {
        Region { last, read: true, write, backing: Backing::Client }
    }

    proptest! {
        /// Against one entry per address. The addresses lie at the end of what there is, where sums overflow.
        #[test]
        fn regions_are_what_was_mapped_last(changes in prop::collection::vec(change(), 1..40)) {
            const BASE: u64 = u64::MAX - 63;
            let mut model = [None; 64];
            let mut regions = Regions::default();
            for change in changes {
                let (first, len) = match change {
                    Change::Map { first, len, .. } | Change::Unmap { first, len } => (first, len.min(64 - first)),
                };
                let (last, addresses) = (BASE + first + len - 1, first as usize..(first + len) as usize);
                if let Change::Map { write, .. } = change {
                    let free = model[addresses.clone()].iter().all(Option::is_none);
                    prop_assert_eq!(regions.check_free(BASE + first, last), if free { Ok(()) } else { Err(Errno::EEXIST) });
                    if free {
                        regions.insert(BASE + first, region(last, write));
                        model[addresses].fill(Some(write));
                    }
                } else {
                    regions.remove(BASE + first, last).unwrap();
                    model[addresses].fill(None);
                }
                for (at, expected) in model.iter().enumerate() {
                    let address = BASE + at as u64;
                    let found = |direction| regions.piece(address, 1, direction).map(|piece| piece.len);
                    prop_assert_eq!(found(Direction::Read), expected.map(|_| 1));
                    prop_assert_eq!(found(Direction::Write), expected.filter(|write| *write).map(|_| 1));
                    if let Some(piece) = regions.piece(address, 64, Direction::Read) {
                        prop_assert!(model[at..at + piece.len].iter().all(|there| there == expected));
                    }
                }
            }
        }
    }

    #[test]
    fn all_of_the_address_space_is_one_region() {
        let mut regions = Regions::default();
        regions.insert(0, region(u64::MAX, true));
        assert_eq!(regions.piece(0, usize::MAX, Direction::Read).unwrap().len, usize::MAX);
        assert_eq!(regions.piece(u64::MAX, 5, Direction::Write).unwrap().len, 1);
        regions.remove(0, u64::MAX).unwrap();
        assert!(regions.piece(5, 1, Direction::Read).is_none());
    }

    #[test]
    fn holes_do_not_make_more_regions_than_a_client_may_have() {
        let mut regions = Regions::default();
        regions.insert(0, region(u64::MAX, true));
        for hole in 1..MAX_MAPS as u64 {
            regions.remove(2 * hole, 2 * hole).unwrap();
        }
        assert_eq!(regions.remove(1 << 40, 1 << 40), Err(Errno::ENOSPC));
        assert_eq!(regions.check_free(2, 2), Err(Errno::ENOSPC));
        assert!(regions.piece(1 << 40, 1, Direction::Read).is_some(), "nothing was done");
        regions.remove(0, 1 << 40).unwrap();
        assert_eq!(regions.check_free(2, 2), Ok(()));
    }
}
