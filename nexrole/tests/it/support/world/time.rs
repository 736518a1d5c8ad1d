//! Time that passes at once. In: how much of it, or what has come. Out: rows that are as they will be then.
//!
//! The only place where a test moves a time that is written down.

use super::{Member, World, facts::id};

impl World {
    async fn change(&self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(self.db()).await.expect("the rows can be changed").rows_affected()
    }

    /// So many minutes later, for all that waits. Rows keep their own time, or members would have joined after it.
    pub(crate) async fn later(&self, minutes: i32) {
        for statement in [
            "UPDATE role_grants SET absent_since = absent_since - $1 * interval '1 min',
                                    look_at = look_at - $1 * interval '1 min'",
            "UPDATE role_jobs SET due_at = due_at - $1 * interval '1 min' WHERE state IN ('pending', 'parked')",
        ] {
            sqlx::query(statement).bind(minutes).execute(self.db()).await.expect("the rows can be changed");
        }
    }

    /// What waits for its next try is due.
    pub(crate) async fn jobs_are_due(&self) {
        self.change("UPDATE role_jobs SET due_at = now() WHERE state = 'pending'").await;
    }

    /// Every job, done or not, was due so many minutes ago.
    pub(crate) async fn jobs_were_due(&self, minutes: i32) {
        let statement = "UPDATE role_jobs SET due_at = now() - $1 * interval '1 min'";
        sqlx::query(statement).bind(minutes).execute(self.db()).await.expect("the rows can be changed");
    }

    /// What waits was made five minutes ago, and is due.
    pub(crate) async fn jobs_are_five_minutes_old(&self) {
        self.change(
            "UPDATE role_jobs SET created_at = now() - interval '5 minutes', due_at = now() WHERE state = 'pending'",
        )
        .await;
    }

    /// A guild that was told to wait has waited.
    pub(crate) async fn pauses_are_over(&self) {
        self.change("UPDATE guild_gates SET open_at = now() WHERE owner IS NULL").await;
    }

    /// Guild and jobs have waited.
    pub(crate) async fn waits_are_over(&self) {
        self.pauses_are_over().await;
        self.jobs_are_due().await;
    }

    /// Nobody works on any guild for the next hour.
    pub(crate) async fn pause_for_an_hour(&self) {
        self.change("UPDATE guild_gates SET open_at = now() + interval '1 hour'").await;
    }

    /// A refused role was to be tried again an hour ago.
    pub(crate) async fn probes_were_due(&self) {
        self.change("UPDATE role_health SET next_probe_at = now() - interval '1 h'").await;
    }

    /// Discord is to be asked now who holds the mapped roles.
    pub(crate) async fn role_checks_are_due(&self) {
        self.change("UPDATE mapped_roles SET look_at = now()").await;
    }

    /// The guilds' lists of roles are to be read now.
    pub(crate) async fn role_lists_are_due(&self) {
        self.change("UPDATE role_reads SET look_at = now()").await;
    }

    /// The reading of a list of roles that is planned is due. Out: how many are.
    pub(crate) async fn planned_role_lists_are_due(&self) -> u64 {
        self.change("UPDATE role_reads SET look_at = now() WHERE look_at IS NOT NULL").await
    }

    /// What was read of roles, and heard of them, is six minutes older: more than the bot takes on trust.
    pub(crate) async fn role_lists_age(&self) {
        self.change(
            "UPDATE role_reads SET read_at = read_at - interval '6 minutes', hinted_at = hinted_at - interval '6 minutes'",
        )
        .await;
    }

    /// The roles were read an hour ago.
    pub(crate) async fn role_lists_are_an_hour_old(&self) {
        self.change("UPDATE role_reads SET read_at = now() - interval '1 hour'").await;
    }

    /// The roles were read three days ago, and something about them changed now.
    pub(crate) async fn role_lists_are_days_old_and_wrong(&self) {
        self.change("UPDATE role_reads SET read_at = now() - interval '3 days', hinted_at = now()").await;
    }

    /// They got their roles an hour after they had joined: they never left since.
    pub(crate) async fn joined_long_before(&self, member: &Member) {
        let statement =
            "UPDATE role_grants SET confirmed_at = confirmed_at + interval '1 hour' WHERE user_id = $1";
        sqlx::query(statement)
            .bind(id(member.user))
            .execute(self.db())
            .await
            .expect("the rows can be changed");
    }

    /// What failed to be read from Stripe, or is to be read later, is due.
    pub(crate) async fn reads_are_due(&self) {
        self.change("UPDATE stripe_sync SET next_at = now() WHERE next_at IS NOT NULL").await;
    }

    /// What failed to be read from Stripe is tried again in an hour.
    pub(crate) async fn reads_are_put_off(&self) {
        self.change(
            "UPDATE stripe_sync SET next_at = now() + interval '1 hour' WHERE failing_since IS NOT NULL",
        )
        .await;
    }

    /// Everything is settled, without waiting for what failed to be read to be tried again, nor for what fails meanwhile.
    pub(crate) async fn until_settled_at_once(&self) {
        self.until("all is settled", async || {
            let put_off = "UPDATE stripe_sync SET next_at = now() WHERE next_at > now() AND dirty_seq > 0";
            self.change(put_off).await;
            self.scenario.unsettled().await.expect("the database answers").is_empty()
        })
        .await;
    }

    /// Stripe has said for days that it has none such, and is asked once more.
    pub(crate) async fn missing_for_days(&self) {
        self.change("UPDATE stripe_sync SET missing = 6, next_at = now() WHERE next_at IS NOT NULL").await;
    }

    /// What is held was held so many days earlier.
    pub(crate) async fn holds_began_days_ago(&self, days: i32) {
        let statement = "UPDATE role_holds SET since = since - make_interval(days => $1),
                                               remind_at = remind_at - make_interval(days => $1)";
        sqlx::query(statement).bind(days).execute(self.db()).await.expect("the rows can be changed");
    }

    /// Whatever was taken was taken so many hours earlier.
    pub(crate) async fn roles_were_taken_hours_ago(&self, hours: i32) {
        let statement = "UPDATE role_revokes SET at = at - make_interval(hours => $1)";
        sqlx::query(statement).bind(hours).execute(self.db()).await.expect("the rows can be changed");
    }

    /// Stripe's lists of events are to be read now, and the list of subscriptions on, if it failed.
    pub(crate) async fn polls_are_due(&self) {
        self.change(
            "UPDATE stripe_cursors SET next_poll_at = now(), other_poll_at = now(),
                    list_next_at = CASE WHEN list_error IS NOT NULL THEN now() ELSE list_next_at END",
        )
        .await;
    }

    /// Whatever was heard of is read, though no bot does what follows.
    pub(crate) async fn until_all_is_read(&self) {
        let unread = "SELECT count(*) FROM stripe_sync WHERE next_at IS NOT NULL AND (dirty_seq > 0 OR next_at <= now())";
        self.until("all is read", async || self.number(unread).await == 0).await;
    }

    /// A day later, or for what failed its wait: the list of subscriptions is to be read, or read on.
    pub(crate) async fn lists_are_due(&self) {
        self.change("UPDATE stripe_cursors SET list_next_at = now()").await;
    }

    /// The customer portal of each connection is to be looked at.
    pub(crate) async fn portals_are_due(&self) {
        self.change("UPDATE stripe_cursors SET portal_next_at = now()").await;
    }

    /// The pages of open invoices were read so many days earlier.
    pub(crate) async fn invoice_pages_age(&self, days: i32) {
        let statement = "UPDATE subscriptions SET open_invoice_read_at = open_invoice_read_at - make_interval(days => $1)";
        sqlx::query(statement).bind(days).execute(self.db()).await.expect("the rows can be changed");
    }

    /// Somebody has changed what is kept.
    pub(crate) async fn invoice_page_becomes(&self, subscription: &str, page: &str) {
        let statement = "UPDATE subscriptions SET open_invoice_url = $2, open_invoice_read_at = now() WHERE subscription_id = $1";
        let query = sqlx::query(statement).bind(subscription).bind(page);
        query.execute(self.db()).await.expect("the rows can be changed");
    }

    /// The next step of a backfill that failed, or whose gateway died, is to be taken.
    pub(crate) async fn backfills_are_due(&self) {
        self.change("UPDATE stripe_backfills SET next_at = now() WHERE state <> 'done'").await;
    }

    /// The list of subscriptions is read once more, to its end.
    pub(crate) async fn until_listed_once_more(&self) {
        self.lists_are_due().await;
        let over = async || self.cursors_where(|cursor| cursor.is_list_over).await;
        self.until("the list is read to its end", async || over().await == 1).await;
        self.settle().await;
    }

    /// Waits for what a poll of Stripe's list brings: one is due at every try, since a poll under way sets the time of the next.
    pub(crate) async fn until_polled<F: Future<Output = bool>>(&self, what: &str, held: impl Fn() -> F) {
        self.until(what, async || {
            self.polls_are_due().await;
            held().await
        })
        .await;
    }

    /// Events were received so many days earlier.
    pub(crate) async fn events_age(&self, days: i32) {
        let statement = "UPDATE stripe_events SET received_at = received_at - make_interval(days => $1)";
        sqlx::query(statement).bind(days).execute(self.db()).await.expect("the rows can be changed");
    }

    /// So many days pass for whatever was given for a while.
    pub(crate) async fn given_for_days(&self, days: i32) {
        let statement = "UPDATE access_sources SET valid_until = valid_until - make_interval(days => $1) WHERE kind <> 'stripe'";
        sqlx::query(statement).bind(days).execute(self.db()).await.expect("the rows can be changed");
    }

    /// What Discord was asked to tell a member, and did not answer, was so ten minutes ago, and is due.
    pub(crate) async fn notices_were_tried_long_ago(&self) {
        self.change("UPDATE member_notices SET tried_at = tried_at - interval '10 minutes', next_at = now() WHERE tried_at IS NOT NULL AND state = 'pending'")
            .await;
    }

    /// So many days pass for whoever owes a payment: it was due so much earlier, and so is what follows from it.
    pub(crate) async fn unpaid_for_days(&self, days: i32) {
        for statement in [
            "UPDATE subscriptions SET unpaid_since = unpaid_since - make_interval(days => $1)",
            "UPDATE access_sources SET valid_until = valid_until - make_interval(days => $1)",
            "UPDATE stripe_sync SET next_at = next_at - make_interval(days => $1) WHERE dirty_seq = 0",
            "UPDATE member_notices SET anchor = anchor - make_interval(days => $1), ends_at = ends_at - make_interval(days => $1),
                    due_at = due_at - make_interval(days => $1), next_at = next_at - make_interval(days => $1),
                    tried_at = tried_at - make_interval(days => $1), sent_at = sent_at - make_interval(days => $1),
                    created_at = created_at - make_interval(days => $1), finished_at = finished_at - make_interval(days => $1)",
        ] {
            sqlx::query(statement).bind(days).execute(self.db()).await.expect("the rows can be changed");
        }
    }
}
