//! Forgetting a member: everything goes that is about them, and nothing else.

use serde_json::{Value, json};
use shared::domain::audit::AuditAction;

use crate::support::world::{Audited, World};

/// Every row of every table, as text.
async fn everything(world: &World) -> String {
    let tables = world.database().rows_by_table().await;
    tables
        .iter()
        .map(|(table, rows)| {
            format!(
                "{table}
{}

",
                rows.join(
                    "
"
                )
            )
        })
        .collect()
}

#[tokio::test]
async fn an_erased_member_loses_the_role_and_leaves_no_trace_and_others_keep_theirs() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    for member in [&ana, &ben] {
        world.subscribes(member).await;
        world.until_vip(member).await;
    }
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    world.nexrole(&["why", "--guild", &guild, "--member", &member]).await.unwrap();
    let audited = async || world.audit_where(|_| true).await;
    // Her metadata at Stripe still names her: that is said, with what to do, and nothing is forgotten.
    let erase = ["erase", "--guild", &guild, "--member", &member];
    let refused = world.nexrole(&erase).await.unwrap_err();
    assert!(refused.contains(&format!("discord_user_id {member}. Remove that at Stripe")), "{refused}");
    assert!(everything(&world).await.contains(&member));
    world.until_vip(&ana).await;

    world.stripe.update_customer(&ana.customer, json!({ "metadata": {} })).await.unwrap();
    let before = audited().await;
    let said = world.nexrole(&erase).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    world.until_no_vip(&ana).await;
    let left = everything(&world).await;
    assert!(!left.contains(&member), "{left}");
    assert!(left.contains(&ben.user.to_string()));
    // What mirrors the owner's Stripe account has the customer's id, and nobody's name beside it.
    let named: Vec<&str> = left.split("\n\n").filter(|table| table.contains(ana.customer.as_str())).collect();
    for table in named {
        // Before it may stand one without rows.
        let name = table.trim_start().lines().next().unwrap();
        assert!(["customers", "stripe_events", "stripe_sync", "subscriptions"].contains(&name), "{table}");
    }
    world.until_vip(&ben).await;
    // What happened stays: in number, order and time, and the erasure itself.
    assert!(audited().await > before);
    let erased = |entry: &Audited| {
        entry.cause == "erased" && entry.user_id.is_none() && entry.is(AuditAction::RoleRevoked)
    };
    assert_eq!(world.audit_where(erased).await, 1);
    let export = world.nexrole(&["export", "--guild", &guild]).await.unwrap();
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["action"], "member.erased");
    assert!(!export.contains(&member));
    // Again, and for somebody who was never there: nothing to forget, and no error.
    let again = world.nexrole(&erase).await.unwrap();
    assert!(again.contains("Forgotten. 0 audit entries"), "{again}");
    world.close().await;
}

#[tokio::test]
async fn what_is_open_is_not_forgotten_and_the_command_says_what_it_waits_for() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.update_customer(&ana.customer, json!({ "metadata": {} })).await.unwrap();
    // Discord refuses to let the role be taken.
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.unwrap();
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    let erase = ["erase", "--guild", &guild, "--member", &member, "--wait", "3"];
    let refused = world.nexrole(&erase).await.unwrap_err();
    assert!(
        refused.contains("not forgotten yet: 1 role(s) held, 1 role change(s) on their way"),
        "{refused}"
    );
    world.close().await;
}

/// A member who asked is not stuck where Stripe cannot be read; and nobody loses a role by a try that failed.
#[tokio::test]
async fn without_stripes_word_nothing_ends_but_by_the_operators() {
    let mut world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stop_gateway().await;
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    let erase = ["erase", "--guild", &guild, "--member", &member, "--wait", "3"];
    for _ in 0..2 {
        let refused = world.nexrole(&erase).await.unwrap_err();
        assert!(refused.contains("to read from Stripe"), "also the second time: {refused}");
        assert!(world.has(&ana, world.vip).await);
    }
    let said = world.nexrole(&[&erase[..], &["--anyway"]].concat()).await.unwrap();
    assert!(said.contains("Forgotten.") && !said.contains("stay at Discord"), "{said}");
    assert!(!world.has(&ana, world.vip).await, "the bot took it meanwhile");
    assert!(!everything(&world).await.contains(&member));
    world.close().await;
}

/// A connection that is not used any more says nothing, and nobody waits for it.
#[tokio::test]
async fn what_a_disconnected_account_gave_ends_with_the_operators_word() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.connections_become("disconnected").await;
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    let said = world.nexrole(&["erase", "--guild", &guild, "--member", &member]).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    assert!(!world.has(&ana, world.vip).await);
    world.close().await;
}
