//! `/metrics`: what operators see, and what they must not.

use nexrole::children::free_port;

use crate::support::world::World;

#[tokio::test]
async fn metrics_count_what_happened_and_name_nobody() {
    let mut world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    let address = format!("127.0.0.1:{}", free_port().expect("a port"));
    world.set("METRICS_BIND", &address);
    world.start_gateway().await;
    // The bot in the same process has the same numbers; an address it cannot have must be another.
    world.set("METRICS_BIND", "127.0.0.1:0");
    world.start_bot().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.settle().await;

    let scraped = world.http.get(format!("http://{address}/metrics")).send().await.expect("it answers");
    assert_eq!(scraped.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = scraped.text().await.expect("text");
    for line in [
        "nexrole_database_up 1",
        r#"nexrole_webhooks_total{outcome="new"}"#,
        r#"nexrole_webhook_seconds_bucket{outcome="new",le="0.05"}"#,
        r#"nexrole_stripe_reads_total{outcome="applied"}"#,
        r#"nexrole_event_polls_total{outcome="done"}"#,
        r#"nexrole_discord_calls_total{method="PUT",outcome="done"}"#,
        r#"nexrole_discord_call_seconds_count{method="GET"}"#,
        r#"nexrole_role_jobs_total{state="applied"}"#,
        "nexrole_role_jobs_pending 0",
        "nexrole_stripe_objects_unread 0",
        "# HELP nexrole_role_jobs_parked ",
        "nexrole_role_jobs_held 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    for id in [world.guild.to_string(), ana.user.to_string(), ana.customer.clone(), world.price.clone()] {
        assert!(!text.contains(&id), "{id} is shown");
    }
    // Neither is it on the public address.
    let public = world.http.get(format!("{}/metrics", world.gateway_url)).send().await.expect("it answers");
    assert_eq!(public.status(), 404);
    world.finish().await;
}

#[tokio::test]
async fn a_chosen_metrics_address_that_is_taken_is_said_with_its_variable() {
    let mut world = World::without_services().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    world.set("METRICS_BIND", &taken.local_addr().expect("an address").to_string());
    world.start_bot().await;
    let ended = world.bot_ends().await.expect_err("it cannot start");
    assert!(format!("{ended:#}").contains("METRICS_BIND: cannot listen on"), "{ended:#}");
}
