//! Every string of a bundle that could identify someone: what the leak tests look for where it must not be.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fhir::{Bundle, str_at};

/// Strings shorter than this are too common to search for.
const CHARS_MIN: usize = 6;
/// A line of free text is looked for from this length on: `- Cough` or `Care Plan` identifies nobody, and the names in
/// a note are looked for on their own.
const LINE_CHARS_MIN: usize = 16;

/// Members whose strings identify, wherever they stand: identifier and telecom values, dates of birth and death, names
/// and numbers of devices, subscribers and images.
const IDENTIFYING: [&str; 21] = [
    "value",
    "birthDate",
    "deceasedDateTime",
    "reference",
    "id",
    "uid",
    "family",
    "given",
    "prefix",
    "suffix",
    "serialNumber",
    "lotNumber",
    "distinctIdentifier",
    "deviceIdentifier",
    "carrierHRF",
    "carrierAIDC",
    "subscriberId",
    "valueString",
    "name",
    "accessionNumber",
    "authorString",
];
/// Members that hold free text.
const FREE_TEXT: [&str; 7] =
    ["comment", "description", "conclusion", "patientInstruction", "summary", "clinicalNotes", "title"];
/// Members of an address.
const ADDRESS: [&str; 7] = ["line", "city", "district", "state", "postalCode", "country", "text"];

/// Every string of at least 6 characters from an identifying field of `bundle`: names, identifiers, telecom, addresses,
/// dates of birth and death, ids and full URLs, references and their tails, device numbers, free text line by line,
/// decoded attachments line by line.
pub fn identifying_strings(bundle: &Bundle) -> BTreeSet<String> {
    let mut finder = Finder { found: BTreeSet::new() };
    for entry in bundle.entries() {
        entry.full_url.iter().for_each(|url| finder.add_reference(url));
        finder.walk("", entry.resource.value());
    }
    finder.found
}

struct Finder {
    found: BTreeSet<String>,
}

impl Finder {
    fn add(&mut self, text: &str) {
        let text = text.trim();
        if text.chars().count() >= CHARS_MIN {
            self.found.insert(text.to_owned());
        }
    }

    /// A reference, and the id at its end.
    fn add_reference(&mut self, text: &str) {
        self.add(text);
        self.add(text.rsplit(['/', ':', '|']).next().unwrap_or(text));
    }

    /// Free text by lines, without headings.
    fn add_text(&mut self, text: &str) {
        let lines = text.lines().map(str::trim).filter(|l| l.chars().count() >= LINE_CHARS_MIN && !l.starts_with('#'));
        lines.for_each(|line| self.add(line));
    }

    fn walk(&mut self, name: &str, value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(|v| self.walk(name, v)),
            Value::Object(members) => {
                self.look_at_object(name, value);
                members.iter().for_each(|(name, v)| self.walk(name, v));
            }
            Value::String(text) => match name {
                "reference" => self.add_reference(text),
                "div" => self.add_text(&without_tags(text)),
                name if FREE_TEXT.contains(&name) => self.add_text(text),
                name if IDENTIFYING.contains(&name) => self.add(text),
                _ => {}
            },
            // Only geolocations carry a valueDecimal of that many digits.
            Value::Number(number) if name == "valueDecimal" => self.add(&number.to_string()),
            _ => {}
        }
    }

    /// What is identifying because of the object it stands in.
    fn look_at_object(&mut self, name: &str, object: &Value) {
        match name {
            "name" | "contact" => self.full_name(object),
            "address" | "valueAddress" => ADDRESS.iter().for_each(|part| self.strings(&object[*part])),
            "note" => self.add_text(str_at(object, "text").unwrap_or_default()),
            _ => {}
        }
        // A person's, place's or organisation's reference carries its name.
        let refers_to_someone = str_at(object, "reference").is_some() || object.get("identifier").is_some();
        if refers_to_someone && !CLINICAL.contains(&name) {
            self.add(str_at(object, "display").unwrap_or_default());
        }
        if let Some(data) = str_at(object, "data").filter(|_| object.get("contentType").is_some()) {
            self.add(data);
            let bytes = from_base64(data);
            self.add_text(&String::from_utf8_lossy(&bytes));
        }
        if object.get("contentType").is_some() {
            self.strings(&object["url"]);
        }
    }

    /// A human name as it is spoken: given names, then family name.
    fn full_name(&mut self, name: &Value) {
        self.strings(&name["text"]);
        let given = name.get("given").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let parts: Vec<&str> = given.chain(str_at(name, "family")).collect();
        self.add(&parts.join(" "));
    }

    fn strings(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Array(list) => list.iter().for_each(|v| self.strings(v)),
            _ => {}
        }
    }
}

/// References whose display is the name of a finding, not of a person, place or organisation.
const CLINICAL: [&str; 10] = [
    "result",
    "hasMember",
    "derivedFrom",
    "reasonReference",
    "condition",
    "addresses",
    "medicationReference",
    "basedOn",
    "procedureReference",
    "goal",
];

/// Text of XHTML, each element on a line of its own.
fn without_tags(html: &str) -> String {
    let (mut out, mut in_tag) = (String::new(), false);
    for c in html.chars() {
        match c {
            '<' => (in_tag, out) = (true, out + "\n"),
            '>' => in_tag = false,
            c if !in_tag => out.push(c),
            _ => {}
        }
    }
    out
}

/// Decodes base64, white space and padding passed over; stops at anything else.
fn from_base64(text: &str) -> Vec<u8> {
    let (mut out, mut bits, mut have) = (Vec::new(), 0_u32, 0_u32);
    for byte in text.bytes().filter(|b| !b.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        have += 6;
        if have >= 8 {
            have -= 8;
            out.extend(u8::try_from(bits >> have & 0xff));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_decodes() {
        assert_eq!(super::from_base64("TWVkcmluZyE="), b"Medring!");
        assert_eq!(super::from_base64("TWVk\ncmluZw=="), b"Medring");
    }
}
