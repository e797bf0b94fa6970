//! A bundle that cannot be taken is refused with what, where, and what to do; no bytes make the reader panic.

use std::fs;

use medring_protocol::fhir::{BUNDLE_BYTES_MAX, Bundle, FhirError, JSON_DEPTH_MAX, split};
use proptest::prelude::*;

use crate::data;

fn refused(bytes: &[u8]) -> String {
    Bundle::parse(bytes).expect_err("must be refused").to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_the_next_step() {
    let entry = |e: &str| format!(r#"{{"resourceType":"Bundle","type":"collection","entry":{e}}}"#);
    let cases = [
        (String::new(), "the bundle is empty"),
        (" \n\t".to_owned(), "the bundle is empty"),
        ("{\n  \"resourceType\": \"Patient\",\n  oops\n}".to_owned(), "line 3, column 3: key must be a string"),
        (r#"{"resourceType":"Patient""#.to_owned(), "EOF while parsing"),
        (r#"{"resourceType":"Patient"} x"#.to_owned(), "trailing characters"),
        (r#"{"resourceType":"Patient","id":"1","id":"2"}"#.to_owned(), "the member \"id\" stands twice"),
        (r#"{"resourceType":"Patient","a":{"b":1,"\u0062":2}}"#.to_owned(), "the member \"b\" stands twice"),
        ("[]".to_owned(), "the file: is not a JSON object"),
        ("17".to_owned(), "the file: is not a JSON object"),
        (r#"{"hello":"world"}"#.to_owned(), "the file: there is no resourceType"),
        (r#"{"resourceType":"Person5"}"#.to_owned(), "the file.resourceType: \"Person5\" is not a resource type"),
        (r#"{"resourceType":"Bundle"}"#.to_owned(), "Bundle.type: missing"),
        (r#"{"resourceType":"Bundle","type":"pile"}"#.to_owned(), "Bundle.type: \"pile\" is none of batch"),
        (entry("[]"), "Bundle.entry: no entry has a resource"),
        (entry("{}"), "Bundle.entry: is not a list"),
        (entry("[3]"), "Bundle.entry[0]: is not an object"),
        (entry(r#"[{"resource":[]}]"#), "Bundle.entry[0]: resource is not an object"),
        (entry(r#"[{"fullUrl":7}]"#), "Bundle.entry[0]: fullUrl is not a string"),
        (
            entry(r#"[{"resource":{"resourceType":"Patient"}},{"resource":{}}]"#),
            "Bundle.entry[1].resource: there is no",
        ),
    ];
    for (text, expected) in cases {
        let said = refused(text.as_bytes());
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_named_by_offset() {
    assert_eq!(Bundle::parse(b"{\"a\":\"\xff\"}"), Err(FhirError::NotUtf8 { at: 6 }));
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).chain([0xfe, 0xff]).collect();
    assert!(matches!(Bundle::parse(&utf16), Err(FhirError::NotUtf8 { .. })));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert!(Bundle::parse(b"\xef\xbb\xbf{\"resourceType\":\"Patient\"}").is_ok());
}

#[test]
fn one_byte_over_the_limit_is_refused_before_it_is_read() {
    let at_limit = vec![b' '; BUNDLE_BYTES_MAX];
    assert_eq!(Bundle::parse(&at_limit), Err(FhirError::Empty));
    let over = vec![b' '; BUNDLE_BYTES_MAX + 1];
    assert_eq!(Bundle::parse(&over), Err(FhirError::TooLarge { got: BUNDLE_BYTES_MAX + 1, limit: BUNDLE_BYTES_MAX }));
}

#[test]
fn nesting_and_number_of_values_are_bounded() {
    let nested =
        |levels: usize| format!(r#"{{"resourceType":"Basic","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(Bundle::parse(nested(JSON_DEPTH_MAX - 1).as_bytes()).is_ok());
    assert!(refused(nested(JSON_DEPTH_MAX).as_bytes()).contains("nested deeper than 64 levels"));
    assert!(refused(nested(1_000_000).as_bytes()).contains("nested deeper than 64 levels"));
    let many = format!(r#"{{"resourceType":"Basic","x":[{}0]}}"#, "0,".repeat(2_000_000));
    assert!(refused(many.as_bytes()).contains("more than 2000000 JSON values"));
}

#[test]
fn a_large_bundle_of_entries_under_one_name_is_divided_in_reasonable_time() {
    let entry = r#"{"resource":{"resourceType":"Task","id":"a","x":{"reference":"Task/a"}}}"#;
    let entries = vec![entry; 100_000].join(",");
    let text = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#);
    let parts = split(&Bundle::parse(text.as_bytes()).unwrap());
    assert_eq!(parts.ehr.unwrap().entries().len(), 100_000);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Bundle::parse(&bytes);
    }

    #[test]
    fn a_mutated_bundle_is_refused_or_divided_without_loss(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6)
    ) {
        let mut bytes = fs::read(data::samples().join("fhir/anaemia-2-0000.json")).unwrap();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Ok(bundle) = Bundle::parse(&bytes) {
            let parts = split(&bundle);
            let carried = |e| [&parts.ehr, &parts.emr].into_iter().flatten().any(|p: &Bundle| p.entries().contains(e));
            prop_assert!(bundle.entries().iter().all(carried));
            let again = Bundle::parse(&bundle.to_bytes()).unwrap();
            prop_assert_eq!(again.entries(), bundle.entries());
        }
    }
}
