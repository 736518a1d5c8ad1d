//! Lists of members and payers. In: who is on one, how many to name. Out: a document, in groups by what is to be done about them; of each
//! group so many are named, and the rest is counted.

use super::{
    document::{Document, Line, Message, Section, Value, message},
    explanation::{self, About},
};
use crate::{
    actions::list_members::Listed,
    domain::explain::{
        Answer, Cause,
        lists::{HeldBy, Holding, Lacking},
    },
    ids::{GuildId, RoleId},
    store::{
        mapped_roles::MappedRole,
        member_lists::{CarriedBy, Double, Fee, MetadataKey, Page, Unlinked},
    },
};

/// What Nexrole reads by itself.
const OUR_KEY: &str = "discord_user_id";

/// `most`: how many of each group are named.
pub fn document(guild: GuildId, listed: &Listed, most: usize) -> Document {
    let (title, groups) = match listed {
        Listed::WithoutRole(lacking) => (message("members-without-role"), by_cause(guild, lacking)),
        Listed::NotInServer(lacking) => (message("members-not-in-server"), not_in_server(lacking)),
        Listed::WithRole(holdings, _) => (message("members-with-role"), by_reason(holdings)),
        Listed::Unlinked { mapped, other } => (
            message("members-unlinked"),
            unlinked(guild, mapped).into_iter().chain(sold_else(other)).collect(),
        ),
        Listed::Double(page) => (message("members-double"), double(page)),
        Listed::Fees(page) => (message("members-fees"), fees(page)),
        Listed::Metadata(page) => (message("members-metadata"), metadata(guild, page)),
    };
    let mut sections: Vec<Section> = groups.into_iter().map(|group| group.section(most)).collect();
    if let Listed::WithRole(_, mapped) = listed {
        sections.extend(had_before(guild, mapped));
    }
    if sections.is_empty() {
        let none =
            if let Listed::Metadata(_) = listed { message("members-no-key") } else { message("nobody") };
        sections.push(Section::untitled(vec![none.into()]));
    }
    Document { title: Some(title.with("guild", guild)), sections, ..Document::default() }
}

/// Lines with the same title, and one thing that helps all of them.
struct Group {
    title: Message,
    lines: Vec<Line>,
    /// How many there are, if these are only the first.
    total: usize,
    next: Option<Message>,
}

impl Group {
    fn section(self, most: usize) -> Section {
        let more = self.total - self.lines.len().min(most).min(self.total);
        let mut lines: Vec<Line> = self.lines.into_iter().take(most).collect();
        if more > 0 {
            lines.push(
                message("members-more").with("count", more).with("limit", self.total.to_string()).into(),
            );
        }
        lines.extend(self.next.map(|next| Line::from(message("members-next").with("fix", next))));
        Section::titled(self.title, lines)
    }

    /// The first of a list that Postgres counted; none if there is nothing.
    fn of<T>(page: &Page<T>, title: Message, line: impl Fn(&T) -> Line, next: Message) -> Vec<Self> {
        let lines: Vec<Line> = page.rows.iter().map(line).collect();
        let group =
            Self { title: title.with("count", page.total), lines, total: page.total, next: Some(next) };
        if page.total == 0 { Vec::new() } else { vec![group] }
    }
}

/// Puts lines together that have the same key, which is [`PartialEq`] only, in the order of their first.
fn grouped<T, K: PartialEq>(lines: &[T], key: impl Fn(&T) -> K) -> Vec<(K, Vec<&T>)> {
    let mut groups: Vec<(K, Vec<&T>)> = Vec::new();
    for line in lines {
        let key = key(line);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, of)) => of.push(line),
            None => groups.push((key, vec![line])),
        }
    }
    groups
}

/// What is known to be lacking first, and of that the most frequent cause.
fn by_cause(guild: GuildId, lacking: &[Lacking]) -> Vec<Group> {
    let key = |line: &Lacking| {
        // Only a command about one role is about one.
        let about = About { guild, member: None, role: line.role };
        let is_known = matches!(line.answer, Answer::Lacks(_));
        (is_known, common(line.answer.cause()), fix(about, line))
    };
    let mut groups = grouped(lacking, key);
    groups.sort_by_key(|((is_known, ..), of)| (!is_known, std::cmp::Reverse(of.len())));
    let group = |((is_known, cause, fix), of): ((bool, Message, Message), Vec<&Lacking>)| {
        let title = if is_known { message("members-lack") } else { message("members-may-have") };
        let lines: Vec<Line> = of.iter().map(|line| payer(line).note(own(line.answer.cause()))).collect();
        let title = title.with("count", of.len()).with("cause", cause);
        Group { title, total: lines.len(), lines, next: Some(fix) }
    };
    groups.into_iter().map(group).collect()
}

/// As `nexrole why` says it; of a rule that is the same for all, that it may be another.
fn fix(about: About, line: &Lacking) -> Message {
    match (line.answer.cause(), about.role) {
        (Cause::Sources(_), Some(role)) => message("members-by-rule-fix")
            .with("guild", about.guild.to_string())
            .with("role", role.to_string()),
        _ => explanation::fix(about, &line.fix),
    }
}

fn payer(line: &Lacking) -> Line {
    let said = match line.role {
        Some(role) => message("members-payer-of-role").with("role", role),
        None => message("members-payer"),
    };
    let paid_by = line.paid_by.iter().map(Value::code).collect();
    said.with("member", line.member).with("paid_by", Value::List(paid_by)).into()
}

/// A cause without what is one member's own: the same for all of a group.
fn common(cause: &Cause) -> Message {
    match cause {
        Cause::NotMapped { prices, .. } => {
            let prices = prices.iter().map(Value::code).collect();
            message("members-not-mapped").with("prices", Value::List(prices))
        }
        Cause::Unread { error: None, .. } => message("members-unread"),
        Cause::Unread { error: Some(_), .. } => message("members-unread-failed"),
        Cause::Sources(_) => message("members-by-rule"),
        Cause::Taken(_) => message("members-taken"),
        Cause::Doubted(_) => message("members-doubted"),
        Cause::Waits { outcome: Some(outcome), .. } => message("members-waits").with("outcome", &**outcome),
        cause => explanation::cause(cause),
    }
}

/// What of a cause is one member's own.
fn own(cause: &Cause) -> Option<Message> {
    match cause {
        Cause::Taken(at) | Cause::Doubted(at) => Some(message("members-seen").with("at", *at)),
        Cause::Sources(reasons) => reasons.first().map(explanation::why),
        Cause::Unread { error: Some(error), .. } => Some(message("members-error").with("error", &**error)),
        _ => None,
    }
}

fn not_in_server(lacking: &[Lacking]) -> Vec<Group> {
    let lines: Vec<Line> = lacking.iter().map(payer).collect();
    let group = Group {
        title: message("members-away").with("count", lines.len()),
        total: lines.len(),
        lines,
        next: Some(message("members-away-fix")),
    };
    if lacking.is_empty() { Vec::new() } else { vec![group] }
}

/// By role; of each the most frequent reasons first.
fn by_reason(holdings: &[Holding]) -> Vec<Group> {
    let mut groups = grouped(holdings, |holding| (holding.role, holding.by.clone()));
    groups.sort_by_key(|((role, _), of)| (*role, std::cmp::Reverse(of.len())));
    let group = |((role, by), of): ((RoleId, Vec<HeldBy>), Vec<&Holding>)| {
        let by = Value::List(by.iter().map(|by| held_by(by).into()).collect());
        let title = message("members-have").with("role", role).with("count", of.len()).with("by", by);
        let lines: Vec<Line> = of.into_iter().map(holder).collect();
        Group { title, total: lines.len(), lines, next: None }
    };
    groups.into_iter().map(group).collect()
}

fn holder(holding: &Holding) -> Line {
    let until = holding.until.map(|until| message("members-until").with("at", until));
    let reason =
        holding.reason.as_ref().map(|said| message("members-reason").with("reason", Value::code(said)));
    Line::from(message("members-holder").with("member", holding.member)).note(reason).note(until)
}

fn held_by(by: &HeldBy) -> Message {
    match by {
        HeldBy::Paying => message("held-by-paying"),
        HeldBy::Ending => message("held-by-ending"),
        HeldBy::NotCollected => message("held-by-not-collected"),
        HeldBy::Trial => message("held-by-trial"),
        HeldBy::Grace => message("held-by-grace"),
        HeldBy::Once => message("held-by-once"),
        HeldBy::Unbacked => message("held-by-unbacked"),
        HeldBy::ByHand(Some(by)) => message("held-by-hand-of").with("by", *by),
        HeldBy::ByHand(None) => message("held-by-hand"),
        HeldBy::Import => message("held-by-import"),
        HeldBy::Seat => message("held-by-seat"),
        HeldBy::Person => message("held-by-person"),
        HeldBy::Leaving => message("held-by-leaving"),
        HeldBy::Kept(cause) => message("held-by-kept").with("cause", common(cause)),
    }
}

/// Who had a role before it was mapped, and is not known by name.
fn had_before(guild: GuildId, mapped: &[MappedRole]) -> Option<Section> {
    let had = mapped.iter().filter_map(|role| Some((role.role_id, role.holders.filter(|count| *count > 0)?)));
    let line = |(role, count): (RoleId, i64)| -> Line {
        message("members-before").with("role", role).with("count", count).into()
    };
    let mut lines: Vec<Line> = had.map(line).collect();
    if lines.is_empty() {
        return None;
    }
    let fix = message("members-before-fix").with("guild", guild.to_string());
    lines.push(message("members-next").with("fix", fix).into());
    Some(Section::titled(message("members-before-title"), lines))
}

fn unlinked(guild: GuildId, page: &Page<Unlinked>) -> Vec<Group> {
    let fix = message("members-unlinked-fix").with("guild", guild.to_string());
    Group::of(page, message("members-unlinked-mapped"), nobodys, fix)
}

fn sold_else(page: &Page<Unlinked>) -> Vec<Group> {
    Group::of(page, message("members-unlinked-other"), nobodys, message("members-unlinked-other-fix"))
}

fn nobodys(payer: &Unlinked) -> Line {
    let said = match &payer.customer_id {
        Some(customer) => message("members-customer").with("customer", Value::code(customer)),
        None => message("members-guest"),
    };
    let codes = |ids: &[String]| Value::List(ids.iter().map(Value::code).collect());
    let said = said.with("id", Value::code(&payer.id)).with("status", &*payer.status);
    let keys =
        (!payer.id_keys.is_empty()).then(|| message("members-has-keys").with("keys", codes(&payer.id_keys)));
    let link = payer.paid_by_link_of.map(|member| message("members-paid-by-link").with("member", member));
    Line::from(said.with("prices", codes(&payer.price_ids))).note(keys).note(link)
}

fn double(page: &Page<Double>) -> Vec<Group> {
    let line = |payer: &Double| -> Line {
        let said = match (payer.user_id, &payer.customer_id) {
            (Some(member), _) => message("members-twice").with("member", member),
            (None, customer) => {
                let customer = customer.as_deref().unwrap_or_default();
                message("members-customer-twice").with("customer", Value::code(customer))
            }
        };
        let roles = payer.role_ids.iter().map(|role| (*role).into()).collect();
        let subscriptions = payer.subscriptions.iter().map(Value::code).collect();
        said.with("roles", Value::List(roles)).with("subscriptions", Value::List(subscriptions)).into()
    };
    Group::of(page, message("members-charged-twice"), line, message("members-double-fix"))
}

fn fees(page: &Page<Fee>) -> Vec<Group> {
    let line = |fee: &Fee| -> Line {
        let said = match fee.user_id {
            Some(member) => message("members-fee-of").with("member", member),
            None => message("members-fee"),
        };
        let said = said.with("percent", fee.application_fee_percent.to_string());
        let said = said.with("subscription", Value::code(&fee.subscription_id));
        let ends = fee.ends_at.map(|at| message("members-until").with("at", at));
        Line::from(said.with("customer", Value::code(&fee.customer_id))).note(ends)
    };
    Group::of(page, message("members-fees-taken"), line, message("members-fees-fix"))
}

fn metadata(guild: GuildId, page: &Page<MetadataKey>) -> Vec<Group> {
    let line = |key: &MetadataKey| -> Line {
        let said = match key.carried_by {
            CarriedBy::Subscription => message("members-key-subscriptions"),
            CarriedBy::Customer => message("members-key-customers"),
            CarriedBy::Session => message("members-key-sessions"),
        };
        let ours = (key.key == OUR_KEY).then(|| message("members-key-ours"));
        let said = said.with("carry", key.carry).with("of", key.of.to_string());
        let unlinked = message("members-key-unlinked").with("count", key.unlinked);
        Line::from(said.with("key", Value::code(&key.key))).note(unlinked).note(ours)
    };
    let fix = message("members-metadata-fix").with("guild", guild.to_string());
    Group::of(page, message("members-keys"), line, fix)
}

#[cfg(test)]
#[path = "member_lists_tests.rs"]
mod tests;
