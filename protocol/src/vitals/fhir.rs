//! A recording as FHIR R4 Observations with SampledData, every sample as it was written, and back.

use serde_json::{Value, json};

use super::{Channel, Decimal, LOINC, Recording, SAMPLES_MAX, SIGNALS_MAX, Signal, VitalsError, time};
use crate::fhir::{Bundle, Entry, Resource, str_at};

/// Systolic, diastolic and mean pressure: neighbours among them become one panel 85354-9.
const PRESSURES: [&str; 3] = ["8480-6", "8462-4", "8478-0"];
const PANEL: &str = "85354-9";
const UCUM: &str = "http://unitsofmeasure.org";

impl Recording {
    /// A bundle with one Observation a signal; neighbouring blood pressures share one panel (LOINC 85354-9).
    ///
    /// `subject` is a reference to the patient inside the record, for example `Patient/1`. Samples stand in
    /// `valueSampledData.data` as they were written, `E` where none was measured.
    pub fn to_fhir(&self, subject: &str) -> Bundle {
        let mut entries = Vec::new();
        let mut rest = self.signals();
        while let Some(first) = rest.first() {
            let run = rest.iter().take_while(|s| is_pressure(&s.channel)).count();
            let (panel, after) = rest.split_at(run.max(1));
            rest = after;
            let mut observation = self.frame(subject);
            if run > 1 {
                observation["code"] = json!({"coding": [{"system": LOINC, "code": PANEL}]});
                observation["component"] = panel.iter().map(|s| self.measured(s)).collect();
            } else if let (Value::Object(into), Value::Object(from)) = (&mut observation, self.measured(first)) {
                into.extend(from);
            }
            entries.push(Entry { full_url: None, resource: Resource::made(observation) });
        }
        Bundle::collection(entries)
    }

    fn frame(&self, subject: &str) -> Value {
        let last = self.rows().saturating_sub(1);
        json!({
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"
            }]}],
            "subject": {"reference": subject},
            "effectivePeriod": {"start": time::instant(self.start_ms()), "end": time::instant(self.time_ms(last))},
        })
    }

    fn measured(&self, signal: &Signal) -> Value {
        let channel = &signal.channel;
        let data: Vec<String> =
            signal.samples.iter().map(|s| s.map_or_else(|| "E".to_owned(), |v| v.to_string())).collect();
        json!({
            "code": {"coding": [{"system": channel.system, "code": channel.code}], "text": channel.name},
            "valueSampledData": {
                "origin": {"value": 0, "unit": channel.unit, "system": UCUM, "code": channel.unit},
                "period": period_ms(self.period_ns()),
                "dimensions": 1,
                "data": data.join(" "),
            },
        })
    }

    /// The inverse of [`Recording::to_fhir`]; resources other than sampled Observations are passed over.
    pub fn from_fhir(bundle: &Bundle) -> Result<Self, VitalsError> {
        let mut found: Option<(u64, u64)> = None;
        let mut signals = Vec::new();
        for entry in bundle.entries() {
            let value = entry.resource.value();
            if entry.resource.resource_type() != "Observation" {
                continue;
            }
            let components = value.get("component").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for part in std::iter::once(value).chain(components) {
                let Some(sampled) = part.get("valueSampledData") else {
                    continue;
                };
                let start = str_at(&value["effectivePeriod"], "start").and_then(time::parse_instant);
                let start = start.ok_or_else(|| wrong("an effectivePeriod.start in UTC milliseconds is missing"))?;
                let timing = (start, read_period_ns(&sampled["period"])?);
                if *found.get_or_insert(timing) != timing || signals.len() == SIGNALS_MAX {
                    return Err(wrong("its signals differ in start or period, or are too many"));
                }
                signals.push(Signal { channel: channel(&part["code"], sampled)?, samples: samples(sampled)? });
            }
        }
        let (start_ms, period_ns) = found.ok_or_else(|| wrong("there is no Observation with SampledData"))?;
        Self::new(start_ms, period_ns, signals)
    }
}

fn wrong(what: &str) -> VitalsError {
    VitalsError::NotARecording { what: what.to_owned() }
}

fn is_pressure(channel: &Channel) -> bool {
    channel.system == LOINC && PRESSURES.contains(&channel.code.as_str())
}

/// FHIR gives the period in milliseconds, a decimal.
fn period_ms(ns: u64) -> Value {
    let text = format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    // At most 14 digits: a float holds them exactly enough to be written back alike.
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn read_period_ns(period: &Value) -> Result<u64, VitalsError> {
    let decimal = period.as_number().and_then(|n| n.to_string().parse::<Decimal>().ok());
    let ns = decimal.filter(|d| d.scale() <= 6).and_then(|d| u64::try_from(d.nanos() / 1000).ok());
    ns.ok_or_else(|| wrong("SampledData.period is not a number of milliseconds with at most six decimals"))
}

fn channel(code: &Value, sampled: &Value) -> Result<Channel, VitalsError> {
    let coding = code.get("coding").and_then(|c| c.get(0)).ok_or_else(|| wrong("a signal has no code"))?;
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Ok(Channel {
        name: text(str_at(code, "text")),
        system: text(str_at(coding, "system")),
        code: text(str_at(coding, "code")),
        unit: text(sampled.get("origin").and_then(|o| str_at(o, "code"))),
    })
}

fn samples(sampled: &Value) -> Result<Vec<Option<Decimal>>, VitalsError> {
    let plain = sampled["origin"]["value"].as_f64() == Some(0.0)
        && sampled.get("factor").is_none_or(|f| f.as_f64() == Some(1.0))
        && sampled["dimensions"].as_u64() == Some(1);
    if !plain {
        return Err(wrong("SampledData has an origin, a factor or dimensions that medring does not write"));
    }
    let data = str_at(sampled, "data").unwrap_or_default();
    let mut samples = Vec::new();
    for word in data.split_ascii_whitespace() {
        if samples.len() == SAMPLES_MAX {
            return Err(wrong("SampledData.data is too long"));
        }
        samples.push(match word {
            "E" => None,
            word => Some(word.parse().map_err(|_| wrong("SampledData.data has a sample that is no decimal number"))?),
        });
    }
    Ok(samples)
}
