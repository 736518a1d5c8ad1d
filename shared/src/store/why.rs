//! Why a member has, or lacks, a role: evidence, grants, jobs and history, as our database has them.

use super::{follow_questions, guild_gates, guild_roles};
use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        delivery::refusal::Closed,
        notices::{NoticeKind, NoticeState},
        roles::{enforcement::Enforcement, grant::GrantState},
    },
    ids::{JobId, RoleId, UserId},
};

/// A Stripe customer that is a member, or whose metadata names them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Customer {
    /// `cus_…`
    pub customer_id: String,
    /// To whom it is linked.
    pub holder: UserId,
    /// Whom its metadata names.
    pub named: Option<UserId>,
}

/// A trial of one of a member's subscriptions.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Trial {
    /// `sub_…`
    pub subscription_id: String,
    pub began_at: Timestamp,
    /// When it ends, or ended; `None`: Stripe did not say.
    pub ends_at: Option<Timestamp>,
}

/// A reason for access, past or present.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Source {
    pub role_id: RoleId,
    /// `sub_…`, `cs_…`, or the id of what somebody said.
    pub source_id: String,
    /// Why it was given, in the owner's words; `None`: it was bought, or was before us.
    pub reason: Option<String>,
    /// When it ends by itself, if it was given, not bought; `None`: it does not.
    pub given_until: Option<Timestamp>,
    /// `live` or `ended`.
    pub state: String,
    pub evidence: String,
    pub changed_at: Timestamp,
    /// Whether the role follows payments; `None`: it is not mapped (any more).
    pub enforcement: Option<Enforcement>,
    /// Why the role must not be given: it is suspended.
    pub danger: Option<String>,
    pub customer_id: Option<String>,
    /// Whether the connection that it came from is active, if it came from one.
    pub is_active: bool,
    /// Live or test.
    pub livemode: bool,
    /// Since when the connected account has no such subscription or purchase.
    pub missing_since: Option<Timestamp>,
}

/// A role that Discord holds because of us.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Held {
    pub role_id: RoleId,
    pub state: GrantState,
    /// When Discord confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// When Discord said that member or role is not there; it is asked once more.
    pub absent_since: Option<Timestamp>,
    /// When it was found gone, though the member had not left and we had not taken it.
    pub taken_at: Option<Timestamp>,
}

/// A job that is not done.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OpenJob {
    pub job_id: JobId,
    pub role_id: RoleId,
    /// `grant`, `revoke` or `resync`.
    pub action: String,
    /// `pending`, `parked` or `held`.
    pub state: String,
    pub outcome: Option<String>,
    pub due_at: Timestamp,
    pub attempts: i32,
    /// When one call finds out whether Discord lets us manage the role; `None`: it does, as far as we know.
    pub probe_at: Option<Timestamp>,
    /// With which code it does not.
    pub code: Option<i32>,
}

/// What they were told of a payment that failed, are to be told, or could not be.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Notice {
    /// `sub_…`
    pub source_id: String,
    pub kind: NoticeKind,
    pub state: NoticeState,
    /// When it is tried, if it is to be sent.
    pub next_at: Option<Timestamp>,
    pub sent_at: Option<Timestamp>,
    pub outcome: Option<String>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Event {
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub role_id: Option<RoleId>,
    pub cause: String,
}

/// Everything we know about one member of one guild.
#[derive(Debug, Clone)]
pub struct MemberReport {
    /// Stripe customers that are this member, or whose metadata names them.
    pub customers: Vec<Customer>,
    /// Subscriptions that are this member's by their own metadata, with their customers.
    pub subscriptions: Vec<(String, String)>,
    /// Subscriptions of this member's customers that are somebody else's by their own metadata.
    pub for_others: Vec<(String, String, UserId)>,
    /// The trials of this member's subscriptions, the first of them first.
    pub trials: Vec<Trial>,
    pub sources: Vec<Source>,
    pub held: Vec<Held>,
    /// Roles that a person gave to them and that were paid for: whether each is to follow the payment.
    pub by_hand: Vec<follow_questions::Asked>,
    /// Why nothing is done for the whole guild for a while.
    pub closed: Option<Closed>,
    /// Roles that were deleted in Discord: whatever is said of them above, nobody has them.
    pub deleted: Vec<RoleId>,
    pub jobs: Vec<OpenJob>,
    /// In the order of their payments and times.
    pub notices: Vec<Notice>,
    /// The last 50 lines, newest first.
    pub history: Vec<Event>,
}

pub async fn member_report(tenant: &mut Tenant, user: UserId) -> Result<MemberReport, sqlx::Error> {
    let customers = sqlx::query_as(
        "SELECT customer_id, l.user_id AS holder, c.named_user_id AS named
           FROM member_links l LEFT JOIN customers c USING (guild_id, connection_id, customer_id)
          WHERE guild_id = $1 AND l.user_id = $2
         UNION ALL
         SELECT customer_id, l.user_id, c.named_user_id
           FROM customers c JOIN member_links l USING (guild_id, connection_id, customer_id)
          WHERE guild_id = $1 AND c.named_user_id = $2 AND l.user_id <> $2
          ORDER BY customer_id",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let subscriptions = sqlx::query_as(
        "SELECT subscription_id, customer_id FROM subscriptions WHERE guild_id = $1 AND user_id = $2 ORDER BY 1",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let for_others = sqlx::query_as(
        "SELECT subscription_id, customer_id, s.user_id
           FROM member_links l JOIN subscriptions s USING (guild_id, connection_id, customer_id)
          WHERE guild_id = $1 AND l.user_id = $2 AND s.user_id <> $2 ORDER BY 1",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let trials = sqlx::query_as(
        "SELECT subscription_id, trial_began_at AS began_at, trial_ends_at AS ends_at
           FROM (SELECT * FROM subscriptions WHERE guild_id = $1 AND user_id = $2
                 UNION ALL
                 SELECT s.* FROM member_links l JOIN subscriptions s USING (guild_id, connection_id, customer_id)
                  WHERE guild_id = $1 AND l.user_id = $2 AND s.user_id IS NULL) AS theirs
          WHERE trial_began_at IS NOT NULL ORDER BY trial_began_at, connection_id, subscription_id COLLATE \"C\"",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let sources = sqlx::query_as(
        "SELECT role_id, source_id, a.reason, CASE WHEN a.kind <> 'stripe' THEN a.valid_until END AS given_until, a.state, evidence, changed_at, enforcement, danger, coalesce(s.customer_id, p.customer_id) AS customer_id,
                a.kind <> 'stripe' OR c.state = 'active' AS is_active, coalesce(livemode, true) AS livemode,
                coalesce(s.missing_since, p.missing_since) AS missing_since
           FROM access_sources a LEFT JOIN mapped_roles USING (guild_id, role_id)
           LEFT JOIN guild_roles USING (guild_id, role_id)
           LEFT JOIN stripe_connections c USING (guild_id, connection_id)
           LEFT JOIN subscriptions s ON (s.guild_id, s.connection_id, s.subscription_id)
                                      = (a.guild_id, a.connection_id, a.source_id)
           LEFT JOIN purchases p ON (p.guild_id, p.connection_id, p.session_id) = (a.guild_id, a.connection_id, a.source_id)
          WHERE a.guild_id = $1 AND a.user_id = $2 ORDER BY role_id, changed_at DESC",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let held = sqlx::query_as(
        "SELECT role_id, state, confirmed_at, absent_since, taken_at FROM role_grants
          WHERE guild_id = $1 AND user_id = $2 ORDER BY role_id",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let jobs = sqlx::query_as(
        "SELECT job_id, role_id, action, state, outcome, due_at, attempts, next_probe_at AS probe_at, code
           -- Each by its own index; of all together Postgres reads the whole history.
           FROM (SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = $2 AND state = 'pending'
                 UNION ALL
                 SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = $2 AND state = 'parked'
                 UNION ALL
                 SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = $2 AND state = 'held') AS open
           LEFT JOIN role_health USING (guild_id, role_id) ORDER BY job_id",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let notices = sqlx::query_as(
        "SELECT source_id, kind, state, next_at, sent_at, outcome FROM member_notices
          WHERE guild_id = $1 AND user_id = $2 AND state <> 'cancelled' ORDER BY anchor, source_id, due_at",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let history = sqlx::query_as(
        "SELECT at, actor, action, role_id, cause FROM audit_log
          WHERE guild_id = $1 AND user_id = $2 ORDER BY audit_id DESC LIMIT 50",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let by_hand = follow_questions::of_member(tenant, user).await?;
    let deleted = guild_roles::deleted(tenant).await?;
    let closed = guild_gates::closed(tenant).await?;
    Ok(MemberReport {
        customers,
        subscriptions,
        for_others,
        trials,
        sources,
        held,
        by_hand,
        closed,
        deleted,
        jobs,
        notices,
        history,
    })
}
