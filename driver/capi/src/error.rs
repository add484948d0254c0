// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors: a code, and a text. No panic leaves the library.

use millrace_driver::vfio_user::AttachError;
use millrace_driver::virtio::VirtioError;
use millrace_driver::{ActionError, DeviceError, RuleError};
use millrace_vfio_user::ClientError;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt::{self, Display};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a call failed: what it gives is 0 or a number of things, or one of these.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum millrace_error {
    /// An argument is NULL that must not be, or has a value that it cannot have.
    MILLRACE_E_ARGUMENT = -1,
    /// There is no such device or function, or this process may not have it.
    MILLRACE_E_NO_DEVICE = -2,
    /// What is there is no Millrace device, another function of one, or of a version that this library does not know.
    MILLRACE_E_FOREIGN = -3,
    /// Somebody else has it: the function, the tables, or the representor.
    MILLRACE_E_BUSY = -4,
    /// The function did what it must not, stopped, or cannot be reached any more: close it, and open it again.
    MILLRACE_E_DEVICE = -5,
    /// The tables were cleared or taken over by somebody else: the rules of this device are gone.
    MILLRACE_E_TABLES_LOST = -6,
    /// No memory, no buffer, or no file descriptor is left.
    MILLRACE_E_NO_MEMORY = -7,
    /// The tables, or the steps of action programs, have no room.
    MILLRACE_E_FULL = -8,
    /// There is a rule with this key and mask.
    MILLRACE_E_EXISTS = -9,
    /// There is no such rule, vport, or function.
    MILLRACE_E_NOT_FOUND = -10,
    /// The hardware, this backend, or this build of the library cannot do it.
    MILLRACE_E_UNSUPPORTED = -11,
    /// The handle was closed.
    MILLRACE_E_CLOSED = -12,
    /// The handle belongs to another thread: of device `embedded`.
    MILLRACE_E_THREAD = -13,
    /// The library is wrong: this call, or an earlier one with this handle, ended in a panic.
    MILLRACE_E_INTERNAL = -14,
}

use millrace_error::*;

/// What a call that failed tells.
#[derive(Debug)]
pub struct Failure {
    code: millrace_error,
    text: String,
}

impl Failure {
    pub fn new(code: millrace_error, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub fn argument(text: impl Into<String>) -> Self {
        Self::new(MILLRACE_E_ARGUMENT, text)
    }

    pub fn foreign(what: impl Display, found: impl Display) -> Self {
        Self::new(MILLRACE_E_FOREIGN, format!("{what}: {found}"))
    }

    pub fn no_descriptor(error: io::Error) -> Self {
        Self::new(MILLRACE_E_NO_MEMORY, format!("there is no file descriptor to wait for: {error}"))
    }

    pub fn closed() -> Self {
        Self::new(MILLRACE_E_CLOSED, "the handle was closed")
    }

    pub fn null(name: &str) -> Self {
        Self::argument(format!("`{name}` is NULL"))
    }
}

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::default();
}

/// What belongs to one thread was used in another.
#[derive(Debug)]
pub struct WrongThread;

impl Display for WrongThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handle of device `embedded` was used in another thread than that which opened it")
    }
}

impl std::error::Error for WrongThread {}

impl From<WrongThread> for Failure {
    fn from(error: WrongThread) -> Self {
        Self::new(MILLRACE_E_THREAD, error.to_string())
    }
}

/// Carries out a call: what it gives, or its error's code.
pub fn call(body: impl FnOnce() -> Result<c_int, Failure>) -> c_int {
    let panicked =
        |_| Err(Failure::new(MILLRACE_E_INTERNAL, "the library panicked: what it said is on the standard error"));
    match catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(panicked) {
        Ok(value) => value,
        Err(Failure { code, text }) => {
            let text = CString::new(text.replace('\0', " ")).expect("there is no 0 left");
            MESSAGE.with_borrow_mut(|message| *message = text);
            code as c_int
        }
    }
}

/// A number of things.
pub fn count(count: usize) -> Result<c_int, Failure> {
    c_int::try_from(count).map_err(|_| Failure::argument("more than an int counts"))
}

/// What the last call that failed in this thread tells: one line, without a full stop. Empty if none did. It is valid until the next one fails in this thread.
#[unsafe(no_mangle)]
pub extern "C" fn millrace_error_message() -> *const c_char {
    // What was thrown away with the thread is told of by nothing.
    MESSAGE.try_with(|message| message.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// What a code means; of a number that is none, that it is none. Valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn millrace_strerror(code: c_int) -> *const c_char {
    let all = [
        (MILLRACE_E_ARGUMENT, c"an argument has a value that it cannot have"),
        (MILLRACE_E_NO_DEVICE, c"there is no such device"),
        (MILLRACE_E_FOREIGN, c"this is not what was asked for, or of a version that the library does not know"),
        (MILLRACE_E_BUSY, c"somebody else has it"),
        (MILLRACE_E_DEVICE, c"the device failed"),
        (MILLRACE_E_TABLES_LOST, c"the tables were cleared or taken over"),
        (MILLRACE_E_NO_MEMORY, c"no memory is left"),
        (MILLRACE_E_FULL, c"the tables are full"),
        (MILLRACE_E_EXISTS, c"there is such a rule"),
        (MILLRACE_E_NOT_FOUND, c"there is no such thing"),
        (MILLRACE_E_UNSUPPORTED, c"this cannot be done"),
        (MILLRACE_E_CLOSED, c"the handle was closed"),
        (MILLRACE_E_THREAD, c"the handle belongs to another thread"),
        (MILLRACE_E_INTERNAL, c"the library is wrong"),
    ];
    let none: &CStr = if code >= 0 { c"no error" } else { c"there is no such error" };
    all.iter().find(|(error, _)| *error as c_int == code).map_or(none, |(_, text)| *text).as_ptr()
}

impl From<ActionError> for Failure {
    fn from(error: ActionError) -> Self {
        Self::new(MILLRACE_E_UNSUPPORTED, error.to_string())
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        let code = match error {
            DeviceError::NotMillrace(_) | DeviceError::Version { .. } | DeviceError::Config { .. } => {
                MILLRACE_E_FOREIGN
            }
            DeviceError::Owned { .. } => MILLRACE_E_BUSY,
            DeviceError::TablesLost { .. } => MILLRACE_E_TABLES_LOST,
            DeviceError::Backend(ref error) if error.is::<WrongThread>() => MILLRACE_E_THREAD,
            _ => MILLRACE_E_DEVICE,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RuleError> for Failure {
    fn from(error: RuleError) -> Self {
        let code = match error {
            RuleError::Device(error) => return error.into(),
            RuleError::Duplicate(_) => MILLRACE_E_EXISTS,
            RuleError::NoSuchRule(_) => MILLRACE_E_NOT_FOUND,
            RuleError::TableFull { .. }
            | RuleError::NoFreeTable { .. }
            | RuleError::TcamFull { .. }
            | RuleError::NoRuleId { .. }
            | RuleError::NoSteps { .. } => MILLRACE_E_FULL,
            _ => MILLRACE_E_UNSUPPORTED,
        };
        Self::new(code, error.to_string())
    }
}

impl From<VirtioError> for Failure {
    fn from(error: VirtioError) -> Self {
        let code = match error {
            VirtioError::NotHandedOut(_)
            | VirtioError::OutsideBuffer { .. }
            | VirtioError::Settings(_)
            | VirtioError::BufferTooSmall { .. } => MILLRACE_E_ARGUMENT,
            VirtioError::NotOffered { .. } | VirtioError::QueueCount { .. } | VirtioError::QueueSize { .. } => {
                MILLRACE_E_FOREIGN
            }
            VirtioError::Transport { ref error, .. } if error.is::<WrongThread>() => MILLRACE_E_THREAD,
            VirtioError::Memory { .. } => MILLRACE_E_NO_MEMORY,
            _ => MILLRACE_E_DEVICE,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(client(&error), error.to_string())
    }
}

fn client(error: &ClientError) -> millrace_error {
    match error {
        ClientError::Connect { .. } => MILLRACE_E_NO_DEVICE,
        ClientError::NotVfioUser { .. } | ClientError::Version { .. } => MILLRACE_E_FOREIGN,
        ClientError::TurnedAway(_) => MILLRACE_E_BUSY,
        ClientError::Memory { .. } => MILLRACE_E_NO_MEMORY,
        _ => MILLRACE_E_DEVICE,
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        let code = match &error {
            AttachError::Client(error) => client(error),
            AttachError::NotMillrace { .. } => MILLRACE_E_FOREIGN,
            AttachError::Event(_) => MILLRACE_E_NO_MEMORY,
            _ => MILLRACE_E_DEVICE,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
impl From<millrace_driver::vfio::VfioError> for Failure {
    fn from(error: millrace_driver::vfio::VfioError) -> Self {
        use millrace_driver::vfio::Problem;
        let code = match &error.problem {
            Problem::NotMillrace(_) => MILLRACE_E_FOREIGN,
            Problem::Open { error, .. } if error.kind() == std::io::ErrorKind::ResourceBusy => MILLRACE_E_BUSY,
            Problem::Memory { .. } | Problem::NoAddresses { .. } => MILLRACE_E_NO_MEMORY,
            Problem::Refused { .. } => MILLRACE_E_DEVICE,
            _ => MILLRACE_E_NO_DEVICE,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> String {
        // SAFETY: a string of this thread, which fails in no call meanwhile.
        unsafe { CStr::from_ptr(millrace_error_message()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(call(|| panic!("what this test says")), MILLRACE_E_INTERNAL as c_int);
        assert!(message().contains("the library panicked"));
    }

    #[test]
    fn a_message_is_its_threads_own() {
        assert_eq!(call(|| Err(Failure::argument("it has \0 in it"))), -1);
        std::thread::spawn(|| assert_eq!(message(), "")).join().unwrap();
        assert_eq!(call(|| Ok(7)), 7);
        assert_eq!(message(), "it has   in it", "what went well changes nothing");
    }

    #[test]
    fn every_code_has_a_text_of_its_own() {
        // SAFETY: these strings are there for ever.
        let text = |code| unsafe { CStr::from_ptr(millrace_strerror(code)) };
        let all: Vec<_> = (MILLRACE_E_INTERNAL as c_int..=1).map(text).collect();
        let none = c"there is no such error";
        assert_eq!(text(MILLRACE_E_INTERNAL as c_int - 1), none);
        assert_eq!(all.iter().filter(|text| **text == c"no error").count(), 2);
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert!(distinct.len() == all.len() - 1 && !distinct.contains(&none));
    }
}
