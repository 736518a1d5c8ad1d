//! What members of a server may do. Pure.
//! <https://discord.com/developers/docs/topics/permissions>

use std::fmt;

use serde::{Deserialize, Serialize};

const ADMINISTRATOR: u32 = 3;

/// Permission bits, as Discord writes them: a decimal number of any length. Beyond 128 bits it is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Permissions(pub u128);

impl Permissions {
    /// All that there are, those of tomorrow too.
    pub const ALL: Self = Self(u128::MAX);

    pub fn has(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Permissions> for String {
    fn from(permissions: Permissions) -> Self {
        permissions.to_string()
    }
}

impl TryFrom<String> for Permissions {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self).map_err(|_| "permissions are a decimal number")
    }
}

/// What a member may do in the server as a whole; a channel's own rules may add to it or take from it. The owner, and whoever has
/// Administrator, may do everything. A member's time-out, which takes nearly all for a while, is not checked.
pub fn of_member(
    is_owner: bool,
    everyone: Permissions,
    roles: impl IntoIterator<Item = Permissions>,
) -> Permissions {
    let given = roles.into_iter().fold(everyone, |all, role| Permissions(all.0 | role.0));
    if is_owner || given.has(ADMINISTRATOR) { Permissions::ALL } else { given }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_may_what_everyone_or_one_of_their_roles_may() {
        let of = |is_owner, roles: &[u128]| {
            of_member(is_owner, Permissions(0b1), roles.iter().copied().map(Permissions))
        };
        assert_eq!(of(false, &[]), Permissions(0b1));
        assert_eq!(of(false, &[0b10, 0b100]), Permissions(0b111));
        assert_eq!(of(false, &[1 << ADMINISTRATOR]), Permissions::ALL);
        assert_eq!(of(true, &[]), Permissions::ALL);
        assert_eq!(
            of_member(false, Permissions(1 << ADMINISTRATOR), []),
            Permissions::ALL,
            "a server of administrators"
        );
    }
}
