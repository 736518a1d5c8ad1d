//! Which tests there are. In: a folder with crates. Out: the full path of every test function, as
//! `crate[::test binary]::module::function`. Modules are followed from each crate's roots, so a file that nobody declares,
//! whose tests would never run, has none.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every test of these crates.
pub(super) fn tests(root: &Path, crates: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in crates {
        let module = name.replace('-', "_");
        for file in ["lib.rs", "main.rs"].map(|file| root.join(name).join("src").join(file)) {
            if file.is_file() {
                read(&file, &parent(&file), &module, &mut found);
            }
        }
        for (binary, file) in test_binaries(&root.join(name).join("tests")) {
            read(&file, &parent(&file), &format!("{module}::{binary}"), &mut found);
        }
    }
    found
}

/// `tests/name.rs` and `tests/name/main.rs`, as Cargo finds them.
fn test_binaries(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let file = if path.is_dir() { path.join("main.rs") } else { path };
        if file.is_file() && file.extension().is_some_and(|extension| extension == "rs") {
            found.push((name, file));
        }
    }
    found
}

fn parent(file: &Path) -> PathBuf {
    file.parent().expect("a file lies in a folder").to_owned()
}

/// Reads one file. `below`: the folder in which its modules lie.
fn read(file: &Path, below: &Path, module: &str, found: &mut BTreeSet<String>) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines: Vec<&str> = text.lines().collect();
    // Modules that are open in this file, with the indentation of their closing brace. Our code is formatted by rustfmt.
    let mut open: Vec<(String, usize)> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if line.trim() == "}" && open.last().is_some_and(|(_, at)| *at == indent) {
            open.pop();
            continue;
        }
        let path = |name: &str| {
            let inner = open.iter().map(|(name, _)| name.as_str()).chain([name]);
            [module].into_iter().chain(inner).collect::<Vec<_>>().join("::")
        };
        let words = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let words = words.trim_start_matches("pub ");
        if let Some(declared) = words.strip_prefix("mod ") {
            if let Some(name) = declared.strip_suffix(';') {
                let inner: PathBuf = open.iter().map(|(name, _)| name.as_str()).collect();
                let (file, below) = place(&lines[..number], file, &below.join(inner), name);
                read(&file, &below, &path(name), found);
            } else if let Some(name) = declared.strip_suffix(" {") {
                open.push((name.to_owned(), indent));
            }
        } else if let Some(name) = function(words)
            && is_test(&lines[..number])
        {
            found.insert(path(name));
        }
    }
}

/// Where a declared module is, and where its own modules are.
fn place(before: &[&str], file: &Path, below: &Path, name: &str) -> (PathBuf, PathBuf) {
    let attributes =
        attributes(before).find_map(|line| line.strip_prefix("#[path = \"")?.strip_suffix("\"]"));
    if let Some(path) = attributes {
        let file = parent(file).join(path);
        let below = parent(&file);
        return (file, below);
    }
    let (flat, folder) = (below.join(format!("{name}.rs")), below.join(name));
    if flat.is_file() { (flat, folder) } else { (folder.join("mod.rs"), folder) }
}

fn function(words: &str) -> Option<&str> {
    let name = words.trim_start_matches("async ").strip_prefix("fn ")?;
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    Some(&name[..end])
}

/// The lines of attributes and comments right above a line.
fn attributes<'t>(before: &[&'t str]) -> impl Iterator<Item = &'t str> {
    before.iter().rev().map(|line| line.trim()).take_while(|line| {
        line.starts_with("#[") || line.starts_with("//") || line.ends_with(")]") || line.ends_with(',')
    })
}

/// A test that runs: what is ignored proves nothing.
fn is_test(before: &[&str]) -> bool {
    let is = |word: &str| attributes(before).any(|line| line.starts_with(word));
    (is("#[test]") || is("#[tokio::test")) && !is("#[ignore")
}

#[test]
fn the_tree_of_tests_is_followed_as_rust_does() {
    let folder = std::env::temp_dir().join(format!("nexrole-tree-{}", std::process::id()));
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(parent(&path)).expect("a folder");
        fs::write(path, text).expect("written");
    };
    let test = |name: &str| format!("#[test]\nfn {name}() {{\n}}\n");
    write("a-b/src/lib.rs", "pub mod one;\nmod two;\n#[cfg(test)]\n#[path = \"odd.rs\"]\nmod tests;\n");
    write("a-b/src/one.rs", &format!("mod deep;\n{}", test("in_one")));
    write(
        "a-b/src/one/deep.rs",
        "#[cfg(test)]\nmod tests {\n    #[tokio::test(start_paused = true)]\n    async fn inner() {\n    }\n}\n#[test]\nfn outer() {}\n",
    );
    write("a-b/src/two/mod.rs", "proptest! {\n    #[test]\n    fn a_law(x in 0..1) {\n    }\n}\n");
    write("a-b/src/odd.rs", &test("by_path"));
    write("a-b/src/orphan.rs", &test("never_run"));
    write("a-b/tests/it/main.rs", "mod story;\n");
    write(
        "a-b/tests/it/story.rs",
        "#[test]\n#[ignore]\nfn asleep() {}\n\nfn no_test() {}\n\n/// Says why.\n#[test]\n#[expect(x, reason = \"y\")]\nfn told() {}\n",
    );
    write("a-b/tests/alone.rs", &test("by_itself"));
    let found = tests(&folder, &["a-b", "no-such-crate"]);
    fs::remove_dir_all(&folder).expect("removed");
    let expected = [
        "a_b::alone::by_itself",
        "a_b::it::story::told",
        "a_b::one::deep::outer",
        "a_b::one::deep::tests::inner",
        "a_b::one::in_one",
        "a_b::tests::by_path",
        "a_b::two::a_law",
    ];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
}
