//! `/status`: how this server is doing, in a screen.

use serenity::all::Permissions;
use shared::{
    db::{pool::within, tenant},
    domain::activity::{Activity, ActivityEntry},
    ids::{GuildId, UserId},
    store::{access_sources, activity_log, guild_gates, guild_roles, guild_summary::summary, member_links},
    views::{
        discord,
        server_status::{self, ServerStatus},
    },
};

use super::context::Context;

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
        let found = ServerStatus {
            summary: summary(&mut tenant).await?,
            suspended: guild_roles::suspended(&mut tenant).await?,
            refusal: guild_gates::refusal(&mut tenant).await?,
            disputes: member_links::disputes(&mut tenant).await?,
            unbacked: access_sources::unbacked(&mut tenant).await?,
        };
        let user = UserId::from_u64(ctx.author().id.get());
        let entry = ActivityEntry { user, ..Activity::StatusRead.into() };
        activity_log::record(&mut tenant, entry).await?;
        tenant.commit().await?;
        Ok(found)
    });
    let embed = discord::render(&server_status::document(&found.await?));
    ctx.send(poise::CreateReply::default().embed(super::render::embed(embed))).await?;
    Ok(())
}
