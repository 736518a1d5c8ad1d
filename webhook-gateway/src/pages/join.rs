//! `/join/{guild}`, the link that a server's owner gives away. Who is in the server is shown what is theirs; who is not, and allows it at
//! Discord, is added by the bot. Opening the page changes nothing: the form does.

use std::{sync::Arc, time::Duration};

use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use shared::{
    db::{pool::within, tenant},
    domain::{
        adding::{AccessToken, Adding},
        claim::{Presence, Progress},
        service_request::{Answer as Said, Question},
    },
    http::problem::Problem,
    ids::{GuildId, UserId},
    service_requests::AskError,
    sessions::{Allowed, Subscriber},
    store::{claim_progress, stripe_connections},
    views::{
        join::{self as views, Paths},
        login,
    },
};

use super::{
    Pages,
    answer::{Answer, see_other},
    claim::SOON,
    log_in::{Token, check_form},
    visitor::{SESSION, UNAVAILABLE, Visitor, cleared, comes_from_elsewhere, unavailable, visitor},
};
use crate::{http::error, login::destination::Destination};

/// When to try again what the bot could not be asked.
const NOT_ASKED: Duration = Duration::from_secs(60);

/// Its addresses.
fn paths(guild: GuildId) -> Paths {
    let here = Destination::Join { guild };
    Paths {
        join: here.path(),
        roles: Destination::Roles { guild }.path(),
        login: here.login_path(),
        // Also for whoever is logged in already.
        allow: here.other_login_path(),
    }
}

fn failed(error: &sqlx::Error) -> Problem {
    tracing::warn!(%error, "a server's link cannot be shown");
    UNAVAILABLE
}

/// The server and who opens it; or the page that is in the way.
enum Opened {
    By(GuildId, Subscriber, Option<axum::http::HeaderValue>),
    Not(Box<Answer>),
}

async fn open(pages: &Pages, guild: &str, headers: &HeaderMap) -> Result<Opened, Problem> {
    let not = |answer| Ok(Opened::Not(Box::new(answer)));
    let guild: GuildId = guild.parse().map_err(|_| error::NOT_FOUND)?;
    if !pages.sells_in(guild).await.map_err(|error| failed(&error))? {
        return not(Answer::new(StatusCode::NOT_FOUND, views::unknown()));
    }
    let paths = paths(guild);
    match visitor(&pages.sessions, headers).await? {
        Visitor::Somebody(somebody, new) => Ok(Opened::By(guild, somebody, new)),
        Visitor::Nobody(_) if SESSION.read(headers).is_none() && comes_from_elsewhere(headers) => {
            not(Answer::ok(login::going_on(&paths.join)).then(0, &paths.join))
        }
        Visitor::Nobody(why) => {
            not(Answer::new(StatusCode::UNAUTHORIZED, views::log_in(why, &paths)).cookie(cleared(SESSION)?))
        }
    }
}

/// What is theirs, or how to come in.
pub async fn ask(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (guild, somebody, new) = match open(&pages, &guild, &headers).await? {
        Opened::By(guild, somebody, new) => (guild, somebody, new),
        Opened::Not(answer) => return Ok(answer.into_response()),
    };
    let paths = paths(guild);
    if pages.presences.of(guild, somebody.user()).await == Presence::Member {
        return Ok(see_other(&paths.roles, new));
    }
    let name = somebody.username();
    let progress = pages.progress(guild, somebody.user()).await.map_err(|error| failed(&error))?;
    let allowed = pages.sessions.may_add(&somebody, guild).await.map_err(|error| unavailable(&error))?;
    let answer = match allowed {
        Allowed::Yes => Answer::ok(views::question(name, &progress, &somebody.form_token(), &paths)),
        Allowed::No => Answer::ok(views::allow(name, &progress, &paths)),
        Allowed::BeingUsed => Answer::ok(views::under_way(&paths)).then(SOON, &paths.join),
    };
    Ok(new.into_iter().fold(answer, Answer::cookie).into_response())
}

/// They are added.
pub async fn join(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    let (guild, somebody, new) = match open(&pages, &guild, &headers).await? {
        Opened::By(guild, somebody, new) => (guild, somebody, new),
        Opened::Not(answer) => return Ok(answer.into_response()),
    };
    check_form(form, &somebody)?;
    pages.claims.check(&somebody.user()).map_err(error::limited)?;
    let paths = paths(guild);
    let sessions = &pages.sessions;
    let token = sessions.take_join_token(&somebody, guild).await.map_err(|error| unavailable(&error))?;
    // Used, too old, or in use by another click: the page knows which.
    let Some(token) = token else { return Ok(see_other(&paths.join, new)) };
    let added = pages.add(guild, somebody.user(), token).await;
    pages.presences.forget(guild, somebody.user()).await;
    let settled = match added {
        // It stays taken for some seconds: until it is known whether it was used.
        Adding::Unsure => Ok(()),
        Adding::Later { .. } => sessions.give_back_join_token(&somebody).await,
        _ => sessions.forget_join_token(&somebody).await,
    };
    settled.map_err(|error| unavailable(&error))?;
    let Some(page) = views::outcome(added, somebody.username(), &paths) else {
        return Ok(see_other(&paths.roles, new));
    };
    let answer = Answer::new(status_of(added), page);
    let answer = match added {
        Adding::Later { seconds } => answer.retry_after(Duration::from_secs(seconds)),
        Adding::Unsure => answer.then(SOON, &paths.join),
        _ => answer,
    };
    Ok(new.into_iter().fold(answer, Answer::cookie).into_response())
}

fn status_of(added: Adding) -> StatusCode {
    match added {
        Adding::Added { .. } | Adding::AlreadyThere | Adding::Unsure => StatusCode::OK,
        Adding::Banned => StatusCode::FORBIDDEN,
        Adding::NotPermitted
        | Adding::TooManyServers
        | Adding::TokenOver
        | Adding::BotAway
        | Adding::Refused => StatusCode::CONFLICT,
        Adding::Later { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl Pages {
    /// Whether the server is known, and has a connection.
    async fn sells_in(&self, guild: GuildId) -> Result<bool, sqlx::Error> {
        within(async {
            let mut tenant = tenant::begin(&self.pool, guild).await?;
            Ok(!stripe_connections::of_mode(&mut tenant, true).await?.is_empty()
                || !stripe_connections::of_mode(&mut tenant, false).await?.is_empty())
        })
        .await
    }

    pub(super) async fn progress(&self, guild: GuildId, user: UserId) -> Result<Progress, sqlx::Error> {
        within(async {
            let mut tenant = tenant::begin(&self.pool, guild).await?;
            claim_progress::of_member(&mut tenant, user).await
        })
        .await
    }

    /// The gateway holds no bot token: the bot does it.
    async fn add(&self, guild: GuildId, user: UserId, token: AccessToken) -> Adding {
        match self.requests.ask(guild, &Question::AddMember { user, token }).await {
            Ok(Said::Adding(added)) => added,
            // The bot may be at it.
            Err(AskError::Expired) => Adding::Unsure,
            Ok(said) => {
                tracing::error!(guild.id = %guild, ?said, "the bot answered something else than what came of adding a member");
                Adding::Unsure
            }
            Err(error) => {
                tracing::error!(guild.id = %guild, %error, "nobody can be added to this server");
                Adding::later(NOT_ASKED)
            }
        }
    }
}
