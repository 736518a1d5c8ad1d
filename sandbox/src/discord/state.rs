//! What all handlers share. In: a deed. Out: the world, changed or looked at, one deed after the other.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

use super::world::World;
use crate::lock::lock;

/// One running fake Discord, as its handlers see it.
pub(crate) struct Discord {
    world: Mutex<World>,
    /// Wakes those who wait for the bot to do something.
    changed: watch::Sender<()>,
    token: Option<String>,
    pub(crate) gateway_url: String,
    /// Where browsers and programs reach it, such as `http://127.0.0.1:1234`.
    pub(crate) origin: String,
}

impl Discord {
    /// Accepts this token, or any if there is none.
    pub(crate) fn new(token: Option<String>, authority: &str) -> Self {
        Self {
            world: Mutex::default(),
            changed: watch::Sender::new(()),
            token,
            gateway_url: format!("ws://{authority}/gateway"),
            origin: format!("http://{authority}"),
        }
    }

    /// Looks at or changes the world without waking anybody: for who waits themselves.
    pub(crate) fn quietly(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Tells of each change of the world from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Looks at or changes the world; gateway events leave in the order of these calls.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let outcome = act(&mut lock(&self.world));
        self.changed.send_replace(());
        outcome
    }

    /// Whether this is the bot's token, with or without the `Bot ` prefix.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        let token = token.strip_prefix("Bot ").unwrap_or(token).trim();
        match &self.token {
            Some(expected) => token == expected,
            None => !token.is_empty(),
        }
    }
}
