//! What is shown, before it has words or a layout: messages by id, with their arguments, in sections.

use std::fmt;

use crate::{
    clock::Timestamp,
    domain::billing::page::PageUrl,
    ids::{CustomerId, GuildId, RoleId, UserId},
};

/// A reply, a report, a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    pub title: Option<Message>,
    pub tone: Tone,
    pub sections: Vec<Section>,
}

impl Document {
    /// A few sentences, one below the other.
    pub fn of_lines(lines: Vec<Line>) -> Self {
        Self { sections: vec![Section::untitled(lines)], ..Self::default() }
    }
}

/// How it is meant: a colour, or a mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Neutral,
    /// Everything is as it should be.
    Good,
    /// Somebody should look at something.
    Warning,
    Bad,
    /// A person has to answer.
    Question,
}

impl Tone {
    /// For surfaces without colour, or besides it.
    pub(super) fn mark(self) -> char {
        match self {
            Self::Neutral => '·',
            Self::Good => '✓',
            Self::Warning => '!',
            Self::Bad => '✗',
            Self::Question => '?',
        }
    }
}

/// Lines that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    pub title: Option<Message>,
    pub lines: Vec<Line>,
    /// Said where there is no line.
    pub if_empty: Option<Message>,
    /// Whether each line is a point of its own, that may take more than one row.
    pub is_list: bool,
}

impl Section {
    pub fn untitled(lines: Vec<Line>) -> Self {
        Self { lines, ..Self::default() }
    }

    pub fn titled(title: Message, lines: Vec<Line>) -> Self {
        Self { title: Some(title), lines, ..Self::default() }
    }

    #[must_use]
    pub fn if_empty(mut self, said: Message) -> Self {
        self.if_empty = Some(said);
        self
    }
}

/// One statement, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it says what came of a check.
    pub check: Option<Check>,
    pub text: Message,
    /// Follow the text, each in parentheses.
    pub notes: Vec<Message>,
    /// What to do about it; follows the text.
    pub fix: Option<Message>,
    pub details: Vec<Message>,
}

/// What was looked at, in a word, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub tone: Tone,
    pub name: String,
}

impl Line {
    #[must_use]
    pub fn note(mut self, note: impl Into<Option<Message>>) -> Self {
        self.notes.extend(note.into());
        self
    }

    #[must_use]
    pub fn fix(mut self, fix: Message) -> Self {
        self.fix = Some(fix);
        self
    }
}

impl From<Message> for Line {
    fn from(text: Message) -> Self {
        Self { check: None, text, notes: Vec::new(), fix: None, details: Vec::new() }
    }
}

/// Words by their id in the catalogue, and what stands in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: &'static str,
    pub arguments: Vec<(&'static str, Value)>,
}

/// A message of the catalogue. A test looks for each `message("…")` of this folder there.
pub fn message(id: &'static str) -> Message {
    Message { id, arguments: Vec::new() }
}

impl Message {
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.arguments.push((name, value.into()));
        self
    }
}

/// What stands in a message. Each renderer shows it in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// As it is, where it stands for itself: words of the domain's, or of somebody whose words are kept.
    Text(String),
    /// An id or a name that somebody else made up: shown, never obeyed, and not endless.
    Code(String),
    /// Where something is; a surface that has links makes it one.
    Page(PageUrl),
    /// A word in a column, as wide as that where the surface has columns.
    Cell(String, usize),
    Count(i64),
    Role(RoleId),
    Member(UserId),
    Time(Timestamp),
    /// A time that somebody has to keep: as a date, and how far away it is.
    Deadline(Timestamp),
    Message(Box<Message>),
    /// Several, one after the other.
    List(Vec<Value>),
}

impl Value {
    pub fn code(id: impl fmt::Display) -> Self {
        Self::Code(id.to_string())
    }
}

impl From<i64> for Value {
    fn from(count: i64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Count(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<GuildId> for Value {
    fn from(guild: GuildId) -> Self {
        Self::code(guild)
    }
}

impl From<&CustomerId> for Value {
    fn from(customer: &CustomerId) -> Self {
        Self::code(customer)
    }
}

impl From<RoleId> for Value {
    fn from(role: RoleId) -> Self {
        Self::Role(role)
    }
}

impl From<UserId> for Value {
    fn from(user: UserId) -> Self {
        Self::Member(user)
    }
}

impl From<&PageUrl> for Value {
    fn from(page: &PageUrl) -> Self {
        Self::Page(page.clone())
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

impl From<Message> for Value {
    fn from(message: Message) -> Self {
        Self::Message(Box::new(message))
    }
}
