//! Whether the bot hears Discord. In: what each shard's connection does. Out: a sentence for `/readyz`, and a metric.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use metrics::gauge;
use shared::metrics::GATEWAY_UP;

/// Shared by all shards and by `/readyz`.
#[derive(Clone)]
pub struct Connected(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    shards: BTreeMap<u32, Shard>,
}

/// Down since when, and why; `None`: up.
type Shard = Option<(Instant, String)>;

impl Default for Connected {
    fn default() -> Self {
        let connected = Self(Arc::default());
        connected.all_down("it was not connected yet");
        connected
    }
}

impl Connected {
    /// The number of shards is not known; none is up.
    pub(super) fn all_down(&self, because: &str) {
        let mut state = self.state();
        state.shards = BTreeMap::from([(0, Some((since(&state, 0), because.to_owned())))]);
        show(&state);
    }

    /// This shard hears what happens.
    pub(super) fn up(&self, shard: u32) {
        let mut state = self.state();
        state.shards.insert(shard, None);
        show(&state);
    }

    /// This shard does not.
    pub(super) fn down(&self, shard: u32, because: String) {
        let mut state = self.state();
        let since = since(&state, shard);
        state.shards.insert(shard, Some((since, because)));
        show(&state);
    }

    /// What is wrong; `None`: nothing.
    pub fn complaint(&self) -> Option<String> {
        let state = self.state();
        let down: Vec<_> = state.shards.values().flatten().collect();
        let (since, because) = down.iter().min_by_key(|(since, _)| *since)?;
        let which = match state.shards.len() {
            1 => "The Gateway connection is down".to_owned(),
            all => format!("{} of {all} Gateway connections are down", down.len()),
        };
        let seconds = since.elapsed().as_secs();
        Some(format!(
            "{which} for {seconds} s: {because}. Role changes for payments go on; commands and members who join wait."
        ))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(state: &State, shard: u32) -> Instant {
    let known = state.shards.get(&shard).and_then(Option::as_ref);
    known.map_or_else(Instant::now, |(since, _)| *since)
}

fn show(state: &State) {
    gauge!(GATEWAY_UP).set(if state.shards.values().all(Option::is_none) { 1.0 } else { 0.0 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_silent_shard_is_said() {
        let connected = Connected::default();
        assert!(connected.complaint().unwrap().contains("not connected yet"));
        connected.up(0);
        assert_eq!(connected.complaint(), None);
        connected.up(1);
        connected.down(1, "Discord closed the connection (4000)".to_owned());
        let said = connected.complaint().unwrap();
        assert!(said.starts_with("1 of 2 Gateway connections are down for 0 s: Discord closed"), "{said}");
        connected.up(1);
        assert_eq!(connected.complaint(), None);
    }
}
