//! Random histories of an account, of which some events never come and some reads fail. Once all is well again, one look at Stripe's
//! lists is enough: roles are what Stripe's states say, and were changed no oftener than those did.
//!
//! What the states say is written down here a second time, so that the product's rules are not checked against themselves.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sandbox::stripe::{Fault, KEY, Mode};
use serde_json::{Value, json};

use super::purchases::Bought;
use crate::support::{
    scale::{scaled, seed},
    world::{Member, World},
};

const CUSTOMERS: usize = 20;
const ACTS: usize = 120;

/// Roles by member.
type Roles = BTreeMap<u64, BTreeSet<u64>>;

/// Something that was bought once.
struct Purchase {
    session: String,
    payment: String,
    buyer: u64,
    is_refunded: bool,
    /// A dispute that was not won.
    dispute: Option<String>,
}

/// A subscription or a purchase, a member, a role.
type Gives = (String, u64, u64);

/// An account with its customers, and what its states came to so far.
struct Account {
    world: World,
    random: StdRng,
    members: Vec<Member>,
    /// Prices and the role that each gives.
    prices: Vec<(String, Option<u64>)>,
    /// What is sold once, and gives the world's role.
    once: String,
    purchases: Vec<Purchase>,
    /// Members whose customers are deleted.
    deleted: BTreeSet<u64>,
    /// How often a subscription or a purchase began or ceased to give a role, by member and role. Of one that nobody told us of we do not know that
    /// it gives what another takes.
    changes: BTreeMap<(u64, u64), usize>,
    /// What each subscription gives now.
    gives: BTreeSet<Gives>,
    /// What was done, for whoever reads of a failure.
    told: Vec<String>,
}

/// Whether a state gives its roles, as long as nobody has owed for days.
fn is_due(subscription: &Value) -> bool {
    let cause = &subscription["status_details"]["paused"]["subscription"]["type"];
    match subscription["status"].as_str().expect("a status") {
        "active" | "trialing" | "past_due" => true,
        "paused" => cause == "first_payment_failure",
        "unpaid" | "incomplete" | "incomplete_expired" | "canceled" => false,
        other => panic!("nobody said {other}"),
    }
}

impl Account {
    async fn open(seed: u64) -> Self {
        let world = World::start().await;
        let gold = world.discord.create_role(world.guild, "Gold").await.expect("a role");
        world.stripe.delivery(Mode::Drop).await.expect("Stripe answers");
        let mut prices = vec![(world.price.clone(), Some(world.vip))];
        for role in [Some(world.vip), Some(gold), None] {
            let price = world.stripe.create_price(&world.product, 500).await.expect("a price");
            if let Some(role) = role {
                world.map("price", &price, role).await;
            }
            prices.push((price, role));
        }
        world.until_every_mapped_role_is_seen().await;
        let once = world.sells_once().await;
        let mut members = Vec::new();
        for _ in 0..CUSTOMERS {
            members.push(world.member().await);
        }
        let random = StdRng::seed_from_u64(seed);
        let (purchases, changes) = (Vec::new(), BTreeMap::new());
        let (deleted, gives, told) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        Self { world, random, members, prices, once, purchases, deleted, changes, gives, told }
    }

    /// A page of Stripe's API, whatever faults there are.
    async fn subscriptions(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map_or(String::new(), |last| {
                format!("&starting_after={}", last["id"].as_str().expect("an id"))
            });
            let api = self.world.gateway_config().stripe_api_url;
            let url = format!("{api}/v1/subscriptions?status=all&limit=100{after}");
            let answer = self.world.http.get(url).bearer_auth(KEY).send().await.expect("Stripe answers");
            let page: Value = answer.json().await.expect("JSON");
            all.extend(page["data"].as_array().expect("a list").clone());
            if page["has_more"] != true {
                return all;
            }
        }
    }

    fn role_of(&self, price: &Value) -> Option<u64> {
        self.prices.iter().find(|(id, _)| *price == **id).and_then(|(_, role)| *role)
    }

    /// What Stripe's states say now, and how it differs from what they said before.
    async fn look(&mut self) {
        let mut gives = BTreeSet::new();
        for subscription in self.subscriptions().await.iter().filter(|subscription| is_due(subscription)) {
            let payer = self.members.iter().find(|member| subscription["customer"] == *member.customer);
            let payer = payer.expect("one of ours").user;
            let items = subscription["items"]["data"].as_array().into_iter().flatten();
            let roles = items.filter_map(|item| self.role_of(&item["price"]["id"]));
            gives.extend(roles.map(|role| (subscription["id"].to_string(), payer, role)));
        }
        let kept = self.purchases.iter().filter(|one| !one.is_refunded && one.dispute.is_none());
        gives.extend(kept.map(|one| (one.session.clone(), one.buyer, self.world.vip)));
        for (_, member, role) in gives.symmetric_difference(&self.gives) {
            *self.changes.entry((*member, *role)).or_default() += 1;
        }
        self.gives = gives;
    }

    fn due(&self) -> Roles {
        let mut due = Roles::new();
        for (_, member, role) in &self.gives {
            due.entry(*member).or_default().insert(*role);
        }
        due
    }

    /// A running subscription of a customer that this holds of.
    async fn one(&mut self, customer: &str, fits: impl Fn(&Value) -> bool) -> Option<String> {
        let all = self.subscriptions().await;
        let theirs: Vec<&Value> = all.iter().filter(|one| one["customer"] == customer && fits(one)).collect();
        let index = self.random.random_range(0..theirs.len().max(1));
        Some(theirs.get(index)?["id"].as_str().expect("an id").to_owned())
    }

    fn price(&mut self) -> String {
        let index = self.random.random_range(0..self.prices.len());
        self.prices[index].0.clone()
    }

    /// Something happens to a customer of the account, if it can.
    async fn act(&mut self) {
        let who = self.random.random_range(0..CUSTOMERS);
        let (customer, user) = (self.members[who].customer.clone(), self.members[who].user);
        let running = |one: &Value| one["status"] == "active" || one["status"] == "past_due";
        let act = self.random.random_range(0..12);
        let price = self.price();
        let did = match act {
            0..=2 => {
                let subscribed = self.world.stripe.subscribe(&customer, &price).await;
                subscribed.map(|one| format!("subscribes {one} to {price}"))
            }
            3 => match self.one(&customer, running).await {
                Some(one) => {
                    self.world.stripe.portal_cancel(&one).await.map(|()| format!("lets {one} end later"))
                }
                None => return,
            },
            4 => match self.one(&customer, |one| one["status"] != "canceled").await {
                Some(one) => self.world.stripe.cancel(&one).await.map(|()| format!("cancels {one}")),
                None => return,
            },
            5 => match self.one(&customer, |one| one["status"] == "active").await {
                Some(one) => {
                    self.world.stripe.set_payer(&customer, "declines").await.expect("Stripe answers");
                    let billed = self.world.stripe.bill(&one).await;
                    self.world.stripe.set_payer(&customer, "pays").await.expect("Stripe answers");
                    billed.map(|_| format!("cannot pay for {one}"))
                }
                None => return,
            },
            6 => match self
                .one(&customer, |one| one["status"] == "past_due" || one["status"] == "unpaid")
                .await
            {
                Some(one) => {
                    let active = json!({ "status": "active" });
                    self.world.stripe.set_subscription(&one, active).await.map(|()| format!("pays for {one}"))
                }
                None => return,
            },
            7 => match self.one(&customer, running).await {
                Some(one) => {
                    let causes =
                        ["pause_requested", "first_payment_failure", "final_payment_failure", "system"];
                    let cause = causes[self.random.random_range(0..causes.len())];
                    let paused = self.world.stripe.pause(&one, cause).await;
                    paused.map(|()| format!("is paused, {one}: {cause}"))
                }
                None => return,
            },
            8 => match self.one(&customer, |one| one["status"] == "paused").await {
                Some(one) => {
                    let resumed = self.world.stripe.resume(&one, "resume_on_payment_success").await;
                    resumed.map(|()| format!("resumes {one}"))
                }
                None => return,
            },
            9 => match self.one(&customer, running).await {
                Some(one) => {
                    let change = json!({ "prices": [price] });
                    let changed = self.world.stripe.set_subscription(&one, change).await;
                    changed.map(|()| format!("changes {one} to {price}"))
                }
                None => return,
            },
            10 => {
                // A link stays with whom we gave a role, whatever the metadata says afterwards.
                if self.world.role_history(&self.members[who]).await.is_empty() {
                    return;
                }
                let other = self.members[self.random.random_range(0..CUSTOMERS)].user.to_string();
                let metadata = json!({ "metadata": { "discord_user_id": other } });
                let moved = self.world.stripe.update_customer(&customer, metadata).await;
                moved.map(|()| format!("is said to be {other}"))
            }
            _ if self.random.random_bool(0.3) => {
                let unpaid = json!({ "status": "unpaid" });
                match self.one(&customer, |one| one["status"] == "past_due").await {
                    Some(one) => {
                        let given_up = self.world.stripe.set_subscription(&one, unpaid).await;
                        given_up.map(|()| format!("is given up, {one}"))
                    }
                    None => return,
                }
            }
            _ if self.random.random_bool(0.3) => {
                // Whom a purchase is for is asked of its customer: nobody can say it of one deleted before we knew them.
                let bought = self.purchases.iter().any(|one| one.buyer == user);
                if bought && self.world.role_history(&self.members[who]).await.is_empty() {
                    return;
                }
                self.deleted.insert(user);
                self.world.stripe.delete_customer(&customer).await.map(|()| "is deleted".to_owned())
            }
            _ => return,
        };
        // What a deleted customer cannot do is no act.
        if let Ok(did) = did {
            self.told.push(format!("{user} {did}"));
            self.look().await;
        }
    }

    /// Somebody buys once, or what was bought is refunded, disputed, or disputed no more.
    async fn act_on_purchases(&mut self) {
        let stripe = self.world.stripe.clone();
        let which = self.random.random_range(0..self.purchases.len() + 1);
        let (part, won) = (self.random.random_bool(0.5), self.random.random_bool(0.5));
        let told = match self.purchases.get_mut(which) {
            None => {
                let member = &self.members[self.random.random_range(0..CUSTOMERS)];
                if self.deleted.contains(&member.user) {
                    return;
                }
                let Bought { session, payment } = self.world.checks_out(member, &self.once, json!({})).await;
                let told = format!("{} buys {session}", member.user);
                let buyer = member.user;
                self.purchases.push(Purchase { session, payment, buyer, is_refunded: false, dispute: None });
                told
            }
            Some(one) if one.is_refunded => return,
            Some(one) => match one.dispute.clone() {
                None if part => {
                    let some = json!({ "payment_intent": one.payment, "amount": 1 });
                    stripe.refund(some).await.expect("it is refunded");
                    format!("a part of {} is refunded", one.session)
                }
                None if won => {
                    stripe.refund(json!({ "payment_intent": one.payment })).await.expect("it is refunded");
                    one.is_refunded = true;
                    format!("{} is refunded", one.session)
                }
                None => {
                    let disputed = json!({ "payment_intent": one.payment });
                    one.dispute = Some(stripe.dispute(disputed).await.expect("it is disputed"));
                    format!("{} is disputed", one.session)
                }
                Some(dispute) if won => {
                    stripe.close_dispute(&dispute, "won").await.expect("it is won");
                    one.dispute = None;
                    format!("the dispute of {} is won", one.session)
                }
                Some(_) => return,
            },
        };
        self.told.push(told);
        self.look().await;
    }

    /// A read or two of Stripe's goes wrong.
    async fn fault(&mut self) {
        let faults = [
            Fault::status(500),
            Fault::status(429).header("retry-after", "0"),
            Fault::status(401),
            Fault::status(404).body(json!({ "error": { "code": "resource_missing" } })),
            Fault::status(200).body(json!({})),
            Fault::hang().for_ms(200),
            Fault::reset(),
            Fault::truncate(),
        ];
        let fault = faults[self.random.random_range(0..faults.len())].clone();
        // Not the test's own list of subscriptions.
        let paths =
            ["/v1/subscriptions/", "/v1/customers/", "/v1/events", "/v1/checkout/", "/v1/payment_intents/"];
        let path = paths[self.random.random_range(0..paths.len())];
        let fault = fault.on("GET", path).times(self.random.random_range(1..=3));
        self.world.stripe.fault(fault).await.expect("Stripe answers");
    }

    /// One look at what Stripe lists: its events, or its subscriptions.
    async fn reconcile(&mut self) {
        self.world.stripe.clear_faults().await.expect("Stripe answers");
        self.world.list_again().await;
        let listed = async || self.world.cursors_where(|cursor| cursor.was_listed).await;
        self.world.until_polled("the account is listed", async || listed().await == 1).await;
        self.world.until_settled_at_once().await;
        self.world.owner_approves().await;
    }

    /// What members have at Discord of the roles that are sold.
    async fn at_discord(&self) -> Roles {
        let mut all = Roles::new();
        for member in &self.members {
            let roles = self.world.discord.member_roles(self.world.guild, member.user).await;
            let roles = roles.expect("Discord answers").expect("they are there");
            if !roles.is_empty() {
                all.insert(member.user, roles);
            }
        }
        all
    }

    /// How often Discord's log says that a role of a member changed.
    async fn changes_at_discord(&self) -> BTreeMap<(u64, u64), usize> {
        let mut changes = BTreeMap::new();
        for entry in self.world.discord.audit_log(self.world.guild).await.expect("Discord answers") {
            *changes.entry((entry.user_id, entry.role_id)).or_default() += 1;
        }
        changes
    }
}

async fn a_history(seed: u64) -> (usize, usize) {
    let mut account = Account::open(seed).await;
    for _ in 0..ACTS {
        let mode = if account.random.random_bool(0.4) { Mode::Drop } else { Mode::Live };
        account.world.stripe.delivery(mode).await.expect("Stripe answers");
        if account.random.random_bool(0.3) {
            account.fault().await;
        }
        if account.random.random_bool(0.2) {
            account.act_on_purchases().await;
        } else {
            account.act().await;
        }
        if account.random.random_bool(0.1) {
            account.world.until_settled_at_once().await;
        }
    }
    account.reconcile().await;
    let said = |account: &Account| format!("seed {seed}:\n{}", account.told.join("\n"));
    assert_eq!(
        account.at_discord().await,
        account.due(),
        "at Discord, against what Stripe says; {}",
        said(&account)
    );
    let changes = account.changes_at_discord().await;
    for (of, count) in &changes {
        let most = account.changes.get(of).copied().unwrap_or_default();
        assert!(*count <= most, "{of:?} changed {count} times for {most} changes; {}", said(&account));
    }
    // Errors alone, and a second look: nothing is written.
    let calls = account.world.role_calls().await;
    account.world.stripe.fault(Fault::status(404).on("GET", "/v1/subscriptions/").times(7)).await.unwrap();
    account.world.stripe.fault(Fault::status(500).on("GET", "/v1/subscriptions/").times(7)).await.unwrap();
    account
        .world
        .stripe
        .fault(Fault::status(401).on("GET", "/v1/subscriptions/").times(1_000))
        .await
        .unwrap();
    account.world.subscriptions_are_dirty().await;
    account.world.list_again().await;
    let failed = async || account.world.reads_where(|read| read.attempts > 0).await;
    account.world.until_polled("reads fail", async || failed().await > 0 || account.gives.is_empty()).await;
    assert_eq!(account.world.role_calls().await, calls, "errors; {}", said(&account));
    account.reconcile().await;
    assert_eq!(account.world.role_calls().await, calls, "a second look; {}", said(&account));
    let figures = (account.told.len(), changes.values().sum());
    account.world.finish().await;
    figures
}

#[tokio::test]
async fn after_any_history_with_lost_events_and_errors_roles_are_what_stripe_says() {
    let mut random = StdRng::seed_from_u64(seed());
    for n in 0..scaled(1, 100) {
        let seed = random.random();
        let (acts, changes) = a_history(seed).await;
        println!("history {n}, seed {seed}: {acts} acts, {changes} role changes");
    }
}

/// Whatever the account does at a first failed payment.
#[tokio::test]
async fn a_first_failed_renewal_takes_no_role_under_any_setting_of_the_account() {
    for pause_on_failure in ["off", "first", "final"] {
        let world = World::start().await;
        let settings = json!({ "pause_on_failure": pause_on_failure });
        world.stripe.set_settings(settings).await.unwrap();
        let mut members = Vec::new();
        for payer in ["declines", "needs_action", "no_method", "pays"] {
            let member = world.member().await;
            world.subscribes(&member).await;
            world.until_vip(&member).await;
            world.stripe.set_payer(&member.customer, payer).await.unwrap();
            members.push(member);
        }
        // A month, and the day after it: the first try again is three days later.
        world.stripe.move_clock(json!({ "advance_seconds": 32 * 24 * 3600 })).await.unwrap();
        world.heard().await;
        for member in &members {
            assert_eq!(world.role_history(member).await, ["role.granted"], "{pause_on_failure}");
        }
        world.finish().await;
    }
}
