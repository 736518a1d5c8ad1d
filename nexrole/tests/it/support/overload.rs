//! More callers than there is room for. In: a gateway that is full. Out: room in this process to fill it, and honest events that get in
//! all the same.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::{
    signing::{event, sign},
    world::World,
};

/// An honest event may take so long in the middle of it all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Files that this process, and what it starts, may open while an overload comes from it.
const FILES: u64 = 4_096;

/// Connections that a gateway has room for.
pub(crate) fn capacity() -> usize {
    shared::http::limits::Limits::default().connections
}

/// Lets this process open [`FILES`].
#[track_caller]
pub(crate) fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|files| files < FILES) {
        let more = Rlimit { current: Some(FILES), maximum: limit.maximum };
        setrlimit(Resource::Nofile, more)
            .expect("an overload takes 4096 open files: let `ulimit -Hn` allow them");
    }
}

/// A signed event to a path, on a new connection as from Stripe; a connection that is not answered is tried again, as Stripe does.
pub(crate) async fn honest(world: &World, path: &str, secret: &str, id: &str) -> Duration {
    let began = Instant::now();
    let body = event(id, "new.type", &json!({}), false);
    loop {
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("a client");
        let request = http.post(format!("{}{path}", world.gateway_url)).body(body.clone());
        match request.header("stripe-signature", sign(&body, secret)).send().await {
            Ok(answer) if answer.status() == 200 => return began.elapsed(),
            Ok(answer) => assert_eq!(answer.status(), 503, "{id}"),
            Err(_) => {}
        }
        assert!(began.elapsed() < PATIENCE, "{id} was not answered within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
