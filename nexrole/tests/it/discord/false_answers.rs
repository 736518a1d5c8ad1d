//! Stories about a Discord that says once what is not so: that a member or a role is not there, or that something was done. A role must
//! neither stay for ever nor be lost by that; and what is so is believed, a little later.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::time::Duration;

use sandbox::discord::{Action, Fault};
use serde_json::{Value, json};
use shared::domain::{
    audit::AuditAction,
    job::{JobOrigin, JobState},
};

use crate::support::world::{Grant, Job, Member, World};

const UNKNOWN_MEMBER: u32 = 10007;
const UNKNOWN_USER: u32 = 10013;
const UNKNOWN_ROLE: u32 = 10011;

fn says(code: u32) -> Value {
    json!({ "message": "x", "code": code })
}

impl World {
    /// The next call like this to a member's own address is answered so, and changes nothing.
    async fn false_answer(&self, method: &str, member: &Member, status: u16, code: u32) {
        let path = format!("/members/{}", member.user);
        self.discord.fault(Fault::status(status).on(method, &path).times(1).body(says(code))).await.unwrap();
    }

    async fn until_grants(&self, number: usize, what: &str, fits: impl Fn(&Grant) -> bool) {
        self.until(what, async || self.grants_where(&fits).await == number).await;
        self.settle().await;
    }

    async fn until_no_grant(&self, what: &str) {
        self.until_grants(0, what, |_| true).await;
    }

    /// The job waits, and nothing else happens.
    async fn until_a_job_waits(&self, what: &str, fits: impl Fn(&Job) -> bool) {
        let waits = async || self.jobs_where(|job| job.is(JobState::Parked) && fits(job)).await;
        self.until(what, async || waits().await == 1).await;
        self.settle().await;
    }

    /// A minute later the last check has shown that what was taken stays away.
    async fn last_check(&self) {
        self.until_grants(1, "it waits for its last check", |grant| grant.is_ending).await;
        self.later(1).await;
        self.until_no_grant("the last check").await;
    }

    /// A new session of the Gateway: what happened before it is not told.
    async fn session(&self) {
        self.discord.invalidate_gateway(false).await.unwrap();
    }

    async fn member_of_vip(&self) -> (Member, String) {
        let member = self.member().await;
        let subscription = self.subscribes(&member).await;
        self.until_vip(&member).await;
        (member, subscription)
    }
}

/// At the revoke, on the read: the next session finds them.
#[tokio::test]
async fn who_is_said_to_be_absent_when_access_ends_is_found_by_the_next_session() {
    let world = World::start().await;
    let (ana, subscription) = world.member_of_vip().await;
    world.false_answer("GET", &ana, 404, UNKNOWN_MEMBER).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_grants(1, "the false answer is written down", |grant| grant.is_shown_absent).await;
    assert!(world.has(&ana, world.vip).await);
    let why = world.why(&ana).await;
    assert!(
        why.contains("not there, said Discord") && why.contains("believed when it says so again"),
        "{why}"
    );
    world.session().await;
    world.until_no_vip(&ana).await;
    world.last_check().await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

/// The same without a session: five minutes later. Whatever the word for absent, on the read and on the write.
#[tokio::test]
async fn who_is_said_to_be_absent_when_access_ends_loses_the_role_five_minutes_later() {
    let world = World::start().await;
    for (method, code) in [
        ("GET", UNKNOWN_USER),
        ("DELETE", UNKNOWN_MEMBER),
        ("DELETE", UNKNOWN_USER),
        ("DELETE", UNKNOWN_ROLE),
    ] {
        let (member, subscription) = world.member_of_vip().await;
        world.false_answer(method, &member, 404, code).await;
        world.stripe.cancel(&subscription).await.unwrap();
        world.until_grants(1, "the false answer is written down", |grant| grant.is_shown_absent).await;
        assert!(world.has(&member, world.vip).await, "{method} {code}");
        world.later(5).await;
        world.until_no_vip(&member).await;
        world.last_check().await;
        assert_eq!(world.role_history(&member).await, ["role.granted", "role.revoked"], "{method} {code}");
    }
    world.finish().await;
}

/// At a check while they pay: the row stays ours, and the role is taken when they stop.
#[tokio::test]
async fn who_is_said_to_be_absent_while_they_pay_is_forgotten_neither_now_nor_later() {
    let world = World::start().await;
    let (ana, subscription) = world.member_of_vip().await;
    world.false_answer("GET", &ana, 404, UNKNOWN_MEMBER).await;
    world.session().await;
    world.until_grants(1, "the false answer is written down", |grant| grant.is_shown_absent).await;
    world.later(5).await;
    world.until_grants(0, "the second check shows them", |grant| grant.is_watched).await;
    assert_eq!(world.role_calls().await, ["PUT 204"]);
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    world.last_check().await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

/// For minutes, in whatever order they are asked for.
#[tokio::test]
async fn when_discord_says_of_everybody_that_they_have_left_nobody_loses_anything() {
    let world = World::start().await;
    let mut members = Vec::new();
    for _ in 0..4 {
        members.push(world.member_of_vip().await.0);
    }
    let gone = Fault::status(404).body(says(UNKNOWN_MEMBER));
    world.discord.fault(gone.on("GET", "/members/").times(100_000)).await.unwrap();
    for _ in 0..2 {
        world.session().await;
        world.until_grants(4, "all are shown as absent", |grant| grant.is_shown_absent).await;
        world.settle().await;
        world.later(2).await;
    }
    world.discord.clear_faults().await.unwrap();
    world.later(5).await;
    world.until_grants(0, "the next check shows them", |grant| grant.is_shown_absent).await;
    for member in &members {
        assert!(world.has(member, world.vip).await);
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    assert_eq!(world.role_calls().await, ["PUT 204"; 4]);
    world.finish().await;
}

/// A buyer is not left without the role for hours.
#[tokio::test]
async fn a_buyer_who_is_said_to_be_absent_has_the_role_five_minutes_later() {
    let world = World::start().await;
    for (method, code) in [
        ("GET", UNKNOWN_MEMBER),
        ("GET", UNKNOWN_USER),
        ("PUT", UNKNOWN_MEMBER),
        ("PUT", UNKNOWN_USER),
        ("PUT", UNKNOWN_ROLE),
    ] {
        let member = world.member().await;
        world.false_answer(method, &member, 404, code).await;
        world.subscribes(&member).await;
        world.until_a_job_waits("the job waits", |_| true).await;
        world.later(5).await;
        world.until_vip(&member).await;
        assert_eq!(world.role_history(&member).await, ["role.granted"], "{method} {code}");
    }
    world.finish().await;
}

/// Nor where an outage comes before the false answer; and the second one is believed.
#[tokio::test]
async fn a_failure_before_the_first_false_answer_is_no_such_answer() {
    let world = World::start().await;
    let ana = world.member().await;
    let path = format!("/members/{}", ana.user);
    world.discord.fault(Fault::status(502).on("GET", &path).times(1)).await.unwrap();
    world.subscribes(&ana).await;
    let failed = |job: &Job| job.is(JobState::Pending) && job.attempts == 1;
    world.until("the read failed", async || world.jobs_where(failed).await == 1).await;
    world.false_answer("GET", &ana, 404, UNKNOWN_MEMBER).await;
    world.later(1).await;
    world.until_a_job_waits("the job waits", |job| job.is_due_within(Duration::from_mins(6))).await;
    world.false_answer("GET", &ana, 404, UNKNOWN_MEMBER).await;
    world.later(5).await;
    world
        .until_a_job_waits("the job waits for long", |job| !job.is_due_within(Duration::from_hours(5)))
        .await;
    world.close().await;
}

/// The whole list of roles, without the one that was bought.
#[tokio::test]
async fn a_role_that_is_missing_from_one_list_is_given_five_minutes_later() {
    let world = World::start().await;
    let ana = world.member().await;
    // The session's own check of the roles is over.
    world.until_the_session_has_read_the_roles().await;
    world.settle().await;
    // Nothing is known about the role, so that it is looked up before it is given.
    world.forget_the_list_of_roles().await;
    let everyone = json!([{ "id": world.guild.to_string(), "name": "@everyone", "permissions": "0", "position": 0,
                            "color": 0, "hoist": false, "managed": false, "mentionable": false, "flags": 0 }]);
    let path = format!("/guilds/{}/roles", world.guild);
    world.discord.fault(Fault::status(200).on("GET", &path).times(1).body(everyone)).await.unwrap();
    world.subscribes(&ana).await;
    world.until_a_job_waits("the job waits", |job| job.outcome.contains("role was deleted")).await;
    world.later(5).await;
    world.until_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.close().await;
}

/// 204, and nothing happened: the last check sees it.
#[tokio::test]
async fn a_removal_that_did_nothing_is_made_once_more() {
    let world = World::start().await;
    let (ana, subscription) = world.member_of_vip().await;
    let path = format!("/members/{}/roles/", ana.user);
    world.discord.fault(Fault::status(204).on("DELETE", &path).times(1).text("")).await.unwrap();
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_grants(1, "it waits for its last check", |grant| grant.is_ending).await;
    assert!(world.has(&ana, world.vip).await);
    world.later(1).await;
    world.until_no_vip(&ana).await;
    world.later(1).await;
    world.until_no_grant("the last check").await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

/// 204, and nothing happened: the next check sees it, and gives it once more. A second time it is a person's doing.
#[tokio::test]
async fn a_grant_that_did_nothing_is_made_once_more() {
    let world = World::start().await;
    let ana = world.member().await;
    let path = format!("/members/{}/roles/", ana.user);
    world.discord.fault(Fault::status(204).on("PUT", &path).times(1).text("")).await.unwrap();
    world.subscribes(&ana).await;
    world.until_grants(1, "Discord says that it is done", |_| true).await;
    world.until("it is settled", async || world.role_calls().await == ["PUT 204"]).await;
    world.settle().await;
    assert!(!world.has(&ana, world.vip).await);
    // They have been here for long.
    world.joined_long_before(&ana).await;
    world.session().await;
    world.until_vip(&ana).await;
    let granted_twice = ["role.granted", "role.lost", "role.granted"];
    assert_eq!(world.role_history(&ana).await, granted_twice);
    world.later(1).await;
    world.until_grants(0, "it was seen", |grant| grant.is_watched).await;
    world.discord.take_role(world.guild, ana.user, world.vip).await.unwrap();
    world.joined_long_before(&ana).await;
    world.session().await;
    world.until_grants(1, "it is left alone", |grant| grant.is_taken).await;
    assert_eq!(world.role_history(&ana).await, granted_twice);
    world.close().await;
}

/// Somebody else gives it, again and again: they are let, and it is written down.
#[tokio::test]
async fn a_role_that_comes_back_twice_is_left_to_whoever_gives_it() {
    let world = World::start().await;
    let (ana, subscription) = world.member_of_vip().await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    for calls in [2, 1] {
        world.until_grants(1, "it waits for its last check", |grant| grant.is_ending).await;
        world.discord.give_role(world.guild, ana.user, world.vip).await.unwrap();
        world.later(1).await;
        if calls == 2 {
            world.until_no_vip(&ana).await;
        }
    }
    world.until_no_grant("it is given up").await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked", "role.left"]);
    let removals = world.discord.audit_log(world.guild).await.unwrap();
    assert_eq!(removals.iter().filter(|entry| entry.action == Action::RoleRemove).count(), 2);
    world.close().await;
}

/// What is so is believed: five minutes later, and nothing is called but two reads.
#[tokio::test]
async fn who_has_left_is_believed_to_be_gone_five_minutes_later() {
    let world = World::start().await;
    let (ana, _) = world.member_of_vip().await;
    world.discord.leave(world.guild, ana.user).await.unwrap();
    world.until_grants(1, "the leaving was noticed", |grant| grant.is_shown_absent).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.later(5).await;
    world.until_no_grant("it is believed").await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.lost"]);
    assert_eq!(world.role_calls().await, ["PUT 204"]);
    world.finish().await;
}

/// The whole cost of the last check: one read, of all roles of a member together.
#[tokio::test]
async fn the_last_check_costs_one_read() {
    let world = World::start().await;
    let second = world.discord.create_role(world.guild, "Second").await.unwrap();
    world.map("price", &world.price.clone(), second).await;
    world.until_every_mapped_role_is_seen().await;
    world.settle().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.until("they have both", async || world.has(&ana, second).await).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    world.until("both are taken", async || world.grants_where(|grant| grant.is_ending).await == 2).await;
    world.settle().await;
    world.discord.clear_requests().await.unwrap();
    world.later(1).await;
    world.until_no_grant("the last check").await;
    let calls = world.discord.requests().await.unwrap();
    let reads: Vec<_> = calls.iter().filter(|call| call.path.contains("/members/")).collect();
    assert_eq!(reads.len(), 1, "{reads:?}");
    assert_eq!(world.jobs_where(|job| job.origin == JobOrigin::Recheck).await, 2);
    world.finish().await;
}

/// The last check is only to make sure: it does not keep anybody.
#[tokio::test]
async fn a_member_whose_roles_were_taken_a_moment_ago_can_be_forgotten() {
    let world = World::start().await;
    let (ana, subscription) = world.member_of_vip().await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_grants(1, "it waits for its last check", |grant| grant.is_ending).await;
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    // Or it would be linked again when it is read.
    world
        .stripe
        .update_customer(&ana.customer, json!({ "metadata": { "discord_user_id": "" } }))
        .await
        .unwrap();
    world.heard().await;
    let said = world.nexrole(&["erase", "--guild", &guild, "--member", &member]).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    assert_eq!(world.grants().await, 0);
    world.close().await;
}

/// Discord stops letting the bot manage the role in the minute after it was taken.
#[tokio::test]
async fn the_last_check_is_made_of_a_refused_role_too() {
    let world = World::start().await;
    let (ana, subscription) = world.member_of_vip().await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_grants(1, "it waits for its last check", |grant| grant.is_ending).await;
    let ben = world.member().await;
    world.false_answer("PUT", &ben, 403, 50013).await;
    world.subscribes(&ben).await;
    world.until("the role is refused", async || world.refused_roles().await.len() == 1).await;
    world.settle().await;
    world.later(1).await;
    world.until_no_grant("the last check").await;
    // Who gets it by hand from now on, since the bot cannot, keeps it when the bot can again.
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    assert_eq!(world.role_calls().await, ["PUT 204", "DELETE 204", "PUT 403"]);
    world.close().await;
}

/// Left alone by the bot's own rules, and given back when it is asked to.
#[tokio::test]
async fn a_role_that_somebody_else_took_is_given_back_when_the_operator_asks() {
    let world = World::start().await;
    let (ana, subscription) = world.member_of_vip().await;
    world.session().await;
    world.until_grants(0, "it was seen", |grant| grant.unseen).await;
    world.discord.take_role(world.guild, ana.user, world.vip).await.unwrap();
    world.joined_long_before(&ana).await;
    world.session().await;
    world.until_grants(1, "it is seen", |grant| grant.is_taken).await;
    assert!(!world.has(&ana, world.vip).await);
    let (member, role) = (ana.user.to_string(), world.vip.to_string());
    let give_back = ["give-back", "--member", &member, "--role", &role];
    let said = world.of_guild(&give_back).await.unwrap();
    assert!(said.starts_with(&format!("Somebody took role {role} from member {member}")), "{said}");
    world.until_vip(&ana).await;
    assert_eq!(world.grants_where(|grant| grant.is_taken).await, 0);
    assert_eq!(world.audit(AuditAction::GiveBackAsked).await, 1);
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.lost", "role.granted"]);
    // Who has it keeps it.
    assert!(world.of_guild(&give_back).await.unwrap().contains("Nobody was seen to take it"));
    world.settle().await;
    assert_eq!(world.role_calls().await, ["PUT 204", "PUT 204"]);
    // Nobody gets what nothing gives, nor what is not mapped, nor what is only observed.
    world.of_guild(&["map", "enforce", "--role", &role, "--observe"]).await.unwrap();
    let refused = world.of_guild(&give_back).await.unwrap_err();
    assert!(refused.contains("only observed") && refused.contains("map enforce"), "{refused}");
    world.of_guild(&["map", "enforce", "--role", &role]).await.unwrap();
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    let refused = world.of_guild(&give_back).await.unwrap_err();
    assert!(refused.contains("nothing gives role"), "{refused}");
    let other = world.of_guild(&["give-back", "--member", &member, "--role", "1"]).await.unwrap_err();
    assert!(other.contains("role 1 is not mapped"), "{other}");
    world.close().await;
}

/// A moderator, or another bot, takes it from somebody who pays: it is left so, and said.
#[tokio::test]
async fn a_role_that_somebody_else_took_is_not_said_to_be_held() {
    let world = World::start().await;
    let (ana, _) = world.member_of_vip().await;
    world.session().await;
    world.until_grants(0, "it was seen", |grant| grant.unseen).await;
    world.discord.take_role(world.guild, ana.user, world.vip).await.unwrap();
    world.joined_long_before(&ana).await;
    world.session().await;
    world.until_grants(1, "it is seen", |grant| grant.is_taken).await;
    let why = world.why(&ana).await;
    assert!(why.contains("taken from them at Discord, not by us") && !why.contains("confirmed by"), "{why}");
    let owner = world.discord.join(world.guild, "owner").await.unwrap();
    let status = world.discord.interact(world.guild, owner, "status").await.unwrap().text();
    assert!(status.contains("Roles held because of Nexrole: 0"), "{status}");
    assert!(status.contains("1 role was taken from paying members at Discord, not by Nexrole"), "{status}");
    // Given back by hand: all is well.
    world.discord.give_role(world.guild, ana.user, world.vip).await.unwrap();
    world.session().await;
    world.until_grants(0, "it is seen", |grant| grant.is_taken).await;
    world.close().await;
}
