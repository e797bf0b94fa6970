//! The same bytes whatever the order of members, and again.

use medring_protocol::fhir::{Bundle, split};
use medring_protocol::record::Kind;
use proptest::prelude::*;
use serde_json::Value;

use crate::common::*;
use crate::patients;

/// `value` as text, the members of each object in an order drawn from `seed`.
fn shuffled(value: &Value, seed: &mut u64) -> String {
    let mut draw = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    };
    match value {
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().map(|v| shuffled(v, seed)).collect();
            format!("[{}]", parts.join(" , "))
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|m| (draw(), m)).collect();
            members.sort_by_key(|(key, _)| *key);
            let part = |(name, v): (&String, &Value), seed: &mut u64| {
                format!("{}: {}", Value::from(name.as_str()), shuffled(v, seed))
            };
            let parts: Vec<String> = members.into_iter().map(|(_, m)| part(m, seed)).collect();
            format!("{{ {} }}", parts.join(","))
        }
        other => other.to_string(),
    }
}

fn reordered(bundle: &Bundle, seed: &mut u64) -> Bundle {
    let value: Value = serde_json::from_slice(&bundle.to_bytes()).unwrap();
    Bundle::parse(shuffled(&value, seed).as_bytes()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn the_order_of_members_changes_nothing(mut seed in any::<u64>(), pick in 0..4_usize) {
        let (_, whole) = patients::committed().swap_remove(pick);
        let parts = split(&whole);
        let opened = [(Kind::Ehr, parts.ehr.unwrap()), (Kind::Emr, parts.emr.unwrap())];
        let again: Vec<Opened> = opened.iter().map(|(kind, b)| (*kind, reordered(b, &mut seed))).collect();
        prop_assert!(bytes(&opened) == bytes(&again));
    }

    #[test]
    fn a_copy_in_another_record_adds_names_and_no_entry(copies in 1..5_usize, pick in 0..4_usize) {
        let (_, whole) = patients::committed().swap_remove(pick);
        let opened: Vec<Opened> = (0..=copies).map(|_| (Kind::Emr, whole.clone())).collect();
        let (one, many) = (document(&opened[..1]), document(&opened));
        let count = |d: &Value| d["entry"].as_array().unwrap().len();
        prop_assert_eq!(count(&one), count(&many));
        prop_assert_eq!(conflicts(&many), conflicts(&one));
        for entry in &many["entry"].as_array().unwrap()[1..] {
            let also = entry["resource"]["meta"]["extension"].as_array().map_or(0, Vec::len);
            if entry["resource"]["resourceType"] == "Condition" {
                prop_assert_eq!(also % (copies + 1), copies, "each copy is named");
            }
        }
    }

    #[test]
    fn readings_in_any_order_give_the_same_vital_signs(values in prop::collection::vec((0..1000_u32, 300..1200_u32), 1..40), rotate in 0..40_usize) {
        let one = |(minute, tenths): &(u32, u32)| {
            let when = format!("2020-01-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
            reading("8867-4", "/min", &when, f64::from(*tenths) / 10.0)
        };
        let all: Vec<Value> = values.iter().map(one).collect();
        let mut turned = all.clone();
        turned.rotate_left(rotate % all.len());
        let figures = |resources: &[Value]| {
            let d = document(&[(Kind::Emr, bundle(resources))]);
            let url = section(&d, "vital-signs")["entry"][0]["reference"].clone();
            let entry = d["entry"].as_array().unwrap().iter().find(|e| e["fullUrl"] == url).unwrap().clone();
            let of = |name: &str| entry["resource"][name].clone();
            (of("valueQuantity"), of("effectiveDateTime"), of("component"), of("interpretation"))
        };
        prop_assert_eq!(figures(&all), figures(&turned));
    }
}
