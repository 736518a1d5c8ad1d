//! `nexrole why`: everything that is known of why a member has, or lacks, a role. Text on stdout.

use shared::{
    db::pool::Pool,
    domain::{
        activity::Activity,
        delivery::refusal,
        roles::{enforcement::Enforcement, grant::GrantState},
    },
    ids::{GuildId, UserId},
    store::why,
};

use super::{
    activity,
    guild::known,
    text::{customer_option, dispute, held_up, lines, when},
};

pub(super) async fn show(pool: &Pool, guild: GuildId, member: UserId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let story = why::story(&mut tenant, member).await?;
    activity::write_down(tenant, Activity::MemberRead, Some(member)).await?;
    println!("Member {member} of server {guild}");
    println!("\nStripe customers that are this member");
    lines(&story.customers, "none: link one with `nexrole link add`, or by metadata at Stripe", |customer| {
        let why::Customer { customer_id, holder, named } = customer;
        match named {
            Some(named) if named != holder => {
                format!("{customer_id}  {}", dispute(guild, customer_id, *holder, *named))
            }
            _ => customer_id.clone(),
        }
    });
    if !story.subscriptions.is_empty() {
        println!("\nSubscriptions whose own metadata names this member");
        lines(&story.subscriptions, "none", |(subscription, customer)| {
            format!("{subscription} of {customer}")
        });
    }
    if !story.for_others.is_empty() {
        println!("\nSubscriptions of theirs that are for others");
        lines(&story.for_others, "none", |(subscription, customer, other)| {
            format!(
                "{subscription} of {customer}  is {other}'s: its own metadata at Stripe names them, and counts first"
            )
        });
    }
    println!("\nReasons for a role");
    lines(&story.sources, "none: nothing this member pays for is mapped to a role", |source| {
        let state = match (source.enforcement, &source.danger) {
            _ if story.deleted.contains(&source.role_id) => {
                "  (the role was deleted in Discord: `nexrole map list` says what to do)".to_owned()
            }
            (Some(_), Some(danger)) => {
                format!("  (the role is suspended: {danger}; `nexrole map list` says what to do)")
            }
            (Some(Enforcement::On), None) => String::new(),
            (Some(Enforcement::Unseen), None) => {
                "  (waits for the bot to look who holds the role)".to_owned()
            }
            (Some(Enforcement::Observe), None) => {
                "  (the role is only observed: see `nexrole map preview`)".to_owned()
            }
            (None, _) => "  (the role is not mapped)".to_owned(),
        };
        let since = when(source.changed_at);
        let unbacked = unbacked(guild, source).unwrap_or_default();
        format!(
            "role {}  {}  {} since {since}{state}{unbacked}",
            source.role_id, source.state, source.evidence
        )
    });
    println!("\nRoles that Discord holds because of us");
    lines(&story.held, "none", |held| {
        if story.deleted.contains(&held.role_id) {
            format!("role {}  was deleted in Discord: nobody has it any more", held.role_id)
        } else {
            format!("role {}  {}", held.role_id, held_words(held))
        }
    });
    println!("\nRole changes that wait");
    let now = shared::clock::now();
    if let Some(closed) = story.closed {
        println!("  {}", held_up(closed));
    }
    lines(&story.jobs, "none", |job| {
        let outcome = match (&job.outcome, job.probe_at) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(_)) => refusal::of_role(job.code.map(i32::cast_unsigned)),
            (None, None) => "not tried yet".to_owned(),
        };
        let at = refusal::tried_at(job.due_at, story.closed, job.probe_at);
        let next = if at > now {
            format!("next look {}", when(at))
        } else {
            format!("due since {}, when the bot runs and has done what is before it", when(at))
        };
        format!("{} role {}  {}  {next}  {outcome}", job.action, job.role_id, job.state)
    });
    println!("\nWhat happened, newest first");
    lines(&story.history, "nothing yet", |event| {
        let role = event.role_id.map(|role| format!(" role {role}")).unwrap_or_default();
        format!("{}  {:<13} {role}  by {}: {}", when(event.at), event.action, event.actor, event.cause)
    });
    Ok(())
}

/// A live reason whose end no read will show: why, and what helps.
fn unbacked(guild: GuildId, source: &why::Source) -> Option<String> {
    let customer = source.customer_id.as_ref().filter(|_| source.state == "live")?;
    let why = if source.is_active {
        let since = when(source.missing_since?);
        format!("the Stripe account that is connected has no such subscription since {since}")
    } else {
        let mode = if source.livemode { "live" } else { "test" };
        format!("bought in {mode} mode on a Stripe connection that is not connected any more")
    };
    let customer = customer_option(customer);
    Some(format!(
        "  ({why}: it does not count as paying, and does not end by itself; `nexrole link remove --guild {guild} {customer}` ends it)"
    ))
}

fn held_words(held: &why::Held) -> String {
    if let Some(at) = held.taken_at {
        return format!("taken from them at Discord, not by us; seen {}", when(at));
    }
    let state = match (held.state, held.confirmed_at) {
        (GrantState::Intended, _) | (GrantState::Confirmed, None) => "being given".to_owned(),
        (GrantState::Confirmed, Some(at)) => format!("confirmed by Discord {}", when(at)),
        (GrantState::Ending, _) => "taken; looked at once more, to see that it stays away".to_owned(),
    };
    match held.absent_since {
        Some(at) => format!("{state}; not there, said Discord {}: it is asked once more", when(at)),
        None => state,
    }
}
