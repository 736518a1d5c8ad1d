//! `nexrole failed`: each kind of what fails is listed with what helps, and is tried again by the operator's word.

use sandbox::{Fault, stripe};
use serde_json::json;
use shared::domain::{activity::Activity, audit::AuditAction, job::JobState};

use crate::support::world::World;

impl World {
    async fn failed(&self) -> String {
        self.of_guild(&["failed", "list"]).await.expect("it is listed")
    }

    async fn until_failed(&self, part: &str) -> String {
        self.until(&format!("it is listed: {part}"), async || self.failed().await.contains(part)).await;
        self.failed().await
    }

    async fn retry(&self, id: &str) -> Result<String, String> {
        self.of_guild(&["failed", "retry", id]).await
    }

    /// Nothing fails any more, and nothing was given up.
    async fn until_nothing_fails(&self) {
        self.until("nothing fails", async || self.failed().await.contains("Nothing fails")).await;
    }
}

/// The first word that begins so.
fn word<'a>(text: &'a str, prefix: &str) -> &'a str {
    let words = text.split(|c: char| c.is_whitespace() || c == ':');
    words
        .into_iter()
        .find(|word| word.starts_with(prefix))
        .unwrap_or_else(|| panic!("no {prefix} in\n{text}"))
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_listed_with_whose_it_is_and_read_when_the_operator_says_so() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.subscribes(&ben).await;
    world.until_vip(&ben).await;
    world.heard().await;
    assert!(world.failed().await.contains("Nothing fails"));
    // The second answer is to the same without discounts. Refused keys are tried again after five minutes.
    let refused = stripe::Fault::status(403).on("GET", "/v1/subscriptions/").times(2);
    world.stripe.fault(refused).await.unwrap();
    let hers = world.subscribes(&ana).await;
    let said = world.until_failed(&hers).await;
    for part in ["Stripe refused the key with status 403", "tried 1 time(s)", "Nobody loses a role by that"] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    world.reads_are_put_off().await;
    assert!(!world.has(&ana, world.vip).await);
    let retried = world.retry(&hers).await.unwrap();
    assert!(retried.contains("1 object(s) are read"), "{retried}");
    world.until_vip(&ana).await;
    world.until_nothing_fails().await;
    assert_eq!(world.audit(AuditAction::RetryAsked).await, 1);
    assert!(world.activity(Activity::FailedRead).await > 0, "who looked at members' data is written down");
    let unknown = world.retry("sub_x").await.unwrap_err();
    assert!(unknown.contains("nothing that failed is called sub_x"), "{unknown}");
    world.finish().await;
}

#[tokio::test]
async fn events_about_what_is_sold_that_cannot_be_polled_are_listed_until_they_are() {
    let world = World::start().await;
    world.settle().await;
    let refused = stripe::Fault::status(403).on("GET", "price.created").times(100);
    world.stripe.fault(refused).await.unwrap();
    world.polls_are_due().await;
    let said = world.until_failed("Stripe's list of events about what is sold cannot be read").await;
    assert!(said.contains("Stripe refused the key with status 403"), "{said}");
    world.stripe.clear_faults().await.unwrap();
    let retried = world.retry(word(&said, "events-")).await.unwrap();
    assert!(retried.contains('1'), "{retried}");
    world.until_nothing_fails().await;
    world.finish().await;
}

#[tokio::test]
async fn an_event_that_no_read_would_answer_is_listed_and_answered() {
    let world = World::start().await;
    let ana = world.member().await;
    let refused = stripe::Fault::status(403).on("GET", "/v1/subscriptions/").times(2);
    world.stripe.fault(refused).await.unwrap();
    let hers = world.subscribes(&ana).await;
    world.until_failed(&hers).await;
    // By no way that is known.
    world.lose_the_reads().await;
    let said = world.until_failed("no read will answer it").await;
    let event = word(&said, "evt_").to_owned();
    world.retry(&event).await.unwrap();
    world.until_vip(&ana).await;
    world.until_nothing_fails().await;
    world.finish().await;
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_listed_and_read_on() {
    let world = World::start().await;
    world.stripe.fault(stripe::Fault::status(500).on("GET", "invoice.paid").times(1)).await.unwrap();
    world.polls_are_due().await;
    let said = world.until_failed("Stripe's list of events cannot be read").await;
    assert!(said.contains("status 500"), "{said}");
    let retried = world.retry(word(&said, "events-")).await.unwrap();
    assert!(retried.contains("1 list(s)"), "{retried}");
    world.until_nothing_fails().await;
    world.finish().await;
}

/// A refusal that no rule knows: parked for hours.
#[tokio::test]
async fn a_role_that_cannot_be_given_is_listed_with_whom_it_concerns_and_given() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let odd =
        || Fault::status(400).on("PUT", "/roles/").times(1).body(json!({ "message": "x", "code": 50035 }));
    for member in [&ana, &ben] {
        world.discord.fault(odd()).await.unwrap();
        let parked = world.parked().await;
        world.subscribes(member).await;
        world.until_parked(parked + 1, "it is parked").await;
    }
    let said = world.until_failed("of 2 member(s)").await;
    for part in ["Discord refused with status 400", &format!("member {}", ana.user)] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    let retried = world.retry(&format!("role-{}", world.vip)).await.unwrap();
    assert!(retried.contains("Of 2 member(s)"), "{retried}");
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    world.until_nothing_fails().await;
    assert_eq!(world.jobs(JobState::Parked).await, 0);
    world.finish().await;
}

/// Its role is above the bot's own: an hour passes between two tries of one of those who wait.
#[tokio::test]
async fn a_role_above_the_bots_is_tried_at_once_and_nobody_loses_anything_by_it() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.subscribes(&ben).await;
    world.until_vip(&ben).await;
    let above = Fault::status(403).on("PUT", "/roles/").body(json!({ "message": "x", "code": 50013 }));
    world.discord.fault(above.times(1)).await.unwrap();
    world.subscribes(&ana).await;
    world.until_parked(1, "Discord refuses the role").await;
    let said = world.until_failed("of 1 member(s)").await;
    assert!(said.contains("does not let the bot manage this role"), "{said}");
    let retried = world.of_guild(&["failed", "retry", "--all"]).await.unwrap();
    assert!(retried.contains("Of 1 member(s)"), "{retried}");
    world.until_vip(&ana).await;
    world.until_nothing_fails().await;
    assert_eq!(world.role_history(&ben).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_notice_that_was_refused_is_sent_once_when_the_member_takes_messages_again() {
    let world = World::start().await;
    let ana = world.member().await;
    let hers = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.set_direct(ana.user, false).await.unwrap();
    world
        .stripe
        .set_subscription(&hers, json!({ "status": "past_due", "status_details": null }))
        .await
        .unwrap();
    let said = world.until_failed("could not be told").await;
    assert!(said.contains("takes no messages from the bot (code 50007)") && said.contains(&hers), "{said}");
    let id = word(&said, "notice-").to_owned();
    world.discord.set_direct(ana.user, true).await.unwrap();
    let retried = world.retry(&id).await.unwrap();
    assert!(retried.contains("1 notice(s) are sent"), "{retried}");
    let told = async || world.told(&ana).await.len();
    world.until("they have read it", async || told().await == 1).await;
    world.until_nothing_fails().await;
    let again = world.retry(&id).await.unwrap_err();
    assert!(again.contains("nothing that failed is called"), "{again}");
    assert_eq!(told().await, 1);
    world.finish().await;
}

/// Discord was asked to take it, and never said whether it did.
#[tokio::test]
async fn a_notice_that_discord_may_have_is_listed_and_never_sent_again() {
    let world = World::start().await;
    let ana = world.member().await;
    let hers = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.fault(Fault::apply_then_reset().on("POST", "/messages").times(1)).await.unwrap();
    world
        .stripe
        .set_subscription(&hers, json!({ "status": "past_due", "status_details": null }))
        .await
        .unwrap();
    world.until("Discord has it", async || world.told(&ana).await.len() == 1).await;
    world
        .until("it is in doubt", async || {
            world.notices_were_tried_long_ago().await;
            world.notices(&ana).await.iter().any(|notice| notice == "began unsure")
        })
        .await;
    let said = world.until_failed("could not be told").await;
    assert!(said.contains("Discord may have taken it"), "{said}");
    world.settle().await;
    let (asked, told) = (world.discord_calls("POST", "/messages").await, world.told(&ana).await);
    let retried = world.retry(word(&said, "notice-")).await.unwrap();
    assert!(retried.contains("not sent again"), "{retried}");
    world.settle().await;
    assert!(world.notices(&ana).await.contains(&"began unsure".to_owned()));
    assert_eq!(world.told(&ana).await, told);
    assert_eq!(world.discord_calls("POST", "/messages").await, asked);
    world.finish().await;
}
