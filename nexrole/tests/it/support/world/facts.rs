//! What the database says, as scenarios ask for it. In: nothing, or whom a question is about. Out: rows in the field's words, and
//! how many of them fit. Together with `rows.rs` and `time.rs` the only SQL of scenarios.

use std::time::Duration;

use serde_json::json;
use shared::domain::{
    activity::Activity,
    audit::{Actor, AuditAction},
    job::{JobOrigin, JobState},
    roles::enforcement::Enforcement,
};
use sqlx::{FromRow, postgres::PgRow};

use super::{Member, World};

#[derive(Debug, FromRow)]
pub(crate) struct Job {
    state: String,
    pub(crate) origin: JobOrigin,
    pub(crate) attempts: i32,
    /// What happened last, in words.
    pub(crate) outcome: String,
    due_in: f64,
}

impl Job {
    pub(crate) fn is(&self, state: JobState) -> bool {
        self.state == state.as_str()
    }

    pub(crate) fn is_due_within(&self, time: Duration) -> bool {
        self.due_in <= time.as_secs_f64()
    }

    /// Waits, and has never failed.
    pub(crate) fn waits_without_failure(&self) -> bool {
        self.is(JobState::Pending) && self.attempts == 0
    }
}

/// The lease and the pause of a guild.
#[derive(Debug, FromRow)]
pub(crate) struct Gate {
    pub(crate) is_leased: bool,
    /// The bot is not in the guild.
    pub(crate) away: bool,
    /// The bot was invited since the last lease began.
    pub(crate) invited: bool,
    /// How often in a row Discord refused the guild as a whole, and with which code.
    pub(crate) refusals: i32,
    pub(crate) refused_code: Option<i32>,
    pause: f64,
}

impl Gate {
    /// Nobody works on the guild, and nobody will for longer than this.
    pub(crate) fn is_paused_for(&self, time: Duration) -> bool {
        self.pause > time.as_secs_f64()
    }

    /// What is left of a minute.
    pub(crate) fn is_paused_for_a_minute(&self) -> bool {
        (45.0..=61.0).contains(&self.pause)
    }

    pub(crate) fn is_free_and_away(&self) -> bool {
        !self.is_leased && self.away
    }

    /// The pause, to the nearest minute.
    pub(crate) fn pause_in_minutes(&self) -> i64 {
        nearest_minute(self.pause)
    }
}

/// A role that a member has because of us.
#[derive(Debug, FromRow)]
pub(crate) struct Grant {
    /// It was taken, and is checked once more.
    pub(crate) is_ending: bool,
    /// It is to be checked again.
    pub(crate) is_watched: bool,
    /// Discord showed that member or role is not there.
    pub(crate) is_shown_absent: bool,
    /// No read has shown it since our call.
    pub(crate) unseen: bool,
    /// Somebody else took it.
    pub(crate) is_taken: bool,
}

/// A role that something is mapped to.
#[derive(Debug, FromRow)]
pub(crate) struct MappedRole {
    pub(crate) enforcement: Enforcement,
    /// Who had it when it was first checked.
    pub(crate) holders: Option<i64>,
    check_in: f64,
}

impl MappedRole {
    /// Discord was not asked yet who holds it, and will not be for longer than this.
    pub(crate) fn is_unseen_for(&self, time: Duration) -> bool {
        self.enforcement == Enforcement::Unseen && self.check_in > time.as_secs_f64()
    }

    /// Until Discord is asked who holds it, to the nearest minute.
    pub(crate) fn check_in_minutes(&self) -> i64 {
        nearest_minute(self.check_in)
    }
}

/// When the guild's list of roles was read, and is to be read.
#[derive(Debug, FromRow)]
pub(crate) struct RoleList {
    /// It was read after the last that was heard of a change.
    pub(crate) is_newer_than_hint: bool,
    /// A change was heard of since it was read.
    pub(crate) is_older_than_hint: bool,
    pub(crate) refusals: i32,
    read_in: Option<f64>,
}

impl RoleList {
    /// Nothing is heard that it does not show, and no reading is planned.
    pub(crate) fn is_settled(&self) -> bool {
        self.read_in.is_none() && self.is_newer_than_hint
    }

    /// It is to be read again, and not for longer than this.
    pub(crate) fn is_put_off_for(&self, time: Duration) -> bool {
        self.read_in.is_some_and(|read_in| read_in > time.as_secs_f64())
    }
}

/// An object that was, or is to be, read from Stripe.
#[derive(Debug, FromRow)]
pub(crate) struct Read {
    pub(crate) guild_id: i64,
    pub(crate) object_kind: String,
    pub(crate) object_id: String,
    pub(crate) is_leased: bool,
    pub(crate) was_read: bool,
    pub(crate) attempts: i32,
    /// How often Stripe said that it has none such.
    pub(crate) missing: i32,
    pub(crate) last_error: Option<String>,
    due_in: Option<f64>,
}

impl Read {
    pub(crate) fn is_dirty(&self) -> bool {
        self.due_in.is_some()
    }

    /// To be read, and not for longer than this.
    pub(crate) fn is_put_off_for(&self, time: Duration) -> bool {
        self.due_in.is_some_and(|due_in| due_in > time.as_secs_f64())
    }
}

/// How far Stripe's own list of an account's events was read.
#[derive(Debug, FromRow)]
pub(crate) struct Cursor {
    /// All subscriptions were listed once.
    pub(crate) was_listed: bool,
    /// The list of subscriptions is not being read, and not to be for an hour.
    pub(crate) is_list_over: bool,
    /// How many subscriptions the list has shown that is being read, or was read last.
    pub(crate) list_seen: i32,
    /// Reads of this month, as far as they are written.
    pub(crate) reads: i32,
    /// The newest event that was read.
    pub(crate) last_event_id: Option<String>,
    /// Of those that are no matter of access.
    pub(crate) other_event_id: Option<String>,
    pub(crate) last_error: Option<String>,
    pub(crate) is_failing: bool,
    /// A poll found that webhooks had brought all that was new.
    pub(crate) webhooks_came: bool,
}

/// An event that a signed webhook or a poll brought.
#[derive(Debug, FromRow, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) guild_id: i64,
    pub(crate) event_id: String,
    #[sqlx(rename = "type")]
    pub(crate) kind: String,
    pub(crate) livemode: bool,
    pub(crate) object_id: Option<String>,
    /// `recorded` until what it hints at was read, then `processed`; `ignored` if it hints at nothing that we read.
    pub(crate) state: String,
}

/// A subscription as Stripe has it.
#[derive(Debug, FromRow)]
pub(crate) struct Subscription {
    pub(crate) price_ids: Vec<String>,
    /// Whom its own metadata names.
    pub(crate) user_id: Option<i64>,
    /// The connected account has none such.
    pub(crate) is_missing: bool,
}

/// Whether a role that a person gave to who pays is to follow the payment.
#[derive(Debug, FromRow, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) user_id: i64,
    /// `open`, `follow` or `keep`.
    pub(crate) state: String,
    asked_at: String,
}

/// A line of the audit log.
#[derive(Debug, FromRow)]
pub(crate) struct Audited {
    action: String,
    actor: String,
    pub(crate) cause: String,
    pub(crate) user_id: Option<i64>,
}

impl Audited {
    pub(crate) fn is(&self, action: AuditAction) -> bool {
        self.action == action.as_str()
    }

    pub(crate) fn is_by(&self, actor: Actor) -> bool {
        self.actor == actor.as_str()
    }
}

/// A line of the activity log.
#[derive(Debug, FromRow)]
pub(crate) struct Active {
    action: String,
    pub(crate) user_id: Option<i64>,
    pub(crate) detail: String,
}

impl Active {
    pub(crate) fn is(&self, activity: Activity) -> bool {
        self.action == activity.as_str()
    }
}

fn nearest_minute(seconds: f64) -> i64 {
    time::Duration::seconds_f64((seconds / 60.0).round()).whole_seconds()
}

fn how_many<Row>(rows: &[Row], fits: impl Fn(&Row) -> bool) -> usize {
    rows.iter().filter(|row| fits(row)).count()
}

impl World {
    async fn all<Row>(&self, query: &'static str) -> Vec<Row>
    where
        Row: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        sqlx::query_as(query).fetch_all(self.db()).await.expect("the query is good")
    }

    pub(super) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.db()).await.expect("the query is good")
    }

    pub(crate) async fn all_jobs(&self) -> Vec<Job> {
        self.all(
            "SELECT state, origin, attempts, coalesce(outcome, '') AS outcome,
                    extract(epoch FROM due_at - now())::float8 AS due_in FROM role_jobs",
        )
        .await
    }

    pub(crate) async fn jobs_where(&self, fits: impl Fn(&Job) -> bool) -> usize {
        how_many(&self.all_jobs().await, fits)
    }

    pub(crate) async fn jobs(&self, state: JobState) -> usize {
        self.jobs_where(|job| job.is(state)).await
    }

    pub(crate) async fn pending(&self) -> usize {
        self.jobs(JobState::Pending).await
    }

    pub(crate) async fn parked(&self) -> usize {
        self.jobs(JobState::Parked).await
    }

    /// Failures of the job that failed most.
    pub(crate) async fn most_attempts(&self) -> Option<i32> {
        self.all_jobs().await.iter().map(|job| job.attempts).max()
    }

    pub(crate) async fn until_parked(&self, jobs: usize, what: &str) {
        self.until(what, async || self.parked().await == jobs).await;
    }

    /// Whether this holds of the gate of the world's guild. It has none before a worker first comes to it.
    pub(crate) async fn gate_is(&self, fits: impl Fn(&Gate) -> bool) -> bool {
        self.gate().await.is_some_and(|gate| fits(&gate))
    }

    pub(crate) async fn gate(&self) -> Option<Gate> {
        sqlx::query_as(
            "SELECT owner IS NOT NULL AS is_leased, away, invited, refusals, refused_code,
                    CASE WHEN owner IS NULL AND open_at > now()
                         THEN extract(epoch FROM open_at - now())::float8 ELSE 0 END AS pause
               FROM guild_gates WHERE guild_id = $1",
        )
        .bind(id(self.guild))
        .fetch_optional(self.db())
        .await
        .expect("the query is good")
    }

    /// When the guild is worked on again, as people are shown it.
    pub(crate) async fn gate_opens_at(&self) -> String {
        self.text("SELECT to_char(open_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM guild_gates WHERE owner IS NULL")
            .await
    }

    pub(crate) async fn grants_where(&self, fits: impl Fn(&Grant) -> bool) -> usize {
        let grants = self.all(
            "SELECT state = 'ending' AS is_ending, look_at IS NOT NULL AS is_watched,
                    absent_since IS NOT NULL AS is_shown_absent, unseen, taken_at IS NOT NULL AS is_taken
               FROM role_grants",
        );
        how_many(&grants.await, fits)
    }

    pub(crate) async fn questions(&self) -> Vec<Question> {
        self.all("SELECT user_id, state, asked_at::text FROM follow_questions ORDER BY user_id").await
    }

    pub(crate) async fn grants(&self) -> usize {
        self.grants_where(|_| true).await
    }

    pub(crate) async fn mapped_roles_where(&self, fits: impl Fn(&MappedRole) -> bool) -> usize {
        how_many(&self.mapped_roles().await, fits)
    }

    pub(crate) async fn mapped_roles(&self) -> Vec<MappedRole> {
        self.all(
            "SELECT enforcement, holders, extract(epoch FROM look_at - now())::float8 AS check_in FROM mapped_roles",
        )
        .await
    }

    pub(crate) async fn until_every_mapped_role_is_seen(&self) {
        let unseen = async || self.mapped_roles_where(|role| role.enforcement == Enforcement::Unseen).await;
        self.until("the bot has checked who holds the roles", async || unseen().await == 0).await;
    }

    /// How many prices and products are mapped.
    pub(crate) async fn mappings(&self) -> i64 {
        self.number("SELECT count(*) FROM role_mappings").await
    }

    /// One-time purchases, and whom they name themselves.
    pub(crate) async fn purchases(&self) -> Vec<(String, Option<i64>)> {
        self.all("SELECT session_id, user_id FROM purchases ORDER BY synced_at").await
    }

    /// Objects that are to be read again in a day, give or take an hour.
    pub(crate) async fn reads_tomorrow(&self) -> i64 {
        self.number(
            "SELECT count(*) FROM stripe_sync WHERE next_at BETWEEN now() + interval '23 h' AND now() + interval '25 h'",
        )
        .await
    }

    /// How many mappings have a policy of their own.
    pub(crate) async fn policies_set(&self) -> i64 {
        self.number("SELECT count(*) FROM role_mappings WHERE policy IS NOT NULL").await
    }

    /// Whether this holds of the guild's list of roles.
    pub(crate) async fn role_list_is(&self, fits: impl Fn(&RoleList) -> bool) -> bool {
        let lists: Vec<RoleList> = self
            .all(
                "SELECT coalesce(hinted_at < read_at, false) AS is_newer_than_hint,
                        coalesce(hinted_at > read_at, false) AS is_older_than_hint, refusals,
                        extract(epoch FROM look_at - now())::float8 AS read_in FROM role_reads",
            )
            .await;
        lists.iter().any(fits)
    }

    /// The session's own reading of the roles is over.
    pub(crate) async fn until_the_session_has_read_the_roles(&self) {
        self.until("the session has begun", async || self.gate_is(|gate| gate.invited).await).await;
        self.until("the roles are read", async || self.role_list_is(RoleList::is_settled).await).await;
    }

    /// It gives Administrator from now on, and the bot knows.
    pub(crate) async fn becomes_dangerous(&self, role: u64) {
        // Otherwise a list that is being read shows the change before it is heard of, and is an old one as soon as it is.
        let is_current = async || self.role_list_is(|list| list.is_newer_than_hint).await;
        self.until("the roles are read", is_current).await;
        let known = self.dangerous_roles().await;
        let change = json!({ "permissions": "8" });
        self.discord.set_role(self.guild, role, change).await.expect("Discord changes it");
        self.until("the bot has read it", async || {
            self.dangerous_roles().await == known + 1 && is_current().await
        })
        .await;
    }

    /// Roles that are known to be dangerous, mapped or not.
    pub(crate) async fn dangerous_roles(&self) -> i64 {
        self.number("SELECT count(*) FROM guild_roles WHERE danger IS NOT NULL").await
    }

    /// Whether the guild's list of roles, as it was last read, has this one.
    pub(crate) async fn is_listed(&self, role: u64) -> bool {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM guild_roles WHERE role_id = $1)")
            .bind(id(role))
            .fetch_one(self.db())
            .await
            .expect("the query is good")
    }

    /// The codes with which Discord refuses to let the bot manage roles, one per role.
    pub(crate) async fn refused_roles(&self) -> Vec<Option<i32>> {
        sqlx::query_scalar("SELECT code FROM role_health")
            .fetch_all(self.db())
            .await
            .expect("the query is good")
    }

    /// When a refused role is tried again, as people are shown it.
    pub(crate) async fn next_probe_at(&self) -> String {
        self.text("SELECT to_char(next_probe_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM role_health")
            .await
    }

    async fn text(&self, query: &'static str) -> String {
        sqlx::query_scalar(query).fetch_one(self.db()).await.expect("the query is good")
    }

    pub(crate) async fn reads_where(&self, fits: impl Fn(&Read) -> bool) -> usize {
        let reads = self.all(
            "SELECT guild_id, object_kind, object_id, lease_owner IS NOT NULL AS is_leased,
                    synced_at IS NOT NULL AS was_read, attempts, missing, last_error,
                    extract(epoch FROM next_at - now())::float8 AS due_in FROM stripe_sync",
        );
        how_many(&reads.await, fits)
    }

    pub(crate) async fn reads(&self) -> usize {
        self.reads_where(|_| true).await
    }

    /// Rows that events leave: themselves, and the objects to be read for them.
    pub(crate) async fn events_and_reads(&self) -> usize {
        self.events().await + self.reads().await
    }

    pub(crate) async fn cursors_where(&self, fits: impl Fn(&Cursor) -> bool) -> usize {
        how_many(&self.cursors().await, fits)
    }

    pub(crate) async fn cursors(&self) -> Vec<Cursor> {
        self.all(
            "SELECT listed_at IS NOT NULL AS was_listed, list_seen, reads, last_event_id,
                    (list_began_at IS NULL AND list_next_at > now() + interval '1 h') AS is_list_over, other_event_id, last_error,
                    coalesce(failing_since, list_failing_since) IS NOT NULL AS is_failing,
                    webhook_at IS NOT NULL AND webhook_missed = 0 AS webhooks_came FROM stripe_cursors",
        )
        .await
    }

    pub(crate) async fn events_where(&self, fits: impl Fn(&Event) -> bool) -> usize {
        let events =
            self.all("SELECT guild_id, event_id, type, livemode, object_id, state FROM stripe_events");
        how_many(&events.await, fits)
    }

    pub(crate) async fn events(&self) -> usize {
        self.events_where(|_| true).await
    }

    pub(crate) async fn event(&self, event_id: &str) -> Option<Event> {
        sqlx::query_as("SELECT guild_id, event_id, type, livemode, object_id, state FROM stripe_events WHERE event_id = $1")
            .bind(event_id)
            .fetch_optional(self.db())
            .await
            .expect("the query is good")
    }

    /// Events that were accepted, and are not answered by a read yet.
    pub(crate) async fn unanswered_events(&self) -> usize {
        self.events_where(|event| event.state == "recorded").await
    }

    /// Of these events, those that no row is there for.
    pub(crate) async fn events_missing(&self, ids: &[String]) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT id FROM unnest($1::text[]) AS said (id)
              WHERE NOT EXISTS (SELECT FROM stripe_events WHERE event_id = said.id)",
        )
        .bind(ids)
        .fetch_all(self.db())
        .await
        .expect("the query is good")
    }

    pub(crate) async fn subscriptions_where(&self, fits: impl Fn(&Subscription) -> bool) -> usize {
        let subscriptions =
            self.all("SELECT price_ids, user_id, missing_since IS NOT NULL AS is_missing FROM subscriptions");
        how_many(&subscriptions.await, fits)
    }

    pub(crate) async fn subscriptions(&self) -> usize {
        self.subscriptions_where(|_| true).await
    }

    /// How often the limit on mass revokes was asked, and let somebody lose a role.
    pub(crate) async fn revokes_counted(&self) -> i64 {
        self.number("SELECT count(*) FROM role_revokes").await
    }

    /// What a subscription is of, and what is taken off of all of it, as it was kept.
    pub(crate) async fn subscribed_to(&self, subscription: &str) -> serde_json::Value {
        let query = "SELECT jsonb_build_object('items', items, 'discounts', discounts) FROM subscriptions WHERE subscription_id = $1";
        sqlx::query_scalar(query).bind(subscription).fetch_one(self.db()).await.expect("the query is good")
    }

    /// What a purchase came to, in which currency.
    pub(crate) async fn came_to(&self, session: &str) -> (Option<i64>, Option<String>) {
        let query = "SELECT amount_total, currency FROM purchases WHERE session_id = $1";
        sqlx::query_as(query).bind(session).fetch_one(self.db()).await.expect("the query is good")
    }

    /// Reasons for which members are to have roles, over or not.
    pub(crate) async fn sources(&self) -> i64 {
        self.number("SELECT count(*) FROM access_sources").await
    }

    pub(crate) async fn sources_live(&self) -> i64 {
        self.number("SELECT count(*) FROM access_sources WHERE state = 'live'").await
    }

    pub(crate) async fn sources_ended(&self) -> i64 {
        self.number("SELECT count(*) FROM access_sources WHERE state = 'ended'").await
    }

    /// Live sources of members whom no customer is linked to.
    pub(crate) async fn sources_of_unlinked_members(&self) -> i64 {
        self.number(
            "SELECT count(*) FROM access_sources s WHERE state = 'live'
                AND NOT EXISTS (SELECT FROM member_links l WHERE l.user_id = s.user_id)",
        )
        .await
    }

    /// The account's mode and state, per connection, by mode.
    pub(crate) async fn connections(&self) -> String {
        self.text(
            "SELECT string_agg(livemode || ' ' || state, ', ' ORDER BY livemode) FROM stripe_connections",
        )
        .await
    }

    /// Connections whose secrets, or some of them, are sealed in the database.
    pub(crate) async fn connections_with_secrets(&self) -> i64 {
        self.number("SELECT count(*) FROM stripe_connections WHERE api_key IS NOT NULL OR webhook_secrets IS NOT NULL")
            .await
    }

    pub(crate) async fn audit_where(&self, fits: impl Fn(&Audited) -> bool) -> usize {
        how_many(&self.all("SELECT action, actor, cause, user_id FROM audit_log").await, fits)
    }

    pub(crate) async fn audit(&self, action: AuditAction) -> usize {
        self.audit_where(|entry| entry.is(action)).await
    }

    pub(crate) async fn activity_where(&self, fits: impl Fn(&Active) -> bool) -> usize {
        let lines = self.all("SELECT action, user_id, coalesce(detail, '') AS detail FROM activity_log");
        how_many(&lines.await, fits)
    }

    pub(crate) async fn activity(&self, of: Activity) -> usize {
        self.activity_where(|line| line.is(of)).await
    }

    /// Member, role and `add` or `remove`, as the audit log has it.
    pub(super) async fn audited_changes(&self) -> Vec<(u64, u64, &'static str)> {
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT user_id, role_id, action FROM audit_log WHERE action IN ('role.granted', 'role.revoked')",
        )
        .fetch_all(self.db())
        .await
        .expect("the query is good");
        let change = |action: &str| if action == "role.granted" { "add" } else { "remove" };
        rows.iter()
            .map(|(user, role, action)| (user.unsigned_abs(), role.unsigned_abs(), change(action)))
            .collect()
    }

    /// In how many days, rounded, each role that a member has access to ends by itself; `None`: it does not.
    pub(crate) async fn days_left(&self, member: &Member) -> Vec<Option<i64>> {
        sqlx::query_scalar(
            "SELECT round(extract(epoch FROM valid_until - now()) / 86400)::bigint FROM access_sources
              WHERE user_id = $1 AND state = 'live' ORDER BY role_id, source_id",
        )
        .bind(id(member.user))
        .fetch_all(self.db())
        .await
        .expect("the query is good")
    }

    /// What a member was told, or was to be, as `kind state`, in the order of time.
    pub(crate) async fn notices(&self, member: &Member) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT kind || ' ' || state FROM member_notices WHERE user_id = $1 ORDER BY anchor, due_at, notice_id",
        )
        .bind(id(member.user))
        .fetch_all(self.db())
        .await
        .expect("the query is good")
    }

    /// Whether the bot knows of every notice whether Discord has taken it.
    pub(crate) async fn notices_are_settled(&self) -> bool {
        self.number("SELECT count(*) FROM member_notices WHERE state = 'pending' AND tried_at IS NOT NULL")
            .await
            == 0
    }

    /// What a member has read of the bot's: the titles of its messages.
    pub(crate) async fn told(&self, member: &Member) -> Vec<String> {
        let messages = self.discord.direct_messages(member.user).await.expect("Discord answers");
        let title =
            |message: &sandbox::discord::Message| message.embeds[0]["title"].as_str().map(str::to_owned);
        messages.iter().map(|message| title(message).expect("a title")).collect()
    }

    /// Which version of which row there is of all that reading a subscription may write: another, when one was changed or locked.
    pub(crate) async fn row_versions(&self) -> String {
        self.text(
            "SELECT md5(string_agg(version, ' ' ORDER BY version)) FROM (
                 SELECT 's' || ctid || xmin || xmax FROM subscriptions UNION ALL
                 SELECT 'c' || ctid || xmin || xmax FROM customers UNION ALL
                 SELECT 'l' || ctid || xmin || xmax FROM member_links UNION ALL
                 SELECT 'y' || ctid || xmin || xmax FROM stripe_sync WHERE object_kind = 'subscription' UNION ALL
                 SELECT 'a' || ctid || xmin || xmax FROM access_sources UNION ALL
                 SELECT 'u' || ctid || xmin || xmax FROM audit_log UNION ALL
                 SELECT 'j' || ctid || xmin || xmax FROM role_jobs) AS versions (version)",
        )
        .await
    }

    /// The page of its open invoice, as it is kept.
    pub(crate) async fn invoice_page(&self, subscription: &str) -> Option<String> {
        let query = "SELECT open_invoice_url FROM subscriptions WHERE subscription_id = $1";
        sqlx::query_scalar(query).bind(subscription).fetch_one(self.db()).await.expect("the query is good")
    }

    /// Active connections whose customer portal is to be looked at within half an hour.
    pub(crate) async fn portals_to_read(&self) -> i64 {
        self.number(
            "SELECT count(*) FROM stripe_cursors JOIN stripe_connections USING (guild_id, connection_id)
              WHERE state = 'active' AND portal_next_at < now() + interval '30 min'",
        )
        .await
    }

    /// Whether a text stands in what is kept of what was done, or failed.
    pub(crate) async fn said_anywhere(&self, text: &str) -> bool {
        let query = "SELECT EXISTS (SELECT FROM (
                 SELECT to_jsonb(a) FROM audit_log a UNION ALL SELECT to_jsonb(l) FROM activity_log l UNION ALL
                 SELECT to_jsonb(j) FROM role_jobs j UNION ALL SELECT to_jsonb(s) FROM access_sources s UNION ALL
                 SELECT to_jsonb(n) FROM member_notices n UNION ALL SELECT to_jsonb(y) FROM stripe_sync y) AS rows (row)
                 WHERE position($1 IN row::text) > 0)";
        sqlx::query_scalar(query).bind(text).fetch_one(self.db()).await.expect("the query is good")
    }

    /// Subscriptions of which it is known when they end by themselves.
    pub(crate) async fn scheduled_ends(&self) -> i64 {
        self.number("SELECT count(*) FROM subscriptions WHERE ends_at IS NOT NULL").await
    }
}

/// As the database has Discord's ids.
pub(super) fn id(snowflake: u64) -> i64 {
    i64::try_from(snowflake).expect("a snowflake")
}
