//! `/subscribe/{guild}`: what a server sells, each as a form. In: who is logged in, and what they choose. Out: a page with their own link to
//! Stripe, or where they manage what they have.
//!
//! No redirect: a browser follows one from a form only to where the page's `form-action` lets it, and owners may have their Payment Links on
//! domains of their own.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shared::{
    actions::{
        ActionError, reference,
        subscribe::{Subscribing, plans, subscribe},
    },
    http::problem::Problem,
    ids::{GuildId, PaymentLinkId},
    sessions::{Claimant, Subscriber},
    views::{
        join,
        subscribe::{self as views, Paths},
    },
};

use super::{
    Pages,
    answer::Answer,
    log_in::check_token,
    visitor::{FOREIGN_FORM, UNAVAILABLE, Visitor, log_in_first, visitor},
};
use crate::{http::error, login::destination::Destination};

/// What is chosen.
#[derive(Deserialize)]
pub struct Chosen {
    form_token: String,
    plan: String,
}

/// Who opens it, and where.
struct Here {
    guild: GuildId,
    somebody: Subscriber,
    /// Their cookie's successor.
    cookie: Option<HeaderValue>,
}

impl Here {
    fn claimant(&self) -> Claimant {
        Claimant::of_session(&self.somebody, self.guild)
    }

    fn paths(&self) -> Paths {
        let guild = self.guild;
        Paths {
            subscribe: Destination::Subscribe { guild }.path(),
            roles: Destination::Roles { guild }.path(),
        }
    }

    fn answer(self, answer: Answer) -> Response {
        self.cookie.into_iter().fold(answer, Answer::cookie).into_response()
    }
}

async fn here(pages: &Pages, guild: &str, headers: &HeaderMap) -> Result<Result<Here, Answer>, Problem> {
    let guild: GuildId = guild.parse().map_err(|_| error::NOT_FOUND)?;
    Ok(match visitor(&pages.sessions, headers).await? {
        Visitor::Nobody(why) => Err(log_in_first(why, headers, &Destination::Subscribe { guild })?),
        Visitor::Somebody(somebody, cookie) => Ok(Here { guild, somebody, cookie }),
    })
}

fn unavailable(error: &ActionError) -> Problem {
    tracing::warn!(%error, "what a server sells cannot be shown");
    UNAVAILABLE
}

/// What is for sale. Nothing is made yet: whoever only looks, a mail's scanner for example, uses nothing up.
pub async fn ask(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let here = match here(&pages, &guild, &headers).await? {
        Ok(here) => here,
        Err(answer) => return Ok(answer.into_response()),
    };
    let answer = match plans(&pages.pool, &here.claimant()).await {
        Ok(plans) => {
            let (name, token) = (here.somebody.username(), here.somebody.form_token());
            Answer::ok(views::plans(&plans, name, &token, &here.paths()))
        }
        Err(ActionError::UnknownGuild) => Answer::new(StatusCode::NOT_FOUND, join::unknown()),
        Err(error) => return Err(unavailable(&error)),
    };
    Ok(here.answer(answer))
}

/// Their link.
pub async fn choose(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Chosen>, FormRejection>,
) -> Result<Response, Problem> {
    let here = match here(&pages, &guild, &headers).await? {
        Ok(here) => here,
        Err(answer) => return Ok(answer.into_response()),
    };
    let Form(Chosen { form_token, plan }) = form.map_err(|_| FOREIGN_FORM)?;
    check_token(&form_token, &here.somebody)?;
    pages.claims.check(&here.somebody.user()).map_err(error::limited)?;
    let subscribing = match plan.parse::<PaymentLinkId>() {
        Err(_) => Subscribing::NotSold,
        Ok(plan) => {
            let peppers = reference::peppers(pages.keys.keyring.as_ref());
            subscribe(&pages.pool, &peppers, &here.claimant(), &plan)
                .await
                .map_err(|error| unavailable(&error))?
        }
    };
    let page = views::chosen(&subscribing, here.somebody.username(), &here.paths());
    Ok(here.answer(Answer::new(status_of(&subscribing), page)))
}

fn status_of(subscribing: &Subscribing) -> StatusCode {
    match subscribing {
        Subscribing::Link(..) | Subscribing::Subscribed(_) => StatusCode::OK,
        Subscribing::NotSold => StatusCode::GONE,
        Subscribing::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Subscribing::NotSetUp => StatusCode::CONFLICT,
    }
}
