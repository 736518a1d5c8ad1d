//! The bot under jobs. In: members without their role, in some guilds. Out: how many a second got it, and what one cost.

use std::time::{Duration, Instant};

use anyhow::ensure;
use nexrole::children::Service;
use sandbox::discord::Actor;

use crate::{
    fixture::{Fixture, Guild},
    process,
    report::Figures,
};

/// For each member, so many jobs that need no call.
const WITHOUT_CALLS: usize = 20;
/// Invented members of whom Discord is never asked; no sandbox gives such ids.
const FIRST_INVENTED: i64 = 1_000_000_000_000;

pub(crate) async fn measure(fixture: &Fixture<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    for guild in &fixture.guilds {
        prepare(fixture, guild).await?;
    }
    let bot = fixture.start(Service::Bot).await?;
    figures.memory("bot, idle", process::memory(&bot)?);

    eprint!(", changing roles");
    let mut jobs = Vec::new();
    for guild in &fixture.guilds {
        for member in &guild.members {
            jobs.push((guild, i64::try_from(*member)?, guild.role));
        }
    }
    fixture.postgres.reset_counts().await?;
    let before = process::processor_time(&bot)?;
    let took = work(fixture, &jobs).await?;
    figures.rate("role changes", jobs.len(), took);
    figures.processor("role change", jobs.len(), process::processor_time(&bot)? - before);
    figures.counts("role change", jobs.len(), fixture.postgres.counts().await?);
    let applied = "SELECT /* benchmark */ count(*) FROM role_jobs WHERE state = 'applied'";
    let applied = fixture.number(applied).await?;
    let mut changed = 0;
    for guild in &fixture.guilds {
        let changes = fixture.discord.audit_log(guild.id).await?;
        changed += changes.iter().filter(|change| change.actor == Actor::Bot).count();
    }
    let wanted = jobs.len();
    ensure!(
        applied == i64::try_from(wanted)? && changed == wanted,
        "of {wanted} jobs {applied} are applied, and Discord saw {changed} changes"
    );

    eprint!(", taking turns");
    let mut jobs = Vec::new();
    for guild in &fixture.guilds {
        let invented = (FIRST_INVENTED..).take(guild.members.len() * WITHOUT_CALLS);
        jobs.extend(invented.map(|member| (guild, member, guild.observed)));
    }
    fixture.postgres.reset_counts().await?;
    let before = process::processor_time(&bot)?;
    let took = work(fixture, &jobs).await?;
    figures.rate("jobs without calls", jobs.len(), took);
    figures.processor("job without calls", jobs.len(), process::processor_time(&bot)? - before);
    figures.counts("job without calls", jobs.len(), fixture.postgres.counts().await?);
    let looked_at =
        fixture.number("SELECT /* benchmark */ count(*) FROM role_jobs WHERE state = 'noop'").await?;
    let wanted = jobs.len();
    ensure!(looked_at == i64::try_from(wanted)?, "of {wanted} jobs {looked_at} are settled");
    figures.peak("bot", process::memory(&bot)?);
    bot.stop().await
}

/// One role that follows payments, and one that is only observed.
async fn prepare(fixture: &Fixture<'_>, guild: &Guild) -> anyhow::Result<()> {
    let (id, role, observed) =
        (i64::try_from(guild.id)?, i64::try_from(guild.role)?, i64::try_from(guild.observed)?);
    for table in [
        "INSERT INTO guilds (guild_id) VALUES ($1) ON CONFLICT DO NOTHING",
        "INSERT INTO guild_gates (guild_id) VALUES ($1) ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(table).bind(id).execute(&fixture.db).await?;
    }
    let roles = "INSERT INTO mapped_roles (guild_id, role_id, enforcement) VALUES ($1, $2, 'on'), ($1, $3, 'observe')";
    sqlx::query(roles).bind(id).bind(role).bind(observed).execute(&fixture.db).await?;
    Ok(())
}

/// Each of these members is owed the role, and the bot is told; how long until it has settled all.
async fn work(fixture: &Fixture<'_>, jobs: &[(&Guild, i64, u64)]) -> anyhow::Result<Duration> {
    let (mut guilds, mut members, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    for (guild, member, role) in jobs {
        guilds.push(i64::try_from(guild.id)?);
        members.push(*member);
        roles.push(i64::try_from(*role)?);
    }
    let owed = "WITH /* benchmark */ jobs AS (
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS jobs (guild_id, user_id, role_id)
         ), sources AS (
             INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
             SELECT guild_id, user_id, role_id, 'stripe', 1, 'sub_benchmark', 'live', 'sub_benchmark is active' FROM jobs
         )
         INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause)
         SELECT guild_id, user_id, role_id, 'grant', 'sub_benchmark is active' FROM jobs";
    let mut transaction = fixture.db.begin().await?;
    sqlx::query(owed).bind(guilds).bind(members).bind(roles).execute(&mut *transaction).await?;
    sqlx::query("SELECT /* benchmark */ pg_notify($1, '')")
        .bind(shared::store::role_jobs::CHANNEL)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let began = Instant::now();
    let pending = "SELECT /* benchmark */ count(*) FROM role_jobs WHERE state = 'pending'";
    fixture.until("every job is settled", async || Ok(fixture.number(pending).await? == 0)).await?;
    Ok(began.elapsed())
}
