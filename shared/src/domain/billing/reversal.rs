//! What went back of a payment, or may: refunds and disputes, as they stand.

use std::fmt;

/// How much of a payment was refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refund {
    /// Nothing, or what was sent back bounced.
    None,
    Partial,
    Full,
    /// Stripe did not say.
    Unknown,
}

impl Refund {
    /// As our rows have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Full => "full",
            Self::Unknown => "unknown",
        }
    }

    /// From our word.
    pub fn parse(word: &str) -> Self {
        match word {
            "none" => Self::None,
            "partial" => Self::Partial,
            "full" => Self::Full,
            _ => Self::Unknown,
        }
    }
}

/// Where the disputes about a payment stand, by the one that counts most: the last in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dispute {
    /// There is none, or none that counts: an inquiry, in which no money moves, or one that was won, withdrawn or prevented.
    None,
    /// A status that this release does not know.
    Unknown(String),
    /// The customer has the money. An appeal may still change that.
    Lost,
    /// Not decided, for the first time or by an appeal.
    Open,
}

impl Dispute {
    /// From Stripe's status (<https://docs.stripe.com/api/disputes/object#dispute_object-status>).
    pub fn parse(status: &str) -> Self {
        match status {
            "warning_needs_response" | "warning_under_review" | "warning_closed" | "won" | "prevented" => {
                Self::None
            }
            // Of old: it was settled by a refund, which decides.
            "charge_refunded" => Self::None,
            "needs_response" | "under_review" | "appeal_needs_response" | "appeal_under_review" => Self::Open,
            "lost" => Self::Lost,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// As our rows have it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open => "open",
            Self::Lost => "lost",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// What went back of one payment, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    pub refund: Refund,
    pub dispute: Dispute,
}

impl Reversal {
    /// Nothing is known against the payment.
    pub const NONE: Self = Self { refund: Refund::None, dispute: Dispute::None };

    /// Of something that several payments paid together: it is refunded when all of them are.
    pub fn of_parts(parts: Vec<Self>) -> Self {
        let refund = match (parts.iter().map(|it| it.refund).min(), parts.iter().map(|it| it.refund).max()) {
            (Some(Refund::None), Some(Refund::Full)) => Refund::Partial,
            (Some(least), Some(Refund::Full)) => least,
            (_, most) => most.unwrap_or(Refund::None),
        };
        let dispute = parts.into_iter().map(|it| it.dispute).max().unwrap_or(Dispute::None);
        Self { refund, dispute }
    }

    /// Whether something about it is none that this release knows.
    pub fn is_unknown(&self) -> bool {
        self.refund == Refund::Unknown || matches!(self.dispute, Dispute::Unknown(_))
    }
}

/// `was refunded, is disputed`; empty if nothing is known against the payment.
impl fmt::Display for Reversal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refund = match self.refund {
            Refund::None => "",
            Refund::Partial => "was refunded in part",
            Refund::Full => "was refunded",
            Refund::Unknown => "was perhaps refunded",
        };
        let between = if refund.is_empty() || self.dispute == Dispute::None { "" } else { ", " };
        write!(f, "{refund}{between}")?;
        match &self.dispute {
            Dispute::None => Ok(()),
            Dispute::Unknown(status) => write!(f, "has a dispute that is {status:?}"),
            Dispute::Lost => f.write_str("was disputed and lost"),
            Dispute::Open => f.write_str("is disputed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispute_counts_while_it_is_open_and_if_it_is_lost() {
        for (status, expected) in [
            ("warning_needs_response", Dispute::None),
            ("warning_under_review", Dispute::None),
            ("warning_closed", Dispute::None),
            ("won", Dispute::None),
            ("prevented", Dispute::None),
            ("charge_refunded", Dispute::None),
            ("needs_response", Dispute::Open),
            ("under_review", Dispute::Open),
            ("appeal_needs_response", Dispute::Open),
            ("appeal_under_review", Dispute::Open),
            ("lost", Dispute::Lost),
            ("invented_tomorrow", Dispute::Unknown("invented_tomorrow".to_owned())),
            ("", Dispute::Unknown(String::new())),
        ] {
            assert_eq!(Dispute::parse(status), expected, "{status}");
        }
    }

    #[test]
    fn of_several_disputes_the_one_that_counts_most_is_known() {
        let of = |statuses: &[&str]| statuses.iter().map(|status| Dispute::parse(status)).max();
        assert_eq!(of(&["won", "lost", "needs_response"]), Some(Dispute::Open));
        assert_eq!(of(&["lost", "frozen", "won"]), Some(Dispute::Lost), "what is known is evidence enough");
        assert_eq!(of(&["frozen", "won"]), Some(Dispute::Unknown("frozen".to_owned())));
    }

    #[test]
    fn what_several_payments_paid_is_refunded_when_all_of_them_are() {
        use Refund::{Full, None, Partial, Unknown};
        for (parts, expected) in [
            (&[][..], None),
            (&[Full], Full),
            (&[Full, Full], Full),
            (&[Full, None], Partial),
            (&[Partial, Full], Partial),
            (&[None, Partial], Partial),
            (&[None, None], None),
            (&[Full, Unknown], Unknown),
        ] {
            let parts = parts.iter().map(|&refund| Reversal { refund, dispute: Dispute::None }).collect();
            assert_eq!(Reversal::of_parts(parts).refund, expected);
        }
        let disputed = Reversal { refund: None, dispute: Dispute::Open };
        assert_eq!(Reversal::of_parts(vec![Reversal::NONE, disputed]).dispute, Dispute::Open);
    }

    #[test]
    fn what_went_back_in_words() {
        let said = |refund, dispute| Reversal { refund, dispute }.to_string();
        assert_eq!(Reversal::NONE.to_string(), "");
        assert_eq!(said(Refund::Full, Dispute::None), "was refunded");
        assert_eq!(said(Refund::None, Dispute::Open), "is disputed");
        assert_eq!(said(Refund::Partial, Dispute::Lost), "was refunded in part, was disputed and lost");
    }

    #[test]
    fn a_row_says_what_was_written() {
        for refund in [Refund::None, Refund::Partial, Refund::Full, Refund::Unknown] {
            assert_eq!(Refund::parse(refund.as_str()), refund);
        }
    }
}
