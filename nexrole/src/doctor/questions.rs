//! What no program can see from here. In: nothing, or the little that Postgres shows. Out: questions for a person, each with
//! where to read on; never an "ok".

use super::findings::{Check, Findings};

/// Everything but backups.
pub(super) fn ask(findings: &mut Findings) {
    for (check, question, section) in [
        (
            Check::OperatorDisks,
            "is the disk of Postgres encrypted, and are ENCRYPTION_KEYS kept elsewhere? Postgres itself does not know",
            "Disks and backups",
        ),
        (
            Check::OperatorNetwork,
            "may each machine talk to whom it needs to, and to nobody else?",
            "What the network needs",
        ),
        (
            Check::OperatorLogins,
            "does everybody who can change what runs here log in with a second factor, and by an account of their own?",
            "Who may log in",
        ),
        (
            Check::OperatorPayments,
            "are cards typed in on Stripe's own pages alone (Checkout, Payment Links, Billing Portal)?",
            "Whom you depend on",
        ),
        (
            Check::OperatorProviders,
            "have you seen the audit reports of your host, its database and its backups?",
            "Whom you depend on",
        ),
    ] {
        findings.ask(check, question, format!("docs/hardening.md, \"{section}\""));
    }
}

/// Whether the write-ahead log is archived is half an answer.
pub(super) fn backups(findings: &mut Findings, archives: Option<bool>) {
    let seen = match archives {
        Some(true) => {
            " Postgres archives its log (archive_mode); whether that can be restored is not seen from here"
        }
        Some(false) => {
            " Postgres does not archive its log (archive_mode = off); a managed one may do it by other means"
        }
        None => "",
    };
    findings.ask(
        Check::OperatorBackups,
        format!("are there encrypted backups to any point in time, and did you restore one lately?{seen}"),
        "docs/hardening.md, \"Disks and backups\"",
    );
}
