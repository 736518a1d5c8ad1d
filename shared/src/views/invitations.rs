//! Writing to those who pay and are linked to nobody. In: the plan. Out: what it comes to, before and after.

use super::document::{Document, Line, Tone, message};
use crate::{domain::invitation::Plan, ids::GuildId};

pub fn planned(guild: GuildId, plan: &Plan) -> Document {
    let Plan { invite, remind, told, stopped } = plan;
    let lines = [
        (message("invite-first").with("count", invite.len()), invite.len()),
        (message("invite-again").with("count", remind.len()), remind.len()),
        (message("invite-told").with("count", *told), *told),
        (message("invite-stopped").with("count", *stopped), *stopped),
    ];
    let lines: Vec<Line> =
        lines.into_iter().filter(|(_, count)| *count > 0).map(|(line, _)| line.into()).collect();
    let lines = if lines.is_empty() { vec![message("invite-nobody").into()] } else { lines };
    Document { title: Some(message("invite-title").with("guild", guild)), ..Document::of_lines(lines) }
}

pub fn queued(done: &Plan) -> Document {
    let count = done.invite.len() + done.remind.len();
    let lines =
        vec![message("invite-queued").with("count", count).into(), message("invite-queued-how").into()];
    Document { tone: Tone::Good, ..Document::of_lines(lines) }
}
