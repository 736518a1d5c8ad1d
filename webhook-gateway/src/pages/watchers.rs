//! Whose pages wait to be told of a change. In: accounts. Out: a place for each, while there is one.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use shared::ids::UserId;

/// Pages that wait at a time: each costs a small query a second. Whoever comes later looks less often.
const AT_ONCE: usize = 200;

/// Whose page waits: one of each, however many they have open.
#[derive(Default)]
pub struct Watchers(Mutex<HashSet<UserId>>);

/// A place among them, until it is dropped.
pub(super) struct Watching<'w>(&'w Watchers, UserId);

impl Watchers {
    pub(super) fn join(&self, user: UserId) -> Option<Watching<'_>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Made only then: one that is dropped gives its place back.
        (waiting.len() < AT_ONCE && waiting.insert(user)).then(|| Watching(self, user))
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64) -> UserId {
        UserId::from_u64(id).unwrap()
    }

    #[test]
    fn one_page_of_each_waits_and_so_many_of_all() {
        let watchers = Watchers::default();
        let first = watchers.join(user(1));
        assert!(first.is_some());
        for _ in 0..2 {
            assert!(watchers.join(user(1)).is_none(), "another of the same, and it takes nobody's place");
        }
        drop(first);
        let all: Vec<_> = (1..=200).map(|id| watchers.join(user(id)).unwrap()).collect();
        assert!(watchers.join(user(201)).is_none());
        drop(all);
        assert!(watchers.join(user(201)).is_some());
    }
}
