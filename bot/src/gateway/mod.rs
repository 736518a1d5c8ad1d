//! The connection to Discord's Gateway: commands and hints. Kept up beside the worker, which does not need it.
//!
//! The loop is ours, and ends a connection at every end that a WebSocket can have. serenity 0.12.5's own waits for the next
//! heartbeat after some of them, busy meanwhile, and begins a refused session again every five seconds.

mod connection;
pub mod debounce;
mod dispatch;
mod end;
pub mod events;
pub mod in_order;
mod interactions;
mod pace;
mod shard;
mod state;

use std::{sync::Arc, time::Instant};

use shared::clock;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use dispatch::Dispatch;
use pace::{Pace, Way};
use shard::{Ended, Shard};

pub use dispatch::Gateway;
pub use state::Connected;

/// Stays connected until `stop`.
pub async fn run(gateway: Gateway, stop: CancellationToken) {
    let dispatch = match Dispatch::new(gateway, stop) {
        Ok(dispatch) => Arc::new(dispatch),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "no Gateway connection; role changes go on");
            return;
        }
    };
    connected(&dispatch).await;
}

/// As many shards as Discord advises; asked for again when that is not right any more.
async fn connected(dispatch: &Arc<Dispatch>) {
    let mut pace = Pace::new(Instant::now());
    while !dispatch.stop.is_cancelled() {
        let wait = pace.wait(Way::Identify, Instant::now(), clock::jitter());
        let asked = async {
            sleep(wait).await;
            shard::ask(dispatch, 0).await
        };
        let Some(advice) = dispatch.stop.run_until_cancelled(asked).await.flatten() else {
            pace.unreachable();
            continue;
        };
        let mut shards = JoinSet::new();
        for index in 0..advice.shards {
            let dispatch = Arc::clone(dispatch);
            let (total, known) = (advice.shards, (index == 0).then(|| advice.clone()));
            shards.spawn(async move { Shard::new(&dispatch, index, total, known).run().await });
        }
        while let Some(ended) = shards.join_next().await {
            match ended {
                Ok(Ended::Stopped) => {}
                // With one shard gone the others are, too: their number is part of what each of them hears.
                Ok(Ended::Reshard) => break,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        shards.shutdown().await;
        dispatch.connected.all_down("Discord wants another number of Gateway connections");
        pace.refused();
    }
}
