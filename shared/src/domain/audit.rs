//! What is written down for people to read later. One entry per change, in the transaction that makes it.

use std::{collections::BTreeMap, net::IpAddr};

use time::format_description::well_known::Rfc3339;

use crate::{
    clock::Timestamp,
    crypto::Fingerprint,
    ids::{RoleId, UserId},
};

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A fact read from Stripe.
    Stripe,
    /// A member of the server, by a command; or a subscriber, for themselves, on a page.
    Member,
    /// The bot's worker.
    Bot,
    /// Somebody at the command line.
    Operator,
    /// Whoever wrote the variables that the gateway was started with.
    Environment,
}

impl Actor {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Member => "member",
            Self::Bot => "bot",
            Self::Operator => "operator",
            Self::Environment => "environment",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditAction {
    /// A purchase, or an owner's word, began to give a member a role.
    AccessBegan,
    /// What an owner gave a member has another reason or end.
    AccessChanged,
    /// A purchase, or an owner's word, stopped giving a member a role.
    AccessEnded,
    /// Discord confirmed a role that we gave.
    RoleGranted,
    /// Discord confirmed that a role we had given is removed.
    RoleRevoked,
    /// A role we had given was lost: the member left, or it vanished.
    RoleLost,
    /// A role that we had taken twice was there again: somebody else gives it, and it is left to them.
    RoleLeft,
    /// A role that a person had given follows the payment from now on, as if we had given it.
    RoleAdopted,
    /// A price or product was mapped to a role.
    MappingAdded,
    /// A mapping was removed, and what it alone gave.
    MappingRemoved,
    /// What the states of a subscription are worth was changed, for one mapping.
    PolicySet,
    /// A customer was linked to a Discord user.
    MemberLinked,
    /// A customer's link was removed.
    MemberUnlinked,
    /// A member was told, by a message, of a payment that failed or what followed.
    MemberNotified,
    /// Members are told of payments that fail.
    NoticesTurnedOn,
    /// They are not.
    NoticesTurnedOff,
    /// A mapped role is only observed: nothing is changed.
    RoleObserved,
    /// A mapped role was turned on.
    RoleEnforced,
    /// A role that somebody took from a member is to be given back.
    GiveBackAsked,
    /// Whether a role that a person gave to who pays is to follow the payment.
    FollowAnswered,
    /// Roles that were not taken until a person agrees, because they were too many, are taken.
    HeldApproved,
    /// The same, and members keep them.
    HeldDiscarded,
    /// A Stripe account was connected, or how it is connected was changed.
    ConnectionSet,
    /// A connection is not used any more.
    ConnectionEnded,
    /// What happened at Stripe since some time is read again.
    BackfillAsked,
    /// Access is derived again from what was read.
    RebuildAsked,
    /// What failed is to be tried again.
    RetryAsked,
    /// Who pays and is linked to nobody is written to.
    PayersInvited,
    /// A mapped role turned out to be dangerous: nobody is given it.
    RoleSuspended,
    /// It is not dangerous any more.
    RoleResumed,
    /// A member is in a trial, and had one before.
    TrialRepeated,
}

impl AuditAction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessBegan => "access.began",
            Self::AccessChanged => "access.changed",
            Self::AccessEnded => "access.ended",
            Self::RoleGranted => "role.granted",
            Self::RoleRevoked => "role.revoked",
            Self::RoleLost => "role.lost",
            Self::RoleLeft => "role.left",
            Self::RoleAdopted => "role.adopted",
            Self::MappingAdded => "mapping.added",
            Self::MappingRemoved => "mapping.removed",
            Self::PolicySet => "policy.set",
            Self::MemberLinked => "member.linked",
            Self::MemberUnlinked => "member.unlinked",
            Self::MemberNotified => "member.notified",
            Self::NoticesTurnedOn => "notices.turned_on",
            Self::NoticesTurnedOff => "notices.turned_off",
            Self::RoleObserved => "role.observed",
            Self::RoleEnforced => "role.enforced",
            Self::GiveBackAsked => "give_back.asked",
            Self::FollowAnswered => "follow.answered",
            Self::HeldApproved => "held.approved",
            Self::HeldDiscarded => "held.discarded",
            Self::ConnectionSet => "connection.set",
            Self::ConnectionEnded => "connection.ended",
            Self::BackfillAsked => "backfill.asked",
            Self::RebuildAsked => "rebuild.asked",
            Self::RetryAsked => "retry.asked",
            Self::PayersInvited => "payers.invited",
            Self::RoleSuspended => "role.suspended",
            Self::RoleResumed => "role.resumed",
            Self::TrialRepeated => "trial.repeated",
        }
    }
}

/// What was before and what is now, by field. Empty where the action says it all.
///
/// A secret goes in as its [`Fingerprint`] only: nothing here takes a `SecretString`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Change(BTreeMap<&'static str, [Option<String>; 2]>);

impl Change {
    /// Adds a field, unless it stayed as it was. `None`: there was, or is, nothing.
    #[must_use]
    pub fn field<T: ToString>(self, name: &'static str, before: Option<T>, now: Option<T>) -> Self {
        self.pair(name, before.map(|value| value.to_string()), now.map(|value| value.to_string()))
    }

    /// The same for a time.
    #[must_use]
    pub fn time(self, name: &'static str, before: Option<Timestamp>, now: Option<Timestamp>) -> Self {
        let shown = |at: Timestamp| at.format(&Rfc3339).unwrap_or_else(|_| at.to_string());
        self.pair(name, before.map(shown), now.map(shown))
    }

    /// Adds a field that holds secrets, or none.
    #[must_use]
    pub fn secrets(self, name: &'static str, before: &[Fingerprint], now: &[Fingerprint]) -> Self {
        let shown = |secrets: &[Fingerprint]| {
            let shown: Vec<_> = secrets.iter().map(ToString::to_string).collect();
            (!shown.is_empty()).then(|| shown.join(", "))
        };
        self.pair(name, shown(before), shown(now))
    }

    fn pair(mut self, name: &'static str, before: Option<String>, now: Option<String>) -> Self {
        if before != now {
            self.0.insert(name, [before, now]);
        }
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One line of the audit log; the database adds its number and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who did it.
    pub actor: Actor,
    pub action: AuditAction,
    /// The member whose access, link or role it is about.
    pub user: Option<UserId>,
    pub role: Option<RoleId>,
    /// Why, in words without personal data.
    pub cause: String,
    /// From where, if somebody asked for it over a network.
    pub address: Option<IpAddr>,
    /// What was before, and what is now.
    pub change: Change,
}

impl AuditEntry {
    /// An entry that concerns nobody and no role yet.
    pub fn new(actor: Actor, action: AuditAction, cause: impl Into<String>) -> Self {
        let (cause, change) = (cause.into(), Change::default());
        Self { actor, action, user: None, role: None, cause, address: None, change }
    }

    /// The member whose access, link or role it is about.
    #[must_use]
    pub fn about(self, user: UserId) -> Self {
        Self { user: Some(user), ..self }
    }

    /// Which role it concerns.
    #[must_use]
    pub fn role(self, role: RoleId) -> Self {
        Self { role: Some(role), ..self }
    }

    /// What was before, and what is now.
    #[must_use]
    pub fn change(self, change: Change) -> Self {
        Self { change, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_what_differs_and_of_secrets_their_fingerprints() {
        let (old, new) = ("rk_test_OLDOLDOLDOLD".into(), "rk_test_NEWNEWNEWNEW".into());
        let change = Change::default()
            .field("livemode", Some(false), Some(false))
            .field("metadata_links", Some(false), Some(true))
            .field("label", None, Some("shop"))
            .secrets("api_key", &[Fingerprint::of(&old)], &[Fingerprint::of(&new)])
            .secrets("webhook_secrets", &[], &[]);
        let json = serde_json::to_value(&change).unwrap();
        assert_eq!(json["metadata_links"], serde_json::json!(["false", "true"]));
        assert_eq!(json["label"], serde_json::json!([null, "shop"]));
        assert!(json.get("livemode").is_none() && json.get("webhook_secrets").is_none());
        assert_ne!(json["api_key"][0], json["api_key"][1]);
        assert!(json["api_key"][0].as_str().unwrap().starts_with("rk_test_#"), "{json}");
        assert!(!json.to_string().contains("OLD") && !json.to_string().contains("NEW"));
        assert!(Change::default().field("a", Some(1), Some(1)).is_empty());
    }
}
