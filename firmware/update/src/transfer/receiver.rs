// SPDX-License-Identifier: MIT OR Apache-2.0
//! The card's end.

use super::message::{Message, Says};
use crate::archive::{HEAD, manifest, rest};
use crate::error::At;
use crate::key::VerifyingKey;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between offers that are looked at: each may cost the test of a signature.
const PAUSE: Duration = Duration::from_secs(1);
const FORGOTTEN: &str = "the card does not know of this transfer any more: send the image again";
const BUSY: &str = "the card installs another image";

/// Takes images, one at a time, into a file.
pub struct Receiver {
    key: VerifyingKey,
    path: PathBuf,
    transfer: Option<Transfer>,
    /// When an offer was last looked at.
    offered: Option<Duration>,
}

/// An image on its way.
struct Transfer {
    number: u32,
    bytes: u32,
    state: State,
}

enum State {
    /// Its beginning, of which nothing is believed.
    Beginning(Vec<u8>),
    /// It is signed. So much of it is in the file.
    Signed(File, u32),
    /// The file is whole, and somebody else's to install.
    Whole,
    /// What came of it.
    Over(Result<String, String>),
}

impl Receiver {
    /// Takes images that are signed with this key into a file.
    pub fn new(key: VerifyingKey, path: &Path) -> Self {
        Self { key, path: path.to_owned(), transfer: None, offered: None }
    }

    /// Takes a message at a time since some moment, and hands the answer to `reply`. `true` if the file is whole with that: it is to be installed, and then
    /// [`end`](Self::end) to be called.
    pub fn take(&mut self, message: &Message, now: Duration, reply: impl FnOnce(Message)) -> bool {
        let number = message.transfer;
        let was_whole = self.is_whole();
        match message.says {
            Says::Offer(bytes) if !self.is_of(number) && !was_whole => {
                if self.offered.is_some_and(|at| now < at + PAUSE) {
                    return false;
                }
                self.offered = Some(now);
                self.transfer = Some(Transfer { number, bytes, state: State::Beginning(vec![]) });
                // One of no bytes has no piece.
                self.add(0, &[]);
            }
            Says::Offer(_) => (),
            Says::Piece(place, content) if self.is_of(number) => self.add(place, content),
            Says::Piece(..) => (),
            // What the card says itself.
            _ => return false,
        }
        reply(Message { transfer: number, says: self.answer(number) });
        self.is_whole() && !was_whole
    }

    /// What came of the file that was to be installed: what is said of it, or why it was not. The file is removed.
    pub fn end(&mut self, result: Result<String, String>) {
        let _ = std::fs::remove_file(&self.path);
        if let Some(transfer) = &mut self.transfer {
            transfer.state = State::Over(result);
        }
    }

    fn is_of(&self, number: u32) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.number == number)
    }

    fn is_whole(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| matches!(transfer.state, State::Whole))
    }

    /// How far a transfer is.
    fn answer(&self, number: u32) -> Says<'_> {
        match &self.transfer {
            Some(transfer) if transfer.number == number => transfer.says(),
            Some(Transfer { state: State::Whole, .. }) => Says::Refused(BUSY),
            _ => Says::Refused(FORGOTTEN),
        }
    }

    /// Adds a piece, if it is the next.
    fn add(&mut self, place: u32, content: &[u8]) {
        let Self { key, path, transfer: Some(transfer), .. } = self else { return };
        if transfer.received() != Some(place) || content.len() > (transfer.bytes - place) as usize {
            return;
        }
        if let Err(why) = transfer.add(content, key, path) {
            let _ = std::fs::remove_file(path);
            transfer.state = State::Over(Err(why));
        }
    }
}

impl Transfer {
    /// Bytes that are here, if more are wanted.
    fn received(&self) -> Option<u32> {
        match &self.state {
            State::Beginning(bytes) => Some(bytes.len() as u32),
            State::Signed(_, received) => Some(*received),
            State::Whole | State::Over(_) => None,
        }
    }

    fn says(&self) -> Says<'_> {
        match &self.state {
            State::Whole => Says::Installing,
            State::Over(Ok(text)) => Says::Installed(text),
            State::Over(Err(why)) => Says::Refused(why),
            State::Beginning(_) | State::Signed(..) => Says::Wanted(self.received().unwrap_or_default()),
        }
    }

    fn add(&mut self, content: &[u8], key: &VerifyingKey, path: &Path) -> Result<(), String> {
        match &mut self.state {
            State::Beginning(bytes) => {
                bytes.extend(content);
                if bytes.len() >= HEAD.min(self.bytes as usize) {
                    self.state = begin(bytes, self.bytes, key, path)?;
                }
            }
            State::Signed(file, received) => {
                file.write_all(content).at("write", path).map_err(|error| error.to_string())?;
                *received += content.len() as u32;
            }
            State::Whole | State::Over(_) => (),
        }
        if matches!(&self.state, State::Signed(_, received) if *received == self.bytes) {
            self.state = State::Whole;
        }
        Ok(())
    }
}

/// Looks at the beginning of an image of so many bytes, and keeps it if it is signed.
fn begin(beginning: &[u8], bytes: u32, key: &VerifyingKey, path: &Path) -> Result<State, String> {
    let manifest = manifest(beginning, key).map_err(|why| format!("the image is refused: {why}"))?;
    let most = HEAD as u64 + rest(&manifest);
    if u64::from(bytes) > most {
        return Err(format!("the image is refused: it has {bytes} bytes, and what was signed at most {most}"));
    }
    // What somebody else has put there is not written through.
    let _ = std::fs::remove_file(path);
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.at("make", path).map_err(|error| error.to_string())?;
    file.write_all(beginning).at("write", path).map_err(|error| error.to_string())?;
    Ok(State::Signed(file, beginning.len() as u32))
}
