//! A document as text for a terminal. In: a document. Out: lines; sections are set apart, and lines under a title indented.

use time::macros::format_description;

use super::{
    document::{Document, Line, Message, Value},
    words,
};
use crate::clock::Timestamp;

/// The whole text, without a line's end after it.
pub fn render(document: &Document) -> String {
    let mut lines: Vec<String> = document.title.iter().map(text).collect();
    for (number, section) in document.sections.iter().enumerate() {
        // Lines right below the document's title are the title's.
        if !lines.is_empty() && (number > 0 || section.title.is_some()) {
            lines.push(String::new());
        }
        lines.extend(section.title.iter().map(text));
        let indent = if section.title.is_some() { "  " } else { "" };
        let empty = section.if_empty.iter().filter(|_| section.lines.is_empty());
        lines.extend(empty.map(|empty| format!("{indent}{}", text(empty))));
        for line in &section.lines {
            lines.push(format!("{indent}{}", statement(line)));
            lines.extend(line.details.iter().map(|detail| format!("{indent}    {}", text(detail))));
        }
    }
    lines.join("\n")
}

fn statement(line: &Line) -> String {
    let mut said = text(&line.text);
    said.extend(line.notes.iter().map(|note| format!("  ({})", text(note))));
    said.extend(line.fix.iter().map(|fix| format!(" {}", text(fix))));
    said
}

/// A message alone.
pub fn text(message: &Message) -> String {
    words::text(message, &show)
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Code(text) => text.clone(),
        Value::Cell(text, width) => format!("{text:<width$}"),
        Value::Count(count) => count.to_string(),
        Value::Role(role) => role.to_string(),
        Value::Member(user) => user.to_string(),
        Value::Time(at) => time(*at),
        Value::Message(message) => text(message),
        Value::List(values) => values.iter().map(show).collect::<Vec<_>>().join(", "),
    }
}

/// `2026-11-27 08:00:00 UTC`.
pub fn time(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.format(format).unwrap_or_else(|_| at.to_string())
}
