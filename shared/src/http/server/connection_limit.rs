//! Who may stay when it is crowded. In: connections that come and go. Out: room for each newcomer, made by closing the
//! connection that has kept us waiting longest, for a request or for the rest of one; none whose whole request we have.
//!
//! Turning newcomers away instead would let whoever opens sockets first, and says little, lock everybody else out.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    task::{AbortHandle, Id},
    time::Instant,
};

use super::connection_state::Watch;
use crate::http::Limits;

/// After this long it is tried again whether there is room for more: files are short because of others, too, and those go.
const SHORT_FOR: Duration = Duration::from_secs(5);

struct Guest {
    network: IpAddr,
    watch: Arc<Watch>,
    task: AbortHandle,
}

/// The open connections, oldest first.
pub(super) struct Guests {
    limits: Limits,
    open: Vec<Guest>,
    /// How many the process can have, if that is fewer than the limit, and until when we believe so.
    possible: Option<(usize, Instant)>,
}

impl Guests {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: Vec::new(), possible: None }
    }

    /// Makes room for one more from `network`; `false` if everybody is busy.
    pub(super) fn make_room(&mut self, network: IpAddr, now: Instant) -> bool {
        let of_it = self.open.iter().filter(|guest| guest.network == network).count();
        if self.limits.per_network.is_some_and(|most| of_it >= most) {
            return self.close_one(|guest| guest.network == network);
        }
        self.possible = self.possible.filter(|(_, until)| now < *until);
        let most = self.possible.map_or(self.limits.connections, |(most, _)| most);
        self.open.len() < most || self.close_one(|_| true)
    }

    /// Another connection could not even be opened. A quarter is closed, for the process needs files of its own too; and for a
    /// while each newcomer takes somebody's place: trying each time whether there is room again would cost a pause each time, and
    /// pauses are what a crowd wants.
    pub(super) fn no_more_than_now(&mut self, now: Instant) {
        for _ in 0..=self.open.len() / 4 {
            self.close_one(|_| true);
        }
        self.possible = Some((self.open.len().max(1), now + SHORT_FOR));
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In: who asks to come in, and when. Out: how many are there then.
    fn comes(guests: &mut Guests, network: IpAddr, now: Instant) -> usize {
        assert!(guests.make_room(network, now), "everybody waits, so there is always somebody to close");
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        guests.arrived(network, Arc::new(Watch::new()), task);
        guests.open.len()
    }

    #[tokio::test]
    async fn after_a_shortage_there_is_room_for_all_again_though_nobody_leaves() {
        let mut guests = Guests::new(Limits { connections: 8, per_network: None, ..Limits::default() });
        let (network, began) = (IpAddr::from([127, 0, 0, 1]), Instant::now());
        for n in 1..=8 {
            assert_eq!(comes(&mut guests, network, began), n);
        }
        for most in [5, 3, 2, 1] {
            guests.no_more_than_now(began);
            assert_eq!(guests.open.len(), most);
            assert_eq!(comes(&mut guests, network, began), most, "each newcomer takes somebody's place");
        }
        let later = began + SHORT_FOR;
        assert_eq!(comes(&mut guests, network, later - Duration::from_millis(1)), 1);
        for n in 2..=8 {
            assert_eq!(comes(&mut guests, network, later), n);
        }
        assert_eq!(comes(&mut guests, network, later), 8, "and no more than the limit");
    }
}
