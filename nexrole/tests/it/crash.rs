//! Real processes, killed at random under load. Checked: no acknowledged event is lost, nothing is done twice, and in the end
//! Discord shows what Stripe says.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use nexrole::children::{Plan, Running, Service, free_port};
use sandbox::discord::Action;
use shared::config::Env;

use crate::world::{Fan, SECRET, World};

/// Kills; `NEXROLE_TEST_SCALE=full` multiplies them.
const KILLS: usize = 12;
const FULL: usize = 17;
const FANS: usize = 6;

/// A small generator of numbers (xorshift), so that a run can be told by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn plan(world: &World, service: Service, port: u16) -> Plan {
    let values = world.variables();
    let env = Env::from_pairs(values.iter().map(|(name, value)| (*name, value.as_str())));
    // Short leases, so that what a dead process held is soon free.
    let env = env.with("LEASE_SECONDS", "3").with("POLL_SECONDS", "0.1").with("METRICS_BIND", "127.0.0.1:0");
    let listen = SocketAddr::from(([127, 0, 0, 1], port));
    let log =
        std::env::temp_dir().join(format!("nexrole-crash-{}-{}.log", std::process::id(), service.word()));
    Plan { program: PathBuf::from(env!("CARGO_BIN_EXE_nexrole")), service, env, listen, log: Some(log) }
}

/// One fan's subscription: begun, or ended.
struct Account {
    fan: Fan,
    running: Option<String>,
}

impl Account {
    /// Subscribes, or cancels.
    async fn turn(&mut self, world: &World) {
        match self.running.take() {
            Some(subscription) => world.stripe.cancel(&subscription).await.expect("cancels"),
            None => self.running = Some(world.subscribes(&self.fan).await),
        }
    }
}

#[tokio::test]
async fn random_kills_under_load_lose_and_double_nothing() {
    let scale =
        if Env::from_process().get("NEXROLE_TEST_SCALE").as_deref() == Some("full") { FULL } else { 1 };
    let seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    let plans = [
        plan(&world, Service::Gateway, free_port().expect("a port")),
        plan(&world, Service::Bot, free_port().expect("a port")),
    ];
    let webhook = format!("http://{}/webhooks/stripe", plans[0].listen);
    world.stripe.set_webhook(&webhook, SECRET).await.expect("Stripe answers");
    let mut running: Vec<Running> = Vec::new();
    for plan in &plans {
        running.push(plan.start_ready().await.expect("it starts"));
    }
    let mut accounts = Vec::new();
    for _ in 0..FANS {
        accounts.push(Account { fan: world.fan().await, running: None });
    }
    for _ in 0..KILLS * scale {
        for _ in 0..3 {
            let who = usize::try_from(dice.roll(u64::try_from(FANS).expect("few"))).expect("few");
            accounts[who].turn(&world).await;
        }
        // At any moment of what that set going.
        tokio::time::sleep(Duration::from_millis(dice.roll(60))).await;
        let victim = usize::try_from(dice.roll(2)).expect("two");
        let old = running.remove(victim);
        old.kill().await.expect("killed");
        running.insert(victim, plans[victim].start_ready().await.expect("it starts again"));
    }
    // Stripe repeats what was not acknowledged; dead leases run out.
    world.heard().await;
    for account in &accounts {
        let due = account.running.is_some();
        world
            .until("Discord shows what Stripe says", async || world.has(&account.fan, world.vip).await == due)
            .await;
    }
    world.settle().await;
    let acknowledged: Vec<String> = world
        .stripe
        .deliveries()
        .await
        .expect("Stripe answers")
        .into_iter()
        .filter(|attempt| attempt.status == Some(200))
        .map(|attempt| attempt.event)
        .collect();
    let lost: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM unnest($1::text[]) AS acknowledged (id)
          WHERE NOT EXISTS (SELECT FROM stripe_events WHERE event_id = acknowledged.id)",
    )
    .bind(&acknowledged)
    .fetch_one(world.db())
    .await
    .expect("the query is good");
    assert_eq!(lost, 0, "of {} acknowledged events", acknowledged.len());
    alternates(&world).await;
    for service in running {
        service.stop().await.expect("it stops");
    }
    for plan in plans {
        std::fs::remove_file(plan.log.expect("it has one")).expect("removed");
    }
    println!("{} kills, {} acknowledged events", KILLS * scale, acknowledged.len());
    world.close().await;
}

/// Per member the audited transitions are granted, revoked, granted, …, and add up to what Discord's own log adds up to.
/// A removal whose answer died with the bot may be written as a loss, if the member pays again before the next look; the two
/// changes of such a gap may even be missing both. What was never done is never written.
async fn alternates(world: &World) {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT user_id, action FROM audit_log WHERE action IN ('role.granted', 'role.revoked', 'role.lost') ORDER BY audit_id",
    )
    .fetch_all(world.db())
    .await
    .expect("the query is good");
    let mut ours: BTreeMap<u64, Tally> = BTreeMap::new();
    for (user, action) in rows {
        let tally = ours.entry(user.unsigned_abs()).or_default();
        let granted = action == "role.granted";
        assert_ne!(tally.held(), granted, "{action} twice in a row for {user}");
        tally.count(granted);
    }
    let mut theirs: BTreeMap<u64, Tally> = BTreeMap::new();
    for entry in world.discord.audit_log(world.guild).await.expect("Discord answers") {
        theirs.entry(entry.user_id).or_default().count(entry.action == Action::RoleAdd);
    }
    for (user, theirs) in theirs {
        let ours = ours.remove(&user).unwrap_or_default();
        assert_eq!(ours.held(), theirs.held(), "{user}: {ours:?} in our log, {theirs:?} in Discord's");
        assert!(ours.added <= theirs.added && ours.removed <= theirs.removed, "{user}: {ours:?}, {theirs:?}");
    }
    assert!(ours.is_empty(), "changes in our log that Discord never saw: {ours:?}");
}

#[derive(Debug, Default)]
struct Tally {
    added: u32,
    removed: u32,
}

impl Tally {
    fn count(&mut self, added: bool) {
        if added { self.added += 1 } else { self.removed += 1 }
    }

    fn held(&self) -> bool {
        self.added > self.removed
    }
}
