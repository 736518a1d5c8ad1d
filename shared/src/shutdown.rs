//! Stopping: SIGTERM (a supervisor, a deploy) or Ctrl-C (a person) cancels a token; loops poll it.

use tokio::{
    signal::unix::{SignalKind, signal},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// Cancels `stop` at the first SIGTERM or SIGINT. Call it inside a runtime.
pub fn on_signal(stop: CancellationToken) {
    tokio::spawn(async move {
        let (mut term, mut int) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(term), Ok(int)) => (term, int),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "signals cannot be heard; stop the process with kill -9");
                return;
            }
        };
        tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
        tracing::info!("stopping");
        stop.cancel();
    });
}

/// Answers with the first task that panics; never, if none does.
pub async fn first_panic(tasks: &mut JoinSet<()>) -> Result<(), JoinError> {
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    std::future::pending().await
}

/// Waits for all tasks; answers with the first panic.
pub async fn all_end(mut tasks: JoinSet<()>) -> Result<(), JoinError> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        result = result.and(ended);
    }
    result
}
