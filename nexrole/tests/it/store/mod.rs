//! What two processes may do to each other: claims, leases, fences, settling. On a real Postgres, with two connections.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::{collections::BTreeSet, time::Duration};

use shared::domain::stripe_object::{Object, ObjectKind};
use shared::{
    actions::map::{Mapped, map},
    clock,
    db::{
        authorized::Authorized,
        cross_tenant::Crossing,
        pg_roles::Login,
        pool::Pool,
        tenant::{self, Tenant},
    },
    domain::{
        audit::Actor,
        delivery::{
            outcome::CallOutcome,
            update::{Decision, GrantChange, GuildGate, JobUpdate, Settlement},
        },
        entitlement::{mapping::Sold, policy::Policy},
        job::{JobAction, JobOrigin, JobState},
        roles::grant::{Grant, GrantState, Known, Seen, Step, Wanted, check, settle as settled_by},
    },
    ids::{GuildId, RoleId, UserId},
    store::{
        guild_gates::{self, Release, Scan},
        members,
        role_grants::{self, Fence},
        role_jobs, settle,
        stripe_connections::{self, Connection},
        stripe_events::{self, NewEvent, Recorded},
        stripe_sync::{self, Failure, Leased, Settled},
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::cluster::Database;

mod abandoned_transactions;
mod activity_log;
mod adoption;
mod deadlines;
mod durability;
mod erasure;
mod job_order;
mod lists;
mod member_lists;
mod migrations;
mod previous_release;
mod refused_roles;
mod retention;
mod sealed_columns;
mod sources;
mod statements;

const LEASE: Duration = Duration::from_secs(30);
/// Over before anybody checks.
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

/// What the bot does in one guild's transaction.
async fn in_guild<T>(bot: &Pool, n: u64, work: impl AsyncFnOnce(&mut Tenant) -> Result<T, sqlx::Error>) -> T {
    let mut tenant = tenant::begin(bot, guild(n)).await.unwrap();
    let done = work(&mut tenant).await.unwrap();
    tenant.commit().await.unwrap();
    done
}

/// Connections of the bot's to a database whose guilds 1 to `guilds` have a job each.
async fn with_jobs(database: &Database, guilds: u64) -> Pool {
    insert_guilds(&database.pool, guilds).await;
    let bot = database.login(Login::Bot);
    for n in 1..=guilds {
        in_guild(&bot, n, async |t| {
            role_jobs::enqueue(t, user(1), role(7), JobAction::Grant, JobOrigin::Purchase, "test").await
        })
        .await;
    }
    bot
}

/// Guilds 1 to `count`, with their gates.
async fn insert_guilds(db: &PgPool, count: u64) {
    let guilds =
        "WITH made AS (INSERT INTO guilds (guild_id) SELECT generate_series(1, $1) RETURNING guild_id)
                  INSERT INTO guild_gates (guild_id) SELECT generate_series(1, $1)";
    sqlx::query(guilds).bind(i64::try_from(count).unwrap()).execute(db).await.unwrap();
}

async fn connection(database: &Database) -> Connection {
    let mut tenant = database.tenant(guild(1)).await;
    stripe_connections::ensure_guild(&mut tenant).await.unwrap();
    let id = stripe_connections::ensure(&mut tenant, Actor::Environment, "environment", false, Some(true))
        .await
        .unwrap();
    tenant.commit().await.unwrap();
    Connection { guild: guild(1), id }
}

async fn settle_read(database: &Database, leased: &Leased) -> Settled {
    let mut tenant = database.tenant(guild(1)).await;
    let settled = stripe_sync::settle(&mut tenant, leased, Duration::ZERO).await.unwrap();
    tenant.commit().await.unwrap();
    settled
}

async fn read_failed(database: &Database, leased: &Leased, failure: Failure, wait: Duration) {
    let mut tenant = database.tenant(guild(1)).await;
    stripe_sync::retry(&mut tenant, leased, failure, wait, "test").await.unwrap();
    tenant.commit().await.unwrap();
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

fn settlement(owner: Uuid) -> Settlement {
    Settlement { owner, guild: GuildGate::Open, decisions: vec![], called: vec![], reached: false }
}

/// What a check of member 1, who pays for role 7 and does not have it, is to write before its call.
fn intention() -> GrantChange {
    let seen = Seen::Present { held: false, joined_at: None };
    let (known, step) =
        check(None, seen, Wanted { desired: true, asked: true, follows: false }, clock::now());
    assert_eq!(step, Step::Grant);
    change(None, known)
}

fn change(before: Option<Grant>, known: Known) -> GrantChange {
    GrantChange::new(user(1), role(7), before, known, "test").unwrap()
}

async fn text(pool: &PgPool, query: &'static str) -> String {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// After a failover the old primary is read-only: its connections must not stay in use until they are old.
#[tokio::test]
async fn a_read_only_connection_is_not_used_again() {
    let database = Database::create().await;
    let pool = shared::db::pool::pool(&database.url, 1, Login::Bot).unwrap();
    let read_only = "SET default_transaction_read_only = on";
    sqlx::query(read_only).execute(pool.across().await.unwrap().unguarded()).await.unwrap();
    let mut tenant = tenant::begin(&pool, guild(1)).await.unwrap();
    stripe_connections::ensure_guild(&mut tenant).await.unwrap();
    tenant.commit().await.unwrap();
    pool.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_guild_is_leased_by_one_worker_at_a_time() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 40).await;
    let claims = (0..8).map(|_| {
        let pool = bot.clone();
        tokio::spawn(async move {
            let mut across = pool.across().await.unwrap();
            guild_gates::lease(&mut across, Scan::All, None, 10, Uuid::new_v4(), LEASE).await.unwrap().leased
        })
    });
    let mut seen = BTreeSet::new();
    for claim in claims.collect::<Vec<_>>() {
        for guild in claim.await.unwrap() {
            assert!(seen.insert(guild), "{guild} was leased twice");
        }
    }
    // Skipped locks may leave some; another scan finds the rest, and then none.
    let mut across = bot.across().await.unwrap();
    seen.extend(
        guild_gates::lease(&mut across, Scan::All, None, 100, Uuid::new_v4(), LEASE).await.unwrap().leased,
    );
    assert_eq!(seen.len(), 40);
    assert!(
        guild_gates::lease(&mut across, Scan::All, None, 100, Uuid::new_v4(), LEASE)
            .await
            .unwrap()
            .leased
            .is_empty()
    );
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn the_ring_goes_on_behind_its_position() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 5).await;
    let mut across = bot.across().await.unwrap();
    let scan =
        guild_gates::lease(&mut across, Scan::All, Some(guild(3)), 10, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(scan.leased.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([guild(4), guild(5)]));
    assert_eq!(scan.position, None, "the end");
    let scan = guild_gates::lease(&mut across, Scan::All, None, 2, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(scan.position, Some(guild(2)), "as many as asked for: the next scan goes on behind them");
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn many_paused_guilds_starve_nobody_behind_them() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 600).await;
    let mut across = bot.across().await.unwrap();
    let pause = "UPDATE guild_gates SET open_at = 'infinity' WHERE guild_id < 600";
    sqlx::query(pause).execute(&database.pool).await.unwrap();
    let scan = guild_gates::lease(&mut across, Scan::All, None, 10, Uuid::new_v4(), LEASE).await.unwrap();
    assert!(scan.leased.is_empty(), "the scan ends before it reaches the one that is open");
    let scan =
        guild_gates::lease(&mut across, Scan::All, scan.position, 10, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(scan.leased, [guild(600)]);
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn who_lost_the_lease_writes_nothing_and_has_the_member_rechecked() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 1).await;
    let mut across = bot.across().await.unwrap();
    let (slow, quick) = (Uuid::new_v4(), Uuid::new_v4());
    assert_eq!(
        guild_gates::lease(&mut across, Scan::All, None, 1, slow, NO_LEASE).await.unwrap().leased,
        [guild(1)]
    );
    let work = in_guild(&bot, 1, async |t| role_jobs::due(t, 10, 0.0).await).await;
    assert_eq!(
        guild_gates::lease(&mut across, Scan::All, None, 1, quick, LEASE).await.unwrap().leased,
        [guild(1)]
    );
    let late = in_guild(&bot, 1, async |t| role_grants::intend(t, slow, &[intention()]).await).await;
    assert_eq!(late, Fence::Lost, "and nothing was written");
    assert_eq!(
        in_guild(&bot, 1, async |t| role_jobs::due(t, 10, 0.0).await).await[0].roles[0].view.grant,
        None
    );
    let intended = intention();
    assert_eq!(
        in_guild(&bot, 1, async |t| role_grants::intend(t, quick, std::slice::from_ref(&intended)).await)
            .await,
        Fence::Held
    );
    let job = work[0].roles[0].jobs[0].id;
    let mut turn = settlement(slow);
    let outcome = "granted".to_owned();
    let applied = JobUpdate { id: job, state: JobState::Applied, due_in: NO_LEASE, failures: 0, outcome };
    let confirmed = settled_by(intended.to, Step::Grant, false, &CallOutcome::Done, clock::now());
    let grant = Some(change(intended.to, confirmed));
    turn.decisions = vec![Decision { jobs: vec![applied], grant, ..Decision::default() }];
    turn.called = vec![(user(1), role(7))];
    assert_eq!(in_guild(&bot, 1, async |t| settle::settle(t, &turn).await).await, Release::FencedOut);
    let work = in_guild(&bot, 1, async |t| role_jobs::due(t, 10, 0.0).await).await;
    let actions: Vec<_> = work[0].roles[0].jobs.iter().map(|job| job.action).collect();
    assert_eq!(actions, [JobAction::Grant, JobAction::Grant]);
    assert_eq!(
        work[0].roles[0].view.grant.map(|grant| grant.state),
        Some(GrantState::Intended),
        "not confirmed by the one who was late"
    );
    turn.owner = quick;
    assert_eq!(in_guild(&bot, 1, async |t| settle::settle(t, &turn).await).await, Release::Released);
    drop(across);
    assert_eq!(text(&database.pool, "SELECT string_agg(action, ' ') FROM audit_log").await, "role.granted");
    database.remove().await;
}

#[tokio::test]
async fn settling_twice_writes_one_audit_entry() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 1).await;
    let mut across = bot.across().await.unwrap();
    let owner = Uuid::new_v4();
    guild_gates::lease(&mut across, Scan::All, None, 1, owner, LEASE).await.unwrap();
    let intended = intention();
    let now = clock::now();
    let confirmed = settled_by(intended.to, Step::Grant, false, &CallOutcome::Done, now);
    let ending = settled_by(confirmed.grant, Step::Revoke, true, &CallOutcome::Done, now);
    let gone = Known { grant: None, entries: &[] };
    for change in [
        intended.clone(),
        change(intended.to, confirmed),
        change(confirmed.grant, ending),
        change(ending.grant, gone),
    ] {
        for _ in 0..2 {
            in_guild(&bot, 1, async |t| role_grants::apply(t, &change).await).await;
        }
    }
    drop(across);
    let history =
        text(&database.pool, "SELECT string_agg(action, ' ' ORDER BY audit_id) FROM audit_log").await;
    assert_eq!(history, "role.granted role.revoked");
    database.remove().await;
}

#[tokio::test]
async fn a_sweep_checks_each_role_once_and_lets_new_jobs_pass() {
    let database = Database::create().await;
    let bot = database.login(Login::Bot);
    let mut across = bot.across().await.unwrap();
    insert_guilds(&database.pool, 2).await;
    let sources = "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
        SELECT g, u, 7, 'stripe', 1, s, CASE u WHEN 3 THEN 'ended' ELSE 'live' END, 'x'
          FROM generate_series(1, 2) g, generate_series(1, 3) u, unnest(ARRAY['sub_a', 'sub_b']) s";
    sqlx::query(sources).execute(&database.pool).await.unwrap();
    assert_eq!(members::sweep_all(&mut across, LEASE, 100).await.unwrap(), 0, "checked a moment ago");
    assert_eq!(
        in_guild(&bot, 2, async |t| members::sweep_guild(t).await).await,
        2,
        "two members, one role each"
    );
    assert_eq!(
        members::sweep_all(&mut across, NO_LEASE, 100).await.unwrap(),
        2,
        "the other guild; these wait already"
    );
    drop(across);
    let spread =
        "SELECT (max(due_at) - min(due_at) >= interval '250 ms')::text FROM role_jobs WHERE guild_id = 1";
    assert_eq!(text(&database.pool, spread).await, "true");
    database.remove().await;
}

/// A hundred thousand grants at rest, and jobs that wait for other roles, cost the search for a few nothing.
#[tokio::test]
async fn the_search_for_second_checks_reads_what_is_due_and_no_table() {
    let database = Database::create().await;
    let bot = database.login(Login::Bot);
    insert_guilds(&database.pool, 1).await;
    for statement in [
        "INSERT INTO role_grants (guild_id, user_id, role_id, state, confirmed_at, look_at)
         SELECT 1, n, 7, 'confirmed', now(), CASE WHEN n <= 5 THEN now() WHEN n <= 9 THEN now() + interval '1 h' END
           FROM generate_series(1, 100000) n",
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, state)
         SELECT 1, n, 7 + n % 2, 'grant', 'x', CASE WHEN n % 3 = 0 THEN 'pending' ELSE 'parked' END
           FROM generate_series(4, 50000) n",
        "ANALYZE role_grants",
        "ANALYZE role_jobs",
    ] {
        sqlx::query(statement).execute(&database.pool).await.unwrap();
    }
    let scans = "SELECT coalesce(sum(seq_scan), 0)::text FROM pg_stat_user_tables WHERE relname IN ('role_grants', 'role_jobs')";
    let by_index =
        "SELECT (idx_scan > 0)::text FROM pg_stat_user_indexes WHERE indexrelname = 'role_grants_look'";
    let before = text(&database.pool, scans).await;
    let mut across = bot.across().await.unwrap();
    // A job waits for member 4 and this role; what waits for member 5 is another.
    assert_eq!(role_grants::recheck(&mut across, 100).await.unwrap(), 4);
    // A session tells of its scans at the end of a transaction, at most once a second.
    while text(&database.pool, by_index).await == "false" {
        assert_eq!(role_grants::recheck(&mut across, 100).await.unwrap(), 0, "they wait already");
    }
    assert_eq!(text(&database.pool, scans).await, before);
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn an_invitation_opens_a_gate_and_a_rate_limit_stays_closed() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 2).await;
    let mut across = bot.across().await.unwrap();
    let owner = Uuid::new_v4();
    guild_gates::lease(&mut across, Scan::All, None, 2, owner, LEASE).await.unwrap();
    in_guild(&bot, 1, async |t| guild_gates::release(t, owner, GuildGate::Away(10004)).await).await;
    in_guild(&bot, 2, async |t| guild_gates::release(t, owner, GuildGate::Paused(LEASE)).await).await;
    for n in 1..=2 {
        in_guild(&bot, n, async |t| members::guild_available(t).await).await;
    }
    assert_eq!(
        guild_gates::lease(&mut across, Scan::All, None, 9, Uuid::new_v4(), LEASE).await.unwrap().leased,
        [guild(1)]
    );
    drop(across);
    database.remove().await;
}

/// Discord said that the bot is not in the guild; before that is written, the bot is invited.
#[tokio::test]
async fn an_invitation_during_a_turn_is_not_lost() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 1).await;
    let mut across = bot.across().await.unwrap();
    for (invited, expected) in [(true, vec![guild(1)]), (false, vec![])] {
        let owner = Uuid::new_v4();
        assert_eq!(
            guild_gates::lease(&mut across, Scan::All, None, 1, owner, LEASE).await.unwrap().leased,
            [guild(1)]
        );
        if invited {
            in_guild(&bot, 1, async |t| members::guild_available(t).await).await;
        }
        in_guild(&bot, 1, async |t| guild_gates::release(t, owner, GuildGate::Away(10004)).await).await;
        let next = Uuid::new_v4();
        assert_eq!(
            guild_gates::lease(&mut across, Scan::All, None, 1, next, LEASE).await.unwrap().leased,
            expected
        );
        in_guild(&bot, 1, async |t| guild_gates::release(t, next, GuildGate::Open).await).await;
    }
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn mapping_and_ingest_mark_objects_in_one_order() {
    let database = Database::create().await;
    let at = connection(&database).await;
    // Subscriptions on disk in the reverse order of their ids.
    let known =
        "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids,
                                            product_ids, cancel_at_period_end)
        SELECT 1, $1, 'sub_' || lpad(n::text, 4, '0'), 'cus_1', 'active', '{price_1}', '{prod_1}', false
          FROM generate_series(200, 1, -1) n";
    sqlx::query(known).bind(at.id).execute(&database.pool).await.unwrap();
    let gateway = database.login(Login::Gateway);
    let ingest = |writer: u64| {
        let pool = gateway.clone();
        tokio::spawn(async move {
            for round in 0..40 {
                let batch: Vec<_> = (1..=100)
                    .map(|n| event(at, &format!("evt_{writer}_{round}_{n}"), Some(&format!("sub_{n:04}"))))
                    .collect();
                stripe_events::record(&mut pool.across().await.unwrap(), &batch).await.unwrap();
            }
        })
    };
    let map_all = async |pool: Pool| {
        // 1 is the guild's own, and thus @everyone's.
        for n in 101..=160 {
            let sold = Sold::Price("price_1".parse().unwrap());
            let by = Authorized::operator(&pool, guild(1)).unwrap();
            assert_eq!(map(&pool, &by, &sold, role(n), Policy::DEFAULT).await.unwrap(), Mapped::Added(200));
        }
    };
    let writers = [ingest(1), ingest(2)];
    map_all(database.login(Login::Operator)).await;
    for writer in writers {
        writer.await.unwrap();
    }
    database.remove().await;
}

#[tokio::test]
async fn one_batch_records_each_event_once_and_marks_each_object_once() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let mut across = gateway.across().await.unwrap();
    let at = connection(&database).await;
    let batch = [
        event(at, "evt_1", Some("sub_1")),
        event(at, "evt_2", Some("sub_1")),
        event(at, "evt_1", Some("sub_1")),
        event(at, "evt_3", None),
    ];
    let recorded = stripe_events::record(&mut across, &batch).await.unwrap();
    assert_eq!(recorded, [Recorded::New, Recorded::New, Recorded::Duplicate, Recorded::New]);
    let again = stripe_events::record(&mut across, &batch).await.unwrap();
    assert_eq!(again, [Recorded::Duplicate; 4]);
    drop(across);
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
    let at = connection(&database).await;
    let gateway = database.login(Login::Gateway);
    let writers = (0..4).map(|writer| {
        let pool = gateway.clone();
        tokio::spawn(async move {
            let mut new = 0;
            for round in 0..25 {
                let mut batch: Vec<_> = (0..20)
                    .map(|n| event(at, &format!("evt_{round}_{n}"), Some(&format!("sub_{}", n % 7))))
                    .collect();
                if writer % 2 == 1 {
                    batch.reverse();
                }
                let mut across = pool.across().await.unwrap();
                let recorded = stripe_events::record(&mut across, &batch).await.unwrap();
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
    let gateway = database.login(Login::Gateway);
    let mut across = gateway.across().await.unwrap();
    let at = connection(&database).await;
    stripe_events::record(&mut across, &[event(at, "evt_1", Some("sub_1"))]).await.unwrap();
    let leased = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap();
    // While Stripe is being asked, a second hint comes; nobody else may read the object meanwhile.
    stripe_events::record(&mut across, &[event(at, "evt_2", Some("sub_1"))]).await.unwrap();
    assert!(stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().is_empty());
    assert_eq!(settle_read(&database, &leased[0]).await, Settled::StillDirty);
    let again = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(settle_read(&database, &again[0]).await, Settled::Clean);
    assert!(stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap().is_empty());
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn a_reader_that_lost_its_lease_settles_nothing() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let mut across = gateway.across().await.unwrap();
    let at = connection(&database).await;
    stripe_events::record(&mut across, &[event(at, "evt_1", Some("sub_1"))]).await.unwrap();
    let slow = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), NO_LEASE).await.unwrap();
    let quick = stripe_sync::claim(&mut across, 9, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(quick.len(), 1, "the lease had run out");
    assert_eq!(settle_read(&database, &slow[0]).await, Settled::LostLease);
    read_failed(&database, &slow[0], Failure::Other, LEASE).await;
    assert_eq!(settle_read(&database, &quick[0]).await, Settled::Clean, "untouched by the late one");
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn a_hint_during_a_read_that_fails_is_soon_read_and_a_missing_object_is_counted_by_itself() {
    let database = Database::create().await;
    let gateway = database.login(Login::Gateway);
    let mut across = gateway.across().await.unwrap();
    let connection = connection(&database).await;
    let one = async |across: &mut Crossing| {
        sqlx::query("UPDATE stripe_sync SET next_at = now()").execute(&database.pool).await.unwrap();
        stripe_sync::claim(across, 10, Uuid::new_v4(), LEASE).await.unwrap().pop().unwrap()
    };
    let wait = Duration::from_secs(300);
    let due = "SELECT (next_at < now() + interval '10 s')::text FROM stripe_sync";
    stripe_events::record(&mut across, &[event(connection, "evt_1", Some("sub_1"))]).await.unwrap();
    let leased = one(&mut across).await;
    read_failed(&database, &leased, Failure::Other, wait).await;
    assert_eq!(text(&database.pool, due).await, "false", "nothing new: as long as was said");
    let leased = one(&mut across).await;
    stripe_events::record(&mut across, &[event(connection, "evt_2", Some("sub_1"))]).await.unwrap();
    read_failed(&database, &leased, Failure::Missing, wait).await;
    assert_eq!(text(&database.pool, due).await, "true", "the hint is not put off");
    let leased = one(&mut across).await;
    assert_eq!((leased.attempts, leased.missing), (2, 1));
    drop(across);
    database.remove().await;
}
