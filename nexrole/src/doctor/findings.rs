//! What was checked, and what came of it. In: findings. Out: a document for people, or an object per line; and the exit code.

use std::process::ExitCode;

use serde::Serialize;
use shared::views::{
    document::{Document, Tone},
    findings::{self, Checked},
};

macro_rules! checks {
    ($($(#[doc = $what:literal])* $check:ident => $name:literal,)*) => {
        /// Everything that is checked, in the order in which it is shown.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check { $($(#[doc = $what])* $check,)* }

        impl Check {
            pub const ALL: &[Self] = &[$(Self::$check,)*];

            /// `group.name`, as in JSON and in `security/controls.toml`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$check => $name,)* }
            }
        }
    };
}

checks! {
    /// All variables of both services.
    Configuration => "configuration.variables",
    /// Postgres answers, in a version that is supported.
    DatabaseReachable => "database.reachable",
    /// It is on no public address.
    DatabaseAddress => "database.address",
    /// The way there is encrypted and verified, or private.
    DatabaseTls => "database.tls",
    /// The login may act as each role.
    DatabaseRoles => "database.roles",
    /// Every migration is applied.
    DatabaseSchema => "database.schema",
    /// What is committed survives a crash.
    DatabaseDurability => "database.durability",
    /// A disk that lies is found out.
    DatabaseChecksums => "database.checksums",
    /// Every sealed value opens.
    KeysOpen => "keys.open",
    /// No key is old.
    KeysAge => "keys.age",
    /// Stripe takes each connection's key, which is restricted and of the right mode.
    StripeKey => "stripe.key",
    /// It may read what is read.
    StripePermissions => "stripe.permissions",
    /// What is read in a month is within what Stripe grants every account.
    StripeReads => "stripe.reads",
    /// Every customer is linked to whom their metadata names.
    StripeLinks => "stripe.links",
    /// Every reason for a role is one whose end will be seen.
    StripeSources => "stripe.sources",
    /// Of every role that members pay for something is still sold.
    StripeProducts => "stripe.products",
    /// Members can be told where they manage or cancel what they pay for.
    StripePortal => "stripe.portal",
    /// No owner is to say whether roles are taken.
    RolesHeld => "roles.held",
    /// Discord takes the token.
    DiscordToken => "discord.token",
    /// The bot hears who joins.
    DiscordIntents => "discord.intents",
    /// The bot is in every server.
    DiscordServer => "discord.server",
    /// It may manage roles there, and not everything.
    DiscordPermissions => "discord.permissions",
    /// Every mapped role is one that it can give.
    DiscordRoles => "discord.roles",
    /// Members can log in: Discord knows the address that it sends them back to.
    DiscordLogin => "discord.login",
    /// The gateway answers from outside.
    WebAddress => "web.address",
    /// Browsers are told to stay with https.
    WebHsts => "web.hsts",
    /// TLS 1.0 and 1.1 are refused there.
    WebTls => "web.tls",
    /// Somebody can be told of a vulnerability.
    WebContact => "web.contact",
    /// The mail server answers over TLS, and takes the login.
    MailServer => "mail.server",
    /// What was to be sent was.
    MailSent => "mail.sent",
    /// Mail in our name is believed.
    MailDomain => "mail.domain",
    /// The gateway is up and ready.
    ServicesGateway => "services.gateway",
    /// The bot is up and ready.
    ServicesBot => "services.bot",
    /// The database's clock.
    ClockDatabase => "clock.database",
    /// Stripe's.
    ClockStripe => "clock.stripe",
    /// Discord's.
    ClockDiscord => "clock.discord",
    /// Changes of a role alternate in the audit log.
    InvariantsChanges => "invariants.changes",
    /// No accepted event is forgotten.
    InvariantsEvents => "invariants.events",
    /// No job is overdue.
    InvariantsJobs => "invariants.jobs",
    /// Disks are encrypted.
    OperatorDisks => "operator.disks",
    /// Backups are made, encrypted, and can be restored.
    OperatorBackups => "operator.backups",
    /// Only what has to talk may talk.
    OperatorNetwork => "operator.network",
    /// A second factor everywhere.
    OperatorLogins => "operator.logins",
    /// Payment pages are Stripe's.
    OperatorPayments => "operator.payments",
    /// Providers were audited.
    OperatorProviders => "operator.providers",
}

impl Check {
    fn parts(self) -> (&'static str, &'static str) {
        self.name().split_once('.').unwrap_or((self.name(), ""))
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Seen to be right.
    Ok,
    /// It works, and should not stay so.
    Warn,
    Fail,
    /// It cannot be seen from here: a person has to answer.
    Ask,
}

impl State {
    fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Warning,
            Self::Fail => Tone::Bad,
            Self::Ask => Tone::Question,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    #[serde(skip)]
    of: Check,
}

impl Finding {
    fn checked(&self) -> Checked<'_> {
        let (group, name) = self.of.parts();
        Checked { group, name, tone: self.state.tone(), detail: &self.detail, fix: self.fix.as_deref() }
    }
}

#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: Check, detail: impl Into<String>) {
        self.add(check, State::Ok, detail.into(), None);
    }

    pub(super) fn warn(&mut self, check: Check, detail: impl Into<String>, fix: impl Into<String>) {
        self.add(check, State::Warn, detail.into(), Some(fix.into()));
    }

    pub(super) fn fail(&mut self, check: Check, detail: impl Into<String>, fix: impl Into<String>) {
        self.add(check, State::Fail, detail.into(), Some(fix.into()));
    }

    pub(super) fn ask(&mut self, check: Check, detail: impl Into<String>, fix: impl Into<String>) {
        self.add(check, State::Ask, detail.into(), Some(fix.into()));
    }

    fn add(&mut self, of: Check, state: State, detail: String, fix: Option<String>) {
        self.0.push(Finding { check: of.name(), state, detail, fix, of });
    }

    /// Whether a check has been made.
    pub(super) fn knows(&self, check: Check) -> bool {
        self.0.iter().any(|finding| finding.of == check)
    }

    /// What is asked for; and of what it takes to check, only what is wrong.
    pub(super) fn keep(&mut self, asked: &[Check], needed: &[Check]) {
        self.0.retain(|finding| {
            asked.contains(&finding.of) || finding.state == State::Fail && needed.contains(&finding.of)
        });
    }

    /// In order; what was asked for and could not be checked says so, and is not claimed.
    pub(super) fn complete(&mut self, asked: impl Iterator<Item = Check>) {
        for check in asked {
            if !self.knows(check) {
                self.add(check, State::Ask, "not looked at, because of what failed".to_owned(), None);
            }
        }
        self.0.sort_by_key(|finding| finding.of);
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        if self.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    pub(super) fn has_failures(&self) -> bool {
        self.count(State::Fail) > 0
    }

    fn count(&self, state: State) -> usize {
        self.0.iter().filter(|finding| finding.state == state).count()
    }

    /// One object per line.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let lines: Result<Vec<_>, _> = self.0.iter().map(serde_json::to_string).collect();
        Ok(lines?.join("\n"))
    }

    /// What a terminal shows.
    pub(super) fn document(&self) -> Document {
        findings::document(&self.0.iter().map(Finding::checked).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_checked_is_asked_and_never_well() {
        let mut findings = Findings::default();
        findings.ok(Check::KeysAge, "young");
        findings.complete(Check::ALL.iter().copied());
        assert_eq!(findings.0.len(), Check::ALL.len());
        assert_eq!((findings.count(State::Ok), findings.count(State::Ask)), (1, Check::ALL.len() - 1));
        assert!(findings.0.iter().zip(Check::ALL).all(|(finding, check)| finding.of == *check), "in order");
        assert!(findings.0[0].detail.contains("not looked at") && findings.0[0].fix.is_none());
    }

    #[test]
    fn names_are_groups_and_names_and_no_two_are_the_same() {
        let mut names: Vec<_> = Check::ALL.iter().map(|check| check.name()).collect();
        assert!(names.iter().all(|name| name.split('.').count() == 2), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Check::ALL.len());
    }
}
