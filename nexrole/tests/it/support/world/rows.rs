//! What scenarios write into the database themselves, because nothing else does, or not yet. In: ids and words of the field. Out:
//! rows as a service, an operator or an earlier time would have left them.

use serde_json::Value;
use shared::domain::audit::{Actor, AuditAction};
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::{Member, World, facts::id};

/// A payment of somebody whom no Stripe account of the world knows.
pub(crate) struct Payment {
    pub(crate) guild: u64,
    pub(crate) user: u64,
    pub(crate) role: u64,
    /// When the job is due, as an interval from now.
    pub(crate) due_in: &'static str,
    pub(crate) attempts: i32,
}

/// A line of the audit log.
pub(crate) struct AuditLine {
    pub(crate) guild: u64,
    pub(crate) actor: Actor,
    pub(crate) action: AuditAction,
    pub(crate) user: Option<u64>,
    pub(crate) role: Option<u64>,
    pub(crate) cause: String,
    pub(crate) address: Option<&'static str>,
    pub(crate) change: Option<Value>,
}

/// What is written of a guild when the bot leaves it, or is back.
pub(crate) enum Write {
    BotAway,
    BotBack,
}

impl World {
    async fn write(&self, statement: &'static str) {
        sqlx::query(statement).execute(self.db()).await.expect("the rows can be written");
    }

    /// A line that nobody else wrote.
    pub(crate) async fn write_audit(&self, line: AuditLine) {
        let insert =
            "INSERT INTO audit_log (guild_id, actor, action, user_id, role_id, cause, address, change)
                      VALUES ($1, $2, $3, $4, $5, $6, $7::inet, $8)";
        let query =
            sqlx::query(insert).bind(id(line.guild)).bind(line.actor.as_str()).bind(line.action.as_str());
        let query = query.bind(line.user.map(id)).bind(line.role.map(id)).bind(line.cause);
        let query = query.bind(line.address).bind(line.change);
        query.execute(self.db()).await.expect("the rows can be written");
    }

    /// The database refuses such a write this often, as it does in a failover, or when it is full of connections.
    pub(crate) async fn refuse(&self, write: Write, times: u32) {
        let when = match write {
            Write::BotAway => "NEW.away AND NOT OLD.away",
            Write::BotBack => "OLD.away AND NOT NEW.away",
        };
        let statements = format!(
            "CREATE SEQUENCE refusals;
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN IF nextval('refusals') <= {times} THEN RAISE EXCEPTION 'not now'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON guild_gates FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse()"
        );
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(self.db()).await.expect("a trigger is made");
    }

    /// Such a write was refused once.
    pub(crate) async fn has_refused(&self) -> bool {
        self.number("SELECT count(*) FROM refusals WHERE is_called").await == 1
    }

    /// Every mapping is gone, and nobody removed any.
    pub(crate) async fn mappings_vanish(&self) {
        self.write("DELETE FROM role_mappings").await;
    }

    /// Every subscription that is known is read again, without an event about any.
    pub(crate) async fn everything_is_read_again(&self) {
        self.write(
            "UPDATE stripe_sync SET next_at = now(), dirty_seq = dirty_seq + 1, origin = 'bulk' WHERE object_kind = 'subscription'",
        )
        .await;
    }

    /// Of every connection an event was accepted whose customer is to be read.
    pub(crate) async fn an_event_is_unread(&self) {
        self.write(
            "INSERT INTO stripe_events (guild_id, connection_id, event_id, type, object_id, livemode, state)
             SELECT guild_id, connection_id, 'evt_1', 'customer.updated', 'cus_1', false, 'recorded' FROM stripe_connections",
        )
        .await;
        self.write(
            "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id)
             SELECT guild_id, connection_id, 'customer', 'cus_1' FROM stripe_connections",
        )
        .await;
    }

    /// A job of a guild's that was due so many minutes ago.
    pub(crate) async fn a_job_was_due(&self, guild: u64, minutes: i32) {
        let insert = "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, due_at)
                      VALUES ($1, 1, 7, 'grant', 'x', now() - $2 * interval '1 min')";
        let query = sqlx::query(insert).bind(id(guild)).bind(minutes);
        query.execute(self.db()).await.expect("the rows can be written");
    }

    /// The newest migration was never applied.
    pub(crate) async fn forget_the_newest_migration(&self) {
        self.write(
            "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
        )
        .await;
    }

    /// Somebody holds what says when this object is to be read, until the transaction ends.
    pub(crate) async fn hold_read(&self, object_id: &str) -> Transaction<'static, Postgres> {
        let mut holder = self.db().begin().await.expect("Postgres is up");
        let patient = "SET LOCAL idle_in_transaction_session_timeout = 0";
        sqlx::query(patient).execute(&mut *holder).await.expect("it is set");
        let row = "SELECT FROM stripe_sync WHERE object_id = $1 FOR UPDATE";
        sqlx::query(row).bind(object_id).execute(&mut *holder).await.expect("it is held");
        holder
    }

    /// Whether the migrations went through.
    pub(crate) async fn migrations_succeeded(&self, success: bool) {
        let statement = "UPDATE _sqlx_migrations SET success = $1";
        sqlx::query(statement).bind(success).execute(self.db()).await.expect("the rows can be written");
    }

    /// A payment, as the gateway writes it, on a role that follows payments.
    pub(crate) async fn paid(&self, payment: Payment) {
        let paid = "WITH source AS (
                 INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
                 VALUES ($1, $2, $3, 'stripe', 1, 'sub_x', 'live', 'x')
             ), mapped AS (
                 INSERT INTO mapped_roles (guild_id, role_id, enforcement) VALUES ($1, $3, 'on') ON CONFLICT DO NOTHING
             )
             INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, due_at, attempts)
             VALUES ($1, $2, $3, 'grant', 'test', now() + $4::interval, $5)";
        let query = sqlx::query(paid).bind(id(payment.guild)).bind(id(payment.user)).bind(id(payment.role));
        let query = query.bind(payment.due_in).bind(payment.attempts);
        query.execute(self.db()).await.expect("the rows can be written");
    }

    /// The guild has a regular check and a second check of members to make, neither of which is a change.
    pub(crate) async fn checks_are_queued(&self) {
        self.write(
            "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause)
             SELECT guild_id, 7, 7, 'resync', origin, 'test' FROM guilds, unnest(ARRAY['sweep', 'recheck']) AS checks (origin)",
        )
        .await;
    }

    /// Every question was answered: the role follows the payment. Nobody is checked for it.
    pub(crate) async fn questions_are_answered_yes(&self) {
        self.write("UPDATE follow_questions SET state = 'follow', answered_at = now()").await;
    }

    /// Every job is of a purchase.
    pub(crate) async fn jobs_become_purchases(&self) {
        self.write("UPDATE role_jobs SET origin = 'purchase'").await;
    }

    /// Every mapped role follows payments, without its holders having been checked.
    pub(crate) async fn enforce_unchecked(&self) {
        self.write("UPDATE mapped_roles SET enforcement = 'on'").await;
    }

    /// Nothing is known of any role of the guild.
    pub(crate) async fn forget_the_list_of_roles(&self) {
        self.write("DELETE FROM guild_roles").await;
    }

    /// As after Stripe's 30 days: it does not know the last event that we read any more.
    pub(crate) async fn lose_the_cursor(&self) {
        self.write("UPDATE stripe_cursors SET last_event_id = 'evt_long_gone'").await;
    }

    /// As a minute after events came, when no older one can come any more: the list is read on from the last of them.
    pub(crate) async fn the_cursor_follows(&self) {
        self.write(
            "UPDATE stripe_cursors SET last_event_id =
                    (SELECT event_id FROM stripe_events WHERE type = 'customer.subscription.created' LIMIT 1)",
        )
        .await;
    }

    /// The events of the last hour are new to the next poll.
    pub(crate) async fn polled_an_hour_ago(&self) {
        self.write("UPDATE stripe_cursors SET answered_at = now() - interval '1 hour'").await;
    }

    /// So many reads of Stripe's API were made this month.
    pub(crate) async fn reads_were_made(&self, reads: i32) {
        let spent = "UPDATE stripe_cursors
                        SET reads = $1, reads_month = date_trunc('month', now() AT TIME ZONE 'UTC')::date";
        sqlx::query(spent).bind(reads).execute(self.db()).await.expect("the rows can be written");
    }

    /// What was read was read in the month before.
    pub(crate) async fn the_month_is_over(&self) {
        self.write("UPDATE stripe_cursors SET reads_month = (reads_month - interval '1 month')::date").await;
    }

    /// The whole state of the account is to be listed again. `start_gateway` waits for one that is listed.
    pub(crate) async fn list_again(&self) {
        self.write("UPDATE stripe_cursors SET listed_at = NULL, list_began_at = NULL").await;
    }

    /// Every subscription is to be read by itself.
    pub(crate) async fn subscriptions_are_dirty(&self) {
        self.write(
            "UPDATE stripe_sync SET dirty_seq = dirty_seq + 1, next_at = now() WHERE object_kind = 'subscription'",
        )
        .await;
    }

    /// Somebody deletes all that gives access.
    pub(crate) async fn sources_are_deleted(&self) {
        self.write("DELETE FROM access_sources").await;
    }

    /// Somebody writes down that what a subscription gives is another member's.
    pub(crate) async fn sources_become(&self, subscription: &str, member: &Member) {
        let statement = "UPDATE access_sources SET user_id = $2 WHERE source_id = $1";
        let query = sqlx::query(statement).bind(subscription).bind(id(member.user));
        query.execute(self.db()).await.expect("the rows can be written");
    }

    /// Somebody writes down that a member has the role by a subscription that there never was.
    pub(crate) async fn source_is_made_up(&self, member: &Member, subscription: &str) {
        let statement = "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
             SELECT guild_id, $1, role_id, kind, connection_id, $2, state, evidence FROM access_sources LIMIT 1";
        let query = sqlx::query(statement).bind(id(member.user)).bind(subscription);
        query.execute(self.db()).await.expect("the rows can be written");
    }

    /// Nothing is to be read from Stripe, whatever was heard.
    pub(crate) async fn lose_the_reads(&self) {
        self.write("UPDATE stripe_sync SET next_at = NULL").await;
    }

    /// `active`, `disconnected`.
    pub(crate) async fn connections_become(&self, state: &'static str) {
        let statement = "UPDATE stripe_connections SET state = $1";
        sqlx::query(statement).bind(state).execute(self.db()).await.expect("the rows can be written");
    }

    /// As if every key had been a live one.
    pub(crate) async fn connections_become_live(&self) {
        self.write("UPDATE stripe_connections SET livemode = true").await;
    }

    /// Every connection has this sealed API key.
    pub(crate) async fn connections_get_key(&self, sealed: &[u8]) {
        let statement = "UPDATE stripe_connections SET api_key = $1";
        sqlx::query(statement).bind(sealed).execute(self.db()).await.expect("the rows can be written");
    }
}
