//! A server in Discord's answer. In: the body of `GET /guilds/{guild.id}`. Out: its owner, and what each role permits. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use shared::{
    domain::roles::permissions::Permissions,
    ids::{GuildId, RoleId, UserId},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub owner: UserId,
    /// What every member may do.
    pub everyone: Permissions,
    pub roles: BTreeMap<RoleId, Permissions>,
}

#[derive(Deserialize)]
struct WireGuild {
    owner_id: String,
    roles: Vec<WireRole>,
}

#[derive(Deserialize)]
struct WireRole {
    id: String,
    permissions: Permissions,
}

/// `None` if the body is anything else, or a part. @everyone, whose id is the server's, is in every list of roles.
pub fn server(guild: GuildId, body: &[u8]) -> Option<Server> {
    let wire: WireGuild = serde_json::from_slice(body).ok()?;
    let roles = wire.roles.iter().map(|role| Some((role.id.parse().ok()?, role.permissions)));
    let roles: BTreeMap<RoleId, Permissions> = roles.collect::<Option<_>>()?;
    let everyone = *roles.get(&RoleId::from_u64(guild.get())?)?;
    Some(Server { owner: wire.owner_id.parse().ok()?, everyone, roles })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_is_read_whole_or_not_at_all() {
        let guild = GuildId::from_u64(100).unwrap();
        let roles = json!([{ "id": "100", "permissions": "1" }, { "id": "7", "permissions": "1267650600228229401496703205376" }]);
        let whole = json!({ "id": "100", "owner_id": "5", "roles": roles });
        let read = server(guild, whole.to_string().as_bytes()).unwrap();
        assert_eq!(read.owner, "5".parse().unwrap());
        assert_eq!(read.everyone, Permissions(1));
        assert_eq!(read.roles[&"7".parse().unwrap()], Permissions(1 << 100), "one of tomorrow");
        for broken in [
            json!({ "owner_id": "5", "roles": [{ "id": "7", "permissions": "1" }] }),
            json!({ "owner_id": "5", "roles": [{ "id": "100", "permissions": "all" }] }),
            json!({ "owner_id": "5", "roles": [{ "id": "100", "permissions": "1" }, { "id": "x", "permissions": "1" }] }),
            json!({ "owner_id": null, "roles": roles }),
            json!({ "roles": roles }),
            json!([]),
        ] {
            assert_eq!(server(guild, broken.to_string().as_bytes()), None, "{broken}");
        }
    }
}
