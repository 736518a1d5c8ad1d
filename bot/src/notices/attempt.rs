//! One attempt to send a notice. In: the notice, and the roles that it is about. Out: what came of it.

use std::{collections::BTreeSet, time::Instant};

use shared::{
    clock,
    db::{pool::within, tenant},
    domain::{
        delivery::outcome::CallOutcome,
        notices::{
            Told,
            delivery::{Call, Settled, answered},
        },
    },
    ids::RoleId,
    store::member_notices::{self, Opened, Taken},
    views::{discord, notice},
};

use super::context::Context;
use crate::discord::client::NoTime;

/// The notice cannot be sent under this lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotOurs;

/// So far nothing was sent.
enum Unsent {
    NotOurs,
    Settled(Settled),
    Database(sqlx::Error),
}

impl From<NoTime> for Unsent {
    fn from(_: NoTime) -> Self {
        Self::NotOurs
    }
}

pub(super) async fn attempt(
    cx: &Context,
    taken: &Taken,
    opened: &Opened,
    roles: BTreeSet<RoleId>,
    until: Instant,
) -> Result<Result<Settled, NotOurs>, sqlx::Error> {
    match send(cx, taken, opened, roles, until).await {
        Ok(settled) | Err(Unsent::Settled(settled)) => Ok(Ok(settled)),
        Err(Unsent::NotOurs) => Ok(Err(NotOurs)),
        Err(Unsent::Database(error)) => Err(error),
    }
}

async fn send(
    cx: &Context,
    taken: &Taken,
    opened: &Opened,
    roles: BTreeSet<RoleId>,
    until: Instant,
) -> Result<Settled, Unsent> {
    let was_tried = opened.situation.tried_at.is_some();
    let meant =
        |call, outcome: &CallOutcome| answered(call, outcome, opened.failures, was_tried, clock::jitter());
    let refused = |call, outcome: CallOutcome| Unsent::Settled(meant(call, &outcome));
    let names = cx.names.of(&cx.discord, taken.guild, until).await?;
    let names = names.map_err(|outcome| refused(Call::Names, outcome))?;
    let pages = opened.pages.clone();
    let told = Told { kind: opened.situation.kind, ends_at: opened.situation.ends_at, roles, pages };
    let embed = discord::render(&notice::document(&told, &names.server, &names.roles));
    let conversation = cx.discord.converse(opened.user, until).await?;
    let conversation = conversation.map_err(|outcome| refused(Call::Conversation, outcome))?;
    if !intend(cx, taken).await.map_err(Unsent::Database)? {
        return Err(Unsent::NotOurs);
    }
    let outcome = cx.discord.send(conversation, &embed, taken.id, until).await?;
    Ok(meant(Call::Message, &outcome))
}

/// From now on Discord may have it.
async fn intend(cx: &Context, taken: &Taken) -> Result<bool, sqlx::Error> {
    within(async {
        let mut tenant = tenant::begin(&cx.pool, taken.guild).await?;
        let is_ours = member_notices::intend(&mut tenant, taken).await?;
        tenant.commit().await?;
        Ok(is_ours)
    })
    .await
}
