//! Nothing is kept longer than it is needed. In: a batch size. Out: how many rows went. `security/retention.toml` has the
//! class of every column.

use crate::{db::cross_tenant::Crossing, domain::moving::RESTS_FOR};

/// Days that finished work is kept: Stripe resends for 30, and an owner asks "why?" for some more.
/// The policies of the role that sweeps say the same number: nothing younger can go.
pub const DAYS: i32 = 90;
/// Days that what one service asked of the other is kept, sealed: for whoever asks why a page was empty.
pub const REQUEST_DAYS: i32 = 1;

/// For so many days it is kept from whom roles were taken: what the limit on mass revokes counts is a day old at most.
pub const REVOKE_DAYS: i32 = 2;

/// Days that logins are kept which were not finished, and sessions that are over: each is dead hours before.
pub const LOGIN_DAYS: i32 = 1;
/// Days that codes and mails are kept after their ten minutes: what limits count is an hour old at most.
pub const CODE_DAYS: i32 = 1;
/// Days that it is kept in whose hands a customer is: for so long it rests there.
#[expect(clippy::cast_possible_truncation, reason = "a week")]
pub const HANDS_DAYS: i32 = RESTS_FOR.whole_days() as i32;
/// Days that personal links are kept: a purchase by one can be claimed for 30, and it may be opened some days after it was made.
pub const LINK_DAYS: i32 = 35;

/// How many rows one sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Events that were answered or ignored.
    pub events: u64,
    /// Role jobs that are finished.
    pub jobs: u64,
    /// Reasons for access that ended.
    pub sources: u64,
    /// What one service asked of the other.
    pub requests: u64,
    /// What members were told.
    pub notices: u64,
    /// From whom roles were taken, for the limit on mass revokes.
    pub revokes: u64,
    /// Logins that were not finished.
    pub logins: u64,
    /// Sessions that are over.
    pub sessions: u64,
    /// Mails that were sent, or are not sent any more.
    pub mails: u64,
    /// Codes that were sent by e-mail.
    pub codes: u64,
    /// In whose hands customers are that may go on.
    pub hands: u64,
    /// Personal links.
    pub links: u64,
    /// Roles that nothing gives and nobody has any more.
    pub roles: u64,
}

impl Swept {
    /// Whether a batch was full: there may be more.
    pub fn is_more(&self, batch: i64) -> bool {
        let Self {
            events,
            jobs,
            sources,
            requests,
            notices,
            revokes,
            logins,
            sessions,
            mails,
            codes,
            hands,
            links,
            roles,
        } = *self;
        [
            events, jobs, sources, requests, notices, revokes, logins, sessions, mails, codes, hands, links,
            roles,
        ]
        .iter()
        .any(|&n| i64::try_from(n).is_ok_and(|n| n >= batch))
    }
}

/// Removes up to `batch` rows of each kind that nothing needs any more. What is still open is never old. Any number of
/// callers may do so at once.
pub async fn sweep(crossing: &mut Crossing, batch: i64) -> Result<Swept, sqlx::Error> {
    let mut swept = Swept::default();
    for (statement, days, count) in [
        (
            "DELETE FROM stripe_events WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM stripe_events
                  WHERE received_at < now() - make_interval(days => $1) AND state <> 'recorded'
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            DAYS,
            &mut swept.events,
        ),
        (
            "DELETE FROM role_jobs WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM role_jobs WHERE finished_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            DAYS,
            &mut swept.jobs,
        ),
        (
            "DELETE FROM access_sources WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM access_sources
                  WHERE state = 'ended' AND changed_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            DAYS,
            &mut swept.sources,
        ),
        (
            "DELETE FROM service_requests WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM service_requests WHERE expires_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            REQUEST_DAYS,
            &mut swept.requests,
        ),
        (
            // Not while the payment may still be due: it would be told again.
            "DELETE FROM member_notices WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM member_notices
                  WHERE finished_at < now() - make_interval(days => $1) AND ends_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            DAYS,
            &mut swept.notices,
        ),
        (
            "DELETE FROM role_revokes WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM role_revokes WHERE at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            REVOKE_DAYS,
            &mut swept.revokes,
        ),
        (
            "DELETE FROM logins WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM logins WHERE began_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            LOGIN_DAYS,
            &mut swept.logins,
        ),
        (
            "DELETE FROM sessions WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM sessions WHERE replaced_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            LOGIN_DAYS,
            &mut swept.sessions,
        ),
        (
            "DELETE FROM mails WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM mails WHERE expires_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            CODE_DAYS,
            &mut swept.mails,
        ),
        (
            "DELETE FROM claim_codes WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM claim_codes WHERE created_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            CODE_DAYS,
            &mut swept.codes,
        ),
        (
            "DELETE FROM customer_hands WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM customer_hands WHERE since < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            HANDS_DAYS,
            &mut swept.hands,
        ),
        (
            "DELETE FROM link_tokens WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM link_tokens WHERE created_at < now() - make_interval(days => $1)
                  LIMIT $2 FOR UPDATE SKIP LOCKED))",
            LINK_DAYS,
            &mut swept.links,
        ),
    ] {
        *count = sqlx::query(statement).bind(days).bind(batch).execute(crossing.db()).await?.rows_affected();
    }
    // Whoever maps a role holds its row, which is passed over, and leaves it unseen.
    swept.roles = sqlx::query(
        "DELETE FROM mapped_roles WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM mapped_roles r
              WHERE enforcement <> 'unseen'
                AND NOT EXISTS (SELECT FROM role_mappings m WHERE (m.guild_id, m.role_id) = (r.guild_id, r.role_id))
                AND NOT EXISTS (SELECT FROM role_grants g WHERE (g.guild_id, g.role_id) = (r.guild_id, r.role_id))
                AND NOT EXISTS (SELECT FROM access_sources s
                                 WHERE (s.guild_id, s.role_id) = (r.guild_id, r.role_id) AND s.state = 'live')
              LIMIT $1 FOR UPDATE OF r SKIP LOCKED))",
    )
    .bind(batch)
    .execute(crossing.db())
    .await?
    .rows_affected();
    Ok(swept)
}
