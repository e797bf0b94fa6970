//! Recordings keep every sample and every gap, from CSV to FHIR and back.

use std::fs;

use medring_protocol::{
    fhir::Bundle,
    limits::RECORD_BYTES_MAX,
    vitals::{CSV_BYTES_MAX, Channel, Decimal, Layout, Recording, SAMPLES_MAX, Signal, VitalsError},
};
use proptest::prelude::*;

use crate::data;

/// 2020-01-01T00:00:00Z.
const START_MS: u64 = 1_577_836_800_000;

fn icu() -> Option<Recording> {
    let csv = fs::read(data::shared()?.join("vitals/icu_s00001_numerics_1min.csv")).unwrap();
    Some(Recording::from_csv(&csv, &Layout::default(), START_MS).unwrap())
}

fn sample(name: &str, layout: &Layout) -> Recording {
    Recording::from_csv(&fs::read(data::samples().join("vitals").join(name)).unwrap(), layout, START_MS).unwrap()
}

fn refused(csv: &str, layout: &str) -> String {
    let layout = layout.parse().unwrap();
    Recording::from_csv(csv.as_bytes(), &layout, 0).expect_err("must be refused").to_string()
}

fn through_fhir(recording: &Recording) -> Recording {
    let bytes = recording.to_fhir("Patient/1").to_bytes();
    Recording::from_fhir(&Bundle::parse(&bytes).unwrap()).unwrap()
}

#[test]
fn a_day_in_intensive_care_keeps_its_samples_and_its_gaps() {
    let Some(recording) = icu() else {
        return;
    };
    assert_eq!((recording.signals().len(), recording.rows()), (7, 1936));
    let present = |i: usize| recording.signals()[i].samples.iter().flatten().count();
    assert_eq!(present(4), 152, "cuff pressures");
    let heart = &recording.signals()[0].samples;
    assert_eq!((heart[0], heart[1].unwrap().to_string().as_str()), (None, "62.8"));
    assert_eq!(through_fhir(&recording), recording);
}

#[test]
fn a_day_in_intensive_care_fits_one_record() {
    let Some(recording) = icu() else {
        return;
    };
    let bytes = recording.to_fhir("Patient/1").to_bytes();
    let packed = zstd::encode_all(bytes.as_slice(), 3).unwrap().len();
    eprintln!("1,936 minutes of 7 signals: {} bytes of FHIR, {packed} after zstd", bytes.len());
    assert!(packed < RECORD_BYTES_MAX / 2, "{packed} bytes");
}

#[test]
fn the_committed_recordings_keep_every_sample() {
    let wave = sample("ppg_heartpy_100hz.csv", &Layout::ppg(100).unwrap());
    assert_eq!((wave.rows(), wave.period_ns()), (2483, 10_000_000));
    assert_eq!(wave.signals()[0].samples[0].unwrap().to_string(), "530");
    assert_eq!(through_fhir(&wave), wave);
    let pulse = sample("pulse_heartpy_1min.csv", &Layout::default());
    assert_eq!((pulse.rows(), pulse.signals().len()), (11, 1));
    assert_eq!(pulse.signals()[0].channel.code, "8889-8");
    assert_eq!(through_fhir(&pulse), pulse);
}

#[test]
fn neighbouring_blood_pressures_share_one_panel() {
    let csv = "minute,heart_rate_bpm,nibp_sys_mmHg,nibp_dia_mmHg\n0,60,,\n1,61,120,80.50\n";
    let recording = Recording::from_csv(csv.as_bytes(), &Layout::default(), START_MS).unwrap();
    let bundle = recording.to_fhir("Patient/1");
    assert_eq!(bundle.entries().len(), 2);
    let panel = bundle.entries()[1].resource.value();
    assert_eq!(panel["code"]["coding"][0]["code"], "85354-9");
    assert_eq!(panel["component"][1]["valueSampledData"]["data"], "E 80.50");
    assert_eq!(panel["effectivePeriod"]["start"], "2020-01-01T00:00:00.000Z");
    assert_eq!(panel["effectivePeriod"]["end"], "2020-01-01T00:01:00.000Z");
    assert_eq!(through_fhir(&recording), recording);
}

#[test]
fn rows_that_a_counted_table_leaves_out_are_gaps() {
    let recording = Recording::from_csv(b"minute,pulse_bpm\n2,60\n5,61\n", &Layout::default(), 0).unwrap();
    let values: Vec<Option<String>> = recording.signals()[0].samples.iter().map(|s| s.map(|v| v.to_string())).collect();
    let expected = [None, None, Some("60"), None, None, Some("61")].map(|v| v.map(str::to_owned));
    assert_eq!(values, expected);
}

#[test]
fn any_columns_can_be_mapped() {
    let layout: Layout = "@=10ms, wave=mdc:150452:1, temp=8310-5:Cel, note=-".parse().unwrap();
    let recording = Recording::from_csv(b"note,temp,wave\nhello,36.6,-1\n,NaN,2\n", &layout, 0).unwrap();
    let signals: Vec<_> = recording.signals().iter().map(|s| (s.channel.code.as_str(), s.samples.clone())).collect();
    let decimal = |text: &str| Some(text.parse::<Decimal>().unwrap());
    assert_eq!(signals[0], ("150452", vec![decimal("-1"), decimal("2")]));
    assert_eq!(signals[1], ("8310-5", vec![decimal("36.6"), None]));
    assert_eq!("icu".parse::<Layout>().unwrap(), Layout::default());
    assert_eq!("ppg@100Hz".parse::<Layout>().unwrap(), Layout::ppg(100).unwrap());
}

#[test]
fn wrong_mappings_are_refused() {
    for (mapping, expected) in [
        ("", "\"\" is not name=meaning"),
        ("hr=8867-4:/min", "there is no @column=60s"),
        ("@minute=60s", "0 columns are mapped"),
        ("@minute=60s,hr=8867-4", "is not CODE:UNIT"),
        ("@minute=soon,hr=8867-4:/min", "\"soon\" is not a time"),
        ("@minute=0s,hr=8867-4:/min", "\"0s\" is not a time"),
        ("@minute=9999999s,hr=8867-4:/min", "is not a time"),
        ("@a=1s,@b=1s,hr=8867-4:/min", "two @columns"),
        ("@minute=60s,hr=8867-4:/min,hr=8889-8:/min", "mapped twice"),
        ("ppg@0Hz", "0 Hz"),
        ("ppg@fastHz", "\"fast\" is not a rate"),
    ] {
        let said = mapping.parse::<Layout>().expect_err(mapping).to_string();
        assert!(said.contains(expected), "{mapping}: {said}");
    }
}

#[test]
fn errors_name_line_and_column() {
    let cases = [
        ("minute,pulse_bpm\n0,60\n1,sixty\n", "line 3, column 2: \"sixty\" is not a plain decimal number"),
        ("minute,pulse_bpm\n0,60\n1,60;5\n", "line 3, column 2: \"60;5\""),
        ("minute,pulse_bpm\n0,1e3\n", "line 2, column 2: \"1e3\""),
        ("minute,pulse_bpm\n0,60\n0,61\n", "line 3, column 1: 0 comes after 0"),
        ("minute,pulse_bpm\n5,60\n4,61\n", "line 3, column 1: 4 comes after 5"),
        ("minute,pulse_bpm\nx,60\n", "line 2, column 1: \"x\" is not a row count"),
        ("minute,pulse_bpm\n0\n", "line 2, column 2: 1 cells in this row, 2 columns in the table"),
        ("minute,pulse_bpm\n0,60,7\n", "line 2, column 3: 3 cells"),
        ("minute,mood\n0,60\n", "line 1, column 2: the column \"mood\" is not in the mapping"),
        ("minute,pulse_bpm,pulse_bpm\n", "line 1, column 3: the column \"pulse_bpm\" stands twice"),
        ("pulse_bpm\n60\n", "line 1, column 1: the header lacks the column \"minute\""),
        ("minute\n0\n", "line 1, column 1: no column of the mapping"),
        ("minute,pulse_bpm\n", "the table has no row of values"),
        ("", "the table has no row of values"),
        ("minute,pulse_bpm\n1000000,60\n", "line 2, column 1: a recording has at most 1000000 rows"),
        ("minute,pulse_bpm\n18446744073709551615,60\n", "line 2, column 1: a recording has at most"),
    ];
    for (csv, expected) in cases {
        let said = refused(csv, "icu");
        assert!(said.contains(expected), "{csv:?}: {said}");
    }
    let not_utf8 = Recording::from_csv(b"minute,pulse_bpm\n0,60\n1,\xff\n", &Layout::default(), 0).unwrap_err();
    assert!(not_utf8.to_string().starts_with("line 3, column 2: not UTF-8"), "{not_utf8}");
}

#[test]
fn tables_have_a_size_limit() {
    let over = vec![b'1'; CSV_BYTES_MAX + 1];
    let refused = Recording::from_csv(&over, &Layout::ppg(100).unwrap(), 0).unwrap_err();
    assert_eq!(refused, VitalsError::TooLarge { got: CSV_BYTES_MAX + 1, limit: CSV_BYTES_MAX });
    let long = "1\n".repeat(SAMPLES_MAX + 1);
    let refused = Recording::from_csv(long.as_bytes(), &Layout::ppg(100).unwrap(), 0).unwrap_err().to_string();
    assert!(refused.starts_with("line 1000001, column 1: a recording has at most"), "{refused}");
}

#[test]
fn figures_sum_up_a_signal() {
    let csv = "minute,pulse_bpm\n0,60\n1,\n2,61.5\n3,59\n4,\n";
    let recording = Recording::from_csv(csv.as_bytes(), &Layout::default(), 0).unwrap();
    let stats = recording.signals()[0].stats().unwrap();
    let shown = [stats.latest, stats.min, stats.max, stats.mean].map(|d| d.to_string());
    assert_eq!(shown, ["59", "59", "61.5", "60.17"]);
    assert_eq!((stats.present, stats.total), (3, 5));
    let gaps = Recording::from_csv(b"minute,pulse_bpm\n0,\n", &Layout::default(), 0).unwrap();
    assert_eq!(gaps.signals()[0].stats(), None);
}

#[test]
fn decimals_are_ordered_by_value_and_written_as_they_were() {
    for text in ["0", "-0.5", "62.80", "0.000000001", "999999999999999", "-12.340"] {
        assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "-",
        ".5",
        "5.",
        "+1",
        "1e3",
        "1,5",
        "1 2",
        "0x1",
        "inf",
        "1234567890123456",
        "0.0000000001",
        "--1",
        "1.-2",
    ] {
        assert!(text.parse::<Decimal>().is_err(), "{text:?}");
    }
    let mut values: Vec<Decimal> = ["2", "1.5", "-3", "1.05", "10"].map(|t| t.parse().unwrap()).to_vec();
    values.sort();
    assert_eq!(format!("{values:?}"), "[-3, 1.05, 1.5, 2, 10]");
}

#[test]
fn bundles_that_are_no_recording_of_ours_are_refused() {
    let observation = |start: &str, sampled: &str| {
        format!(
            r#"{{"resourceType":"Observation","code":{{"coding":[{{"code":"x"}}]}},"effectivePeriod":{{"start":"{start}"}},"valueSampledData":{sampled}}}"#
        )
    };
    let good = r#"{"origin":{"value":0},"period":10,"dimensions":1,"data":"1 E 2"}"#;
    let read = |text: &str| Recording::from_fhir(&Bundle::parse(text.as_bytes()).unwrap());
    assert!(read(&observation("2020-01-01T00:00:00.000Z", good)).is_ok());
    for (start, sampled, expected) in [
        ("2020-01-01", good.to_owned(), "effectivePeriod.start"),
        ("2020-01-01T00:00:00.000Z", good.replace("\"period\":10", "\"period\":\"10\""), "SampledData.period"),
        ("2020-01-01T00:00:00.000Z", good.replace("\"period\":10", "\"period\":0"), "a period of 0 ns"),
        ("2020-01-01T00:00:00.000Z", good.replace("\"value\":0", "\"value\":2048"), "an origin, a factor"),
        ("2020-01-01T00:00:00.000Z", good.replace("\"dimensions\":1", "\"dimensions\":2"), "an origin, a factor"),
        ("2020-01-01T00:00:00.000Z", good.replace("1 E 2", "1 L 2"), "no decimal number"),
        ("2020-01-01T00:00:00.000Z", good.replace("1 E 2", ""), "too few or too many"),
    ] {
        let said = read(&observation(start, &sampled)).unwrap_err().to_string();
        assert!(said.contains(expected), "{sampled}: {said}");
    }
    assert!(read(r#"{"resourceType":"Patient"}"#).unwrap_err().to_string().contains("no Observation with SampledData"));
}

fn recordings() -> impl Strategy<Value = Recording> {
    let codes = prop::sample::select(vec!["8867-4", "8480-6", "8462-4", "8478-0", "9279-1"]);
    let decimal = (-999_999_i64..999_999, 0_u8..=9).prop_map(|(m, s)| Decimal::new(m, s).unwrap());
    let period = prop_oneof![Just(60_000_000_000_u64), Just(2_777_778), Just(10_000_000), 1_u64..86_400_000_000_000];
    (1_usize..40, 1_usize..8).prop_flat_map(move |(rows, signals)| {
        let samples = prop::collection::vec(prop::option::of(decimal.clone()), rows);
        let signals = prop::collection::vec((codes.clone(), samples), signals);
        (0_u64..100_000_000_000_000, period.clone(), signals).prop_map(|(start, period, signals)| {
            let signal = |(i, (code, samples))| Signal {
                channel: Channel::loinc(&format!("column {i} \"ü\""), code, "/min"),
                samples,
            };
            Recording::new(start, period, signals.into_iter().enumerate().map(signal).collect()).unwrap()
        })
    })
}

proptest! {
    #[test]
    fn every_recording_survives_fhir(recording in recordings()) {
        prop_assert_eq!(through_fhir(&recording), recording);
    }

    #[test]
    fn windows_put_together_are_the_recording(recording in recordings(), minutes in 0_u32..100) {
        let windows = recording.windows(minutes);
        prop_assert_eq!(windows[0].start_ms(), recording.start_ms());
        for (i, signal) in recording.signals().iter().enumerate() {
            let joined: Vec<_> = windows.iter().flat_map(|w| w.signals()[i].samples.clone()).collect();
            prop_assert_eq!(&joined, &signal.samples);
        }
        let mut row = 0;
        for window in &windows {
            prop_assert_eq!(window.start_ms(), recording.time_ms(row));
            row += window.rows();
        }
    }

    #[test]
    fn figures_stay_within_what_was_measured(recording in recordings()) {
        for stats in recording.signals().iter().filter_map(Signal::stats) {
            prop_assert!(stats.min <= stats.max && stats.present <= stats.total);
            // The mean is rounded to one digit more than its samples have, or to the ninth.
            prop_assert!(stats.min.to_f64() - 1e-8 <= stats.mean.to_f64() && stats.mean.to_f64() <= stats.max.to_f64() + 1e-8);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Recording::from_csv(&bytes, &Layout::default(), 0);
        let _ = Recording::from_csv(&bytes, &Layout::ppg(100).unwrap(), 0);
    }

    #[test]
    fn random_tables_never_panic(body in "(minute|pulse_bpm|[0-9]{1,20}|[-.,;\n\r\" NaE]){0,60}", header in any::<bool>()) {
        let table = if header { format!("minute,pulse_bpm\n{body}") } else { body };
        if let Ok(recording) = Recording::from_csv(table.as_bytes(), &Layout::default(), u64::MAX / 1_000_000_000) {
            prop_assert_eq!(through_fhir(&recording), recording);
        }
    }

    #[test]
    fn random_mappings_never_panic(text in "[@a-z0-9=:,. -]{0,40}") {
        let _ = text.parse::<Layout>();
    }
}
