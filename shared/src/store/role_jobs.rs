//! Role jobs: enqueued by anybody, read under a guild's lease.

use std::time::Duration;

use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::{
        delivery::{backoff::ANSWERED_AGAIN, update::JobUpdate},
        entitlement::ended_by::EndedBy,
        job::{ClaimedJob, JobAction, JobOrigin},
        roles::{
            by_hand::{ByHand, PaidByHand, Question},
            enforcement::Enforcement,
            grant::{Grant, GrantState, Wanted},
            plan::RoleView,
            work::{Manageability, MemberWork, RoleWork},
        },
    },
    ids::{JobId, RoleId, UserId},
};

/// The channel on which bots are told that there are jobs.
pub const CHANNEL: &str = "role_jobs";

const ANNOUNCE: &str = "SELECT pg_notify($1, '')";

/// Tells every bot that listens on [`CHANNEL`] that there are jobs.
pub async fn announce(crossing: &mut Crossing) -> Result<(), sqlx::Error> {
    sqlx::query(ANNOUNCE).bind(CHANNEL).execute(crossing.db()).await?;
    Ok(())
}

/// The same, with the tenant's commit.
pub async fn announce_with(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query(ANNOUNCE).bind(CHANNEL).execute(tenant.db()).await?;
    Ok(())
}

/// Adds a job, due now.
pub async fn enqueue(
    tenant: &mut Tenant,
    user: UserId,
    role: RoleId,
    action: JobAction,
    origin: JobOrigin,
    cause: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant.guild())
    .bind(user)
    .bind(role)
    .bind(action)
    .bind(origin)
    .bind(cause)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The same for many members at once.
pub async fn enqueue_each(
    tenant: &mut Tenant,
    users: &[UserId],
    role: RoleId,
    action: JobAction,
    origin: JobOrigin,
    cause: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause)
         SELECT $1, user_id, $3, $4, $5, $6 FROM unnest($2::bigint[]) AS users (user_id) ORDER BY user_id",
    )
    .bind(tenant.guild())
    .bind(users.iter().map(|user| user.to_i64()).collect::<Vec<_>>())
    .bind(role)
    .bind(action)
    .bind(origin)
    .bind(cause)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Adds a job for each member whom a role concerns, because something gives it or they have it from us. Returns how many.
pub async fn enqueue_for_all(tenant: &mut Tenant, role: RoleId, cause: &str) -> Result<u64, sqlx::Error> {
    let made = sqlx::query(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause)
         SELECT $1, user_id, $2, CASE WHEN bool_or(due) THEN 'grant' ELSE 'revoke' END, 'bulk', $3
           FROM (SELECT user_id, true AS due FROM access_sources
                  WHERE guild_id = $1 AND role_id = $2 AND state = 'live'
                 UNION ALL
                 SELECT user_id, false FROM role_grants WHERE guild_id = $1 AND role_id = $2) AS concerned
          GROUP BY user_id ORDER BY user_id",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(cause)
    .execute(tenant.db())
    .await?;
    Ok(made.rows_affected())
}

/// A job with all that is known of its member and role.
#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    job: JobRow,
    read_at: Timestamp,
    desired: bool,
    #[sqlx(flatten)]
    by_hand: ByHandRow,
    #[sqlx(flatten)]
    grant: GrantRow,
    refused: Option<bool>,
    enforcement: Enforcement,
    danger: Option<String>,
    ended_by: Option<EndedBy>,
}

#[derive(sqlx::FromRow)]
struct JobRow {
    job_id: JobId,
    user_id: UserId,
    role_id: RoleId,
    action: JobAction,
    origin: JobOrigin,
    attempts: i32,
    created_at: Timestamp,
    is_due: bool,
    is_held: bool,
    cause: String,
}

impl JobRow {
    fn claimed(self, now: Timestamp) -> ClaimedJob {
        let Self { job_id: id, user_id: user, role_id: role, action, origin, is_due, is_held, cause, .. } =
            self;
        let attempts = u32::try_from(self.attempts).unwrap_or(0);
        // Never negative, whoever turns the clock back.
        let age = (now - self.created_at).try_into().unwrap_or(Duration::ZERO);
        ClaimedJob { id, user, role, action, origin, attempts, age, is_due, is_held, cause }
    }
}

/// What is known of a role that a person may have given.
#[derive(Clone, Copy, sqlx::FromRow)]
struct ByHandRow {
    pays: bool,
    by_hand: ByHand,
    question: Option<Question>,
}

/// The row of `role_grants`, if there is one.
#[derive(sqlx::FromRow)]
struct GrantRow {
    grant_state: Option<GrantState>,
    since: Option<Timestamp>,
    absent_since: Option<Timestamp>,
    look_at: Option<Timestamp>,
    unseen: Option<bool>,
    taken_at: Option<Timestamp>,
}

impl GrantRow {
    fn grant(self) -> Option<Grant> {
        let (state, since) = (self.grant_state?, self.since?);
        let Self { absent_since, look_at, unseen, taken_at, .. } = self;
        Some(Grant { state, since, absent_since, look_at, unseen: unseen == Some(true), taken_at })
    }
}

/// What waits for members: `$members`, `user_id` and `place` of each, in their order.
macro_rules! work {
    ($members:literal) => {
        concat!(
            "WITH m AS (", $members, ")
         SELECT j.job_id, m.user_id, j.role_id, j.action, j.origin, j.attempts, j.created_at, j.cause,
                j.state = 'pending' AND j.due_at <= statement_timestamp() AS is_due, j.state = 'held' AS is_held,
                statement_timestamp() AS read_at,
                s.desired, s.pays, s.ended_by,
                -- Of several mappings the most careful one.
                (SELECT CASE WHEN bool_or(p.policy ->> 'given_by_hand' = 'keep') THEN 'keep'
                             WHEN bool_and(coalesce(p.policy ->> 'given_by_hand', 'ask') = 'follow') THEN 'follow'
                             ELSE 'ask' END
                   FROM role_mappings p WHERE (p.guild_id, p.role_id) = (j.guild_id, j.role_id)) AS by_hand,
                q.state AS question,
                g.state AS grant_state, g.absent_since, g.look_at, g.unseen, g.taken_at,
                CASE g.state WHEN 'intended' THEN g.intended_at ELSE coalesce(g.confirmed_at, g.intended_at) END AS since,
                h.next_probe_at > statement_timestamp() AS refused,
                -- Not mapped (any more): what we gave is still ours to take.
                coalesce(e.enforcement, 'on') AS enforcement,
                r.danger
           FROM m
          -- OFFSET 0: for each member by `role_jobs_of_member`. As a join it is planned as one scan of the whole queue while the
          -- planner takes that for empty.
          CROSS JOIN LATERAL (
              WITH pending AS (SELECT * FROM role_jobs
                                WHERE state = 'pending' AND guild_id = $1 AND user_id = m.user_id OFFSET 0)
              SELECT * FROM pending
              UNION ALL
              -- What waits for the same role is answered by the same check, and an ask is not forgotten by waiting.
              SELECT * FROM role_jobs
               WHERE state = 'parked' AND guild_id = $1 AND user_id = m.user_id
                 AND role_id IN (SELECT role_id FROM pending)
              UNION ALL
              SELECT * FROM role_jobs
               WHERE state = 'held' AND guild_id = $1 AND user_id = m.user_id
                 AND role_id IN (SELECT role_id FROM pending)) j
          -- Whatever gives, or gave, the role, read once. Of what does not any more: what ended last.
          CROSS JOIN LATERAL (
              SELECT coalesce(bool_or(state = 'live'), false) AS desired,
                     coalesce(bool_or(state = 'live' AND kind = 'stripe'), false) AS pays,
                     (array_agg(ended_by ORDER BY changed_at DESC) FILTER (WHERE state = 'ended'))[1] AS ended_by
                FROM access_sources
               WHERE (guild_id, user_id, role_id) = (j.guild_id, j.user_id, j.role_id)) s
           LEFT JOIN role_grants g ON (g.guild_id, g.user_id, g.role_id) = (j.guild_id, j.user_id, j.role_id)
           LEFT JOIN follow_questions q ON (q.guild_id, q.user_id, q.role_id) = (j.guild_id, j.user_id, j.role_id)
           LEFT JOIN role_health h ON (h.guild_id, h.role_id) = (j.guild_id, j.role_id)
           LEFT JOIN mapped_roles e ON (e.guild_id, e.role_id) = (j.guild_id, j.role_id)
           LEFT JOIN guild_roles r ON (r.guild_id, r.role_id) = (j.guild_id, j.role_id)
          ORDER BY m.place, j.user_id, j.role_id, j.job_id"
        )
    };
}

/// Up to `members` members of a guild with a job that is due, with **all** jobs that wait for the same roles of theirs, pending,
/// parked or held, and what is desired. Run it as its own statement after the lease: the desired state must be read later than the lease
/// began.
///
/// Four times in five it is the turn of what a member asked for, once of what is due the longest, whatever it is: a bulk holds up no
/// buyer, and no stream of buyers holds up a bulk. `start`, in [0, 1), is where in that round the turn begins; with a new one each
/// time it holds also for turns that end after one member.
///
/// Both halves read as many rows of an index as they need. `statement_timestamp()`, because a time that changes within the statement
/// is no index condition: all that is due later would be read too.
pub async fn due(tenant: &mut Tenant, members: usize, start: f64) -> Result<Vec<MemberWork>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(work!(
        "
             SELECT d.user_id, min(d.place) AS place
               FROM (SELECT user_id, row_number() OVER (ORDER BY due_at, job_id) / 4.0 AS place
                       -- The words of `role_jobs_urgent`, or it does not serve.
                       FROM (SELECT user_id, due_at, job_id FROM role_jobs
                              WHERE state = 'pending' AND origin IN ('purchase', 'join', 'command')
                                AND guild_id = $1 AND due_at <= statement_timestamp()
                              ORDER BY due_at, job_id LIMIT $2) asked
                     UNION ALL
                     SELECT user_id, row_number() OVER (ORDER BY due_at, job_id) - 1 + $3 * 1.25 AS place
                       FROM (SELECT user_id, due_at, job_id FROM role_jobs
                              WHERE state = 'pending' AND guild_id = $1 AND due_at <= statement_timestamp()
                              ORDER BY due_at, job_id LIMIT $2) oldest) d
              GROUP BY d.user_id ORDER BY place LIMIT $2
         "
    ))
    .bind(tenant.guild())
    .bind(i64::try_from(members).unwrap_or(i64::MAX))
    .bind(start)
    .fetch_all(tenant.db())
    .await?;
    Ok(by_member(rows))
}

/// The same of one member, whether or not it is due. `None`: nothing is pending for them.
pub async fn of_member(tenant: &mut Tenant, user: UserId) -> Result<Option<MemberWork>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(work!("SELECT $2::bigint AS user_id, 0 AS place"))
        .bind(tenant.guild())
        .bind(user)
        .fetch_all(tenant.db())
        .await?;
    Ok(by_member(rows).pop())
}

fn by_member(rows: Vec<Row>) -> Vec<MemberWork> {
    let mut work: Vec<MemberWork> = Vec::new();
    for row in rows {
        let (user, role, ended_by) = (row.job.user_id, row.job.role_id, row.ended_by);
        let job = row.job.claimed(row.read_at);
        let asked = job.action == JobAction::Grant;
        if work.last().is_none_or(|member| member.user != user) {
            work.push(MemberWork { user, read_at: row.read_at, roles: Vec::new() });
        }
        let Some(member) = work.last_mut() else { continue };
        match member.roles.last_mut() {
            Some(last) if last.view.role == role => {
                last.view.wanted.asked |= asked;
                last.jobs.push(job);
            }
            _ => {
                let ByHandRow { pays, by_hand: mapped, question } = row.by_hand;
                let by_hand = PaidByHand { pays, mapped, question };
                let wanted = Wanted { desired: row.desired, asked, follows: by_hand.follows() };
                let view = RoleView { role, wanted, grant: row.grant.grant() };
                let manageability = match row.refused {
                    None => Manageability::Manageable,
                    Some(true) => Manageability::Refused,
                    Some(false) => Manageability::ProbeDue,
                };
                let (enforcement, danger) = (row.enforcement, row.danger);
                let jobs = vec![job];
                member.roles.push(RoleWork {
                    view,
                    by_hand,
                    manageability,
                    enforcement,
                    danger,
                    ended_by,
                    jobs,
                });
            }
        }
    }
    work
}

/// Writes what becomes of jobs; one that somebody else finished meanwhile stays as it is.
pub(super) async fn settle(tenant: &mut Tenant, jobs: &[&JobUpdate]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE role_jobs j SET state = x.state, outcome = x.outcome, attempts = j.attempts + x.failures,
                due_at = clock_timestamp() + make_interval(secs => x.due_in),
                finished_at = CASE WHEN x.state IN ('pending', 'parked', 'held') THEN NULL ELSE clock_timestamp() END
           FROM unnest($2::bigint[], $3::text[], $4::text[], $5::int[], $6::float8[])
                AS x (job_id, state, outcome, failures, due_in)
          WHERE j.guild_id = $1 AND j.job_id = x.job_id AND j.state IN ('pending', 'parked', 'held')",
    )
    .bind(tenant.guild())
    .bind(jobs.iter().map(|j| j.id.to_i64()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|j| j.state.as_str()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|j| j.outcome.as_str()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|j| i32::try_from(j.failures).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(jobs.iter().map(|j| j.due_in.as_secs_f64()).collect::<Vec<_>>())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Discord answers: what failed before in this guild does not wait out its time.
pub(super) async fn shorten_backoff(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE role_jobs SET due_at = clock_timestamp() + make_interval(secs => $2) * attempts
          WHERE guild_id = $1 AND state = 'pending' AND attempts > 0
            AND due_at > clock_timestamp() + make_interval(secs => $2) * attempts",
    )
    .bind(tenant.guild())
    .bind(ANSWERED_AGAIN.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Has a role's pending jobs done now.
pub(super) async fn make_due(tenant: &mut Tenant, role: RoleId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE role_jobs SET due_at = now() WHERE guild_id = $1 AND role_id = $2 AND state = 'pending' AND due_at > now()",
    )
    .bind(tenant.guild())
    .bind(role)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Makes parked jobs pending whose time has come, as mere checks: nobody asked now. Of a role that Discord refuses, one job, when its next probe is due:
/// if that works, the rest follows; else it waits on. A refused role that no job waits for (any more) is forgotten: no probe
/// would ever find out that it works.
pub async fn release_parked(crossing: &mut Crossing) -> Result<u64, sqlx::Error> {
    sqlx::query(
        "DELETE FROM role_health h
          WHERE NOT EXISTS (SELECT FROM role_jobs j WHERE j.state = 'parked' AND j.guild_id = h.guild_id
                                                      AND j.role_id = h.role_id)
            AND NOT EXISTS (SELECT FROM role_jobs j WHERE j.state = 'pending' AND j.guild_id = h.guild_id
                                                      AND j.role_id = h.role_id)",
    )
    .execute(crossing.db())
    .await?;
    let released = sqlx::query(
        "UPDATE role_jobs SET state = 'pending', origin = 'sweep' WHERE (guild_id, job_id) IN (
             SELECT j.guild_id, j.job_id
               FROM role_jobs j LEFT JOIN role_health h ON (h.guild_id, h.role_id) = (j.guild_id, j.role_id)
              WHERE j.state = 'parked' AND j.due_at <= now()
                AND (h.role_id IS NULL
                     OR h.next_probe_at <= now()
                        AND j.job_id = (SELECT min(k.job_id) FROM role_jobs k
                                         WHERE k.state = 'parked' AND k.guild_id = j.guild_id AND k.role_id = j.role_id
                                           -- Not one that waits for its member: it would not probe the role.
                                           AND k.due_at <= now()))
              LIMIT 1000 FOR NO KEY UPDATE OF j SKIP LOCKED)",
    )
    .execute(crossing.db())
    .await?;
    Ok(released.rows_affected())
}
