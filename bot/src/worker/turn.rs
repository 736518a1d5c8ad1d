//! One turn with one guild, under its lease: read what is due, read the members, make the calls, settle.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use shared::db::pool::Pool;
use shared::{
    clock::Timestamp,
    db::{pool::within, tenant},
    domain::{
        delivery::{
            outcome::CallOutcome,
            verdict::{Verdict, verdict},
        },
        roles::{
            enforcement::Enforcement,
            grant::{self, GrantState, Seen, Step},
            joining,
            plan::{Member, Planned, plan},
        },
    },
    ids::{GuildId, RoleId, UserId},
    metrics::ROLE_JOBS,
    store::{
        guild_gates::{Gate, Release},
        role_grants::{self, Fence, GrantChange},
        role_jobs::{self, MemberWork, Power, RoleWork},
        settle::{self, JobUpdate, RoleHealth, Settlement},
    },
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    LAST_CALL, after,
    books::{self, Page, Unread},
    role_safety::{self, Clearance},
};
use crate::discord::client::{Answer, MemberAnswer, NoTime, RoleCall, RoleClient};

/// Members per turn: as many as fit a lease at Discord's usual speed.
const MEMBERS: usize = 10;
/// Kept of the lease for settling.
const FOR_SETTLING: Duration = Duration::from_secs(1);
/// The process ends; the next one, with a better token, should not have to wait long.
const AFTER_REJECTION: Duration = Duration::from_secs(10);

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
    /// Calls must have ended by then.
    fn calls_until(&self) -> Instant {
        self.until.checked_sub(FOR_SETTLING).unwrap_or(self.until)
    }
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// Settled.
    Settled,
    /// The lease had run out; others look again at what we touched.
    FencedOut,
    /// Discord does not accept our token: no call can succeed.
    TokenRejected,
}

/// Whether the turn goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Go,
    /// The lease is used up, or we are to stop.
    Stop,
    /// Discord told this guild, or everybody, to wait.
    Pause(Duration),
    /// The bot is not in the guild, says Discord with this code.
    Away(u32),
    /// Discord refuses with this code what is not about one role: the next call would be refused too, and refusals are counted.
    Refused(u32),
    TokenRejected,
}

impl Flow {
    /// What a verdict means for the rest of the turn.
    fn after(verdict: &Verdict, bucket_wait: Option<Duration>) -> Self {
        match verdict {
            Verdict::Snooze(wait, _) => Self::Pause(*wait),
            Verdict::ParkGuild(code) => Self::Away(*code),
            Verdict::RetryRefused(_, code) => Self::Refused(*code),
            Verdict::StopEverything => Self::TokenRejected,
            _ => bucket_wait.map_or(Self::Go, Self::Pause),
        }
    }

    /// How the guild is left.
    fn gate(self) -> Gate {
        match self {
            Self::Go | Self::Stop => Gate::Open,
            Self::Pause(pause) => Gate::Paused(pause),
            Self::Away(code) => Gate::Away(code),
            Self::Refused(code) => Gate::Refused(code),
            Self::TokenRejected => Gate::Paused(AFTER_REJECTION),
        }
    }
}

/// What the turn has learned so far.
#[derive(Default)]
struct Notes {
    jobs: Vec<JobUpdate>,
    grants: Vec<GrantChange>,
    roles: Vec<RoleHealth>,
    called: Vec<(UserId, RoleId)>,
    refused: BTreeSet<RoleId>,
    /// Discord has answered a call as it answers a bot that is in the guild.
    reached: bool,
    /// This turn has read what the server's roles may do.
    roles_read: bool,
}

impl Notes {
    fn add(&mut self, page: Page) {
        if let Some(RoleHealth::Parked { role, .. }) = page.role {
            self.refused.insert(role);
        }
        self.jobs.extend(page.jobs);
        self.grants.extend(page.grant);
        self.roles.extend(page.role);
    }

    fn is_refused(&self, role: &RoleWork) -> bool {
        role.power == Power::Refused || self.refused.contains(&role.view.role)
    }
}

/// The database's clock: the rows of a turn have its times, and are compared with it.
#[derive(Clone, Copy)]
struct Clock {
    /// What it showed…
    read: Timestamp,
    /// …then.
    at: Instant,
}

impl Clock {
    fn now(self) -> Timestamp {
        self.read + self.at.elapsed()
    }
}

/// A turn under way.
pub(super) struct Turn<'a> {
    pub(super) pool: &'a Pool,
    pub(super) discord: &'a RoleClient,
    pub(super) lease: Lease,
    /// Between calls it is asked; what was begun is settled.
    pub(super) stop: &'a CancellationToken,
}

impl Turn<'_> {
    /// Takes the turn.
    pub(super) async fn take(self) -> Result<Turned, sqlx::Error> {
        let (guild, owner) = (self.lease.guild, self.lease.owner);
        let at = Instant::now();
        let work = within(async {
            let mut tenant = tenant::begin(self.pool, guild).await?;
            role_jobs::due(&mut tenant, MEMBERS, shared::clock::jitter()).await
        });
        let work = work.await?;
        let mut notes = Notes::default();
        let mut flow = Flow::Go;
        for member in work {
            let member = enforced(member, &mut notes);
            if member.roles.is_empty() {
                continue;
            }
            let clock = Clock { read: member.read_at, at };
            flow = self.one_member(&member, clock, &mut notes).await?;
            if flow != Flow::Go {
                break;
            }
        }
        let Notes { jobs, grants, roles, called, reached, .. } = notes;
        let settlement = Settlement { owner, gate: flow.gate(), jobs, grants, roles, called, reached };
        let release = within(async {
            let mut tenant = tenant::begin(self.pool, guild).await?;
            let release = settle::settle(&mut tenant, &settlement).await?;
            tenant.commit().await?;
            Ok(release)
        });
        let release = release.await?;
        if release == Release::Released {
            for job in &settlement.jobs {
                metrics::counter!(ROLE_JOBS, "state" => job.state.as_str()).increment(1);
            }
        }
        Ok(match (release, flow) {
            (_, Flow::TokenRejected) => Turned::TokenRejected,
            (Release::FencedOut, _) => Turned::FencedOut,
            (Release::Released, _) => Turned::Settled,
        })
    }

    async fn one_member(
        &self,
        work: &MemberWork,
        clock: Clock,
        notes: &mut Notes,
    ) -> Result<Flow, sqlx::Error> {
        if let Some(pages) = unlooked(work, notes, clock.now()) {
            for page in pages {
                notes.add(page);
            }
            return Ok(Flow::Go);
        }
        if self.stop.is_cancelled() {
            return Ok(Flow::Stop);
        }
        let looking = self.discord.member(self.lease.guild, work.user, self.lease.calls_until());
        let Some(looked) = self.unless_stopped(looking).await else { return Ok(Flow::Stop) };
        let Ok(MemberAnswer { member, bucket_wait }) = looked else { return Ok(Flow::Stop) };
        let heard = joining::heard(work.roles.iter().flat_map(|role| &role.jobs));
        let member = match member {
            // Not known yet: that says nothing about what they hold.
            Ok(Member::Absent) if heard.is_some() => Err(CallOutcome::MemberGone),
            member => member,
        };
        let member = match member {
            Ok(member) => member,
            Err(outcome) => {
                let roles = work.roles.iter().collect::<Vec<_>>();
                return Ok(unread(&roles, Unread::Member, &outcome, shared::clock::jitter(), notes));
            }
        };
        notes.reached = true;
        let planned = plan(work.roles.iter().map(|role| &role.view), &member, clock.now());
        let (cleared, flow) = self.cleared(work, &member, &planned, clock, notes).await?;
        if flow != Flow::Go {
            return Ok(flow);
        }
        let mut calls = Vec::new();
        for (role, planned) in work.roles.iter().zip(planned) {
            match planned.step {
                Step::Grant | Step::Revoke if notes.is_refused(role) => notes.add(books::not_called(role)),
                Step::Grant if cleared.contains(&role.view.role) => {
                    calls.push((role, planned, RoleCall::Add));
                }
                // Noted already: it must not be given. What we gave is taken all the same.
                Step::Grant => {}
                Step::Revoke => calls.push((role, planned, RoleCall::Remove)),
                _ => notes.add(books::without_call(work.user, role, planned, clock.now())),
            }
        }
        let announced: Vec<_> = calls
            .iter()
            .filter_map(|(role, planned, _)| {
                let (view, cause) = (role.view, books::cause(role));
                GrantChange::new(work.user, view.role, view.grant, planned.known, cause)
            })
            .collect();
        if self.announce(&announced).await? == Fence::Lost {
            return Ok(Flow::Stop);
        }
        for (role, planned, call) in calls {
            match self.one_call(work.user, role, planned, call, clock, notes).await {
                Flow::Go => {}
                other => return Ok(other),
            }
        }
        Ok(bucket_wait.map_or(Flow::Go, Flow::Pause))
    }

    /// Which of the roles that are to be given may be; the others are noted. Asked before each member, because a role may become
    /// dangerous at any time.
    async fn cleared(
        &self,
        work: &MemberWork,
        member: &Member,
        planned: &[Planned],
        clock: Clock,
        notes: &mut Notes,
    ) -> Result<(BTreeSet<RoleId>, Flow), sqlx::Error> {
        let given = work.roles.iter().zip(planned).filter(|(_, planned)| planned.step == Step::Grant);
        let given: Vec<_> = given.map(|(role, _)| role).filter(|role| !notes.is_refused(role)).collect();
        let wanted: BTreeSet<RoleId> = given.iter().map(|role| role.view.role).collect();
        if wanted.is_empty() {
            return Ok((wanted, Flow::Go));
        }
        let (guild, until) = (self.lease.guild, self.lease.calls_until());
        let clearing =
            role_safety::clear(self.pool, self.discord, guild, &wanted, &mut notes.roles_read, until);
        let judged = match self.unless_stopped(clearing).await.transpose()? {
            Some(Clearance::Known(judged)) => judged,
            Some(Clearance::Unread(outcome)) => {
                let flow = unread(&given, Unread::Roles, &outcome, shared::clock::jitter(), notes);
                return Ok((BTreeSet::new(), flow));
            }
            Some(Clearance::Changing) => {
                for role in given {
                    notes.add(books::changing(role));
                }
                return Ok((BTreeSet::new(), Flow::Go));
            }
            Some(Clearance::NoTime) | None => return Ok((BTreeSet::new(), Flow::Stop)),
        };
        let mut cleared = BTreeSet::new();
        for role in given {
            let (view, now) = (role.view, clock.now());
            match judged.get(&view.role) {
                Some(None) => drop(cleared.insert(view.role)),
                Some(Some(danger)) => {
                    let withheld = grant::withhold(view.grant, member.seen(view.role), now);
                    notes.add(books::suspended(work.user, role, Some(withheld), danger, now));
                }
                // Just read, and not in the list.
                None => {
                    let (known, _) = grant::look(view.grant, Seen::Absent, view.wanted, now);
                    notes.add(books::not_listed(work.user, role, known, now));
                }
            }
        }
        Ok((cleared, Flow::Go))
    }

    async fn one_call(
        &self,
        user: UserId,
        work: &RoleWork,
        planned: Planned,
        call: RoleCall,
        clock: Clock,
        notes: &mut Notes,
    ) -> Flow {
        let (guild, role) = (self.lease.guild, work.view.role);
        if self.stop.is_cancelled() {
            return Flow::Stop;
        }
        let reason = format!("Nexrole: {}", books::cause(work));
        let changing = self.discord.change(call, guild, user, role, &reason, self.lease.calls_until());
        let answer = match self.unless_stopped(changing).await {
            Some(Ok(answer)) => answer,
            Some(Err(NoTime)) => return Flow::Stop,
            None => Answer::missed(),
        };
        notes.called.push((user, role));
        let Answer { outcome, bucket_wait, .. } = answer;
        let (jitter, now) = (shared::clock::jitter(), clock.now());
        let (page, flow) = answered(user, work, planned, &outcome, bucket_wait, jitter, now);
        tracing::info!(guild.id = %guild, user.id = %user, role.id = %role, ?call, ?outcome, "role call");
        if let Some(page) = page {
            notes.add(page);
        }
        flow
    }

    /// The answer of a call, unless we are to stop and it does not come soon.
    async fn unless_stopped<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = call => Some(answer),
            () = after(self.stop, LAST_CALL) => None,
        }
    }

    /// Durable before the first call, so that a crash after it leaves a trace.
    async fn announce(&self, changes: &[GrantChange]) -> Result<Fence, sqlx::Error> {
        if changes.is_empty() {
            return Ok(Fence::Held);
        }
        within(async {
            let mut tenant = tenant::begin(self.pool, self.lease.guild).await?;
            let fence = role_grants::intend(&mut tenant, self.lease.owner, changes).await?;
            tenant.commit().await?;
            Ok(fence)
        })
        .await
    }
}

/// What may be changed of a member's work; the rest is noted.
fn enforced(work: MemberWork, notes: &mut Notes) -> MemberWork {
    let MemberWork { user, read_at, roles } = work;
    let (roles, others): (Vec<_>, Vec<_>) =
        roles.into_iter().partition(|role| role.enforcement == Enforcement::On);
    for role in &others {
        notes.add(books::not_enforced(role));
    }
    MemberWork { user, read_at, roles }
}

/// Why a role will not be given, whatever the member's own state is: it is to be, and we never gave it.
fn suspended(role: &RoleWork) -> Option<&str> {
    let waits = role.view.wanted.desired && role.view.grant.is_none();
    role.danger.as_deref().filter(|_| waits)
}

/// Nothing of a member's work can be done: not even looking is worth a call. But what we may have given is looked for. `None`: they
/// are looked at.
fn unlooked(work: &MemberWork, notes: &Notes, now: Timestamp) -> Option<Vec<Page>> {
    let is_moot = |role: &RoleWork| suspended(role).is_some() && role.view.grant.is_none();
    // Nor is the last look at what was taken put off: what is given by hand after it is not ours.
    let is_ending = |role: &RoleWork| role.view.grant.is_some_and(|row| row.state == GrantState::Ending);
    let page = |role: &RoleWork| match suspended(role) {
        Some(danger) => books::suspended(work.user, role, None, danger, now),
        None => books::not_called(role),
    };
    let nothing = work.roles.iter().all(|role| notes.is_refused(role) && !is_ending(role) || is_moot(role));
    nothing.then(|| work.roles.iter().map(page).collect())
}

/// A call was made, and answered.
fn answered(
    user: UserId,
    work: &RoleWork,
    planned: Planned,
    outcome: &CallOutcome,
    bucket_wait: Option<Duration>,
    jitter: f64,
    now: Timestamp,
) -> (Option<Page>, Flow) {
    let verdict = verdict(outcome, books::failures(work), jitter);
    let verdict = joining::despite_absence(verdict, joining::heard(&work.jobs));
    let known = grant::settle(planned.known.grant, planned.step, work.view.grant.is_some(), &verdict, now);
    let page = books::after_call(user, work, planned, &verdict, known, now);
    (page, Flow::after(&verdict, bucket_wait))
}

/// What had to be read for these roles could not be: nothing is done about them.
fn unread(roles: &[&RoleWork], what: Unread, outcome: &CallOutcome, jitter: f64, notes: &mut Notes) -> Flow {
    let failures = roles.iter().map(|role| books::failures(role)).max().unwrap_or(0);
    let verdict = verdict(outcome, failures, jitter);
    let heard = joining::heard(roles.iter().flat_map(|role| &role.jobs));
    let verdict = joining::despite_absence(verdict, heard);
    tracing::warn!(?what, ?verdict, "what is to be known before a role call could not be read");
    for role in roles {
        notes.jobs.extend(books::unread(role, what, &verdict));
    }
    match verdict {
        // No role is concerned: it is about the guild.
        Verdict::ParkRole(code) => Flow::Refused(code),
        _ => Flow::after(&verdict, None),
    }
}

#[cfg(test)]
mod decision_table;
