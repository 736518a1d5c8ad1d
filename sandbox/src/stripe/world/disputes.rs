//! The course of a dispute. In: the status that it takes next. Out: the dispute, and the events about it.
//!
//! What is lost can be appealed, and is open again (<https://docs.stripe.com/disputes/how-disputes-work>).

use serde::Deserialize;
use serde_json::json;

use super::reversals::Verdict;
use super::state::World;
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;

/// Where an open dispute can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// An inquiry that the owner answered.
    WarningUnderReview,
    /// An inquiry that became a dispute: the money is gone.
    NeedsResponse,
    /// The owner sent evidence.
    UnderReview,
    /// The owner may appeal what was lost.
    AppealNeedsResponse,
    /// The owner did.
    AppealUnderReview,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Self::WarningUnderReview => "warning_under_review",
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::AppealNeedsResponse => "appeal_needs_response",
            Self::AppealUnderReview => "appeal_under_review",
        }
    }

    fn follows(self, status: &str) -> bool {
        match self {
            Self::WarningUnderReview => status == "warning_needs_response",
            Self::NeedsResponse => matches!(status, "warning_needs_response" | "warning_under_review"),
            Self::UnderReview => status == "needs_response",
            Self::AppealNeedsResponse => status == "lost",
            Self::AppealUnderReview => status == "appeal_needs_response",
        }
    }
}

impl World {
    /// An open dispute goes on, or a lost one is open again.
    pub(crate) fn advance_dispute(&mut self, id: &str, stage: Stage) -> Result<(), Refusal> {
        let status = self.find(Kind::Dispute, id)?["status"].as_str().unwrap_or_default().to_owned();
        if !stage.follows(&status) {
            return Err(Refusal::conflict(format!(
                "dispute {id} is {status}; {} does not follow",
                stage.word()
            )));
        }
        self.set_dispute(id, stage.word())?;
        if stage == Stage::NeedsResponse {
            self.tell_of_dispute(id, "funds_withdrawn")?;
        }
        Ok(())
    }

    /// A dispute ends, for now.
    pub(crate) fn close_dispute(&mut self, id: &str, verdict: Verdict) -> Result<(), Refusal> {
        let status = self.find(Kind::Dispute, id)?["status"].as_str().unwrap_or_default().to_owned();
        if matches!(status.as_str(), "won" | "lost" | "warning_closed" | "prevented") {
            return Err(Refusal::conflict(format!("dispute {id} is {status}")));
        }
        let status = match verdict {
            Verdict::Won => "won",
            Verdict::Lost => "lost",
            Verdict::WarningClosed => "warning_closed",
            Verdict::Prevented => "prevented",
        };
        self.set_dispute(id, status)?;
        self.tell_of_dispute(id, "closed")?;
        if verdict == Verdict::Won {
            self.tell_of_dispute(id, "funds_reinstated")?;
        }
        Ok(())
    }

    fn set_dispute(&mut self, id: &str, status: &str) -> Result<(), Refusal> {
        let live = self.live(Kind::Dispute, id)?;
        let mut dispute = self.find(Kind::Dispute, id)?.clone();
        let before = json!({ "status": dispute["status"] });
        dispute["status"] = status.into();
        if matches!(status, "under_review" | "warning_under_review" | "appeal_under_review") {
            dispute["evidence_details"]["has_evidence"] = true.into();
            let sent = dispute["evidence_details"]["submission_count"].as_i64().unwrap_or_default();
            dispute["evidence_details"]["submission_count"] = (sent + 1).into();
        }
        self.put(Kind::Dispute, &dispute);
        self.emit("charge.dispute.updated", &dispute, live, Some(before));
        Ok(())
    }

    fn tell_of_dispute(&mut self, id: &str, what: &str) -> Result<(), Refusal> {
        let live = self.live(Kind::Dispute, id)?;
        let dispute = self.find(Kind::Dispute, id)?.clone();
        self.emit(&format!("charge.dispute.{what}"), &dispute, live, None);
        Ok(())
    }
}
