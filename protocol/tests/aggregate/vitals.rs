//! The latest vital signs and their trend.

use medring_protocol::record::Kind;
use medring_protocol::vitals::{Channel, Decimal, Recording, Signal};
use serde_json::Value;

use crate::common::*;
use crate::data;

/// 2020-01-01T00:00:00Z.
const START_MS: u64 = 1_577_836_800_000;

fn pulse(start_ms: u64, values: &[&str]) -> Opened {
    let samples: Vec<Option<Decimal>> = values.iter().map(|v| v.parse().ok()).collect();
    let signal = Signal { channel: Channel::loinc("pulse_bpm", "8889-8", "/min"), samples };
    (Kind::Phr, Recording::new(start_ms, 60_000_000_000, vec![signal]).unwrap().to_fhir("Patient/1"))
}

/// The aggregate's own Observations: those its section lists.
fn latest(document: &Value) -> Vec<&Value> {
    let entries = section(document, "vital-signs")["entry"].as_array().cloned().unwrap_or_default();
    let find = |url: &Value| document["entry"].as_array().unwrap().iter().find(|e| e["fullUrl"] == *url).unwrap();
    entries.iter().map(|e| &find(&e["reference"])["resource"]).collect()
}

fn figure<'a>(observation: &'a Value, name: &str) -> &'a Value {
    let components = observation["component"].as_array().unwrap();
    components.iter().find(|c| c["code"]["text"] == name).unwrap_or_else(|| panic!("no figure {name}"))
}

fn trend(observation: &Value) -> &str {
    observation["interpretation"][0]["coding"][0]["code"].as_str().unwrap()
}

#[test]
fn a_live_series_over_several_records_is_one_vital_sign() {
    let records = [
        pulse(START_MS, &["62.80", "61", "-", "63"]),
        // The second window overlaps the first by one minute with the same value.
        pulse(START_MS + 180_000, &["63.0", "72", "74", "75.5"]),
    ];
    let d = document(&records);
    let all = latest(&d);
    assert_eq!(all.len(), 1);
    let pulse = all[0];
    assert_eq!(pulse["code"]["text"], "Heart rate by pulse oximetry");
    assert_eq!(pulse["valueQuantity"]["value"], 75.5);
    assert_eq!(pulse["valueQuantity"]["code"], "/min");
    assert_eq!(pulse["effectiveDateTime"], "2020-01-01T00:06:00.000Z");
    assert_eq!(figure(pulse, "values")["valueInteger"], 6, "the overlap counts once, the gap not at all");
    assert_eq!(figure(pulse, "minimum")["valueQuantity"]["value"], 61);
    assert_eq!(figure(pulse, "maximum")["valueQuantity"]["value"], 75.5);
    assert_eq!(figure(pulse, "mean")["valueQuantity"]["value"], 68.05, "408.3 / 6");
    assert_eq!(trend(pulse), "rising", "(72 + 74 + 75.5) / 3 is more than 5 above (62.8 + 61 + 63) / 3");
    assert_eq!(pulse["meta"]["source"], place(1, 0), "the record of the latest value comes first");
    assert_eq!(pulse["meta"]["extension"][0]["valueUri"], place(0, 0));
}

#[test]
fn single_readings_of_other_records_take_part() {
    let day = |d: u8, value| reading("8310-5", "Cel", &format!("2020-01-0{d}T08:00:00Z"), value);
    let records =
        [(Kind::Emr, bundle(&[day(3, 38.1), day(1, 36.6)])), (Kind::Emr, bundle(&[day(4, 38.4), day(2, 36.7)]))];
    let d = document(&records);
    let temperature = latest(&d)[0];
    assert_eq!((&temperature["valueQuantity"]["value"], trend(temperature)), (&38.4.into(), "rising"));
    let three = document(&[(Kind::Emr, bundle(&[day(1, 36.6), day(2, 36.7), day(3, 38.1)]))]);
    assert_eq!(trend(latest(&three)[0]), "too-few-values");
}

#[test]
fn one_reading_in_two_records_counts_once() {
    let all: Vec<Value> =
        (1..=4).map(|d| reading("8867-4", "/min", &format!("2020-01-0{d}T08:00:00Z"), 60.0 + f64::from(d))).collect();
    let d = document(&[(Kind::Emr, bundle(&all)), (Kind::Phr, bundle(&all))]);
    assert_eq!(figure(latest(&d)[0], "values")["valueInteger"], 4);
}

#[test]
fn blood_pressure_panels_give_a_series_for_each_component() {
    let panel = |day: u8, systolic: u16, diastolic: u16| {
        let part = |code: &str, value: u16| reading(code, "mm[Hg]", "2020", f64::from(value));
        let mut panel = reading("85354-9", "mm[Hg]", &format!("2020-01-0{day}T08:00:00Z"), 0.0);
        let parts = [part("8480-6", systolic), part("8462-4", diastolic)];
        panel.as_object_mut().unwrap().remove("valueQuantity");
        panel["component"] =
            parts.iter().map(|p| serde_json::json!({"code": p["code"], "valueQuantity": p["valueQuantity"]})).collect();
        panel
    };
    let all: Vec<Value> =
        [(1, 150, 90), (2, 148, 91), (3, 130, 90), (4, 128, 89)].map(|(d, s, l)| panel(d, s, l)).into();
    let d = document(&[(Kind::Emr, bundle(&all))]);
    let found: Vec<_> = latest(&d).iter().map(|o| (o["code"]["text"].as_str().unwrap(), trend(o))).collect();
    assert_eq!(found, [("Diastolic blood pressure", "steady"), ("Systolic blood pressure", "falling")]);
}

#[test]
fn waves_have_no_figures_and_long_series_stay_in_their_source() {
    let layout = "ppg@100Hz".parse().unwrap();
    let csv = std::fs::read(data::samples().join("vitals/ppg_heartpy_100hz.csv")).unwrap();
    let wave = Recording::from_csv(&csv, &layout, START_MS).unwrap().to_fhir("Patient/1");
    let d = document(&[(Kind::Phr, wave)]);
    assert!(latest(&d).is_empty());
    let kept = of_type(&d, "Observation")[0];
    assert_eq!(kept["valueSampledData"].get("data"), None);
    assert_eq!(kept["meta"]["tag"][0]["code"], "SUBSETTED", "FHIR's mark for what is incomplete");
    assert_eq!(composition(&d)["extension"][2]["valueUnsignedInt"], 1, "and the document counts it");
}

#[test]
fn a_day_in_intensive_care_is_seven_vital_signs() {
    let Some(dir) = data::shared() else {
        return;
    };
    let csv = std::fs::read(dir.join("vitals/icu_s00001_numerics_1min.csv")).unwrap();
    let recording = Recording::from_csv(&csv, &medring_protocol::vitals::Layout::default(), START_MS).unwrap();
    let windows: Vec<Opened> = recording.windows(240).iter().map(|w| (Kind::Phr, w.to_fhir("Patient/1"))).collect();
    let (whole, parts) = (document(&[(Kind::Phr, recording.to_fhir("Patient/1"))]), document(&windows));
    let figures = |d: &Value| -> Vec<String> {
        let told = latest(d).into_iter().map(|o| {
            let mut o = o.clone();
            o.as_object_mut().unwrap().remove("meta");
            o.to_string()
        });
        told.collect()
    };
    assert_eq!(latest(&whole).len(), 7);
    assert_eq!(figures(&whole), figures(&parts), "cut into windows it has the same figures");
}
