//! Logging in and out. In: browsers. Out: a session's cookie, or none.

use std::{sync::Arc, time::Duration};

use axum::{
    Form,
    extract::{Query, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shared::{
    http::problem::Problem,
    sessions::{LOGIN_LIVES, Login, Sessions, Subscriber},
    views::{
        join,
        login::{self, LoggedOut, LoginFailure},
    },
};

use super::{
    Pages,
    answer::{Answer, see_other},
    visitor::{FOREIGN_FORM, LOGIN, SESSION, Visitor, cleared, cookie, log_in_first, unavailable, visitor},
};
use crate::login::{
    destination::Destination,
    discord::{Asks, LoginError},
};

/// A query as it came: a name that is there twice has no value, for nobody can say which one counts.
pub type Pairs = Query<Vec<(String, String)>>;

pub(super) fn single(Query(pairs): &Pairs, name: &str) -> Option<String> {
    let mut found = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    found.next().filter(|_| found.next().is_none()).cloned()
}

/// A form with nothing in it but its token.
#[derive(Deserialize)]
pub struct Token {
    form_token: String,
}

/// Whether a form was made by this session.
pub(super) fn check_form(
    form: Result<Form<Token>, FormRejection>,
    subscriber: &Subscriber,
) -> Result<(), Problem> {
    let Form(form) = form.map_err(|_| FOREIGN_FORM)?;
    check_token(&form.form_token, subscriber)
}

/// Whether this stands in forms of this session.
pub(super) fn check_token(form_token: &str, subscriber: &Subscriber) -> Result<(), Problem> {
    if subscriber.sent(form_token) { Ok(()) } else { Err(FOREIGN_FORM) }
}

/// Sends the browser to Discord. `next`: where to go afterwards, if that is one of our pages. `as=other`: although somebody is logged in.
pub async fn begin(
    State(pages): State<Arc<Pages>>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Problem> {
    let next = single(&query, "next").and_then(|next| Destination::parse(&next));
    let next = next.unwrap_or(Destination::Account);
    let Some(discord) = &pages.discord else {
        let page = login::failed(LoginFailure::NotSetUp, "");
        return Ok(Answer::new(StatusCode::NOT_FOUND, page).into_response());
    };
    let is_other = single(&query, "as").is_some_and(|who| who == "other");
    if let Visitor::Somebody(_, new) = visitor(&pages.sessions, &headers).await?
        && !is_other
    {
        return Ok(see_other(&next.path(), new));
    }
    let begun = pages.sessions.begin_login(&next.path()).await.map_err(|error| unavailable(&error))?;
    let asks = if let Destination::Join { .. } = next { Asks::ToJoin } else { Asks::WhoTheyAre };
    Ok(see_other(&discord.page(&begun, asks), [cookie(LOGIN, &begun.cookie(), LOGIN_LIVES)?]))
}

/// Discord's answer.
pub async fn finish(
    State(pages): State<Arc<Pages>>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Problem> {
    let Some(discord) = &pages.discord else {
        let page = login::failed(LoginFailure::NotSetUp, "");
        return Ok(Answer::new(StatusCode::NOT_FOUND, page).into_response());
    };
    let failed =
        |status, failure, next: &Destination| Answer::new(status, login::failed(failure, &next.login_path()));
    let stale = || failed(StatusCode::BAD_REQUEST, LoginFailure::NotBegunHere, &Destination::Account);
    let state = single(&query, "state").unwrap_or_default();
    let Some(begun) = LOGIN.read(&headers).and_then(Login::parse).filter(|login| login.is_state(&state))
    else {
        return Ok(stale().into_response());
    };
    let iss =
        query.0.iter().any(|(name, _)| name == "iss").then(|| single(&query, "iss").unwrap_or_default());
    if !discord.is_issuer(iss.as_deref()) {
        tracing::warn!("an answer to a login names another issuer than Discord: it is refused");
        return Ok(stale().into_response());
    }
    // Used up before anything else is done: of the same answer twice, one counts.
    let next = pages.sessions.take_login(&begun).await.map_err(|error| unavailable(&error))?;
    let Some(next) = next else { return Ok(stale().into_response()) };
    let next = Destination::parse(&next).unwrap_or(Destination::Account);
    let used = cleared(LOGIN)?;
    if single(&query, "error").is_some() {
        let denied = match next {
            Destination::Join { guild } => {
                Answer::ok(join::denied(&Destination::Roles { guild }.login_path()))
            }
            next => failed(StatusCode::OK, LoginFailure::Denied, &next),
        };
        return Ok(denied.cookie(used).into_response());
    }
    let Some(code) = single(&query, "code") else { return Ok(stale().cookie(used).into_response()) };
    let person = match discord.person(begun, code).await {
        Ok(person) => person,
        Err(error) => return Ok(not_named(&error, &next).cookie(used).into_response()),
    };
    // Whatever session the browser had: Discord's answer brings no strict cookie along, and this one takes its place.
    let allowed = match next {
        Destination::Join { guild } => person.joins.as_ref().map(|token| (guild, token)),
        _ => None,
    };
    let session = pages.sessions.begin(person.user, &person.username, allowed).await;
    let session = session.map_err(|error| unavailable(&error))?;
    pages.ask_ahead(&next, person.user).await;
    // No redirect: that would still be Discord's, and a browser sends no strict cookie along with it. The page that this one opens is ours.
    let path = next.path();
    let page = Answer::ok(login::going_on(&path)).then(0, &path).cookie(used);
    Ok(page.cookie(cookie(SESSION, &session, Sessions::KEPT)?).into_response())
}

/// Discord did not say who it is.
fn not_named(error: &LoginError, next: &Destination) -> Answer {
    let (status, failure, wait) = match error {
        LoginError::Busy(wait) => {
            (StatusCode::SERVICE_UNAVAILABLE, LoginFailure::Busy(Some(*wait)), Some(*wait))
        }
        LoginError::Unavailable(_) | LoginError::Unreadable(_) => {
            (StatusCode::BAD_GATEWAY, LoginFailure::Busy(None), Some(Duration::from_secs(60)))
        }
        LoginError::Code(_) => (StatusCode::BAD_REQUEST, LoginFailure::NotBegunHere, None),
        LoginError::NotOurs(_) => (StatusCode::BAD_GATEWAY, LoginFailure::NotSetUp, None),
    };
    match error {
        LoginError::NotOurs(_) => tracing::error!(%error, "nobody can log in"),
        _ => tracing::warn!(%error, "somebody could not log in"),
    }
    let answer = Answer::new(status, login::failed(failure, &next.login_path()));
    match wait {
        Some(wait) => answer.retry_after(wait),
        None => answer,
    }
}

/// Who one is, and how to log out.
pub async fn account(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Result<Response, Problem> {
    match visitor(&pages.sessions, &headers).await? {
        Visitor::Nobody(why) => Ok(log_in_first(why, &headers, &Destination::Account)?.into_response()),
        Visitor::Somebody(somebody, new) => {
            let page = login::account(somebody.username(), &somebody.form_token());
            Ok(new.into_iter().fold(Answer::ok(page), Answer::cookie).into_response())
        }
    }
}

pub async fn end(
    State(pages): State<Arc<Pages>>,
    headers: HeaderMap,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    let somebody = match visitor(&pages.sessions, &headers).await? {
        Visitor::Nobody(why) => return nobody_to_log_out(why),
        Visitor::Somebody(somebody, _) => somebody,
    };
    check_form(form, &somebody)?;
    pages.sessions.end(&somebody).await.map_err(|error| unavailable(&error))?;
    logged_out()
}

pub async fn end_everywhere(
    State(pages): State<Arc<Pages>>,
    headers: HeaderMap,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    let somebody = match visitor(&pages.sessions, &headers).await? {
        Visitor::Nobody(why) => return nobody_to_log_out(why),
        Visitor::Somebody(somebody, _) => somebody,
    };
    check_form(form, &somebody)?;
    let ended = pages.sessions.end_all(&somebody).await.map_err(|error| unavailable(&error))?;
    tracing::info!(sessions = ended, "somebody logged out everywhere");
    logged_out()
}

fn logged_out() -> Result<Response, Problem> {
    let page = login::logged_out(&Destination::Account.login_path());
    Ok(Answer::ok(page).cookie(cleared(SESSION)?).into_response())
}

/// Who is logged out already, or not logged in rightly, changes nothing.
fn nobody_to_log_out(why: LoggedOut) -> Result<Response, Problem> {
    let page = login::needed(why, &Destination::Account.login_path());
    Ok(Answer::new(StatusCode::UNAUTHORIZED, page).cookie(cleared(SESSION)?).into_response())
}
