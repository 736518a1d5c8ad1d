//! A document as text for a terminal. In: a document. Out: lines; sections are set apart, and lines under a title indented.

use time::macros::format_description;

use super::{
    document::{Check, Document, Line, Message, Tone, Value},
    words,
};
use crate::clock::Timestamp;

/// Of lines that say what came of a check, in characters: where their text begins, and how wide it is.
const MARGIN: usize = 17;
const WIDTH: usize = 100;

/// The whole text, without a line's end after it.
pub fn render(document: &Document) -> String {
    lines(document, &|tone| tone.mark().to_string()).join("\n")
}

/// With coloured marks, for a terminal that shows them.
pub fn render_in_colour(document: &Document) -> String {
    let mark = |tone: Tone| match colour(tone) {
        Some(colour) => format!("\x1b[{colour}m{}\x1b[0m", tone.mark()),
        None => tone.mark().to_string(),
    };
    lines(document, &mark).join("\n")
}

fn colour(tone: Tone) -> Option<u8> {
    match tone {
        Tone::Neutral => None,
        Tone::Good => Some(32),
        Tone::Warning => Some(33),
        Tone::Bad => Some(31),
        Tone::Question => Some(36),
    }
}

fn lines(document: &Document, mark: &dyn Fn(Tone) -> String) -> Vec<String> {
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
            match &line.check {
                Some(check) => lines.extend(checked(line, check, &mark(check.tone))),
                None => lines.push(format!("{indent}{}", statement(line))),
            }
            lines.extend(line.details.iter().map(|detail| format!("{indent}    {}", text(detail))));
        }
    }
    lines
}

/// Mark and name, what was found, and after an arrow what helps.
fn checked(line: &Line, check: &Check, mark: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, row) in wrapped(&text(&line.text)).into_iter().enumerate() {
        let margin = if number == 0 { format!("  {mark} {:<12} ", check.name) } else { " ".repeat(MARGIN) };
        lines.push(margin + &row);
    }
    let fix = line.fix.iter().flat_map(|fix| wrapped(&text(fix))).enumerate();
    lines.extend(
        fix.map(|(number, row)| format!("{:MARGIN$}{} {row}", "", if number == 0 { "→" } else { " " })),
    );
    lines
}

/// Lines of about `WIDTH` characters, broken at spaces; what has lines already keeps them.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

fn statement(line: &Line) -> String {
    let mut said = text(&line.text);
    said.extend(line.notes.iter().map(|note| format!("  ({})", text(note))));
    said.extend(line.fix.iter().map(|fix| format!(" {}", text(fix))));
    said
}

/// One message in English, without a layout.
pub fn text(message: &Message) -> String {
    words::text(message, &show)
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Code(text) => text.clone(),
        Value::Page(page) => page.as_str().to_owned(),
        Value::Cell(text, width) => format!("{text:<width$}"),
        Value::Count(count) => count.to_string(),
        Value::Role(role) => role.to_string(),
        Value::Member(user) => user.to_string(),
        Value::Time(at) | Value::Deadline(at) => time(*at),
        Value::Message(message) => text(message),
        Value::List(values) => values.iter().map(show).collect::<Vec<_>>().join(", "),
    }
}

/// `2026-11-27 08:00:00 UTC`.
pub fn time(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.format(format).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_kept_where_there_are_some() {
        let long = "word ".repeat(30);
        let lines = wrapped(long.trim());
        assert!(lines.len() == 2 && lines.iter().all(|line| line.len() <= 100), "{lines:?}");
        assert_eq!(wrapped("a\nb c"), ["a", "b c"]);
    }
}
