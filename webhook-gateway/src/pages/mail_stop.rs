//! `/mail/{guild}/stop/{invitation}/{secret}`: whoever has the mail wants no more of the kind. In: the link in it. Out: that is written down.
//!
//! Nobody is logged in: the secret follows from a key of ours. A mailbox's own button sends the form without opening the page, from wherever it
//! is (RFC 8058), so the change is taken from any origin ([`Access::Link`](crate::http::route::Access)). Nothing else can be done with the link.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use shared::{
    actions::invite_payers::is_stop_secret,
    db::{pool::within, tenant},
    http::problem::Problem,
    ids::GuildId,
    store::claim_invitations,
    views::mail_stop as views,
};
use uuid::Uuid;

use super::{Pages, answer::Answer, visitor::UNAVAILABLE};

type Link = Path<(String, String, String)>;

pub fn path(guild: GuildId, invitation: Uuid, secret: &str) -> String {
    format!("/mail/{guild}/stop/{invitation}/{secret}")
}

/// Whose link it is; `None`: we did not write it.
fn read(pages: &Pages, Path((guild, invitation, secret)): &Link) -> Option<(GuildId, Uuid)> {
    let (guild, invitation) = (guild.parse().ok()?, invitation.parse().ok()?);
    let is_ours = is_stop_secret(pages.codes.as_ref()?, guild, invitation, secret);
    is_ours.then_some((guild, invitation))
}

pub async fn ask(State(pages): State<Arc<Pages>>, link: Link) -> Response {
    let Path((guild, invitation, secret)) = &link;
    match read(&pages, &link) {
        Some(_) => Answer::ok(views::question(&format!("/mail/{guild}/stop/{invitation}/{secret}"))),
        None => unknown(),
    }
    .into_response()
}

pub async fn stop(State(pages): State<Arc<Pages>>, link: Link) -> Result<Response, Problem> {
    let Some((guild, invitation)) = read(&pages, &link) else { return Ok(unknown().into_response()) };
    let stopped = within(async {
        let mut tenant = tenant::begin(&pages.pool, guild).await?;
        let stopped = claim_invitations::stop(&mut tenant, invitation).await?;
        tenant.commit().await?;
        Ok(stopped)
    });
    let stopped = stopped.await.map_err(|error: sqlx::Error| {
        tracing::warn!(%error, "that somebody wants no more mail cannot be written down");
        UNAVAILABLE
    })?;
    Ok(if stopped { Answer::ok(views::stopped()) } else { unknown() }.into_response())
}

fn unknown() -> Answer {
    Answer::new(StatusCode::NOT_FOUND, views::unknown())
}
