//! A customer changes hands: by the word of both accounts, by the owner's, or by being given up and claimed. In: members who are logged
//! in, as their pages' actions see them. Out: whose the purchase is, at each moment and at the end.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use shared::{
    actions::{
        claim::{Claimed, claim},
        give_up::{GivenUp, give_up},
        move_links::{Moving, move_links},
    },
    clock,
    db::{pg_roles::Login, pool::Pool},
    domain::{
        audit::{Actor, AuditAction},
        claim::{CheckoutFact, CheckoutStatus},
    },
    ids::{GuildId, UserId},
    sessions::{Claimant, Offer, Resumed, Sessions, Subscriber},
    store::stripe_connections::Connection,
};
use sqlx::AssertSqlSafe;

use crate::support::{
    scale::{scaled, seed},
    world::{Member, World},
};

/// A purchase, and people who could have it.
struct Stage {
    world: World,
    gateway: Pool,
    sessions: Sessions,
    /// In which it was paid.
    session: String,
    customer: String,
    connection: Connection,
}

/// Somebody in the server who is logged in.
struct Person {
    member: Member,
    logged_in: Subscriber,
}

impl Stage {
    async fn set() -> Self {
        let world = World::start().await;
        let params = serde_json::json!({ "prices": [world.price] });
        let session = world.stripe.open_session(params).await.unwrap();
        world.stripe.complete_session(&session, serde_json::json!({})).await.unwrap();
        let events = world.stripe.events().await.unwrap();
        let paid = events.iter().rfind(|event| event["type"] == "checkout.session.completed").unwrap();
        let customer = paid["data"]["object"]["customer"].as_str().unwrap().to_owned();
        world.heard().await;
        let gateway = world.login(Login::Gateway);
        let row = "SELECT guild_id, connection_id FROM stripe_connections";
        let connection = sqlx::query_as(row).fetch_one(world.db()).await.unwrap();
        Self { sessions: Sessions::new(gateway.clone()), world, gateway, session, customer, connection }
    }

    fn guild(&self) -> GuildId {
        GuildId::from_u64(self.world.guild).unwrap()
    }

    async fn log_in(&self, user: u64) -> Subscriber {
        let cookie = self.sessions.begin(UserId::from_u64(user).unwrap(), "name", None).await.unwrap();
        match self.sessions.resume(Some(&cookie)).await.unwrap() {
            Resumed::Somebody(subscriber, _) => subscriber,
            other => panic!("{other:?}"),
        }
    }

    async fn person(&self, name: &str) -> Person {
        let user = self.world.discord.join(self.world.guild, name).await.unwrap();
        let member = Member { user, customer: self.customer.clone() };
        Person { member, logged_in: self.log_in(user).await }
    }

    async fn claims(&self, person: &Person) -> Claimed {
        let session = CheckoutFact {
            id: self.session.parse().unwrap(),
            status: CheckoutStatus::Complete,
            is_paid: true,
            created: clock::now(),
            customer: self.customer.parse().ok(),
            reference: None,
            named: None,
        };
        claim(&self.gateway, &[], &person.logged_in, self.connection, &session, clock::now()).await.unwrap()
    }

    /// `None`: somebody with the same login offered once more, which counts.
    async fn may_offer(&self, by: &Person) -> Option<Offer> {
        let cookie = self.sessions.offer(&by.logged_in, self.guild()).await.unwrap();
        self.sessions.take_offer(cookie.as_deref()).await.unwrap()
    }

    async fn offer(&self, by: &Person) -> Offer {
        self.may_offer(by).await.unwrap()
    }

    async fn takes(&self, offer: &Offer, to: &Person) -> Moving {
        let by = Claimant::of_session(&to.logged_in, self.guild());
        move_links(&self.gateway, offer, &by).await.unwrap()
    }

    async fn moves(&self, from: &Person, to: &Person) -> Moving {
        self.takes(&self.offer(from).await, to).await
    }

    async fn gives_up(&self, person: &Person) -> GivenUp {
        give_up(&self.gateway, &Claimant::of_session(&person.logged_in, self.guild())).await.unwrap()
    }

    /// All that rests does so since longer.
    async fn passes(&self, hours: i64) {
        for change in [
            format!("UPDATE customer_hands SET since = since - interval '{hours} h'"),
            format!("UPDATE member_links SET linked_at = linked_at - interval '{hours} h'"),
        ] {
            sqlx::query(AssertSqlSafe(change)).execute(self.world.db()).await.unwrap();
        }
    }

    async fn holder(&self) -> Option<u64> {
        let holder = "SELECT user_id FROM member_links WHERE customer_id = $1";
        let holder: Option<i64> =
            sqlx::query_scalar(holder).bind(&self.customer).fetch_optional(self.world.db()).await.unwrap();
        holder.map(i64::unsigned_abs)
    }

    /// How many members have a reason for the role by one purchase, at most.
    async fn most_holders(db: &sqlx::PgPool) -> i64 {
        let most = "SELECT coalesce(max(holders), 0) FROM (
                        SELECT count(DISTINCT user_id) AS holders FROM access_sources
                         WHERE state = 'live' AND kind = 'stripe' GROUP BY source_id) AS each";
        sqlx::query_scalar(most).fetch_one(db).await.unwrap()
    }

    /// Changes of a role at Discord, in their order: the method, and whose.
    async fn calls(&self, people: &[&Person]) -> Vec<String> {
        let calls = self.world.discord.requests().await.unwrap();
        let calls = calls.iter().filter(|call| call.path.contains("/roles/") && call.method != "GET");
        calls
            .map(|call| {
                let is_theirs = |one: &&Person| call.path.contains(&format!("/members/{}/", one.member.user));
                format!("{} {:?}", call.method, people.iter().position(is_theirs))
            })
            .collect()
    }
}

const MOVED: Moving = Moving { moves: 1, rests_until: None, named: 0 };

#[tokio::test]
async fn what_moves_is_taken_from_one_before_it_is_given_to_the_other() {
    let stage = Stage::set().await;
    let (world, ana, alt) = (&stage.world, stage.person("ana").await, stage.person("ana_alt").await);
    assert_eq!(stage.claims(&ana).await, Claimed::Claimed);
    world.until_vip(&ana.member).await;
    world.settle().await;
    assert_eq!(stage.moves(&ana, &alt).await, MOVED);
    // In the same transaction, whatever Stripe says and when.
    let live: Vec<i64> = sqlx::query_scalar("SELECT user_id FROM access_sources WHERE state = 'live'")
        .fetch_all(world.db())
        .await
        .unwrap();
    assert_eq!(live, [i64::try_from(alt.member.user).unwrap()]);
    world.until_vip(&alt.member).await;
    world.until_no_vip(&ana.member).await;
    world.settle().await;
    assert_eq!(stage.calls(&[&ana, &alt]).await, ["PUT Some(0)", "DELETE Some(0)", "PUT Some(1)"]);
    // Both sides are told, and by whom it was.
    for (action, whose) in [(AuditAction::MemberUnlinked, &ana), (AuditAction::MemberLinked, &alt)] {
        let by_members = world.audit_where(|entry| entry.is(action) && entry.is_by(Actor::Member)).await;
        assert_eq!(by_members, if action == AuditAction::MemberLinked { 2 } else { 1 }, "{action:?}");
        let why = world.why(&whose.member).await;
        let said = match action {
            AuditAction::MemberLinked => "another account gave it to them, by the word of both",
            _ => "its customer moved to another account, by the word of both",
        };
        assert!(why.contains(said), "{why}");
    }
    // Stripe still ends it.
    let subscription = "SELECT subscription_id FROM subscriptions";
    let subscription: String = sqlx::query_scalar(subscription).fetch_one(world.db()).await.unwrap();
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&alt.member).await;
    stage.world.finish().await;
}

#[tokio::test]
async fn what_moved_rests_for_a_week_and_the_owner_need_not_wait() {
    let stage = Stage::set().await;
    let (world, ana, alt) = (&stage.world, stage.person("ana").await, stage.person("ana_alt").await);
    let friend = stage.person("friend").await;
    let rests = |moving: Moving| moving.moves == 0 && moving.rests_until.is_some();
    stage.claims(&ana).await;
    // A day after the claim it is no mistake any more; the mistake of a day is.
    stage.passes(25).await;
    assert!(rests(stage.moves(&ana, &alt).await));
    assert_eq!(stage.holder().await, Some(ana.member.user));
    stage.passes(6 * 24).await;
    assert_eq!(stage.moves(&ana, &alt).await, MOVED);
    assert!(rests(stage.moves(&alt, &friend).await), "a role does not go round");
    // Nor by giving it up: only who had it last has it back.
    assert_eq!(stage.gives_up(&alt).await, GivenUp { customers: 1, named: 0 });
    assert_eq!(stage.holder().await, None);
    assert!(matches!(stage.claims(&friend).await, Claimed::Rests(_)));
    assert_eq!(stage.claims(&alt).await, Claimed::Claimed);
    assert!(rests(stage.moves(&alt, &friend).await), "which begins nothing anew");
    // The owner moves what rests, and it is claimed anew then.
    let (guild, to) = (world.guild.to_string(), friend.member.user.to_string());
    let moves = ["link", "move", "--guild", &guild, "--customer", &stage.customer, "--to", &to];
    let said = world.nexrole(&moves).await.unwrap();
    assert!(said.contains(&format!("is {to}'s now, and not {}'s any more", alt.member.user)), "{said}");
    assert_eq!(stage.holder().await, Some(friend.member.user));
    assert!(world.nexrole(&moves).await.unwrap().contains("was linked to"), "once");
    world.until_vip(&friend.member).await;
    world.until_no_vip(&alt.member).await;
    let by_owner = world.audit_where(|entry| entry.is_by(Actor::Operator)).await;
    assert!(by_owner >= 2, "{by_owner}");
    // Who was moved to by mistake gives it up, and the owner lets it go.
    stage.gives_up(&friend).await;
    let nobody = world.nexrole(&moves).await.unwrap_err();
    assert!(nobody.contains("nexrole link add"), "{nobody}");
    world.until_no_vip(&friend.member).await;
    stage.world.finish().await;
}

#[tokio::test]
async fn a_mistake_is_mended_at_once_by_both_also_by_giving_it_up() {
    let stage = Stage::set().await;
    let (ana, alt) = (stage.person("ana").await, stage.person("ana_alt").await);
    stage.claims(&ana).await;
    stage.gives_up(&ana).await;
    stage.world.until_no_vip(&ana.member).await;
    assert_eq!(stage.claims(&alt).await, Claimed::Claimed, "the same two words, in the other order");
    stage.gives_up(&alt).await;
    assert!(matches!(stage.claims(&ana).await, Claimed::Rests(_)), "once");
    stage.world.finish().await;
}

#[tokio::test]
async fn what_the_owners_metadata_says_no_member_changes() {
    let stage = Stage::set().await;
    let (world, ana) = (&stage.world, stage.person("ana").await);
    let alt = stage.person("ana_alt").await;
    let named = json(&ana);
    world.stripe.update_customer(&stage.customer, named).await.unwrap();
    world.until_vip(&ana.member).await;
    assert_eq!(stage.moves(&ana, &alt).await, Moving { named: 1, ..Moving::default() });
    assert_eq!(stage.gives_up(&ana).await, GivenUp { customers: 0, named: 1 });
    world.heard().await;
    assert!(world.has(&ana.member, world.vip).await);
    stage.world.finish().await;
}

fn json(person: &Person) -> serde_json::Value {
    serde_json::json!({ "metadata": { "discord_user_id": person.member.user.to_string() } })
}

#[tokio::test]
async fn an_offer_counts_once_and_ends_with_the_session_that_made_it() {
    let stage = Stage::set().await;
    let (ana, alt) = (stage.person("ana").await, stage.person("ana_alt").await);
    stage.claims(&ana).await;
    let sessions = &stage.sessions;
    let offer = async || sessions.offer(&ana.logged_in, stage.guild()).await.unwrap();
    let take = async |cookie: &Option<String>| sessions.take_offer(cookie.as_deref()).await.unwrap();
    // Of twenty at once one takes it.
    let one = offer().await;
    let taken = join_all((0..20).map(|_| take(&one))).await;
    assert_eq!(taken.iter().filter(|taken| taken.is_some()).count(), 1);
    // A newer one takes its place; guesses, and what is stored, are nothing.
    let (old, new) = (offer().await, offer().await);
    assert_eq!(take(&old).await, None);
    let stored: String = sqlx::query_scalar("SELECT offer_hash FROM sessions WHERE offer_hash IS NOT NULL")
        .fetch_one(stage.world.db())
        .await
        .unwrap();
    for guess in [Some(stored), Some("A".repeat(43)), Some(String::new()), None] {
        assert_eq!(take(&guess).await, None, "{guess:?}");
    }
    assert!(sessions.offered(new.as_deref()).await.unwrap().is_some(), "looking uses nothing up");
    // After ten minutes, and after logging out anywhere, there is none.
    let ages = "UPDATE sessions SET offer_at = offer_at - interval '10 min' WHERE offer_at IS NOT NULL";
    sqlx::query(ages).execute(stage.world.db()).await.unwrap();
    assert_eq!((sessions.offered(new.as_deref()).await.unwrap(), take(&new).await), (None, None));
    let last = offer().await;
    let elsewhere = stage.log_in(ana.member.user).await;
    sessions.end_all(&elsewhere).await.unwrap();
    assert_eq!((sessions.offered(last.as_deref()).await.unwrap(), take(&last).await), (None, None));
    assert_eq!(sessions.offer(&ana.logged_in, stage.guild()).await.unwrap(), None);
    // One's own word is for one's own things.
    let other = Claimant::of_session(&alt.logged_in, GuildId::from_u64(7).unwrap());
    let ana = Person { logged_in: elsewhere, ..ana };
    let ana = Person { logged_in: stage.log_in(ana.member.user).await, ..ana };
    let offer = stage.offer(&ana).await;
    assert_eq!(move_links(&stage.gateway, &offer, &other).await.unwrap(), Moving::default());
    let self_again = Claimant::of_session(&ana.logged_in, stage.guild());
    assert_eq!(move_links(&stage.gateway, &offer, &self_again).await.unwrap(), Moving::default());
    assert_eq!(stage.holder().await, Some(ana.member.user));
    stage.world.finish().await;
}

#[tokio::test]
async fn who_is_forgotten_meanwhile_moves_and_gets_nothing() {
    let stage = Stage::set().await;
    let (world, ana, alt) = (&stage.world, stage.person("ana").await, stage.person("ana_alt").await);
    stage.claims(&ana).await;
    world.until_vip(&ana.member).await;
    let offer = stage.offer(&ana).await;
    let (guild, id) = (world.guild.to_string(), ana.member.user.to_string());
    let said = world.nexrole(&["erase", "--guild", &guild, "--member", &id]).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    let by = Claimant::of_session(&alt.logged_in, stage.guild());
    assert_eq!(move_links(&stage.gateway, &offer, &by).await.unwrap(), Moving::default());
    assert_eq!((stage.holder().await, world.sources_live().await), (None, 0));
    let kept = "SELECT count(*) FROM customer_hands WHERE user_id = $1";
    let kept: i64 = sqlx::query_scalar(kept)
        .bind(i64::try_from(ana.member.user).unwrap())
        .fetch_one(world.db())
        .await
        .unwrap();
    assert_eq!(kept, 0);
    // Nothing rests with somebody who was forgotten; and who is forgotten after it came to them leaves nothing.
    assert_eq!(stage.claims(&alt).await, Claimed::Claimed);
    let friend = stage.person("friend").await;
    assert_eq!(stage.moves(&alt, &friend).await, MOVED);
    let id = friend.member.user.to_string();
    let said = world.nexrole(&["erase", "--guild", &guild, "--member", &id]).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM customer_hands").fetch_one(world.db()).await.unwrap();
    assert_eq!(kept, 0);
    stage.world.close().await;
}

#[tokio::test]
async fn of_several_customers_all_move_that_may_and_one_that_stripe_deleted_does_no_harm() {
    let stage = Stage::set().await;
    let (world, ana, alt) = (&stage.world, stage.person("ana").await, stage.person("ana_alt").await);
    stage.claims(&ana).await;
    stage.passes(48).await;
    let (guild, id) = (world.guild.to_string(), ana.member.user.to_string());
    for _ in 0..2 {
        let other = world.stripe.create_customer(None, &[]).await.unwrap();
        let add = ["link", "add", "--guild", &guild, "--customer", &other, "--user", &id];
        world.nexrole(&add).await.unwrap();
        world.heard().await;
        if world.sources_live().await == 1 {
            world.stripe.subscribe(&other, &world.price).await.unwrap();
            world.until("both give it", async || world.sources_live().await == 2).await;
            world.stripe.delete_customer(&other).await.unwrap();
            world.until("one has ended", async || world.sources_live().await == 1).await;
        }
    }
    let moving = stage.moves(&ana, &alt).await;
    assert_eq!((moving.moves, moving.rests_until.is_some()), (2, true));
    world.heard().await;
    assert!(world.has(&ana.member, world.vip).await && !world.has(&alt.member, world.vip).await);
    assert_eq!(stage.holder().await, Some(ana.member.user));
    stage.passes(6 * 24).await;
    assert_eq!(stage.moves(&ana, &alt).await, MOVED);
    world.until_vip(&alt.member).await;
    world.until_no_vip(&ana.member).await;
    stage.world.finish().await;
}

/// Whatever three people do, also at the same moment, and whatever is read of it meanwhile.
#[tokio::test]
async fn however_it_changes_hands_at_most_one_has_it_at_any_moment() {
    let stage = Stage::set().await;
    let world = &stage.world;
    let people = [stage.person("ana").await, stage.person("ben").await, stage.person("cy").await];
    let is_over = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn({
        let (db, is_over) = (world.db().clone(), Arc::clone(&is_over));
        async move {
            let (mut most, mut looks) = (0, 0_u64);
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(Stage::most_holders(&db).await);
                looks += 1;
            }
            (most, looks)
        }
    });
    let mut random = StdRng::seed_from_u64(seed());
    let (mut changes, mut before) = (0, None);
    for _ in 0..scaled(60, 1_000) {
        let acts: Vec<(usize, usize, u8)> = (0..random.random_range(1..4))
            .map(|_| (random.random_range(0..3), random.random_range(0..3), random.random_range(0..4)))
            .collect();
        join_all(acts.iter().map(async |(one, other, what)| match what {
            0 => drop(stage.claims(&people[*one]).await),
            1 => drop(stage.gives_up(&people[*one]).await),
            _ => {
                if let Some(offer) = stage.may_offer(&people[*one]).await {
                    stage.takes(&offer, &people[*other]).await;
                }
            }
        }))
        .await;
        // Also a read of Stripe's that nobody asked for.
        if random.random_bool(0.3) {
            world.everything_is_read_again().await;
        }
        if random.random_bool(0.5) {
            stage.passes(random.random_range(1..200)).await;
        }
        let holder = stage.holder().await;
        changes += usize::from(holder != before);
        before = holder;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..30))).await;
    }
    world.heard().await;
    world.settle().await;
    is_over.store(true, Ordering::Relaxed);
    let (most, looks) = watching.await.unwrap();
    assert_eq!(most, 1, "of {looks} looks");
    assert!(changes > 5 && looks > 50, "{changes} changes, {looks} looks");
    let holder = stage.holder().await;
    for person in &people {
        let is_theirs = holder == Some(person.member.user);
        assert_eq!(world.has(&person.member, world.vip).await, is_theirs, "{holder:?}");
    }
    stage.world.finish().await;
}

/// What is not connected has no object that could be locked: the links are.
#[tokio::test]
async fn of_two_who_take_at_once_what_is_not_connected_any_more_one_has_it() {
    let stage = Stage::set().await;
    let mut people = [stage.person("ana").await, stage.person("ben").await, stage.person("cleo").await];
    stage.claims(&people[0]).await;
    stage.world.until_vip(&people[0].member).await;
    let disconnect = "UPDATE stripe_connections SET state = 'disconnected'";
    sqlx::query(disconnect).execute(stage.world.db()).await.unwrap();
    for _ in 0..20 {
        stage.passes(8 * 24).await;
        let holder = stage.holder().await.unwrap();
        people.sort_by_key(|person| person.member.user != holder);
        let [from, one, other] = &people;
        let again = Person {
            member: Member { user: from.member.user, customer: String::new() },
            logged_in: stage.log_in(from.member.user).await,
        };
        let (first, second) = (stage.offer(from).await, stage.offer(&again).await);
        let took =
            join_all([(&first, one), (&second, other)].map(|(offer, to)| stage.takes(offer, to))).await;
        assert_eq!(took.iter().filter(|moving| moving.moves == 1).count(), 1, "{took:?}");
        let live: Vec<i64> = sqlx::query_scalar("SELECT user_id FROM access_sources WHERE state = 'live'")
            .fetch_all(stage.world.db())
            .await
            .unwrap();
        let holder = i64::try_from(stage.holder().await.unwrap()).unwrap();
        assert_eq!(live, [holder], "whoever has it has what it gives, and nobody else");
    }
    stage.world.close().await;
}
