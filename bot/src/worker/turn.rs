//! One turn with one guild, under its lease: read what is due, read the members, make the calls, settle.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use shared::{
    domain::{
        outcome::CallOutcome,
        plan::{Regrant, Step, plan},
        verdict::{PROBE_GUILD, Verdict, verdict},
    },
    ids::{GuildId, RoleId, UserId},
    store::{
        gates::Release,
        grants::{self, GrantChange},
        role_jobs::{self, MemberWork, Power, RoleWork},
        settle::{self, JobUpdate, RoleHealth, Settlement},
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use super::books::{self, Page};
use crate::discord::client::{RoleCall, RoleClient};

/// Members per turn: as many as fit a lease at Discord's usual speed.
const MEMBERS: usize = 10;
const LONGEST_CALL: Duration = Duration::from_secs(8);
/// Kept of the lease for settling.
const FOR_SETTLING: Duration = Duration::from_secs(1);
/// A call that has less time than this is not begun.
const SHORTEST_CALL: Duration = Duration::from_millis(500);

/// A guild under lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    /// The guild.
    pub(super) guild: GuildId,
    /// The fence.
    pub(super) owner: Uuid,
    /// When it runs out; taken before it was asked for, so never too late.
    pub(super) until: Instant,
}

impl Lease {
    /// How long a call may take now; `None`: none may be begun any more.
    fn call_timeout(&self) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now()).checked_sub(FOR_SETTLING)?;
        (left >= SHORTEST_CALL).then_some(left.min(LONGEST_CALL))
    }
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// Settled; so many jobs were brought forward.
    Settled(usize),
    /// The lease had run out; others look again at what we touched.
    FencedOut,
    /// Discord does not accept our token: no call can succeed.
    TokenRejected,
}

/// Whether the turn goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Go,
    /// The guild pauses for so long; zero: the lease is used up.
    Stop(Duration),
    TokenRejected,
}

/// What the turn has learned so far.
#[derive(Default)]
struct Notes {
    jobs: Vec<JobUpdate>,
    grants: Vec<GrantChange>,
    roles: Vec<RoleHealth>,
    refused: BTreeSet<RoleId>,
}

impl Notes {
    fn add(&mut self, page: Page) {
        if let Some(RoleHealth::Parked(role, _)) = page.role {
            self.refused.insert(role);
        }
        self.jobs.extend(page.jobs);
        self.grants.extend(page.grant);
        self.roles.extend(page.role);
    }
}

/// Takes a turn.
pub(super) async fn turn(pool: &PgPool, discord: &RoleClient, lease: Lease) -> Result<Turned, sqlx::Error> {
    let work = {
        let mut db = pool.acquire().await?;
        role_jobs::due(&mut db, lease.guild, MEMBERS).await?
    };
    let mut notes = Notes::default();
    let mut flow = Flow::Go;
    for member in &work {
        flow = one_member(pool, discord, lease, member, &mut notes).await?;
        if flow != Flow::Go {
            break;
        }
    }
    let pause = match flow {
        Flow::Go => Duration::ZERO,
        Flow::Stop(pause) => pause,
        Flow::TokenRejected => PROBE_GUILD,
    };
    let brought_forward = notes.jobs.len();
    let Notes { jobs, grants, roles, .. } = notes;
    let settlement = Settlement { guild: lease.guild, owner: lease.owner, pause, jobs, grants, roles };
    let mut tx = pool.begin().await?;
    let release = settle::settle(&mut tx, &settlement).await?;
    tx.commit().await?;
    Ok(match (release, flow) {
        (_, Flow::TokenRejected) => Turned::TokenRejected,
        (Release::FencedOut, _) => Turned::FencedOut,
        (Release::Released, _) => Turned::Settled(brought_forward),
    })
}

async fn one_member(
    pool: &PgPool,
    discord: &RoleClient,
    lease: Lease,
    work: &MemberWork,
    notes: &mut Notes,
) -> Result<Flow, sqlx::Error> {
    let Some(timeout) = lease.call_timeout() else { return Ok(Flow::Stop(Duration::ZERO)) };
    let (member, bucket_wait) = discord.member(lease.guild, work.user, timeout).await;
    let member = match member {
        Ok(member) => member,
        Err(outcome) => return Ok(unread(work, &outcome, notes)),
    };
    let views: Vec<_> = work.roles.iter().map(|role| role.view).collect();
    let steps = plan(&views, &member);
    write_intentions(pool, lease, work.user, &work.roles, &steps, notes).await?;
    for (role, (_, step)) in work.roles.iter().zip(steps) {
        let call = match step {
            Step::Grant(_) => RoleCall::Add,
            Step::Revoke(_) => RoleCall::Remove,
            _ => {
                notes.add(books::without_call(work.user, role, step));
                continue;
            }
        };
        if is_refused(role, notes) {
            notes.add(books::not_called(work.user, role));
            continue;
        }
        match one_call(discord, lease, work.user, role, step, call, notes).await {
            Flow::Go => {}
            stop => return Ok(stop),
        }
    }
    Ok(bucket_wait.map_or(Flow::Go, Flow::Stop))
}

async fn one_call(
    discord: &RoleClient,
    lease: Lease,
    user: UserId,
    role: &RoleWork,
    step: Step,
    call: RoleCall,
    notes: &mut Notes,
) -> Flow {
    let Some(timeout) = lease.call_timeout() else { return Flow::Stop(Duration::ZERO) };
    let reason = format!("Nexrole: {}", books::cause(role));
    let answer = discord.change(call, lease.guild, user, role.view.role, &reason, timeout).await;
    let verdict = verdict(&answer.outcome, books::failures(role), shared::clock::jitter());
    tracing::info!(guild.id = %lease.guild, user.id = %user, role.id = %role.view.role, ?call, ?verdict, "role call");
    if let Some(page) = books::after_call(user, role, step, &verdict) {
        notes.add(page);
    }
    match verdict {
        Verdict::Snooze(wait, _) => Flow::Stop(wait),
        Verdict::ParkGuild => Flow::Stop(PROBE_GUILD),
        Verdict::StopEverything => Flow::TokenRejected,
        _ => answer.bucket_wait.map_or(Flow::Go, Flow::Stop),
    }
}

/// The member's roles could not be read: nothing is planned for them.
fn unread(work: &MemberWork, outcome: &CallOutcome, notes: &mut Notes) -> Flow {
    let failures = work.roles.iter().map(books::failures).max().unwrap_or(0);
    let verdict = verdict(outcome, failures, shared::clock::jitter());
    tracing::warn!(user.id = %work.user, ?verdict, "a member could not be read");
    for role in &work.roles {
        notes.jobs.extend(books::unread(role, &verdict));
    }
    match verdict {
        Verdict::Snooze(wait, _) => Flow::Stop(wait),
        Verdict::ParkGuild => Flow::Stop(PROBE_GUILD),
        Verdict::StopEverything => Flow::TokenRejected,
        _ => Flow::Go,
    }
}

/// Durable before the first call, so that a crash after it leaves a trace.
async fn write_intentions(
    pool: &PgPool,
    lease: Lease,
    user: UserId,
    work: &[RoleWork],
    steps: &[(RoleId, Step)],
    notes: &Notes,
) -> Result<(), sqlx::Error> {
    let fresh = |(role, (_, step)): &(&RoleWork, &(RoleId, Step))| {
        *step == Step::Grant(Regrant::Fresh) && role.view.grant.is_none() && !is_refused(role, notes)
    };
    let roles: Vec<RoleId> = work.iter().zip(steps).filter(fresh).map(|(role, _)| role.view.role).collect();
    if roles.is_empty() {
        return Ok(());
    }
    let mut db = pool.acquire().await?;
    grants::intend(&mut db, lease.guild, user, &roles).await
}

fn is_refused(role: &RoleWork, notes: &Notes) -> bool {
    role.power == Power::Refused || notes.refused.contains(&role.view.role)
}
