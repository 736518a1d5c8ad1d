//! Connection limit: when it is reached, the connection that has kept us waiting longest, for a request or for the rest of one, is
//! closed for the new one; never one whose complete request we have.
//!
//! Refusing new connections instead would let a client that opens many sockets first, and sends little, lock all others out.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    task::{AbortHandle, Id},
    time::Instant,
};

use super::connection_state::ConnectionState;
use crate::http::limits::Limits;

/// After this long the configured limit is tried again: other processes, too, use up files, and release them.
const REDUCED_FOR: Duration = Duration::from_secs(5);

struct Connection {
    network: IpAddr,
    state: Arc<ConnectionState>,
    task: AbortHandle,
}

/// The open connections, oldest first.
pub(super) struct ConnectionLimit {
    limits: Limits,
    open: Vec<Connection>,
    /// How many the process can have, if that is fewer than configured, and until when we assume so.
    reduced: Option<(usize, Instant)>,
}

impl ConnectionLimit {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: Vec::new(), reduced: None }
    }

    /// Makes room for one more from `network`. `false`: all that could make room are being answered.
    pub(super) fn make_room(&mut self, network: IpAddr, now: Instant) -> bool {
        let from_network = self.open.iter().filter(|open| open.network == network).count();
        if self.limits.per_network.is_some_and(|most| from_network >= most) {
            return self.close_longest_waiting(|open| open.network == network);
        }
        self.reduced = self.reduced.filter(|(_, until)| now < *until);
        let most = self.reduced.map_or(self.limits.connections, |(most, _)| most);
        self.open.len() < most || self.close_longest_waiting(|_| true)
    }

    /// To be called when a connection could not be accepted for want of files or memory. A quarter is closed, since the process
    /// needs files of its own too; and for a while each new connection replaces an old one: trying each time whether there is room
    /// again would cost a pause each time, and pauses are what an attacker wants.
    pub(super) fn shrink_limit(&mut self, now: Instant) {
        for _ in 0..=self.open.len() / 4 {
            self.close_longest_waiting(|_| true);
        }
        self.reduced = Some((self.open.len().max(1), now + REDUCED_FOR));
    }

    fn close_longest_waiting(&mut self, candidate: impl Fn(&Connection) -> bool) -> bool {
        let candidates = self.open.iter().enumerate().filter(|(_, open)| candidate(open));
        let waiting =
            candidates.filter_map(|(index, open)| Some((open.state.phase().waiting_since()?, index)));
        let Some((_, index)) = waiting.min() else { return false };
        self.open.remove(index).task.abort();
        true
    }

    pub(super) fn opened(&mut self, network: IpAddr, state: Arc<ConnectionState>, task: AbortHandle) {
        self.open.push(Connection { network, state, task });
    }

    pub(super) fn closed(&mut self, task: Id) {
        self.open.retain(|open| open.task.id() != task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens one connection from `network`; returns how many are open then.
    fn open_one(limit: &mut ConnectionLimit, network: IpAddr, now: Instant) -> usize {
        assert!(
            limit.make_room(network, now),
            "all wait for us to hear more, so there is always one to close"
        );
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        limit.opened(network, Arc::new(ConnectionState::new()), task);
        limit.open.len()
    }

    #[tokio::test]
    async fn after_a_shortage_the_whole_limit_is_used_again_though_no_connection_ends() {
        let mut limit =
            ConnectionLimit::new(Limits { connections: 8, per_network: None, ..Limits::default() });
        let (network, began) = (IpAddr::from([127, 0, 0, 1]), Instant::now());
        for n in 1..=8 {
            assert_eq!(open_one(&mut limit, network, began), n);
        }
        for most in [5, 3, 2, 1] {
            limit.shrink_limit(began);
            assert_eq!(limit.open.len(), most);
            assert_eq!(open_one(&mut limit, network, began), most, "each new connection replaces an old one");
        }
        let later = began + REDUCED_FOR;
        assert_eq!(open_one(&mut limit, network, later - Duration::from_millis(1)), 1);
        for n in 2..=8 {
            assert_eq!(open_one(&mut limit, network, later), n);
        }
        assert_eq!(open_one(&mut limit, network, later), 8, "and no more than the limit");
    }
}
