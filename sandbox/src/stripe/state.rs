//! What handlers and deliveries share. In: a deed. Out: the world, changed or looked at, one deed after the other; the events that
//! it caused are on their way.

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::lock::lock;

/// One running fake Stripe, as its handlers and deliveries see it.
pub(crate) struct Stripe {
    world: Mutex<World>,
    pub(crate) client: reqwest::Client,
    /// Cancelled when the sandbox ends, and with it every delivery.
    pub(crate) stop: CancellationToken,
}

impl Stripe {
    /// With this world; deliveries go through this client and end with `stop`.
    pub(crate) fn new(world: World, client: reqwest::Client, stop: CancellationToken) -> Self {
        Self { world: Mutex::new(world), client, stop }
    }

    /// Looks at or changes the world, then sends the events that the change caused.
    pub(crate) fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut World) -> T) -> T {
        let (outcome, events) = {
            let mut world = lock(&self.world);
            let outcome = act(&mut world);
            (outcome, std::mem::take(&mut world.outbox))
        };
        self.dispatch(events);
        outcome
    }
}
