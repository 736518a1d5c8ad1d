//! A role that a person gave to a member who pays for it then: it stays that person's, unless the owner lets it follow the payment.

use serde_json::json;
use shared::domain::{
    audit::{Actor, AuditAction},
    job::JobState,
};

use crate::support::world::{Job, Member, World};

impl World {
    /// A member whom a moderator gave the role, and who pays for it from now on.
    async fn given_and_pays(&self) -> (Member, String) {
        let member = self.member().await;
        self.person_gives(&member).await;
        let subscription = self.subscribes(&member).await;
        self.heard().await;
        (member, subscription)
    }

    async fn person_gives(&self, member: &Member) {
        self.discord.give_role(self.guild, member.user, self.vip).await.expect("it is given");
    }

    async fn person_takes(&self, member: &Member) {
        self.discord.take_role(self.guild, member.user, self.vip).await.expect("it is taken");
    }

    /// `nexrole follow` about one member.
    async fn follow(&self, member: &Member, answer: &str) -> Result<String, String> {
        let (member, role) = (member.user.to_string(), self.vip.to_string());
        self.of_guild(&["follow", "--member", &member, "--role", &role, answer]).await
    }

    async fn follow_everyone(&self, count: usize, answer: &str) -> Result<String, String> {
        let (count, role) = (count.to_string(), self.vip.to_string());
        self.of_guild(&["follow", "--everyone", &count, "--role", &role, answer]).await
    }

    async fn asked(&self, state: &str) -> usize {
        self.questions().await.iter().filter(|question| question.state == state).count()
    }

    /// Every member who pays is compared with Discord.
    async fn everybody_is_checked(&self) {
        let before = self.jobs(JobState::Noop).await + self.jobs(JobState::Applied).await;
        self.discord.invalidate_gateway(false).await.expect("a new session");
        self.until("members are checked", async || {
            self.jobs(JobState::Noop).await + self.jobs(JobState::Applied).await > before
        })
        .await;
        self.settle().await;
    }

    async fn mapping_says(&self, price: &str, word: &str) -> String {
        let role = self.vip.to_string();
        self.of_guild(&["map", "policy", "--price", price, "--role", &role, word]).await.expect("it is set")
    }

    async fn ends(&self, subscription: &str) {
        self.stripe.cancel(subscription).await.expect("it is cancelled");
        self.heard().await;
    }

    async fn until_adopted(&self, member: &Member) {
        self.until("it is ours", async || self.role_history(member).await == ["role.adopted"]).await;
        self.settle().await;
    }

    /// It goes with the payment.
    async fn goes_with(&self, subscription: &str, member: &Member) {
        self.stripe.cancel(subscription).await.expect("it is cancelled");
        self.until_no_vip(member).await;
        self.settle().await;
        assert_eq!(self.role_history(member).await, ["role.adopted", "role.revoked"]);
    }
}

async fn another_price(world: &World) -> String {
    let product = world.stripe.create_product("Other").await.expect("a product");
    world.stripe.create_price(&product, 500).await.expect("a price")
}

#[tokio::test]
async fn it_is_asked_once_and_unanswered_it_stays_a_persons() {
    let mut world = World::start().await;
    let (ana, first) = world.given_and_pays().await;
    let asked = world.questions().await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].state, "open");

    let list = world.of_guild(&["follow"]).await.unwrap();
    let role = world.vip.to_string();
    assert!(list.contains(&format!("member {}", ana.user)) && list.contains("1 member who pays"), "{list}");
    let why = world.why(&ana).await;
    assert!(
        why.contains(&format!("Role {role}: has it because a person gave it at Discord; whether it follows")),
        "{why}"
    );
    assert!(why.contains(&format!("--member {} --role {role} yes (or no)", ana.user)), "{why}");
    assert!(world.status().await.contains("1 role was given by hand to members who pay now"));

    // Another check, another session, another subscription, another bot: the same question.
    world.everybody_is_checked().await;
    let second = world.subscribes(&ana).await;
    world.heard().await;
    world.stop_bot().await.unwrap();
    world.start_bot().await;
    world.everybody_is_checked().await;
    assert_eq!(world.questions().await, asked);

    // One of two payments ends, then the other.
    world.ends(&first).await;
    assert_eq!(world.questions().await, asked);
    world.ends(&second).await;
    assert!(world.has(&ana, world.vip).await, "a person gave it");
    assert_eq!(world.questions().await.len(), 0, "there is nothing to answer any more");
    assert!(world.of_guild(&["follow"]).await.unwrap().starts_with("Nothing is asked"));
    assert!(world.follow(&ana, "yes").await.unwrap_err().contains("nothing is asked about role"));
    assert_eq!(world.role_history(&ana).await, Vec::<String>::new());
    assert!(world.role_calls().await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn what_is_let_follow_goes_with_the_payment() {
    let world = World::start().await;
    let (ana, subscription) = world.given_and_pays().await;
    let said = world.follow(&ana, "yes").await.unwrap();
    assert!(said.starts_with("Answered for 1 member(s)"), "{said}");
    world.until_adopted(&ana).await;
    assert_eq!(
        world
            .audit_where(|entry| entry.is(AuditAction::FollowAnswered) && entry.is_by(Actor::Operator))
            .await,
        1
    );
    assert!(world.role_calls().await.is_empty(), "Discord need do nothing");
    assert_eq!(world.follow(&ana, "yes").await.unwrap(), "It was answered so already.\n");
    let late = world.follow(&ana, "no").await.unwrap_err();
    assert!(late.contains("follows the payment already") && late.contains("nexrole grant"), "{late}");
    let why = world.why(&ana).await;
    assert!(
        why.contains("is to follow the payment, by the owner's answer") && why.contains("role.adopted"),
        "{why}"
    );
    world.goes_with(&subscription, &ana).await;
    // The answer counts from then on: given by hand again, and paid for again, it is not asked again.
    world.later(1).await;
    world.until("the last check", async || world.grants().await == 0).await;
    world.person_gives(&ana).await;
    world.subscribes(&ana).await;
    world.until("it is ours again", async || world.audit(AuditAction::RoleAdopted).await == 2).await;
    assert_eq!(world.asked("follow").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn what_is_to_stay_stays_whatever_is_paid_later() {
    let world = World::start().await;
    let (ana, subscription) = world.given_and_pays().await;
    let said = world.follow(&ana, "no").await.unwrap();
    assert!(said.contains("stays when the payment ends"), "{said}");
    world.everybody_is_checked().await;
    world.ends(&subscription).await;
    assert!(world.has(&ana, world.vip).await);
    let again = world.subscribes(&ana).await;
    world.heard().await;
    assert_eq!(world.asked("open").await, 0, "it was answered");
    world.ends(&again).await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, Vec::<String>::new());
    // The owner may think again.
    let third = world.subscribes(&ana).await;
    world.heard().await;
    world.follow(&ana, "yes").await.unwrap();
    world.until_adopted(&ana).await;
    world.goes_with(&third, &ana).await;
    world.finish().await;
}

#[tokio::test]
async fn what_somebody_took_before_the_answer_is_given_by_the_ordinary_rules() {
    let world = World::start().await;
    let (ana, subscription) = world.given_and_pays().await;
    world.person_takes(&ana).await;
    world.follow(&ana, "yes").await.unwrap();
    // There was nothing of ours to leave alone: it is due, and was never given.
    world.until_vip(&ana).await;
    world.settle().await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.ends(&subscription).await;
    world.until_no_vip(&ana).await;

    // Unanswered, the question goes where the role is gone.
    let (ben, _) = world.given_and_pays().await;
    assert_eq!(world.asked("open").await, 1);
    world.person_takes(&ben).await;
    world.everybody_is_checked().await;
    assert_eq!(world.asked("open").await, 0);
    world.until_vip(&ben).await;
    world.finish().await;
}

#[tokio::test]
async fn a_yes_after_the_payment_has_ended_takes_nothing() {
    let mut world = World::start().await;
    let (ana, subscription) = world.given_and_pays().await;
    // The answer is given, and before a bot reads it the payment is over.
    world.stop_bot().await.unwrap();
    world.follow(&ana, "yes").await.unwrap();
    world.stripe.cancel(&subscription).await.unwrap();
    world.until("it is over", async || world.sources_live().await == 0).await;
    world.start_bot().await;
    world.settle().await;
    assert!(world.has(&ana, world.vip).await, "it never was ours");
    assert_eq!(world.role_history(&ana).await, Vec::<String>::new());
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_dies_between_answer_and_check_leaves_it_to_the_next() {
    let mut world = World::start().await;
    let (ana, subscription) = world.given_and_pays().await;
    world.stop_bot().await.unwrap();
    world.follow(&ana, "yes").await.unwrap();
    assert_eq!(world.role_history(&ana).await, Vec::<String>::new(), "only a check makes it ours");
    world.start_bot().await;
    world.until_adopted(&ana).await;
    world.goes_with(&subscription, &ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_mapping_says_beforehand_what_becomes_of_such_roles_and_the_most_careful_one_counts() {
    let world = World::start().await;
    let other = another_price(&world).await;
    world.map("price", &other, world.vip).await;
    let price = world.price.clone();
    let (ana, hers) = world.given_and_pays().await;
    assert_eq!(world.asked("open").await, 1);
    // One follows, one asks: it is asked.
    let said = world.mapping_says(&price, "given_by_hand=follow").await;
    assert!(said.contains("given_by_hand                   follow  (the default is ask)"), "{said}");
    world.settle().await;
    assert_eq!((world.asked("open").await, world.grants().await), (1, 0));
    // One follows, one keeps: it stays, and nobody is asked.
    world.mapping_says(&other, "given_by_hand=keep").await;
    world.until("it is not asked any more", async || world.asked("open").await == 0).await;
    let (ben, his) = world.given_and_pays().await;
    assert_eq!((world.asked("open").await, world.grants().await), (0, 0));
    world.ends(&his).await;
    assert!(world.has(&ben, world.vip).await);
    // Both follow: from the next check on it is ours.
    let said = world.mapping_says(&other, "given_by_hand=follow").await;
    assert!(said.contains("0 member(s) are being checked"), "{said}");
    world.everybody_is_checked().await;
    world.until_adopted(&ana).await;
    let (cleo, theirs) = world.given_and_pays().await;
    world.until_adopted(&cleo).await;
    assert_eq!(world.questions().await.len(), 0, "nobody was asked");
    world.goes_with(&hers, &ana).await;
    world.goes_with(&theirs, &cleo).await;
    assert!(world.has(&ben, world.vip).await, "what stayed while he paid is not touched later");
    world.finish().await;
}

#[tokio::test]
async fn a_dangerous_role_is_neither_asked_about_nor_made_ours() {
    let world = World::start().await;
    let (ana, _) = world.given_and_pays().await;
    world.becomes_dangerous(world.vip).await;
    let refused = world.follow(&ana, "yes").await.unwrap_err();
    assert!(refused.contains("must not be given: it gives Administrator"), "{refused}");
    // Answered while nobody knew, it waits.
    world.questions_are_answered_yes().await;
    world.discord.invalidate_gateway(false).await.unwrap();
    let waits =
        |job: &Job| job.is(JobState::Parked) && job.outcome.starts_with("suspended: it gives Administrator");
    world.until("it waits", async || world.jobs_where(waits).await > 0).await;
    assert_eq!(world.grants().await, 0);
    // Nor is a new one asked about.
    let ben = world.member().await;
    world.person_gives(&ben).await;
    world.subscribes(&ben).await;
    world.heard().await;
    assert_eq!((world.asked("open").await, world.grants().await), (0, 0));
    // Harmless again, it goes on by itself.
    world.discord.set_role(world.guild, world.vip, json!({ "permissions": "0" })).await.unwrap();
    world.until("it is ours", async || world.audit(AuditAction::RoleAdopted).await == 1).await;
    world.until("the other is asked about", async || world.asked("open").await == 1).await;
    world.finish().await;
}

/// First contact: those who had a role before it was mapped are asked about when it is turned on, and all at once if there are many.
#[tokio::test]
async fn an_observed_role_is_not_asked_about_and_all_its_holders_are_answered_at_once() {
    let mut world = World::without_services().await;
    let mut members = Vec::new();
    for _ in 0..25 {
        let member = world.member().await;
        world.person_gives(&member).await;
        members.push(member);
    }
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    let mut subscriptions = Vec::new();
    for member in &members {
        subscriptions.push(world.subscribes(member).await);
    }
    world.heard().await;
    assert_eq!(world.questions().await.len(), 0, "it is only observed");
    let role = world.vip.to_string();
    world.of_guild(&["map", "enforce", "--role", &role]).await.unwrap();
    world.until("all are asked about", async || world.asked("open").await == 25).await;
    world.settle().await;
    let list = world.of_guild(&["follow"]).await.unwrap();
    assert!(list.contains("25 members who pay") && list.contains("and 5 more"), "{list}");
    // Whoever answers for all has seen how many they are.
    let refused = world.follow_everyone(24, "yes").await.unwrap_err();
    assert!(refused.contains("25 questions are open about role"), "{refused}");
    assert!(world.of_guild(&["follow", "--role", &role, "yes"]).await.is_err(), "about whom?");
    assert_eq!(world.asked("open").await, 25);
    // One of them is a friend of the house.
    world.follow(&members[0], "no").await.unwrap();
    let said = world.follow_everyone(24, "yes").await.unwrap();
    assert!(said.starts_with("Answered for 24 member(s)"), "{said}");
    world.until("they are ours", async || world.audit(AuditAction::RoleAdopted).await == 24).await;
    assert_eq!((world.asked("follow").await, world.asked("keep").await), (24, 1));
    assert!(world.follow_everyone(24, "yes").await.unwrap_err().contains("nothing is open about role"));
    assert!(world.role_calls().await.is_empty());
    for n in [0, 1] {
        world.ends(&subscriptions[n]).await;
    }
    world.until_no_vip(&members[1]).await;
    assert!(world.has(&members[0], world.vip).await);
    world.finish().await;
}

/// Who was given it by an owner's word, or was on a list of holders, is nobody to be asked about.
#[tokio::test]
async fn only_what_is_paid_for_is_asked_about() {
    let world = World::start().await;
    let ana = world.member().await;
    world.person_gives(&ana).await;
    let (member, role) = (ana.user.to_string(), world.vip.to_string());
    world.of_guild(&["grant", "--member", &member, "--role", &role, "--reason", "x"]).await.unwrap();
    world.settle().await;
    assert_eq!(world.questions().await.len(), 0);
    let subscription = world.subscribes(&ana).await;
    world.heard().await;
    assert_eq!(world.asked("open").await, 1);
    // The payment ends, the owner's word does not.
    world.ends(&subscription).await;
    world.everybody_is_checked().await;
    assert_eq!(world.questions().await.len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn whoever_is_forgotten_is_forgotten_here_too() {
    let world = World::start().await;
    let (ana, subscription) = world.given_and_pays().await;
    world.follow(&ana, "no").await.unwrap();
    world.ends(&subscription).await;
    world.stripe.update_customer(&ana.customer, json!({ "metadata": {} })).await.unwrap();
    world.heard().await;
    world.of_guild(&["erase", "--member", &ana.user.to_string()]).await.unwrap();
    assert_eq!(world.questions().await.len(), 0);
    world.finish().await;
}
