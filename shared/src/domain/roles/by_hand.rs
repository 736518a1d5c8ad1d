//! A role that a person gave to somebody who pays. In: what the role's mappings say of it, whether the owner was asked, and what they
//! answered. Out: whether the role is to follow the payment, and what becomes of the question. Pure.
//!
//! Nobody's role is taken that a person gave, unless the owner said so: by an answer, or beforehand, by each mapping of the role.

use serde::{Deserialize, Serialize};

use super::grant::Step;

/// What a mapping says of a role that a person gave to who pays. Of several mappings of a role the most careful one counts: the last
/// in this order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ByHand {
    /// It follows the payment without a question.
    Follow,
    /// The owner is asked.
    #[default]
    Ask,
    /// It stays the person's without a question.
    Keep,
}

impl ByHand {
    pub const ALL: [Self; 3] = [Self::Ask, Self::Follow, Self::Keep];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Ask => "ask",
            Self::Keep => "keep",
        }
    }
}

/// The question about one member and one role: *let it follow the payment?* An answer counts from then on, whatever is paid later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Question {
    /// Asked, and not answered.
    Open,
    /// Answered: yes. It ends with the payment.
    Follow,
    /// Answered: no. It stays the person's.
    Keep,
}

/// What becomes of a question after a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuestionChange {
    /// It is asked.
    Ask,
    /// Nobody answered, and there is nothing to answer any more.
    Close,
}

/// What is known of it for one member and one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PaidByHand {
    /// Something that was bought gives the role now. An owner's own word, or an import, is not asked about.
    pub pays: bool,
    /// What the role's mappings say.
    pub mapped: ByHand,
    pub question: Option<Question>,
}

impl PaidByHand {
    /// Whether a role that a person gave becomes ours, and so ends with the payment.
    pub fn follows(&self) -> bool {
        self.pays
            && match self.question {
                Some(Question::Follow) => true,
                Some(Question::Keep) => false,
                Some(Question::Open) | None => self.mapped == ByHand::Follow,
            }
    }

    /// What a check makes of the question: it is open just as long as the checks show a role that a person gave to who pays.
    /// `found`: the check's step.
    pub fn after(&self, found: Step) -> Option<QuestionChange> {
        let is_asked = self.pays && found == Step::NotOurs && self.mapped == ByHand::Ask;
        match self.question {
            None if is_asked => Some(QuestionChange::Ask),
            Some(Question::Open) if !is_asked => Some(QuestionChange::Close),
            None | Some(Question::Open | Question::Follow | Question::Keep) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_careful_mapping_is_the_last() {
        assert!(ByHand::Keep > ByHand::Ask && ByHand::Ask > ByHand::Follow);
        assert_eq!(ByHand::default(), ByHand::Ask);
    }

    #[test]
    fn a_role_follows_by_an_answer_or_where_nobody_is_asked() {
        for (mapped, question, follows) in [
            (ByHand::Ask, None, false),
            (ByHand::Ask, Some(Question::Open), false),
            (ByHand::Ask, Some(Question::Follow), true),
            (ByHand::Ask, Some(Question::Keep), false),
            (ByHand::Keep, None, false),
            (ByHand::Keep, Some(Question::Open), false),
            (ByHand::Keep, Some(Question::Follow), true),
            (ByHand::Follow, None, true),
            (ByHand::Follow, Some(Question::Open), true),
            // What was said of one member counts more than what was said of all.
            (ByHand::Follow, Some(Question::Keep), false),
        ] {
            let paid = PaidByHand { pays: true, mapped, question };
            assert_eq!(paid.follows(), follows, "{paid:?}");
            assert!(!PaidByHand { pays: false, ..paid }.follows(), "nothing is paid: {paid:?}");
        }
    }

    #[test]
    fn it_is_asked_once_and_closed_when_there_is_nothing_to_answer() {
        let asks = PaidByHand { pays: true, ..PaidByHand::default() };
        assert_eq!(asks.after(Step::NotOurs), Some(QuestionChange::Ask));
        let asked = PaidByHand { question: Some(Question::Open), ..asks };
        assert_eq!(asked.after(Step::NotOurs), None, "it was asked");
        for question in [Question::Follow, Question::Keep] {
            let answered = PaidByHand { question: Some(question), ..asks };
            assert_eq!(answered.after(Step::NotOurs), None, "{question:?}");
            assert_eq!(answered.after(Step::Grant), None, "{question:?}: an answer stays");
        }
        for gone in [Step::Grant, Step::Nothing, Step::Adopt, Step::AwaitMember, Step::MemberGone] {
            assert_eq!(asked.after(gone), Some(QuestionChange::Close), "{gone:?}");
            assert_eq!(asks.after(gone), None, "{gone:?}");
        }
        for moot in [PaidByHand { pays: false, ..asked }, PaidByHand { mapped: ByHand::Keep, ..asked }] {
            assert_eq!(moot.after(Step::NotOurs), Some(QuestionChange::Close), "{moot:?}");
        }
    }
}
