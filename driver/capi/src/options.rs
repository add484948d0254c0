// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a device or a port is opened.

use crate::error::Failure;
use crate::handle::text;
use crate::version::MILLRACE_API_VERSION;
use millrace_driver::virtio::FrameSettings;
use std::ffi::c_char;
use std::path::PathBuf;

/// Bits of `flags` of `struct millrace_options`.
#[repr(C)]
pub enum millrace_flag {
    /// Let the file descriptors of device and ports become ready. Without it the function is not asked for interrupts, and costs less.
    MILLRACE_EVENTS = 1,
    /// Take the tables over from another owner, and clear them.
    MILLRACE_TAKE_OVER = 2,
}

/// How a device or a port is opened. Members that are 0 or NULL have their defaults.
#[repr(C)]
pub struct millrace_options {
    /// `MILLRACE_API_VERSION`.
    pub version: u32,
    /// `enum millrace_flag`, any of them.
    pub flags: u32,
    /// Descriptors of each virtqueue: a power of two, at most 256. 256 by default.
    pub queue_size: u32,
    /// Longest frame that a buffer holds, in bytes. 9,216 by default, the longest of any build. Longer ones are dropped by the device, and counted (`no_buffer`).
    pub frame_bytes: u32,
    /// File that keeps what the tables hold, so that who opens the device with it next has its rules. None by default: then they are cleared. Not of a port.
    pub image: *const c_char,
}

/// The same in Rust.
#[derive(Default)]
pub struct Options {
    pub settings: FrameSettings,
    pub take_over: bool,
    pub image: Option<PathBuf>,
}

impl Options {
    /// # Safety
    /// `options` is NULL or points to options.
    pub unsafe fn read(options: *const millrace_options) -> Result<Self, Failure> {
        // SAFETY: the caller's.
        let Some(options) = (unsafe { options.as_ref() }) else { return Ok(Self::default()) };
        if options.version != MILLRACE_API_VERSION {
            let version = options.version;
            let text =
                format!("`version` is {version}, not the library's MILLRACE_API_VERSION, {MILLRACE_API_VERSION}");
            return Err(Failure::argument(text));
        }
        let flag = |flag: millrace_flag| options.flags & flag as u32 != 0;
        let known = millrace_flag::MILLRACE_EVENTS as u32 | millrace_flag::MILLRACE_TAKE_OVER as u32;
        if options.flags & !known != 0 {
            return Err(Failure::argument(format!("`flags` has unknown bits: {:#x}", options.flags & !known)));
        }
        let mut settings = FrameSettings { interrupts: flag(millrace_flag::MILLRACE_EVENTS), ..Default::default() };
        if options.queue_size != 0 {
            let size = options.queue_size;
            settings.queue_size = size.try_into().map_err(|_| Failure::argument(format!("`queue_size` is {size}")))?;
        }
        if options.frame_bytes != 0 {
            settings.frame_bytes = options.frame_bytes as usize;
        }
        // SAFETY: the caller's.
        let image = (!options.image.is_null()).then(|| unsafe { text(options.image, "image") }).transpose()?;
        Ok(Self { settings, take_over: flag(millrace_flag::MILLRACE_TAKE_OVER), image: image.map(PathBuf::from) })
    }
}
