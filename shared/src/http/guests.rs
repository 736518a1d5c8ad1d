//! Who may stay when it is crowded. In: connections that come and go. Out: room for each newcomer, made by closing the
//! connection that has kept us waiting longest, for a request or for the rest of one; none whose whole request we have.
//!
//! Turning newcomers away instead would let whoever opens sockets first, and says little, lock everybody else out.

use std::{net::IpAddr, sync::Arc};

use tokio::task::{AbortHandle, Id};

use super::{Limits, watch::Watch};

struct Guest {
    network: IpAddr,
    watch: Arc<Watch>,
    task: AbortHandle,
}

/// The open connections, oldest first.
pub(super) struct Guests {
    limits: Limits,
    open: Vec<Guest>,
    /// How many the process can have just now, if that is fewer than the limit.
    possible: Option<usize>,
}

impl Guests {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: Vec::new(), possible: None }
    }

    /// Makes room for one more from `network`; `false` if everybody is busy.
    pub(super) fn make_room(&mut self, network: IpAddr) -> bool {
        let of_it = self.open.iter().filter(|guest| guest.network == network).count();
        if self.limits.per_network.is_some_and(|most| of_it >= most) {
            return self.close_one(|guest| guest.network == network);
        }
        let most = self.possible.unwrap_or(self.limits.connections);
        self.open.len() < most || self.close_one(|_| true)
    }

    /// Another connection could not even be opened. A quarter is closed, for the process needs files of its own too; and until half
    /// of the others have gone each newcomer takes somebody's place: trying whether there is room again would cost a pause each
    /// time, and pauses are what a crowd wants.
    pub(super) fn no_more_than_now(&mut self) {
        for _ in 0..=self.open.len() / 4 {
            self.close_one(|_| true);
        }
        self.possible = Some(self.open.len().max(1));
    }

    /// Whether that is still so.
    pub(super) fn is_short(&self) -> bool {
        self.possible.is_some()
    }

    fn close_one(&mut self, which: impl Fn(&Guest) -> bool) -> bool {
        let asked = self.open.iter().enumerate().filter(|(_, guest)| which(guest));
        let waiting = asked.filter_map(|(place, guest)| Some((guest.watch.phase().waits_since()?, place)));
        let Some((_, place)) = waiting.min() else { return false };
        self.open.remove(place).task.abort();
        true
    }

    pub(super) fn arrived(&mut self, network: IpAddr, watch: Arc<Watch>, task: AbortHandle) {
        self.open.push(Guest { network, watch, task });
    }

    pub(super) fn left(&mut self, task: Id) {
        self.open.retain(|guest| guest.task.id() != task);
        self.possible = self.possible.filter(|most| self.open.len() * 2 >= *most);
    }
}
