//! What two processes may do to each other: claims, leases, fences, settling. On a real Postgres, with two connections.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::{collections::BTreeSet, time::Duration};

use shared::{
    domain::{
        job::{JobAction, JobState},
        plan::GrantState,
    },
    ids::{GuildId, RoleId, UserId},
    store::{
        connections::{self, Connection},
        events::{self, NewEvent, Object, ObjectKind, Recorded},
        gates::{self, Release},
        grants::{self, Change, GrantChange},
        role_jobs::{self, Power},
        settle::{self, JobUpdate, RoleHealth, Settlement},
        sync::{self, Settled},
    },
};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::cluster::Database;

const LEASE: Duration = Duration::from_secs(30);
/// Over before anybody looks.
const NO_LEASE: Duration = Duration::ZERO;

fn guild(n: u64) -> GuildId {
    GuildId::from_u64(n).unwrap()
}
fn user(n: u64) -> UserId {
    UserId::from_u64(n).unwrap()
}
fn role(n: u64) -> RoleId {
    RoleId::from_u64(n).unwrap()
}

async fn with_jobs(pool: &PgPool, guilds: u64) {
    let mut db = pool.acquire().await.unwrap();
    for n in 1..=guilds {
        connections::ensure_guild(&mut db, guild(n)).await.unwrap();
        role_jobs::enqueue(&mut db, guild(n), user(1), role(7), JobAction::Grant, "test").await.unwrap();
    }
}

async fn connection(db: &mut PgConnection) -> Connection {
    connections::ensure_guild(db, guild(1)).await.unwrap();
    connections::ensure(db, guild(1), "environment", false, true).await.unwrap()
}

fn event(connection: Connection, id: &str, object: Option<&str>) -> NewEvent {
    let object = object.map(|id| Object { kind: ObjectKind::Subscription, id: id.to_owned() });
    let id = id.parse().unwrap();
    NewEvent {
        connection,
        id,
        event_type: "x".into(),
        object,
        created: None,
        livemode: false,
        api_version: None,
    }
}

fn settlement(guild: GuildId, owner: Uuid) -> Settlement {
    Settlement { guild, owner, pause: Duration::ZERO, jobs: vec![], grants: vec![], roles: vec![] }
}

async fn text(pool: &PgPool, query: &'static str) -> String {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_guild_is_leased_by_one_worker_at_a_time() {
    let database = Database::create().await;
    with_jobs(&database.pool, 40).await;
    let claims = (0..8).map(|_| {
        let pool = database.pool.clone();
        tokio::spawn(async move {
            let mut db = pool.acquire().await.unwrap();
            gates::lease(&mut db, None, 10, Uuid::new_v4(), LEASE).await.unwrap()
        })
    });
    let mut seen = BTreeSet::new();
    for claim in claims.collect::<Vec<_>>() {
        for guild in claim.await.unwrap() {
            assert!(seen.insert(guild), "{guild} was leased twice");
        }
    }
    // Skipped locks may leave some; a walk around the ring finds the rest, and then none.
    let mut db = database.pool.acquire().await.unwrap();
    seen.extend(gates::lease(&mut db, None, 100, Uuid::new_v4(), LEASE).await.unwrap());
    assert_eq!(seen.len(), 40);
    assert!(gates::lease(&mut db, None, 100, Uuid::new_v4(), LEASE).await.unwrap().is_empty());
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn the_ring_goes_on_behind_its_position() {
    let database = Database::create().await;
    with_jobs(&database.pool, 5).await;
    let mut db = database.pool.acquire().await.unwrap();
    let first = gates::lease(&mut db, Some(guild(3)), 10, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(first.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([guild(4), guild(5)]));
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn who_lost_the_lease_writes_nothing_and_has_the_member_looked_at_again() {
    let database = Database::create().await;
    with_jobs(&database.pool, 1).await;
    let mut db = database.pool.acquire().await.unwrap();
    let (slow, quick) = (Uuid::new_v4(), Uuid::new_v4());
    assert_eq!(gates::lease(&mut db, None, 1, slow, NO_LEASE).await.unwrap(), [guild(1)]);
    let work = role_jobs::due(&mut db, guild(1), 10).await.unwrap();
    assert_eq!(gates::lease(&mut db, None, 1, quick, LEASE).await.unwrap(), [guild(1)]);
    grants::intend(&mut db, guild(1), user(1), &[role(7)]).await.unwrap();
    let job = work[0].roles[0].jobs[0].id;
    let mut turn = settlement(guild(1), slow);
    let outcome = "granted".to_owned();
    turn.jobs = vec![JobUpdate { id: job, state: JobState::Applied, due_in: NO_LEASE, failures: 0, outcome }];
    turn.grants =
        vec![GrantChange { user: user(1), role: role(7), change: Change::Granted, cause: "test".into() }];
    assert_eq!(settle::settle(&mut db, &turn).await.unwrap(), Release::FencedOut);
    let work = role_jobs::due(&mut db, guild(1), 10).await.unwrap();
    let actions: Vec<_> = work[0].roles[0].jobs.iter().map(|job| job.action).collect();
    assert_eq!(actions, [JobAction::Grant, JobAction::Resync]);
    assert_eq!(
        work[0].roles[0].view.grant,
        Some(GrantState::Intended),
        "not confirmed by the one who was late"
    );
    turn.owner = quick;
    assert_eq!(settle::settle(&mut db, &turn).await.unwrap(), Release::Released);
    drop(db);
    assert_eq!(text(&database.pool, "SELECT string_agg(action, ' ') FROM audit_log").await, "role.granted");
    database.remove().await;
}

#[tokio::test]
async fn settling_twice_writes_one_audit_entry() {
    let database = Database::create().await;
    with_jobs(&database.pool, 1).await;
    let mut db = database.pool.acquire().await.unwrap();
    for change in
        [Change::Granted, Change::Granted, Change::Revoked, Change::Revoked, Change::Lost, Change::Forgotten]
    {
        if change == Change::Granted {
            grants::intend(&mut db, guild(1), user(1), &[role(7)]).await.unwrap();
        }
        let change = GrantChange { user: user(1), role: role(7), change, cause: "test".into() };
        grants::apply(&mut db, guild(1), &change).await.unwrap();
    }
    drop(db);
    let history =
        text(&database.pool, "SELECT string_agg(action, ' ' ORDER BY audit_id) FROM audit_log").await;
    assert_eq!(history, "role.granted role.revoked");
    database.remove().await;
}

#[tokio::test]
async fn a_parked_role_is_seen_and_freed_by_a_call_that_works() {
    let database = Database::create().await;
    with_jobs(&database.pool, 1).await;
    let mut db = database.pool.acquire().await.unwrap();
    let owner = Uuid::new_v4();
    let power =
        async |db: &mut PgConnection| role_jobs::due(db, guild(1), 1).await.unwrap()[0].roles[0].power;
    for (health, expected) in [
        (RoleHealth::Parked(role(7), LEASE), Power::Refused),
        (RoleHealth::Parked(role(7), NO_LEASE), Power::ProbeDue),
        (RoleHealth::Works(role(7)), Power::Assumed),
    ] {
        gates::lease(&mut db, None, 1, owner, LEASE).await.unwrap();
        let mut turn = settlement(guild(1), owner);
        turn.roles = vec![health];
        settle::settle(&mut db, &turn).await.unwrap();
        assert_eq!(power(&mut db).await, expected);
    }
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn one_batch_records_each_event_once_and_marks_each_object_once() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let at = connection(&mut db).await;
    let batch = [
        event(at, "evt_1", Some("sub_1")),
        event(at, "evt_2", Some("sub_1")),
        event(at, "evt_1", Some("sub_1")),
        event(at, "evt_3", None),
    ];
    let recorded = events::record(&mut db, &batch).await.unwrap();
    assert_eq!(recorded, [Recorded::New, Recorded::New, Recorded::Duplicate, Recorded::New]);
    let again = events::record(&mut db, &batch).await.unwrap();
    assert_eq!(again, [Recorded::Duplicate; 4]);
    drop(db);
    assert_eq!(
        text(&database.pool, "SELECT string_agg(object_id || ' ' || dirty_seq, ',') FROM stripe_sync").await,
        "sub_1 1"
    );
    let states = "SELECT string_agg(event_id || ' ' || state, ',' ORDER BY event_id) FROM stripe_events";
    assert_eq!(text(&database.pool, states).await, "evt_1 recorded,evt_2 recorded,evt_3 ignored");
    database.remove().await;
}

#[tokio::test]
async fn overlapping_batches_of_two_gateways_do_not_deadlock() {
    let database = Database::create().await;
    let at = connection(&mut database.pool.acquire().await.unwrap()).await;
    let writers = (0..4).map(|writer| {
        let pool = database.pool.clone();
        tokio::spawn(async move {
            let mut new = 0;
            for round in 0..25 {
                let mut batch: Vec<_> = (0..20)
                    .map(|n| event(at, &format!("evt_{round}_{n}"), Some(&format!("sub_{}", n % 7))))
                    .collect();
                if writer % 2 == 1 {
                    batch.reverse();
                }
                let mut db = pool.acquire().await.unwrap();
                let recorded = events::record(&mut db, &batch).await.unwrap();
                new += recorded.iter().filter(|one| **one == Recorded::New).count();
            }
            new
        })
    });
    let mut new = 0;
    for writer in writers.collect::<Vec<_>>() {
        new += writer.await.unwrap();
    }
    assert_eq!(new, 25 * 20, "each event is new to exactly one gateway");
    database.remove().await;
}

#[tokio::test]
async fn a_hint_during_a_read_is_never_lost() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let at = connection(&mut db).await;
    events::record(&mut db, &[event(at, "evt_1", Some("sub_1"))]).await.unwrap();
    let leased = sync::claim(&mut db, 9, Uuid::new_v4(), LEASE).await.unwrap();
    // While Stripe is being asked, a second hint comes; nobody else may read the object meanwhile.
    events::record(&mut db, &[event(at, "evt_2", Some("sub_1"))]).await.unwrap();
    assert!(sync::claim(&mut db, 9, Uuid::new_v4(), LEASE).await.unwrap().is_empty());
    assert_eq!(sync::settle(&mut db, &leased[0]).await.unwrap(), Settled::StillDirty);
    let again = sync::claim(&mut db, 9, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(sync::settle(&mut db, &again[0]).await.unwrap(), Settled::Clean);
    assert!(sync::claim(&mut db, 9, Uuid::new_v4(), LEASE).await.unwrap().is_empty());
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn a_reader_that_lost_its_lease_settles_nothing() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let at = connection(&mut db).await;
    events::record(&mut db, &[event(at, "evt_1", Some("sub_1"))]).await.unwrap();
    let slow = sync::claim(&mut db, 9, Uuid::new_v4(), NO_LEASE).await.unwrap();
    let quick = sync::claim(&mut db, 9, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(quick.len(), 1, "the lease had run out");
    assert_eq!(sync::settle(&mut db, &slow[0]).await.unwrap(), Settled::LostLease);
    sync::retry(&mut db, &slow[0], LEASE, "late").await.unwrap();
    assert_eq!(sync::settle(&mut db, &quick[0]).await.unwrap(), Settled::Clean, "untouched by the late one");
    drop(db);
    database.remove().await;
}
