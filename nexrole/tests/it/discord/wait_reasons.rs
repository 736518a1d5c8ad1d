//! Stories about what waits for more than its time: whoever asks is told for what, and until when.

use std::time::Duration;

use sandbox::discord::Fault;
use serde_json::json;

use crate::support::world::World;

/// A server whose gate is closed for a while, and somebody who paid meanwhile: their job is due, and nobody takes it.
#[tokio::test]
async fn who_waits_with_a_whole_server_is_told_so_and_until_when() {
    let refused = |status: u16, code: u32| {
        Fault::status(status).on("GET", "/members/").times(9).body(json!({ "message": "x", "code": code }))
    };
    let told_to_wait = Fault::status(429)
        .on("GET", "/members/")
        .times(9)
        .header("retry-after", "900")
        .body(json!({ "message": "x", "retry_after": 900.0, "global": false }));
    for (fault, cause) in [
        (told_to_wait, "Discord told the bot to wait"),
        (refused(404, 10004), "does not know this server (code 10004)"),
        // The member's read is refused.
        (refused(403, 50001), "no access to this server (code 50001)"),
        (refused(403, 50013), "code 50013"),
    ] {
        let world = World::start().await;
        let (ana, ben) = (world.member().await, world.member().await);
        world.discord.fault(fault).await.unwrap();
        world.subscribes(&ana).await;
        let closed = async || world.gate_is(|gate| gate.is_paused_for(Duration::from_secs(40))).await;
        world.until("the gate is closed", closed).await;
        world.subscribes(&ben).await;
        world.until("both wait", async || world.pending().await == 2).await;
        world.jobs_were_due(60).await;
        let until = world.gate_opens_at().await;
        for member in [&ana, &ben] {
            let said = world.why(member).await;
            assert!(
                said.contains(cause) && said.contains(&format!("next try {until}")),
                "{cause} {until}\n{said}"
            );
        }
        let said = world.map_list().await;
        assert!(said.contains(cause) && said.contains(&until), "{cause} {until}\n{said}");
        world.close().await;
    }
}

/// Of a role that Discord refuses one job probes; the others say when, and why.
#[tokio::test]
async fn who_waits_for_a_refused_role_is_told_why_and_until_when() {
    for (code, cause) in [(50013, "Manage Roles"), (60003, "two-factor")] {
        let mut world = World::start().await;
        let ana = world.member().await;
        let body = json!({ "message": "x", "code": code });
        world.discord.fault(Fault::status(403).on("PUT", "/roles/").times(9).body(body)).await.unwrap();
        world.subscribes(&ana).await;
        world.until_parked(1, "the job is parked").await;
        world.jobs_were_due(60).await;
        let until = world.next_probe_at().await;
        let said = world.why(&ana).await;
        assert!(said.contains(cause) && said.contains(&format!("next try {until}")), "{until}\n{said}");
        let said = world.map_list().await;
        assert!(said.contains("REFUSED") && said.contains(cause) && said.contains(&until), "{until}\n{said}");
        world.stop_bot().await.unwrap();
        world.probes_were_due().await;
        let said = world.map_list().await;
        assert!(said.contains("REFUSED") && said.contains("tried again as soon as the bot runs"), "{said}");
        world.close().await;
    }
}

/// A last check of what is settled, or a regular one, is no change, though it waits for its turn like one.
#[tokio::test]
async fn a_mere_check_is_no_role_change_on_its_way() {
    let world = World::start().await;
    world.pause_for_an_hour().await;
    world.checks_are_queued().await;
    let said = world.status().await;
    assert!(said.contains("up to date") && !said.contains("On their way"), "{said}");
    world.jobs_become_purchases().await;
    let said = world.status().await;
    assert!(said.contains("On their way: 2 role changes,"), "{said}");
    world.close().await;
}

/// Nothing holds it up but that no bot runs: a time that has passed is not called the next check.
#[tokio::test]
async fn what_is_due_is_called_due() {
    let mut world = World::start().await;
    world.stop_bot().await.unwrap();
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until("it waits", async || world.pending().await == 1).await;
    let said = world.why(&ana).await;
    assert!(said.contains("due since") && !said.contains("next try"), "{said}");
    assert!(!world.map_list().await.contains("Nothing is changed"));
    world.close().await;
}
