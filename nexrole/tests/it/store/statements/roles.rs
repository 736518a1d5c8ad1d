//! Which database roles run which statement. In: the product's source. Out: every statement, with the roles that its callers have.
//!
//! A store function's parameter says with which right it reaches rows, and the file that calls it says with whose login. What it
//! calls in the store, it calls as the same role.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::source::{self, Function, Said, Source, Takes};

/// By the beginning of the caller's path: the roles of a tenant's transaction, and of work across tenants.
const CALLERS: [(&str, &[&str], &[&str]); 22] = [
    ("webhook-gateway/src/maintenance/retention.rs", &[], &["nexrole_retention"]),
    ("webhook-gateway/src", &["nexrole_gateway"], &["nexrole_ingest"]),
    ("bot/src", &["nexrole_bot"], &["nexrole_worker"]),
    ("nexrole/src", &["nexrole_operator"], &["nexrole_operator"]),
    // It only looks, as whoever calls it: so far that is the operator.
    ("shared/src/actions/explain.rs", &["nexrole_operator"], &[]),
    ("shared/src/actions/failed.rs", &["nexrole_operator"], &[]),
    ("shared/src/actions/list_members.rs", &["nexrole_operator"], &[]),
    // A subscriber's, on the gateway's pages.
    ("shared/src/actions/claim.rs", &["nexrole_gateway"], &[]),
    ("shared/src/sessions", &[], &["nexrole_ingest"]),
    // A subscriber acts for themselves, on the gateway's pages.
    ("shared/src/actions/send_claim_code.rs", &["nexrole_gateway"], &[]),
    ("shared/src/actions/redeem_claim_code.rs", &["nexrole_gateway"], &[]),
    ("shared/src/actions/take.rs", &["nexrole_gateway"], &[]),
    ("shared/src/actions/move_links.rs", &["nexrole_gateway"], &[]),
    ("shared/src/actions/give_up.rs", &["nexrole_gateway"], &[]),
    ("shared/src/actions/hand_over.rs", &["nexrole_gateway"], &[]),
    // For both.
    ("shared/src/actions/lock_bought.rs", &["nexrole_gateway", "nexrole_owner"], &[]),
    ("shared/src/actions/reference.rs", &["nexrole_gateway"], &[]),
    ("shared/src/actions/subscribe.rs", &["nexrole_gateway"], &[]),
    ("shared/src/actions", &["nexrole_owner"], &[]),
    // The gateway asks, and the bot answers.
    (
        "shared/src/service_requests",
        &["nexrole_gateway", "nexrole_bot"],
        &["nexrole_ingest", "nexrole_worker"],
    ),
    ("shared/src/metrics.rs", &[], &["nexrole_ingest", "nexrole_worker"]),
    ("shared/src", &[], &[]),
];
/// What opens, checks and migrates a database: in the roles of a session.
const SESSIONS: [&str; 4] = ["nexrole_ingest", "nexrole_worker", "nexrole_operator", "nexrole_retention"];

/// A module of the store, and a function of it.
type Name = (String, String);

/// One statement, and who runs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Statement {
    /// `role_jobs::enqueue`
    pub(super) of: String,
    pub(super) sql: String,
    pub(super) roles: BTreeSet<String>,
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The product's files in a folder, with their text, tests aside.
fn sources(folder: &str) -> Vec<(String, Source)> {
    let mut folders: Vec<PathBuf> = vec![workspace().join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let path = entry.strip_prefix(workspace()).expect("inside").to_string_lossy().into_owned();
            if entry.is_dir() {
                folders.push(entry);
            } else if path.ends_with(".rs") && !path.ends_with("tests.rs") {
                let read = source::read(&fs::read_to_string(&entry).expect("UTF-8"), &path);
                sources.push((path, read));
            }
        }
    }
    sources
}

fn is_sql(text: &str) -> bool {
    // A comment may come first.
    let statement = if text.starts_with("--") {
        text.split_once('\n').map_or("", |(_, rest)| rest.trim_start())
    } else {
        text
    };
    let first = statement.split(char::is_whitespace).next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&first)
}

/// The store: each module is a file.
struct Store(BTreeMap<String, Source>);

impl Store {
    fn functions(&self) -> impl Iterator<Item = (Name, &Function)> {
        self.0.iter().flat_map(|(module, source)| {
            source.functions.iter().map(|function| ((module.clone(), function.name.clone()), function))
        })
    }

    /// Which function of the store a path in this module is.
    fn called(&self, module: &str, path: &[String]) -> Option<Name> {
        let (module, name) = match path {
            [name] => (module, name),
            [.., module, name] => (module.as_str(), name),
            [] => return None,
        };
        let is_it = self.0.get(module)?.functions.iter().any(|function| function.name == *name);
        is_it.then(|| (module.to_owned(), name.clone()))
    }

    fn constant(&self, module: &str, path: &[String]) -> Option<&String> {
        match path {
            [name] => self.0.get(module)?.texts.get(name),
            [.., module, name] => self.0.get(module)?.texts.get(name),
            [] => None,
        }
    }

    fn takes(&self, (module, name): &Name) -> Takes {
        let of = self.0[module].functions.iter().find(|function| function.name == *name);
        of.map_or(Takes::Neither, |function| function.takes)
    }

    /// The roles in which each function is called.
    fn roles(&self) -> BTreeMap<Name, BTreeSet<String>> {
        let mut roles: BTreeMap<Name, BTreeSet<String>> = BTreeMap::new();
        for folder in ["webhook-gateway/src", "bot/src", "nexrole/src", "shared/src"] {
            for (path, source) in sources(folder) {
                if path.starts_with("shared/src/store") {
                    continue;
                }
                let (_, tenant, crossing) =
                    CALLERS.iter().find(|(caller, ..)| path.starts_with(caller)).expect("a caller");
                for said in source.said() {
                    let Said::Path(said) = said else { continue };
                    let Some(name) = (said.len() > 1).then(|| self.called("", said)).flatten() else {
                        continue;
                    };
                    let taken = match self.takes(&name) {
                        Takes::Tenant => *tenant,
                        Takes::Crossing => *crossing,
                        // The doctor's session: the operator's role, unless the function takes another.
                        Takes::Neither => &["nexrole_operator"],
                    };
                    roles.entry(name).or_default().extend(taken.iter().map(|&role| role.to_owned()));
                }
            }
        }
        // Until nothing is added: what a function calls has its roles.
        loop {
            let before = roles.clone();
            for (name, function) in self.functions() {
                let own = roles.get(&name).cloned().unwrap_or_default();
                for said in &function.says {
                    let Said::Path(path) = said else { continue };
                    if let Some(called) = self.called(&name.0, path).filter(|called| *called != name) {
                        roles.entry(called).or_default().extend(own.iter().cloned());
                    }
                }
            }
            if roles == before {
                return roles;
            }
        }
    }

    fn statements(&self) -> Vec<Statement> {
        let roles = self.roles();
        let mut statements = Vec::new();
        for (name, function) in self.functions() {
            let mut roles = roles.get(&name).cloned().unwrap_or_default();
            let known = statements.len();
            for said in &function.says {
                let text = match said {
                    Said::Text(text) => Some(text),
                    Said::Path(path) => self.constant(&name.0, path),
                };
                let Some(text) = text else { continue };
                if let Some(role) = text.strip_prefix("SET ROLE ") {
                    roles = [role.to_owned()].into();
                } else if is_sql(text) {
                    let of = format!("{}::{}", name.0, name.1);
                    statements.push(Statement { of, sql: text.clone(), roles: roles.clone() });
                }
            }
            let asks = |said: &Said| matches!(said, Said::Path(path) if path.len() == 2 && path[0] == "sqlx" && path[1].starts_with("query"));
            let is_read = statements.len() > known || !function.says.iter().any(asks);
            assert!(is_read, "{name:?} has a statement that is neither a literal nor a constant");
        }
        statements
    }
}

/// Every statement of the store, and what looks after the database.
pub(super) fn statements() -> Vec<Statement> {
    let module = |path: &str| Path::new(path).file_stem().expect("a file").to_string_lossy().into_owned();
    let store = sources("shared/src/store").into_iter().map(|(path, source)| (module(&path), source));
    let mut statements = Store(store.collect()).statements();
    for (path, source) in sources("shared/src/db") {
        for said in source.said() {
            let Said::Text(sql) = said else { continue };
            if is_sql(sql) {
                let roles = SESSIONS.iter().map(|&role| role.to_owned()).collect();
                statements.push(Statement { of: path.clone(), sql: sql.clone(), roles });
            }
        }
    }
    statements
}
