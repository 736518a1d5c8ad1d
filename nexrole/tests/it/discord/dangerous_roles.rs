//! No dangerous role: one that gives power over the server is refused where roles are mapped, and given to nobody.

use serde_json::json;
use shared::{
    domain::{audit::AuditAction, job::JobState},
    ids::{GuildId, RoleId},
    store::guild_roles,
};

use crate::support::world::{Job, RoleList, World};

const ADMINISTRATOR: &str = "8";

async fn set(world: &World, role: u64, permissions: &str) {
    let change = json!({ "permissions": permissions });
    world.discord.set_role(world.guild, role, change).await.expect("Discord changes it");
}

/// Has the suspended role read again, as happens every ten minutes.
async fn the_read_is_due(world: &World) {
    assert_eq!(world.planned_role_lists_are_due().await, 1, "a check is planned");
}

/// Jobs that wait because the role gives Administrator.
async fn suspended(world: &World) -> usize {
    let said = "suspended: it gives Administrator;";
    world.jobs_where(|job| job.is(JobState::Parked) && job.outcome.starts_with(said)).await
}

async fn map(world: &World, price: &str, role: u64) -> Result<String, String> {
    world.of_guild(&["map", "add", "--price", price, "--role", &role.to_string()]).await
}

async fn reads(world: &World) -> usize {
    world.discord_calls_where(|call| call.method == "GET" && call.path.ends_with("/roles")).await
}

#[tokio::test]
async fn a_role_known_to_be_dangerous_is_not_mapped() {
    let mut world = World::without_services().await;
    // The sandbox' own roles, and roles of every kind that is not ours to give.
    let mut refused = vec![(world.guild, "@everyone".to_owned())];
    for (change, said) in [
        (json!({ "permissions": ADMINISTRATOR }), "it gives Administrator"),
        (json!({ "permissions": "268435460" }), "it gives Ban Members; Manage Roles"),
        (json!({ "permissions": "131072" }), "it gives Mention @everyone, @here, and All Roles"),
        (json!({ "managed": true, "tags": { "premium_subscriber": null } }), "boost the server"),
        (
            json!({ "managed": true, "tags": { "integration_id": "1100000000000000077" } }),
            "an integration gives it",
        ),
        (json!({ "tags": { "guild_connections": null } }), "linked account"),
    ] {
        let role = world.discord.create_role(world.guild, "Over-privileged").await.unwrap();
        world.discord.set_role(world.guild, role, change).await.unwrap();
        refused.push((role, said.to_owned()));
    }
    let harmless = world.discord.create_role(world.guild, "Supporter").await.unwrap();
    set(&world, harmless, "104188993").await;
    // No later than its session's start: what it hears of a role makes the list that it has just read an old one.
    world.start_bot().await;
    world.until_the_session_has_read_the_roles().await;
    assert_eq!(world.dangerous_roles().await, 8, "with the bot's own and @everyone");
    for (role, said) in refused {
        let refusal = map(&world, "price_other", role).await.unwrap_err();
        assert!(refusal.contains(&said) && refusal.contains(&role.to_string()), "{refusal}");
    }
    assert_eq!(world.mappings().await, 0, "nothing was written");
    map(&world, "price_other", harmless).await.unwrap();
    world.finish().await;
}

/// Who gives a role does not change with time; permissions do.
#[tokio::test]
async fn a_role_that_discord_gives_is_refused_also_while_the_list_is_unread() {
    let mut world = World::without_services().await;
    let [boosters, over_privileged] = [
        json!({ "managed": true, "tags": { "premium_subscriber": null } }),
        json!({ "permissions": ADMINISTRATOR }),
    ];
    let mut made = Vec::new();
    for change in [boosters, over_privileged] {
        let role = world.discord.create_role(world.guild, "Other").await.unwrap();
        world.discord.set_role(world.guild, role, change).await.unwrap();
        made.push(role);
    }
    world.start_bot().await;
    world.until_the_session_has_read_the_roles().await;
    assert_eq!(world.dangerous_roles().await, 4, "with the bot's own and @everyone");
    world.role_lists_are_days_old_and_wrong().await;
    let refusal = map(&world, "price_other", made[0]).await.unwrap_err();
    assert!(refusal.contains("boost the server. Map another role"), "{refusal}");
    // Somebody may have taken the permission from it since.
    map(&world, "price_other", made[1]).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_role_that_discord_gives_is_caught_at_the_first_check_with_what_helps() {
    let mut world = World::without_services().await;
    let owner = world.discord.join(world.guild, "owner").await.unwrap();
    let cases = [
        (json!({ "managed": true, "tags": { "premium_subscriber": null } }), "boost the server"),
        (json!({ "managed": true, "tags": { "integration_id": "1100000000000000077" } }), "an integration"),
        (json!({ "managed": true, "tags": { "available_for_purchase": null } }), "Discord sells it"),
        (json!({ "managed": false, "tags": { "guild_connections": null } }), "linked account"),
    ];
    let mut roles = vec![];
    for (n, (change, _)) in cases.iter().enumerate() {
        let role = world.discord.create_role(world.guild, "Other").await.unwrap();
        world.discord.set_role(world.guild, role, change.clone()).await.unwrap();
        // The bot has never run: nothing is known of the role.
        map(&world, &format!("price_{n}"), role).await.unwrap();
        roles.push(role);
    }
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    let listed = world.map_list().await;
    for (_, said) in cases {
        let line =
            listed.lines().find(|line| line.contains(said)).unwrap_or_else(|| panic!("{said}: {listed}"));
        assert!(line.contains("SUSPENDED") && line.ends_with("Map another role."), "{line}");
    }
    let status = world.status_for(owner).await;
    assert!(!status.contains("Take those permissions"), "{status}");
    assert!(status.contains("Map another role"), "{status}");
    // The doctor says the same.
    world.set("DISCORD_TOKEN", "any-token");
    let said = world.doctor_with_variables().await;
    assert_eq!(said.matches("nobody can give it").count(), roles.len(), "{said}");
    world.close().await;
}

#[tokio::test]
async fn a_role_that_nobody_checked_is_given_only_when_it_is_fixed() {
    let mut world = World::without_services().await;
    set(&world, world.vip, ADMINISTRATOR).await;
    // The bot has never run: nothing is known of the role.
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let (ana, owner) = (world.member().await, world.discord.join(world.guild, "owner").await.unwrap());
    world.subscribes(&ana).await;
    world.until("the job waits", async || suspended(&world).await == 1).await;
    assert_eq!(world.audit(AuditAction::RoleSuspended).await, 1);
    assert!(world.role_calls().await.is_empty());
    let (listed, explained) = (world.map_list().await, world.why(&ana).await);
    assert!(listed.contains("SUSPENDED: it gives Administrator."), "{listed}");
    assert!(explained.contains("suspended: it gives Administrator"), "{explained}");
    let status = world.status_for(owner).await;
    assert!(status.contains(&format!("<@&{}> is suspended", world.vip)), "{status}");
    // Another who pays costs Discord nothing.
    let calls = world.discord.requests().await.unwrap().len();
    let ben = world.member().await;
    world.subscribes(&ben).await;
    world.until("Ben's job waits too", async || suspended(&world).await == 2).await;
    let more: Vec<_> = world.discord.requests().await.unwrap().split_off(calls);
    assert!(!more.iter().any(|call| call.path.contains("/members/")), "{more:?}");

    set(&world, world.vip, "0").await;
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    assert_eq!(world.audit(AuditAction::RoleSuspended).await, 1, "said once");
    assert_eq!(world.audit(AuditAction::RoleResumed).await, 1);
    assert!(!world.map_list().await.contains("SUSPENDED"));
    world.finish().await;
}

#[tokio::test]
async fn a_role_that_becomes_dangerous_is_given_to_nobody_else_and_taken_from_nobody() {
    let world = World::start().await;
    let (ana, ben, carl) = (world.member().await, world.member().await, world.member().await);
    let subscription = world.subscribes(&ana).await;
    world.subscribes(&ben).await;
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;

    set(&world, world.vip, ADMINISTRATOR).await;
    world.until("the bot has heard", async || world.role_list_is(|list| list.is_older_than_hint).await).await;
    // The list is not read yet: roles may still be dragged about.
    world.subscribes(&carl).await;
    world.until("Carl's job waits", async || suspended(&world).await == 1).await;
    // Ben leaves and comes back: that he had it does not give it to him again.
    world.discord.leave(world.guild, ben.user).await.unwrap();
    world.discord.rejoin(world.guild, ben.user).await.unwrap();
    world.until("Ben's job waits too", async || suspended(&world).await == 2).await;
    assert_eq!(world.role_calls().await, ["PUT 204"; 2], "nothing since");
    assert!(world.has(&ana, world.vip).await, "who has it keeps it");

    // What we gave is taken when its time comes, whatever it may do by now.
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    assert_eq!(world.audit(AuditAction::RoleSuspended).await, 1);

    set(&world, world.vip, "0").await;
    world.until_vip(&ben).await;
    world.until_vip(&carl).await;
    world.finish().await;
}

/// A suspended role that a moderator took, and gives back by hand.
#[tokio::test]
async fn while_a_role_is_suspended_what_is_given_by_hand_is_not_ours_a_minute_later() {
    let world = World::start().await;
    let ana = world.member().await;
    let first = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    set(&world, world.vip, ADMINISTRATOR).await;
    world.until("the bot has heard", async || world.role_list_is(|list| list.is_older_than_hint).await).await;
    world.discord.take_role(world.guild, ana.user, world.vip).await.unwrap();
    let second = world.subscribes(&ana).await;
    world.until("Ana's job waits", async || suspended(&world).await == 1).await;
    world.later(1).await;
    world.until("nothing is held because of us", async || world.grants().await == 0).await;
    world.discord.give_role(world.guild, ana.user, world.vip).await.unwrap();
    for subscription in [first, second] {
        world.stripe.cancel(&subscription).await.unwrap();
    }
    world.until("she does not pay any more", async || world.sources_live().await == 0).await;
    world.settle().await;
    assert!(world.has(&ana, world.vip).await, "a moderator gave it");
    world.close().await;
}

#[tokio::test]
async fn what_nobody_told_is_read_before_a_role_is_given() {
    let mut world = World::without_services().await;
    // The Gateway stays silent for good.
    world.discord.fault(sandbox::Fault::status(503).on("GET", "/gateway").times(100_000)).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    set(&world, world.vip, ADMINISTRATOR).await;
    world.role_lists_age().await;
    world.subscribes(&ben).await;
    world.until("Ben's job waits", async || suspended(&world).await == 1).await;
    assert_eq!(world.role_calls().await, ["PUT 204"]);
    // Nor is it told that the role was fixed.
    set(&world, world.vip, "0").await;
    the_read_is_due(&world).await;
    world.until_vip(&ben).await;
    world.finish().await;
}

#[tokio::test]
async fn until_discord_says_what_a_role_may_do_it_is_not_given() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // A list that is cut off, one of another server, none at all.
    for body in [json!([]), json!([{ "id": "7", "name": "x", "permissions": "0", "managed": false }])] {
        let fault = sandbox::Fault::status(200).on("GET", "/roles").times(1).body(body);
        world.discord.fault(fault).await.unwrap();
    }
    world.discord.fault(sandbox::Fault::status(503).on("GET", "/roles").times(100_000)).await.unwrap();
    world.role_lists_age().await;
    world.subscribes(&ben).await;
    let waits = |job: &Job| {
        let said = "the list of roles could not be read";
        job.is(JobState::Pending) && job.attempts > 0 && job.outcome.starts_with(said)
    };
    world.until("Ben's job waits", async || world.jobs_where(waits).await == 1).await;
    // Meanwhile who stops paying loses the role: that needs no such list.
    world.stripe.cancel(&subscription).await.unwrap();
    world.until("Ana has lost it", async || !world.has(&ana, world.vip).await).await;
    assert_eq!(world.role_calls().await, ["PUT 204", "DELETE 204"]);
    world.discord.clear_faults().await.unwrap();
    world.jobs_are_due().await;
    world.until_vip(&ben).await;
    world.finish().await;
}

#[tokio::test]
async fn giving_a_role_to_many_costs_one_reading() {
    let world = World::start().await;
    let read = async || world.role_list_is(RoleList::is_settled).await;
    world.until("the session's first reading is done", read).await;
    world.role_lists_age().await;
    let before = reads(&world).await;
    let mut members = Vec::new();
    for _ in 0..25 {
        let member = world.member().await;
        world.subscribes(&member).await;
        members.push(member);
    }
    for member in &members {
        world.until_vip(member).await;
    }
    assert_eq!(reads(&world).await - before, 1);
    world.finish().await;
}

/// What a call brings that was begun before a change must not hide the change.
#[tokio::test]
async fn an_older_list_never_replaces_a_newer_one() {
    // Without the bot: it would read the list itself.
    let world = World::without_services().await;
    world.map("price", &world.price, world.vip).await;
    let (guild, role) = (GuildId::from_u64(world.guild).unwrap(), RoleId::from_u64(world.vip).unwrap());
    let long = std::time::Duration::from_secs(600);
    let bot = world.login(shared::db::pg_roles::Login::Bot);
    let write = async |danger: Option<&str>, age: u64| {
        let judged = [(role, danger.map(str::to_owned))].into_iter().collect();
        let mut tenant = shared::db::tenant::begin(&bot, guild).await.unwrap();
        guild_roles::write(&mut tenant, &judged, std::time::Duration::from_secs(age), long).await.unwrap();
        tenant.commit().await.unwrap();
        let mut tenant = shared::db::tenant::begin(&bot, guild).await.unwrap();
        let wanted = [role].into_iter().collect();
        guild_roles::known(&mut tenant, &wanted, long).await.unwrap()
    };
    let known = write(Some("it gives Administrator"), 0).await;
    assert!(known.is_fresh && known.roles[&role].is_some());
    let known = write(None, 30).await;
    assert!(known.is_fresh && known.roles[&role].is_some(), "the older one is dropped");
    let mut tenant = shared::db::tenant::begin(&bot, guild).await.unwrap();
    guild_roles::hint(&mut tenant).await.unwrap();
    tenant.commit().await.unwrap();
    // Newer than the last list, older than the hint: what was hinted at may be missing in it.
    world.role_lists_are_an_hour_old().await;
    assert!(!write(None, 30).await.is_fresh);
    assert!(write(None, 0).await.is_fresh);
    bot.close().await;
    world.close().await;
}
