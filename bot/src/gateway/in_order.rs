//! Events about one subject, one after another. In: subjects, in the order in which the Gateway names them. Out: a place, whose turn
//! comes when the places before it are given up. Events are taken side by side, and again after a failure: without this a
//! leaving could be taken after the joining that followed it.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use tokio_util::sync::{CancellationToken, DropGuard};

/// Subjects whose last place was given up are forgotten when there are so many, or twice as many as are needed.
const FORGET_AT: usize = 1_000;

/// The last place of each subject.
pub struct InOrder<S>(Mutex<Places<S>>);

struct Places<S> {
    last: HashMap<S, CancellationToken>,
    forget_at: usize,
}

/// A place; dropped, it is given up.
pub struct Place {
    before: Option<CancellationToken>,
    _until: DropGuard,
}

impl<S> Default for InOrder<S> {
    fn default() -> Self {
        Self(Mutex::new(Places { last: HashMap::new(), forget_at: FORGET_AT }))
    }
}

impl<S: Eq + Hash> InOrder<S> {
    /// The next place about this subject.
    pub fn place(&self, subject: S) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.last.len() >= places.forget_at {
            places.last.retain(|_, given_up| !given_up.is_cancelled());
            places.forget_at = FORGET_AT.max(places.last.len() * 2);
        }
        let until = CancellationToken::new();
        let before = places.last.insert(subject, until.clone());
        Place { before, _until: until.drop_guard() }
    }
}

impl Place {
    /// Waits until the places before this one are given up.
    pub async fn turn(&self) {
        if let Some(before) = &self.before {
            before.cancelled().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn waits(place: &Place) -> bool {
        tokio::time::timeout(Duration::from_millis(20), place.turn()).await.is_err()
    }

    #[tokio::test]
    async fn each_subject_has_one_turn_at_a_time_in_order() {
        let places = InOrder::default();
        let (first, second, third) = (places.place(1), places.place(1), places.place(1));
        let other = places.place(2);
        assert!(!waits(&first).await && !waits(&other).await);
        assert!(waits(&second).await && waits(&third).await);
        drop(first);
        assert!(!waits(&second).await && waits(&third).await);
        drop(second);
        assert!(!waits(&third).await);
    }

    #[test]
    fn subjects_are_forgotten() {
        let places = InOrder::default();
        let kept = places.place(0);
        for subject in 0..10_000 {
            drop(places.place(subject));
        }
        assert!(places.0.lock().unwrap().last.len() <= FORGET_AT);
        drop(kept);
    }
}
