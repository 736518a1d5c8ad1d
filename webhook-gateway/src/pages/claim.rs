//! `/claim?session_id=…`, where Stripe's Payment Links lead after paying, and `/roles/{guild}`, where the role's arrival is waited for.
//!
//! The session's id is the proof. It does not say which server it is for: the address may (`/claim/{guild}`), and where it does not,
//! the gateway's only connection of the session's mode is the one; where there are several, nothing is guessed. Opening the page reads
//! nothing at Stripe and binds nothing: the form does both.

use std::{num::NonZeroU32, sync::Arc};

use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use shared::{
    actions::{
        claim::{Claimed, NotProven, claim},
        reference,
    },
    clock,
    db::{pool::within, tenant},
    domain::claim::{Arrival, CheckoutFact, Presence, arrival},
    http::problem::Problem,
    ids::{CheckoutSessionId, GuildId, UserId},
    sessions::Subscriber,
    store::{
        claim_progress,
        stripe_connections::{self, Connection},
    },
    views::{
        claim::{self as views, NotTold, Others},
        moving::way_out,
    },
};

use super::{
    Pages,
    answer::{Answer, see_other},
    arrival as events,
    log_in::{Pairs, Token, check_form, single},
    moving::paths,
    visitor::{UNAVAILABLE, Visitor, log_in_first, visitor},
};
use crate::{
    http::error,
    login::destination::Destination,
    stripe::{api::ReadError, credentials::NoKey},
};

/// Claims of one account in a minute.
pub const PER_MINUTE: NonZeroU32 = NonZeroU32::new(6).expect("not zero");
/// Seconds until the page is looked at again: while it moves, and while they do something at Discord.
pub(super) const SOON: u64 = 3;
const LATER: u64 = 15;

/// What the address says.
struct Claim {
    guild: Option<GuildId>,
    session: CheckoutSessionId,
}

impl Claim {
    fn read(guild: Option<&str>, query: &Pairs) -> Option<Self> {
        let guild = guild.map(str::parse).transpose().ok()?;
        Some(Self { guild, session: single(query, "session_id")?.parse().ok()? })
    }

    /// Of which mode it is: Stripe's ids say so, and a key of the other mode does not know it.
    fn livemode(&self) -> Option<bool> {
        let id = self.session.as_str();
        match (id.starts_with("cs_live_"), id.starts_with("cs_test_")) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        }
    }

    fn destination(&self) -> Destination {
        Destination::Claim { guild: self.guild, session: self.session.clone() }
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(%error, "a claim's page cannot be shown");
    UNAVAILABLE
}

fn not_told(why: NotTold, again: &str, by_email: Option<&str>) -> Answer {
    let status = match why {
        NotTold::Unknown | NotTold::WhichServer => StatusCode::NOT_FOUND,
        NotTold::Later => StatusCode::SERVICE_UNAVAILABLE,
    };
    Answer::new(status, views::not_told(why, again, by_email))
}

pub async fn ask_of_only_server(
    State(pages): State<Arc<Pages>>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Problem> {
    ask(&pages, &headers, Claim::read(None, &query)).await
}

pub async fn ask_of_server(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Problem> {
    ask(&pages, &headers, Claim::read(Some(&guild), &query)).await
}

pub async fn bind_of_only_server(
    State(pages): State<Arc<Pages>>,
    headers: HeaderMap,
    query: Pairs,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    bind(&pages, &headers, Claim::read(None, &query), form).await
}

pub async fn bind_of_server(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    query: Pairs,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    bind(&pages, &headers, Claim::read(Some(&guild), &query), form).await
}

/// Who is it for? Asked before anything is bound.
async fn ask(pages: &Pages, headers: &HeaderMap, asked: Option<Claim>) -> Result<Response, Problem> {
    let Some(asked) = asked else { return Ok(not_told(NotTold::Unknown, "", None).into_response()) };
    let here = asked.destination();
    let (somebody, new) = match visitor(&pages.sessions, headers).await? {
        Visitor::Nobody(why) => return Ok(log_in_first(why, headers, &here)?.into_response()),
        Visitor::Somebody(somebody, new) => (somebody, new),
    };
    let answer = match pages.connections(&asked).await? {
        Ok(connections) => {
            let presence = match connections.first() {
                Some(connection) => pages.presences.of(connection.guild, somebody.user()).await,
                None => Presence::Unknown,
            };
            let other = here.other_login_path();
            let (name, token) = (somebody.username(), somebody.form_token());
            Answer::ok(views::question(name, presence, &here.path(), &token, &other))
        }
        Err(why) => not_told(why, &here.path(), pages.by_email_of(&asked).as_deref()),
    };
    Ok(new.into_iter().fold(answer, Answer::cookie).into_response())
}

/// It is: the session's customer becomes theirs.
async fn bind(
    pages: &Pages,
    headers: &HeaderMap,
    asked: Option<Claim>,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    let Some(asked) = asked else { return Ok(not_told(NotTold::Unknown, "", None).into_response()) };
    let here = asked.destination();
    let (somebody, new) = match visitor(&pages.sessions, headers).await? {
        Visitor::Nobody(why) => return Ok(log_in_first(why, headers, &here)?.into_response()),
        Visitor::Somebody(somebody, new) => (somebody, new),
    };
    check_form(form, &somebody)?;
    pages.claims.check(&somebody.user()).map_err(error::limited)?;
    let answer = match pages.claim(&asked, &somebody).await? {
        Ok((guild, claimed)) => {
            let by_email = pages.by_email(guild);
            let others = others(guild, &here);
            match views::refused(claimed, somebody.username(), &here.path(), by_email.as_deref(), &others) {
                Some(page) => Answer::new(status_of(claimed), page),
                None => return Ok(see_other(&Destination::Roles { guild }.path(), new)),
            }
        }
        Err(why) => not_told(why, &here.path(), pages.by_email_of(&asked).as_deref()),
    };
    Ok(new.into_iter().fold(answer, Answer::cookie).into_response())
}

/// Where somebody logs in who has what is claimed `here`, or had it.
pub(super) fn others(guild: GuildId, here: &Destination) -> Others {
    Others { to_move: Destination::Move { guild }.other_login_path(), to_claim: here.other_login_path() }
}

fn status_of(claimed: Claimed) -> StatusCode {
    match claimed {
        Claimed::Claimed | Claimed::AlreadyTheirs => StatusCode::OK,
        Claimed::NotProven(NotProven::TooOld) => StatusCode::GONE,
        Claimed::SomebodyElses | Claimed::Rests(_) | Claimed::NotProven(_) => StatusCode::CONFLICT,
    }
}

/// How far the role is, and again until it is there.
pub async fn roles(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let guild: GuildId = guild.parse().map_err(|_| error::NOT_FOUND)?;
    let here = Destination::Roles { guild };
    let (somebody, new) = match visitor(&pages.sessions, &headers).await? {
        Visitor::Nobody(why) => return Ok(log_in_first(why, &headers, &here)?.into_response()),
        Visitor::Somebody(somebody, new) => (somebody, new),
    };
    let (how, has_customers) = pages.arrival(guild, somebody.user()).await?;
    let by_email = pages.by_email(guild);
    let mut page = views::arrival(how, somebody.username(), &here.path(), by_email.as_deref());
    if has_customers {
        page = way_out(page, &paths(guild));
    }
    let answer = Answer::ok(page);
    let live = |answer: Answer, seconds| answer.live(events::path(guild, how), seconds, &here.path());
    let answer = match how {
        Arrival::OnTheWay | Arrival::Reading => live(answer, SOON),
        how if how.is_moving() => live(answer, LATER),
        _ => answer,
    };
    Ok(new.into_iter().fold(answer, Answer::cookie).into_response())
}

impl Pages {
    /// Has the bot asked whether somebody is in the server that the page is about to which their login leads.
    pub(super) async fn ask_ahead(&self, destination: &Destination, user: UserId) {
        let guild = match destination {
            Destination::Account => None,
            Destination::Roles { guild }
            | Destination::Email { guild }
            | Destination::Code { guild, .. }
            | Destination::Join { guild }
            | Destination::Subscribe { guild }
            | Destination::Move { guild }
            | Destination::Unlink { guild } => Some(*guild),
            Destination::Claim { guild, session } => {
                let asked = Claim { guild: *guild, session: session.clone() };
                // What cannot be found out now is what the page itself says.
                let found = self.connections(&asked).await.ok().and_then(Result::ok);
                found.and_then(|connections| connections.first().map(|connection| connection.guild))
            }
        };
        if let Some(guild) = guild {
            self.presences.ask_ahead(guild, user);
        }
    }

    /// Where a code is asked for instead, if the address says of which server.
    fn by_email_of(&self, asked: &Claim) -> Option<String> {
        self.by_email(asked.guild?)
    }

    /// Where the session may be: of which connections.
    async fn connections(&self, asked: &Claim) -> Result<Result<Vec<Connection>, NotTold>, Problem> {
        let Some(livemode) = asked.livemode() else { return Ok(Err(NotTold::Unknown)) };
        let found = within(async {
            let Some(guild) = asked.guild else {
                let only = stripe_connections::only_one(&mut self.pool.across().await?, livemode).await?;
                return Ok(only.map(|one| vec![one]).ok_or(NotTold::WhichServer));
            };
            let mut tenant = tenant::begin(&self.pool, guild).await?;
            let ids = stripe_connections::of_mode(&mut tenant, livemode).await?;
            if ids.is_empty() {
                return Ok(Err(NotTold::Unknown));
            }
            Ok(Ok(ids.into_iter().map(|id| Connection { guild, id }).collect()))
        });
        found.await.map_err(|error| unavailable(&error))
    }

    /// Reads the session on each connection where it may be, and binds it where it is.
    async fn claim(
        &self,
        asked: &Claim,
        by: &Subscriber,
    ) -> Result<Result<(GuildId, Claimed), NotTold>, Problem> {
        let connections = match self.connections(asked).await? {
            Ok(connections) => connections,
            Err(why) => return Ok(Err(why)),
        };
        for connection in connections {
            let session = match self.session(connection, &asked.session).await? {
                Ok(session) => session,
                Err(NotTold::Unknown) => continue,
                Err(why) => return Ok(Err(why)),
            };
            let peppers = reference::peppers(self.keys.keyring.as_ref());
            let claimed = claim(&self.pool, &peppers, by, connection, &session, clock::now()).await;
            return Ok(Ok((connection.guild, claimed.map_err(|error| unavailable(&error))?)));
        }
        Ok(Err(NotTold::Unknown))
    }

    async fn session(
        &self,
        connection: Connection,
        id: &CheckoutSessionId,
    ) -> Result<Result<CheckoutFact, NotTold>, Problem> {
        let later = |error: &dyn std::fmt::Display| {
            tracing::warn!(guild.id = %connection.guild, connection.id = %connection.id, %error, "a claim's session cannot be read");
            Ok(Err(NotTold::Later))
        };
        let key = match self.keys.of(connection).await {
            Ok(key) => key,
            Err(NoKey::Database(error)) => return Err(unavailable(&error)),
            Err(error) => return later(&error),
        };
        match self.stripe.proof(&key.key, id).await {
            Ok(session) => Ok(Ok(session)),
            Err(ReadError::Missing) => Ok(Err(NotTold::Unknown)),
            Err(error) => later(&error),
        }
    }

    /// And whether they have anything that could be another account's.
    async fn arrival(&self, guild: GuildId, user: UserId) -> Result<(Arrival, bool), Problem> {
        let progress = within(async {
            let mut tenant = tenant::begin(&self.pool, guild).await?;
            claim_progress::of_member(&mut tenant, user).await
        });
        let progress = progress.await.map_err(|error| unavailable(&error))?;
        // Discord is asked only where its answer is the next step.
        let presence =
            if progress.is_waiting() { self.presences.of(guild, user).await } else { Presence::Unknown };
        Ok((arrival(&progress, presence), progress.customers > 0))
    }
}
