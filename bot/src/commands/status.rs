//! `/status`: how this server is doing, in a screen.

use serenity::all::Permissions;
use shared::{
    domain::activity::{Activity, ActivityEntry},
    ids::{GuildId, RoleId, UserId},
    store::{
        activity,
        database::within,
        guild_roles,
        summary::{Summary, summary},
        tenant,
    },
};

use super::Context;

/// How Nexrole is doing in this server
#[poise::command(slash_command, guild_only, default_member_permissions = "MANAGE_GUILD", ephemeral)]
pub(super) async fn status(ctx: Context<'_>) -> anyhow::Result<()> {
    // First of all: Discord waits three seconds for an answer.
    ctx.defer_ephemeral().await?;
    // Admins may open a command to everybody in Discord's settings; what it shows stays theirs.
    let permissions = match ctx {
        poise::Context::Application(context) => {
            context.interaction.member.as_ref().and_then(|member| member.permissions)
        }
        poise::Context::Prefix(_) => None,
    };
    if !permissions.is_some_and(|permissions| {
        permissions.intersects(Permissions::MANAGE_GUILD | Permissions::ADMINISTRATOR)
    }) {
        ctx.say("This is for people with the **Manage Server** permission.").await?;
        return Ok(());
    }
    let Some(guild) = ctx.guild_id().and_then(|guild| GuildId::from_u64(guild.get())) else {
        ctx.say("Use this in a server.").await?;
        return Ok(());
    };
    let found = within(async {
        let mut tenant = tenant::begin(&ctx.data().pool, guild).await?;
        let found = (summary(&mut tenant).await?, guild_roles::suspended(&mut tenant).await?);
        let user = UserId::from_u64(ctx.author().id.get());
        let entry = ActivityEntry { user, ..Activity::StatusRead.into() };
        activity::record(&mut tenant, entry).await?;
        tenant.commit().await?;
        Ok(found)
    });
    let (found, suspended) = found.await?;
    let text = found.map_or_else(|| NOT_SET_UP.to_owned(), |summary| text(&summary, &suspended));
    ctx.say(text).await?;
    Ok(())
}

/// Suspended roles that are named one by one: a message has 2,000 characters.
const MOST: usize = 3;

const NOT_SET_UP: &str = "**Nexrole is not set up in this server.**\nThe operator connects Stripe to it by setting \
                          `GUILD_ID`, `STRIPE_SECRET_KEY` and `STRIPE_WEBHOOK_SECRET`, then maps a price to a role.";

fn text(s: &Summary, suspended: &[(RoleId, String)]) -> String {
    let mut lines = vec!["**Nexrole in this server**".to_owned()];
    lines.push(match s.last_read {
        Some(at) => {
            format!("Stripe: {}, last read <t:{}:R>", count(s.connections, "connection"), at.unix_timestamp())
        }
        None => format!("Stripe: {}, nothing read yet", count(s.connections, "connection")),
    });
    lines.push(format!("Mapped to roles: {}", count(s.mappings, "price or product")));
    lines.push(format!("Paying: {}", count(s.subscriptions, "subscription")));
    lines.push(format!("Roles held because of Nexrole: {}", s.roles_held));
    if s.pending + s.unread > 0 {
        lines.push(format!(
            "On their way: {}, {} to read from Stripe",
            count(s.pending, "role change"),
            s.unread
        ));
    }
    let mut todo = Vec::new();
    if s.mappings == 0 {
        todo.push("No price is mapped to a role yet: nobody can get one.".to_owned());
    }
    if s.unlinked > 0 {
        todo.push(format!(
            "{} of people who are not linked to a Discord member.",
            count(s.unlinked, "paid subscription")
        ));
    }
    if let Some(trouble) = &s.trouble {
        todo.push(format!("Stripe cannot be read: {trouble}. Nobody loses a role by that."));
    }
    if s.observed_roles > 0 {
        todo.push(format!(
            "{} only observed, because members held it before: nothing is changed until the operator turns it on \
             (`nexrole map preview`, then `nexrole map enforce`).",
            if s.observed_roles == 1 { "1 role is".to_owned() } else { format!("{} roles are", s.observed_roles) }
        ));
    }
    for (role, danger) in suspended.iter().take(MOST) {
        todo.push(format!(
            "<@&{role}> is suspended: {danger}. Nobody is given it; who has it keeps it while they pay. Take those permissions from it \
             (Server Settings, Roles); then it goes on."
        ));
    }
    if suspended.len() > MOST {
        todo.push(format!("{} more are suspended too: `nexrole map list`.", suspended.len() - MOST));
    }
    if s.parked_roles > 0 {
        todo.push(format!(
            "Discord does not let Nexrole manage {}: give it **Manage Roles**, and move its own role above them \
             (Server Settings, Roles).",
            count(s.parked_roles, "role")
        ));
    }
    if s.parked > 0 {
        todo.push(format!(
            "{} waiting: for the member to join, or for the above.",
            count(s.parked, "role change")
        ));
    }
    if todo.is_empty() && s.pending + s.unread == 0 {
        lines.push("Everything is up to date.".to_owned());
    } else if !todo.is_empty() {
        lines.push("\n**To look at**".to_owned());
        lines.extend(todo.into_iter().map(|item| format!("- {item}")));
    }
    lines.join("\n")
}

fn count(n: i64, what: &str) -> String {
    let plural =
        what.strip_suffix("product").map_or_else(|| format!("{what}s"), |_| "prices or products".to_owned());
    if n == 1 { format!("1 {what}") } else { format!("{n} {plural}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Summary = Summary {
        connections: 1,
        mappings: 2,
        subscriptions: 12,
        unlinked: 0,
        roles_held: 12,
        pending: 0,
        parked: 0,
        observed_roles: 0,
        parked_roles: 0,
        unread: 0,
        trouble: None,
        last_read: None,
    };

    #[test]
    fn a_quiet_server() {
        assert_eq!(
            text(&QUIET, &[]),
            "**Nexrole in this server**\nStripe: 1 connection, nothing read yet\nMapped to roles: 2 prices or products\n\
             Paying: 12 subscriptions\nRoles held because of Nexrole: 12\nEverything is up to date."
        );
    }

    #[test]
    fn what_needs_a_person_is_said_with_its_fix() {
        let text =
            text(&Summary { mappings: 0, unlinked: 1, parked: 3, parked_roles: 1, pending: 1, ..QUIET }, &[]);
        for part in [
            "On their way: 1 role change, 0 to read from Stripe",
            "No price is mapped",
            "1 paid subscription of people who are not linked",
            "does not let Nexrole manage 1 role: give it **Manage Roles**",
            "3 role changes waiting",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains("up to date"));
    }

    #[test]
    fn a_suspended_role_is_named_with_its_reason_and_many_fit_a_message() {
        let every = "it gives Kick Members; Ban Members; Administrator; Manage Channels; Manage Server; View Audit Log; \
                     Mention @everyone, @here, and All Roles; Manage Messages; View Server Insights; Mute Members; Deafen \
                     Members; Move Members; Manage Nicknames; Manage Roles; Manage Webhooks; Manage Expressions; Manage Events; \
                     Manage Threads and Posts; Timeout Members; View Server Monetization Analytics; Pin Messages";
        let suspended: Vec<_> = (1..=250)
            .map(|n| (RoleId::from_u64(1_100_000_000_000_000_000 + n).unwrap(), every.to_owned()))
            .collect();
        let text = text(&QUIET, &suspended);
        assert!(
            text.contains("- <@&1100000000000000001> is suspended: it gives Kick Members; Ban"),
            "{text}"
        );
        assert!(text.contains("247 more") && !text.contains("up to date"), "{text}");
        assert!(text.chars().count() <= 2000, "{} characters", text.chars().count());
    }

    #[test]
    fn what_is_on_its_way_is_not_up_to_date_and_trouble_is_said() {
        assert!(!text(&Summary { unread: 1, ..QUIET }, &[]).contains("up to date"));
        let trouble = Some("Stripe refused the key with status 401".to_owned());
        let text = text(&Summary { trouble, ..QUIET }, &[]);
        assert!(
            text.contains("Stripe cannot be read: Stripe refused the key") && !text.contains("up to date")
        );
    }
}
