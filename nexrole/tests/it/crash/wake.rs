//! Wake-ups by NOTIFY, with polling as good as off: a role that comes at all comes by NOTIFY, or by the look that follows each
//! connection anew.

use std::time::{Duration, Instant};

use nexrole::children::Service;

use super::rig::{Rig, Victim};

/// Far beyond the world's patience.
const POLL_SECONDS: &str = "600";

async fn pays(rig: &Rig, what: &str) -> Duration {
    let world = &rig.world;
    let fan = world.fan().await;
    world.subscribes(&fan).await;
    let began = Instant::now();
    world.until(what, async || world.has(&fan, world.vip).await).await;
    println!("  {what}: role after {:.2} s", began.elapsed().as_secs_f64());
    began.elapsed()
}

#[tokio::test]
async fn bots_are_woken_again_after_postgres_was_away() {
    let mut rig = Rig::start_polling("wake", POLL_SECONDS).await;
    pays(&rig, "woken").await;
    let bot = rig.pid(Service::Bot);
    // A restart under live services.
    rig.kill_and_mend(Victim::Postgres).await;
    pays(&rig, "after a restart of Postgres, found when the bot connects again").await;
    pays(&rig, "after a restart of Postgres, woken").await;
    rig.kill_and_mend(Victim::Session(None)).await;
    pays(&rig, "after a crash of Postgres, found when the bot connects again").await;
    pays(&rig, "after a crash of Postgres, woken").await;
    assert!(rig.world.database().hang_up_on_services().await > 0);
    pays(&rig, "after every session was ended by hand, found when the bot connects again").await;
    pays(&rig, "after every session was ended by hand, woken").await;
    assert_eq!(rig.pid(Service::Bot), bot, "the same bot all the time");
    rig.end().await;
}
