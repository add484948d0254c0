// SPDX-License-Identifier: MIT OR Apache-2.0
//! An image on its way from the host to the card, in frames between the host's function and the card's slow path. The host can offer, and nothing else: the card takes no
//! more of an image than its beginning before it has found the signature right, and no more than what was signed.
//!
//! [`Sender`] and [`Receiver`] neither wait nor know time: whoever has frames and a clock tells them.

mod message;
mod receiver;
mod sender;

pub use message::{DESTINATION, ETHERTYPE, LONGEST, Message, Says, is_ours};
pub use receiver::Receiver;
pub use sender::{Outcome, Sender};

#[cfg(test)]
mod tests;
