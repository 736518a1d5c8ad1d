//! What members of a server may do. Pure.
//! <https://discord.com/developers/docs/topics/permissions>

use std::{fmt, num::ParseIntError, str::FromStr};

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

impl FromStr for Permissions {
    type Err = ParseIntError;
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl From<Permissions> for String {
    fn from(permissions: Permissions) -> Self {
        permissions.to_string()
    }
}

impl TryFrom<String> for Permissions {
    type Error = ParseIntError;
    fn try_from(text: String) -> Result<Self, ParseIntError> {
        text.parse()
    }
}

/// What a member may do in the server as a whole; a channel's own rules may add to it or take from it. The owner, and whoever has
/// Administrator, may do everything. A member's time-out, which takes nearly all for a while, is not looked at.
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

    #[test]
    fn bits_of_tomorrow_survive_json() {
        let odd = Permissions(1 << 100 | 1);
        let json = serde_json::to_string(&odd).unwrap();
        assert_eq!(json, "\"1267650600228229401496703205377\"");
        assert_eq!(serde_json::from_str::<Permissions>(&json).unwrap(), odd);
        for wrong in ["\"-1\"", "\"\"", "\"all\"", "1"] {
            assert!(serde_json::from_str::<Permissions>(wrong).is_err(), "{wrong}");
        }
    }
}
