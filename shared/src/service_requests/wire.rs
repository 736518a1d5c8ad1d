//! Questions and answers as they are kept, before they are sealed. Pure.
//!
//! A question is its kind and a JSON object of arguments, so that releases that run side by side understand each other: an argument
//! that one does not know is passed over, and a kind that it does not know is answered "not known".

use serde_json::{Value, json};

use crate::domain::service_request::{Answer, Question};

/// Why something stored cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("this release does not know the kind of question")]
    NotKnown,
    #[error("the JSON is not that of its kind")]
    Malformed,
}

/// Kind and arguments.
pub(super) fn write_question(question: &Question) -> Result<(String, String), Unreadable> {
    let json = serde_json::to_value(question).map_err(|_| Unreadable::Malformed)?;
    let kind = json["kind"].as_str().ok_or(Unreadable::Malformed)?;
    Ok((kind.to_owned(), json["arguments"].to_string()))
}

pub(super) fn read_question(kind: &str, arguments: &str) -> Result<Question, Unreadable> {
    if !Question::KINDS.contains(&kind) {
        return Err(Unreadable::NotKnown);
    }
    let arguments: Value = serde_json::from_str(arguments).map_err(|_| Unreadable::Malformed)?;
    let whole = json!({ "kind": kind, "arguments": arguments });
    serde_json::from_value(whole).map_err(|_| Unreadable::Malformed)
}

pub(super) fn write_answer(answer: &Answer) -> Result<String, Unreadable> {
    serde_json::to_string(answer).map_err(|_| Unreadable::Malformed)
}

pub(super) fn read_answer(json: &str) -> Result<Answer, Unreadable> {
    serde_json::from_str(json).map_err(|_| Unreadable::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        adding::{AccessToken, Adding},
        roles::permissions::Permissions,
    };

    #[test]
    fn a_question_reads_as_it_was_written_and_anothers_is_not_known() {
        let question = Question::MemberPermissions { user: "81384788765712384".parse().unwrap() };
        let (kind, arguments) = write_question(&question).unwrap();
        assert_eq!(
            (kind.as_str(), arguments.as_str()),
            ("member_permissions", r#"{"user":81384788765712384}"#)
        );
        assert_eq!(read_question(&kind, &arguments), Ok(question.clone()));
        let newer = r#"{"user":81384788765712384,"channel":1}"#;
        assert_eq!(read_question(&kind, newer), Ok(question));
        let user = "81384788765712384".parse().unwrap();
        let token = AccessToken::new("t0ken").unwrap();
        let adds = Question::AddMember { user, token };
        let (kind, arguments) = write_question(&adds).unwrap();
        assert_eq!(kind, "add_member");
        // In whatever order: that is the JSON library's, and its features'.
        let arguments_of = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(arguments_of(&arguments), arguments_of(r#"{"token":"t0ken","user":81384788765712384}"#));
        assert_eq!(read_question(&kind, &arguments), Ok(adds));
        let kind = "member_permissions";
        assert_eq!(read_question("of_tomorrow", "{}"), Err(Unreadable::NotKnown));
        for wrong in ["", "{}", r#"{"user":"x"}"#] {
            assert_eq!(read_question(kind, wrong), Err(Unreadable::Malformed), "{wrong}");
        }
    }

    #[test]
    fn answers_are_kept_in_words_that_do_not_change() {
        for (answer, json) in [
            (Answer::MemberPermissions(Permissions(8)), r#"{"member_permissions":"8"}"#),
            (
                Answer::MemberPermissions(Permissions(1 << 100)),
                r#"{"member_permissions":"1267650600228229401496703205376"}"#,
            ),
            (Answer::MemberAbsent, r#""member_absent""#),
            (Answer::Unavailable, r#""unavailable""#),
            (
                Answer::Adding(Adding::Added { has_rules_to_accept: true }),
                r#"{"adding":{"added":{"has_rules_to_accept":true}}}"#,
            ),
            (Answer::Adding(Adding::TokenOver), r#"{"adding":"token_over"}"#),
        ] {
            assert_eq!(write_answer(&answer).unwrap(), json);
            assert_eq!(read_answer(json), Ok(answer));
        }
        for wrong in [
            r#"{"member_permissions":"-1"}"#,
            r#"{"member_permissions":""}"#,
            r#"{"member_permissions":1}"#,
            "1",
        ] {
            assert_eq!(read_answer(wrong), Err(Unreadable::Malformed), "{wrong}");
        }
    }
}
