// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connection that the parts of a function share.

use millrace_vfio_user::Client;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The way to a function's server, for as long as an access takes. Who panicked meanwhile left it as a lost connection is left: the next access tells.
pub(super) fn lock(client: &Mutex<Client>) -> MutexGuard<'_, Client> {
    client.lock().unwrap_or_else(PoisonError::into_inner)
}
