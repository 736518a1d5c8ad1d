//! The scan for secrets, on repositories made for it. In: commits. Out: its exit code and what it says. Where git is not installed no
//! repository can be made; then the scan must say so, and not pass.

use std::{fs, path::Path, process::Command};

use shared::config::Env;
use testkit::scratch::Scratch;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/secrets");

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn commit(folder: &Path, file: &str, text: &str) {
    fs::write(folder.join(file), text).expect("written");
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "A change"]);
}

/// Whether git is installed; if not, that the scan of a folder refuses.
fn git_is_installed(folder: &Path) -> bool {
    let installed = Command::new("git").arg("--version").output().is_ok();
    if !installed {
        assert_eq!(scan(folder), refusal());
    }
    installed
}

fn refusal() -> (Option<i32>, String) {
    (Some(1), "git is not installed: no commit was looked at\n".to_owned())
}

/// Exit code, and all that was said.
fn scan(folder: &Path) -> (Option<i32>, String) {
    let search_path = Env::from_process().get("PATH").expect("a shell's environment");
    scan_with(folder, &search_path)
}

fn scan_with(folder: &Path, search_path: &str) -> (Option<i32>, String) {
    let output =
        Command::new(SCRIPT).arg(folder).env("PATH", search_path).output().expect("bash is installed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("UTF-8"))
}

/// One of each kind, put together here so that the scan of this repository finds none.
fn planted() -> Vec<(&'static str, String)> {
    let x = |count: usize| "x7".repeat(count)[..count].to_owned();
    vec![
        ("a Stripe live key", format!("sk_{}_{}", "live", x(24))),
        ("a Stripe live key", format!("rk_{}_{}", "live", x(24))),
        ("a Stripe test key", format!("sk_{}_{}", "test", x(24))),
        ("a webhook signing secret", format!("whsec{}{}", '_', x(32))),
        ("a Discord bot token", format!("M{}.{}.{}", x(25), x(6), x(38))),
        ("a Discord webhook address", format!("api/webhooks/{}/{}", "1".repeat(18), x(60))),
        ("an entry of ENCRYPTION_KEYS", format!("k20261122:{}=", x(43))),
        ("a private key", format!("-----BEGIN {} KEY-----", "PRIVATE")),
        ("an AWS key", format!("AKI{}{}", 'A', "Q7".repeat(8))),
        ("a GitHub token", format!("gh{}_{}", 'p', x(36))),
        ("a Slack token", format!("xox{}-{}", 'b', x(20))),
    ]
}

#[test]
fn a_planted_secret_is_found_on_any_branch_even_after_it_was_taken_out() {
    let scratch = Scratch::new("ci-secrets");
    if !git_is_installed(&scratch.0) {
        return;
    }
    for (number, (kind, secret)) in planted().into_iter().enumerate() {
        let folder = scratch.0.join(number.to_string());
        fs::create_dir(&folder).expect("made");
        git(&folder, &["init", "-q"]);
        commit(&folder, "README", "Nothing. rk_test_… whsec_… sk_live_…\n");
        assert_eq!(scan(&folder), (Some(0), "no secret in 1 commits\n".to_owned()));
        git(&folder, &["checkout", "-q", "-b", "side"]);
        commit(&folder, "config", &format!("first\nNAME={secret}\n"));
        commit(&folder, "config", "first\n");
        git(&folder, &["checkout", "-q", "main"]);
        let (code, said) = scan(&folder);
        assert_eq!(code, Some(1), "{kind}: {said}");
        assert!(said.contains(&format!(" config: {kind}\n")) && !said.contains(&secret), "{said}");
        fs::create_dir(folder.join(".ci")).expect("made");
        fs::write(folder.join(".ci/secrets.allowed"), format!("# A fake.\n{secret}\n")).expect("written");
        assert_eq!(scan(&folder).0, Some(0), "{kind} is allowed");
    }
}

#[test]
fn a_secret_in_a_message_or_brought_by_a_merge_is_found_too() {
    let scratch = Scratch::new("ci-merge");
    let (folder, (_, secret)) = (&scratch.0, planted().remove(0));
    if !git_is_installed(folder) {
        return;
    }
    git(folder, &["init", "-q"]);
    commit(folder, "README", "Nothing\n");
    git(folder, &["checkout", "-q", "-b", "side"]);
    commit(folder, "side", "Nothing\n");
    git(folder, &["checkout", "-q", "main"]);
    commit(folder, "main", "Nothing\n");
    git(folder, &["merge", "-q", "--no-commit", "side"]);
    commit(folder, "merged", &format!("{secret}\n"));
    assert!(scan(folder).1.contains(" merged: a Stripe live key"));
    git(folder, &["reset", "-q", "--hard", "HEAD^"]);
    git(folder, &["reflog", "expire", "--expire=now", "--all"]);
    assert_eq!(scan(folder).0, Some(0));
    git(folder, &["commit", "-q", "--allow-empty", "-m", &format!("Use {secret}")]);
    assert!(scan(folder).1.contains(" its message: a Stripe live key"));
}

#[test]
fn this_repositorys_history_holds_no_secret() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    if root.join(".git").exists() && git_is_installed(root) {
        let (code, said) = scan(root);
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn a_scan_that_cannot_read_does_not_pass() {
    let scratch = Scratch::new("ci-without-git");
    let programs = scratch.0.join("bin");
    fs::create_dir(&programs).expect("made");
    std::os::unix::fs::symlink("/bin/bash", programs.join("bash")).expect("linked");
    assert_eq!(
        scan_with(&scratch.0, programs.to_str().expect("UTF-8")),
        refusal(),
        "nothing but bash is installed"
    );
    if git_is_installed(&scratch.0) {
        let (code, said) = scan(&scratch.0);
        assert!(code != Some(0) && !said.contains("no secret"), "it is no repository: {said}");
    }
}
