//! First contact changes nothing: a role that members hold already is only observed until the owner turns it on.

use shared::domain::{audit::AuditAction, job::JobState, roles::enforcement::Enforcement};

use crate::support::world::{Audited, Job, MappedRole, World};

#[tokio::test]
async fn a_role_that_has_holders_is_observed_until_it_is_turned_on() {
    let mut world = World::without_services().await;
    // Somebody has the role by hand, from before.
    let veteran = world.member().await;
    world.discord.give_role(world.guild, veteran.user, world.vip).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until("the bot has checked", async || world.mapped_roles_where(is_observed).await == 1).await;

    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.subscribes(&veteran).await;
    let nobodys = world.stripe.create_customer(None, &[]).await.unwrap();
    world.stripe.subscribe(&nobodys, &world.price).await.unwrap();
    world.heard().await;
    world.settle().await;
    assert!(!world.has(&ana, world.vip).await, "nothing is changed");
    assert!(world.role_calls().await.is_empty());

    let (guild, role, user) = (world.guild.to_string(), world.vip.to_string(), ana.user.to_string());
    let list = world.nexrole(&["map", "list", "--guild", &guild]).await.unwrap();
    assert!(list.contains("only observed (1 had it before)") && list.contains(&world.price), "{list}");
    let preview = world.nexrole(&["map", "preview", "--guild", &guild, "--role", &role]).await.unwrap();
    let (gain, rest) = preview.split_once("\n\n").unwrap();
    assert!(
        gain.contains(&user) && rest.contains("lose it\n  nobody") && rest.contains(&nobodys),
        "{preview}"
    );
    let why = world.nexrole(&["why", "--guild", &guild, "--member", &user]).await.unwrap();
    assert!(why.contains("is active") && why.contains("only observed"), "{why}");

    let said = world.nexrole(&["map", "enforce", "--guild", &guild, "--role", &role]).await.unwrap();
    assert!(said.contains("follows payments. 2 member(s)"), "{said}");
    world.until_vip(&ana).await;
    // What a person gave stays a person's, also when its holder's payments end.
    assert_eq!(world.role_calls().await.len(), 1, "the veteran has it already");
    let audited =
        |entry: &Audited| entry.is(AuditAction::RoleObserved) || entry.is(AuditAction::RoleEnforced);
    assert_eq!(world.audit_where(audited).await, 2);
    world.finish().await;
}

fn is_observed(role: &MappedRole) -> bool {
    role.enforcement == Enforcement::Observe && role.holders == Some(1)
}

#[tokio::test]
async fn an_observed_role_is_taken_from_nobody() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let (guild, role) = (world.guild.to_string(), world.vip.to_string());
    let off = ["map", "enforce", "--guild", &guild, "--role", &role, "--observe"];
    assert!(world.nexrole(&off).await.unwrap().contains("only observed"));
    world.stripe.cancel(&subscription).await.unwrap();
    world.heard().await;
    world.settle().await;
    assert!(world.has(&ana, world.vip).await, "nothing is changed");
    let preview = world.nexrole(&["map", "preview", "--guild", &guild, "--role", &role]).await.unwrap();
    assert!(preview.contains(&format!("would lose it\n  member {}", ana.user)), "{preview}");
    world.nexrole(&["map", "enforce", "--guild", &guild, "--role", &role]).await.unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn until_discord_says_who_holds_a_role_nothing_is_changed() {
    let mut world = World::without_services().await;
    let fault = sandbox::Fault::status(503).on("GET", "member-counts").times(100_000);
    world.discord.fault(fault).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    let waits = |job: &Job| job.is(JobState::Pending) && job.outcome.starts_with("waits for the first check");
    world.until("the job waits", async || world.jobs_where(waits).await == 1).await;
    assert!(!world.has(&ana, world.vip).await);
    // Discord answers; the next check is due.
    world.discord.clear_faults().await.unwrap();
    world.role_checks_are_due().await;
    world.until_vip(&ana).await;
    world.finish().await;
}

/// What an operator does when a mistake has unlinked many: nothing is taken while it is put right.
#[tokio::test]
async fn while_roles_are_only_observed_links_that_were_lost_by_mistake_cost_nobody_theirs() {
    let world = World::start().await;
    let members = [world.member().await, world.member().await, world.member().await];
    for member in &members {
        world.subscribes(member).await;
        world.until_vip(member).await;
    }
    let role = world.vip.to_string();
    world.of_guild(&["map", "enforce", "--role", &role, "--observe"]).await.unwrap();
    for member in &members {
        world.of_guild(&["link", "remove", "--customer", &member.customer]).await.unwrap();
    }
    world.heard().await;
    world.settle().await;
    for member in &members {
        let user = member.user.to_string();
        world.of_guild(&["link", "add", "--customer", &member.customer, "--user", &user]).await.unwrap();
    }
    world.heard().await;
    world.of_guild(&["map", "enforce", "--role", &role]).await.unwrap();
    world.settle().await;
    for member in &members {
        assert!(world.has(member, world.vip).await);
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    assert_eq!(world.role_calls().await, ["PUT 204"; 3]);
    world.finish().await;
}
