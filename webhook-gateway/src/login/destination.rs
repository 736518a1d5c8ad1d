//! Where a login leads. In: the text of `next`, or of our own row. Out: one of our pages, or none: whatever else a link asks for, nobody
//! is sent there. Pure.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shared::ids::{CheckoutSessionId, GuildId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Who one is, and how to log out.
    Account,
    /// What was bought in a checkout session, of a connection of this guild, or of the only one that there is.
    Claim { guild: Option<GuildId>, session: CheckoutSessionId },
    /// How far one's roles in a server are.
    Roles { guild: GuildId },
    /// The owner's link: whoever is not in the server is added to it.
    Join { guild: GuildId },
}

impl Destination {
    /// A path of ours with its query, as [`Destination::path`] writes it.
    pub fn parse(path: &str) -> Option<Self> {
        if path == "/account" {
            return Some(Self::Account);
        }
        if let Some(guild) = path.strip_prefix("/roles/") {
            return Some(Self::Roles { guild: guild.parse().ok()? });
        }
        if let Some(guild) = path.strip_prefix("/join/") {
            return Some(Self::Join { guild: guild.parse().ok()? });
        }
        let (path, session) = path.split_once("?session_id=")?;
        let session = session.parse().ok()?;
        let guild = match path.strip_prefix("/claim")? {
            "" => None,
            rest => Some(rest.strip_prefix('/')?.parse().ok()?),
        };
        Some(Self::Claim { guild, session })
    }

    /// Without our origin: every part of it is letters, digits, `_` and `-`.
    pub fn path(&self) -> String {
        match self {
            Self::Account => "/account".to_owned(),
            Self::Claim { guild: None, session } => format!("/claim?session_id={session}"),
            Self::Claim { guild: Some(guild), session } => format!("/claim/{guild}?session_id={session}"),
            Self::Roles { guild } => format!("/roles/{guild}"),
            Self::Join { guild } => format!("/join/{guild}"),
        }
    }

    /// The page that leads to Discord, and then here.
    pub fn login_path(&self) -> String {
        format!("/login/discord?next={}", utf8_percent_encode(&self.path(), NON_ALPHANUMERIC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_are_led_to() {
        for path in [
            "/account",
            "/claim?session_id=cs_test_a1-B",
            "/claim/81384788765712384?session_id=cs_1",
            "/roles/7",
            "/join/81384788765712384",
        ] {
            assert_eq!(Destination::parse(path).unwrap().path(), path);
        }
        for foreign in [
            "",
            "/",
            "//evil.example",
            "https://evil.example/account",
            "/account/",
            "/account?x=1",
            "/account#x",
            "/\\evil.example",
            "/claim",
            "/claim?session_id=",
            "/claim?session_id=cs_1&next=//evil.example",
            "/claim?session_id=cs_1#x",
            "/claim?session_id=../x",
            "/claim/?session_id=cs_1",
            "/claim/x?session_id=cs_1",
            "/claim/1/2?session_id=cs_1",
            "/claimed?session_id=cs_1",
            "/roles/",
            "/roles/x",
            "/roles/7/..",
            "/join/",
            "/join/x",
            "/join/7?x=1",
            "/join/7//evil.example",
            "/claim//evil.example?session_id=cs_1",
            "javascript:alert(1)",
        ] {
            assert_eq!(Destination::parse(foreign), None, "{foreign}");
        }
    }
}
