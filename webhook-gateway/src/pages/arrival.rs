//! `/roles/{guild}/events`: tells a page that what it shows has changed. In: what it shows. Out: an event stream
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>) with one event, or none after some seconds: the browser then asks
//! again, as it does whenever a stream ends.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::{
    domain::claim::{Arrival, Presence, arrival},
    http::problem::Problem,
    ids::{GuildId, UserId},
};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Pages,
    log_in::{Pairs, single},
    visitor::{UNAVAILABLE, Visitor, visitor},
};
use crate::http::error;

/// How long one is waited for: shorter than a request may take, and than proxies let a connection be silent.
const WAITS: Duration = Duration::from_secs(20);
/// Between two looks at our rows.
const LOOKS: Duration = Duration::from_secs(1);

/// At once: the page opens itself again, and waits for the next.
const CHANGED: &str = "event: changed\ndata:\n\n";
/// The browser asks again after a second.
const SO_STILL: &str = "retry: 1000\n: nothing has changed\n\n";
/// After fifteen, as a page without a script does.
const SO_STILL_AND_MANY_WAIT: &str = "retry: 15000\n: nothing has changed\n\n";
/// What [`Arrival::word`] may become by not knowing whether they are in the server.
const BY_PRESENCE: [&str; 4] = ["on_the_way", "delayed", "rules", "join"];

/// `shown`: [`Arrival::word`] of what the page says.
pub async fn events(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Problem> {
    let guild: GuildId = guild.parse().map_err(|_| error::NOT_FOUND)?;
    let shown = single(&query, "shown").ok_or(error::NOT_FOUND)?;
    let (user, cookie) = match visitor(&pages.sessions, &headers).await? {
        // Nothing to ask again for: the page itself says that they are to log in.
        Visitor::Nobody(_) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Visitor::Somebody(somebody, cookie) => (somebody.user(), cookie),
    };
    if pages.has_changed(guild, user, &shown).await? {
        return Ok(stream(CHANGED, cookie));
    }
    let Some(_watching) = pages.watchers.join(user) else {
        return Ok(stream(SO_STILL_AND_MANY_WAIT, cookie));
    };
    let until = Instant::now() + WAITS;
    while Instant::now() + LOOKS < until {
        sleep(LOOKS).await;
        if pages.has_changed(guild, user, &shown).await? {
            return Ok(stream(CHANGED, cookie));
        }
    }
    sleep_until(until).await;
    Ok(stream(SO_STILL, cookie))
}

impl Pages {
    async fn has_changed(&self, guild: GuildId, user: UserId, shown: &str) -> Result<bool, Problem> {
        let progress = self.progress(guild, user).await.map_err(|error| {
            tracing::warn!(%error, "whether a page has changed cannot be told");
            UNAVAILABLE
        })?;
        let presence =
            if progress.is_waiting() { self.presences.of(guild, user).await } else { Presence::Unknown };
        // Nobody says whether they are in the server: what the page says of it stays.
        let stays = progress.is_waiting() && presence == Presence::Unknown && BY_PRESENCE.contains(&shown);
        Ok(!stays && arrival(&progress, presence).word() != shown)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_presence_decides_is_what_the_domain_says() {
        use shared::domain::claim::Progress;
        let due = Progress { customers: 1, due: 1, moving: 1, ..Progress::default() };
        let stuck = Progress { moving: 0, stuck: 1, ..due };
        for progress in [due, stuck, Progress { has_rules_to_accept: true, ..due }] {
            for presence in [Presence::Member, Presence::Absent, Presence::Unknown] {
                let word = arrival(&progress, presence).word();
                assert!(BY_PRESENCE.contains(&word), "{word}");
            }
        }
    }
}
