//! Everything one fake Stripe knows, and what every change needs. In: a change. Out: objects, the events it causes, an outbox.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::clock::{Clock, Dunning};
use super::endpoint::{Endpoint, Signing};
use super::key::Key;
use super::pause::{PauseOnFailure, ResumeOn};
use super::payer::Payer;
use crate::refusal::Refusal;
use crate::stripe::collection::Collection;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::billing::BillingMode;
use crate::stripe::objects::{self, Birth};
use crate::stripe::records::{Attempt, Mode};

/// How long events are shown: 30 days.
const EVENT_HORIZON: i64 = 30 * 24 * 3600;

/// All objects of one account, in both modes.
pub(crate) struct World {
    pub(super) collections: BTreeMap<Kind, Collection>,
    /// What payment links and checkouts sell, by their id.
    pub(crate) lines: HashMap<String, Vec<Value>>,
    /// What products entitle to, by their id.
    pub(crate) features: HashMap<String, Vec<Value>>,
    /// How customers pay; those who are not here just do.
    pub(super) payers: HashMap<String, Payer>,
    /// Invoices by which a paused subscription is to go on.
    pub(super) resumptions: HashMap<String, ResumeOn>,
    /// Nothing that happens now is told.
    pub(super) quiet: bool,
    pub(crate) keys: HashMap<String, Key>,
    pub(crate) attempts: Vec<Attempt>,
    pub(super) endpoints: Vec<Endpoint>,
    /// Which endpoint took which event.
    pub(super) taken: HashSet<(String, String)>,
    pub(crate) signing: Signing,
    pub(super) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) mode: Mode,
    /// Ids of events waiting for release, oldest first.
    pub(crate) held: Vec<String>,
    /// Events that arose live and have not been handed to the webhook delivery yet.
    pub(crate) outbox: Vec<Value>,
}

/// What an owner chooses in the dashboard.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// In which version events are rendered unless an endpoint has its own, and objects unless a call says which.
    pub(crate) api_version: String,
    pub(crate) dunning: Dunning,
    pub(crate) pause_on_failure: PauseOnFailure,
    /// Whether paying the invoice that paused a subscription resumes it.
    pub(crate) resume_when_paid: bool,
    /// Of new subscriptions that say nothing themselves.
    pub(crate) billing_mode: BillingMode,
    /// How many days before a renewal `invoice.upcoming` is told; never if unset.
    pub(crate) upcoming_days: Option<i64>,
    /// Whether `customer` is null where `customer_account` is set.
    pub(crate) customers_by_account: bool,
    /// Whether lists show objects of the same second in order of their ids, which says nothing about their age.
    pub(crate) ties_by_id: bool,
    /// How a cursor on something that does not exist (any more) is answered, 404 or 400. Stripe answers 400 for ids in
    /// other parameters and does not say which for cursors, so that a client must cope with both.
    pub(crate) lost_cursor_status: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_version: objects::API_VERSION.to_owned(),
            dunning: Dunning::default(),
            pause_on_failure: PauseOnFailure::default(),
            resume_when_paid: true,
            billing_mode: BillingMode::default(),
            upcoming_days: None,
            customers_by_account: false,
            ties_by_id: false,
            lost_cursor_status: 404,
        }
    }
}

/// Which fields may be overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Only those that the object has, so that a misspelt one is noticed.
    KnownFields,
    /// All: a test may want to see a field of tomorrow.
    AnyField,
}

/// An object after a change.
pub(super) struct Changed {
    pub(super) object: Value,
    /// The old values of what changed.
    pub(super) before: Value,
    pub(super) live: bool,
}

impl World {
    pub(crate) fn new(main: Option<Endpoint>) -> Self {
        let mut world = Self {
            collections: Kind::ALL.into_iter().map(|kind| (kind, Collection::default())).collect(),
            lines: HashMap::new(),
            features: HashMap::new(),
            payers: HashMap::new(),
            resumptions: HashMap::new(),
            quiet: false,
            keys: [Key::initial()].map(|key| (key.text.clone(), key)).into(),
            attempts: Vec::new(),
            endpoints: main.into_iter().collect(),
            taken: HashSet::new(),
            signing: Signing::default(),
            clock: Clock::default(),
            settings: Settings::default(),
            mode: Mode::default(),
            held: Vec::new(),
            outbox: Vec::new(),
        };
        world.save_portal();
        world
    }

    pub(crate) fn collection(&self, kind: Kind) -> &Collection {
        self.collections.get(&kind).expect("every kind has a collection from the start")
    }

    pub(super) fn collection_mut(&mut self, kind: Kind) -> &mut Collection {
        self.collections.get_mut(&kind).expect("every kind has a collection from the start")
    }

    pub(super) fn birth(&self, live: bool) -> Birth {
        Birth { now: self.now(), live }
    }

    /// An object that exists and was not deleted.
    pub(super) fn find(&self, kind: Kind, id: &str) -> Result<&Value, Refusal> {
        let object = self.collection(kind).get(id).filter(|object| object["deleted"] != true);
        object.ok_or_else(|| Refusal::missing(format!("{}: {id}", kind.object())))
    }

    /// Whether an existing object is of live mode.
    pub(super) fn live(&self, kind: Kind, id: &str) -> Result<bool, Refusal> {
        self.find(kind, id)?;
        Ok(self.collection(kind).is_live(id))
    }

    /// Keeps a new object and tells of it.
    pub(super) fn add(&mut self, kind: Kind, object: &Value, live: bool, event: &str) -> String {
        self.collection_mut(kind).add(object.clone(), live);
        self.emit(event, object, live, None);
        id_of(object)
    }

    /// Replaces an object that exists.
    pub(super) fn put(&mut self, kind: Kind, object: &Value) {
        if let Some(place) = self.collection_mut(kind).get_mut(&id_of(object)) {
            place.clone_from(object);
        }
    }

    /// Leaves of an object what Stripe says about deleted ones; answers what it was.
    pub(super) fn bury(&mut self, kind: Kind, id: &str) -> Value {
        let stub = json!({ "id": id, "object": kind.object(), "deleted": true });
        self.collection_mut(kind).get_mut(id).map(|place| std::mem::replace(place, stub)).unwrap_or_default()
    }

    /// Overwrites top-level fields, without an event.
    pub(super) fn change(
        &mut self,
        kind: Kind,
        id: &str,
        change: &Value,
        allowed: Change,
    ) -> Result<Changed, Refusal> {
        let live = self.live(kind, id)?;
        let missing = || Refusal::missing(format!("{}: {id}", kind.object()));
        let fields = change.as_object().ok_or_else(|| Refusal::malformed("a change must be an object"))?;
        let object = self.collection_mut(kind).get_mut(id).ok_or_else(missing)?;
        if let Some(unknown) = fields.keys().find(|key| object.get(key.as_str()).is_none())
            && allowed == Change::KnownFields
        {
            return Err(Refusal::malformed(format!("a {} has no field {unknown}", kind.object())));
        }
        let before = merge(object, fields);
        Ok(Changed { object: object.clone(), before, live })
    }

    /// Does something without telling anybody.
    pub(super) fn quietly<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let was = std::mem::replace(&mut self.quiet, true);
        let outcome = act(self);
        self.quiet = was;
        outcome
    }

    /// Records an event and sends it on its way, according to the mode it arose in.
    pub(super) fn emit(&mut self, kind: &str, object: &Value, live: bool, before: Option<Value>) {
        if self.quiet {
            return;
        }
        let mut event = objects::event(self.birth(live), kind, object, before, &self.settings.api_version);
        event["pending_webhooks"] = self.expected(&event).into();
        match self.mode {
            Mode::Live => self.outbox.push(event.clone()),
            Mode::Hold => self.held.push(id_of(&event)),
            Mode::Drop => {}
        }
        self.collection_mut(Kind::Event).add(event, live);
    }
}

/// Whether Stripe still shows an event.
pub(crate) fn is_recent(event: &Value, now: i64) -> bool {
    event["created"].as_i64().unwrap_or_default() >= now - EVENT_HORIZON
}

/// An id that a test chose takes the place of the one that was made.
pub(super) fn chosen(object: &mut Value, id: Option<&str>) {
    if let Some(id) = id {
        object["id"] = id.into();
    }
}

/// An object's id.
pub(crate) fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap_or_default().to_owned()
}

/// Overwrites top-level fields and answers the old values of those that changed.
fn merge(object: &mut Value, change: &Map<String, Value>) -> Value {
    let mut before = json!({});
    for (key, value) in change {
        if object[key] != *value {
            before[key] = object[key].take();
            object[key] = value.clone();
        }
    }
    before
}
