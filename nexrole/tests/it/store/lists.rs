//! What a list shows, beside what is read singly: who may apply it.

use std::collections::BTreeSet;

use shared::{
    clock::Timestamp,
    db::pg_roles::Login,
    domain::stripe_object::{Object, ObjectKind},
    store::{
        stripe_connections::Connection,
        stripe_events,
        stripe_lists::{self, Turned},
        stripe_sync::{self, Leased},
    },
};
use uuid::Uuid;

use super::{LEASE, NO_LEASE, connection, event, guild, settle_read, text};
use crate::support::cluster::Database;

fn objects(ids: &[&str]) -> BTreeSet<Object> {
    ids.iter().map(|&id| Object { kind: ObjectKind::Subscription, id: id.to_owned() }).collect()
}

async fn postgres_now(database: &Database) -> Timestamp {
    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&database.pool).await.unwrap()
}

/// Leases what a page shows that was asked for then.
async fn lease(
    database: &Database,
    at: Connection,
    ids: &[&str],
    lease: std::time::Duration,
    since: Timestamp,
) -> Vec<Leased> {
    let mut tenant = database.tenant(guild(1)).await;
    let leased =
        stripe_sync::lease_listed(&mut tenant, at.id, &objects(ids), Uuid::new_v4(), lease, since).await;
    tenant.commit().await.unwrap();
    leased.unwrap()
}

fn ids(leased: &[Leased]) -> Vec<&str> {
    leased.iter().map(|leased| leased.object.id.as_str()).collect()
}

const DUE: &str = "SELECT coalesce(string_agg(object_id, ' ' ORDER BY object_id), '') FROM stripe_sync WHERE next_at <= now()";

#[tokio::test]
async fn what_was_heard_of_or_read_since_the_page_was_asked_for_is_not_the_lists() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let at = connection(&database).await;
    let mut across = gateway.across().await.unwrap();
    let before = postgres_now(&database).await;
    for leased in lease(&database, at, &["sub_old", "sub_read"], LEASE, before).await {
        settle_read(&database, &leased).await;
    }
    let asked = postgres_now(&database).await;
    // One is heard of, another is heard of and read by itself, and a third is being applied by another reader of the list.
    stripe_events::record(&mut across, &[event(at, "evt_1", Some("sub_read"))]).await.unwrap();
    let single = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap();
    settle_read(&database, &single).await;
    stripe_events::record(&mut across, &[event(at, "evt_2", Some("sub_heard"))]).await.unwrap();
    assert_eq!(ids(&lease(&database, at, &["sub_leased"], LEASE, before).await), ["sub_leased"]);
    let all = ["sub_heard", "sub_leased", "sub_new", "sub_old", "sub_read"];
    let leased = lease(&database, at, &all, LEASE, asked).await;
    assert_eq!(ids(&leased), ["sub_new", "sub_old"]);
    assert!(leased.iter().all(|leased| leased.since == asked));
    assert_eq!(text(&database.pool, DUE).await, "sub_heard sub_leased", "whose reader may have died");
    // Neither is read singly as long as it is applied.
    let claimed = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(ids(&claimed), ["sub_heard"]);
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn what_a_dead_reader_has_leased_is_applied_by_the_next_page() {
    let database = Database::create().await;
    let at = connection(&database).await;
    let since = postgres_now(&database).await;
    assert_eq!(lease(&database, at, &["sub_1"], NO_LEASE, since).await.len(), 1);
    assert_eq!(text(&database.pool, DUE).await, "", "nothing hinted at it");
    assert_eq!(lease(&database, at, &["sub_1"], LEASE, since).await.len(), 1);
    database.remove().await;
}

#[tokio::test]
async fn of_two_readers_of_one_page_the_second_rolls_back() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let at = connection(&database).await;
    let mut tenant = database.tenant(guild(1)).await;
    shared::store::stripe_cursors::ensure(&mut tenant, at.id).await.unwrap();
    stripe_lists::begin(&mut tenant, at.id).await.unwrap();
    tenant.commit().await.unwrap();
    let mut across = gateway.across().await.unwrap();
    let first = stripe_lists::take(&mut across, NO_LEASE).await.unwrap().unwrap();
    let second = stripe_lists::take(&mut across, LEASE).await.unwrap().unwrap();
    assert_eq!(stripe_lists::take(&mut across, LEASE).await.unwrap(), None, "it is kept");
    let page = ["sub_1".to_owned(), "sub_2".to_owned()];
    let mut turned = Vec::new();
    for turn in [&first, &second] {
        let mut tenant = database.tenant(guild(1)).await;
        turned.push(stripe_lists::turn(&mut tenant, turn, &page).await.unwrap());
        tenant.commit().await.unwrap();
    }
    assert_eq!(turned, [Turned::Page, Turned::LostTurn]);
    // Nor does the same page come twice.
    let next = stripe_lists::take(&mut across, LEASE).await.unwrap().unwrap();
    assert_eq!(next.after.as_deref(), Some("sub_2"));
    let mut tenant = database.tenant(guild(1)).await;
    assert_eq!(stripe_lists::turn(&mut tenant, &next, &page).await.unwrap(), Turned::Again);
    drop((tenant, across));
    database.remove().await;
}
