//! Whether a role may be given for money. In: what Discord says of the role and of @everyone. Out: nothing, or a [`Danger`].
//!
//! Discord lets a bot give every role below its own, also one that administers the server. A role that is sold may let its
//! holders do more with what is theirs; it may not let them act on other members or on the server, nor read what its staff
//! reads. Bits: <https://discord.com/developers/docs/topics/permissions#permissions-bitwise-permission-flags>.

use std::fmt;

use super::permissions::Permissions;

/// Refused always. By bit, with the name that Discord's settings show.
const OF_STAFF: [(u32, &str); 20] = [
    (1, "Kick Members"),
    (2, "Ban Members"),
    (3, "Administrator"),
    (4, "Manage Channels"),
    (5, "Manage Server"),
    (7, "View Audit Log"),
    (13, "Manage Messages"),
    (19, "View Server Insights"),
    (22, "Mute Members"),
    (23, "Deafen Members"),
    (24, "Move Members"),
    (27, "Manage Nicknames"),
    (28, "Manage Roles"),
    (29, "Manage Webhooks"),
    // Emojis, stickers and sounds, of others too.
    (30, "Manage Expressions"),
    (33, "Manage Events"),
    (34, "Manage Threads and Posts"),
    (40, "Timeout Members"),
    (41, "View Server Monetization Analytics"),
    // Was part of Manage Messages: it acts on what others wrote.
    (51, "Pin Messages"),
];

/// Refused, unless @everyone has it: then the role does not give it. New servers give it to everyone, and a new role begins with
/// what everyone has.
const MENTION_EVERYONE: (u32, &str) = (17, "Mention @everyone, @here, and All Roles");

/// What a member does with what is theirs: see, write, speak, react, invite, and make things that they alone can change.
const HARMLESS: [u32; 32] = [
    0,  // Create Invite
    6,  // Add Reactions
    8,  // Priority Speaker
    9,  // Video
    10, // View Channels
    11, // Send Messages
    12, // Send Text-to-Speech Messages
    14, // Embed Links
    15, // Attach Files
    16, // Read Message History
    18, // Use External Emoji
    20, // Connect
    21, // Speak
    25, // Use Voice Activity
    26, // Change Nickname
    31, // Use Application Commands
    32, // Request to Speak
    35, // Create Public Threads
    36, // Create Private Threads
    37, // Use External Stickers
    38, // Send Messages in Threads and Posts
    39, // Use Activities
    42, // Use Soundboard
    43, // Create Expressions
    44, // Create Events
    45, // Use External Sounds
    46, // Send Voice Messages
    47, // Use Clyde AI: gone from Discord, and from its settings, where nobody can take it from an old role
    48, // Set Voice Channel Status
    49, // Create Polls
    50, // Use External Apps
    52, // Bypass Slowmode: for one's own messages
];

/// Who gives a role instead of a bot. Discord refuses it to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagedBy {
    /// It came with a bot: `tags.bot_id`.
    Bot,
    /// An integration: `tags.integration_id`.
    Integration,
    /// Discord, for boosting the server: `tags.premium_subscriber`.
    Boosting,
    /// Discord, for a purchase: `tags.subscription_listing_id`, `tags.available_for_purchase`.
    Purchase,
    /// Discord, for a linked account: `tags.guild_connections`.
    LinkedAccount,
    /// `managed`, without a tag that we know.
    Unknown,
}

/// What Discord says of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoleFacts {
    /// What it lets its holders do.
    pub permissions: Permissions,
    /// Who gives it, if not people and bots.
    pub managed_by: Option<ManagedBy>,
    /// Its id is the server's.
    pub is_everyone: bool,
}

/// Why a role must not be given for money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// Every member has it.
    Everyone,
    /// It is not ours to give.
    ManagedBy(ManagedBy),
    /// It gives these permissions, as Discord names them.
    Gives(Vec<String>),
}

/// Judges a role. A permission that Discord invents after this was written is refused too, unless everyone has it.
pub fn judge(role: &RoleFacts, everyone: Permissions) -> Result<(), Danger> {
    if role.is_everyone {
        return Err(Danger::Everyone);
    }
    if let Some(managed_by) = role.managed_by {
        return Err(Danger::ManagedBy(managed_by));
    }
    let named: Vec<_> = (0..u128::BITS)
        .filter(|bit| role.permissions.has(*bit))
        .filter_map(|bit| refusal(bit, everyone))
        .collect();
    if named.is_empty() { Ok(()) } else { Err(Danger::Gives(named)) }
}

/// The name of a permission that must not be given.
fn refusal(bit: u32, everyone: Permissions) -> Option<String> {
    if let Some((_, name)) = OF_STAFF.iter().find(|(staff, _)| *staff == bit) {
        return Some((*name).to_owned());
    }
    if HARMLESS.contains(&bit) || everyone.has(bit) {
        return None;
    }
    Some(if bit == MENTION_EVERYONE.0 {
        MENTION_EVERYONE.1.to_owned()
    } else {
        format!("a permission that Nexrole does not know (bit {bit})")
    })
}

/// How the sentence about permissions begins, by which it is told from those about who gives the role.
const GIVES: &str = "it gives ";

/// What helps, said so that it ends a sentence. In: a [`Danger`] as it was written down. Who gives a role does not change;
/// permissions do.
pub fn remedy(danger: &str) -> &'static str {
    if is_lasting(danger) {
        "Map another role"
    } else {
        "Take those permissions from it in Discord (Server Settings, Roles), or map another role"
    }
}

/// Whether a danger, as it was written down, is no matter of permissions: it stays, however long ago it was read.
pub fn is_lasting(danger: &str) -> bool {
    !danger.starts_with(GIVES)
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let managed_by = match self {
            Self::Everyone => return f.write_str("it is @everyone, which every member has"),
            Self::Gives(names) => return write!(f, "{GIVES}{}", names.join("; ")),
            Self::ManagedBy(managed_by) => managed_by,
        };
        f.write_str(match managed_by {
            ManagedBy::Bot => "it belongs to a bot",
            ManagedBy::Integration => "an integration gives it",
            ManagedBy::Boosting => "Discord gives it to those who boost the server",
            ManagedBy::Purchase => "Discord sells it",
            ManagedBy::LinkedAccount => "Discord gives it for a linked account",
            ManagedBy::Unknown => "Discord manages it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOBODY: Permissions = Permissions(0);

    fn role(permissions: u128) -> RoleFacts {
        RoleFacts { permissions: Permissions(permissions), ..RoleFacts::default() }
    }

    /// Discord's list of 2026, bit by bit: which of them may be sold.
    #[test]
    fn every_bit_is_judged() {
        let refused = [1, 2, 3, 4, 5, 7, 13, 17, 19, 22, 23, 24, 27, 28, 29, 30, 33, 34, 40, 41, 51];
        for bit in 0..128 {
            let judged = judge(&role(1 << bit), NOBODY);
            assert_eq!(judged.is_err(), refused.contains(&bit) || bit > 52, "bit {bit}: {judged:?}");
        }
    }

    #[test]
    fn no_bit_is_listed_twice() {
        let mut bits: Vec<u32> = OF_STAFF.iter().map(|(bit, _)| *bit).chain(HARMLESS).collect();
        bits.push(MENTION_EVERYONE.0);
        let listed = bits.len();
        bits.sort_unstable();
        bits.dedup();
        assert_eq!(bits.len(), listed);
        assert_eq!(listed, 53, "bits 0 to 52");
    }

    #[test]
    fn what_everyone_may_do_already_is_not_given_by_a_role() {
        // What a new server gives to everyone, and a new role begins with; it contains Mention @everyone.
        let usual = 0x637_DE41;
        assert!(judge(&role(usual), NOBODY).is_err());
        assert_eq!(judge(&role(usual), Permissions(usual)), Ok(()));
        // A permission that Discord may invent, and give to everyone.
        assert_eq!(judge(&role(1 << 60), Permissions(1 << 60)), Ok(()));
        // What only staff should have is refused even so.
        assert!(judge(&role(1 << 3), Permissions(u128::MAX)).is_err());
    }

    #[test]
    fn what_is_not_ours_to_give_is_refused_whatever_it_may_do() {
        assert_eq!(judge(&RoleFacts { is_everyone: true, ..role(0) }, NOBODY), Err(Danger::Everyone));
        for managed_by in [
            ManagedBy::Bot,
            ManagedBy::Integration,
            ManagedBy::Boosting,
            ManagedBy::Purchase,
            ManagedBy::LinkedAccount,
            ManagedBy::Unknown,
        ] {
            let judged = judge(&RoleFacts { managed_by: Some(managed_by), ..role(0) }, NOBODY);
            assert_eq!(judged, Err(Danger::ManagedBy(managed_by)));
        }
    }

    #[test]
    fn only_permissions_can_be_fixed() {
        let gives = judge(&role(1 << 3), NOBODY).unwrap_err().to_string();
        assert!(remedy(&gives).contains("Take those permissions") && !is_lasting(&gives), "{gives}");
        let managers = [
            ManagedBy::Bot,
            ManagedBy::Integration,
            ManagedBy::Boosting,
            ManagedBy::Purchase,
            ManagedBy::LinkedAccount,
            ManagedBy::Unknown,
        ];
        for lasting in managers.map(Danger::ManagedBy).into_iter().chain([Danger::Everyone]) {
            let said = lasting.to_string();
            assert!(remedy(&said) == "Map another role" && is_lasting(&said), "{said}");
        }
    }

    #[test]
    fn a_danger_names_every_permission() {
        let said = judge(&role(1 << 3 | 1 << 2 | 1 << 11 | 1 << 60), NOBODY).unwrap_err().to_string();
        assert_eq!(
            said,
            "it gives Ban Members; Administrator; a permission that Nexrole does not know (bit 60)"
        );
    }

    proptest! {
        /// Law: more permissions never make a role less dangerous, and @everyone's never make it more so.
        #[test]
        fn danger_grows_with_permissions(some in any::<u128>(), more in any::<u128>(), everyone in any::<u128>()) {
            let everyone = Permissions(everyone);
            let (less, both) = (judge(&role(some), everyone), judge(&role(some | more), everyone));
            prop_assert!(less.is_ok() || both.is_err());
            prop_assert!(judge(&role(some), NOBODY).is_err() || less.is_ok());
        }

        /// Law: with a permission of the staff's no role passes, whatever everyone may do.
        #[test]
        fn staff_permissions_always_count(some in any::<u128>(), at in 0..OF_STAFF.len(), everyone in any::<u128>()) {
            let (bit, name) = OF_STAFF[at];
            let judged = judge(&role(some | 1 << bit), Permissions(everyone));
            prop_assert!(matches!(judged, Err(Danger::Gives(names)) if names.contains(&name.to_owned())));
        }
    }
}
