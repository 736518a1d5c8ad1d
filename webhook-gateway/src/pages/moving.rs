//! `/move/{guild}`: what somebody paid for goes to another account of theirs. Who has it offers it, logs in as the other account, and says yes
//! there. The offer's secret is in a cookie of the browser in which both log in; the address says nothing but which server.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use shared::{
    actions::{
        ActionError,
        move_links::{Moving, movable, move_links},
    },
    http::problem::Problem,
    ids::GuildId,
    sessions::{Claimant, OFFER_LIVES, Subscriber},
    views::moving::{self as views, Paths},
};

use super::{
    Pages,
    answer::{Answer, see_other},
    log_in::{Token, check_form},
    visitor::{OFFER, UNAVAILABLE, Visitor, cleared, cookie, log_in_first, unavailable, visitor},
};
use crate::{http::error, login::destination::Destination};

pub(super) fn paths(guild: GuildId) -> Paths {
    let here = Destination::Move { guild };
    Paths {
        offer: here.path(),
        accept: format!("{}/accept", here.path()),
        give_up: Destination::Unlink { guild }.path(),
        roles: Destination::Roles { guild }.path(),
        other: here.other_login_path(),
    }
}

pub(super) fn failed(error: &ActionError) -> Problem {
    tracing::warn!(%error, "what somebody has cannot be moved or unlinked");
    UNAVAILABLE
}

/// Who opens a page about one server; or the page that is in the way.
pub(super) enum Opened {
    By(GuildId, Subscriber, Option<HeaderValue>),
    Not(Box<Answer>),
}

pub(super) async fn open(
    pages: &Pages,
    guild: &str,
    headers: &HeaderMap,
    here: impl Fn(GuildId) -> Destination,
) -> Result<Opened, Problem> {
    let guild: GuildId = guild.parse().map_err(|_| error::NOT_FOUND)?;
    Ok(match visitor(&pages.sessions, headers).await? {
        Visitor::Somebody(somebody, new) => Opened::By(guild, somebody, new),
        Visitor::Nobody(why) => Opened::Not(Box::new(log_in_first(why, headers, &here(guild))?)),
    })
}

fn answer(answer: Answer, new: Option<HeaderValue>) -> Response {
    new.into_iter().fold(answer, Answer::cookie).into_response()
}

/// Is it to be offered; or, where it is: is it to be taken?
pub async fn ask(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (guild, somebody, new) =
        match open(&pages, &guild, &headers, |guild| Destination::Move { guild }).await? {
            Opened::By(guild, somebody, new) => (guild, somebody, new),
            Opened::Not(answer) => return Ok(answer.into_response()),
        };
    let (paths, name, token) = (paths(guild), somebody.username(), somebody.form_token());
    let offered = pages.sessions.offered(OFFER.read(&headers)).await.map_err(|error| unavailable(&error))?;
    let Some(offer) = offered.filter(|offer| offer.guild() == guild) else {
        let moving = pages.movable(guild, &somebody).await?;
        return Ok(answer(Answer::ok(views::ways(name, &moving, &token, &paths)), new));
    };
    if offer.by() == somebody.user() {
        return Ok(answer(Answer::ok(views::log_in_as_other(name, &paths)), new));
    }
    let moving = movable(&pages.pool, guild, offer.by()).await.map_err(|error| failed(&error))?;
    if moving == Moving::default() {
        return Ok(answer(Answer::ok(views::over(name, &paths)), new));
    }
    let presence = pages.presences.of(guild, somebody.user()).await;
    let page = views::question(offer.name(), name, presence, &moving, &token, &paths);
    Ok(answer(Answer::ok(page), new))
}

/// It is offered: by the account that has it.
pub async fn offer(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    let (guild, somebody, new) =
        match open(&pages, &guild, &headers, |guild| Destination::Move { guild }).await? {
            Opened::By(guild, somebody, new) => (guild, somebody, new),
            Opened::Not(answer) => return Ok(answer.into_response()),
        };
    check_form(form, &somebody)?;
    pages.claims.check(&somebody.user()).map_err(error::limited)?;
    let paths = paths(guild);
    // What cannot move is not offered: the page says why.
    if pages.movable(guild, &somebody).await?.moves == 0 {
        return Ok(see_other(&paths.offer, new));
    }
    let secret = pages.sessions.offer(&somebody, guild).await.map_err(|error| unavailable(&error))?;
    let Some(secret) = secret else { return Ok(see_other(&paths.offer, new)) };
    Ok(see_other(&paths.offer, new.into_iter().chain([cookie(OFFER, &secret, OFFER_LIVES)?])))
}

/// It is taken: by another account, in the same browser.
pub async fn accept(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    let (guild, somebody, new) =
        match open(&pages, &guild, &headers, |guild| Destination::Move { guild }).await? {
            Opened::By(guild, somebody, new) => (guild, somebody, new),
            Opened::Not(answer) => return Ok(answer.into_response()),
        };
    check_form(form, &somebody)?;
    pages.claims.check(&somebody.user()).map_err(error::limited)?;
    let (paths, sessions, name) = (paths(guild), &pages.sessions, somebody.username());
    let secret = OFFER.read(&headers);
    // Looked at first: an offer to oneself, or for another server, is not used up by that.
    let offered = sessions.offered(secret).await.map_err(|error| unavailable(&error))?;
    let offer = match offered.filter(|offer| offer.guild() == guild) {
        Some(offer) if offer.by() == somebody.user() => return Ok(see_other(&paths.offer, new)),
        Some(_) => sessions.take_offer(secret).await.map_err(|error| unavailable(&error))?,
        None => None,
    };
    let Some(offer) = offer else {
        return Ok(answer(Answer::new(StatusCode::GONE, views::over(name, &paths)), new));
    };
    let by = Claimant::of_session(&somebody, guild);
    let moved = move_links(&pages.pool, &offer, &by).await.map_err(|error| failed(&error))?;
    let used = cleared(OFFER)?;
    let Some(page) = views::outcome(&moved, name, &paths) else {
        return Ok(see_other(&paths.roles, new.into_iter().chain([used])));
    };
    let status = if moved.moves > 0 { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok(answer(Answer::new(status, page).cookie(used), new))
}

impl Pages {
    async fn movable(&self, guild: GuildId, somebody: &Subscriber) -> Result<Moving, Problem> {
        movable(&self.pool, guild, somebody.user()).await.map_err(|error| failed(&error))
    }
}
