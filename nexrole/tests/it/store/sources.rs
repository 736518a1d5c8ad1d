//! Sources of access of every kind: each stands and ends by itself, and a role is due as long as one is live.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::time::Duration;

use shared::domain::stripe_object::ObjectKind;
use shared::{
    db::{pg_roles::Login, tenant::Tenant},
    domain::{
        audit::Actor,
        entitlement::{
            diff::{RoleEntitlement, Transition},
            source::SourceRef,
        },
        job::JobOrigin,
    },
    ids::ConnectionId,
    store::{
        access_given,
        access_sources::{self, Because},
        mapped_roles, members, queue_depth, stripe_events, stripe_sync, why,
    },
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{LEASE, connection, event, guild, role, text, user};
use crate::support::cluster::Database;

/// One of each kind.
fn every_kind(connection: ConnectionId) -> [SourceRef; 5] {
    let id = || "same".to_owned();
    [
        SourceRef::Subscription { connection, id: "sub_1".parse().unwrap() },
        SourceRef::Purchase { connection, id: "cs_1".parse().unwrap() },
        SourceRef::Manual { id: id() },
        SourceRef::Import { id: id() },
        SourceRef::Seat { id: id() },
    ]
}

const GIVEN: fn() -> RoleEntitlement = || RoleEntitlement { user: user(1), role: role(7) };

async fn apply(tenant: &mut Tenant, source: &SourceRef, change: Transition) {
    let because = Because {
        actor: Actor::Stripe,
        origin: JobOrigin::Purchase,
        ended_by: None,
        evidence: "x",
        cause: "x",
    };
    access_sources::apply(tenant, source, change, because).await.unwrap();
}

/// Whether a source gives member 1 role 7 now.
async fn is_live(tenant: &mut Tenant, source: &SourceRef) -> bool {
    if source.connection().is_some() {
        let live = access_sources::live(tenant, source).await.unwrap();
        return live.iter().any(|live| live.given == GIVEN());
    }
    let live = access_given::lock_live(tenant, &[user(1)], role(7), source).await.unwrap();
    live.contains_key(&user(1))
}

#[tokio::test]
async fn each_source_ends_alone_and_the_role_is_due_until_the_last_one_has() {
    let database = Database::create().await;
    let at = connection(&database).await;
    let sources = every_kind(at.id);
    let mut tenant = database.tenant(guild(1)).await;
    for source in &sources {
        // Twice, as two reads of the same would: one row each.
        apply(&mut tenant, source, Transition::Begin(GIVEN())).await;
        apply(&mut tenant, source, Transition::Begin(GIVEN())).await;
    }
    tenant.commit().await.unwrap();
    assert_eq!(text(&database.pool, "SELECT count(*)::text FROM access_sources").await, "5");
    let mut tenant = database.tenant(guild(1)).await;
    assert_eq!(
        access_sources::live_of_kind(&mut tenant, at.id, ObjectKind::Subscription).await.unwrap(),
        ["sub_1"],
        "nothing else is a subscription that Stripe could list"
    );
    for (ended, source) in sources.iter().enumerate() {
        assert!(access_sources::is_due(&mut tenant, user(1), role(7)).await.unwrap(), "{ended} have ended");
        apply(&mut tenant, source, Transition::End(GIVEN())).await;
        for (n, other) in sources.iter().enumerate() {
            assert_eq!(is_live(&mut tenant, other).await, n > ended, "{other} after the end of {source}");
        }
    }
    assert!(!access_sources::is_due(&mut tenant, user(1), role(7)).await.unwrap());
    drop(tenant);
    database.remove().await;
}

#[tokio::test]
async fn what_did_not_come_from_stripe_is_swept_previewed_and_explained_like_the_rest() {
    let database = Database::create().await;
    let at = connection(&database).await;
    let bot = database.login(Login::Bot);
    let mut tenant = database.tenant(guild(1)).await;
    for (n, source) in (1..).zip(&every_kind(at.id)) {
        apply(&mut tenant, source, Transition::Begin(RoleEntitlement { user: user(n), role: role(7) })).await;
    }
    tenant.commit().await.unwrap();
    let swept = super::in_guild(&bot, 1, async |t| members::sweep_guild(t).await).await;
    assert_eq!(swept, 0, "each has a job already");
    let operator = database.login(Login::Operator);
    let preview = super::in_guild(&operator, 1, async |t| mapped_roles::preview(t, role(7)).await).await;
    assert_eq!((preview.gain.len(), preview.unbacked.len()), (5, 0));
    let report = super::in_guild(&operator, 1, async |t| why::member_report(t, user(3)).await).await;
    let source = &report.facts.sources[0];
    assert!(source.connection_id.is_none() && source.source_id == "same", "{report:?}");
    sqlx::raw_sql(
        "UPDATE role_jobs SET state = 'applied', finished_at = now();
                   UPDATE access_sources SET looked_at = now() - interval '1 day'",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let mut across = bot.across().await.unwrap();
    assert_eq!(members::sweep_all(&mut across, Duration::from_secs(60), 100).await.unwrap(), 5);
    assert_eq!(
        members::sweep_all(&mut across, Duration::from_secs(60), 100).await.unwrap(),
        0,
        "each was checked"
    );
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn a_source_has_a_connection_if_and_only_if_it_is_of_stripe() {
    let database = Database::create().await;
    connection(&database).await;
    for (kind, connection, object, is_good) in [
        ("stripe", "1", "'subscription'", true),
        ("stripe", "2", "'checkout_session'", true),
        ("manual", "NULL", "'checkout_session'", false),
        ("stripe", "NULL", "'subscription'", false),
        ("stripe", "1", "NULL", false),
        ("stripe", "1", "'invented'", false),
        ("manual", "NULL", "NULL", true),
        ("manual", "1", "NULL", false),
        ("import", "NULL", "'subscription'", false),
        ("seat", "NULL", "NULL", true),
        ("invented", "NULL", "NULL", false),
    ] {
        let row = format!(
            "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence, stripe_object)
             VALUES (1, 1, 7, '{kind}', {connection}, 'x', 'live', 'x', {object})"
        );
        let inserted = sqlx::query(AssertSqlSafe(row)).execute(&database.pool).await;
        assert_eq!(inserted.is_ok(), is_good, "{kind} {connection} {object}: {inserted:?}");
    }
    database.remove().await;
}

#[tokio::test]
async fn an_object_that_is_good_until_a_time_is_unread_from_then_on_and_not_before() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let bot = database.login(Login::Bot);
    let at = connection(&database).await;
    let mut across = gateway.across().await.unwrap();
    let mut counts = bot.across().await.unwrap();
    stripe_events::record(&mut across, &[event(at, "evt_1", Some("sub_1"))]).await.unwrap();
    assert_eq!(queue_depth::depth(&mut counts).await.unwrap().unread, 1);
    let leased = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap();
    let in_an_hour = shared::clock::now() + Duration::from_secs(3600);
    let mut tenant = database.tenant(guild(1)).await;
    stripe_sync::settle(&mut tenant, &leased, Duration::ZERO).await.unwrap();
    stripe_sync::read_again_at(&mut tenant, &leased, in_an_hour).await.unwrap();
    // The earliest counts.
    stripe_sync::read_again_at(&mut tenant, &leased, in_an_hour + Duration::from_secs(9)).await.unwrap();
    tenant.commit().await.unwrap();
    assert_eq!(queue_depth::depth(&mut counts).await.unwrap().unread, 0, "it is good for an hour");
    assert!(stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().is_empty());
    sqlx::query("UPDATE stripe_sync SET next_at = next_at - interval '1 hour'")
        .execute(&database.pool)
        .await
        .unwrap();
    assert_eq!(queue_depth::depth(&mut counts).await.unwrap().unread, 1, "the hour is over");
    let again = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap();
    assert_eq!(again.dirty_seq, 0, "nothing hinted at it");
    // A failure makes it unread, though it is tried later.
    super::read_failed(&database, &again, stripe_sync::Failure::Other, LEASE).await;
    assert_eq!(queue_depth::depth(&mut counts).await.unwrap().unread, 1, "it was due and is not read");
    sqlx::query("UPDATE stripe_sync SET next_at = now()").execute(&database.pool).await.unwrap();
    let last = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap();
    // A hint while it is read without one.
    stripe_events::record(&mut across, &[event(at, "evt_2", Some("sub_1"))]).await.unwrap();
    let mut tenant = database.tenant(guild(1)).await;
    assert_eq!(
        stripe_sync::settle(&mut tenant, &last, Duration::ZERO).await.unwrap(),
        stripe_sync::Settled::StillDirty
    );
    tenant.commit().await.unwrap();
    assert_eq!(queue_depth::depth(&mut counts).await.unwrap().unread, 1, "what came meanwhile is to be read");
    drop((across, counts));
    database.remove().await;
}

/// Postgres' clock may be ahead of ours, by which the time was judged: that must not become a loop of reads.
#[tokio::test]
async fn an_object_that_is_good_until_now_is_not_read_again_at_once() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let at = connection(&database).await;
    let mut across = gateway.across().await.unwrap();
    stripe_events::record(&mut across, &[event(at, "evt_1", Some("sub_1"))]).await.unwrap();
    let leased = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap();
    let mut tenant = database.tenant(guild(1)).await;
    stripe_sync::settle(&mut tenant, &leased, Duration::ZERO).await.unwrap();
    let passed = shared::clock::now() - Duration::from_secs(600);
    stripe_sync::read_again_at(&mut tenant, &leased, passed).await.unwrap();
    tenant.commit().await.unwrap();
    assert!(stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().is_empty());
    let due = "SELECT (next_at < now() + interval '2 minutes')::text FROM stripe_sync";
    assert_eq!(text(&database.pool, due).await, "true", "but soon");
    drop(across);
    database.remove().await;
}
