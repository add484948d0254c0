// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes and beats: the parts that MACs and the host channel share.

pub mod beat_bytes;
pub mod beat_packer;
pub mod crc32;
pub mod whole_frames;
