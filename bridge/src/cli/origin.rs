//! Where objects come from: the configuration file, or the API.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::Value;

use super::gateway::Gateway;
use super::json::{field, items, words};

/// Origins by id. Another LiveKit server knows none.
#[derive(Default)]
pub(super) struct Origins(HashMap<String, String>);

impl Origins {
    /// Asks for them. What matters has been asked for otherwise, so none is not an error.
    pub(super) async fn ask(gateway: &Gateway) -> Self {
        gateway.own(Method::GET, "objects", None).await.map(|objects| Self::read(&objects)).unwrap_or_default()
    }

    /// Finds them in an export.
    pub(super) fn read(objects: &Value) -> Self {
        let origins = field(objects, "origins").as_object().into_iter().flatten();
        Self(origins.map(|(id, origin)| (id.clone(), origin.as_str().unwrap_or_default().to_owned())).collect())
    }

    /// The origin of an object, as a word.
    pub(super) fn of(&self, id: &str) -> String {
        self.0.get(id).cloned().unwrap_or_default()
    }

    /// A list with the origin in each of its objects.
    pub(super) fn beside(&self, list: &Value, id: &str) -> Value {
        items(list).iter().map(|object| self.beside_one(object, id)).collect()
    }

    /// An object with its origin in it.
    pub(super) fn beside_one(&self, object: &Value, id: &str) -> Value {
        let mut object = object.clone();
        if let Some(origin) = self.0.get(&words(&object, id)).filter(|origin| !origin.is_empty()) {
            object["origin"] = origin.as_str().into();
        }
        object
    }
}
