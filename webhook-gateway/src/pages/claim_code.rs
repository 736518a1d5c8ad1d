//! `/claim/{guild}/email`: claiming by a code that is sent to the address that Stripe has. In: an address, then what stood in the mail. Out:
//! links, by the two actions; and pages that are the same whether or not a customer has the address.

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
        ActionError, SealingError,
        redeem_claim_code::{Redeemed, redeem_claim_code},
        send_claim_code::{Sent, send_claim_code},
    },
    crypto::Keyring,
    db::{pool::within, tenant},
    domain::email::EmailAddress,
    http::problem::Problem,
    ids::GuildId,
    sessions::{Claimant, Subscriber},
    store::stripe_connections,
    views::claim_code::{self as views, NoCodes},
};
use uuid::Uuid;

use super::{
    Pages,
    answer::{Answer, see_other},
    claim::others,
    log_in::check_token,
    visitor::{FOREIGN_FORM, UNAVAILABLE, Visitor, log_in_first, visitor},
};
use crate::{http::error, login::destination::Destination};

/// What is typed, and where.
#[derive(Deserialize)]
pub struct Address {
    form_token: String,
    email: String,
}

#[derive(Deserialize)]
pub struct Typed {
    form_token: String,
    code: String,
}

/// Somebody, in a server in which codes are sent.
struct Here<'p> {
    keyring: &'p Keyring,
    guild: GuildId,
    somebody: Subscriber,
    /// Their cookie's successor.
    cookie: Option<HeaderValue>,
}

impl Here<'_> {
    fn claimant(&self) -> Claimant {
        Claimant::of_session(&self.somebody, self.guild)
    }

    fn path(&self) -> String {
        Destination::Email { guild: self.guild }.path()
    }

    fn answer(self, answer: Answer) -> Response {
        self.cookie.into_iter().fold(answer, Answer::cookie).into_response()
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(%error, "a code by e-mail can be neither sent nor used");
    UNAVAILABLE
}

pub async fn ask_address(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let guild = guild.parse().map_err(|_| error::NOT_FOUND)?;
    let here = match pages.here(&headers, guild, &Destination::Email { guild }).await? {
        Ok(here) => here,
        Err(answer) => return Ok(answer.into_response()),
    };
    let known = within(async {
        stripe_connections::knows_guild(&mut tenant::begin(&pages.pool, guild).await?).await
    });
    if !known.await.map_err(|error| unavailable(&error))? {
        return Ok(here.answer(unknown_server()));
    }
    let page = views::ask_address(here.somebody.username(), &here.path(), here.somebody.form_token(), None);
    Ok(here.answer(Answer::ok(page)))
}

pub async fn send(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Address>, FormRejection>,
) -> Result<Response, Problem> {
    let guild = guild.parse().map_err(|_| error::NOT_FOUND)?;
    let here = match pages.here(&headers, guild, &Destination::Email { guild }).await? {
        Ok(here) => here,
        Err(answer) => return Ok(answer.into_response()),
    };
    let Form(Address { form_token, email }) = form.map_err(|_| FOREIGN_FORM)?;
    check_token(&form_token, &here.somebody)?;
    let Some(address) = EmailAddress::parse(&email) else {
        let (name, token) = (here.somebody.username(), here.somebody.form_token());
        let page = views::ask_address(name, &here.path(), token, Some(email));
        return Ok(here.answer(Answer::new(StatusCode::UNPROCESSABLE_ENTITY, page)));
    };
    pages.claims.check(&here.somebody.user()).map_err(error::limited)?;
    let sent = match send_claim_code(&pages.pool, here.keyring, &here.claimant(), &address).await {
        Ok(sent) => sent,
        Err(SealingError::Action(ActionError::UnknownGuild)) => return Ok(here.answer(unknown_server())),
        Err(error) => return Err(unavailable(&error)),
    };
    match (sent, views::not_sent(sent)) {
        (Sent::OnItsWay(code), _) => Ok(see_other(&Destination::Code { guild, code }.path(), here.cookie)),
        (_, Some(page)) => Ok(here.answer(Answer::new(StatusCode::TOO_MANY_REQUESTS, page))),
        (_, None) => Err(UNAVAILABLE),
    }
}

pub async fn ask_code(
    State(pages): State<Arc<Pages>>,
    Path((guild, code)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (guild, code) = ids(&guild, &code)?;
    let destination = Destination::Code { guild, code };
    let here = match pages.here(&headers, guild, &destination).await? {
        Ok(here) => here,
        Err(answer) => return Ok(answer.into_response()),
    };
    let page = views::ask_code(&destination.path(), here.somebody.form_token(), None, &here.path());
    Ok(here.answer(Answer::ok(page)))
}

pub async fn redeem(
    State(pages): State<Arc<Pages>>,
    Path((guild, code)): Path<(String, String)>,
    headers: HeaderMap,
    form: Result<Form<Typed>, FormRejection>,
) -> Result<Response, Problem> {
    let (guild, code) = ids(&guild, &code)?;
    let destination = Destination::Code { guild, code };
    let here = match pages.here(&headers, guild, &destination).await? {
        Ok(here) => here,
        Err(answer) => return Ok(answer.into_response()),
    };
    let Form(Typed { form_token, code: typed }) = form.map_err(|_| FOREIGN_FORM)?;
    check_token(&form_token, &here.somebody)?;
    pages.claims.check(&here.somebody.user()).map_err(error::limited)?;
    let redeemed = redeem_claim_code(&pages.pool, here.keyring, &here.claimant(), code, &typed).await;
    let redeemed = redeemed.map_err(|error| unavailable(&error))?;
    if let Redeemed::Wrong(left) = redeemed {
        let token = here.somebody.form_token();
        let page = views::ask_code(&destination.path(), token, Some(left), &here.path());
        return Ok(here.answer(Answer::new(StatusCode::UNPROCESSABLE_ENTITY, page)));
    }
    let others = others(guild, &Destination::Email { guild });
    match views::refused(redeemed, here.somebody.username(), &here.path(), &others) {
        Some(page) => Ok(here.answer(Answer::new(status_of(redeemed), page))),
        None => Ok(see_other(&Destination::Roles { guild }.path(), here.cookie)),
    }
}

fn status_of(redeemed: Redeemed) -> StatusCode {
    match redeemed {
        Redeemed::Linked(_) => StatusCode::CONFLICT,
        Redeemed::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Redeemed::Locked(_) => StatusCode::TOO_MANY_REQUESTS,
        Redeemed::Gone => StatusCode::GONE,
    }
}

fn ids(guild: &str, code: &str) -> Result<(GuildId, Uuid), Problem> {
    guild.parse().ok().zip(code.parse().ok()).ok_or(error::NOT_FOUND)
}

fn unknown_server() -> Answer {
    Answer::new(StatusCode::NOT_FOUND, views::none(NoCodes::UnknownServer))
}

impl Pages {
    /// Where a code by e-mail is asked for, if any can be sent.
    pub(super) fn by_email(&self, guild: GuildId) -> Option<String> {
        self.codes.as_ref().map(|_| Destination::Email { guild }.path())
    }

    async fn here(
        &self,
        headers: &HeaderMap,
        guild: GuildId,
        destination: &Destination,
    ) -> Result<Result<Here<'_>, Answer>, Problem> {
        let Some(keyring) = &self.codes else {
            return Ok(Err(Answer::new(StatusCode::NOT_FOUND, views::none(NoCodes::NoMail))));
        };
        Ok(match visitor(&self.sessions, headers).await? {
            Visitor::Nobody(why) => Err(log_in_first(why, headers, destination)?),
            Visitor::Somebody(somebody, cookie) => Ok(Here { keyring, guild, somebody, cookie }),
        })
    }
}
