//! `nexrole members`: members and payers that a server's owner has to look at, and what to do about them. Text on stdout.

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use shared::{
    actions::list_members::{MemberList, list_members},
    db::{authorized::Authorized, pool::Pool},
    ids::GuildId,
    views::{member_lists, terminal},
};

use super::guild::failed;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Which list
    #[arg(value_parser = lists())]
    list: MemberList,
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// How many to name of each group; all are counted
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
}

/// Each list by its name, with what is in it.
fn lists() -> impl TypedValueParser<Value = MemberList> {
    let named = |list: MemberList| {
        let help = match list {
            MemberList::WithoutRole => "Who pays and has no role, by cause",
            MemberList::NotInServer => "Who pays and is not in the server: left or banned",
            MemberList::WithRole => "Who has a paid role, by reason",
            MemberList::Unlinked => "Who pays and is linked to no member",
            MemberList::Double => "Who is charged by two subscriptions for the same role",
            MemberList::Fees => "Of whose payments a platform takes a part",
            MemberList::Metadata => "Metadata keys at Stripe whose values look like Discord ids",
        };
        PossibleValue::new(list.as_str()).help(help)
    };
    let of_name = |name: String| MemberList::ALL.into_iter().find(|list| list.as_str() == name);
    PossibleValuesParser::new(MemberList::ALL.map(named))
        .try_map(move |name| of_name(name).ok_or("there is no such list"))
}

pub(super) async fn show(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, list, limit } = *arguments;
    let limit = usize::from(limit);
    let by = Authorized::operator(pool, guild)?;
    let listed = list_members(pool, &by, list, limit).await.map_err(|error| failed(guild, error))?;
    println!("{}", terminal::render(&member_lists::document(guild, &listed, limit)));
    Ok(())
}
