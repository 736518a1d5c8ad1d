//! State that several tasks share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic elsewhere must not turn every later call into a panic; the data is plain and stays usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
