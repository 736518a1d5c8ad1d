//! What row-level security costs. In: the same statements by a superuser, whom it does not bind, and by the services. Out: a ratio.

use std::time::{Duration, Instant};

use shared::domain::stripe_object::{Object, ObjectKind};
use shared::{
    db::{pg_roles::Login, tenant},
    domain::{
        delivery::update::{Decision, GuildGate, JobUpdate, Settlement},
        job::JobState,
    },
    ids::JobId,
    store::{
        guild_gates::Release,
        settle,
        stripe_connections::Connection,
        stripe_events::{self, NewEvent},
    },
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{full, guild, ids::furnish};
use crate::support::cluster::Database;

/// What the policies cost: the same statements by a superuser, to whom none applies, and by the services, in turns.
#[tokio::test]
async fn row_level_security_costs_ingest_and_settling_little() {
    let rounds = if full() { 400 } else { 20 };
    let database = Database::create().await;
    let connection = Connection { guild: guild(1), id: furnish(&database, 1, 1000).await.connection };
    let (gateway, bot) = (database.login(Login::Gateway), database.login(Login::Bot));
    // Apart: what has become a superuser must not meet the walled ones.
    let (open_gateway, open_bot) = (database.login(Login::Gateway), database.login(Login::Bot));
    let batch = |name: &str, round: u32| -> Vec<NewEvent> {
        let one = |n: u32| NewEvent {
            connection,
            id: format!("evt_{name}_{round}_{n}").parse().unwrap(),
            event_type: "customer.subscription.updated".into(),
            object: Some(Object { kind: ObjectKind::Subscription, id: format!("sub_{n}") }),
            created: None,
            livemode: false,
            api_version: None,
        };
        (0..128).map(one).collect()
    };
    let mut spent = [Duration::ZERO; 4];
    for round in 0..rounds {
        // Whoever goes first finds colder caches: in turns.
        for walled in [round % 2 == 0, round % 2 == 1] {
            let events = batch(if walled { "walled" } else { "open" }, round);
            let turn = ten_jobs(&database).await;
            let (gateway, bot) = if walled { (&gateway, &bot) } else { (&open_gateway, &open_bot) };
            let began = Instant::now();
            let mut across = gateway.across().await.unwrap();
            let aside =
                if walled { Duration::ZERO } else { without_row_level_security(across.unguarded()).await };
            stripe_events::record(&mut across, &events).await.unwrap();
            spent[usize::from(walled)] += began.elapsed() - aside;
            drop(across);
            let began = Instant::now();
            let mut tenant = tenant::begin(bot, guild(1)).await.unwrap();
            let aside =
                if walled { Duration::ZERO } else { without_row_level_security(tenant.unguarded()).await };
            assert_eq!(settle::settle(&mut tenant, &turn).await.unwrap(), Release::Released);
            tenant.commit().await.unwrap();
            spent[2 + usize::from(walled)] += began.elapsed() - aside;
        }
    }
    let settled = "SELECT count(*) FROM role_jobs WHERE state = 'noop'";
    let settled: i64 = sqlx::query_scalar(settled).fetch_one(&database.pool).await.unwrap();
    assert_eq!(settled, i64::from(rounds) * 20, "ten jobs in each of the turns were settled");
    let ratio = |with: usize, without: usize| spent[with].as_secs_f64() / spent[without].as_secs_f64();
    let per = spent.map(|all| all / rounds);
    println!(
        "a batch of 128 events: {:?} without, {:?} with ({:.2}); settling a turn: {:?} without, {:?} with ({:.2})",
        per[0],
        per[1],
        ratio(1, 0),
        per[2],
        per[3],
        ratio(3, 2)
    );
    assert!(ratio(1, 0) < 3.0 && ratio(3, 2) < 3.0, "a machine's noise is less than that");
    for pool in [gateway, bot, open_gateway, open_bot] {
        pool.close().await;
    }
    database.remove().await;
}

/// Makes a session, or a transaction, its login's own: a superuser's. How long that took, which is not the statements' cost.
async fn without_row_level_security(db: &mut PgConnection) -> Duration {
    let began = Instant::now();
    sqlx::raw_sql("SET ROLE none").execute(&mut *db).await.unwrap();
    let superuser: String =
        sqlx::query_scalar("SELECT current_setting('is_superuser')").fetch_one(db).await.unwrap();
    assert_eq!(superuser, "on");
    began.elapsed()
}

/// A leased guild with ten pending jobs, and the turn that settles them.
async fn ten_jobs(database: &Database) -> Settlement {
    let hold = "UPDATE guild_gates SET owner = '00000000-0000-0000-0000-000000000000'";
    sqlx::query(hold).execute(&database.pool).await.unwrap();
    let jobs: Vec<JobId> = sqlx::query_scalar(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause)
         SELECT 1, n, 7, 'resync', 'x' FROM generate_series(1, 10) n RETURNING job_id",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let update = |id| JobUpdate {
        id,
        state: JobState::Noop,
        due_in: Duration::ZERO,
        failures: 0,
        outcome: "x".into(),
    };
    Settlement {
        owner: Uuid::nil(),
        guild: GuildGate::Open,
        decisions: vec![Decision { jobs: jobs.into_iter().map(update).collect(), ..Decision::default() }],
        called: vec![],
        reached: false,
    }
}
