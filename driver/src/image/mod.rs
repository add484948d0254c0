// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tables of a device hold, in a file: the device has no command that reads them back.
//!
//! The file outlives the process, however that ends, but it need not outlive the machine: it is of no use without the device's tables, and
//! is told from that of another time by `OWNER`, whose number is drawn anew for each image, and `GENERATION`. So nothing is ever synced to a disk.
//!
//! A command that writes tables is noted as *under way* before the device is told to start it, then the place that it writes is changed, then
//! nothing is under way any more. Whoever finds a command under way carries it out (again): each command is one write of one place.

mod contents;
mod layout;

pub(crate) use contents::{Contents, Entry};
pub(crate) use layout::Layout;

use crate::DeviceError;
use crate::owner::Owner;
use layout::{AREAS_AT, WORD};
use millrace_regs::Command;
use millrace_regs::map::DATA_WORDS;
use nix::libc::O_NOFOLLOW;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// First word of the file: "MIMG".
const MAGIC: u32 = u32::from_be_bytes(*b"MIMG");
/// Grows when the file's layout changes.
const VERSION: u32 = 2;
/// Where the command under way is: behind the header.
const UNDER_WAY_AT: usize = 16;
/// Its words: check, `COMMAND`, `INDEX`, all of `DATA`, and last, so that what is written in part is none, whether there is one.
const UNDER_WAY_WORDS: usize = 4 + DATA_WORDS as usize;

const _: () = assert!(UNDER_WAY_AT + UNDER_WAY_WORDS <= AREAS_AT);

/// All of `DATA`.
pub(crate) type Data = [u32; DATA_WORDS as usize];

/// A command that writes one place of the tables.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub command: Command,
    pub table: u8,
    pub index: u32,
    pub data: Data,
}

/// The file in which a rule manager keeps what a device's tables hold, so that a later one, of this process or another, goes on with them. A
/// file has one user at a time.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    layout: Option<Layout>,
    /// The place of a command of which it is not known whether the device carried it out.
    open: Option<(Command, u8, u32)>,
}

/// Why a file cannot be an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// It cannot be opened or made.
    #[error("cannot keep the image of the tables in {path}: {error}", path = .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// Another manager has it.
    #[error("{path}, the image of the tables, is in use: their slow path is at work", path = .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
}

impl Image {
    /// Opens the file, which is made for this user alone if there is none. What it holds is looked at when a manager gets it: a file that
    /// is no image becomes one then.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let failed = |error| ImageError::Open { path: path.to_owned(), error };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600).custom_flags(O_NOFOLLOW);
        let file = options.open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is no file")));
        }
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), file, layout: None, open: None }),
            Err(TryLockError::WouldBlock) => Err(ImageError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Whose tables it shows, and their generation, if it shows those of a device of this layout.
    pub(crate) fn bound(&self, layout: &Layout) -> Result<Option<(Owner, u32)>, DeviceError> {
        let whole = (layout.words() * WORD) as u64;
        if self.file.metadata().map_err(|error| self.failed(error))?.len() != whole {
            return Ok(None);
        }
        let header = self.read(0, UNDER_WAY_AT)?;
        let owner = Owner::new(header[2]).filter(|owner| header == binding(layout, *owner, header[3]));
        Ok(owner.map(|owner| (owner, header[3])))
    }

    /// Shows nothing any more, and is ready for cleared tables of this layout.
    pub(crate) fn clear(&mut self, layout: Layout) -> Result<(), DeviceError> {
        self.unbind()?;
        self.file.set_len(0).map_err(|error| self.failed(error))?;
        // Written, not left out, so that a full disk tells now.
        let zeros = vec![0; layout.words() * WORD];
        self.file.write_all_at(&zeros, 0).map_err(|error| self.failed(error))?;
        self.layout = Some(layout);
        Ok(())
    }

    /// From now on it shows the tables of this owner.
    pub(crate) fn bind(&mut self, owner: Owner, generation: u32) -> Result<(), DeviceError> {
        let layout = self.layout.expect("an image that was cleared");
        self.write(0, &binding(&layout, owner, generation))
    }

    /// It is not known any more what the tables hold.
    pub(crate) fn unbind(&mut self) -> Result<(), DeviceError> {
        self.write(0, &[0; UNDER_WAY_AT])
    }

    /// All that it holds, with what is under way.
    pub(crate) fn contents(&mut self, layout: Layout) -> Result<(Contents, Option<Write>), DeviceError> {
        self.layout = Some(layout);
        let under_way = self.under_way()?;
        if let Some(write) = &under_way {
            self.change(write)?;
        }
        Ok((Contents::new(layout, self.read(0, layout.words())?), under_way))
    }

    /// A command is about to be given.
    pub(crate) fn begin(&mut self, write: &Write) -> Result<(), DeviceError> {
        let place = (write.command, write.table, write.index);
        if self.open.is_some_and(|open| open != place) {
            // The device failed, and what it did is not known. The next manager clears the tables.
            self.unbind()?;
        }
        self.write(UNDER_WAY_AT, &noted(write))?;
        self.open = Some(place);
        Ok(())
    }

    /// The command that [began](Self::begin) has ended.
    pub(crate) fn end(&mut self, write: &Write) -> Result<(), DeviceError> {
        self.change(write)?;
        self.write(UNDER_WAY_AT + UNDER_WAY_WORDS - 1, &[0])?;
        self.open = None;
        Ok(())
    }

    /// The whole key that a rule is about to be inserted with.
    pub(crate) fn note_given(&mut self, rule: u16, key: &[u32]) -> Result<(), DeviceError> {
        let at = self.layout().given(rule.into());
        self.write(at.start, key)
    }

    fn layout(&self) -> &Layout {
        self.layout.as_ref().expect("an image in use")
    }

    fn change(&mut self, write: &Write) -> Result<(), DeviceError> {
        let place = self.layout().place(write.command, write.table, write.index).expect("a command that writes");
        let words = place.len();
        self.write(place.start, &write.data[..words])
    }

    /// What is noted whole; what is not had not begun.
    fn under_way(&self) -> Result<Option<Write>, DeviceError> {
        let words = self.read(UNDER_WAY_AT, UNDER_WAY_WORDS)?;
        let Some(command) = Command::from_op(words[1] & 0xf).filter(|command| command.writes()) else {
            return Ok(None);
        };
        let data = words[3..UNDER_WAY_WORDS - 1].try_into().expect("the words of DATA");
        let write = Write { command, table: (words[1] >> 8) as u8, index: words[2], data };
        Ok((words == noted(&write)).then_some(write))
    }

    fn read(&self, at: usize, words: usize) -> Result<Vec<u32>, DeviceError> {
        let mut bytes = vec![0; words * WORD];
        self.file.read_exact_at(&mut bytes, (at * WORD) as u64).map_err(|error| self.failed(error))?;
        Ok(bytes.chunks_exact(WORD).map(|word| u32::from_le_bytes(word.try_into().expect("a word"))).collect())
    }

    fn write(&self, at: usize, words: &[u32]) -> Result<(), DeviceError> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.file.write_all_at(&bytes, (at * WORD) as u64).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> DeviceError {
        DeviceError::Image { path: self.path.clone(), error }
    }
}

/// The header of an image that shows tables.
fn binding(layout: &Layout, owner: Owner, generation: u32) -> [u32; UNDER_WAY_AT] {
    let Layout { lengths, tables, slots, tcam, rules, steps } = *layout;
    let sizes = [lengths.key, lengths.step, tables, slots, tcam, rules, steps].map(|size| size as u32);
    let mut header = [0; UNDER_WAY_AT];
    header[..4].copy_from_slice(&[MAGIC, VERSION, owner.number(), generation]);
    header[4..][..sizes.len()].copy_from_slice(&sizes);
    header[UNDER_WAY_AT - 1] = check(&header[..UNDER_WAY_AT - 1]);
    header
}

/// A command that is under way.
fn noted(write: &Write) -> [u32; UNDER_WAY_WORDS] {
    let mut words = [0; UNDER_WAY_WORDS];
    words[1..3].copy_from_slice(&[write.command.word(write.table), write.index]);
    words[3..UNDER_WAY_WORDS - 1].copy_from_slice(&write.data);
    words[UNDER_WAY_WORDS - 1] = 1;
    words[0] = check(&words[1..]);
    words
}

fn check(words: &[u32]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    words.iter().for_each(|word| hasher.update(&word.to_le_bytes()));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_regs::{Key, Lengths, Step};

    fn layout() -> Layout {
        let lengths = Lengths { key: Key::WORDS + 1, step: Step::WORDS + 1 };
        Layout { lengths, tables: 2, slots: 8, tcam: 3, rules: 20, steps: 4 }
    }

    fn write(command: Command, index: u32) -> Write {
        let data = std::array::from_fn(|i| i as u32 + 100 * index + 1);
        Write { command, table: 0, index, data }
    }

    /// An image of tables that hold something, and the folder that it is in.
    fn bound() -> (tempfile::TempDir, Image) {
        let folder = tempfile::tempdir().unwrap();
        let mut image = Image::open(&folder.path().join("image")).unwrap();
        image.clear(layout()).unwrap();
        image.bind(Owner::MILLRACE, 7).unwrap();
        image.begin(&write(Command::WriteStep, 1)).unwrap();
        image.end(&write(Command::WriteStep, 1)).unwrap();
        (folder, image)
    }

    #[test]
    fn areas_do_not_overlap() {
        let l = layout();
        let mut ends = vec![AREAS_AT];
        let places = (0..2).map(|table| l.mask(table));
        let places = places.chain((0..2).flat_map(|table| (0..8).map(move |slot| l.slot(table, slot))));
        let places = places.chain((0..3).map(|n| l.tcam_entry(n))).chain((0..20).map(|n| l.action(n)));
        for place in places.chain((0..4).map(|n| l.step(n))).chain((0..20).map(|n| l.given(n))) {
            assert_eq!(place.start, ends.pop().unwrap());
            ends.push(place.end);
        }
        assert_eq!(ends, [l.words()]);
    }

    #[test]
    fn a_file_has_one_user_at_a_time() {
        let (folder, image) = bound();
        let path = folder.path().join("image");
        let error = Image::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("image, the image of the tables, is in use: their slow path is at work"), "{error}");
        drop(image);
        Image::open(&path).unwrap();
        let error = Image::open(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("cannot keep the image of the tables in "), "{error}");
    }

    #[test]
    fn what_it_shows_is_told_from_what_it_does_not() {
        let (_folder, mut image) = bound();
        assert_eq!(image.bound(&layout()).unwrap(), Some((Owner::MILLRACE, 7)));
        assert_eq!(image.bound(&Layout { tcam: 2, ..layout() }).unwrap(), None);
        // The same number of words.
        assert_eq!(image.bound(&Layout { rules: 18, steps: 5, ..layout() }).unwrap(), None);
        image.unbind().unwrap();
        assert_eq!(image.bound(&layout()).unwrap(), None);
        image.bind(Owner::MILLRACE, 8).unwrap();
        image.file.write_all_at(&[1], 8).unwrap();
        assert_eq!(image.bound(&layout()).unwrap(), None, "half written");
        image.file.set_len(3).unwrap();
        assert_eq!(image.bound(&layout()).unwrap(), None, "cut");
    }

    #[test]
    fn a_command_that_was_under_way_is_found() {
        let next = write(Command::WriteStep, 2);
        for ended in [false, true] {
            let (_folder, mut image) = bound();
            image.begin(&next).unwrap();
            if ended {
                image.change(&next).unwrap();
            }
            let (contents, under_way) = image.contents(layout()).unwrap();
            assert_eq!(under_way, Some(next));
            assert_eq!(contents.step(2), next.data[..Step::WORDS]);
            assert_eq!(contents.step(1), write(Command::WriteStep, 1).data[..Step::WORDS]);
        }
    }

    #[test]
    fn a_command_that_was_not_noted_whole_had_not_begun() {
        let next = write(Command::WriteStep, 2);
        for words in 0..UNDER_WAY_WORDS {
            let (_folder, mut image) = bound();
            image.write(UNDER_WAY_AT, &noted(&next)[..words]).unwrap();
            let (contents, under_way) = image.contents(layout()).unwrap();
            // The words before were those of another command.
            assert_eq!(under_way, None, "{words}");
            assert_eq!((contents.step(2), contents.step(1)[0]), ([0; Step::WORDS], 101));
        }
    }

    #[test]
    fn what_a_failed_command_left_is_not_guessed() {
        let failed = write(Command::WriteStep, 2);
        let (_folder, mut image) = bound();
        image.begin(&failed).unwrap();
        image.begin(&failed).unwrap();
        image.end(&failed).unwrap();
        assert!(image.bound(&layout()).unwrap().is_some(), "the place was written again");
        image.begin(&failed).unwrap();
        image.begin(&write(Command::WriteStep, 3)).unwrap();
        assert_eq!(image.bound(&layout()).unwrap(), None);
    }
}
