// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host's end.

use super::message::{LONGEST, Message, Says};
use std::time::Duration;

/// Pieces under way at once: no more than the card's ring holds beside other frames.
const WINDOW: u32 = 16;
/// After which what is not answered is sent again; twice as long each time, up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(4);
/// A card that says nothing for so long is not there.
const SILENCE: Duration = Duration::from_secs(30);

/// What came of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What the card says of the image that it has installed.
    Installed(String),
    /// Why it did not.
    Refused(String),
    /// It does not answer.
    Silent,
}

/// Sends an image.
pub struct Sender<'a> {
    image: &'a [u8],
    transfer: u32,
    /// Before this the card has all; before that all was sent. None until the card has answered the offer.
    places: Option<(u32, u32)>,
    /// All is there.
    installing: bool,
    heard: Duration,
    retry: Duration,
    /// When the next is sent again.
    due: Duration,
    outcome: Option<Outcome>,
}

impl<'a> Sender<'a> {
    /// Of an image, under a number that no other transfer had. None if it is too long for any card.
    pub fn new(image: &'a [u8], transfer: u32, now: Duration) -> Option<Self> {
        u32::try_from(image.len()).ok()?;
        Some(Self {
            image,
            transfer,
            places: None,
            installing: false,
            heard: now,
            retry: FIRST_RETRY,
            due: now,
            outcome: None,
        })
    }

    /// The next message to send now. None if there is none before [`due`](Self::due), or until the next answer.
    pub fn next(&mut self, now: Duration) -> Option<Message<'a>> {
        if now >= self.heard + SILENCE {
            self.outcome.get_or_insert(Outcome::Silent);
        }
        if self.outcome.is_some() {
            return None;
        }
        if now >= self.due {
            self.due = now + self.retry;
            self.retry = (self.retry * 2).min(LAST_RETRY);
            // What is under way is sent again, behind a question that is answered in any case.
            if let Some((acknowledged, sent)) = &mut self.places {
                *sent = *acknowledged;
            }
            return Some(self.message(Says::Offer(self.image.len() as u32)));
        }
        let (acknowledged, sent) = self.places.as_mut()?;
        let rest = &self.image[*sent as usize..];
        if self.installing || rest.is_empty() || *sent - *acknowledged >= WINDOW * LONGEST as u32 {
            return None;
        }
        let (place, piece) = (*sent, &rest[..rest.len().min(LONGEST)]);
        *sent += piece.len() as u32;
        Some(self.message(Says::Piece(place, piece)))
    }

    /// When [`next`](Self::next) has something without an answer.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Takes an answer.
    pub fn take(&mut self, message: &Message, now: Duration) {
        if message.transfer != self.transfer {
            return;
        }
        match message.says {
            Says::Wanted(place) if place as usize <= self.image.len() => self.acknowledge(place, now),
            Says::Installing => self.installing = true,
            Says::Installed(text) => self.outcome = Some(Outcome::Installed(text.into())),
            Says::Refused(why) => self.outcome = Some(Outcome::Refused(why.into())),
            // What the host says itself.
            _ => return,
        }
        self.heard = now;
    }

    /// What came of it, if it is over.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Bytes that the card has.
    pub fn acknowledged(&self) -> u32 {
        self.places.map_or(0, |(acknowledged, _)| acknowledged)
    }

    fn acknowledge(&mut self, place: u32, now: Duration) {
        match &mut self.places {
            None => self.places = Some((place, place)),
            Some((acknowledged, sent)) if place > *acknowledged => {
                *acknowledged = place;
                *sent = (*sent).max(place);
            }
            Some(_) => return,
        }
        self.retry = FIRST_RETRY;
        self.due = now + self.retry;
    }

    fn message(&self, says: Says<'a>) -> Message<'a> {
        Message { transfer: self.transfer, says }
    }
}
