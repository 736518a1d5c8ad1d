//! Why a member has, or lacks, a role: one answer, the chain that led to it, and what helps. Many members share a world.

use serde_json::{Value, json};

use crate::support::world::{Member, Read, World};

impl World {
    /// What `nexrole why` says of one role of a member: the answer, then the chain, then what is next.
    async fn why_role(&self, member: &Member, role: u64) -> String {
        let said = self.why(member).await;
        let begin = format!("Role {role}: ");
        let section = said.split("\n\n").find(|section| section.starts_with(&begin));
        section.unwrap_or_else(|| panic!("nothing is said of role {role}\n{said}")).to_owned()
    }

    /// Another role, sold by a price of its own.
    pub(crate) async fn sells_role(&self, name: &str) -> (u64, String) {
        let role = self.discord.create_role(self.guild, name).await.expect("a role");
        let product = self.stripe.create_product(name).await.expect("a product");
        let price = self.stripe.create_price(&product, 500).await.expect("a price");
        self.map("price", &price, role).await;
        self.until_every_mapped_role_is_seen().await;
        (role, price)
    }

    async fn subscribes_to(&self, member: &Member, price: &str) -> String {
        self.stripe.subscribe(&member.customer, price).await.expect("subscribes")
    }

    async fn becomes(&self, subscription: &str, change: Value) {
        self.stripe.set_subscription(subscription, change).await.expect("it is changed");
    }
}

fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing\n{said}");
    }
}

/// The steps are there in this order.
fn in_order(said: &str, steps: &[&str]) {
    let mut rest = said;
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early\n{said}"));
        rest = &rest[at..];
    }
}

fn paused(cause: &str) -> Value {
    json!({ "status": "paused", "status_details": { "paused": { "subscription": { "type": cause } } } })
}

#[tokio::test]
async fn each_state_of_what_was_bought_has_its_answer() {
    let world = World::start().await;
    let vip = world.vip;
    let member = async || world.member().await;
    let (active, trial, grace, paused_out, frozen) =
        (member().await, member().await, member().await, member().await, member().await);
    let (two, ending, refunded, disputed) = (member().await, member().await, member().await, member().await);
    let price = world.sells_once().await;
    let subscription = world.subscribes(&active).await;
    let new = json!({ "customer": trial.customer, "prices": [world.price], "status": "trialing" });
    let on_trial = world.stripe.subscribe_with(new).await.unwrap();
    let late = world.subscribes(&grace).await;
    let out = world.subscribes(&paused_out).await;
    let uncollected = world.subscribes(&frozen).await;
    let (first, second) = (world.subscribes(&two).await, world.subscribes(&two).await);
    let last = world.subscribes(&ending).await;
    let bought = world.buys(&refunded, &price).await;
    let contested = world.buys(&disputed, &price).await;
    for one in [&active, &trial, &grace, &paused_out, &frozen, &two, &ending] {
        world.until_vip(one).await;
    }
    world.becomes(&late, json!({ "status": "past_due" })).await;
    world.becomes(&out, paused("final_payment_failure")).await;
    let pause = json!({ "pause_collection": { "behavior": "void", "resumes_at": 4_102_444_800_i64 } });
    world.becomes(&uncollected, pause).await;
    world.becomes(&last, json!({ "cancel_at_period_end": true })).await;
    world.stripe.refund(json!({ "payment_intent": bought.payment })).await.unwrap();
    world.stripe.dispute(json!({ "payment_intent": contested.payment })).await.unwrap();
    for one in [&paused_out, &refunded, &disputed] {
        world.until_no_vip(one).await;
    }
    world.until("the grace is known", async || world.days_left(&grace).await == [Some(14)]).await;
    world.heard().await;

    let said = world.why_role(&active, vip).await;
    has(&said, &[&format!("Role {vip}: has it because {subscription} is active\n"), "Next: nothing to do"]);
    in_order(
        &said,
        &[
            &format!("customer {} became theirs by its metadata", active.customer),
            "Stripe said ",
            "(evt_",
            &format!("{subscription} of {} was read from Stripe: active", active.customer),
            &format!("price {}, as mapped: active=keep", world.price),
            &format!("a reason to have it: {subscription} is active"),
            "so it is to be there",
            "applied, granted",
            "given, and Discord confirmed that",
        ],
    );
    let said = world.why_role(&trial, vip).await;
    has(&said, &[&format!("has it because {on_trial} is in a trial"), "trialing=keep"]);
    let said = world.why_role(&grace, vip).await;
    has(
        &said,
        &["will lose it on 20", &format!("because a payment of {late} failed and is waited for, since 20")],
    );
    has(&said, &["past_due=14d", "the member pays what is open at Stripe"]);
    let said = world.why_role(&paused_out, vip).await;
    has(&said, &[&format!("lacks it because {out} is paused (final_payment_failure)")]);
    has(&said, &["paused_by_final_failure=remove", "so nothing gives it", "the member pays"]);
    let said = world.why_role(&frozen, vip).await;
    has(
        &said,
        &[&format!("has it because {uncollected} is active, though its invoices are not collected (void)")],
    );
    has(&said, &["until 2100-01-01", "collection_void=keep"]);
    let said = world.why_role(&two, vip).await;
    has(&said, &[&format!("{first} is active"), &format!("{second} is active"), "has it because"]);
    let said = world.why_role(&ending, vip).await;
    has(&said, &["will lose it on 20", &format!("because {last} was cancelled and runs to 20")]);
    let said = world.why_role(&refunded, vip).await;
    has(&said, &[&format!("lacks it because {} was refunded", bought.session), "refund_full=remove"]);
    in_order(&said, &["first known: ", "no reason any more", "so nothing gives it", "revoke: applied"]);
    let said = world.why_role(&disputed, vip).await;
    has(&said, &[&format!("lacks it because the payment of {} is disputed", contested.session)]);
    has(&said, &["dispute_open=remove"]);
    world.finish().await;
}

#[tokio::test]
async fn what_discord_and_its_people_did_is_the_answer_where_it_decides() {
    let world = World::start().await;
    let (high, high_price) = world.sells_role("High").await;
    let (gone, gone_price) = world.sells_role("Gone").await;
    let (away, below, without, taken, given) = (
        world.member().await,
        world.member().await,
        world.member().await,
        world.member().await,
        world.member().await,
    );
    world.discord.leave(world.guild, away.user).await.unwrap();
    world.discord.give_role(world.guild, given.user, world.vip).await.unwrap();
    world.discord.set_role(world.guild, high, json!({ "position": 90 })).await.unwrap();
    world.subscribes(&taken).await;
    world.subscribes_to(&without, &gone_price).await;
    world.until_vip(&taken).await;
    world.until("it is given", async || world.has(&without, gone).await).await;
    world.settle().await;
    world.subscribes(&away).await;
    world.subscribes(&given).await;
    world.subscribes_to(&below, &high_price).await;
    world.until("both are parked", async || world.parked().await == 2).await;
    world.until("it is asked about", async || world.questions().await.len() == 1).await;
    // A check has shown what was given, a minute later, when it may be there to see.
    world.settle().await;
    world.later(1).await;
    world.discord.invalidate_gateway(false).await.unwrap();
    world.until("it was seen", async || world.grants_where(|grant| grant.unseen).await == 0).await;
    world.discord.take_role(world.guild, taken.user, world.vip).await.unwrap();
    world.discord.delete_role(world.guild, gone).await.unwrap();
    world.until("the deletion is read", async || !world.is_listed(gone).await).await;
    // Another session looks at everybody.
    world.settle().await;
    world.joined_long_before(&taken).await;
    world.discord.invalidate_gateway(false).await.unwrap();
    world.until("it is seen", async || world.grants_where(|grant| grant.is_taken).await == 1).await;
    world.settle().await;

    let said = world.why_role(&away, world.vip).await;
    has(&said, &["lacks it because the member is not in the server", "so it is to be there", "next try 20"]);
    has(&said, &["the member joins the server, and is given it then"]);
    let said = world.why_role(&below, high).await;
    has(
        &said,
        &["lacks it because Discord does not let the bot manage it (code 50013)", "must be below its own"],
    );
    let said = world.why_role(&without, gone).await;
    has(&said, &["lacks it because the role was deleted in Discord", "`nexrole map list --guild"]);
    let said = world.why_role(&taken, world.vip).await;
    has(&said, &["lacks it because somebody took it from them at Discord, not Nexrole; that was seen 20"]);
    has(&said, &["nexrole give-back --guild", "taken from them at Discord, not by us"]);
    let said = world.why_role(&given, world.vip).await;
    has(&said, &["has it because a person gave it at Discord", "yes (or no)"]);
    // Somebody joins, and has the rules to accept.
    let user = world.discord.join_pending(world.guild, "new").await.unwrap();
    let id = user.to_string();
    let customer = world.stripe.create_customer(None, &[("discord_user_id", &id)]).await.unwrap();
    let new = Member { user, customer };
    let subscription = world.subscribes(&new).await;
    world.until_vip(&new).await;
    let said = world.why_role(&new, world.vip).await;
    has(
        &said,
        &[&format!("has it because {subscription} is active"), "has not accepted the server's rules yet"],
    );
    has(&said, &["Next: the member accepts the server's rules"]);
    world.discord.accept_rules(world.guild, user).await.unwrap();
    let accepted = async || !world.why_role(&new, world.vip).await.contains("rules");
    world.until("it is heard that they accepted", accepted).await;
    world.close().await;
}

#[tokio::test]
async fn what_was_never_bought_or_is_not_mapped_or_not_theirs_is_said_so() {
    let world = World::start().await;
    let (ana, holder, lina, buyer, hand, list) = (
        world.member().await,
        world.member().await,
        world.member().await,
        world.member().await,
        world.member().await,
        world.member().await,
    );
    world.subscribes(&holder).await;
    world.until_vip(&holder).await;
    let right = json!({ "metadata": { "discord_user_id": ana.user.to_string() } });
    world.stripe.update_customer(&holder.customer, right).await.unwrap();
    let product = world.stripe.create_product("Other").await.unwrap();
    let price = world.stripe.create_price(&product, 500).await.unwrap();
    let other = world.subscribes_to(&buyer, &price).await;
    let (hand_id, list_id, vip) = (hand.user.to_string(), list.user.to_string(), world.vip.to_string());
    let grant = ["grant", "--member", &hand_id, "--role", &vip, "--reason", "won the raffle", "--for", "30d"];
    world.of_guild(&grant).await.unwrap();
    world.of_guild_reading(&["import", "--role", &vip], list_id).await.unwrap();
    world
        .of_guild(&["link", "add", "--customer", &lina.customer, "--user", &lina.user.to_string()])
        .await
        .unwrap();
    for one in [&hand, &list] {
        world.until_vip(one).await;
    }
    world.heard().await;

    let nobody = world.discord.join(world.guild, "nobody").await.unwrap();
    let nobody = Member { user: nobody, customer: String::new() };
    let said = world.why(&nobody).await;
    has(&said, &["No role, because no Stripe customer is linked to this member", "nexrole link add --guild"]);
    let said = world.why(&ana).await;
    let dispute = format!("No role, because customer {} is linked to {}", holder.customer, holder.user);
    has(&said, &[&dispute, &format!("names {}", ana.user), "nexrole link remove"]);
    let said = world.why(&holder).await;
    has(&said, &["has it because sub_", &format!("Also: customer {} is linked to", holder.customer)]);
    let said = world.why(&lina).await;
    has(
        &said,
        &[&format!("No role, because customer {} is linked, and nothing", lina.customer), "was last read 20"],
    );
    let said = world.why(&buyer).await;
    has(&said, &[&format!("No role, because {other} is of {price}, which is mapped to no role")]);
    has(&said, &[&format!("{other} of {} was read from Stripe: active", buyer.customer), "nexrole map add"]);
    let said = world.why_role(&hand, world.vip).await;
    has(
        &said,
        &["will lose it on 20", "because given by hand", "(the reason: won the raffle)", "by operator"],
    );
    let said = world.why_role(&list, world.vip).await;
    has(&said, &["has it because", "given, and Discord confirmed that", "by operator"]);

    // The role is only observed: who pays from now on is not given it.
    world.of_guild(&["map", "enforce", "--role", &vip, "--observe"]).await.unwrap();
    let late = world.member().await;
    let subscription = world.subscribes(&late).await;
    world.heard().await;
    let said = world.why_role(&late, world.vip).await;
    has(
        &said,
        &[
            "may have it or not: the role is only observed",
            &format!("a reason to have it: {subscription} is active"),
        ],
    );
    has(&said, &["nexrole map enforce --guild"]);
    world.finish().await;
}

#[tokio::test]
async fn the_chain_spans_a_restart_and_a_lost_webhook_and_an_account_that_is_not_connected_any_more() {
    let mut world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let bens = world.subscribes(&ben).await;
    world.until_vip(&ben).await;
    world.heard().await;
    world.the_cursor_follows().await;
    // Nobody is there to hear it.
    world.stop_gateway().await;
    world.stripe.delivery(sandbox::stripe::Mode::Drop).await.unwrap();
    let subscription = world.subscribes(&ana).await;
    world.start_gateway().await;
    let polled = async || world.has(&ana, world.vip).await;
    world.until_polled("Stripe's list of events is read", polled).await;
    world.stop_bot().await.unwrap();
    world.start_bot().await;
    world.settle().await;
    let said = world.why_role(&ana, world.vip).await;
    in_order(
        &said,
        &[
            &format!("has it because {subscription} is active"),
            "Stripe said ",
            "(evt_",
            "was read from Stripe: active",
            "so it is to be there",
            "given, and Discord confirmed that",
        ],
    );
    // Stripe tells of Ben's, and cannot be read.
    world.stripe.delivery(sandbox::stripe::Mode::Live).await.unwrap();
    let fault = sandbox::Fault::status(503).on("GET", "/v1/subscriptions").times(100_000);
    world.stripe.fault(fault).await.unwrap();
    world.becomes(&bens, json!({ "status": "past_due" })).await;
    let failed = |read: &Read| read.object_id == bens && read.last_error.is_some() && read.is_dirty();
    world.until("a read fails", async || world.reads_where(failed).await > 0).await;
    let said = world.why(&ben).await;
    has(
        &said,
        &[&format!("Also: Stripe said that something about {bens} changed, and it could not be read")],
    );
    has(&said, &["it goes on by itself", &format!("has it because {bens} is active")]);
    world.stripe.clear_faults().await.unwrap();
    world.reads_are_due().await;
    world.until("it is read", async || world.days_left(&ben).await == [Some(14)]).await;
    // Then the owner connects another mode.
    world.stop_gateway().await;
    let live = world.stripe.create_key("rk_live", None).await.unwrap();
    world.set("STRIPE_SECRET_KEY", &live);
    world.list_again().await;
    world.start_gateway().await;
    let said = world.why_role(&ana, world.vip).await;
    has(&said, &[&format!("has it because {subscription} is active, as last read; bought in test mode")]);
    has(
        &said,
        &["does not end by itself", &format!("nexrole link remove --guild {} --customer", world.guild)],
    );
    world.close().await;
}
