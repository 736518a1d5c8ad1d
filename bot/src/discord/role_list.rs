//! A server's roles in Discord's answer. In: the body of `GET /guilds/{guild.id}/roles`. Out: each role, and why it must not be
//! given, if so. Pure.
//!
//! Our own reading, not serenity's: that drops permissions which it does not know, and reads a broken list in part.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use shared::{
    domain::roles::{
        permissions::Permissions,
        safety::{ManagedBy, RoleFacts, judge},
        suspension::JudgedRoles,
    },
    ids::{GuildId, RoleId},
};

#[derive(Deserialize)]
struct WireRole {
    id: String,
    permissions: String,
    managed: bool,
    #[serde(default)]
    tags: Option<Tags>,
}

/// What Discord says of where a role comes from: a key says it, also where its value is null.
pub(super) type Tags = BTreeMap<String, IgnoredAny>;

/// The whole list; `None` if the body is anything else, or a part. @everyone is in every list.
pub fn judged(guild: GuildId, body: &[u8]) -> Option<JudgedRoles> {
    let wire: Vec<WireRole> = serde_json::from_slice(body).ok()?;
    let read = |role: &WireRole| {
        let id: RoleId = role.id.parse().ok()?;
        let permissions = Permissions(role.permissions.parse().ok()?);
        Some((
            id,
            RoleFacts {
                permissions,
                managed_by: managed_by(role.managed, role.tags.as_ref()),
                is_everyone: id.get() == guild.get(),
            },
        ))
    };
    let roles: Vec<(RoleId, RoleFacts)> = wire.iter().map(read).collect::<Option<_>>()?;
    let everyone = roles.iter().find(|(_, facts)| facts.is_everyone)?.1.permissions;
    let judged =
        |(id, facts): (RoleId, RoleFacts)| (id, judge(&facts, everyone).err().map(|why| why.to_string()));
    Some(roles.into_iter().map(judged).collect())
}

pub(super) fn managed_by(managed: bool, tags: Option<&Tags>) -> Option<ManagedBy> {
    let tags = tags.into_iter().flat_map(BTreeMap::keys);
    let tagged = tags.filter_map(|tag| match tag.as_str() {
        "bot_id" => Some(ManagedBy::Bot),
        "integration_id" => Some(ManagedBy::Integration),
        "premium_subscriber" => Some(ManagedBy::Boosting),
        "subscription_listing_id" | "available_for_purchase" => Some(ManagedBy::Purchase),
        "guild_connections" => Some(ManagedBy::LinkedAccount),
        _ => None,
    });
    // A bot's role has the integration's tag too; that it is a bot's says more.
    tagged.min_by_key(|managed_by| *managed_by as u8).or_else(|| managed.then_some(ManagedBy::Unknown))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const GUILD: u64 = 100;

    fn role(id: u64, permissions: &str) -> Value {
        json!({ "id": id.to_string(), "name": "r", "permissions": permissions, "managed": false, "position": 1 })
    }

    fn read(roles: &Value) -> Option<BTreeMap<u64, Option<String>>> {
        let judged = judged(GuildId::from_u64(GUILD).unwrap(), roles.to_string().as_bytes())?;
        Some(judged.into_iter().map(|(role, danger)| (role.get(), danger)).collect())
    }

    #[test]
    fn each_role_is_judged_with_its_list() {
        let roles = json!([
            role(GUILD, "131072"),
            role(1, "0"),
            role(2, "8"),
            // Everyone may mention everyone here.
            role(3, "131072"),
            // A permission of tomorrow.
            role(4, "1180591620717411303424"),
        ]);
        let read = read(&roles).unwrap();
        assert_eq!(read[&GUILD].as_deref(), Some("it is @everyone, which every member has"));
        assert_eq!((&read[&1], &read[&3]), (&None, &None));
        assert_eq!(read[&2].as_deref(), Some("it gives Administrator"));
        let tomorrow = "it gives a permission that Nexrole does not know (bit 70)";
        assert_eq!(read[&4].as_deref(), Some(tomorrow));
    }

    #[test]
    fn a_tag_says_who_gives_a_role_also_where_it_is_null() {
        for (tags, managed, expected) in [
            (json!({ "bot_id": "5", "integration_id": "6" }), true, Some("it belongs to a bot")),
            (json!({ "integration_id": "6" }), true, Some("an integration gives it")),
            (
                json!({ "premium_subscriber": null }),
                true,
                Some("Discord gives it to those who boost the server"),
            ),
            (json!({ "available_for_purchase": null }), false, Some("Discord sells it")),
            (json!({ "guild_connections": null }), false, Some("Discord gives it for a linked account")),
            (json!({ "of_tomorrow": null }), true, Some("Discord manages it")),
            (json!(null), true, Some("Discord manages it")),
            (json!({}), false, None),
        ] {
            let mut tagged = role(7, "0");
            tagged["tags"] = tags.clone();
            tagged["managed"] = managed.into();
            let read = read(&json!([role(GUILD, "0"), tagged])).unwrap();
            assert_eq!(read[&7].as_deref(), expected, "{tags}");
        }
    }

    proptest::proptest! {
        /// Law: a list that lost its end, wherever, is no list; and no bytes make the reading panic.
        #[test]
        fn a_list_is_whole_or_nothing(cut in 0_usize..400, noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            let guild = GuildId::from_u64(GUILD).unwrap();
            let whole = json!([role(GUILD, "0"), role(1, "8"), role(2, "0")]).to_string();
            if let Some(part) = whole.get(..cut).filter(|part| part.len() < whole.len()) {
                proptest::prop_assert_eq!(judged(guild, part.as_bytes()), None);
            }
            proptest::prop_assert_eq!(judged(guild, &noise), None);
        }
    }

    #[test]
    fn a_broken_list_is_no_list() {
        let whole = json!([role(GUILD, "0"), role(1, "0")]).to_string();
        assert!(read(&serde_json::from_str(&whole).unwrap()).is_some());
        for roles in [
            json!([]),
            json!({}),
            json!(null),
            // Without @everyone it is not this server's, or a part.
            json!([role(1, "0")]),
            json!([role(GUILD, "0"), role(1, "all")]),
            json!([role(GUILD, "0"), role(1, "-1")]),
            json!([role(GUILD, "0"), role(1, "")]),
            json!([role(GUILD, "0"), { "id": "1", "permissions": "0" }]),
            json!([role(GUILD, "0"), { "id": "x", "permissions": "0", "managed": false }]),
        ] {
            assert_eq!(read(&roles), None, "{roles}");
        }
        let guild = GuildId::from_u64(GUILD).unwrap();
        assert_eq!(judged(guild, &whole.as_bytes()[..whole.len() - 1]), None, "cut off");
    }
}
