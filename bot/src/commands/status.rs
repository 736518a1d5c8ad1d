//! `/status`: how this server is doing, in a screen.

use serenity::all::Permissions;
use shared::{
    db::{pool::within, tenant},
    domain::{
        activity::{Activity, ActivityEntry},
        delivery::refusal::Refusal,
        roles::safety::remedy,
    },
    ids::{GuildId, RoleId, UserId},
    store::{
        access_sources::{self, Unbacked},
        activity_log, guild_gates, guild_roles,
        guild_summary::{Summary, summary},
        member_links::{self, Dispute},
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
        let found = (
            summary(&mut tenant).await?,
            guild_roles::suspended(&mut tenant).await?,
            guild_gates::refusal(&mut tenant).await?,
        );
        let links = Links {
            disputes: member_links::disputes(&mut tenant).await?,
            unbacked: access_sources::unbacked(&mut tenant).await?,
        };
        let user = UserId::from_u64(ctx.author().id.get());
        let entry = ActivityEntry { user, ..Activity::StatusRead.into() };
        activity_log::record(&mut tenant, entry).await?;
        tenant.commit().await?;
        Ok((found, links))
    });
    let ((found, suspended, refusal), links) = found.await?;
    let text = found.map_or_else(
        || NOT_SET_UP.to_owned(),
        |summary| text(&summary, &suspended, &links, refusal.as_ref()),
    );
    ctx.say(text).await?;
    Ok(())
}

/// What is odd about whose a purchase is.
#[derive(Default)]
struct Links {
    disputes: Vec<Dispute>,
    unbacked: Vec<Unbacked>,
}

/// Discord's limit of a message, in characters.
const LONGEST: usize = 2000;
const MORE: &str = "- There is more than fits here: `nexrole doctor`, `nexrole map list`.";

/// Suspended roles, and customers, that are named one by one.
const MOST: usize = 3;

/// Longer ones are cut.
const LONGEST_ID: usize = 60;

const NOT_SET_UP: &str = "**Nexrole is not set up in this server.**\nThe operator connects Stripe to it by setting \
                          `GUILD_ID`, `STRIPE_SECRET_KEY` and `STRIPE_WEBHOOK_SECRET`, then maps a price to a role.";

fn text(s: &Summary, suspended: &[(RoleId, String)], links: &Links, refusal: Option<&Refusal>) -> String {
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
    if s.absent > 0 {
        lines.push(format!(
            "Not in this Stripe account: {} that an event named (a test event, or another account's)",
            count(s.absent, "object")
        ));
    }
    let mut todo = Vec::new();
    if let Some(refusal) = refusal {
        todo.push(format!(
            "{refusal}. Role changes wait, and are tried again <t:{}:R>, or when the bot is invited.",
            refusal.until.unix_timestamp()
        ));
    }
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
    } else if let Some(failure) = &s.failure {
        todo.push(format!(
            "{} from Stripe did not work, others do: {failure}. Nobody loses a role by that.",
            count(s.failing, "read")
        ));
    }
    todo.extend(links.todo());
    if s.observed_roles > 0 {
        todo.push(format!(
            "{} only observed, because members held it before: nothing is changed until the operator turns it on \
             (`nexrole map preview`, then `nexrole map enforce`).",
            if s.observed_roles == 1 { "1 role is".to_owned() } else { format!("{} roles are", s.observed_roles) }
        ));
    }
    for (role, danger) in suspended.iter().take(MOST) {
        todo.push(format!(
            "<@&{role}> is suspended: {danger}. Nobody is given it; who has it keeps it while they pay. {}.",
            remedy(danger)
        ));
    }
    if suspended.len() > MOST {
        todo.push(format!("{} more are suspended too: `nexrole map list`.", suspended.len() - MOST));
    }
    for role in s.deleted_roles.iter().take(MOST) {
        todo.push(format!(
            "Role `{role}` was deleted in Discord: nobody can be given it. The operator maps another one to what it was sold by \
             (`nexrole map add`)."
        ));
    }
    if s.deleted_roles.len() > MOST {
        todo.push(format!("{} more were deleted too: `nexrole map list`.", s.deleted_roles.len() - MOST));
    }
    if s.taken > 0 {
        todo.push(format!(
            "{} taken from paying members at Discord, not by Nexrole: by a person or another bot. It is left so until they buy again \
             (`nexrole why` says when it was seen).",
            if s.taken == 1 { "1 role was".to_owned() } else { format!("{} roles were", s.taken) }
        ));
    }
    if s.parked_roles > s.two_factor_roles {
        todo.push(format!(
            "Discord does not let Nexrole manage {}: give it **Manage Roles**, and move its own role above them \
             (Server Settings, Roles).",
            count(s.parked_roles - s.two_factor_roles, "role")
        ));
    }
    if s.two_factor_roles > 0 {
        todo.push(format!(
            "Discord does not let Nexrole manage {}: this server wants two-factor authentication of its moderators, and the \
             owner of the bot's application must turn it on for their own account.",
            count(s.two_factor_roles, "role")
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
    fitting(lines)
}

/// As many lines as a message holds: Discord refuses a longer one whole.
fn fitting(mut lines: Vec<String>) -> String {
    let length = |lines: &[String]| lines.iter().map(|line| line.chars().count() + 1).sum::<usize>();
    if length(&lines) > LONGEST {
        while length(&lines) + MORE.len() > LONGEST {
            lines.pop();
        }
        lines.push(MORE.to_owned());
    }
    lines.join("\n")
}

impl Links {
    fn todo(&self) -> Vec<String> {
        let mut todo = Vec::new();
        for Dispute { customer_id, holder, named } in self.disputes.iter().take(MOST) {
            todo.push(format!(
                "Customer {} is linked to <@{holder}>, but its metadata at Stripe names <@{named}>. If the metadata is right, the \
                 operator runs `nexrole link remove`; otherwise correct it at Stripe.",
                code(customer_id.as_str())
            ));
        }
        if self.disputes.len() > MOST {
            let more = self.disputes.len() - MOST;
            todo.push(format!(
                "{more} more customers are linked to others than their metadata names: `nexrole doctor`."
            ));
        }
        if !self.unbacked.is_empty() {
            let sources = self.unbacked.iter().map(|customer| customer.sources).sum();
            let named: Vec<_> =
                self.unbacked.iter().take(MOST).map(|customer| code(customer.customer_id.as_str())).collect();
            let more = match self.unbacked.len().saturating_sub(MOST) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            todo.push(format!(
                "{} given for purchases on a Stripe account, or in a mode, that is not connected any more ({}{more}): not counted as paying, and nothing \
                 will show an end. `nexrole link remove` ends what a customer gives.",
                count(sources, "role"),
                named.join(", ")
            ));
        }
        todo
    }
}

/// An id that somebody made up, as Discord shows it and does not obey it, and not endless.
fn code(id: &str) -> String {
    let shown: String = id.chars().map(|c| if c == '`' { '\'' } else { c }).take(LONGEST_ID).collect();
    format!("`{shown}`")
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
        taken: 0,
        pending: 0,
        parked: 0,
        observed_roles: 0,
        deleted_roles: Vec::new(),
        parked_roles: 0,
        two_factor_roles: 0,
        unread: 0,
        absent: 0,
        trouble: None,
        failing: 0,
        failure: None,
        last_read: None,
    };

    #[test]
    fn a_quiet_server() {
        assert_eq!(
            text(&QUIET, &[], &Links::default(), None),
            "**Nexrole in this server**\nStripe: 1 connection, nothing read yet\nMapped to roles: 2 prices or products\n\
             Paying: 12 subscriptions\nRoles held because of Nexrole: 12\nEverything is up to date."
        );
    }

    #[test]
    fn what_needs_a_person_is_said_with_its_fix() {
        let text = text(
            &Summary { mappings: 0, unlinked: 1, parked: 3, parked_roles: 1, pending: 1, ..QUIET },
            &[],
            &Links::default(),
            None,
        );
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
    fn each_refusal_of_a_role_comes_with_what_helps() {
        let both = Summary { parked_roles: 3, two_factor_roles: 1, ..QUIET };
        let said = text(&both, &[], &Links::default(), None);
        assert!(said.contains("manage 2 roles: give it **Manage Roles**"), "{said}");
        assert!(said.contains("manage 1 role: this server wants two-factor authentication"), "{said}");
        let said =
            text(&Summary { parked_roles: 1, two_factor_roles: 1, ..QUIET }, &[], &Links::default(), None);
        assert!(!said.contains("Manage Roles"), "{said}");
    }

    #[test]
    fn a_server_that_discord_refuses_hears_what_discord_said_and_until_when() {
        let until = time::OffsetDateTime::from_unix_timestamp(1_795_322_309).unwrap();
        let said = text(&QUIET, &[], &Links::default(), Some(&Refusal { code: Some(10004), until }));
        assert!(said.contains("- Discord says that it does not know this server (code 10004)."), "{said}");
        assert!(said.contains("<t:1795322309:R>") && !said.contains("up to date"), "{said}");
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
        let text = text(&QUIET, &suspended, &Links::default(), None);
        assert!(
            text.contains("- <@&1100000000000000001> is suspended: it gives Kick Members; Ban"),
            "{text}"
        );
        assert!(text.contains("247 more") && !text.contains("up to date"), "{text}");
        assert!(text.chars().count() <= 2000, "{} characters", text.chars().count());
    }

    #[test]
    fn what_is_on_its_way_is_not_up_to_date_and_trouble_is_said() {
        assert!(!text(&Summary { unread: 1, ..QUIET }, &[], &Links::default(), None).contains("up to date"));
        let trouble = Some("Stripe refused the key with status 401".to_owned());
        let text = text(&Summary { trouble, ..QUIET }, &[], &Links::default(), None);
        assert!(
            text.contains("Stripe cannot be read: Stripe refused the key") && !text.contains("up to date")
        );
    }

    #[test]
    fn a_read_that_fails_among_others_is_not_all_of_stripe_and_an_absent_object_is_no_trouble() {
        let some = Summary { failing: 2, failure: Some("status 500".to_owned()), ..QUIET };
        let said = text(&some, &[], &Links::default(), None);
        assert!(said.contains("- 2 reads from Stripe did not work, others do: status 500"), "{said}");
        assert!(!said.contains("cannot be read"), "{said}");
        let said = text(&Summary { absent: 1, ..QUIET }, &[], &Links::default(), None);
        assert!(
            said.contains("Not in this Stripe account: 1 object") && said.contains("up to date"),
            "{said}"
        );
    }

    #[test]
    fn whose_a_purchase_is_in_words_that_discord_does_not_obey_and_that_fit() {
        let user = |n| UserId::from_u64(n).unwrap();
        let odd: Vec<_> = (0..9).map(|n| format!("{n}`**@everyone** {}", "x".repeat(200))).collect();
        let disputes = odd.iter().map(|id| Dispute {
            customer_id: id.parse().unwrap(),
            holder: user(1),
            named: user(2),
        });
        let unbacked = odd.iter().map(|id| Unbacked { customer_id: id.parse().unwrap(), sources: 2 });
        let links = Links { disputes: disputes.collect(), unbacked: unbacked.collect() };
        let said = text(&QUIET, &[], &links, None);
        for part in [
            "Customer `0'**@everyone** xxx",
            "is linked to <@1>, but its metadata at Stripe names <@2>",
            "6 more customers",
            "18 roles given for purchases on a Stripe account, or in a mode, that is not connected any more",
            "and 6 more",
        ] {
            assert!(said.contains(part), "{part} is missing in\n{said}");
        }
        assert!(
            said.chars().count() <= 2000 && !said.contains("up to date"),
            "{} characters",
            said.chars().count()
        );
    }

    #[test]
    fn what_does_not_fit_a_message_is_cut_at_a_line_and_said() {
        let danger = "it gives everything; ".repeat(20);
        let suspended: Vec<_> = (1..=9).map(|n| (RoleId::from_u64(n).unwrap(), danger.clone())).collect();
        let user = |n| UserId::from_u64(n).unwrap();
        let dispute = |n: u64| Dispute {
            customer_id: format!("cus_{n}").parse().unwrap(),
            holder: user(1),
            named: user(2),
        };
        let links = Links { disputes: (1..=9).map(dispute).collect(), unbacked: Vec::new() };
        let said = text(&QUIET, &suspended, &links, None);
        assert!(said.chars().count() <= 2000 && said.ends_with(MORE), "{} characters", said.chars().count());
        assert!(
            said.lines()
                .filter(|line| line.contains("is suspended"))
                .all(|line| line.ends_with(&format!("{}.", remedy(&danger)))),
            "{said}"
        );
    }
}
