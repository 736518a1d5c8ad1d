//! What the operator has read from Stripe once more. In: what came of ordering it, and how far it is. Out: what is done and why so, what
//! stays unknown, and numbers.

use super::{
    connections::{mode, so_far, thousands},
    document::{Document, Line, Message, Section, Value, message},
};
use crate::{
    actions::backfill::{Backfilled, Outcome},
    clock::Timestamp,
    domain::backfill::Way,
    ids::GuildId,
    store::{
        stripe_backfills::{Progress, Source, State},
        stripe_connections::Listed,
    },
};

fn title(listed: &Listed) -> Message {
    message("backfill-connection")
        .with("guild", listed.guild_id)
        .with("mode", mode(listed.livemode))
        .with("label", Value::code(&listed.label))
}

/// `text`: as it was asked for.
pub fn not_past(text: &str) -> Message {
    message("backfill-not-past").with("text", Value::code(text))
}

pub fn no_connection(guild: GuildId) -> Message {
    message("backfill-no-connection").with("guild", guild)
}

/// What came of ordering it.
pub fn ordered(guild: GuildId, since: Timestamp, outcome: &Backfilled) -> Result<Document, Message> {
    let Backfilled::Ordered(connections) = outcome else { return Err(no_connection(guild)) };
    let mut sections: Vec<Section> = Vec::new();
    for (listed, outcome) in connections {
        let lines = match outcome {
            Outcome::Begun(Way::Events) => vec![message("backfill-begun-events").with("since", since)],
            Outcome::Begun(Way::EventsAndLists) => {
                vec![message("backfill-begun-lists").with("since", since), message("backfill-unknown")]
            }
            Outcome::UnderWay => vec![message("backfill-under-way")],
        };
        sections.push(Section::titled(title(listed), lines.into_iter().map(Line::from).collect()));
    }
    let next = message("backfill-next").with("guild", guild);
    sections.push(Section::untitled(vec![message("backfill-nothing-ends").into(), next.into()]));
    Ok(Document { sections, ..Document::default() })
}

/// How far each is. `guild`: the one that was asked about; `None`: all.
pub fn document(guild: Option<GuildId>, last: &[(Listed, Progress)]) -> Document {
    if last.is_empty() {
        let none = match guild {
            Some(guild) => message("backfill-none").with("guild", guild),
            None => message("backfill-none-anywhere"),
        };
        return Document::of_lines(vec![none.into()]);
    }
    let of = |(listed, progress): &(Listed, Progress)| {
        let lines = lines(listed, progress).into_iter().map(Line::from).collect();
        Section::titled(title(listed), lines)
    };
    Document { sections: last.iter().map(of).collect(), ..Document::default() }
}

fn lines(listed: &Listed, progress: &Progress) -> Vec<Message> {
    let number = |count: i64| thousands(count);
    let seen = number(progress.seen.into());
    let mut lines = match progress.source {
        Source::Stripe => looked_at_events(progress, seen),
        Source::Mirror => looked_at_rows(progress, seen),
    };
    if progress.reads_lists {
        lines.push(message("backfill-listed"));
        lines.extend(progress.listed.map(|seen| so_far(seen.into(), progress.expected.map(i64::from))));
        lines.push(message("backfill-unknown"));
    }
    if progress.state != State::Done && progress.unread > 0 {
        lines.push(message("backfill-unread").with("count", number(progress.unread)));
    }
    if progress.failing > 0 {
        let failing = message("backfill-failing").with("count", number(progress.failing));
        lines.push(failing.with("guild", listed.guild_id));
    }
    if progress.state != State::Done && listed.state != "active" {
        lines.push(message("backfill-disconnected"));
    } else if let Some(error) = &progress.error {
        lines.push(message("backfill-error").with("error", &**error));
    }
    lines.extend(progress.ended_at.map(|at| message("backfill-done").with("at", at)));
    lines
}

fn looked_at_events(progress: &Progress, seen: String) -> Vec<Message> {
    let mut lines =
        vec![message("backfill-since").with("since", progress.since).with("at", progress.asked_at)];
    match (progress.state, progress.back_to) {
        (State::Asked, _) => lines.push(message("backfill-asked")),
        (State::Looking, Some(back)) => {
            lines.push(message("backfill-looking-back").with("seen", seen).with("back", back));
        }
        (State::Looking, None) => lines.push(message("backfill-looking").with("seen", seen)),
        (State::Reading | State::Done, _) => lines.push(message("backfill-looked").with("seen", seen)),
    }
    if progress.state != State::Asked {
        lines.push(message("backfill-to-read").with("count", thousands(progress.to_read.into())));
    }
    lines
}

fn looked_at_rows(progress: &Progress, seen: String) -> Vec<Message> {
    let ordered = message("rebuild-rows").with("at", progress.asked_at);
    let derived = message("rebuild-derived")
        .with("count", thousands(progress.derived.into()))
        .with("read", thousands(progress.to_read.into()));
    match progress.state {
        State::Asked => vec![ordered, message("backfill-asked")],
        State::Looking => vec![ordered, message("rebuild-seen").with("seen", seen), derived],
        State::Reading | State::Done => {
            vec![ordered, message("rebuild-seen-all").with("seen", seen), derived]
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{ids::ConnectionId, views::terminal};

    const SINCE: Timestamp = datetime!(2026-11-23 12:00 UTC);

    fn listed(label: &str) -> Listed {
        Listed {
            guild_id: GuildId::from_u64(1).unwrap(),
            connection_id: ConnectionId::from_u64(1).unwrap(),
            label: label.to_owned(),
            livemode: true,
            endpoint_id: "e1".to_owned(),
            state: "active".to_owned(),
        }
    }

    fn progress() -> Progress {
        Progress {
            connection_id: ConnectionId::from_u64(1).unwrap(),
            source: Source::Stripe,
            since: SINCE,
            reads_lists: false,
            state: State::Asked,
            asked_at: datetime!(2026-11-28 12:00 UTC),
            seen: 0,
            back_to: None,
            to_read: 0,
            derived: 0,
            ended_at: None,
            error: None,
            unread: 0,
            failing: 0,
            listed: None,
            expected: None,
        }
    }

    #[test]
    fn an_order_says_which_way_was_chosen_and_why_and_what_stays_unknown() {
        let guild = GuildId::from_u64(1).unwrap();
        let said = |connections| match ordered(guild, SINCE, &Backfilled::Ordered(connections)) {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        };
        insta::assert_snapshot!(said(vec![(listed("main"), Outcome::Begun(Way::Events)), (listed("shop"), Outcome::UnderWay)]), @r"
        server 1  live  main
          Stripe's events since 2026-11-23 12:00:00 UTC are read once more, and every object that they name: Stripe lists them for 30 days, so they tell all that happened since then.

        server 1  live  shop
          A backfill is under way already, and goes on as it is: order this one when that has ended.

        Nobody loses a role by what an event says or a list lacks: only by what is read then of the very thing that they bought.
        The gateway does it, also after a restart: `nexrole backfill --guild 1` shows how far it is.
        ");
        insta::assert_snapshot!(said(vec![(listed("main"), Outcome::Begun(Way::EventsAndLists))]), @r"
        server 1  live  main
          Stripe lists its events for 30 days only, and 2026-11-23 12:00:00 UTC is longer ago. So all running subscriptions and paid purchases are listed, what of ours is not among them is read by itself, and the events of those 30 days are read once more.
          What is not found so: a refund or dispute of a subscription's payment that is older than 30 days, and what began and ended again in between.

        Nobody loses a role by what an event says or a list lacks: only by what is read then of the very thing that they bought.
        The gateway does it, also after a restart: `nexrole backfill --guild 1` shows how far it is.
        ");
        let none = ordered(guild, SINCE, &Backfilled::NoConnection).unwrap_err();
        insta::assert_snapshot!(terminal::text(&none), @"server 1 has no such Stripe connection that is active; `nexrole connections` shows all of them");
        insta::assert_snapshot!(terminal::text(&not_past("2031-01-01")), @"2031-01-01 is not in the past, or longer ago than Stripe is");
    }

    #[test]
    fn progress_is_told_in_numbers_until_it_is_done() {
        let said = |progress: Progress| terminal::render(&document(None, &[(listed("main"), progress)]));
        insta::assert_snapshot!(said(progress()), @r"
        server 1  live  main
          since 2026-11-23 12:00:00 UTC, ordered 2026-11-28 12:00:00 UTC
          waits for the gateway
        ");
        let looking = Progress {
            state: State::Looking,
            seen: 1200,
            back_to: Some(datetime!(2026-11-25 08:00 UTC)),
            to_read: 341,
            unread: 300,
            ..progress()
        };
        insta::assert_snapshot!(said(looking.clone()), @r"
        server 1  live  main
          since 2026-11-23 12:00:00 UTC, ordered 2026-11-28 12:00:00 UTC
          events: 1,200 read so far, back to 2026-11-25 08:00:00 UTC
          objects that they name: 341 to be read again, unless they were read since the order
          still to be read: 300, one after another, after the payments of now
        ");
        let failing =
            Progress { error: Some("Stripe did not answer: status 500".to_owned()), ..looking.clone() };
        insta::assert_snapshot!(said(failing), @r"
        server 1  live  main
          since 2026-11-23 12:00:00 UTC, ordered 2026-11-28 12:00:00 UTC
          events: 1,200 read so far, back to 2026-11-25 08:00:00 UTC
          objects that they name: 341 to be read again, unless they were read since the order
          still to be read: 300, one after another, after the payments of now
          it cannot go on, and is tried again by itself: Stripe did not answer: status 500
        ");
        let lists = Progress {
            state: State::Reading,
            reads_lists: true,
            listed: Some(4300),
            expected: Some(10_000),
            failing: 2,
            ..looking.clone()
        };
        insta::assert_snapshot!(said(lists), @r"
        server 1  live  main
          since 2026-11-23 12:00:00 UTC, ordered 2026-11-28 12:00:00 UTC
          events: 1,200 read, all there are
          objects that they name: 341 to be read again, unless they were read since the order
          Stripe's events do not go back so far: its lists are read, too
          subscriptions: 4,300 of 10,000 read so far
          What is not found so: a refund or dispute of a subscription's payment that is older than 30 days, and what began and ended again in between.
          still to be read: 300, one after another, after the payments of now
          2 cannot be read at the moment, and are tried on by themselves: `nexrole failed list --guild 1`
        ");
        let done = Progress {
            state: State::Done,
            unread: 3,
            ended_at: Some(datetime!(2026-11-28 12:10 UTC)),
            ..looking
        };
        insta::assert_snapshot!(said(done), @r"
        server 1  live  main
          since 2026-11-23 12:00:00 UTC, ordered 2026-11-28 12:00:00 UTC
          events: 1,200 read, all there are
          objects that they name: 341 to be read again, unless they were read since the order
          Done 2026-11-28 12:10:00 UTC: all that could be read is read.
        ");
        let rows = Progress {
            source: Source::Mirror,
            state: State::Looking,
            seen: 100,
            derived: 2,
            to_read: 1,
            ..progress()
        };
        insta::assert_snapshot!(said(rows), @r"
        server 1  live  main
          derived again from what was read before, ordered 2026-11-28 12:00:00 UTC
          looked at so far: 100
          gave something else than was written down: 2; read from Stripe because of it: 1
        ");
        insta::assert_snapshot!(terminal::render(&document(None, &[])), @"No backfill was ordered yet: `nexrole backfill --since 5d`.");
        insta::assert_snapshot!(terminal::render(&document(GuildId::from_u64(1), &[])), @"No backfill was ordered in server 1: `nexrole backfill --guild 1 --since 5d`.");
    }
}
