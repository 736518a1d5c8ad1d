//! While a new release starts, the one before it still runs, on the new schema. Its statements stand here as it sends them.

use shared::domain::stripe_object::{Object, ObjectKind};
use shared::{
    db::{pg_roles::Login, tenant::Tenant},
    domain::{
        billing::{
            amount::Percent,
            page::{LatestInvoice, PageUrl},
            subscription::{CustomerFact, Item, Items, SubscriptionFact, SubscriptionStatus},
        },
        entitlement::source::SourceRef,
    },
    store::{
        access_sources, queue_depth,
        stripe_cursors::{self, OtherCursor},
        stripe_events, stripe_lists, stripe_mirror,
        stripe_sync::{self, Settled},
    },
};
use uuid::Uuid;

use super::{LEASE, connection, event, guild, role, text, user};
use crate::support::cluster::Database;

#[tokio::test]
async fn it_writes_sources_that_we_read_and_finds_those_that_are_there() {
    let database = Database::create().await;
    let at = connection(&database).await;
    let its_apply = "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
         VALUES ($1, $2, $3, 'stripe', $4, $5, $6, $7)
         ON CONFLICT (guild_id, user_id, role_id, kind, connection_id, source_id)
             DO UPDATE SET state = excluded.state, evidence = excluded.evidence, changed_at = now()";
    let mut tenant = database.tenant(guild(1)).await;
    for state in ["live", "ended", "live"] {
        let query = sqlx::query(its_apply).bind(guild(1)).bind(user(1)).bind(role(7)).bind(at.id);
        query.bind("sub_1").bind(state).bind("x").execute(tenant.unguarded()).await.unwrap();
    }
    let subscription = SourceRef::Subscription { connection: at.id, id: "sub_1".parse().unwrap() };
    assert_eq!(access_sources::live(&mut tenant, &subscription).await.unwrap().len(), 1);
    assert_eq!(
        access_sources::live_of_kind(&mut tenant, at.id, ObjectKind::Subscription).await.unwrap(),
        ["sub_1"]
    );
    drop(tenant);
    database.remove().await;
}

#[tokio::test]
async fn what_it_read_is_not_unread_to_us() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let bot = database.login(Login::Bot);
    let at = connection(&database).await;
    let mut across = gateway.across().await.unwrap();
    let mut counts = bot.across().await.unwrap();
    stripe_events::record(&mut across, &[event(at, "evt_1", Some("sub_1"))]).await.unwrap();
    let leased = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap();
    let its_settle = "UPDATE stripe_sync SET lease_owner = NULL, lease_until = NULL, attempts = 0, missing = 0, last_error = NULL,
                failing_since = NULL, synced_at = now(), next_at = CASE WHEN dirty_seq = $6 THEN NULL ELSE next_at END
          WHERE guild_id = $1 AND connection_id = $2 AND object_kind = $3 AND object_id = $4 AND lease_owner = $5
         RETURNING dirty_seq = $6";
    let mut tenant = database.tenant(guild(1)).await;
    let query = sqlx::query_scalar(its_settle).bind(guild(1)).bind(at.id).bind("subscription").bind("sub_1");
    let clean: bool =
        query.bind(leased.owner).bind(leased.dirty_seq).fetch_one(tenant.unguarded()).await.unwrap();
    tenant.commit().await.unwrap();
    assert!(clean);
    assert_eq!(queue_depth::depth(&mut counts).await.unwrap().unread, 0);
    // The next hint is one for both.
    stripe_events::record(&mut across, &[event(at, "evt_2", Some("sub_1"))]).await.unwrap();
    assert_eq!(
        text(&database.pool, "SELECT count(*)::text FROM stripe_sync WHERE next_at <= now()").await,
        "1"
    );
    assert_eq!(queue_depth::depth(&mut counts).await.unwrap().unread, 1);
    drop((across, counts));
    database.remove().await;
}

/// It knows no `not_before`, and has all that it hears of read at once.
#[tokio::test]
async fn what_either_hears_of_while_the_other_reads_is_read_again() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let at = connection(&database).await;
    let mut across = gateway.across().await.unwrap();
    stripe_events::record(&mut across, &[event(at, "evt_1", Some("sub_1"))]).await.unwrap();
    let ours = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap();
    let its_hint =
        "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id) VALUES ($1, $2, $3, $4)
             ON CONFLICT (guild_id, connection_id, object_kind, object_id) DO UPDATE
                 SET dirty_seq = stripe_sync.dirty_seq + 1, next_at = now(), origin = 'purchase'";
    let its_hint = || sqlx::query(its_hint).bind(guild(1)).bind(at.id).bind("subscription").bind("sub_1");
    let due = "SELECT count(*)::text FROM stripe_sync WHERE next_at <= now()";
    let mut tenant = database.tenant(guild(1)).await;
    its_hint().execute(tenant.unguarded()).await.unwrap();
    assert_eq!(stripe_sync::settle(&mut tenant, &ours, LEASE).await.unwrap(), Settled::StillDirty);
    tenant.commit().await.unwrap();
    assert_eq!(text(&database.pool, due).await, "0", "it shares the next read");
    let mut tenant = database.tenant(guild(1)).await;
    its_hint().execute(tenant.unguarded()).await.unwrap();
    tenant.commit().await.unwrap();
    assert_eq!(text(&database.pool, due).await, "1");
    // Now it reads, and we hear of something.
    let its = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap();
    stripe_events::record(&mut across, &[event(at, "evt_2", Some("sub_1"))]).await.unwrap();
    let its_settle = "UPDATE stripe_sync SET lease_owner = NULL, lease_until = NULL, attempts = 0, missing = 0, last_error = NULL,
                failing_since = NULL, synced_at = now(), next_at = CASE WHEN dirty_seq = $6 THEN NULL ELSE next_at END,
                dirty_seq = CASE WHEN dirty_seq = $6 THEN 0 ELSE dirty_seq END
          WHERE guild_id = $1 AND connection_id = $2 AND object_kind = $3 AND object_id = $4 AND lease_owner = $5
         RETURNING dirty_seq = 0";
    let mut tenant = database.tenant(guild(1)).await;
    let query = sqlx::query_scalar(its_settle).bind(guild(1)).bind(at.id).bind("subscription").bind("sub_1");
    let clean: bool = query.bind(its.owner).bind(its.dirty_seq).fetch_one(tenant.unguarded()).await.unwrap();
    tenant.commit().await.unwrap();
    assert!(!clean);
    assert_eq!(text(&database.pool, due).await, "1");
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn its_polls_leave_us_the_list_of_other_events() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let at = connection(&database).await;
    let its_cursor =
        "INSERT INTO stripe_cursors (guild_id, connection_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let its_take = "WITH due AS (
             SELECT p.guild_id, p.connection_id FROM stripe_cursors p JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE p.next_poll_at <= now() AND s.state = 'active'
              ORDER BY p.next_poll_at LIMIT 1 FOR NO KEY UPDATE OF p SKIP LOCKED
         )
         UPDATE stripe_cursors c SET next_poll_at = clock_timestamp() + make_interval(secs => $1)
           FROM due WHERE (c.guild_id, c.connection_id) = (due.guild_id, due.connection_id)
         RETURNING c.last_event_id";
    let mut tenant = database.tenant(guild(1)).await;
    sqlx::query(its_cursor).bind(guild(1)).bind(at.id).execute(tenant.unguarded()).await.unwrap();
    tenant.commit().await.unwrap();
    let mut across = gateway.across().await.unwrap();
    let taken: Option<String> =
        sqlx::query_scalar(its_take).bind(0.0).fetch_one(across.unguarded()).await.unwrap();
    assert_eq!(taken, None);
    let cursor = stripe_cursors::take(&mut across, LEASE, LEASE).await.unwrap().unwrap();
    assert_eq!(cursor.other, Some(OtherCursor { last_event: None }));
    drop(across);
    database.remove().await;
}

/// It lists all subscriptions at once, and knows nothing of pages.
#[tokio::test]
async fn what_it_lists_we_list_again_within_a_day() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let at = connection(&database).await;
    let its_cursor =
        "INSERT INTO stripe_cursors (guild_id, connection_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let its_listed =
        "UPDATE stripe_cursors SET listed_at = now(), last_error = NULL, failing_since = NULL, answered_at = now()
          WHERE guild_id = $1 AND connection_id = $2";
    let mut tenant = database.tenant(guild(1)).await;
    for statement in [its_cursor, its_listed] {
        sqlx::query(statement).bind(guild(1)).bind(at.id).execute(tenant.unguarded()).await.unwrap();
    }
    tenant.commit().await.unwrap();
    let soon = "SELECT (list_next_at BETWEEN now() - interval '1 min' AND now() + interval '1 day')::text FROM stripe_cursors";
    assert_eq!(text(&database.pool, soon).await, "true");
    sqlx::query("UPDATE stripe_cursors SET list_next_at = now()").execute(&database.pool).await.unwrap();
    let mut across = gateway.across().await.unwrap();
    let turn = stripe_lists::take(&mut across, LEASE).await.unwrap().unwrap();
    assert_eq!((turn.began_at, turn.after, turn.is_listed), (None, None, true));
    // It leaves what we lease alone, and what it hears of meanwhile is read again.
    let objects = [Object { kind: ObjectKind::Subscription, id: "sub_1".into() }].into();
    let mut tenant = database.tenant(guild(1)).await;
    let leasing = stripe_sync::lease_listed(&mut tenant, at.id, &objects, Uuid::new_v4(), LEASE, turn.since);
    let ours = leasing.await.unwrap().pop().unwrap();
    tenant.commit().await.unwrap();
    let its_hint =
        "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id) VALUES ($1, $2, $3, $4)
             ON CONFLICT (guild_id, connection_id, object_kind, object_id) DO UPDATE
                 SET dirty_seq = stripe_sync.dirty_seq + 1, next_at = now(), origin = 'purchase'";
    let mut tenant = database.tenant(guild(1)).await;
    let query = sqlx::query(its_hint).bind(guild(1)).bind(at.id).bind("subscription").bind("sub_1");
    query.execute(tenant.unguarded()).await.unwrap();
    assert_eq!(stripe_sync::settle(&mut tenant, &ours, LEASE).await.unwrap(), Settled::StillDirty);
    drop((tenant, across));
    database.remove().await;
}

/// It knows no job that is held, and no reason for an end.
#[tokio::test]
async fn what_we_hold_it_leaves_and_what_it_ends_counts_as_if_nobody_could_tell_why() {
    let database = Database::create().await;
    let at = connection(&database).await;
    let mut tenant = database.tenant(guild(1)).await;
    let its_apply = "INSERT INTO access_sources
                (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence, stripe_object)
         VALUES ($1, $2, $3, 'stripe', $4, 'sub_1', $5, 'x', 'subscription')
         ON CONFLICT (guild_id, user_id, role_id, kind, connection_id, source_id)
             DO UPDATE SET state = excluded.state, evidence = excluded.evidence, changed_at = now(), valid_until = NULL";
    for state in ["live", "ended"] {
        let query = sqlx::query(its_apply).bind(guild(1)).bind(user(1)).bind(role(7)).bind(at.id);
        query.bind(state).execute(tenant.unguarded()).await.unwrap();
    }
    tenant.commit().await.unwrap();
    assert_eq!(
        text(&database.pool, "SELECT count(*)::text FROM access_sources WHERE ended_by IS NULL").await,
        "1"
    );

    let held = "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, state) VALUES (1, 1, 7, 'revoke', 'x', 'held')";
    sqlx::query(held).execute(&database.pool).await.unwrap();
    for its in [
        "UPDATE role_jobs j SET state = x.state, outcome = x.outcome, attempts = j.attempts + x.failures,
                due_at = clock_timestamp() + make_interval(secs => x.due_in),
                finished_at = CASE WHEN x.state IN ('pending', 'parked', 'held') THEN NULL ELSE clock_timestamp() END
           FROM (SELECT job_id, 'noop', 'x', 0, 0 FROM role_jobs) AS x (job_id, state, outcome, failures, due_in)
          WHERE j.guild_id = $1 AND j.job_id = x.job_id AND j.state IN ('pending', 'parked')",
        "UPDATE role_jobs SET state = 'superseded', outcome = 'x', finished_at = now()
          WHERE guild_id = $1 AND user_id = 1 AND (state = 'parked' OR state = 'pending' AND origin = 'join')",
    ] {
        let done = sqlx::query(its).bind(guild(1)).execute(&database.pool).await.unwrap();
        assert_eq!(done.rows_affected(), 0);
    }
    database.remove().await;
}

/// It knows neither fees nor keys of metadata, and leaves those that we have found.
#[tokio::test]
async fn what_it_reads_we_look_at_once_more_for_fees_and_keys() {
    let database = Database::create().await;
    let at = connection(&database).await;
    let its_customer = "INSERT INTO customers (guild_id, connection_id, customer_id, deleted, named_user_id)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (guild_id, connection_id, customer_id)
             DO UPDATE SET deleted = excluded.deleted, named_user_id = excluded.named_user_id, synced_at = now()";
    let its_subscription =
        "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids,
                                    product_ids, current_period_end, cancel_at_period_end, user_id, unpaid_since, ends_at,
                                    pause_cause, paid_invoice_at, trial_began_at, trial_ends_at, items, discounts,
                                    collection_pause, collection_resumes_at)
         VALUES ($1, $2, $3, $4, 'active', '{price_1}', '{prod_1}', NULL, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                 NULL, NULL)
         ON CONFLICT (guild_id, connection_id, subscription_id) DO UPDATE SET
             customer_id = excluded.customer_id, status = excluded.status, price_ids = excluded.price_ids,
             product_ids = excluded.product_ids, items = excluded.items, discounts = excluded.discounts";
    let mut tenant = database.tenant(guild(1)).await;
    let fact = active("sub_1", "cus_1");
    let its_read = async |tenant: &mut Tenant| {
        let customer = sqlx::query(its_customer).bind(guild(1)).bind(at.id).bind("cus_1").bind(false);
        customer.bind(None::<i64>).execute(tenant.unguarded()).await.unwrap();
        let subscription =
            sqlx::query(its_subscription).bind(guild(1)).bind(at.id).bind("sub_1").bind("cus_1");
        subscription.execute(tenant.unguarded()).await.unwrap();
        stripe_mirror::known_as(tenant, at.id, &fact, None, None).await.unwrap().is_some()
    };
    assert!(!its_read(&mut tenant).await, "it has not looked");
    stripe_mirror::customer(&mut tenant, at.id, &fact.customer, None).await.unwrap();
    stripe_mirror::subscription(&mut tenant, at.id, &fact, None, shared::clock::now()).await.unwrap();
    assert!(its_read(&mut tenant).await, "what we have found stays");
    let mere_id = CustomerFact { id_keys: None, ..fact.customer.clone() };
    stripe_mirror::customer(&mut tenant, at.id, &mere_id, None).await.unwrap();
    assert!(its_read(&mut tenant).await, "of a mere id nothing is known, and nothing is forgotten");
    drop(tenant);
    database.remove().await;
}

/// It knows no pages, and leaves the one that we have found; the invoice may be paid meanwhile.
#[tokio::test]
async fn a_page_that_it_leaves_is_gone_when_we_read_again() {
    let database = Database::create().await;
    let at = connection(&database).await;
    let its_read = "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids, product_ids,
                                    cancel_at_period_end, id_keys)
         VALUES ($1, $2, 'sub_1', 'cus_1', 'active', '{price_1}', '{prod_1}', false, '{}')
         ON CONFLICT (guild_id, connection_id, subscription_id) DO UPDATE SET status = excluded.status";
    let page = PageUrl::parse("https://invoice.stripe.com/i/1").unwrap();
    let open = LatestInvoice::Open { id: "in_1".parse().unwrap(), page };
    let late = SubscriptionFact { latest_invoice: open, ..active("sub_1", "cus_1") };
    let paid = SubscriptionFact { latest_invoice: LatestInvoice::NotPayable, ..late.clone() };
    let mut tenant = database.tenant(guild(1)).await;
    stripe_mirror::customer(&mut tenant, at.id, &late.customer, None).await.unwrap();
    stripe_mirror::subscription(&mut tenant, at.id, &late, None, shared::clock::now()).await.unwrap();
    let its_read = sqlx::query(its_read).bind(guild(1)).bind(at.id);
    its_read.execute(tenant.unguarded()).await.unwrap();
    let known = async |tenant: &mut Tenant, fact: &SubscriptionFact| {
        stripe_mirror::known_as(tenant, at.id, fact, None, None).await.unwrap().is_some()
    };
    assert!(known(&mut tenant, &late).await, "it is as it was");
    assert!(!known(&mut tenant, &paid).await, "the page is still there");
    stripe_mirror::subscription(&mut tenant, at.id, &paid, None, shared::clock::now()).await.unwrap();
    assert!(known(&mut tenant, &paid).await && !known(&mut tenant, &late).await);
    drop(tenant);
    database.remove().await;
}

/// A platform takes a part of it, and its customer's metadata has an id.
fn active(id: &str, customer: &str) -> SubscriptionFact {
    SubscriptionFact {
        id: id.parse().unwrap(),
        customer: CustomerFact {
            id: customer.parse().unwrap(),
            deleted: false,
            discord_user: None,
            id_keys: Some(vec!["discord_id".to_owned()]),
        },
        status: SubscriptionStatus::Active,
        pause: None,
        collection: None,
        collection_resumes_at: None,
        unpaid_since: None,
        paid_since: None,
        never_paid: false,
        trial: None,
        items: Items::Some(vec![Item::new("price_1".parse().unwrap(), "prod_1".parse().ok(), None)]),
        discounts: None,
        paid_invoice_at: None,
        latest_invoice: LatestInvoice::NotShown,
        is_managed: false,
        current_period_end: None,
        ends_at: None,
        discord_user: None,
        id_keys: Vec::new(),
        application_fee: Percent::new(2.75),
    }
}
