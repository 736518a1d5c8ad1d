//! Real processes, killed: gateway, bot and Postgres, at random under load and at named points. Checked: no acknowledged
//! event is lost, nothing is done twice, and in the end Discord shows what Stripe says.
//!
//! Postgres runs with the settings of production. What this proves: an acknowledged event is in the write-ahead log, and
//! recovery brings it back, together with everything that its transaction wrote. What it cannot prove is the disk's part: a killed
//! process leaves what it wrote in the kernel's cache, and only a power cut would take that away.

#![cfg(target_os = "linux")]

mod books;
mod hold;
mod load;
mod points;
mod rig;
mod stalled;
mod supervised;
mod wake;

use std::{collections::BTreeMap, time::Duration};

use nexrole::children::Service;

use crate::support::{
    scale,
    world::{Fan, World},
};
use load::Load;
use rig::{Rig, Victim};

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

    fn victim(&mut self) -> Victim {
        match self.roll(10) {
            0..3 => Victim::Service(Service::Gateway),
            3..5 => Victim::Service(Service::Bot),
            5..7 => Victim::Postgres,
            7..9 => Victim::Session(None),
            _ => Victim::Everything,
        }
    }
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
    let kills = if scale::is_full() { KILLS * FULL } else { KILLS };
    let seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let mut rig = Rig::start("random").await;
    let mut accounts = Vec::new();
    for _ in 0..FANS {
        accounts.push(Account { fan: rig.world.fan().await, running: None });
    }
    let load = Load::start(&rig.world).await;
    // Per kind: how many, and the slowest recovery.
    let mut tally: BTreeMap<&str, (usize, Duration)> = BTreeMap::new();
    let mut findings = Vec::new();
    for _ in 0..kills {
        for _ in 0..3 {
            let who = usize::try_from(dice.roll(u64::try_from(FANS).expect("few"))).expect("few");
            accounts[who].turn(&rig.world).await;
        }
        // At any moment of what that set going.
        tokio::time::sleep(Duration::from_millis(dice.roll(60))).await;
        let victim = dice.victim();
        let took = rig.kill_and_mend(victim).await;
        let (count, slowest) = tally.entry(victim.word()).or_default();
        (*count, *slowest) = (*count + 1, took.max(*slowest));
        findings.extend(books::lost(&rig.world, &load.acknowledged_lately()).await);
    }
    assert!(findings.is_empty(), "lost, seen right after a kill: {findings:?}");
    let synthetic = load.stop().await;
    // Stripe repeats what was not acknowledged; dead leases run out.
    rig.world.heard().await;
    for account in &accounts {
        let due = account.running.is_some();
        let world = &rig.world;
        world
            .until("Discord shows what Stripe says", async || world.has(&account.fan, world.vip).await == due)
            .await;
    }
    rig.world.settle().await;
    let mut acknowledged = books::acknowledged(&rig.world).await;
    acknowledged.extend(synthetic.acknowledged.iter().cloned());
    let lost = books::lost(&rig.world, &acknowledged).await;
    let mut doubled = books::doubled(&rig.world).await;
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
    rig.end().await;
}
