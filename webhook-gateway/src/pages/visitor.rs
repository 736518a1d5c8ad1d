//! Who opens a page. In: the request's cookies. Out: a [`Visitor`], and what the answer sets; or that it cannot be told now.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use shared::{
    http::{
        origin::{HostCookie, SameSite},
        problem::Problem,
    },
    sessions::{Resumed, SessionError, Sessions, Subscriber},
    views::login::LoggedOut,
};

use super::answer::Answer;
use crate::login::destination::Destination;

/// Strict: no other site's link, form or frame comes with it.
pub(super) const SESSION: HostCookie = HostCookie::new("session", SameSite::Strict);
/// Lax: Discord's answer is a link from another site, and has to come with it.
pub(super) const LOGIN: HostCookie = HostCookie::new("oauth", SameSite::Lax);

/// Strict, too: the page that finds an offer is opened from our own.
pub(super) const OFFER: HostCookie = HostCookie::new("offer", SameSite::Strict);

pub(super) const UNAVAILABLE: Problem = Problem {
    retry_after: Some(std::time::Duration::from_secs(5)),
    ..Problem::new(
        "pages_unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "This page is not available",
        "Nothing has changed. Try again in a moment.",
    )
};

/// A form that is not of this session, or has no token.
pub(super) const FOREIGN_FORM: Problem = Problem::new(
    "foreign_form",
    StatusCode::FORBIDDEN,
    "This form is too old",
    "You have logged in again since it was shown, or it is not ours. Open the page again.",
);

pub(super) enum Visitor {
    /// With the cookie that replaces theirs.
    Somebody(Subscriber, Option<HeaderValue>),
    Nobody(LoggedOut),
}

pub(super) fn unavailable(error: &SessionError) -> Problem {
    tracing::warn!(%error, "who opens a page cannot be told");
    UNAVAILABLE
}

/// A value of our own making is always one that a cookie can have.
pub(super) fn cookie(
    cookie: HostCookie,
    value: &str,
    keep: std::time::Duration,
) -> Result<HeaderValue, Problem> {
    cookie.set(value, Some(keep)).map_err(|_| UNAVAILABLE)
}

pub(super) fn cleared(cookie: HostCookie) -> Result<HeaderValue, Problem> {
    cookie.clear().map_err(|_| UNAVAILABLE)
}

pub(super) async fn visitor(sessions: &Sessions, headers: &HeaderMap) -> Result<Visitor, Problem> {
    let resumed = sessions.resume(SESSION.read(headers)).await.map_err(|error| unavailable(&error))?;
    Ok(match resumed {
        Resumed::Nobody => Visitor::Nobody(LoggedOut::Nobody),
        Resumed::Copied(user) => {
            tracing::warn!(user.id = %user, "a session's cookie was used after it had been replaced: the session is ended");
            Visitor::Nobody(LoggedOut::Copied)
        }
        Resumed::Somebody(subscriber, new) => {
            let new = new.map(|new| cookie(SESSION, &new, Sessions::KEPT)).transpose()?;
            Visitor::Somebody(subscriber, new)
        }
    })
}

/// Whether another site's page led here: then the session's cookie was not sent, whether or not there is one.
pub(super) fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// What somebody sees who is not logged in: the way in; or, where another site led here, this same page once more, as from our own.
pub(super) fn log_in_first(
    why: LoggedOut,
    headers: &HeaderMap,
    here: &Destination,
) -> Result<Answer, Problem> {
    let path = here.path();
    if SESSION.read(headers).is_none() && comes_from_elsewhere(headers) {
        return Ok(Answer::ok(shared::views::login::going_on(&path)).then(0, &path));
    }
    let page = shared::views::login::needed(why, &here.login_path());
    Ok(Answer::new(StatusCode::UNAUTHORIZED, page).cookie(cleared(SESSION)?))
}
