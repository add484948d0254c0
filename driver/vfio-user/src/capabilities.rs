// SPDX-License-Identifier: MIT OR Apache-2.0
//! The capabilities in `VFIO_USER_VERSION`: JSON behind the version, with a NUL at its end.

use crate::wire::{DEFAULT_DESCRIPTORS, MAX_DESCRIPTORS, MAX_MAPS, MAX_TRANSFER, PAGE};
use serde::{Deserialize, Serialize};

/// What an end says of itself, with the protocol's defaults for what it leaves out. What we do not know is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Descriptors that it takes with one message.
    pub max_msg_fds: u64,
    /// Bytes of a region or of memory that it moves with one message.
    pub max_data_xfer_size: u64,
    /// Maps that it holds at once.
    pub max_dma_maps: u64,
    /// Sizes of pages that maps are made of, or'ed.
    pub pgsizes: u64,
    /// It knows `VFIO_USER_REGION_WRITE_MULTI`.
    pub write_multiple: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            max_msg_fds: DEFAULT_DESCRIPTORS as u64,
            max_data_xfer_size: MAX_TRANSFER as u64,
            max_dma_maps: MAX_MAPS as u64,
            pgsizes: PAGE,
            write_multiple: false,
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct VersionData {
    capabilities: Capabilities,
}

impl Capabilities {
    /// Ours.
    pub fn ours() -> Self {
        Self { max_msg_fds: MAX_DESCRIPTORS as u64, write_multiple: true, ..Self::default() }
    }

    /// From what follows the version; nothing is all defaults.
    ///
    /// # Errors
    /// If it is not JSON of the specified form, or nothing could be moved at all.
    pub fn parse(data: &[u8]) -> Result<Self, String> {
        let text = data.strip_suffix(&[0]).unwrap_or(data);
        if text.is_empty() {
            return Ok(Self::default());
        }
        let data: VersionData = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match data.capabilities.max_data_xfer_size {
            0 => Err("`max_data_xfer_size` is 0".to_owned()),
            _ => Ok(data.capabilities),
        }
    }

    /// What follows the version.
    pub fn encode(&self) -> Vec<u8> {
        let data = VersionData { capabilities: self.clone() };
        let mut text = serde_json::to_vec(&data).expect("numbers under names");
        text.push(0);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_left_out_has_the_default_of_the_specification() {
        let defaults = Capabilities {
            max_msg_fds: 1,
            max_data_xfer_size: 1_048_576,
            max_dma_maps: 65_535,
            pgsizes: 4_096,
            write_multiple: false,
        };
        for text in ["", "\0", "{}", "{}\0", r#"{"capabilities":{}}"#] {
            assert_eq!(Capabilities::parse(text.as_bytes()).as_ref(), Ok(&defaults), "{text:?}");
        }
        let text =
            br#"{"capabilities":{"max_msg_fds":8,"twin_socket":{"supported":true},"write_multiple":true},"x":[]}"#;
        assert_eq!(
            Capabilities::parse(text),
            Ok(Capabilities { max_msg_fds: 8, write_multiple: true, ..defaults }),
            "and what we do not know is left alone"
        );
    }

    #[test]
    fn wrong_ones_are_refused() {
        let wrong = [
            "{",
            "[]x",
            r#"{"capabilities":1}"#,
            r#"{"capabilities":{"max_msg_fds":-1}}"#,
            r#"{"capabilities":{"max_msg_fds":"8"}}"#,
            r#"{"capabilities":{"max_data_xfer_size":0}}"#,
        ];
        for text in wrong {
            assert!(Capabilities::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Capabilities::parse(&[b'['; 100_000]).is_err(), "nor does nesting end the process");
    }

    #[test]
    fn ours_are_read_as_they_were_written() {
        let bytes = Capabilities::ours().encode();
        assert_eq!(bytes.last(), Some(&0));
        assert_eq!(Capabilities::parse(&bytes), Ok(Capabilities::ours()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_capabilities_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Capabilities::parse(&bytes);
        }
    }
}
