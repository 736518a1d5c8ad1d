use super::*;
use crate::{clock::Timestamp, ids::UserId, views::discord};

/// As Discord shows it.
fn text(s: &Summary, status: ServerStatus) -> String {
    let embed = discord::render(&document(&ServerStatus { summary: Some(s.clone()), ..status }));
    format!("{}\n{}", embed.title.unwrap_or_default(), embed.description)
}

const QUIET: Summary = Summary {
    connections: 1,
    mappings: 2,
    subscriptions: 12,
    unlinked: 0,
    repeated_trials: 0,
    roles_held: 12,
    taken: 0,
    given_by_hand: 0,
    pending: 0,
    parked: 0,
    held: 0,
    observed_roles: 0,
    deleted_roles: Vec::new(),
    parked_roles: 0,
    two_factor_roles: 0,
    unread: 0,
    listed: None,
    listed_of: None,
    absent: 0,
    trouble: None,
    failing: 0,
    failure: None,
    webhooks_missed: 0,
    webhooks_at: None,
    last_read: None,
};

#[test]
fn a_quiet_server() {
    insta::assert_snapshot!(text(&QUIET, ServerStatus::default()), @r"
    Nexrole in this server
    Stripe: 1 connection, nothing read yet
    Mapped to roles: 2 prices or products
    Paying: 12 subscriptions
    Roles held because of Nexrole: 12
    Everything is up to date.
    ");
}

#[test]
fn a_trial_that_is_not_the_first_is_counted_and_asks_for_nothing() {
    let said = text(&Summary { repeated_trials: 2, ..QUIET }, ServerStatus::default());
    assert!(said.contains("In a trial, and not for the first time: 2 subscriptions"), "{said}");
    assert!(said.contains("Everything is up to date."), "{said}");
}

#[test]
fn webhooks_that_do_not_come_are_said() {
    let said = |at| text(&Summary { webhooks_missed: 3, webhooks_at: at, ..QUIET }, ServerStatus::default());
    let never = said(None);
    assert!(
        never.contains("have brought nothing yet: polling found 3 events that they did not bring"),
        "{never}"
    );
    let since = said(Some(Timestamp::UNIX_EPOCH));
    assert!(since.contains("have not brought everything since") && !since.contains("up to date"), "{since}");
}

#[test]
fn a_list_that_is_being_read_is_no_rest() {
    let first = Summary { listed: Some(4300), ..QUIET };
    let after_an_outage = Summary { listed: Some(4300), listed_of: Some(10_000), ..QUIET };
    for (summary, part) in [
        (&first, "At Stripe, subscriptions: 4,300 read so far"),
        (&after_an_outage, "At Stripe, subscriptions: 4,300 of 10,000 read so far"),
    ] {
        let text = text(summary, ServerStatus::default());
        assert!(text.contains(part) && !text.contains("up to date"), "{text}");
    }
}

#[test]
fn what_needs_a_person_is_said_with_its_fix() {
    let text = text(
        &Summary { mappings: 0, unlinked: 1, parked: 3, parked_roles: 1, pending: 1, ..QUIET },
        ServerStatus::default(),
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
    let said = text(&both, ServerStatus::default());
    assert!(said.contains("manage 2 roles: give it **Manage Roles**"), "{said}");
    assert!(said.contains("manage 1 role: this server wants two-factor authentication"), "{said}");
    let said = text(&Summary { parked_roles: 1, two_factor_roles: 1, ..QUIET }, ServerStatus::default());
    assert!(!said.contains("Manage Roles"), "{said}");
}

#[test]
fn a_server_that_discord_refuses_hears_what_discord_said_and_until_when() {
    let until = time::OffsetDateTime::from_unix_timestamp(1_795_322_309).unwrap();
    let said = text(
        &QUIET,
        ServerStatus { refusal: Some(Refusal { code: Some(10004), until }), ..ServerStatus::default() },
    );
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
    let text = text(&QUIET, ServerStatus { suspended, ..ServerStatus::default() });
    assert!(text.contains("- <@&1100000000000000001> is suspended: it gives Kick Members; Ban"), "{text}");
    assert!(text.contains("247 more") && !text.contains("up to date"), "{text}");
    assert!(text.chars().count() <= 4096, "{} characters", text.chars().count());
}

#[test]
fn what_is_on_its_way_is_not_up_to_date_and_trouble_is_said() {
    assert!(!text(&Summary { unread: 1, ..QUIET }, ServerStatus::default()).contains("up to date"));
    let trouble = Some("Stripe refused the key with status 401".to_owned());
    let text = text(&Summary { trouble, ..QUIET }, ServerStatus::default());
    assert!(text.contains("Stripe cannot be read: Stripe refused the key") && !text.contains("up to date"));
}

#[test]
fn a_read_that_fails_among_others_is_not_all_of_stripe_and_an_absent_object_is_no_trouble() {
    let some = Summary { failing: 2, failure: Some("status 500".to_owned()), ..QUIET };
    let said = text(&some, ServerStatus::default());
    assert!(said.contains("- 2 reads from Stripe did not work, others do: status 500"), "{said}");
    assert!(!said.contains("cannot be read"), "{said}");
    let said = text(&Summary { absent: 1, ..QUIET }, ServerStatus::default());
    assert!(said.contains("Not in this Stripe account: 1 object") && said.contains("up to date"), "{said}");
}

#[test]
fn whose_a_purchase_is_in_words_that_discord_does_not_obey_and_that_fit() {
    let user = |n| UserId::from_u64(n).unwrap();
    let odd: Vec<_> = (0..9).map(|n| format!("{n}`**@everyone** {}", "x".repeat(200))).collect();
    let disputes =
        odd.iter().map(|id| Dispute { customer_id: id.parse().unwrap(), holder: user(1), named: user(2) });
    let unbacked = odd.iter().map(|id| Unbacked { customer_id: id.parse().unwrap(), sources: 2 });
    let (disputes, unbacked) = (disputes.collect(), unbacked.collect());
    let said = text(&QUIET, ServerStatus { disputes, unbacked, ..ServerStatus::default() });
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
        said.chars().count() <= 4096 && !said.contains("up to date"),
        "{} characters",
        said.chars().count()
    );
}

#[test]
fn what_does_not_fit_a_message_is_cut_at_a_line_and_said() {
    let danger = "it gives everything; ".repeat(60);
    let suspended: Vec<_> = (1..=9).map(|n| (RoleId::from_u64(n).unwrap(), danger.clone())).collect();
    let user = |n| UserId::from_u64(n).unwrap();
    let dispute = |n: u64| Dispute {
        customer_id: format!("cus_{n}").parse().unwrap(),
        holder: user(1),
        named: user(2),
    };
    let disputes = (1..=9).map(dispute).collect();
    let said = text(&QUIET, ServerStatus { suspended, disputes, ..ServerStatus::default() });
    assert!(
        said.chars().count() <= 4096 && said.ends_with("fits here: `nexrole doctor`, `nexrole map list`."),
        "{} characters",
        said.chars().count()
    );
    assert!(
        said.lines()
            .filter(|line| line.contains("is suspended"))
            .all(|line| line.ends_with(&format!("{}.", remedy(&danger)))),
        "{said}"
    );
}
