//! A document as a page for a browser: its texts, and what one can do next. In: a document, and steps. Out: plain text in places; the
//! page's template has the layout, and escapes.

use time::macros::format_description;

use super::{
    document::{Document, Line, Message, Tone, Value},
    words,
};

/// A document, and what follows from it. Its first step is the one that most people take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub document: Document,
    pub steps: Vec<Step>,
    /// No step is for most people: the first one, too, is a way aside.
    pub all_aside: bool,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub label: Message,
    pub to: To,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// Another page of ours.
    Link(String),
    /// A change, which a form asks for: where it is sent, with what, and what is to be typed.
    Form { action: String, fields: Vec<(&'static str, String)>, input: Option<Input> },
}

/// A line that somebody types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub name: &'static str,
    pub label: Message,
    pub kind: InputKind,
    /// What stands in it.
    pub value: String,
    /// Why what was typed is not taken.
    pub wrong: Option<Message>,
}

/// What it is, for a telephone's keyboard and a browser's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    Email,
    /// Digits that came by mail.
    Code,
}

impl Page {
    /// A heading, and sentences below it.
    pub fn new(title: Message, tone: Tone, lines: Vec<Message>) -> Self {
        let lines = lines.into_iter().map(Line::from).collect();
        let document = Document { title: Some(title), tone, ..Document::of_lines(lines) };
        Self { document, steps: Vec::new(), all_aside: false }
    }

    #[must_use]
    pub fn link(mut self, label: Message, path: impl Into<String>) -> Self {
        self.steps.push(Step { label, to: To::Link(path.into()) });
        self
    }

    /// `form_token`: the session's own, without which nothing is changed.
    #[must_use]
    pub fn form(
        mut self,
        label: Message,
        action: impl Into<String>,
        form_token: String,
        fields: Vec<(&'static str, String)>,
    ) -> Self {
        let fields = [vec![(FORM_TOKEN, form_token)], fields].concat();
        self.steps.push(Step { label, to: To::Form { action: action.into(), fields, input: None } });
        self
    }

    /// A form with a line to type.
    #[must_use]
    pub fn ask(
        mut self,
        label: Message,
        action: impl Into<String>,
        form_token: String,
        input: Input,
    ) -> Self {
        let (action, fields) = (action.into(), vec![(FORM_TOKEN, form_token)]);
        self.steps.push(Step { label, to: To::Form { action, fields, input: Some(input) } });
        self
    }
}

/// The field of every form that tells our own from another's.
pub const FORM_TOKEN: &str = "form_token";

/// Texts in their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    pub title: String,
    /// For a style: `good`, `bad`, …
    pub tone: &'static str,
    pub sections: Vec<SectionTexts>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionTexts {
    pub title: Option<String>,
    pub lines: Vec<String>,
}

pub fn render(document: &Document) -> Texts {
    let sections = document.sections.iter().map(|section| {
        let empty = section.if_empty.iter().filter(|_| section.lines.is_empty()).map(text);
        let lines = section.lines.iter().flat_map(|line| {
            [statement(line)].into_iter().chain(line.details.iter().map(text)).collect::<Vec<_>>()
        });
        SectionTexts { title: section.title.as_ref().map(text), lines: empty.chain(lines).collect() }
    });
    Texts {
        title: document.title.as_ref().map(text).unwrap_or_default(),
        tone: match document.tone {
            Tone::Neutral => "neutral",
            Tone::Good => "good",
            Tone::Warning => "warning",
            Tone::Bad => "bad",
            Tone::Question => "question",
        },
        sections: sections.collect(),
    }
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

/// One message in English, not escaped.
pub fn text(message: &Message) -> String {
    words::text(message, &show)
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Code(text) | Value::Cell(text, _) => text.clone(),
        Value::Page(page) => page.as_str().to_owned(),
        Value::Count(count) => count.to_string(),
        Value::Role(role) => role.to_string(),
        Value::Member(user) => user.to_string(),
        Value::Time(at) | Value::Deadline(at) => {
            let format =
                format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
            at.format(format).unwrap_or_else(|_| at.to_string())
        }
        Value::Message(message) => text(message),
        Value::List(values) => values.iter().map(show).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, views::document::Section};

    #[test]
    fn a_document_is_texts_in_their_places_and_nothing_is_escaped_twice() {
        let dangerous = Message { id: "page-account", arguments: vec![("name", "<b>&\"".into())] };
        let page = Page::new(dangerous.clone(), Tone::Good, vec![dangerous.clone()]);
        let mut document = page.document;
        document.sections.push(Section::untitled(Vec::new()).if_empty(dangerous));
        let texts = render(&document);
        let said = "You are logged in as @<b>&\"";
        assert_eq!((texts.title.as_str(), texts.tone), (said, "good"));
        assert!(texts.sections.iter().all(|section| section.lines == [said]));
    }

    #[test]
    fn a_time_is_a_date_that_people_write() {
        assert_eq!(show(&Timestamp::UNIX_EPOCH.into()), "1 January 1970, 00:00 UTC");
    }

    #[test]
    fn every_form_has_the_sessions_token_first() {
        let page = Page::new(super::super::document::message("page-account"), Tone::Neutral, vec![]).form(
            super::super::document::message("page-log-out"),
            "/logout",
            "token".to_owned(),
            vec![("a", "b".to_owned())],
        );
        let To::Form { fields, .. } = &page.steps[0].to else { panic!("a form") };
        assert_eq!(fields[..], [(FORM_TOKEN, "token".to_owned()), ("a", "b".to_owned())]);
    }
}
