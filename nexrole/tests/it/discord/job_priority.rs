//! Stories about who goes first: what one member asked for, before what concerns many.

use sandbox::discord::Limits;
use shared::domain::job::JobOrigin;

use crate::support::world::{Member, World};

const BULK: usize = 30;

/// Members who pay for something that is not mapped yet.
async fn payers(world: &World, price: &str) -> Vec<Member> {
    let mut payers = Vec::new();
    for _ in 0..BULK {
        let member = world.member().await;
        world.stripe.subscribe(&member.customer, price).await.expect("subscribes");
        payers.push(member);
    }
    world.heard().await;
    payers
}

/// Few role changes a second, as at Discord.
async fn slow_roles(world: &World) {
    let limits = Limits { role_limit: 2, role_window_ms: 500, ..Limits::none() };
    world.discord.set_limits(limits).await.expect("limits are set");
}

async fn holders(world: &World, of: &[Member], role: u64) -> usize {
    let mut holders = 0;
    for member in of {
        holders += usize::from(world.has(member, role).await);
    }
    holders
}

async fn another_role(world: &World) -> (String, u64) {
    let role = world.discord.create_role(world.guild, "Gold").await.expect("a role");
    let product = world.stripe.create_product("Gold").await.expect("a product");
    let price = world.stripe.create_price(&product, 1900).await.expect("a price");
    (price, role)
}

/// A new mapping over many who paid before; then somebody buys something else, and somebody cancels.
#[tokio::test]
async fn a_buyer_and_a_cancel_go_before_a_bulk() {
    let world = World::start().await;
    let gone = world.member().await;
    let subscription = world.subscribes(&gone).await;
    world.until_vip(&gone).await;
    let (price, gold) = another_role(&world).await;
    let payers = payers(&world, &price).await;
    slow_roles(&world).await;
    world.map("price", &price, gold).await;
    let bulk = async || world.jobs_where(|job| job.origin == JobOrigin::Bulk).await;
    world.until("all of the bulk is known", async || bulk().await == BULK).await;
    let buyer = world.member().await;
    world.subscribes(&buyer).await;
    world.stripe.cancel(&subscription).await.expect("cancels");
    world.until("the buyer has VIP", async || world.has(&buyer, world.vip).await).await;
    world.until("who cancelled has not", async || !world.has(&gone, world.vip).await).await;
    let held = holders(&world, &payers, gold).await;
    assert!(held < BULK - 5, "{held} of {BULK} of the bulk went before");
    world.until("the bulk goes on", async || holders(&world, &payers, gold).await == BULK).await;
    world.finish().await;
}
