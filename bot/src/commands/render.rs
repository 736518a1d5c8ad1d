//! An embed of ours as serenity's. In: title, text and colour. Out: a request's part.

use serenity::all::CreateEmbed;
use shared::views::discord::Embed;

pub(super) fn embed(embed: Embed) -> CreateEmbed {
    let mut made = CreateEmbed::new().description(embed.description);
    if let Some(title) = embed.title {
        made = made.title(title);
    }
    if let Some(colour) = embed.colour {
        made = made.colour(colour);
    }
    made
}
