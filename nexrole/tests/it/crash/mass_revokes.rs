//! A kill of the bot where a role is being taken from many: what was counted before the calls is counted after it.

use nexrole::children::Service;

use super::{
    harness::{Harness, Target},
    hold::Hold,
};

/// As many as one turn takes up, and some.
const PAYERS: usize = 14;
const KILLS: usize = 3;

/// Each turn takes the role from two, if from any, and is killed before it can write that down.
#[tokio::test]
async fn kills_between_the_calls_and_what_is_written_of_them_take_the_role_from_no_more() {
    let mut harness = Harness::start("mass-revokes").await;
    let payers = harness.world.payers(PAYERS).await;
    let mut hold = Hold::nothing(&harness.url()).await;
    hold.lock("SELECT FROM guild_gates FOR UPDATE").await;
    harness.world.sets_policy("active=remove").await;
    harness.world.until("all are to lose it", async || harness.world.pending().await == PAYERS).await;
    // Jobs can be made and read, and none can be finished.
    hold.lock("SELECT FROM role_jobs FOR UPDATE").await;
    hold.unlock().await;
    for _ in 0..KILLS {
        // The turn has made its calls, and cannot settle.
        let settling = hold.until_blocked("UPDATE role_jobs j SET state = x.state").await;
        harness.kill(Target::Service(Service::Bot)).await;
        // Or Postgres would have it wait until our lock goes.
        hold.write(&format!("SELECT pg_terminate_backend({settling})")).await;
        assert_eq!((harness.world.with_vip(&payers).await, harness.world.held().await), (PAYERS - 2, 0));
        harness.restart().await;
    }
    hold.release().await;
    harness.world.until_held(PAYERS - 2).await;
    assert_eq!(harness.world.with_vip(&payers).await, PAYERS - 2);
    harness.end().await;
}
