//! Real processes, killed: gateway, bot and Postgres, at random under load and at named points. Checked: no acknowledged
//! event is lost, nothing is done twice, and in the end Discord shows what Stripe says.
//!
//! Postgres runs with the settings of production. What this proves: an acknowledged event is in the write-ahead log, and
//! recovery brings it back, together with everything that its transaction wrote. What it cannot prove is the disk's part: a killed
//! process leaves what it wrote in the kernel's cache, and only a power cut would take that away.

mod audit_log;
mod harness;
mod hold;
mod invariants;
mod load;
mod mass_revokes;
mod points;
mod stalled;
mod supervised;
mod wake;

use std::{collections::BTreeMap, time::Duration};

use nexrole::children::Service;

use crate::support::{
    scale,
    world::{Member, World},
};
use harness::{Harness, Target};
use load::Load;

/// Kills; `NEXROLE_TEST_SCALE=full` multiplies them.
const KILLS: usize = 12;
const FULL: usize = 17;
const MEMBERS: usize = 6;

/// A small generator of numbers (xorshift), so that a run can be told by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn target(&mut self) -> Target {
        match self.roll(10) {
            0..3 => Target::Service(Service::Gateway),
            3..5 => Target::Service(Service::Bot),
            5..7 => Target::Postgres,
            7..9 => Target::Session(None),
            _ => Target::Everything,
        }
    }
}

/// One member's subscription: begun, or ended.
struct Account {
    member: Member,
    running: Option<String>,
}

impl Account {
    /// Subscribes, or cancels.
    async fn turn(&mut self, world: &World) {
        match self.running.take() {
            Some(subscription) => world.stripe.cancel(&subscription).await.expect("cancels"),
            None => self.running = Some(world.subscribes(&self.member).await),
        }
    }
}

#[tokio::test]
async fn random_kills_under_load_lose_and_double_nothing() {
    let kills = if scale::is_full() { KILLS * FULL } else { KILLS };
    let seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let mut harness = Harness::start("random").await;
    let mut accounts = Vec::new();
    for _ in 0..MEMBERS {
        accounts.push(Account { member: harness.world.member().await, running: None });
    }
    let load = Load::start(&harness.world).await;
    // Per kind: how many, and the slowest recovery.
    let mut tally: BTreeMap<&str, (usize, Duration)> = BTreeMap::new();
    let mut findings = Vec::new();
    for _ in 0..kills {
        for _ in 0..3 {
            let who = usize::try_from(dice.roll(u64::try_from(MEMBERS).expect("few"))).expect("few");
            accounts[who].turn(&harness.world).await;
        }
        // At any moment of what that set going.
        tokio::time::sleep(Duration::from_millis(dice.roll(60))).await;
        let target = dice.target();
        let took = harness.kill_and_restart(target).await;
        let (count, slowest) = tally.entry(target.word()).or_default();
        (*count, *slowest) = (*count + 1, took.max(*slowest));
        findings.extend(invariants::lost(&harness.world, &load.acknowledged_lately()).await);
    }
    assert!(findings.is_empty(), "lost, seen right after a kill: {findings:?}");
    let synthetic = load.stop().await;
    // Stripe repeats what was not acknowledged; dead leases run out.
    harness.world.heard().await;
    for account in &accounts {
        let due = account.running.is_some();
        let world = &harness.world;
        world
            .until("Discord shows what Stripe says", async || {
                world.has(&account.member, world.vip).await == due
            })
            .await;
    }
    harness.world.settle().await;
    let mut acknowledged = invariants::acknowledged(&harness.world).await;
    acknowledged.extend(synthetic.acknowledged.iter().cloned());
    let lost = invariants::lost(&harness.world, &acknowledged).await;
    let mut doubled = invariants::doubled(&harness.world).await;
    doubled.extend(synthetic.new_twice());
    let slowest = tally.values().map(|(_, slowest)| *slowest).max().unwrap_or_default();
    println!(
        "{kills} kills, {} acknowledged events, {} lost, {} doubled, slowest recovery {:.2} s",
        acknowledged.len(),
        lost.len(),
        doubled.len(),
        slowest.as_secs_f64()
    );
    for (word, (count, slowest)) in tally {
        println!("  {word}: {count} kills, slowest recovery {:.2} s", slowest.as_secs_f64());
    }
    assert!(lost.is_empty(), "{lost:?}");
    assert!(doubled.is_empty(), "{doubled:#?}");
    harness.end().await;
}
