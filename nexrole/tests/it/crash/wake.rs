//! Wake-ups by NOTIFY, with polling as good as off: a role that comes at all comes by NOTIFY, or by the look that follows each
//! connection anew.

use std::time::{Duration, Instant};

use nexrole::children::Service;

use super::harness::{Harness, Target};
use crate::support::world::World;

/// Far beyond the world's patience.
const POLL_SECONDS: &str = "600";

/// Ends every session of our programs. Out: how many.
async fn hang_up_on_services(world: &World) -> i64 {
    let statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'nexrole' AND pid <> pg_backend_pid() AND datname = current_database()";
    sqlx::query_scalar(statement).fetch_one(world.db()).await.expect("they are ended")
}

async fn pays(harness: &Harness, what: &str) -> Duration {
    let world = &harness.world;
    let member = world.member().await;
    world.subscribes(&member).await;
    let began = Instant::now();
    world.until(what, async || world.has(&member, world.vip).await).await;
    println!("  {what}: role after {:.2} s", began.elapsed().as_secs_f64());
    began.elapsed()
}

#[tokio::test]
async fn bots_are_woken_again_after_postgres_was_away() {
    let mut harness = Harness::start_polling("wake", POLL_SECONDS).await;
    pays(&harness, "woken").await;
    let bot = harness.pid(Service::Bot);
    // A restart under live services.
    harness.kill_and_restart(Target::Postgres).await;
    pays(&harness, "after a restart of Postgres, found when the bot connects again").await;
    pays(&harness, "after a restart of Postgres, woken").await;
    harness.kill_and_restart(Target::Session(None)).await;
    pays(&harness, "after a crash of Postgres, found when the bot connects again").await;
    pays(&harness, "after a crash of Postgres, woken").await;
    assert!(hang_up_on_services(&harness.world).await > 0);
    pays(&harness, "after every session was ended by hand, found when the bot connects again").await;
    pays(&harness, "after every session was ended by hand, woken").await;
    assert_eq!(harness.pid(Service::Bot), bot, "the same bot all the time");
    harness.end().await;
}
