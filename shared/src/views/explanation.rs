//! An explanation in words: per role one sentence, the chain below it, and what helps. In: the explanation. Out: sections.

use super::{
    connections,
    document::{Line, Message, Section, Value, message},
    ownership, refusal,
};
use crate::{
    clock::Timestamp,
    domain::{
        billing::page::PayPage,
        explain::{Answer, Answered, Cause, Explained, Explanation, Fix, Next, Reason, Step, What, Why},
        roles::{by_hand::Question, safety::remedy},
    },
    ids::{GuildId, RoleId, UserId},
};

/// Who and where, for the commands that help.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub(super) guild: GuildId,
    /// `None`: several, of whom each is one.
    pub(super) member: Option<UserId>,
    pub(super) role: Option<RoleId>,
}

pub(super) fn sections(
    guild: GuildId,
    member: UserId,
    explanation: &Explanation,
    now: Timestamp,
) -> Vec<Section> {
    let has_roles = explanation.parts.iter().any(|part| part.role.is_some());
    let parts = explanation.parts.iter();
    parts
        .map(|part| section(About { guild, member: Some(member), role: part.role }, part, has_roles, now))
        .collect()
}

/// `has_roles`: something is said of a role, too.
fn section(about: About, part: &Explained, has_roles: bool, now: Timestamp) -> Section {
    let title = match about.role {
        Some(role) => message("explain-role").with("role", role).with("answer", answer(&part.answer)),
        None if has_roles => message("explain-also").with("cause", cause(part.answer.cause())),
        None => message("explain-no-role").with("cause", cause(part.answer.cause())),
    };
    let mut lines: Vec<Line> = part.steps.iter().map(|step| line(step, now)).collect();
    lines.push(next(about, &part.next).into());
    Section::titled(title, lines)
}

fn answer(answer: &Answer) -> Message {
    match answer {
        Answer::Has(it) => message("explain-has").with("cause", cause(it)),
        Answer::WillLose(at, it) => message("explain-will-lose").with("at", *at).with("cause", cause(it)),
        Answer::Loses(it) => message("explain-loses").with("cause", cause(it)),
        Answer::Lacks(it) => message("explain-lacks").with("cause", cause(it)),
        Answer::MayHave(it) => message("explain-may-have").with("cause", cause(it)),
        Answer::Keeps(it) => message("explain-keeps").with("cause", cause(it)),
    }
}

pub(super) fn cause(cause: &Cause) -> Message {
    match cause {
        Cause::Sources(reasons) => {
            let each = reasons.iter().map(|reason| why(reason).into()).collect();
            message("cause-sources").with("each", Value::List(each))
        }
        Cause::ByPerson(None) => message("cause-by-person"),
        Cause::ByPerson(Some(Question::Open)) => message("cause-by-person-open"),
        Cause::ByPerson(Some(Question::Follow)) => message("cause-by-person-follow"),
        Cause::ByPerson(Some(Question::Keep)) => message("cause-by-person-keep"),
        Cause::NotInServer => message("cause-not-in-server"),
        Cause::Refused(code) => message("cause-refused").with("refusal", refusal::of_role(*code)),
        Cause::RoleDeleted => message("cause-deleted"),
        Cause::Suspended(danger) => message("cause-suspended").with("danger", &**danger),
        Cause::Observed => message("cause-observed"),
        Cause::Unchecked => message("cause-unchecked"),
        Cause::Taken(at) => message("cause-taken").with("at", *at),
        Cause::Held => message("cause-held"),
        Cause::ServerClosed(closed) => message("cause-closed").with("closed", refusal::held_up(*closed)),
        Cause::Doubted(at) => message("cause-doubted").with("at", *at),
        Cause::Waits { outcome: None, .. } => message("cause-waits"),
        Cause::Waits { outcome: Some(outcome), attempts } => {
            message("cause-waits-again").with("outcome", &**outcome).with("attempts", i64::from(*attempts))
        }
        Cause::NothingWaits => message("cause-nothing-waits"),
        Cause::NeverLinked => message("cause-never-linked"),
        Cause::LinkConflict { customer, holder, named } => {
            let said = message("cause-link-conflict").with("customer", Value::code(customer));
            said.with("dispute", ownership::dispute(*holder, *named))
        }
        Cause::NotMapped { id, prices } => {
            let prices = prices.iter().map(Value::code).collect();
            message("cause-not-mapped").with("id", Value::code(id)).with("prices", Value::List(prices))
        }
        Cause::ForAnother { id, member } => {
            message("cause-for-another").with("id", Value::code(id)).with("member", *member)
        }
        Cause::Unread { id, error: None } => message("cause-unread").with("id", Value::code(id)),
        Cause::Unread { id, error: Some(error) } => {
            message("cause-unread-failed").with("id", Value::code(id)).with("error", &**error)
        }
        Cause::NothingBought { customer, events_read_at } => {
            let customer = Value::code(customer);
            match events_read_at {
                Some(at) => message("cause-nothing-bought").with("customer", customer).with("at", *at),
                None => message("cause-nothing-read").with("customer", customer),
            }
        }
        Cause::Disconnected { customer, livemode } => {
            let said = message("cause-disconnected").with("customer", Value::code(customer));
            said.with("mode", connections::mode(*livemode))
        }
    }
}

pub(super) fn why(reason: &Reason) -> Message {
    let of = |said: Message| said.with("source", Value::code(&reason.source));
    let with_evidence = |said: Message| said.with("evidence", &*reason.evidence);
    match &reason.why {
        Why::Trial(Some(ends)) => of(message("why-trial")).with("at", *ends),
        Why::Grace { since, is_paused, .. } => {
            let said = if *is_paused { message("why-paused-at-failure") } else { message("why-failed") };
            let said = of(said);
            match since {
                Some(since) => message("why-since").with("why", said).with("since", *since),
                None => said,
            }
        }
        Why::CollectionPaused { behaviour, resumes_at } => match resumes_at {
            Some(at) => with_evidence(message("why-collection-paused-until"))
                .with("behaviour", &**behaviour)
                .with("at", *at),
            None => with_evidence(message("why-collection-paused")).with("behaviour", &**behaviour),
        },
        Why::Ending(at) => of(message("why-ending")).with("at", *at),
        Why::ByHand { by: Some(by), .. } => message("why-by-hand").with("by", *by),
        Why::Missing { since, .. } => with_evidence(message("why-missing")).with("since", *since),
        Why::Disconnected { livemode, .. } => {
            with_evidence(message("why-disconnected")).with("mode", connections::mode(*livemode))
        }
        Why::Disputed { is_lost: false } => of(message("why-disputed")),
        Why::Disputed { is_lost: true } => of(message("why-dispute-lost")),
        Why::Refunded => of(message("why-refunded")),
        Why::Unpaid => of(message("why-unpaid")),
        Why::NotPaid => of(message("why-not-paid")),
        Why::Over(Some(since)) => of(message("why-over")).with("since", *since),
        Why::NotMapped => of(message("why-not-mapped")),
        Why::NotTheirs(Some(member)) => of(message("why-anothers")).with("member", *member),
        Why::NotTheirs(None) => of(message("why-nobodys")),
        Why::Active
        | Why::Read
        | Why::Once(_)
        | Why::Seat
        | Why::Import { .. }
        | Why::ByHand { by: None, .. }
        | Why::Trial(None)
        | Why::Paused(_)
        | Why::Canceled
        | Why::Over(None)
        | Why::NotYet
        | Why::NotInIt
        | Why::TakenBack
        | Why::TimeIsOver
        | Why::Ended => with_evidence(message("why-evidence")),
    }
}

fn line(step: &Step, now: Timestamp) -> Line {
    let what: Line = what(&step.what, now);
    let text = match step.at {
        Some(at) => message("step").with("at", at).with("what", what.text),
        None => message("step-now").with("what", what.text),
    };
    Line { text, ..what }
}

fn what(what: &What, now: Timestamp) -> Line {
    match what {
        What::Linked { customer, proof } => {
            let said = match proof.as_str() {
                "owner" => message("step-linked-owner"),
                "checkout" => message("step-linked-checkout"),
                "email" => message("step-linked-email"),
                "moved" => message("step-linked-moved"),
                _ => message("step-linked"),
            };
            said.with("customer", Value::code(customer)).into()
        }
        What::First { cause } => message("step-first").with("cause", &**cause).into(),
        What::Heard { event, kind, received_at } => message("step-heard")
            .with("event", Value::code(event))
            .with("kind", &**kind)
            .with("received", *received_at)
            .into(),
        What::Done { actor, cause } => {
            message("step-done").with("actor", &**actor).with("cause", &**cause).into()
        }
        What::Read { id, customer, status } => {
            let (id, status) = (Value::code(id), Value::from(&**status));
            match customer {
                Some(customer) => message("step-read").with("customer", Value::code(customer)),
                None => message("step-read-guest"),
            }
            .with("id", id)
            .with("status", status)
            .into()
        }
        What::Rule { sold, state, rule } => message("step-rule")
            .with("sold", Value::code(sold))
            .with("state", *state)
            .with("rule", rule.to_string())
            .into(),
        What::Source { is_live, evidence, reason, until } => {
            let said = if *is_live { message("step-live") } else { message("step-ended") };
            let reason = reason.as_ref().map(|said| message("step-reason").with("reason", Value::code(said)));
            Line::from(said.with("evidence", &**evidence))
                .note(reason)
                .note(until.map(|until| message("step-until").with("until", until)))
        }
        What::Desired(true) => message("step-desired").into(),
        What::Question(Question::Open) => message("step-question").into(),
        What::Question(Question::Follow) => message("step-question-follow").into(),
        What::Question(Question::Keep) => message("step-question-keep").into(),
        What::Desired(false) => message("step-not-desired").into(),
        What::Job { id, action, state, outcome, tried_at } => {
            let outcome = match outcome {
                Some(outcome) => Value::from(&**outcome),
                None => message("step-not-tried").into(),
            };
            let next = tried_at.map(|at| {
                if at > now {
                    message("step-next-try").with("at", at)
                } else {
                    message("step-due").with("at", at)
                }
            });
            let said = message("step-job").with("id", id.to_string()).with("action", &**action);
            Line::from(said.with("state", &**state).with("outcome", outcome)).note(next)
        }
        What::Pending => message("step-pending").into(),
        What::Answered(answered) => self::answered(answered).into(),
    }
}

fn answered(answered: &Answered) -> Message {
    match answered {
        Answered::Asked => message("answered-asked"),
        Answered::Gave => message("answered-gave"),
        Answered::Took => message("answered-took"),
        Answered::Deleted => message("answered-deleted"),
        Answered::Absent => message("answered-absent"),
        Answered::TakenByOthers => message("answered-taken"),
        Answered::Refused(code) => message("answered-refused").with("refusal", refusal::of_role(*code)),
        Answered::Logged { action, cause } => {
            message("answered-logged").with("action", &**action).with("cause", &**cause)
        }
    }
}

fn next(about: About, next: &Next) -> Message {
    let fix = fix(about, &next.fix);
    match next.at {
        Some(at) => message("explain-next-at").with("at", at).with("fix", fix),
        None => message("explain-next").with("fix", fix),
    }
}

pub(super) fn fix(about: About, fix: &Fix) -> Message {
    // Ids as they are, to be copied into a command.
    let command = |said: Message| {
        let id = |id: Option<String>| id.unwrap_or_else(|| "…".to_owned());
        said.with("guild", about.guild.to_string())
            .with("member", id(about.member.map(|member| member.to_string())))
            .with("role", id(about.role.map(|role| role.to_string())))
    };
    match fix {
        Fix::Nothing => message("fix-nothing"),
        Fix::Wait => message("fix-wait"),
        Fix::LinkCustomer => command(message("fix-link")),
        Fix::CorrectLink { customer } => ownership::dispute_fix(about.guild, customer),
        Fix::MemberAcceptsRules => message("fix-accepts"),
        Fix::MemberJoins => message("fix-joins"),
        Fix::LetManage(Some(60003)) => message("fix-two-factor"),
        Fix::LetManage(_) => message("fix-manage"),
        Fix::MapAnotherRole => command(message("fix-map-another")),
        Fix::ClearDanger(danger) => message("fix-danger").with("remedy", remedy(danger)),
        Fix::Enforce => command(message("fix-enforce")),
        Fix::MapPrice(prices) => {
            let prices = prices.iter().map(Value::code).collect();
            command(message("fix-map-price")).with("prices", Value::List(prices))
        }
        Fix::GiveBack => command(message("fix-give-back")),
        Fix::AnswerQuestion => command(message("fix-answer")),
        Fix::EndUnbacked { customer } => {
            command(message("fix-unbacked")).with("customer", ownership::customer_option(customer))
        }
        Fix::MemberPays(None) => message("fix-pays"),
        Fix::MemberPays(Some(PayPage::Works(page))) => message("fix-pays-here").with("page", page),
        Fix::MemberPays(Some(PayPage::TooOld)) => message("fix-pays-old"),
        Fix::Resume => message("fix-resume"),
        Fix::BuyAgain => command(message("fix-buy")),
        Fix::InviteBot => message("fix-invite"),
        Fix::ReviewHeld => command(message("fix-held")),
        Fix::ReconnectAccount => message("fix-reconnect"),
    }
}
