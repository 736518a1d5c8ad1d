//! A bulk that is wrong, whoever made it, takes a role from few: the rest is held until the owner answers.

use std::collections::BTreeSet;

use bot::worker::reminders;
use serde_json::json;
use shared::{
    actions::{approve::approve, discard::discard, held::held},
    db::{authorized::Authorized, pg_roles::Login},
    domain::{activity::Activity, audit::AuditAction, job::JobState},
    ids::GuildId,
};

use crate::support::world::World;

impl World {
    /// `nexrole held approve|discard` about VIP.
    async fn answer(&self, answer: &str, more: &[&str]) -> Result<String, String> {
        let role = self.vip.to_string();
        self.of_guild(&[&["held", answer, "--role", &role][..], more].concat()).await
    }

    /// Role calls at Discord: how many gave one, and how many took one.
    async fn given_and_taken(&self) -> (usize, usize) {
        let calls = self.role_calls().await;
        let of = |method: &str| calls.iter().filter(|call| call.starts_with(method)).count();
        (of("PUT"), of("DELETE"))
    }
}

#[tokio::test]
async fn a_wrong_policy_takes_a_role_from_two_of_forty_and_the_owner_is_asked_about_the_others() {
    let mut world = World::start().await;
    let payers = world.payers(40).await;
    world.sets_policy("active=remove").await;
    world.until_held(38).await;
    assert_eq!(world.with_vip(&payers).await, 38);

    // It is said everywhere, and in the log once.
    let mut kept = Vec::new();
    for payer in &payers {
        if world.has(&payer.member, world.vip).await {
            kept.push(payer);
        }
    }
    let (first, user) = (kept[0], kept[0].member.user.to_string());
    let (why, status) = (world.why(&first.member).await, world.status().await);
    let approve = format!(
        "approve: `nexrole held approve --guild {} --role {} --member {user}`",
        world.guild, world.vip
    );
    assert!(why.contains("held: within a day this role is taken from 2 of 40 holders at most"), "{why}");
    assert!(why.contains(&approve), "{why}");
    assert!(status.contains("38 roles are not taken until the owner agrees"), "{status}");
    let finding = &world.doctor().await["roles.held"];
    assert_eq!(finding["state"], "warn", "{finding}");
    assert!(finding["detail"].as_str().unwrap().contains("38 role change(s) of 1 role(s)"), "{finding}");
    let list = world.of_guild(&["held"]).await.unwrap();
    assert!(list.contains("is not taken from 38 member(s)") && list.contains("  is active: 38"), "{list}");
    assert!(list.contains("perhaps a policy or a mapping was changed by mistake"), "{list}");
    assert!(list.contains("and 18 more"), "{list}");
    assert_eq!(
        (world.activity(Activity::RevokesHeld).await, world.activity(Activity::HeldRead).await),
        (1, 1)
    );

    // Nobody is asked twice, and nothing happens without an answer: not by time, nor by a restart.
    world.jobs_were_due(60).await;
    world.stop_bot().await.unwrap();
    world.start_bot().await;
    // Its session has begun.
    world.status().await;
    world.until_held(38).await;
    let refused = world.answer("approve", &[]).await.unwrap_err();
    assert!(refused.contains("nothing was changed: there is no terminal"), "{refused}");
    assert_eq!((world.held().await, world.given_and_taken().await), (38, (40, 2)));

    let said = world.answer("approve", &["--member", &user, "--yes"]).await.unwrap();
    assert!(said.contains("Approved. 1 member(s) lose role"), "{said}");
    world.until_no_vip(&first.member).await;
    assert_eq!(world.held().await, 37);
    let said = world.answer("approve", &["--yes"]).await.unwrap();
    assert!(said.contains("Approved. 37 member(s) lose role"), "{said}");
    world.until("everybody has lost it", async || world.given_and_taken().await.1 == 40).await;
    world.settle().await;
    assert_eq!((world.with_vip(&payers).await, world.held().await), (0, 0));
    assert_eq!(world.audit(AuditAction::HeldApproved).await, 38);
    let nothing = world.answer("approve", &["--yes"]).await.unwrap_err();
    assert!(nothing.contains("Nothing is held in server"), "{nothing}");
    world.finish().await;
}

/// More may be held by the time of the answer.
#[tokio::test]
async fn an_answer_is_about_those_alone_who_were_shown() {
    let world = World::start().await;
    let payers = world.payers(12).await;
    world.sets_policy("active=remove").await;
    world.until_held(10).await;
    let pool = world.login(Login::Operator);
    let guild = GuildId::from_u64(world.guild).unwrap();
    let by = Authorized::operator(&pool, guild).unwrap();
    let all = held(&pool, &by, None, None).await.unwrap().remove(0);
    let members = all.all();
    let approved = approve(&pool, &by, all.role, &members[..3]).await.unwrap();
    assert!(approved.iter().eq(members[..3].iter().collect::<BTreeSet<_>>()), "{approved:?}");
    let kept = discard(&pool, &by, all.role, &members[3..5]).await.unwrap();
    assert_eq!(kept.len(), 2);
    pool.close().await;
    world.until("the three have lost it", async || world.given_and_taken().await == (12, 5)).await;
    world.settle().await;
    assert_eq!((world.held().await, world.with_vip(&payers).await), (5, 7));
    world.finish().await;
}

#[tokio::test]
async fn who_is_held_keeps_the_role_for_good_if_the_owner_discards_it() {
    let mut world = World::start().await;
    let payers = world.payers(12).await;
    world.sets_policy("active=remove").await;
    world.until_held(10).await;
    let said = world.answer("discard", &["--yes"]).await.unwrap();
    assert!(said.contains("Discarded. 10 member(s) keep role"), "{said}");
    assert_eq!((world.held().await, world.jobs(JobState::Discarded).await), (0, 10));
    assert_eq!(world.audit(AuditAction::HeldDiscarded).await, 10);

    // A new session checks everybody who is due.
    world.stop_bot().await.unwrap();
    world.start_bot().await;
    // Its session has begun.
    world.status().await;
    world.everything_is_read_again().await;
    world.settle().await;
    assert_eq!((world.with_vip(&payers).await, world.given_and_taken().await), (10, (12, 2)));
    let mut explained = 0;
    for payer in &payers {
        let why = world.why(&payer.member).await;
        explained += usize::from(why.contains("kept: taking it was held, and discarded"));
    }
    assert_eq!(explained, 10);
    world.finish().await;
}

/// Who is due again before an answer was not held up by it.
#[tokio::test]
async fn a_policy_that_is_corrected_releases_whom_it_would_have_cost_the_role() {
    let world = World::start().await;
    let payers = world.payers(12).await;
    world.sets_policy("active=remove").await;
    world.until_held(10).await;
    assert_eq!(world.with_vip(&payers).await, 10);
    world.sets_policy("active=default").await;
    world.until("nothing is held any more", async || world.held().await == 0).await;
    world.until("everybody is due", async || world.sources_live().await == 12).await;
    world.settle().await;
    assert_eq!((world.with_vip(&payers).await, world.given_and_taken().await), (12, (14, 2)));
    assert!(!world.status().await.contains("until the owner agrees"));

    // The same mistake, later: what was held before is over, and the day's two are spent.
    world.holds_began_days_ago(1).await;
    world.sets_policy("active=remove").await;
    world.until_held(10).await;
    assert_eq!((world.with_vip(&payers).await, world.given_and_taken().await.1), (10, 4));
    assert_eq!(world.activity(Activity::RevokesHeld).await, 2);
    world.answer("approve", &["--yes"]).await.unwrap();
    world.until("everybody has lost it", async || world.given_and_taken().await.1 == 14).await;
    world.finish().await;
}

#[tokio::test]
async fn an_ordinary_end_of_a_month_trips_nothing_and_a_day_later_it_is_another() {
    let world = World::start().await;
    let payers = world.payers(40).await;
    let (cancel, stay) = payers.split_at(12);
    for payer in &cancel[..10] {
        world.stripe.cancel(&payer.subscription).await.unwrap();
    }
    world.heard().await;
    assert_eq!((world.with_vip(&payers).await, world.held().await), (30, 0));

    // More than a quarter within a day is more than that.
    world.stripe.cancel(&cancel[10].subscription).await.unwrap();
    world.until_held(1).await;
    assert!(world.why(&cancel[10].member).await.contains("taken from 10 of 40 holders at most"));
    world.roles_were_taken_hours_ago(26).await;
    world.stripe.cancel(&cancel[11].subscription).await.unwrap();
    world.until_no_vip(&cancel[11].member).await;
    assert_eq!(
        (world.held().await, world.with_vip(&payers).await),
        (1, 29),
        "what is held waits for a person alone"
    );

    // They buy again before anybody answers.
    world.subscribes(&cancel[10].member).await;
    world.until("nothing is held any more", async || world.held().await == 0).await;
    world.heard().await;
    assert_eq!((world.with_vip(stay).await, world.given_and_taken().await), (28, (40, 11)));
    assert!(world.has(&cancel[10].member, world.vip).await);
    world.finish().await;
}

/// What an owner does to one member, or to all whom they were shown, is no mistake of ours.
#[tokio::test]
async fn what_an_owner_did_is_not_held_and_spends_nothing() {
    let world = World::start().await;
    let payers = world.payers(6).await;
    for payer in &payers[..3] {
        let customer = ["link", "remove", "--customer", &payer.member.customer];
        let metadata = json!({ "metadata": { "discord_user_id": "" } });
        world.stripe.update_customer(&payer.member.customer, metadata).await.unwrap();
        world.heard().await;
        world.of_guild(&customer).await.unwrap();
        world.until_no_vip(&payer.member).await;
    }
    let role = world.vip.to_string();
    world.of_guild(&["map", "remove", "--price", &world.price, "--role", &role, "--yes"]).await.unwrap();
    world.until("everybody has lost it", async || world.given_and_taken().await.1 == 6).await;
    world.settle().await;
    assert_eq!((world.with_vip(&payers).await, world.held().await, world.revokes_counted().await), (0, 0, 0));
    world.finish().await;
}

#[tokio::test]
async fn a_member_who_is_forgotten_is_not_held() {
    let world = World::start().await;
    let payers = world.payers(4).await;
    world.sets_policy("active=remove").await;
    world.until_held(2).await;
    let mut held = None;
    for payer in &payers {
        if world.has(&payer.member, world.vip).await {
            held = Some(payer);
        }
    }
    let held = held.expect("two of them");
    let metadata = json!({ "metadata": { "discord_user_id": "" } });
    world.stripe.update_customer(&held.member.customer, metadata).await.unwrap();
    world.heard().await;
    let user = held.member.user.to_string();
    let said = world.of_guild(&["erase", "--member", &user]).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    assert!(!world.has(&held.member, world.vip).await);
    assert_eq!(world.held().await, 1);
    world.close().await;
}

#[tokio::test]
async fn two_bots_at_once_take_no_more_than_one() {
    let world = World::start().await;
    let payers = world.payers(40).await;
    let (stop, other) = world.another_bot();
    world.sets_policy("active=remove").await;
    world.until_held(38).await;
    assert_eq!((world.with_vip(&payers).await, world.given_and_taken().await), (38, (40, 2)));
    stop.cancel();
    other.await.expect("no panic").expect("it ends well");
    world.finish().await;
}

#[tokio::test]
async fn an_owner_who_does_not_answer_is_reminded_after_a_day_three_and_seven() {
    let world = World::start().await;
    world.payers(4).await;
    world.sets_policy("active=remove").await;
    world.until_held(2).await;
    let bot = world.login(Login::Bot);
    let mut reminded = Vec::new();
    for _ in 0..9 {
        // Whoever asks again reminds nobody again.
        reminders::remind(&bot).await.unwrap();
        reminders::remind(&bot).await.unwrap();
        reminded.push(world.activity(Activity::HeldReminded).await);
        world.holds_began_days_ago(1).await;
    }
    assert_eq!(reminded, [0, 1, 1, 2, 2, 2, 2, 3, 3]);
    assert_eq!(world.held().await, 2, "unanswered, nothing happens");
    bot.close().await;
    world.finish().await;
}
