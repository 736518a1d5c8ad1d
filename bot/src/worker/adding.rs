//! Somebody is added to a server who allowed it, with the roles that are due to them in the same call. In: who, and their token. Out:
//! what came of it.
//!
//! A turn of its own: under the guild's lease, the intention before the call, settled as any other. In the call are only roles that we
//! never gave them, and that are known to be harmless; whatever else is due is given by the worker, which hears of the joining. So a
//! call that nobody settles is found by the jobs that were made for it before.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    clock::Timestamp,
    db::{
        pool::{Pool, within},
        tenant,
    },
    domain::{
        adding::{AccessToken, Adding, may_be_for_roles, refused},
        delivery::{
            decision::answered,
            outcome::{CallOutcome, LimitScope},
            update::{GrantChange, GuildGate},
            without_call,
        },
        job::JobOrigin,
        roles::{
            enforcement::Enforcement,
            grant::Step,
            plan::{Member, Planned, plan},
            work::{Manageability, MemberWork, RoleWork},
        },
    },
    ids::{GuildId, RoleId, UserId},
    store::{
        guild_gates, members,
        role_grants::{self, Fence},
        role_jobs,
    },
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    context::{Clock, Context, Lease},
    progress::Progress,
    role_safety::{self, Clearance},
    settle,
};
use crate::discord::{adding::Added, client::RoleClient};

/// What people see of why their role was given.
const CAUSE: &str = "they join by the server's link";
/// How often to ask whether the guild is free, while a turn of the worker has it.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// The call is not begun with less time than this for whoever waits.
const SHORTEST: Duration = Duration::from_millis(300);
/// When to try again what was not begun.
const BUSY: Duration = Duration::from_secs(5);

/// What lets people in.
#[derive(Clone)]
pub struct Door {
    pub pool: Pool,
    pub discord: Arc<RoleClient>,
    /// How long a guild is leased.
    pub lease: Duration,
}

/// A role for the call.
struct Given<'a> {
    work: &'a RoleWork,
    planned: Planned,
}

impl Door {
    /// `until`: nobody waits for the answer any more.
    pub async fn add(&self, guild: GuildId, user: UserId, token: &AccessToken, until: Instant) -> Adding {
        let added = match self.lease(guild, until).await {
            Ok(Some(lease)) => self.turn(lease, user, token, until).await,
            Ok(None) => Ok(Adding::later(BUSY)),
            Err(error) => Err(error),
        };
        let added = added.unwrap_or_else(|error| {
            tracing::warn!(guild.id = %guild, %error, "somebody's joining is not settled; the lease runs out by itself");
            Adding::Unsure
        });
        tracing::info!(guild.id = %guild, user.id = %user, ?added, "somebody joins by the server's link");
        added
    }

    /// `None`: the guild is not free in time, or closed for a while.
    async fn lease(&self, guild: GuildId, until: Instant) -> Result<Option<Lease>, sqlx::Error> {
        let owner = Uuid::new_v4();
        loop {
            let lease = Lease { guild, owner, until: Instant::now() + self.lease };
            let leased = within(async {
                let mut tenant = tenant::begin(&self.pool, guild).await?;
                let leased = guild_gates::lease_this(&mut tenant, owner, self.lease).await?;
                tenant.commit().await?;
                Ok(leased)
            });
            if leased.await? {
                return Ok(Some(lease));
            }
            if Instant::now() + ASK_AGAIN + SHORTEST > until {
                return Ok(None);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    async fn turn(
        &self,
        lease: Lease,
        user: UserId,
        token: &AccessToken,
        until: Instant,
    ) -> Result<Adding, sqlx::Error> {
        // Whoever stops drops this: what was begun is as after a crash.
        let stop = CancellationToken::new();
        let cx = Context { pool: &self.pool, discord: &self.discord, lease, stop: &stop };
        let mut progress = Progress::default();
        let at = Instant::now();
        let work = work(&cx, user).await?;
        let read = work.as_ref().map_or_else(shared::clock::now, |work| work.read_at);
        let clock = Clock { read, at };
        let given = match &work {
            Some(work) => given(&cx, work, clock.now(), &mut progress).await?,
            None => Vec::new(),
        };
        let is_time = Instant::now() + SHORTEST <= until;
        let added = if is_time && intend(&cx, user, &given).await? == Fence::Held {
            call(&cx, user, token, &given, clock, &mut progress).await
        } else {
            Adding::later(BUSY)
        };
        settle::write(&cx, progress).await?;
        within(async { role_jobs::announce(&mut self.pool.across().await?).await }).await?;
        Ok(added)
    }
}

/// What is due to them, with jobs to settle, or to be found after a crash. `None`: nothing.
async fn work(cx: &Context<'_>, user: UserId) -> Result<Option<MemberWork>, sqlx::Error> {
    within(async {
        let mut tenant = tenant::begin(cx.pool, cx.lease.guild).await?;
        // Not as one who was heard to join: if they are not let in, nobody looks for them for minutes.
        members::recheck(&mut tenant, user, JobOrigin::Command, CAUSE).await?;
        let work = role_jobs::of_member(&mut tenant, user).await?;
        tenant.commit().await?;
        Ok(work)
    })
    .await
}

/// The roles for the call: whoever joins has none. What we may have given before, or must not give, is the worker's to find out.
async fn given<'a>(
    cx: &Context<'_>,
    work: &'a MemberWork,
    now: Timestamp,
    progress: &mut Progress,
) -> Result<Vec<Given<'a>>, sqlx::Error> {
    let joining = Member::Present { roles: [].into(), joined_at: Some(now) };
    let planned = plan(work.roles.iter().map(|role| &role.view), &joining, now);
    let mut given: Vec<_> = work
        .roles
        .iter()
        .zip(planned)
        .filter(|(work, planned)| planned.step == Step::Grant && is_givable(work))
        .map(|(work, planned)| Given { work, planned })
        .collect();
    let wanted = given.iter().map(|given| given.work.view.role).collect();
    let (guild, until) = (cx.lease.guild, cx.lease.calls_until());
    let cleared =
        role_safety::clear(cx.pool, cx.discord, guild, &wanted, &mut progress.roles_read, until).await?;
    match cleared {
        Clearance::Known(judged) => {
            given.retain(|given| judged.get(&given.work.view.role).is_some_and(Option::is_none));
        }
        Clearance::Unread(_) | Clearance::Changing | Clearance::NoTime => given.clear(),
    }
    Ok(given)
}

fn is_givable(work: &RoleWork) -> bool {
    work.view.grant.is_none()
        && work.enforcement == Enforcement::On
        && work.manageability == Manageability::Manageable
        && work.danger.is_none()
}

async fn intend(cx: &Context<'_>, user: UserId, given: &[Given<'_>]) -> Result<Fence, sqlx::Error> {
    let change = |given: &Given<'_>| {
        let view = given.work.view;
        GrantChange::new(user, view.role, view.grant, given.planned.known, given.work.cause())
    };
    let changes: Vec<_> = given.iter().filter_map(change).collect();
    within(async {
        let mut tenant = tenant::begin(cx.pool, cx.lease.guild).await?;
        let fence = role_grants::intend(&mut tenant, cx.lease.owner, &changes).await?;
        tenant.commit().await?;
        Ok(fence)
    })
    .await
}

/// The call, and once more without its roles where they may be why it was refused.
async fn call(
    cx: &Context<'_>,
    user: UserId,
    token: &AccessToken,
    given: &[Given<'_>],
    clock: Clock,
    progress: &mut Progress,
) -> Adding {
    let roles: Vec<RoleId> = given.iter().map(|given| given.work.view.role).collect();
    let reason = format!("Nexrole: {CAUSE}");
    let add = async |roles: &[RoleId]| {
        let (guild, until) = (cx.lease.guild, cx.lease.calls_until());
        let adding = cx.discord.add_member(guild, user, token, roles, &reason, until);
        // Without time for the call nothing was done, as where Discord asks to wait.
        let later = CallOutcome::RateLimited { after: BUSY, scope: LimitScope::Guild };
        adding.await.unwrap_or(Added::No(later))
    };
    progress.called = roles.iter().map(|role| (user, *role)).collect();
    let mut added = add(&roles).await;
    let refused_roles = matches!(&added, Added::No(no) if !roles.is_empty() && may_be_for_roles(no));
    if refused_roles {
        added = add(&[]).await;
    }
    let decided = |given: &Given<'_>, outcome: Option<&CallOutcome>| {
        let (work, planned, now) = (given.work, given.planned, clock.now());
        outcome.map_or_else(
            || without_call::not_given(user, work, planned, now),
            |outcome| answered(user, work, planned, outcome, None, shared::clock::jitter(), now),
        )
    };
    progress.reached = matches!(added, Added::New(_) | Added::WasThere);
    match added {
        Added::New(newcomer) => {
            progress.decisions.extend(given.iter().map(|given| {
                let has_it = newcomer.roles.contains(&given.work.view.role);
                decided(given, has_it.then_some(&CallOutcome::Done))
            }));
            Adding::Added { has_rules_to_accept: newcomer.has_rules_to_accept }
        }
        Added::WasThere => {
            progress.decisions.extend(given.iter().map(|given| decided(given, None)));
            Adding::AlreadyThere
        }
        Added::No(no) => {
            let unknown = matches!(no, CallOutcome::Transient(_)).then_some(&no);
            progress.decisions.extend(given.iter().map(|given| decided(given, unknown)));
            progress.guild = match no {
                CallOutcome::GuildGone { code } => GuildGate::Away(code),
                // Such calls have a limit of their own, which says nothing of others.
                CallOutcome::RateLimited { after, scope: LimitScope::Everything } => GuildGate::Paused(after),
                _ => GuildGate::Open,
            };
            refused(&no)
        }
    }
}
