//! Whether our clock agrees with others'. In: a `Date` header, or the time of a database, and the time here. Out: a finding.
//!
//! Stripe's signatures are good for five minutes, leases and schedules are the database's time.

use shared::clock::{self, Timestamp};
use time::{Duration, PrimitiveDateTime, macros::format_description};

use super::findings::{Check, Findings};

/// More than a slow answer can explain.
const MOST: Duration = Duration::seconds(30);

/// Judges a `Date` header that has just come.
pub(super) fn judge_header(findings: &mut Findings, check: Check, whose: &str, date: Option<&str>) {
    if findings.knows(check) {
        return;
    }
    match date.and_then(parse) {
        Some(theirs) => judge(findings, check, whose, theirs),
        None => findings.ask(
            check,
            format!("{whose} did not say what time it is"),
            "compare this machine's clock with another: timedatectl",
        ),
    }
}

/// Judges a time that was read just now.
pub(super) fn judge(findings: &mut Findings, check: Check, whose: &str, theirs: Timestamp) {
    let ahead = clock::now() - theirs;
    if ahead.abs() <= MOST {
        return findings.ok(check, format!("agrees with {whose} to {} s", ahead.abs().whole_seconds()));
    }
    let (seconds, word) =
        (ahead.abs().whole_seconds(), if ahead.is_negative() { "behind" } else { "ahead of" });
    findings.fail(
        check,
        format!("this machine's clock is {seconds} s {word} {whose}"),
        "set the clock, and let NTP keep it: timedatectl set-ntp true",
    );
}

/// As HTTP spells times (RFC 9110).
fn parse(date: &str) -> Option<Timestamp> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    Some(PrimitiveDateTime::parse(date, format).ok()?.assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        let parsed = parse("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(parsed.unix_timestamp(), 784_111_777);
        assert!(parse("yesterday").is_none() && parse("").is_none());
    }

    #[test]
    fn thirty_seconds_are_borne_and_more_is_not() {
        for (ahead, bad) in [(0, false), (29, false), (-29, false), (33, true), (-33, true), (86_400, true)] {
            let mut findings = Findings::default();
            let theirs = clock::now() - Duration::seconds(ahead);
            judge(&mut findings, Check::ClockStripe, "Stripe's", theirs);
            assert_eq!(findings.has_failures(), bad, "{ahead}");
        }
    }
}
