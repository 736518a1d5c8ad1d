//! What Discord says of the bot. In: the token, and the servers with their mapped roles. Out: what stands in the way of giving
//! those roles. Four kinds of GET.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use bot::{
    config::Config,
    discord::inspect::{ADMINISTRATOR, Application, Inspector, MANAGE_ROLES, Myself, Role},
};
use shared::{
    domain::{
        delivery::outcome::{CallOutcome, LimitScope},
        roles::{
            permissions::Permissions,
            safety::{Danger, RoleFacts, judge},
        },
    },
    ids::{GuildId, RoleId},
};
use webhook_gateway::login::discord::{Application as Login, CALLBACK};

use super::{
    clocks,
    findings::{Check, Findings},
};

/// More are only counted: each costs two calls.
const MOST: usize = 50;
const PORTAL: &str = "Discord, Developer Portal, your application, Bot";

/// Checks the bot, and the bot in each server: those that the variables name, and those that the database knows with their
/// mapped roles; `None`: it was not read.
pub(super) async fn check(
    findings: &mut Findings,
    config: &Config,
    named: &BTreeSet<GuildId>,
    mapped: Option<&BTreeMap<GuildId, Vec<RoleId>>>,
    login: Option<&Login>,
) {
    let inspector = match Inspector::new(&config.token, &config.discord_api_url) {
        Ok(inspector) => inspector,
        Err(error) => {
            return findings.fail(
                Check::DiscordToken,
                format!("no HTTP client: {error}"),
                "report this, please",
            );
        }
    };
    let myself = match inspector.myself().await {
        Ok(seen) => {
            clocks::judge_header(findings, Check::ClockDiscord, "Discord's", seen.date.as_deref());
            findings.ok(Check::DiscordToken, format!("Discord knows the bot as {}", seen.value.username));
            seen.value
        }
        Err(CallOutcome::TokenRejected) => {
            let fix = format!("{PORTAL}, Reset Token -> DISCORD_TOKEN");
            return findings.fail(Check::DiscordToken, "Discord refuses the token", fix);
        }
        Err(other) => {
            let fix = "try again; may this machine reach discord.com:443?";
            return findings.fail(Check::DiscordToken, said(&other), fix);
        }
    };
    let mut application = myself.id.to_string();
    match inspector.application().await {
        Ok(seen) if seen.may_hear_of_members() => {
            findings.ok(Check::DiscordIntents, "the Server Members intent is on");
            check_login(findings, login, &seen);
            application = seen.id;
        }
        Ok(seen) => {
            findings.warn(
                Check::DiscordIntents,
                "the Server Members intent is off: who joins is noticed within 6 hours instead of at once",
                format!("{PORTAL}, Privileged Gateway Intents: Server Members Intent"),
            );
            check_login(findings, login, &seen);
            application = seen.id;
        }
        Err(other) => {
            findings.fail(Check::DiscordIntents, said(&other), "try again");
            findings.ask(Check::DiscordLogin, "what Discord knows of the login was not read", "again");
        }
    }
    let servers: BTreeSet<GuildId> =
        named.iter().chain(mapped.iter().flat_map(|mapped| mapped.keys())).copied().collect();
    if mapped.is_none() {
        let again = "again, when the database answers";
        findings.ask(Check::DiscordServer, "which servers the database knows was not read", again);
        findings.ask(Check::DiscordRoles, "which roles are mapped was not read", again);
    } else if servers.is_empty() {
        let fix = "set GUILD_ID, or nexrole connect";
        findings.warn(Check::DiscordServer, "no server is set up yet", fix);
    }
    let mut well = Well::default();
    for guild in servers.iter().take(MOST) {
        let mapped = mapped.and_then(|mapped| mapped.get(guild)).map(Vec::as_slice);
        check_guild(findings, &inspector, &myself, &application, (*guild, mapped), &mut well).await;
    }
    if servers.len() > MOST {
        let detail = format!("{} more servers were not asked about", servers.len() - MOST);
        findings.warn(Check::DiscordServer, detail, "GUILD_ID=… nexrole doctor, for one of them");
    }
    for (check, count, what) in [
        (Check::DiscordServer, well.servers, "the bot is in"),
        (Check::DiscordPermissions, well.permissions, "it has Manage Roles, and not Administrator, in"),
        (Check::DiscordRoles, well.roles, "it can give every mapped role of"),
    ] {
        if count > 0 {
            findings.ok(check, format!("{what} {count} server{}", if count == 1 { "" } else { "s" }));
        }
    }
}

/// Whether who logs in is sent back; the secret is not tried.
fn check_login(findings: &mut Findings, login: Option<&Login>, seen: &Application) {
    const OAUTH2: &str = "Discord, Developer Portal, your application, OAuth2";
    let Some(login) = login else {
        let detail = "DISCORD_CLIENT_ID is not set: members are linked by metadata, or by hand";
        return findings.ok(Check::DiscordLogin, detail);
    };
    let back = format!("{}{CALLBACK}", login.public_url);
    if login.client_id != seen.id {
        let detail = format!("DISCORD_CLIENT_ID is not the bot's application ({})", seen.id);
        findings.warn(
            Check::DiscordLogin,
            detail,
            format!("{OAUTH2}, Client ID; or is that as it should be?"),
        );
    } else if seen.redirect_uris.contains(&back) {
        findings.ok(Check::DiscordLogin, format!("who logs in is sent back to {back}"));
    } else {
        let detail = format!("Discord would not send back to {back} who logs in");
        findings.fail(Check::DiscordLogin, detail, format!("{OAUTH2}, Redirects: add {back}"));
    }
}

#[derive(Default)]
struct Well {
    servers: usize,
    permissions: usize,
    roles: usize,
}

fn said(outcome: &CallOutcome) -> String {
    match outcome {
        CallOutcome::Transient(cause) => cause.to_string(),
        CallOutcome::RateLimited { after, scope: LimitScope::Everything | LimitScope::Guild } => {
            format!("Discord asks to wait {} s", after.as_secs())
        }
        CallOutcome::TokenRejected => "Discord refuses the token".to_owned(),
        CallOutcome::Forbidden { code } | CallOutcome::Refused { code, .. } => {
            format!("Discord refuses with code {code}")
        }
        CallOutcome::Done
        | CallOutcome::MemberGone
        | CallOutcome::RoleGone
        | CallOutcome::GuildGone { .. } => {
            format!("Discord's answer makes no sense here ({})", outcome.word())
        }
    }
}

async fn check_guild(
    findings: &mut Findings,
    inspector: &Inspector,
    myself: &Myself,
    application: &str,
    (guild, mapped): (GuildId, Option<&[RoleId]>),
    well: &mut Well,
) {
    let seen = match inspector.roles(guild).await {
        Ok(roles) => inspector.held(guild, myself.id).await.map(|held| (roles, held)),
        Err(error) => Err(error),
    };
    let (roles, held) = match seen {
        Ok(seen) => seen,
        Err(CallOutcome::GuildGone { .. } | CallOutcome::MemberGone) => {
            let invite = format!(
                "is the id right? Then invite it: https://discord.com/oauth2/authorize?client_id={application}\
                 &scope=bot+applications.commands&permissions={MANAGE_ROLES}"
            );
            return findings.fail(Check::DiscordServer, format!("the bot is not in server {guild}"), invite);
        }
        Err(other) => {
            let detail = format!("server {guild}: {}", said(&other));
            return findings.fail(Check::DiscordServer, detail, "try again");
        }
    };
    well.servers += 1;
    let everyone = RoleId::from_u64(guild.get());
    let of_bot = roles.iter().filter(|role| held.contains(&role.id) || Some(role.id) == everyone);
    let permissions = of_bot.fold(0, |sum, role| sum | role.permissions);
    let settings = "Discord, Server Settings, Roles";
    if permissions & ADMINISTRATOR != 0 {
        findings.warn(
            Check::DiscordPermissions,
            format!("server {guild}: the bot is Administrator, and needs Manage Roles alone"),
            format!("{settings}, the bot's role: Administrator off, Manage Roles on"),
        );
    } else if permissions & MANAGE_ROLES == 0 {
        findings.fail(
            Check::DiscordPermissions,
            format!("server {guild}: the bot lacks Manage Roles"),
            format!("{settings}, the bot's role: Manage Roles on"),
        );
    } else {
        well.permissions += 1;
    }
    let Some(mapped) = mapped else { return };
    let problems = out_of_reach(&roles, &held, everyone, mapped);
    let suspended = suspended(&roles, everyone, mapped);
    well.roles += usize::from(problems.is_empty() && suspended.is_empty());
    for (problem, fix) in problems {
        findings.fail(Check::DiscordRoles, format!("server {guild}: {problem}"), fix);
    }
    for (problem, fix) in suspended {
        findings.warn(Check::DiscordRoles, format!("server {guild}: {problem}"), fix);
    }
}

/// Higher rank first; of two roles at the same position the older one ranks higher
/// (<https://discord.com/developers/docs/topics/permissions#permission-hierarchy>).
fn rank(role: &Role) -> (i64, Reverse<RoleId>) {
    (role.position, Reverse(role.id))
}

/// The mapped roles that the bot cannot give, and what helps.
fn out_of_reach(
    roles: &[Role],
    held: &BTreeSet<RoleId>,
    everyone: Option<RoleId>,
    mapped: &[RoleId],
) -> Vec<(String, String)> {
    let highest = roles.iter().filter(|role| held.contains(&role.id)).max_by_key(|role| rank(role));
    let mut problems = Vec::new();
    for id in mapped {
        let Some(role) = roles.iter().find(|role| role.id == *id) else {
            problems.push((
                format!("the mapped role {id} does not exist any more"),
                "map another one: nexrole map add".to_owned(),
            ));
            continue;
        };
        let name = &role.name;
        if Some(role.id) == everyone || role.managed_by().is_some() {
            let why = role.managed_by().map_or(Danger::Everyone, Danger::ManagedBy);
            problems.push((
                format!("the mapped role {name}: {why}; nobody can give it"),
                "map another one: nexrole map add".to_owned(),
            ));
        } else if highest.is_none_or(|highest| rank(highest) <= rank(role)) {
            let own = highest.map_or("the bot's role", |highest| highest.name.as_str());
            problems.push((
                format!("the mapped role {name} is above the bot's highest, {own}"),
                format!("Discord, Server Settings, Roles: drag {own} above {name}"),
            ));
        }
    }
    problems
}

/// The mapped roles that the bot could give, and gives to nobody else: their holders would have power over the server.
fn suspended(roles: &[Role], everyone: Option<RoleId>, mapped: &[RoleId]) -> Vec<(String, String)> {
    let permissions = |role: &Role| Permissions(role.permissions.into());
    let of_all = roles.iter().find(|role| Some(role.id) == everyone).map(permissions).unwrap_or_default();
    let ours =
        |role: &&Role| mapped.contains(&role.id) && Some(role.id) != everyone && role.managed_by().is_none();
    let judged = roles.iter().filter(ours).filter_map(|role| {
        let facts = RoleFacts { permissions: permissions(role), ..RoleFacts::default() };
        let danger = judge(&facts, of_all).err()?;
        Some((
            format!("the mapped role {} is given to nobody else: {danger}", role.name),
            format!("Discord, Server Settings, Roles, {}: switch that off", role.name),
        ))
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> RoleId {
        RoleId::from_u64(n).unwrap()
    }

    fn role(n: u64, position: i64, managed: bool) -> Role {
        let role = serde_json::json!({
            "id": n.to_string(), "name": format!("r{n}"), "position": position, "permissions": "0", "managed": managed,
        });
        serde_json::from_value(role).unwrap()
    }

    #[test]
    fn a_role_is_in_reach_below_the_bots_highest_and_the_older_of_two_equals_is_higher() {
        let roles = [
            role(1, 0, false),
            role(5, 10, true),
            role(2, 9, false),
            role(3, 11, false),
            role(4, 10, false),
            role(6, 10, false),
            role(7, 1, true),
        ];
        let held = BTreeSet::from([id(5)]);
        let wrong = |n: u64| out_of_reach(&roles, &held, Some(id(1)), &[id(n)]);
        assert!(wrong(2).is_empty() && wrong(6).is_empty());
        for (n, word) in [
            (3, "above"),
            (4, "above"),
            (5, "Discord manages it"),
            (7, "Discord manages it"),
            (1, "@everyone"),
            (9, "not exist"),
        ] {
            let wrong = wrong(n);
            assert!(wrong.len() == 1 && wrong[0].0.contains(word), "{n}: {wrong:?}");
        }
        let with = |permissions, mut role: Role| {
            role.permissions = permissions;
            role
        };
        let powerful = with(1 << 17 | 1 << 2, role(2, 9, false));
        for (of_all, expected) in [(0, "Ban Members; Mention @everyone"), (1 << 17, "it gives Ban Members")] {
            let roles = [with(of_all, role(1, 0, false)), powerful.clone(), role(3, 1, false)];
            let said = suspended(&roles, Some(id(1)), &[id(2), id(3)]);
            assert!(said.len() == 1 && said[0].0.contains(expected), "{said:?}");
            assert!(suspended(&roles, Some(id(1)), &[id(1), id(3)]).is_empty());
        }
        let nothing = out_of_reach(&roles, &BTreeSet::new(), Some(id(1)), &[id(2)]);
        assert!(nothing[0].1.contains("the bot's role above r2"), "{nothing:?}");
    }
}
