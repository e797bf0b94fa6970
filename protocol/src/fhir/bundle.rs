//! A FHIR R4 bundle as medring carries it: resources exactly as they were written, in the order they came.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{BUNDLE_BYTES_MAX, FhirError, json, types};

/// One resource, kept as the text it came as (white space between tokens apart), so that a decimal written `1.50`
/// stays `1.50` and the order of members stays the producer's.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    text: String,
    value: Value,
}

/// One entry of a bundle: a resource and the URL other entries refer to it by.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// `entry.fullUrl`, for example `urn:uuid:…`.
    pub full_url: Option<String>,
    /// `entry.resource`.
    pub resource: Resource,
}

/// Something of a bundle that is not a resource and does not travel: where it stood and what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCarried {
    /// Where, for example `Bundle.entry[2].request`.
    pub at: String,
    /// Why it stays behind.
    pub why: &'static str,
}

/// A FHIR R4 bundle: its resources in order, written out as a `collection`.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    kind: String,
    entries: Vec<Entry>,
    not_carried: Vec<NotCarried>,
}

// Health data stays out of logs: Debug tells shapes only.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.resource_type(), self.text.len())
    }
}
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resource.fmt(f)
    }
}
impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("kind", &self.kind).field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct RawBundle<'a> {
    #[serde(borrow, default)]
    entry: Option<Vec<RawEntry<'a>>>,
}

#[derive(Deserialize)]
struct RawEntry<'a> {
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
}

impl Resource {
    /// The resource's JSON, without white space between tokens.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The resource as a JSON value, to look into. Decimals are rounded to 64-bit floats here and nowhere else.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// `resourceType`, for example `Patient`.
    pub fn resource_type(&self) -> &str {
        str_at(&self.value, "resourceType").unwrap_or_default()
    }

    /// `id`, if there is one.
    pub fn id(&self) -> Option<&str> {
        str_at(&self.value, "id")
    }

    /// A resource of our own making.
    pub(crate) fn made(value: Value) -> Self {
        Self { text: value.to_string(), value }
    }

    /// From minified text that [`json::check`] has passed, and the value it stands for.
    fn from_checked(text: String, value: Value, at: &str) -> Result<Self, FhirError> {
        match value.get("resourceType").and_then(Value::as_str) {
            Some(name) if types::is_resource_type(name) => Ok(Self { text, value }),
            Some(name) => Err(FhirError::not_fhir(
                format!("{at}.resourceType"),
                format!("{:?} is not a resource type of FHIR R4 (4.0.1); convert the resource to R4", clip(name)),
            )),
            None => Err(FhirError::not_fhir(
                at,
                "there is no resourceType, so this is not a FHIR resource; export it as FHIR R4 JSON",
            )),
        }
    }
}

impl Bundle {
    /// Reads a FHIR R4 Bundle of any type, or a single resource, which becomes a bundle of one.
    ///
    /// At most [`BUNDLE_BYTES_MAX`] bytes of UTF-8 (a byte order mark is skipped), nested at most
    /// [`super::JSON_DEPTH_MAX`] deep. Checked are the envelope and the resource types; resources are otherwise taken as
    /// they are, for validation against FHIR profiles is the producer's business.
    pub fn parse(bytes: &[u8]) -> Result<Self, FhirError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(FhirError::TooLarge { got: bytes.len(), limit: BUNDLE_BYTES_MAX });
        }
        let text = std::str::from_utf8(bytes).map_err(|e| FhirError::NotUtf8 { at: e.valid_up_to() })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(FhirError::Empty);
        }
        json::check(text)?;
        let text = json::minify(text);
        let mut whole: Value = serde_json::from_str(&text).map_err(|e| FhirError::json(&e))?;
        if !whole.is_object() {
            return Err(FhirError::not_fhir("the file", "is not a JSON object; a FHIR Bundle or resource is one"));
        }
        if str_at(&whole, "resourceType") == Some("Bundle") {
            return Self::from_bundle(&text, &mut whole);
        }
        let resource = Resource::from_checked(text, whole, "the file")?;
        Ok(Self::collection(vec![Entry { full_url: None, resource }]))
    }

    /// A `collection` of these entries.
    pub fn collection(entries: Vec<Entry>) -> Self {
        Self { kind: "collection".to_owned(), entries, not_carried: Vec::new() }
    }

    fn from_bundle(text: &str, whole: &mut Value) -> Result<Self, FhirError> {
        let kind = match str_at(whole, "type") {
            Some(kind) if types::BUNDLE_TYPES.contains(&kind) => kind.to_owned(),
            Some(kind) => {
                let what = format!("{:?} is none of {}", clip(kind), types::BUNDLE_TYPES.join(", "));
                return Err(FhirError::not_fhir("Bundle.type", what));
            }
            None => {
                let what = format!("missing, or not a string; give one of {}", types::BUNDLE_TYPES.join(", "));
                return Err(FhirError::not_fhir("Bundle.type", what));
            }
        };
        check_shape(whole)?;
        let raw: RawBundle<'_> = serde_json::from_str(text).map_err(|e| FhirError::json(&e))?;
        let (mut entries, mut not_carried) = (Vec::new(), envelope_left_behind(whole));
        for (i, raw) in raw.entry.unwrap_or_default().into_iter().enumerate() {
            let at = format!("Bundle.entry[{i}]");
            let entry = &mut whole["entry"][i];
            not_carried.extend(entry_left_behind(entry, &at));
            let Some(resource) = raw.resource else {
                continue;
            };
            let (text, value) = (resource.get().to_owned(), entry["resource"].take());
            let resource = Resource::from_checked(text, value, &format!("{at}.resource"))?;
            entries.push(Entry { full_url: str_at(entry, "fullUrl").map(str::to_owned), resource });
        }
        if entries.is_empty() {
            return Err(FhirError::not_fhir("Bundle.entry", "no entry has a resource, so there is nothing to carry"));
        }
        Ok(Self { kind, entries, not_carried })
    }

    /// `Bundle.type` as it came.
    pub fn bundle_type(&self) -> &str {
        &self.kind
    }

    /// The entries, in the order they came.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What of the bundle was no resource and is not written out again.
    pub fn not_carried(&self) -> &[NotCarried] {
        &self.not_carried
    }

    /// The bundle as JSON: `{"resourceType":"Bundle","type":"collection","entry":[…]}`, no white space between tokens,
    /// every resource as it was written. Equal entries give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::from(r#"{"resourceType":"Bundle","type":"collection","entry":["#);
        for (i, entry) in self.entries.iter().enumerate() {
            out.push_str(if i == 0 { "{" } else { ",{" });
            if let Some(url) = &entry.full_url {
                out.push_str(r#""fullUrl":"#);
                out.push_str(&Value::from(url.as_str()).to_string());
                out.push(',');
            }
            out.push_str(r#""resource":"#);
            out.push_str(&entry.resource.text);
            out.push('}');
        }
        out.push_str("]}");
        out.into_bytes()
    }
}

/// `entry` is a list of objects whose `resource` is an object and whose `fullUrl` is a string.
fn check_shape(whole: &Value) -> Result<(), FhirError> {
    let Some(entry) = whole.get("entry") else {
        return Ok(());
    };
    let Some(list) = entry.as_array() else {
        return Err(FhirError::not_fhir("Bundle.entry", "is not a list; FHIR wants a list of {resource: …} objects"));
    };
    for (i, entry) in list.iter().enumerate() {
        let wrong = |what: &str| Err(FhirError::not_fhir(format!("Bundle.entry[{i}]"), what));
        if !entry.is_object() {
            return wrong("is not an object; FHIR wants {resource: …}");
        }
        if entry.get("resource").is_some_and(|r| !r.is_object()) {
            return wrong("resource is not an object");
        }
        if entry.get("fullUrl").is_some_and(|u| !u.is_string()) {
            return wrong("fullUrl is not a string");
        }
    }
    Ok(())
}

fn envelope_left_behind(whole: &Value) -> Vec<NotCarried> {
    let members = whole.as_object().into_iter().flat_map(|m| m.keys());
    members
        .filter(|name| !["resourceType", "type", "entry"].contains(&name.as_str()))
        .map(|name| NotCarried {
            at: format!("Bundle.{}", clip(name)),
            why: "it speaks of the bundle as a whole, which is taken apart; no resource changes",
        })
        .collect()
}

fn entry_left_behind(entry: &Value, at: &str) -> Vec<NotCarried> {
    let members = entry.as_object().into_iter().flat_map(|m| m.keys());
    members
        .filter(|name| !["fullUrl", "resource"].contains(&name.as_str()))
        .map(|name| NotCarried {
            at: format!("{at}.{}", clip(name)),
            why: "it tells a FHIR server what to do with the entry; the record carries the resource itself",
        })
        .collect()
}

/// A member of an object as a string.
pub(crate) fn str_at<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// At most 40 characters of text from outside, for an error.
fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}
