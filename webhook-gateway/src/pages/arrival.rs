//! `/roles/{guild}/events`: tells a page that what it shows has changed. In: what it shows. Out: an event stream
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>) with one event, or none after some seconds: the browser then asks
//! again, as it does whenever a stream ends.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::{domain::claim::Arrival, http::problem::Problem, ids::GuildId};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Pages,
    log_in::{Pairs, single},
    visitor::{Visitor, visitor},
};
use crate::http::error;

/// How long one is waited for: shorter than a request may take, and than proxies let a connection be silent.
const WAITS: Duration = Duration::from_secs(20);
/// Between two looks at our rows.
const LOOKS: Duration = Duration::from_secs(1);
/// Of all pages that are open: each costs a small query a second. Whoever comes later looks again by themselves.
pub const AT_ONCE: usize = 200;

/// At once: the page opens itself again, and waits for the next.
const CHANGED: &str = "event: changed\ndata:\n\n";
/// The browser asks again after a second.
const SO_STILL: &str = "retry: 1000\n: nothing has changed\n\n";

/// `shown`: [`Arrival::word`] of what the page says.
pub async fn events(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Problem> {
    let guild: GuildId = guild.parse().map_err(|_| error::NOT_FOUND)?;
    let shown = single(&query, "shown").ok_or(error::NOT_FOUND)?;
    let (somebody, cookie) = match visitor(&pages.sessions, &headers).await? {
        // Nothing to ask again for: the page itself says that they are to log in.
        Visitor::Nobody(_) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Visitor::Somebody(somebody, cookie) => (somebody, cookie),
    };
    let Ok(_permit) = pages.watching.try_acquire() else {
        return Ok(stream(SO_STILL, cookie));
    };
    let until = Instant::now() + WAITS;
    loop {
        let (how, _) = pages.arrival(guild, somebody.user()).await?;
        if how.word() != shown {
            return Ok(stream(CHANGED, cookie));
        }
        if Instant::now() + LOOKS >= until {
            sleep_until(until).await;
            return Ok(stream(SO_STILL, cookie));
        }
        sleep(LOOKS).await;
    }
}

/// Where the page hears of it.
pub(super) fn path(guild: GuildId, shown: Arrival) -> String {
    format!("/roles/{guild}/events?shown={}", shown.word())
}

fn stream(said: &'static str, cookie: Option<HeaderValue>) -> Response {
    let mut response = ([(header::CONTENT_TYPE, "text/event-stream")], said).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
