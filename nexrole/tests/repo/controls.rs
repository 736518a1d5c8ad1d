//! `security/controls.toml` says of every promise how it is kept. In: that file, `SECURITY.md`, `docs/threats.md`, and the
//! sources. Out: nothing, if every test that they name exists and every gap is said; and the count, on stdout.

mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use nexrole::doctor::Check;
use serde::Deserialize;
use testkit::report::say;

use crate::tidy::CRATES;

/// Our numbering: a prefix, and how many.
const ROWS: [(&str, usize); 3] = [("000", 37), ("001", 46), ("002", 41)];
/// The threats that `docs/threats.md` answers.
const THREATS: [&str; 30] = [
    "T1", "T2", "T3", "T4", "T5", "T6", "T9", "T10", "T11", "T12", "T13", "T14", "T15", "T16", "T17", "T18",
    "T19", "T20", "T21", "T22", "T23", "T24", "T25", "T26", "T36", "T39", "T40", "T41", "T42", "T44",
];
const STATES: [&str; 6] = ["proven", "adapted", "operator", "policy", "waiting", "cannot apply"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    control: Vec<Control>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    id: String,
    promise: String,
    control: String,
    state: String,
    #[serde(default)]
    tests: Vec<String>,
    doc: Option<String>,
    /// What `nexrole doctor` checks, or asks.
    doctor: Option<String>,
    reason: Option<String>,
}

/// What the sources and documents hold.
struct Known {
    tests: BTreeSet<String>,
    /// `file#heading`.
    sections: BTreeSet<String>,
    /// Of `nexrole doctor`.
    checks: BTreeSet<String>,
}

impl Known {
    fn of(root: &Path) -> Self {
        let mut sections = BTreeSet::new();
        let docs =
            fs::read_dir(root.join("docs")).expect("docs").map(|entry| entry.expect("an entry").path());
        for path in docs.chain(["README.md", "SECURITY.md"].map(|name| root.join(name))) {
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let file = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
                sections.extend(headings(&text).map(|heading| format!("{file}#{heading}")));
            }
        }
        let checks = Check::ALL.iter().map(|check| check.name().to_owned()).collect();
        Self { tests: tree::tests(root, &CRATES), sections, checks }
    }
}

/// Headings as GitHub links to them; none of those in code blocks.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let mut in_code = false;
    let lines = text.lines().filter(move |line| {
        in_code ^= line.starts_with("```");
        !in_code && line.starts_with('#')
    });
    lines.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    })
}

/// Everything that is wrong with the file, and how many controls there are of each state.
fn judge(text: &str, known: &Known) -> (Vec<String>, BTreeMap<String, usize>) {
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => return (vec![error.to_string()], BTreeMap::new()),
    };
    let mut wrong = Vec::new();
    let mut counts = BTreeMap::new();
    let mut missing: BTreeSet<String> = ids().collect();
    let mut seen = BTreeSet::new();
    for control in &file.control {
        let id = &control.id;
        if !seen.insert(id) {
            wrong.push(format!("{id} is there twice"));
        } else if !missing.remove(id) {
            wrong.push(format!("{id} is no id of ours"));
        }
        wrong.extend(problems(control, known).into_iter().map(|problem| format!("{id} {problem}")));
        *counts.entry(control.state.clone()).or_default() += 1;
    }
    wrong.extend(missing.iter().map(|id| format!("{id} is missing")));
    (wrong, counts)
}

fn ids() -> impl Iterator<Item = String> {
    ROWS.iter().flat_map(|(prefix, count)| (1..=*count).map(move |number| format!("{prefix}-{number:02}")))
}

fn problems(control: &Control, known: &Known) -> Vec<String> {
    let mut wrong = Vec::new();
    let state = control.state.as_str();
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    if !STATES.contains(&state) {
        wrong.push(format!("has the unknown state '{state}'"));
    }
    if control.promise.trim().is_empty() || control.control.trim().is_empty() {
        wrong.push("lacks its promise or its control".to_owned());
    }
    if ["proven", "adapted"].contains(&state) && control.tests.is_empty() {
        wrong.push(format!("is {state} and names no test"));
    }
    if ["adapted", "waiting", "cannot apply"].contains(&state) && !filled(&control.reason) {
        wrong.push(format!("is {state} and says no reason"));
    }
    if state == "policy" {
        wrong.extend((!filled(&control.doc)).then(|| "is policy and names no section".to_owned()));
        wrong.extend((!control.tests.is_empty()).then(|| "is policy, which no test can show".to_owned()));
    }
    if state == "operator" {
        for (is_there, what) in [
            (filled(&control.doc), "section"),
            (filled(&control.doctor), "check of the doctor's"),
            (!control.tests.is_empty(), "test"),
        ] {
            wrong.extend((!is_there).then(|| format!("is the operator's and names no {what}")));
        }
    }
    for check in control.doctor.iter().filter(|check| !known.checks.contains(*check)) {
        wrong.push(format!("names the doctor's check {check}, which does not exist"));
    }
    for test in control.tests.iter().filter(|test| !known.tests.contains(*test)) {
        wrong.push(format!("names the test {test}, which does not exist"));
    }
    for doc in control.doc.iter().filter(|doc| !known.sections.contains(*doc)) {
        wrong.push(format!("names the section {doc}, which does not exist"));
    }
    wrong
}

/// The rows of a table of threats whose last column neither names a test that exists nor says why there is none.
fn judge_threats(text: &str, known: &Known) -> Vec<String> {
    let mut wrong = tests_that_do_not_exist(text, known);
    let mut missing: BTreeSet<&str> = THREATS.into_iter().collect();
    for line in text.lines().filter(|line| line.starts_with("| T")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, _, _, evidence] = cells[..] else {
            wrong.push(format!("{line}: four columns are wanted"));
            continue;
        };
        if !missing.remove(id) {
            wrong.push(format!("{id} is there twice, or no threat of ours"));
        }
        let reason = evidence.split_once("None yet:").map(|(_, reason)| reason.trim());
        if named_tests(evidence).next().is_none() && reason.is_none_or(str::is_empty) {
            wrong.push(format!("{id} has neither a test nor a reason"));
        }
    }
    wrong.extend(missing.iter().map(|id| format!("{id} is missing")));
    wrong
}

/// What stands in backticks and begins with the name of a crate.
fn named_tests(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split('`').skip(1).step_by(2);
    code.filter(|word| {
        let first = word.split_once("::").map(|(first, _)| first.replace('_', "-"));
        first.is_some_and(|first| CRATES.contains(&first.as_str()))
    })
}

fn tests_that_do_not_exist(text: &str, known: &Known) -> Vec<String> {
    let unknown = named_tests(text).filter(|test| !known.tests.contains(*test));
    unknown.map(|test| format!("{test} does not exist")).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn every_control_is_proven_or_says_what_is_missing() {
    let known = Known::of(root());
    let (wrong, counts) = judge(&text_of("security/controls.toml"), &known);
    assert!(wrong.is_empty(), "security/controls.toml:\n{}", wrong.join("\n"));
    let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    say(&format!("security/controls.toml: {}", counts.join(", ")));
}

#[test]
fn every_threat_has_a_test_or_a_reason() {
    let known = Known::of(root());
    let wrong = judge_threats(&text_of("docs/threats.md"), &known);
    assert!(wrong.is_empty(), "docs/threats.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_test_that_the_policy_names_exists() {
    let (policy, known) = (text_of("SECURITY.md"), Known::of(root()));
    assert!(named_tests(&policy).count() >= 10, "SECURITY.md names too few tests");
    let wrong = tests_that_do_not_exist(&policy, &known);
    assert!(wrong.is_empty(), "SECURITY.md:\n{}", wrong.join("\n"));
}

fn small_world() -> Known {
    let set = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Known {
        tests: set(&["shared::crypto::tests::seals"]),
        sections: set(&["docs/a.md#backups"]),
        checks: set(&["operator.disks"]),
    }
}

/// What the checker says of one control, in a file that has no other.
fn said(lines: &str) -> Vec<String> {
    let text = format!("[[control]]\nid = \"000-01\"\npromise = \"p\"\ncontrol = \"c\"\n{lines}");
    let (wrong, _) = judge(&text, &small_world());
    wrong.into_iter().filter(|problem| !problem.ends_with("is missing")).collect()
}

#[test]
fn a_control_that_claims_too_much_is_found() {
    let test = "tests = [\"shared::crypto::tests::seals\"]";
    let operator = "state = \"operator\"\ndoc = \"docs/a.md#backups\"\ndoctor = \"operator.disks\"";
    for good in [
        format!("state = \"proven\"\n{test}"),
        format!("state = \"adapted\"\nreason = \"r\"\n{test}"),
        format!("{operator}\n{test}"),
        "state = \"policy\"\ndoc = \"docs/a.md#backups\"".into(),
        "state = \"waiting\"\nreason = \"r\"".into(),
        "state = \"cannot apply\"\nreason = \"r\"".into(),
    ] {
        assert!(said(&good).is_empty(), "{good}: {:?}", said(&good));
    }
    for (bad, problem) in [
        ("state = \"done\"", "000-01 has the unknown state 'done'"),
        ("state = \"proven\"", "000-01 is proven and names no test"),
        ("state = \"proven\"\ntests = []", "000-01 is proven and names no test"),
        ("state = \"policy\"", "000-01 is policy and names no section"),
        ("state = \"waiting\"", "000-01 is waiting and says no reason"),
        ("state = \"waiting\"\nreason = \" \"", "000-01 is waiting and says no reason"),
        ("state = \"cannot apply\"", "000-01 is cannot apply and says no reason"),
        (operator, "000-01 is the operator's and names no test"),
        (
            "state = \"proven\"\ntests = [\"shared::crypto::seals\"]",
            "000-01 names the test shared::crypto::seals, which does not exist",
        ),
    ] {
        assert_eq!(said(bad), [problem], "{bad}");
    }
    for (word, other, problem) in [
        ("doc = \"docs/a.md#backups\"", "", "is the operator's and names no section"),
        ("#backups", "#nowhere", "names the section docs/a.md#nowhere, which does not exist"),
        ("doctor = \"operator.disks\"", "", "is the operator's and names no check of the doctor's"),
        ("operator.disks", "operator.luck", "names the doctor's check operator.luck, which does not exist"),
    ] {
        let wrong = said(&format!("{}\n{test}", operator.replace(word, other)));
        assert_eq!(wrong, [format!("000-01 {problem}")]);
    }
    let tested = format!("state = \"policy\"\ndoc = \"docs/a.md#backups\"\n{test}");
    assert_eq!(said(&tested), ["000-01 is policy, which no test can show"]);
    let no_reason = format!("state = \"adapted\"\n{test}");
    assert_eq!(said(&no_reason), ["000-01 is adapted and says no reason"]);
    assert_eq!(said("state = \"waiting\"\nreason = \"r\"\nproof = \"x\"").len(), 1, "an unknown key");
}

#[test]
fn an_id_that_is_missing_twice_there_or_unknown_is_found() {
    let row = |id: &str| {
        format!(
            "[[control]]\nid = \"{id}\"\npromise = \"p\"\ncontrol = \"c\"\nstate = \"waiting\"\nreason = \"r\"\n"
        )
    };
    let all: Vec<String> = ids().collect();
    assert_eq!(all.len(), 124);
    let file = |ids: &[String]| ids.iter().map(|id| row(id)).collect::<String>();
    let wrong = |ids: &[String]| judge(&file(ids), &small_world()).0;
    assert!(wrong(&all).is_empty());
    assert_eq!(wrong(&all[1..]), ["000-01 is missing"]);
    assert_eq!(wrong(&[&all[..], &all[..1]].concat()), ["000-01 is there twice"]);
    assert_eq!(wrong(&[&all[..], &["003-01".to_owned()]].concat()), ["003-01 is no id of ours"]);
    assert_eq!(judge("[[control]", &small_world()).0.len(), 1, "no TOML");
}

#[test]
fn a_threat_without_evidence_is_found() {
    let row = |id: &str, evidence: &str| format!("| {id} | what | how | {evidence} |\n");
    let table = |first: &str| {
        THREATS[1..].iter().map(|id| row(id, "None yet: because")).collect::<String>() + &row("T1", first)
    };
    let wrong = |first: &str| judge_threats(&table(first), &small_world());
    assert!(wrong("`shared::crypto::tests::seals`").is_empty());
    assert_eq!(wrong("surely"), ["T1 has neither a test nor a reason"]);
    assert_eq!(wrong("None yet:"), ["T1 has neither a test nor a reason"]);
    assert_eq!(wrong("`shared::gone`"), ["shared::gone does not exist"]);
    assert_eq!(judge_threats("", &small_world()).len(), THREATS.len());
}

#[test]
fn headings_are_linked_as_github_does() {
    let text = "# One: *two*, 3\n```sh\n# a comment\n```\n## Who may log in?\n";
    assert_eq!(headings(text).collect::<Vec<_>>(), ["one-two-3", "who-may-log-in"]);
}
