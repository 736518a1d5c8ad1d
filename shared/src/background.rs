//! A loop beside a service's work. In: what is done each time, which says when the next time is. Out: nothing; a stop ends it,
//! also in the middle.

use std::{future::Future, time::Duration};

use tokio_util::sync::CancellationToken;

/// What follows one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next time, after this wait.
    After(Duration),
    /// There is no more to do.
    Done,
}

/// Does it again and again, until `stop` or [`Next::Done`]. A stop drops what is being done: a transaction is rolled back.
pub async fn repeat<F: Future<Output = Next>>(stop: &CancellationToken, mut once: impl FnMut() -> F) {
    while let Some(Next::After(wait)) = stop.run_until_cancelled(once()).await {
        if !pause(stop, wait).await {
            return;
        }
    }
}

/// Waits, unless `stop` comes first: then `false`.
pub async fn pause(stop: &CancellationToken, wait: Duration) -> bool {
    stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[tokio::test]
    async fn it_is_done_until_there_is_no_more_to_do() {
        let mut left = 3;
        repeat(&CancellationToken::new(), || {
            left -= 1;
            let next = if left == 0 { Next::Done } else { Next::After(NOW) };
            async move { next }
        })
        .await;
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn a_stop_ends_a_wait_and_what_is_being_done() {
        let stop = CancellationToken::new();
        let mut times = 0;
        let waiting = repeat(&stop, || {
            times += 1;
            stop.cancel();
            async { Next::After(Duration::from_secs(3600)) }
        });
        waiting.await;
        assert_eq!(times, 1);
        let stop = CancellationToken::new();
        let hanging = repeat(&stop, || async {
            stop.cancel();
            std::future::pending().await
        });
        hanging.await;
        assert!(!pause(&stop, Duration::from_secs(3600)).await);
    }
}
