//! What was checked, and what came of it. In: checks, those of one group after each other. Out: a report by group, and how many came
//! out how.

use super::document::{Check, Document, Line, Message, Section, Tone, message};

/// A check that was made. What was found, and what helps, is said by whoever looked.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    pub group: &'a str,
    pub name: &'a str,
    pub tone: Tone,
    pub detail: &'a str,
    pub fix: Option<&'a str>,
}

pub fn document(checked: &[Checked<'_>]) -> Document {
    let groups = checked.chunk_by(|one, next| one.group == next.group);
    let groups = groups.filter_map(|group| {
        let title = title(group.first()?.group);
        Some(Section::titled(title, group.iter().map(line).collect()))
    });
    let count = |tone| checked.iter().filter(|check| check.tone == tone).count();
    let counted = message("findings-counted")
        .with("well", count(Tone::Good))
        .with("improve", count(Tone::Warning))
        .with("wrong", count(Tone::Bad))
        .with("ask", count(Tone::Question));
    let sections = groups.chain([Section::untitled(vec![counted.into()])]).collect();
    Document { sections, ..Document::default() }
}

fn line(checked: &Checked<'_>) -> Line {
    let said = |text: &str| message("finding").with("text", text);
    Line {
        check: Some(Check { tone: checked.tone, name: checked.name.to_owned() }),
        fix: checked.fix.map(said),
        ..Line::from(said(checked.detail))
    }
}

fn title(group: &str) -> Message {
    match group {
        "clock" => message("findings-clock"),
        "keys" => message("findings-keys"),
        "operator" => message("findings-operator"),
        "web" => message("findings-web"),
        named => message("finding").with("text", named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::terminal;

    const FINDINGS: [Checked<'static>; 4] = [
        Checked {
            group: "database",
            name: "reachable",
            tone: Tone::Good,
            detail: "Postgres 18 answers",
            fix: None,
        },
        Checked {
            group: "database",
            name: "durability",
            tone: Tone::Warning,
            detail: "it is slow to say so, in so many words that they take more than one line of a terminal: for they do not fit it",
            fix: Some("wait\nor do not"),
        },
        Checked {
            group: "keys",
            name: "open",
            tone: Tone::Bad,
            detail: "they do not",
            fix: Some("find them"),
        },
        Checked {
            group: "operator",
            name: "logins",
            tone: Tone::Question,
            detail: "not looked at",
            fix: None,
        },
    ];

    #[test]
    fn findings_stand_in_groups_each_with_its_mark_and_what_helps() {
        insta::assert_snapshot!(terminal::render(&document(&FINDINGS)), @r"
        database
          ✓ reachable    Postgres 18 answers
          ! durability   it is slow to say so, in so many words that they take more than one line of a terminal: for they do
                         not fit it
                         → wait
                           or do not

        encryption keys
          ✗ open         they do not
                         → find them

        what no program can see
          ? logins       not looked at

        1 well, 1 to improve, 1 wrong, 1 for you to answer
        ");
    }

    #[test]
    fn only_marks_are_coloured() {
        let plain = terminal::render(&document(&FINDINGS));
        let coloured = terminal::render_in_colour(&document(&FINDINGS));
        assert!(coloured.starts_with("database\n  \x1b[32m✓\x1b[0m reachable    Postgres"), "{coloured}");
        let mut uncoloured = coloured.replace("\x1b[0m", "");
        for colour in [31, 32, 33, 36] {
            let escape = format!("\x1b[{colour}m");
            assert_eq!(uncoloured.matches(&escape).count(), 1, "{coloured}");
            uncoloured = uncoloured.replace(&escape, "");
        }
        assert_eq!(uncoloured, plain);
    }
}
