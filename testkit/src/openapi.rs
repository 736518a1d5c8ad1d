//! A vendor's own description of its HTTP API (OpenAPI 3.1), held against what a sandbox heard and said.
//!
//! In: recorded calls with their transcripts. Out: which routes they used, and each difference from the description.
//! The description is not ours and not in this repository: `VENDOR_SPECS` names the folder that has it.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use jsonschema::{Draft, Validator};
use sandbox::{FaultKind, Request, Transcript};
use serde_json::Value;

use crate::report::say;

const VARIABLE: &str = "VENDOR_SPECS";
const DISCORD: &str = "discord-openapi.json";
const JSON: &str = "application/json";
/// A mismatch quotes what did not match, which may be a whole message.
const LONGEST_QUOTE: usize = 700;

/// Where the description contradicts the vendor's reference, and everyone's practice: the field, and why it may be a string
/// of digits. Everything else is held to the letter.
const BITS_AS_TEXT: [(&str, &str); 1] =
    // "default_member_permissions: ?string, set of permissions represented as a bit set"; the answer's schema agrees.
    // https://discord.com/developers/docs/interactions/application-commands#application-command-object
    [("PUT /applications/{application_id}/commands", "/default_member_permissions")];

/// Described in the reference's chapter OAuth2, and not here: a token is asked for with the application's secret.
const TOKENS: [&str; 2] = ["/oauth2/token", "/oauth2/token/revoke"];

pub struct Description {
    document: Value,
    /// The path in front of every route, such as `/api/v10`.
    base: String,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// What became of some calls.
#[derive(Default)]
pub struct Checked {
    /// By method and path template: how often each answer was seen.
    pub routes: BTreeMap<(String, String), BTreeMap<String, usize>>,
    /// Each difference from the description, as a line.
    pub problems: Vec<String>,
    /// Calls whose transcript the sandbox had forgotten.
    pub untold: usize,
}

/// Discord's description; `None`, said once, where it is not at hand.
pub fn discord() -> Option<&'static Description> {
    static DISCORDS: OnceLock<Option<Description>> = OnceLock::new();
    DISCORDS.get_or_init(|| Description::read(DISCORD)).as_ref()
}

impl Checked {
    /// The routes, a line each.
    pub fn list(&self) -> String {
        let mut lines = Vec::new();
        for ((method, path), answers) in &self.routes {
            let calls: usize = answers.values().sum();
            let answers: Vec<String> = answers.iter().map(|(status, n)| format!("{n} × {status}")).collect();
            lines.push(format!("  {method:6} {path}   {calls} calls: {}", answers.join(", ")));
        }
        lines.join("\n")
    }
}

impl Description {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, not configuration of a service")]
    fn read(file: &str) -> Option<Self> {
        let folder = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
        let path = folder.map(|folder| PathBuf::from(folder).join(file)).filter(|path| path.is_file());
        let Some(path) = path else {
            say(&format!(
                "NOT CHECKED against the vendor's description: {VARIABLE} names no folder with {file}"
            ));
            return None;
        };
        let text = fs::read_to_string(&path).expect("the description is readable");
        let document: Value = serde_json::from_str(&text).expect("the description is JSON");
        let server = document["servers"][0]["url"].as_str().expect("a server").to_owned();
        let base = server.splitn(4, '/').nth(3).map_or_else(String::new, |path| format!("/{path}"));
        Some(Self { document, base, validators: Mutex::default() })
    }

    /// Holds calls against the description.
    pub fn check(&self, calls: &[Request]) -> Checked {
        let mut checked = Checked::default();
        for call in calls {
            let Some(transcript) = &call.transcript else {
                checked.untold += 1;
                continue;
            };
            let mut problems = Vec::new();
            self.check_call(call, transcript, &mut checked, &mut problems);
            let what = format!("{} {} → {:?}", call.method, call.path_and_query, call.status);
            checked.problems.extend(problems.into_iter().map(|problem| format!("{what}: {problem}")));
        }
        checked
    }

    fn check_call(
        &self,
        call: &Request,
        said: &Transcript,
        checked: &mut Checked,
        problems: &mut Vec<String>,
    ) {
        let path = call.path.strip_prefix(&self.base);
        if let Some(path) = path.filter(|path| TOKENS.contains(path) && call.method == "POST") {
            let status = call.status.map_or("no answer".to_owned(), |status| status.to_string());
            let answers = checked.routes.entry((call.method.clone(), path.to_owned())).or_default();
            *answers.entry(status).or_default() += 1;
            check_user_agent(said, problems);
            return;
        }
        let Some((template, found)) = path.and_then(|path| self.route(path)) else {
            problems.push("the description has no such route".to_owned());
            return;
        };
        let at = format!("/paths/{}/{}", pointer(&template), call.method.to_lowercase());
        let Some(operation) = self.document.pointer(&at) else {
            problems.push(format!("the description has no such method on {template}"));
            return;
        };
        let fault = call.fault.map_or("", |_| " (fault)");
        let status = call.status.map_or("no answer".to_owned(), |status| status.to_string());
        let answers = checked.routes.entry((call.method.clone(), template.clone())).or_default();
        *answers.entry(format!("{status}{fault}")).or_default() += 1;

        self.check_parameters(call, &template, operation, &found, problems);
        check_headers(operation, said, problems);
        self.check_request(&at, &format!("{} {template}", call.method), operation, said, problems);
        if let Some(status) = call.status.filter(|_| !call.fault.is_some_and(changes_the_answer)) {
            self.check_answer(&at, operation, status, said, problems);
        }
    }

    /// The template of a path, with what stands for its parameters. `@original` beats `{message_id}`.
    fn route(&self, path: &str) -> Option<(String, BTreeMap<String, String>)> {
        let parts: Vec<&str> = path.split('/').collect();
        let templates = self.document["paths"].as_object()?.keys();
        let fitting = templates.filter_map(|template| {
            let wanted: Vec<&str> = template.split('/').collect();
            if wanted.len() != parts.len() {
                return None;
            }
            let mut found = BTreeMap::new();
            for (wanted, part) in wanted.iter().zip(&parts) {
                match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => drop(found.insert(name.to_owned(), (*part).to_owned())),
                    None if wanted == part => {}
                    None => return None,
                }
            }
            Some((template.clone(), found))
        });
        fitting.min_by_key(|(_, found)| found.len())
    }

    fn check_parameters(
        &self,
        call: &Request,
        template: &str,
        operation: &Value,
        found: &BTreeMap<String, String>,
        problems: &mut Vec<String>,
    ) {
        let shared = &self.document["paths"][template]["parameters"];
        let described: Vec<&Value> =
            [shared, &operation["parameters"]].into_iter().filter_map(Value::as_array).flatten().collect();
        let query = call.path_and_query.split_once('?').map_or("", |(_, query)| query);
        let query: BTreeMap<&str, &str> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        for parameter in &described {
            let name = parameter["name"].as_str().unwrap_or_default();
            let value = match parameter["in"].as_str() {
                Some("path") => found.get(name).map(String::as_str),
                Some("query") => query.get(name).copied(),
                _ => continue,
            };
            match value {
                None if parameter["required"] == true => {
                    problems.push(format!("the parameter {name} is missing"));
                }
                None => {}
                Some(text) => {
                    let validator = self.validator(&parameter["schema"].to_string(), &parameter["schema"]);
                    let literal = serde_json::from_str(text).unwrap_or(Value::Null);
                    if !validator.is_valid(&Value::from(text)) && !validator.is_valid(&literal) {
                        problems.push(format!("the parameter {name} must not be {text}"));
                    }
                }
            }
        }
        for name in query.keys() {
            if !described.iter().any(|parameter| parameter["in"] == "query" && parameter["name"] == *name) {
                problems.push(format!("the description has no parameter {name}"));
            }
        }
    }

    fn check_request(
        &self,
        at: &str,
        route: &str,
        operation: &Value,
        said: &Transcript,
        problems: &mut Vec<String>,
    ) {
        let body = self.resolved(&operation["requestBody"]);
        match (body.is_object(), said.sent.is_empty()) {
            (false, true) => {}
            (false, false) => problems.push("the description has no request body".to_owned()),
            (true, true) if body["required"] == true => {
                problems.push("the request body is missing".to_owned());
            }
            (true, true) => {}
            (true, false) => {
                let kind = media_type(said.sent_type.as_deref());
                match &body["content"][kind] {
                    Value::Null => {
                        problems.push(format!("the description has no request body of type {kind:?}"));
                    }
                    content if kind == JSON => {
                        let key = format!("{at}/request");
                        self.check_json(
                            &key,
                            &content["schema"],
                            &said.sent,
                            &format!("request {route}"),
                            problems,
                        );
                    }
                    // Forms and uploads: their parts are not JSON.
                    _ => {}
                }
            }
        }
    }

    fn check_answer(
        &self,
        at: &str,
        operation: &Value,
        status: u16,
        said: &Transcript,
        problems: &mut Vec<String>,
    ) {
        let responses = &operation["responses"];
        let exact = status.to_string();
        let class = format!("{}XX", status / 100);
        let key = [&exact, &class].into_iter().find(|key| responses.get(key.as_str()).is_some());
        let Some(key) = key else {
            problems.push("the description has no such status".to_owned());
            return;
        };
        let response = self.resolved(&responses[key]);
        match &response["content"] {
            Value::Null if said.answered.is_empty() => {}
            Value::Null => problems.push("the description has no body for this answer".to_owned()),
            content => {
                let kind = media_type(said.answered_type.as_deref());
                match &content[kind] {
                    Value::Null => problems.push(format!("the description has no answer of type {kind:?}")),
                    content => {
                        let key = format!("{at}/{key}");
                        self.check_json(&key, &content["schema"], &said.answered, "answer", problems);
                    }
                }
            }
        }
    }

    fn check_json(&self, key: &str, schema: &Value, text: &str, what: &str, problems: &mut Vec<String>) {
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            problems.push(format!("the {what} is not JSON: {text}"));
            return;
        };
        for error in self.validator(key, schema).iter_errors(&value) {
            let field = error.instance_path().to_string();
            let excused =
                |(route, name): &(&str, &str)| what == format!("request {route}") && field.ends_with(name);
            let digits = error.instance().as_str().is_some_and(|text| text.parse::<u64>().is_ok());
            if digits && BITS_AS_TEXT.iter().any(excused) {
                continue;
            }
            let mut quote = error.to_string();
            if let Some((cut, _)) = quote.char_indices().nth(LONGEST_QUOTE) {
                quote.truncate(cut);
            }
            problems.push(format!("the {what} at {field}: {quote}"));
        }
    }

    /// The schema, ready to use. References point into the description's components, which therefore come along.
    fn validator(&self, key: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(key) {
            return Arc::clone(validator);
        }
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .build(&schema)
            .expect("the description's schema is one");
        let validator = Arc::new(validator);
        validators.insert(key.to_owned(), Arc::clone(&validator));
        validator
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target =
            value["$ref"].as_str().and_then(|target| self.document.pointer(target.strip_prefix('#')?));
        target.unwrap_or(value)
    }
}

fn check_headers(operation: &Value, said: &Transcript, problems: &mut Vec<String>) {
    let open = operation["security"].as_array().is_none_or(|ways| {
        ways.is_empty() || ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty))
    });
    let person = operation["security"]
        .as_array()
        .is_some_and(|ways| ways.iter().any(|way| way.get("OAuth2").is_some()));
    match said.authorization.as_deref() {
        Some("Bot") => {}
        Some("Bearer") if person => {}
        _ if open => {}
        other => problems.push(format!("it needs a bot's Authorization, not {other:?}")),
    }
    check_user_agent(said, problems);
}

fn check_user_agent(said: &Transcript, problems: &mut Vec<String>) {
    // Not in the description, but in the reference's chapter "User Agent": others may be blocked.
    if !said.user_agent.as_deref().is_some_and(|agent| agent.starts_with("DiscordBot (")) {
        problems.push(format!("the User-Agent is {:?}", said.user_agent));
    }
}

/// Whether an injected fault makes the answer something that the vendor does not describe.
fn changes_the_answer(fault: FaultKind) -> bool {
    match fault {
        FaultKind::Status
        | FaultKind::Truncate
        | FaultKind::Ban
        | FaultKind::Reset
        | FaultKind::ApplyThenReset => true,
        FaultKind::Hang | FaultKind::ApplyThenHang => false,
    }
}

fn media_type(header: Option<&str>) -> &str {
    header.and_then(|header| header.split(';').next()).unwrap_or_default().trim()
}

/// A key as a JSON pointer spells it.
fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
