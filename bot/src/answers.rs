//! What the gateway asks of the bot. In: a question about a server. Out: what Discord says, or what came of what was to be done.

use std::time::Instant;

use shared::{
    domain::{
        roles::{
            permissions::{Permissions, of_member},
            plan::Member,
        },
        service_request::{Answer, Question},
    },
    ids::{GuildId, UserId},
};

use crate::{
    discord::client::{NoTime, RoleClient},
    worker::adding::Door,
};

pub async fn answer(door: &Door, guild: GuildId, question: Question, until: Instant) -> Answer {
    match question {
        Question::MemberPermissions { user } => member_permissions(&door.discord, guild, user, until).await,
        Question::AddMember { user, token } => Answer::Adding(door.add(guild, user, &token, until).await),
    }
}

async fn member_permissions(discord: &RoleClient, guild: GuildId, user: UserId, until: Instant) -> Answer {
    let (member, server) = tokio::join!(discord.member(guild, user, until), discord.server(guild, until));
    let roles = match member {
        Ok(answer) => match answer.member {
            Ok(Member::Present { roles, .. }) => roles,
            Ok(Member::Absent) => return Answer::MemberAbsent,
            Err(_) => return Answer::Unavailable,
        },
        Err(NoTime) => return Answer::Unavailable,
    };
    let Ok(Ok(server)) = server else { return Answer::Unavailable };
    // A role that was made between the two answers is not known: it gives nothing yet.
    let given = roles.iter().map(|role| server.roles.get(role).copied().unwrap_or(Permissions(0)));
    Answer::MemberPermissions(of_member(server.owner == user, server.everyone, given))
}
