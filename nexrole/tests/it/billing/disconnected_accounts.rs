//! What was bought in a mode, or on an account, that is not connected any more: nobody loses a role by that, and it is named
//! everywhere until the operator ends it.

use sandbox::stripe;
use serde_json::Value;

use crate::support::world::{Member, World};

/// Subscriptions that the connected account does not have.
async fn missing(world: &World) -> usize {
    world.subscriptions_where(|subscription| subscription.is_missing).await
}

async fn ask(world: &World, member: &Member) -> (String, String, Value) {
    (world.why(member).await, world.status().await, world.doctor().await["stripe.sources"].clone())
}

/// Named by all three, with what helps, and counted by none.
async fn is_named(world: &World, member: &Member, reason: &str) {
    let (why, status, doctor) = ask(world, member).await;
    let way_out = format!("nexrole link remove --guild {} --customer {}", world.guild, member.customer);
    assert!(why.contains(reason) && why.contains(&way_out), "{why}");
    assert!(status.contains("Paying: 0 subscriptions"), "{status}");
    let said = format!(
        "1 role given for purchases on a Stripe account, or in a mode, that is not connected any more (`{}`)",
        member.customer
    );
    assert!(status.contains(&said) && status.contains("link remove"), "{status}");
    assert!(!status.contains("cannot be read"), "{status}");
    assert_eq!(doctor["state"], "warn");
    assert!(doctor["detail"].as_str().is_some_and(|detail| detail.contains(&member.customer)), "{doctor}");
    assert!(world.has(member, world.vip).await, "nobody loses a role by that");
}

async fn the_operator_ends_it(world: &World, member: &Member) {
    let guild = world.guild.to_string();
    let remove = ["link", "remove", "--guild", &guild, "--customer", &member.customer];
    let said = world.nexrole(&remove).await.expect("it is removed");
    assert!(
        said.contains(&format!("is not {}'s any more", member.user)) && said.contains("1 reason(s)"),
        "{said}"
    );
    world.until("they have lost VIP", async || !world.has(member, world.vip).await).await;
    let (why, status, doctor) = ask(world, member).await;
    assert!(!why.contains("does not end by itself"), "{why}");
    assert!(!status.contains("not connected any more") && doctor["state"] == "ok", "{status} {doctor}");
    let again = world.nexrole(&remove).await.expect("there is nothing to remove");
    assert!(again.contains("was linked to nobody"), "{again}");
}

#[tokio::test]
async fn what_was_bought_in_test_mode_is_named_after_going_live_and_ends_by_the_operators_hand() {
    let mut world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    assert!(world.status().await.contains("Paying: 1 subscription"));
    world.stop_gateway().await;
    let live = world.stripe.create_key("rk_live", None).await.unwrap();
    world.set("STRIPE_SECRET_KEY", &live);
    world.list_again().await;
    world.start_gateway().await;
    // Nobody hears of it.
    world.stripe.cancel(&subscription).await.unwrap();
    is_named(&world, &ana, "bought in test mode on a Stripe connection that is not connected any more").await;
    the_operator_ends_it(&world, &ana).await;
    world.close().await;
}

#[tokio::test]
async fn what_was_bought_on_another_account_of_the_same_mode_is_named_until_that_is_connected_again() {
    let mut world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let first = world.gateway_config().stripe_api_url;
    let options = stripe::Options { port: 0, webhook_url: None, webhook_secret: None };
    let other = stripe::serve(options).await.unwrap();
    for (account, expected) in [(&other.url, 1), (&first, 0), (&other.url, 1)] {
        world.stop_gateway().await;
        world.set("STRIPE_API_URL", account);
        world.start_gateway().await;
        world.until("all of the account is read", async || missing(&world).await == expected).await;
        if expected == 1 {
            is_named(&world, &ana, "the Stripe account that is connected has no such subscription").await;
        } else {
            assert_eq!(ask(&world, &ana).await.2["state"], "ok");
            assert!(world.has(&ana, world.vip).await);
        }
    }
    the_operator_ends_it(&world, &ana).await;
    world.close().await;
    other.stop().await;
}

#[tokio::test]
async fn a_preview_does_not_take_them_for_payers() {
    let mut world = World::start().await;
    let (guild, role) = (world.guild.to_string(), world.vip.to_string());
    let of_role = ["--guild", guild.as_str(), "--role", role.as_str()];
    world.nexrole(&[&["map", "enforce", "--observe"], &of_role[..]].concat()).await.unwrap();
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.heard().await;
    let preview =
        async |world: &World| world.nexrole(&[&["map", "preview"], &of_role[..]].concat()).await.unwrap();
    let pays = format!("keeps it)\n  member {}\n", ana.user);
    let said = preview(&world).await;
    assert!(said.contains(&pays) && !said.contains("not connected"), "{said}");
    world.stop_gateway().await;
    let live = world.stripe.create_key("rk_live", None).await.unwrap();
    world.set("STRIPE_SECRET_KEY", &live);
    world.list_again().await;
    world.start_gateway().await;
    let said = preview(&world).await;
    assert!(!said.contains(&pays) && said.contains("not connected any more\n  member"), "{said}");
    world.close().await;
}
