// SPDX-License-Identifier: MIT OR Apache-2.0
//! Host and card together, over a wire that loses.

use super::*;
use crate::archive::tests::{archive, key};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const STEP: Duration = Duration::from_millis(10);

/// A card that takes images of a key.
struct Card {
    folder: tempfile::TempDir,
    receiver: Receiver,
}

impl Card {
    fn new(seed: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::new(key(seed).verifying_key(), &folder.path().join("image"));
        Self { folder, receiver }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// What it answers to a message, and whether the file is whole then.
    fn told(&mut self, message: &Message, now: Duration) -> (Option<Vec<u8>>, bool) {
        let mut answer = None;
        let whole = self.receiver.take(message, now, |message| answer = Some(message.frame(SOURCE)));
        (answer, whole)
    }
}

/// Sends an image, of which one of `lost` frames in both directions is lost, by chance; what came of it, and the file as it was to be installed.
fn send(image: &[u8], card: &mut Card, lost: u64) -> (Outcome, Option<Vec<u8>>) {
    let (mut sender, mut now, mut file) = (Sender::new(image, 7, Duration::ZERO).unwrap(), Duration::ZERO, None);
    let mut chance = 1_u64;
    let mut is_lost = || {
        // Knuth's MMIX: the upper bits are as good as random.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33).is_multiple_of(lost)
    };
    while sender.outcome().is_none() {
        let mut answers = vec![];
        while let Some(message) = sender.next(now) {
            let frame = message.frame(SOURCE);
            if is_lost() {
                continue;
            }
            let (answer, whole) = card.told(&Message::parse(&frame).unwrap(), now);
            if whole {
                file = Some(fs::read(card.file()).unwrap());
                card.receiver.end(Ok("installed".into()));
            }
            answers.extend(answer.filter(|_| !is_lost()));
        }
        answers.iter().for_each(|frame| sender.take(&Message::parse(frame).unwrap(), now));
        now += STEP;
    }
    (sender.outcome().unwrap().clone(), file)
}

#[test]
fn an_image_arrives_whole_whatever_is_lost() {
    let image = archive("1", 300_000);
    for lost in [u64::MAX, 11, 5, 3] {
        let mut card = Card::new(1);
        let (outcome, file) = send(&image, &mut card, lost);
        assert_eq!(outcome, Outcome::Installed("installed".into()), "one of {lost} is lost");
        assert!(file.as_deref() == Some(&image), "one of {lost} is lost");
        assert!(!card.file().exists(), "it is left there");
    }
}

#[test]
fn nothing_of_an_image_that_is_not_signed_is_kept() {
    let image = archive("1", 300_000);
    let mut card = Card::new(2);
    let (outcome, file) = send(&image, &mut card, u64::MAX);
    let why = "the image is refused: its signature is not that of the key that this system trusts";
    assert_eq!((outcome, file), (Outcome::Refused(why.into()), None));
    assert!(!card.file().exists());
}

#[test]
fn no_more_is_taken_than_was_signed() {
    let mut image = archive("1", 10_000);
    image.resize(image.len() + 200_000, 0);
    let mut card = Card::new(1);
    let Outcome::Refused(why) = send(&image, &mut card, u64::MAX).0 else { panic!("it is taken") };
    assert!(why.starts_with("the image is refused: it has 2"), "{why}");
    assert!(!card.file().exists());
}

#[test]
fn what_is_no_image_is_refused() {
    for (image, expected) in
        [(vec![], "manifest.json"), (vec![7; 100], "manifest.json"), (archive("1", 9)[..1024].to_vec(), "manifest.sig")]
    {
        let Outcome::Refused(why) = send(&image, &mut Card::new(1), u64::MAX).0 else { panic!("it is taken") };
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_card_looks_at_an_offer_a_second_and_installs_one_image_at_a_time() {
    let (image, mut card) = (archive("1", 3000), Card::new(1));
    let offer = |transfer| Message { transfer, says: Says::Offer(image.len() as u32) };
    let says =
        |(frame, _): (Option<Vec<u8>>, bool)| frame.map(|frame| format!("{:?}", Message::parse(&frame).unwrap().says));
    assert_eq!(says(card.told(&offer(1), Duration::ZERO)).unwrap(), "Wanted(0)");
    assert_eq!(says(card.told(&offer(2), STEP)), None);
    assert_eq!(says(card.told(&offer(1), STEP)).unwrap(), "Wanted(0)");
    let second = Duration::from_secs(1);
    assert_eq!(says(card.told(&offer(2), second)).unwrap(), "Wanted(0)");
    let piece = |transfer, place, content| Message { transfer, says: Says::Piece(place, content) };
    assert!(says(card.told(&piece(1, 0, b""), second)).unwrap().contains("does not know of this transfer"));
    for (index, content) in image.chunks(LONGEST).enumerate() {
        let (frame, whole) = card.told(&piece(2, (index * LONGEST) as u32, content), second);
        assert_eq!(whole, (index + 1) * LONGEST >= image.len());
        assert!(frame.is_some());
    }
    assert_eq!(says(card.told(&offer(2), second)).unwrap(), "Installing");
    assert!(says(card.told(&offer(3), second * 9)).unwrap().contains("installs another image"));
    card.receiver.end(Err("there is no slot".into()));
    assert_eq!(says(card.told(&offer(2), second)).unwrap(), "Refused(\"there is no slot\")");
    assert_eq!(says(card.told(&offer(3), second * 9)).unwrap(), "Wanted(0)");
}

#[test]
fn a_card_that_says_nothing_is_given_up() {
    let image = archive("1", 9);
    let mut sender = Sender::new(&image, 7, Duration::ZERO).unwrap();
    let (mut now, mut offers) = (Duration::ZERO, 0);
    while sender.outcome().is_none() {
        while let Some(message) = sender.next(now) {
            assert_eq!(message.says, Says::Offer(image.len() as u32));
            offers += 1;
        }
        now += STEP;
    }
    assert_eq!(sender.outcome(), Some(&Outcome::Silent));
    assert!((5..20).contains(&offers), "{offers} offers");
}
