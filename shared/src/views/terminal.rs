//! A document as text for a terminal. In: a document. Out: lines; sections are set apart, their lines indented.

use time::macros::format_description;

use super::{
    catalogue,
    document::{Document, Line, Message, Value},
};
use crate::clock::Timestamp;

/// The whole text, without a line's end after it.
pub fn render(document: &Document) -> String {
    let mut lines: Vec<String> = document.title.iter().map(text).collect();
    for section in &document.sections {
        let indent = if let Some(title) = &section.title {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(text(title));
            "  "
        } else {
            ""
        };
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
    match &line.fix {
        Some(fix) => format!("{} {}", text(&line.text), text(fix)),
        None => text(&line.text),
    }
}

/// A message alone.
pub fn text(message: &Message) -> String {
    catalogue::text(message, &show)
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Code(text) => text.clone(),
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
