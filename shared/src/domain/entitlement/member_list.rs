//! A list of members, as a file has it. In: text, a Discord id in each line, comments after `#`. Out: the members, or every line that
//! is none.

use std::collections::BTreeSet;

use crate::ids::UserId;

/// A line that names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
    /// The line, without its comment; what is long is cut off.
    pub text: String,
}

/// Shown of a bad line, in characters.
const SHOWN: usize = 40;

pub fn parse(text: &str) -> Result<BTreeSet<UserId>, Vec<BadLine>> {
    let (mut members, mut bad) = (BTreeSet::new(), Vec::new());
    // Some editors begin a file with this mark.
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (line, _) = line.split_once('#').unwrap_or((line, ""));
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        match line.parse() {
            Ok(member) => drop(members.insert(member)),
            Err(_) => bad.push(BadLine {
                number: index + 1,
                text: line.chars().map(|c| if c.is_control() { '?' } else { c }).take(SHOWN).collect(),
            }),
        }
    }
    if bad.is_empty() { Ok(members) } else { Err(bad) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<u64> {
        parse(text).unwrap().into_iter().map(UserId::get).collect()
    }

    #[test]
    fn a_line_is_an_id_a_comment_or_nothing() {
        assert_eq!(ids(""), [0; 0]);
        assert_eq!(
            ids("# founders\n 12 \r\n\n7# Ana\n\t9223372036854775807\n12\n"),
            [7, 12, 9_223_372_036_854_775_807]
        );
        assert_eq!(ids("\u{feff}7"), [7]);
    }

    #[test]
    fn every_bad_line_is_named_at_once() {
        let long = "x".repeat(100);
        let text = format!("1\n<@2>\n0\n-3 # minus\n{long}\n9223372036854775808\n4 5\nbell\u{7}\n6");
        let bad = parse(&text).unwrap_err();
        let found: Vec<_> = bad.iter().map(|line| (line.number, line.text.as_str())).collect();
        let cut = "x".repeat(40);
        let expected = [
            (2, "<@2>"),
            (3, "0"),
            (4, "-3"),
            (5, &cut),
            (6, "9223372036854775808"),
            (7, "4 5"),
            (8, "bell?"),
        ];
        assert_eq!(found, expected);
    }
}
