//! Whose turn it is. Two cores carry two tests with peers at a time; one that measures what others would disturb runs alone.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Tests with peers at a time, where none of them has to be alone.
const AT_ONCE: usize = 2;

static FREE: Mutex<usize> = Mutex::new(AT_ONCE);
static FREED: Condvar = Condvar::new();

/// A test's place among the others, until it is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when it is dropped"]
pub struct Turn(usize);

impl Turn {
    /// Waits for a place beside others.
    pub fn beside() -> Self {
        Self::take(1)
    }

    /// Waits until nobody else runs.
    pub fn alone() -> Self {
        Self::take(AT_ONCE)
    }

    fn take(places: usize) -> Self {
        let free = FREED.wait_while(free(), |free| *free < places);
        *free.unwrap_or_else(PoisonError::into_inner) -= places;
        Self(places)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *free() += self.0;
        FREED.notify_all();
    }
}

/// A test that failed has poisoned the lock; the next one is none the worse.
fn free() -> MutexGuard<'static, usize> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}
