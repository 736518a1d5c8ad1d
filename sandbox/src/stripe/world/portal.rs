//! What an owner does with the customer portal's settings, in both modes. In: fields. Out: the default configuration, changed. Stripe tells
//! of it by events of its own, which nobody here listens to; nor are they told.

use serde_json::Value;

use super::state::{Change, World, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::portal::configuration;

impl World {
    /// As after saving the settings once.
    pub(super) fn save_portal(&mut self) {
        for live in [false, true] {
            let configuration = configuration(self.birth(live));
            self.collection_mut(Kind::PortalConfiguration).add(configuration, live);
        }
    }

    /// Overwrites top-level fields.
    pub(crate) fn change_portal(&mut self, change: &Value) -> Result<(), Refusal> {
        let ids: Vec<String> = self.collection(Kind::PortalConfiguration).oldest_first().map(id_of).collect();
        for id in ids {
            self.change(Kind::PortalConfiguration, &id, change, Change::KnownFields)?;
        }
        Ok(())
    }
}
