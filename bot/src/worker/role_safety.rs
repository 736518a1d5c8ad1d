//! What the roles of a server let their holders do. In: a server, and the roles that are about to be given. Out: which of them
//! may be given now.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use shared::{
    db::{
        pool::{Pool, within},
        tenant,
    },
    domain::{
        delivery::{backoff::SUSPENDED, outcome::CallOutcome},
        roles::suspension::JudgedRoles,
    },
    ids::{GuildId, RoleId},
    store::{
        guild_roles::{self, Known},
        role_mappings,
    },
};

use crate::discord::client::{NoTime, RoleClient};

/// What was read longer ago than this is read again before a role is given: the Gateway may have kept silent. One call for each
/// server in so much time, however many roles are given.
const LATELY: Duration = Duration::from_secs(300);

/// The outcome of a reading.
pub(super) enum Reading {
    Done,
    /// Discord did not say.
    Failed(CallOutcome),
    /// There was no time for a call.
    NoTime,
}

/// Reads the roles of a server, and writes down which must not be given.
pub(super) async fn read(
    pool: &Pool,
    discord: &RoleClient,
    guild: GuildId,
    until: Instant,
) -> Result<Reading, sqlx::Error> {
    // Before the call: what changes while it travels may not be in its answer.
    let asked = Instant::now();
    let judged = match discord.roles(guild, until).await {
        Ok(Ok(judged)) => judged,
        Ok(Err(outcome)) => return Ok(Reading::Failed(outcome)),
        Err(NoTime) => return Ok(Reading::NoTime),
    };
    let written = within(async {
        let mut tenant = tenant::begin(pool, guild).await?;
        // Before the age of the list is taken: what is waited for here counts too.
        role_mappings::hold(&mut tenant).await?;
        guild_roles::write(&mut tenant, &judged, asked.elapsed(), SUSPENDED).await?;
        tenant.commit().await
    });
    written.await?;
    Ok(Reading::Done)
}

/// What is known about roles that are about to be given.
pub(super) enum Clearance {
    /// Those that there are, each with why it must not be given.
    Known(JudgedRoles),
    /// Discord did not say.
    Unread(CallOutcome),
    /// Roles are being changed in this moment.
    Changing,
    /// There was no time for a call.
    NoTime,
}

/// Looks up roles, and reads them again if that was too long ago, or something was heard since, or one is not known.
/// `was_read`: whether this turn has read them.
pub(super) async fn clear(
    pool: &Pool,
    discord: &RoleClient,
    guild: GuildId,
    wanted: &BTreeSet<RoleId>,
    was_read: &mut bool,
    until: Instant,
) -> Result<Clearance, sqlx::Error> {
    let known = known_roles(pool, guild, wanted).await?;
    let all_there = known.roles.len() == wanted.len();
    if known.is_fresh && (all_there || *was_read) {
        return Ok(Clearance::Known(known.roles));
    }
    match read(pool, discord, guild, until).await? {
        Reading::Done => *was_read = true,
        Reading::Failed(outcome) => return Ok(Clearance::Unread(outcome)),
        Reading::NoTime => return Ok(Clearance::NoTime),
    }
    let known = known_roles(pool, guild, wanted).await?;
    Ok(if known.is_fresh { Clearance::Known(known.roles) } else { Clearance::Changing })
}

async fn known_roles(pool: &Pool, guild: GuildId, wanted: &BTreeSet<RoleId>) -> Result<Known, sqlx::Error> {
    within(async {
        let mut tenant = tenant::begin(pool, guild).await?;
        guild_roles::known(&mut tenant, wanted, LATELY).await
    })
    .await
}
