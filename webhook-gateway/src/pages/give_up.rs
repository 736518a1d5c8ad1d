//! `/unlink/{guild}`: what somebody paid for is not to be this account's any more. What it costs goes on, which the page says first.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use shared::{
    actions::give_up::give_up as give_up_all,
    db::{pool::within, tenant},
    domain::billing::page::PageUrl,
    http::problem::Problem,
    ids::{GuildId, UserId},
    sessions::Claimant,
    store::stripe_portals,
    views::moving as views,
};

use super::{
    Pages,
    answer::Answer,
    log_in::{Token, check_form},
    moving::{Opened, failed, open, paths},
    visitor::UNAVAILABLE,
};
use crate::{http::error, login::destination::Destination};

pub async fn ask(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (guild, somebody, new) =
        match open(&pages, &guild, &headers, |guild| Destination::Unlink { guild }).await? {
            Opened::By(guild, somebody, new) => (guild, somebody, new),
            Opened::Not(answer) => return Ok(answer.into_response()),
        };
    let paths = paths(guild);
    let page = match pages.portals(guild, somebody.user()).await? {
        None => views::nothing(somebody.username(), &paths),
        Some(portals) => views::ask_give_up(somebody.username(), &portals, &somebody.form_token(), &paths),
    };
    Ok(new.into_iter().fold(Answer::ok(page), Answer::cookie).into_response())
}

pub async fn give_up(
    State(pages): State<Arc<Pages>>,
    Path(guild): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, Problem> {
    let (guild, somebody, new) =
        match open(&pages, &guild, &headers, |guild| Destination::Unlink { guild }).await? {
            Opened::By(guild, somebody, new) => (guild, somebody, new),
            Opened::Not(answer) => return Ok(answer.into_response()),
        };
    check_form(form, &somebody)?;
    pages.claims.check(&somebody.user()).map_err(error::limited)?;
    // Before: afterwards nothing says which accounts they pay on.
    let portals = pages.portals(guild, somebody.user()).await?.unwrap_or_default();
    let by = Claimant::of_session(&somebody, guild);
    let given_up = give_up_all(&pages.pool, &by).await.map_err(|error| failed(&error))?;
    let page = views::given_up(given_up, somebody.username(), &portals, &paths(guild));
    Ok(new.into_iter().fold(Answer::ok(page), Answer::cookie).into_response())
}

impl Pages {
    /// Where they manage what they pay for; `None`: nothing here is theirs.
    async fn portals(&self, guild: GuildId, user: UserId) -> Result<Option<Vec<PageUrl>>, Problem> {
        let found = within(async {
            let mut tenant = tenant::begin(&self.pool, guild).await?;
            stripe_portals::of_member(&mut tenant, user).await
        });
        let portals = found.await.map_err(|error| {
            tracing::warn!(%error, "what somebody has cannot be looked at");
            UNAVAILABLE
        })?;
        let mut pages: Vec<PageUrl> = portals.iter().filter_map(|portal| portal.page().cloned()).collect();
        pages.dedup();
        Ok((!portals.is_empty()).then_some(pages))
    }
}
