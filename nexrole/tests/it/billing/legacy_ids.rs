//! Ids that accounts made up freely once (prices were plans, and customers and products took any text): mapped, bought, moved
//! away from, linked and shown like any other.

use sandbox::stripe::Fault;
use serde_json::json;

use crate::support::world::{Member, World};

const OLD: &str = "vip/monthly $5 + gift?#%2F/../ü";
const OTHER: &str = "basic/monthly";

/// A subscription as Stripe answers for one, whatever the sandbox has.
async fn tell(world: &World, member: &Member, price: &str) {
    let customer = json!({ "id": "cus/lena 1", "metadata": { "discord_user_id": member.user.to_string() } });
    let item = json!({ "id": "si_1", "price": { "id": price, "product": "prod_old" } });
    let body = json!({ "id": "sub_lena", "object": "subscription", "status": "active", "customer": customer,
                       "items": { "has_more": false, "data": [item] } });
    world.stripe.clear_faults().await.expect("the sandbox answers");
    let answer = Fault::status(200).on("GET", "/v1/subscriptions/sub_lena").body(body).times(9);
    world.stripe.fault(answer).await.expect("the sandbox answers");
    let event = json!({ "id": format!("evt_{}", price.len()), "type": "customer.subscription.updated", "created": 1,
                        "livemode": false, "data": { "object": { "id": "sub_lena" } } });
    assert_eq!(world.post_signed(event.to_string().as_bytes()).await.status(), 200);
    world.settle().await;
}

#[tokio::test]
async fn an_old_price_of_a_mapped_product_gives_the_role() {
    let world = World::start().await;
    world.map("product", "prod_old", world.vip).await;
    let lena = world.member().await;
    tell(&world, &lena, "vip/monthly").await;
    assert!(world.has(&lena, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn a_move_from_a_mapped_price_to_an_old_one_takes_the_role() {
    let world = World::start().await;
    let lena = world.member().await;
    tell(&world, &lena, &world.price).await;
    assert!(world.has(&lena, world.vip).await);
    tell(&world, &lena, OTHER).await;
    world.until_no_vip(&lena).await;
    world.finish().await;
}

#[tokio::test]
async fn old_ids_are_taken_everywhere() {
    let mut world = World::without_services().await;
    let product = world.stripe.create_product_with(json!({ "id": "prod/a b", "name": "Old" })).await.unwrap();
    let old = json!({ "id": OLD, "product": product, "unit_amount": 500 });
    let price = world.stripe.create_price_with(old).await.unwrap();
    let link = json!({ "prices": [world.price, price], "redirect_url": "https://example.com/" });
    world.stripe.create_payment_link(link).await.unwrap();
    world.map("price", &price, world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let user = world.discord.join(world.guild, "lena").await.unwrap();
    // Read by its id alone, since only the customer's own events tell of a link.
    let id = "lena@example.com/../x y+$%?#ü";
    let customer = world.stripe.create_customer_with(json!({ "id": id })).await.unwrap();
    let lena = Member { user, customer };
    let subscription = world.stripe.subscribe(&lena.customer, &price).await.unwrap();
    world.heard().await;
    assert!(!world.has(&lena, world.vip).await);
    let (guild, user) = (world.guild.to_string(), user.to_string());
    let said = world.nexrole(&["link", "add", "--guild", &guild, "--customer", id, "--user", &user]).await;
    assert!(said.unwrap().contains("Linked"));
    world.until_vip(&lena).await;
    let missing = world.reads_where(|read| read.last_error.is_some()).await;
    assert_eq!(missing, 0, "Stripe was asked for each by its id");
    let why = world.nexrole(&["why", "--guild", &guild, "--member", &user]).await.unwrap();
    assert!(why.contains(id), "{why}");
    for (command, part) in [
        (vec!["catalogue", "--guild", &guild], format!("sells {}, {OLD}  then", world.price)),
        (vec!["map", "list", "--guild", &guild], format!("price {OLD}")),
    ] {
        let said = world.nexrole(&command).await.unwrap();
        assert!(said.contains(&part), "{part} is missing in\n{said}");
    }
    world.stripe.set_subscription(&subscription, json!({ "prices": [world.price] })).await.unwrap();
    world.until_no_vip(&lena).await;
    world.finish().await;
}

#[tokio::test]
async fn what_cannot_be_an_id_is_refused() {
    let world = World::without_services().await;
    let (guild, role) = (world.guild.to_string(), world.vip.to_string());
    for bad in ["", "a\tb", "a\nb", "a\u{7f}", &"x".repeat(256)] {
        let add = ["map", "add", "--guild", &guild, "--price", bad, "--role", &role];
        let said = world.nexrole(&add).await.unwrap_err();
        assert!(said.contains("255"), "{bad:?}: {said}");
    }
    assert_eq!(world.mappings().await, 0);
    world.close().await;
}

/// What is shown to be run is run as it is shown, also if the id looks like an option.
#[tokio::test]
async fn a_command_with_an_odd_customer_can_be_pasted() {
    let world = World::start().await;
    let guild = world.guild.to_string();
    let (ana, ben) = (world.member().await.user.to_string(), world.member().await.user.to_string());
    for customer in ["-lena", "--user", "it's $HOME"] {
        let option = format!("--customer={customer}");
        let link = |user| ["link", "add", "--guild", &guild, &option, "--user", user];
        world.nexrole(&link(&ana)).await.unwrap();
        let said = world.nexrole(&link(&ben)).await.unwrap_err();
        let (_, command) = said.split_once('`').unwrap();
        let (command, _) = command.split_once('`').unwrap();
        let shell =
            tokio::process::Command::new("sh").args(["-c", &format!("printf '%s\\n' {command}")]).output();
        let words = String::from_utf8(shell.await.unwrap().stdout).unwrap();
        let words: Vec<_> = words.lines().skip(1).collect();
        let said = world.nexrole(&words).await.unwrap();
        assert!(said.contains(&format!("{customer} is not {ana}'s any more")), "{said}");
    }
    world.close().await;
}
