//! Where a login leads. In: the text of `next`, or of our own row. Out: one of our pages, or none: whatever else a link asks for, nobody
//! is sent there. Pure.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shared::ids::{CheckoutSessionId, GuildId};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Who one is, and how to log out.
    Account,
    /// What was bought in a checkout session, of a connection of this guild, or of the only one that there is.
    Claim { guild: Option<GuildId>, session: CheckoutSessionId },
    /// Where a code by e-mail is asked for.
    Email { guild: GuildId },
    /// Where such a code is typed.
    Code { guild: GuildId, code: Uuid },
    /// How far one's roles in a server are.
    Roles { guild: GuildId },
    /// The owner's link: whoever is not in the server is added to it.
    Join { guild: GuildId },
    /// Where what one paid for is moved to another account.
    Move { guild: GuildId },
    /// Where it is given up.
    Unlink { guild: GuildId },
    /// What a server sells.
    Subscribe { guild: GuildId },
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
        if let Some((guild, rest)) = path.strip_prefix("/claim/").and_then(|rest| rest.split_once("/email")) {
            let guild = guild.parse().ok()?;
            return match rest.strip_prefix('/') {
                None => rest.is_empty().then_some(Self::Email { guild }),
                Some(id) => {
                    let code: Uuid = id.parse().ok()?;
                    // Of the ways to write one, ours.
                    (code.to_string() == id).then_some(Self::Code { guild, code })
                }
            };
        }
        if let Some(guild) = path.strip_prefix("/join/") {
            return Some(Self::Join { guild: guild.parse().ok()? });
        }
        if let Some(guild) = path.strip_prefix("/move/") {
            return Some(Self::Move { guild: guild.parse().ok()? });
        }
        if let Some(guild) = path.strip_prefix("/unlink/") {
            return Some(Self::Unlink { guild: guild.parse().ok()? });
        }
        if let Some(guild) = path.strip_prefix("/subscribe/") {
            return Some(Self::Subscribe { guild: guild.parse().ok()? });
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
            Self::Email { guild } => format!("/claim/{guild}/email"),
            Self::Code { guild, code } => format!("/claim/{guild}/email/{code}"),
            Self::Roles { guild } => format!("/roles/{guild}"),
            Self::Join { guild } => format!("/join/{guild}"),
            Self::Move { guild } => format!("/move/{guild}"),
            Self::Unlink { guild } => format!("/unlink/{guild}"),
            Self::Subscribe { guild } => format!("/subscribe/{guild}"),
        }
    }

    /// The same for somebody who is logged in, and wants to be another.
    pub fn other_login_path(&self) -> String {
        format!("{}&as=other", self.login_path())
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
            "/claim/7/email",
            "/claim/7/email/67e55044-10b1-426f-9247-bb680e5fe0c8",
            "/join/81384788765712384",
            "/move/7",
            "/unlink/81384788765712384",
            "/subscribe/81384788765712384",
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
            "/move/",
            "/move/7/accept",
            "/move/x",
            "/unlink/7?x=1",
            "/unlink//evil.example",
            "/subscribe/",
            "/subscribe/7?plan=plink_1",
            "/join/7//evil.example",
            "/claim//evil.example?session_id=cs_1",
            "/claim/7/email/",
            "/claim/7/emails",
            "/claim/7/email?x=1",
            "/claim//email",
            "/claim/x/email",
            "/claim/7/email/67E55044-10B1-426F-9247-BB680E5FE0C8",
            "/claim/7/email/67e5504410b1426f9247bb680e5fe0c8",
            "/claim/7/email/67e55044-10b1-426f-9247-bb680e5fe0c8/x",
            "javascript:alert(1)",
        ] {
            assert_eq!(Destination::parse(foreign), None, "{foreign}");
        }
    }
}
