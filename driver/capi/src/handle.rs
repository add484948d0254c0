// SPDX-License-Identifier: MIT OR Apache-2.0
//! What C's pointers stand for.

use crate::error::Failure;
use crate::error::millrace_error::MILLRACE_E_INTERNAL;
use std::ffi::{CStr, c_char};
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A part of a handle: there until the handle is closed. The handle itself stays, so that its use is told from then on, and not undefined.
pub struct Part<T>(Mutex<Option<T>>);

/// A part in use. Others wait.
pub struct Used<'a, T>(MutexGuard<'a, Option<T>>);

impl<T> Part<T> {
    pub fn new(value: T) -> Self {
        Self(Mutex::new(Some(value)))
    }

    /// A part that comes later.
    pub fn empty() -> Self {
        Self(Mutex::new(None))
    }

    /// Puts a part in that is not there.
    pub fn fill(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// The part, as soon as no other thread uses it.
    pub fn lock(&self) -> Result<Used<'_, T>, Failure> {
        let internal = |_| Failure::new(MILLRACE_E_INTERNAL, "an earlier call with this handle ended in a panic");
        let guard = self.0.lock().map_err(internal)?;
        if guard.is_none() {
            return Err(Failure::closed());
        }
        Ok(Used(guard))
    }

    /// Takes the part out: the handle is closed. None if it was.
    pub fn close(&self) -> Option<T> {
        // What a panic left can still be dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Deref for Used<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a part in use is there")
    }
}

impl<T> DerefMut for Used<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("a part in use is there")
    }
}

/// What a pointer to a handle, or to something that is read, points to.
///
/// # Safety
/// It is NULL, or points to a value for as long as the call takes.
pub unsafe fn get<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: the caller's.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::null(name))
}

/// Writes a result where the caller wants it.
///
/// # Safety
/// `pointer` is NULL, or points to room for a value.
pub unsafe fn put<T>(pointer: *mut T, name: &str, value: T) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: the caller's.
    unsafe { pointer.write(value) };
    Ok(())
}

/// An array that is read.
///
/// # Safety
/// `pointer` is NULL, or points to `count` values for as long as the call takes.
pub unsafe fn slice<'a, T>(pointer: *const T, count: usize, name: &str) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: the caller's.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// A text.
///
/// # Safety
/// `pointer` is NULL, or points to a C string for as long as the call takes.
pub unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: the caller's.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Failure::argument(format!("`{name}` is no UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::call;
    use crate::error::millrace_error::MILLRACE_E_CLOSED;

    #[test]
    fn after_a_panic_a_handle_can_be_closed_and_no_more() {
        let part = Part::new(5);
        assert_eq!(call(|| part.lock().map(|value| *value)), 5);
        let panicked = call(|| {
            let _value = part.lock()?;
            panic!("what this test says")
        });
        assert_eq!(panicked, MILLRACE_E_INTERNAL as i32);
        assert_eq!(call(|| part.lock().map(|value| *value)), MILLRACE_E_INTERNAL as i32);
        assert_eq!(part.close(), Some(5));
        assert_eq!(part.close(), None);
    }

    #[test]
    fn a_closed_handle_is_told() {
        let part = Part::new(5);
        assert_eq!(part.close(), Some(5));
        assert_eq!(call(|| part.lock().map(|value| *value)), MILLRACE_E_CLOSED as i32);
    }

    #[test]
    fn what_is_null_is_told_by_its_name() {
        let null = std::ptr::null::<u32>();
        // SAFETY: they are NULL.
        let errors = unsafe { [get(null, "a").err(), slice(null, 1, "b").err(), put(null.cast_mut(), "c", 0).err()] };
        for (error, name) in errors.into_iter().zip(["a", "b", "c"]) {
            assert!(format!("{:?}", error.unwrap()).contains(&format!("`{name}` is NULL")));
        }
        // SAFETY: nothing is there.
        assert!(unsafe { slice(null, 0, "b") }.unwrap().is_empty());
    }
}
