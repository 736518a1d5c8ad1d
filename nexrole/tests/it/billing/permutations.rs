//! In whatever order Stripe's events come, often more than once, some of them thin, while the subscription goes on: what Stripe has at
//! the end decides, and nobody loses a role before a state that takes it.

use std::collections::BTreeMap;

use futures::{StreamExt as _, future::join_all, stream};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sandbox::stripe::Mode;
use serde_json::{Value, json};

use crate::support::{
    scale::{is_full, seed},
    signing::sign,
    world::{Member, SECRET, World},
};

/// Events of a life that count.
const MOMENTS: usize = 7;
/// Members that live in one world at the same time.
const AT_ONCE: usize = 60;
/// Webhooks that are on their way at the same time.
const POSTS: usize = 16;

/// What happens to a subscription at Stripe.
#[derive(Debug, Clone, Copy)]
enum Act {
    Subscribe,
    CardFails,
    GivenUp,
    PaysInvoice,
    Pause,
    Resume,
    Cancel,
}

/// What happens, what Stripe tells of it, and whether the state after it gives the role.
type Step = (Act, &'static [&'static str], bool);

const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";
const PAID: &str = "invoice.paid";
const FAILED: &str = "invoice.payment_failed";
const PAUSED: &str = "customer.subscription.paused";
const RESUMED: &str = "customer.subscription.resumed";
const DELETED: &str = "customer.subscription.deleted";
const TOLD: [&str; 7] = [CREATED, UPDATED, PAID, FAILED, PAUSED, RESUMED, DELETED];

/// Each tells of [`MOMENTS`] events.
const LIVES: [&[Step]; 3] = [
    &[
        (Act::Subscribe, &[CREATED, PAID], true),
        (Act::CardFails, &[FAILED, UPDATED], true),
        (Act::PaysInvoice, &[PAID, UPDATED], true),
        (Act::Cancel, &[DELETED], false),
    ],
    &[
        (Act::Subscribe, &[CREATED, PAID], true),
        (Act::Pause, &[UPDATED, PAUSED], false),
        (Act::Resume, &[PAID, UPDATED, RESUMED], true),
    ],
    &[
        (Act::Subscribe, &[CREATED, PAID], true),
        (Act::CardFails, &[FAILED, UPDATED], true),
        (Act::GivenUp, &[UPDATED], false),
        (Act::PaysInvoice, &[PAID, UPDATED], true),
    ],
];

/// A member whose subscription lives, and the order in which they are told of it.
struct Lived {
    member: Member,
    life: &'static [Step],
    order: Vec<usize>,
    subscription: String,
    /// The invoice that failed.
    invoice: String,
    /// How many steps have happened.
    steps: usize,
    random: StdRng,
}

impl Lived {
    async fn begin(world: &World, number: usize, order: Vec<usize>, random: StdRng) -> Self {
        let (member, life) = (world.member().await, LIVES[number % LIVES.len()]);
        Self { member, life, order, subscription: String::new(), invoice: String::new(), steps: 0, random }
    }

    async fn step(&mut self, world: &World) {
        let (stripe, (act, ..)) = (&world.stripe, self.life[self.steps]);
        let (subscription, customer) = (self.subscription.as_str(), self.member.customer.as_str());
        match act {
            Act::Subscribe => self.subscription = world.subscribes(&self.member).await,
            Act::CardFails => {
                stripe.set_payer(customer, "declines").await.expect("Stripe answers");
                self.invoice = stripe.bill(subscription).await.expect("it is billed");
                stripe.set_payer(customer, "pays").await.expect("Stripe answers");
            }
            Act::GivenUp => {
                let unpaid = json!({ "status": "unpaid" });
                stripe.set_subscription(subscription, unpaid).await.expect("Stripe answers");
            }
            Act::PaysInvoice => stripe.step_invoice(&self.invoice, "pay").await.expect("it is paid"),
            Act::Pause => stripe.pause(subscription, "pause_requested").await.expect("it is paused"),
            Act::Resume => {
                stripe.resume(subscription, "resume_on_payment_success").await.expect("it is resumed");
            }
            Act::Cancel => stripe.cancel(subscription).await.expect("it is cancelled"),
        }
        self.steps += 1;
    }

    /// Moments that Stripe has come to.
    fn arisen(&self) -> usize {
        self.life[..self.steps].iter().map(|(_, tells, _)| tells.len()).sum()
    }

    /// Lets Stripe come to the moment that is told next, and sometimes beyond.
    async fn go_on(&mut self, world: &World, told: usize) {
        while self.arisen() <= self.order[told] {
            self.step(world).await;
        }
        if self.steps < self.life.len() && self.random.random_bool(0.3) {
            self.step(world).await;
        }
    }

    /// Tells of one moment: a snapshot or a thin event, once or twice.
    async fn tell(&mut self, world: &World, events: &Told, told: usize) {
        let mine = &events[&self.subscription];
        let kinds: Vec<&str> = mine.iter().filter_map(|event| event["type"].as_str()).collect();
        let expected = self.life[..self.steps].iter().flat_map(|(_, tells, _)| tells.iter().copied());
        assert_eq!(kinds, expected.collect::<Vec<_>>(), "what Stripe tells of it");
        let event = &mine[self.order[told]];
        let thin = self.random.random_bool(0.3);
        let body = if thin { thin_event(event) } else { event.clone() }.to_string();
        for _ in 0..self.random.random_range(1..=2) {
            let answer = world.post(body.as_bytes(), Some(&sign(body.as_bytes(), SECRET))).await;
            assert_eq!(answer.status(), 200, "{body}");
        }
    }

    fn is_due(&self) -> bool {
        self.steps > 0 && self.life[self.steps - 1].2
    }

    /// How often the state has gone from one that gives the role to one that does not.
    fn ends(&self) -> usize {
        self.life[..self.steps].windows(2).filter(|pair| pair[0].2 && !pair[1].2).count()
    }

    async fn has_lost_nothing_too_early(&self, world: &World) {
        let history = world.role_history(&self.member).await;
        let expected = ["role.granted", "role.revoked"].into_iter().cycle();
        assert!(history.iter().zip(expected).all(|(is, should)| is == should), "{history:?} of {self}");
        let revoked = history.iter().filter(|action| *action == "role.revoked").count();
        assert!(revoked <= self.ends(), "{history:?} of {self}");
    }
}

impl std::fmt::Display for Lived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let acts: Vec<Act> = self.life[..self.steps].iter().map(|(act, ..)| *act).collect();
        write!(f, "{} in the order {:?}: {acts:?}", self.subscription, self.order)
    }
}

/// By subscription: what Stripe told of it so far.
type Told = BTreeMap<String, Vec<Value>>;

async fn told_so_far(world: &World) -> Told {
    let mut told = Told::new();
    let all = world.stripe.events().await.expect("Stripe answers");
    for event in all.into_iter().filter(|event| TOLD.iter().any(|kind| event["type"] == *kind)) {
        let object = &event["data"]["object"];
        let of_invoice = &object["parent"]["subscription_details"]["subscription"];
        let subscription = of_invoice.as_str().or(object["id"].as_str()).expect("an id").to_owned();
        told.entry(subscription).or_default().push(event);
    }
    told
}

/// The same as an event destination is told it: the object's name instead of the object.
fn thin_event(event: &Value) -> Value {
    let (object, id) = (&event["data"]["object"], event["id"].as_str().unwrap_or_default());
    json!({
        "id": format!("{id}_thin"), "object": "v2.core.event", "livemode": false,
        "type": format!("v1.{}", event["type"].as_str().unwrap_or_default()),
        "created": "2026-11-28T00:00:00.000Z", "snapshot_event": id,
        "related_object": { "id": object["id"], "type": object["object"], "url": "/v1/anything" },
    })
}

/// The `n`th of all orders of seven, in the order of a dictionary.
fn order(mut n: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..MOMENTS).collect();
    (1..=MOMENTS)
        .rev()
        .map(|length| {
            let orders_of_rest: usize = (1..length).product();
            let next = left.remove(n / orders_of_rest % length);
            n %= orders_of_rest;
            next
        })
        .collect()
}

/// One member for each order, all at once, each in a life of their own.
async fn lived_in(orders: &[usize], random: &mut StdRng) {
    let world = World::start().await;
    // What is told, and when, is the test's to say.
    world.stripe.delivery(Mode::Drop).await.expect("Stripe answers");
    let mut all = Vec::new();
    for (number, &n) in orders.iter().enumerate() {
        // Another life for the same order in another run.
        let life = number + random.random_range(0..LIVES.len());
        all.push(Lived::begin(&world, life, order(n), StdRng::seed_from_u64(random.random())).await);
    }
    for told in 0..MOMENTS {
        join_all(all.iter_mut().map(|lived| lived.go_on(&world, told))).await;
        let events = told_so_far(&world).await;
        let posts = stream::iter(all.iter_mut()).map(|lived| lived.tell(&world, &events, told));
        posts.buffer_unordered(POSTS).for_each(async |()| {}).await;
        // Either each is read in the state it has now, or reads and changes overtake each other.
        if told + 1 < MOMENTS && random.random_bool(0.5) {
            continue;
        }
        // Everybody's ends at once, which is more than a day's.
        world.owner_approves().await;
        let state = world.discord.state().await.expect("Discord answers");
        for lived in &all {
            assert_eq!(has_vip(&state, &world, &lived.member), lived.is_due(), "{lived}");
            lived.has_lost_nothing_too_early(&world).await;
        }
    }
    world.finish().await;
}

fn has_vip(state: &Value, world: &World, member: &Member) -> bool {
    let find = |list: &Value, id: u64| {
        let id = id.to_string();
        list.as_array().into_iter().flatten().find(|one| one["id"] == *id).cloned().expect("it is there")
    };
    let member = find(&find(&state["guilds"], world.guild)["members"], member.user);
    let vip = world.vip.to_string();
    member["roles"].as_array().into_iter().flatten().any(|role| *role == *vip)
}

/// Some of the 5,040 orders; all of them at full scale.
#[tokio::test]
async fn in_whatever_order_events_come_stripes_state_decides_and_no_payer_loses_a_role() {
    let mut random = StdRng::seed_from_u64(seed());
    let count = (1..=MOMENTS).product();
    let (first, last) = (0, count - 1);
    let orders: Vec<usize> = if is_full() {
        (0..count).collect()
    } else {
        let drawn = (0..22).map(|_| random.random_range(0..count));
        [first, last].into_iter().chain(drawn).collect()
    };
    for (batch, orders) in orders.chunks(AT_ONCE).enumerate() {
        lived_in(orders, &mut random).await;
        println!("{} orders of {}", batch * AT_ONCE + orders.len(), count);
    }
}

#[test]
fn all_orders_are_different_and_complete() {
    let count = (1..=MOMENTS).product();
    let all: std::collections::BTreeSet<Vec<usize>> = (0..count).map(order).collect();
    assert_eq!(all.len(), count);
    assert!(all.iter().all(|order| (0..MOMENTS).all(|moment| order.contains(&moment))));
}
