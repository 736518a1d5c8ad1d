//! A document as an embed of a Discord message. In: a document. Out: title, text and colour, within Discord's limits.

use super::{
    document::{Document, Line, Message, Tone, Value, message},
    words,
};

/// Of an embed, in characters. Together they stay below the 6,000 of a message.
const LONGEST_TITLE: usize = 256;
const LONGEST_TEXT: usize = 4096;
/// Ids that somebody made up are cut here.
const LONGEST_CODE: usize = 60;

/// What `CreateEmbed` is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embed {
    pub title: Option<String>,
    pub description: String,
    /// `0xRRGGBB`; `None`: Discord's own.
    pub colour: Option<u32>,
}

/// Discord refuses an embed that is too long as a whole: lines that do not fit are left out, and it is said.
pub fn render(document: &Document) -> Embed {
    let mut lines = Vec::new();
    for section in &document.sections {
        if let Some(title) = &section.title {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(format!("**{}**", text(title)));
        }
        let point = if section.is_list { "- " } else { "" };
        let empty = section.if_empty.iter().filter(|_| section.lines.is_empty());
        lines.extend(empty.map(text));
        for line in &section.lines {
            lines.push(format!("{point}{}", statement(line)));
            lines.extend(line.details.iter().map(|detail| format!("  - {}", text(detail))));
        }
    }
    Embed {
        title: document.title.as_ref().map(|title| text(title).chars().take(LONGEST_TITLE).collect()),
        description: fitting(lines),
        colour: match document.tone {
            Tone::Neutral | Tone::Question => None,
            Tone::Good => Some(0x2e_cc71),
            Tone::Warning => Some(0xf1_c40f),
            Tone::Bad => Some(0xe7_4c3c),
        },
    }
}

fn fitting(mut lines: Vec<String>) -> String {
    let length = |lines: &[String]| lines.iter().map(|line| line.chars().count() + 1).sum::<usize>();
    if length(&lines) > LONGEST_TEXT {
        let more = format!("- {}", text(&message("more-than-fits")));
        while !lines.is_empty() && length(&lines) + more.chars().count() > LONGEST_TEXT {
            lines.pop();
        }
        lines.push(more);
    }
    lines.join("\n")
}

fn statement(line: &Line) -> String {
    let mut said = match &line.check {
        Some(check) => format!("{} {}: {}", check.tone.mark(), check.name, text(&line.text)),
        None => text(&line.text),
    };
    said.extend(line.notes.iter().map(|note| format!(" ({})", text(note))));
    said.extend(line.fix.iter().map(|fix| format!(" {}", text(fix))));
    said
}

/// One message in English, ids as code.
pub fn text(message: &Message) -> String {
    words::text(message, &show)
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Cell(text, _) => text.clone(),
        // As Discord shows it and does not obey it.
        Value::Code(id) => {
            let shown: String =
                id.chars().map(|c| if c == '`' { '\'' } else { c }).take(LONGEST_CODE).collect();
            format!("`{shown}`")
        }
        // As it is: who follows it sees where it leads, and Discord makes a link of it.
        Value::Page(page) => page.as_str().to_owned(),
        Value::Count(count) => count.to_string(),
        Value::Role(role) => format!("<@&{role}>"),
        Value::Member(user) => format!("<@{user}>"),
        Value::Time(at) => format!("<t:{}:R>", at.unix_timestamp()),
        Value::Deadline(at) => format!("<t:{0}:F> (<t:{0}:R>)", at.unix_timestamp()),
        Value::Message(message) => text(message),
        Value::List(values) => values.iter().map(show).collect::<Vec<_>>().join(", "),
    }
}
