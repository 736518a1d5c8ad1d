//! What one service asks of the other: both real, over the real database.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use shared::{
    crypto::Keyring,
    db::{pg_roles::Login, tenant},
    domain::{
        roles::permissions::Permissions,
        service_request::{Answer, Question, Service},
    },
    ids::{GuildId, UserId},
    service_requests::{AskError, ServiceRequests},
    store::service_requests::{self as store, Reply, Standing},
};
use sqlx::{AssertSqlSafe, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{tenants::ENCRYPTION_KEYS, world::World};

const KICK_MEMBERS: u128 = 1 << 1;
const OF_TOMORROW: u128 = 1 << 62;

fn keyring() -> Keyring {
    Keyring::parse(ENCRYPTION_KEYS).expect("keys")
}

fn guild(world: &World) -> GuildId {
    GuildId::from_u64(world.guild).expect("an id")
}

fn about(user: u64) -> Question {
    Question::MemberPermissions { user: UserId::from_u64(user).expect("an id") }
}

/// As that service's own, beside the one that runs.
fn asker(world: &World, service: Service) -> ServiceRequests {
    let login = match service {
        Service::Gateway => Login::Gateway,
        Service::Bot => Login::Bot,
    };
    ServiceRequests::new(world.login(login), Some(keyring()), service)
}

async fn states(world: &World) -> Vec<String> {
    let states = "SELECT state FROM service_requests ORDER BY asked_at";
    sqlx::query_scalar(states).fetch_all(world.db()).await.expect("the rows")
}

#[tokio::test]
async fn the_gateway_asks_the_bot_what_a_member_may_do() {
    let world = World::start().await;
    let staff = world.discord.create_role(world.guild, "Staff").await.unwrap();
    let bits = (KICK_MEMBERS | OF_TOMORROW).to_string();
    world.discord.set_role(world.guild, staff, json!({ "permissions": bits })).await.unwrap();
    let ana = world.discord.join(world.guild, "ana").await.unwrap();
    let ben = world.discord.join(world.guild, "ben").await.unwrap();
    world.discord.give_role(world.guild, ana, staff).await.unwrap();

    let gateway = Arc::new(asker(&world, Service::Gateway));
    let stop = CancellationToken::new();
    let listening = Arc::clone(&gateway).run(Duration::from_secs(60), |_, _, _| async { None }, stop.clone());
    let listening = tokio::spawn(listening);
    let ask = async |user| gateway.ask(guild(&world), &about(user)).await.unwrap();
    let Answer::MemberPermissions(of_ben) = ask(ben).await else { panic!("Ben is a member") };
    let Answer::MemberPermissions(of_ana) = ask(ana).await else { panic!("Ana is a member") };
    assert_eq!(of_ana, Permissions(of_ben.0 | KICK_MEMBERS | OF_TOMORROW), "and what everyone may");
    assert_eq!(of_ben.0 & (KICK_MEMBERS | OF_TOMORROW), 0);
    world.discord.set_role(world.guild, staff, json!({ "permissions": "8" })).await.unwrap();
    assert_eq!(ask(ana).await, Answer::MemberPermissions(Permissions::ALL), "Administrator");
    assert_eq!(ask(4711).await, Answer::MemberAbsent);
    assert_eq!(states(&world).await, ["answered"; 4]);

    // In the table is nothing that says whom it was about; and a sealed value opens in its own row only.
    let rows = sqlx::query(
        "SELECT request_id, arguments, answer, t::text AS row FROM service_requests t ORDER BY asked_at",
    );
    let rows = rows.fetch_all(world.db()).await.unwrap();
    for row in &rows {
        for id in [ana, ben] {
            assert!(!row.get::<String, _>("row").contains(&id.to_string()));
            assert_eq!(row.get::<Vec<u8>, _>("arguments"), b"", "what was answered keeps no argument");
        }
    }
    let [first, second] = [0, 1].map(|n| rows[n].get::<Uuid, _>("request_id"));
    let answer: Vec<u8> = rows[0].get("answer");
    let opens =
        |request, column| keyring().open(&store::place(guild(&world), request, column), &answer).is_ok();
    assert!(opens(first, "answer") && !opens(second, "answer") && !opens(first, "arguments"));

    // Answered once: not again.
    let mut tenant = tenant::begin(&world.login(Login::Bot), guild(&world)).await.unwrap();
    assert!(!store::reply(&mut tenant, first, &Reply::Failed).await.unwrap());
    drop(tenant);
    stop.cancel();
    listening.await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_question_that_nobody_answers_expires_within_two_seconds_and_is_answered_no_more() {
    let world = World::without_services().await;
    let began = Instant::now();
    let expired = asker(&world, Service::Gateway).ask(guild(&world), &about(1)).await.unwrap_err();
    let took = began.elapsed();
    assert!(matches!(expired, AskError::Expired), "{expired}");
    assert!(expired.to_string().contains("is the other service running?"));
    assert!((Duration::from_millis(1500)..Duration::from_millis(2500)).contains(&took), "{took:?}");
    assert_eq!(states(&world).await, ["expired"]);
    // A bot that comes up now finds nothing to answer.
    let bot = world.login(Login::Bot);
    assert_eq!(store::take(&mut bot.across().await.unwrap(), Service::Bot).await.unwrap(), None);

    // One that was taken by a bot that died expires like any other, though nobody says so any more.
    let (request, guild) = (Uuid::new_v4(), guild(&world));
    let gateway = world.login(Login::Gateway);
    let mut tenant = tenant::begin(&gateway, guild).await.unwrap();
    let patience = Duration::from_millis(500);
    store::ask(&mut tenant, request, Service::Gateway, "x", b"x", patience).await.unwrap();
    tenant.commit().await.unwrap();
    let taken = store::take(&mut bot.across().await.unwrap(), Service::Bot).await.unwrap();
    assert_eq!(taken, Some((guild, request)));
    assert_eq!(store::take(&mut bot.across().await.unwrap(), Service::Bot).await.unwrap(), None, "once");
    tokio::time::sleep(patience).await;
    let mut tenant = tenant::begin(&bot, guild).await.unwrap();
    assert!(store::taken(&mut tenant, request).await.unwrap().is_none());
    assert!(!store::reply(&mut tenant, request, &Reply::NotKnown).await.unwrap());
    drop(tenant);
    // Nor does it keep what was asked, once some seconds are over in which its asker would have said so.
    let left = async || store::expire_left(&mut bot.across().await.unwrap(), Service::Bot).await.unwrap();
    assert_eq!(left().await, 0);
    sqlx::query("UPDATE service_requests SET expires_at = expires_at - interval '10 seconds'")
        .execute(world.db())
        .await
        .unwrap();
    assert_eq!((left().await, left().await), (1, 0));
    assert_eq!(states(&world).await, ["expired", "expired"]);
    let kept = "SELECT count(*) FROM service_requests WHERE arguments <> ''";
    assert_eq!(sqlx::query_scalar::<_, i64>(kept).fetch_one(world.db()).await.unwrap(), 0);
    for pool in [bot, gateway] {
        pool.close().await;
    }
    world.finish().await;
}

/// An older release beside a newer one, in both directions.
#[tokio::test]
async fn a_question_that_the_other_release_does_not_know_is_answered_so() {
    let world = World::start().await;
    let (request, guild) = (Uuid::new_v4(), guild(&world));
    let gateway = world.login(Login::Gateway);
    let sealed = keyring().seal(&store::place(guild, request, "arguments"), b"{}").unwrap();
    let mut tenant = tenant::begin(&gateway, guild).await.unwrap();
    let patience = Duration::from_secs(20);
    store::ask(&mut tenant, request, Service::Gateway, "of_tomorrow", &sealed, patience).await.unwrap();
    tenant.commit().await.unwrap();
    store::announce(&mut gateway.across().await.unwrap(), Service::Bot).await.unwrap();
    world
        .until("the bot says that it does not know", async || {
            let mut tenant = tenant::begin(&gateway, guild).await.unwrap();
            store::standing(&mut tenant, request).await.unwrap() == Standing::Ended(Reply::NotKnown)
        })
        .await;
    gateway.close().await;
    // The gateway answers nothing yet.
    let refused = asker(&world, Service::Bot).ask(guild, &about(1)).await.unwrap_err();
    assert!(matches!(refused, AskError::NotKnown), "{refused}");
    world.finish().await;
}

#[tokio::test]
async fn services_with_other_keys_or_none_say_so() {
    let world = World::start().await;
    let other = Keyring::parse(&ENCRYPTION_KEYS.replace("k1:AAEC", "k1:BBEC")).unwrap();
    let ask = async |keyring| {
        let asker = ServiceRequests::new(world.login(Login::Gateway), keyring, Service::Gateway);
        asker.ask(guild(&world), &about(1)).await.unwrap_err()
    };
    let refused = ask(Some(other)).await;
    assert!(matches!(refused, AskError::Failed), "{refused}");
    let refused = ask(None).await;
    assert!(matches!(refused, AskError::NoKeys), "{refused}");
    assert_eq!(states(&world).await, ["failed"]);
    world.finish().await;
}

/// What the types do not stop, the database does.
#[tokio::test]
async fn a_service_neither_asks_in_the_others_name_nor_answers_itself() {
    let world = World::without_services().await;
    let ours = guild(&world);
    for (login, name, other) in [(Login::Gateway, "gateway", "bot"), (Login::Bot, "bot", "gateway")] {
        let pool = world.login(login);
        let run = async |statement: &str| {
            let mut tenant = tenant::begin(&pool, ours).await.unwrap();
            let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(tenant.unguarded()).await;
            if done.is_ok() {
                tenant.commit().await.unwrap();
            }
            done.map(|done| done.rows_affected()).map_err(|error| error.to_string())
        };
        let ask = |name: &str| {
            format!(
                "INSERT INTO service_requests (guild_id, request_id, asked_by, kind, arguments, expires_at)
                 VALUES ({ours}, gen_random_uuid(), '{name}', 'x', 'x', now() + interval '1 hour')"
            )
        };
        let refused = run(&ask(other)).await.unwrap_err();
        assert!(refused.contains("row-level security"), "{refused}");
        assert_eq!(run(&ask(name)).await, Ok(1));
        for state in ["answered', answer = 'x", "not_known", "failed"] {
            let refused = run(&format!("UPDATE service_requests SET state = '{state}'")).await.unwrap_err();
            assert!(refused.contains("row-level security"), "{login:?} {state}: {refused}");
        }
        assert_eq!(run("UPDATE service_requests SET state = 'expired'").await, Ok(1));
        assert_eq!(run("UPDATE service_requests SET state = 'expired'").await, Ok(0), "what has ended stays");
        // The other one's session takes nothing of what it asked itself.
        assert_eq!(run(&ask(name)).await, Ok(1));
        let service = if name == "bot" { Service::Bot } else { Service::Gateway };
        assert_eq!(store::take(&mut pool.across().await.unwrap(), service).await.unwrap(), None);
        let emptied = sqlx::query("DELETE FROM service_requests").execute(world.db()).await.unwrap();
        assert_eq!(emptied.rows_affected(), 2);
        pool.close().await;
    }
    world.finish().await;
}
