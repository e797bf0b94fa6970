//! The paper's Table 1, made exact: which row of EHR, EMR and PHR takes which resource (docs/spec/mapping.md).

use serde_json::Value;

use super::{Bundle, Resource, str_at};

/// A column of Table 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Electronic health record, by a healthcare center.
    Ehr,
    /// Electronic medical record, by a doctor.
    Emr,
    /// Personal health record, by the patient.
    Phr,
}

/// One row of a column, with how many resources of a bundle it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The row's number in Table 1; 0 for what comes along because a row refers to it.
    pub row: u8,
    /// The row's title in Table 1.
    pub title: &'static str,
    /// Resources of the bundle in this row.
    pub count: usize,
}

/// What a resource is about, as finely as Table 1 tells things apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Who the patient is.
    Profile,
    /// An illness that is over.
    PastIllness,
    /// A procedure, surgery among them.
    Procedure,
    /// Illnesses in the family.
    FamilyHistory,
    /// An illness that still stands.
    Diagnosis,
    /// Findings of a laboratory or test.
    Laboratory,
    /// A medicine ordered, given or taken.
    Medication,
    /// A plan of treatment and who carries it out.
    TreatmentPlan,
    /// A diet that was ordered.
    Diet,
    /// What the patient wants to reach.
    Goal,
    /// A vaccination, given or refused.
    Immunization,
    /// An allergy or intolerance.
    Allergy,
    /// Images and their reports.
    Imaging,
    /// A vital sign other than blood pressure.
    VitalSign,
    /// A blood pressure.
    BloodPressure,
    /// Smoking, drinking, exercise and other habits.
    Habits,
    /// Claims, coverage, visits and other administration.
    Administrative,
    /// Notes and documents.
    Note,
    /// A living will or other advance directive.
    AdvanceDirective,
    /// People, places and devices that others refer to.
    Supporting,
    /// Nothing Table 1 knows.
    Other,
}

const EHR: [&str; 9] = [
    "Patient's profile",
    "Medical history",
    "Laboratory and test",
    "Medications",
    "Treatment plans",
    "Immunization dates",
    "Allergies",
    "Radiology images",
    "Diagnoses",
];
const EMR: [&str; 11] = [
    "Patient's profile",
    "Medical histories",
    "Laboratory and test",
    "Allergies",
    "Vital signs",
    "Administrative and billing data",
    "Diagnoses",
    "Medications",
    "Immunization dates",
    "Progress notes",
    "Radiology images",
];
const PHR: [&str; 11] = [
    "Patient's profile",
    "Medications",
    "Allergies",
    "List and dates of illnesses and surgeries",
    "Chronic health problems",
    "Living will or advance directives",
    "Family history",
    "Immunization history",
    "Blood pressure",
    "Exercise and dietary habits",
    "Health goals",
];

impl Column {
    /// The titles of the column's rows, in the paper's order; row n is at n − 1.
    pub const fn rows(self) -> &'static [&'static str] {
        match self {
            Self::Ehr => &EHR,
            Self::Emr => &EMR,
            Self::Phr => &PHR,
        }
    }
}

impl Topic {
    /// The row (from 1) that takes this topic in `column`, if one does.
    pub const fn row(self, column: Column) -> Option<u8> {
        // [EHR, EMR, PHR]; 0 = no row.
        let rows = match self {
            Self::Profile => [1, 1, 1],
            Self::PastIllness | Self::Procedure => [2, 2, 4],
            Self::FamilyHistory => [2, 2, 7],
            Self::Diagnosis => [9, 7, 5],
            Self::Laboratory => [3, 3, 0],
            Self::Medication => [4, 8, 2],
            Self::TreatmentPlan => [5, 0, 0],
            Self::Diet => [5, 0, 10],
            Self::Goal => [5, 0, 11],
            Self::Immunization => [6, 9, 8],
            Self::Allergy => [7, 4, 3],
            Self::Imaging => [8, 11, 0],
            Self::VitalSign => [0, 5, 0],
            Self::BloodPressure => [0, 5, 9],
            Self::Habits => [2, 2, 10],
            Self::Administrative => [0, 6, 0],
            Self::Note => [0, 10, 0],
            Self::AdvanceDirective => [0, 6, 6],
            Self::Supporting | Self::Other => [0, 0, 0],
        };
        match rows[column as usize] {
            0 => None,
            row => Some(row),
        }
    }
}

/// The sections of `column` in the paper's order, each with how many resources of `bundle` it takes, and last, if there
/// are any, those that only came along (row 0).
pub fn table1_sections(column: Column, bundle: &Bundle) -> Vec<Section> {
    let mut sections: Vec<Section> =
        (1..).zip(column.rows()).map(|(row, title)| Section { row, title, count: 0 }).collect();
    let mut along = Section { row: 0, title: "Referred to, or in no row", count: 0 };
    for entry in bundle.entries() {
        let row = topic(&entry.resource).row(column).unwrap_or(0);
        let section = sections.iter_mut().find(|s| s.row == row).unwrap_or(&mut along);
        section.count += 1;
    }
    sections.extend((along.count > 0).then_some(along));
    sections
}

/// What `resource` is about: by its type, and where the type is not enough by category, code or status.
pub fn topic(resource: &Resource) -> Topic {
    let value = resource.value();
    match resource.resource_type() {
        "Patient" | "RelatedPerson" | "Person" => Topic::Profile,
        "Condition" => condition(value),
        "Procedure" | "AdverseEvent" => Topic::Procedure,
        "FamilyMemberHistory" => Topic::FamilyHistory,
        "Observation" => observation(value),
        "DiagnosticReport" => report(value),
        "Specimen" | "ServiceRequest" | "MolecularSequence" | "RiskAssessment" => Topic::Laboratory,
        "Medication"
        | "MedicationRequest"
        | "MedicationStatement"
        | "MedicationAdministration"
        | "MedicationDispense" => Topic::Medication,
        "CarePlan" | "CareTeam" | "DeviceRequest" | "RequestGroup" | "VisionPrescription" | "Task" => {
            Topic::TreatmentPlan
        }
        "NutritionOrder" => Topic::Diet,
        "Goal" => Topic::Goal,
        "Immunization" | "ImmunizationRecommendation" | "ImmunizationEvaluation" => Topic::Immunization,
        "AllergyIntolerance" => Topic::Allergy,
        "ImagingStudy" | "Media" => Topic::Imaging,
        "Claim"
        | "ClaimResponse"
        | "Coverage"
        | "CoverageEligibilityRequest"
        | "CoverageEligibilityResponse"
        | "ExplanationOfBenefit"
        | "Account"
        | "Invoice"
        | "ChargeItem"
        | "PaymentNotice"
        | "PaymentReconciliation"
        | "EnrollmentRequest"
        | "EnrollmentResponse"
        | "InsurancePlan"
        | "Contract"
        | "Encounter"
        | "EpisodeOfCare"
        | "Appointment"
        | "AppointmentResponse"
        | "AuditEvent" => Topic::Administrative,
        "Consent" if is_directive(value) => Topic::AdvanceDirective,
        "Consent" => Topic::Administrative,
        "DocumentReference" if is_directive(value) => Topic::AdvanceDirective,
        "DocumentReference"
        | "DocumentManifest"
        | "Composition"
        | "ClinicalImpression"
        | "Communication"
        | "QuestionnaireResponse"
        | "Flag"
        | "DetectedIssue" => Topic::Note,
        "Organization"
        | "OrganizationAffiliation"
        | "Practitioner"
        | "PractitionerRole"
        | "Location"
        | "Device"
        | "DeviceMetric"
        | "DeviceDefinition"
        | "HealthcareService"
        | "Endpoint"
        | "Substance"
        | "Group"
        | "BodyStructure"
        | "Binary"
        | "Provenance" => Topic::Supporting,
        _ => Topic::Other,
    }
}

/// A condition still stands unless its status says it is over or it has an abatement. FHIR has no mark for "chronic";
/// what still stands goes to the PHR's chronic problems, what is over to its list of illnesses.
fn condition(value: &Value) -> Topic {
    let over = codes(&value["clinicalStatus"]).any(|(_, c)| matches!(c, "inactive" | "remission" | "resolved"));
    let abated = value.as_object().is_some_and(|m| m.keys().any(|k| k.starts_with("abatement")));
    if over || abated { Topic::PastIllness } else { Topic::Diagnosis }
}

/// LOINC codes of blood pressure: panels (85354-9 today, 55284-4 in older data), systolic, diastolic, mean.
const BLOOD_PRESSURE: [&str; 5] = ["55284-4", "85354-9", "8480-6", "8462-4", "8478-0"];
/// LOINC codes of other vital signs, for observations without a category: pulse, breathing, oxygen, temperature, body size.
const VITAL_SIGNS: [&str; 17] = [
    "85353-1", "8867-4", "8889-8", "9279-1", "2708-6", "59408-5", "8310-5", "8331-1", "8302-2", "8306-3", "29463-7",
    "3141-9", "39156-5", "59576-9", "9843-4", "8287-5", "77606-2",
];
/// LOINC codes of habits: smoking, drinking, exercise, diet.
const HABITS: [&str; 7] = ["72166-2", "11367-0", "11331-6", "74013-4", "68516-4", "89555-7", "82290-8"];
/// LOINC codes of documents that direct care in advance.
const DIRECTIVES: [&str; 6] = ["42348-3", "64298-3", "75320-2", "81334-5", "86533-7", "78823-2"];

fn observation(value: &Value) -> Topic {
    let is = |list: &[&str]| codes(&value["code"]).any(|(s, c)| s == "http://loinc.org" && list.contains(&c));
    let category = |name: &str| codes(&value["category"]).any(|(_, c)| c == name);
    if is(&BLOOD_PRESSURE) {
        Topic::BloodPressure
    } else if category("vital-signs") || is(&VITAL_SIGNS) {
        Topic::VitalSign
    } else if category("social-history") || category("activity") || is(&HABITS) {
        Topic::Habits
    } else if category("imaging") {
        Topic::Imaging
    } else {
        Topic::Laboratory
    }
}

/// A report of radiology is an image's report; any other is a laboratory or test finding.
fn report(value: &Value) -> Topic {
    const RADIOLOGY: [&str; 9] = ["RAD", "RX", "CT", "NMR", "NMS", "IMG", "US", "CUS", "LP29684-5"];
    let imaging = codes(&value["category"]).any(|(_, c)| RADIOLOGY.contains(&c));
    if imaging || value.get("imagingStudy").is_some() { Topic::Imaging } else { Topic::Laboratory }
}

/// A consent of scope `adr`, or anything categorised or typed as a directive: HL7's codes or LOINC's documents.
fn is_directive(value: &Value) -> bool {
    const CATEGORIES: [&str; 4] = ["acd", "dnr", "hcd", "polst"];
    let scope = codes(&value["scope"]).any(|(_, c)| c == "adr");
    let category =
        codes(&value["category"]).any(|(s, c)| s.ends_with("/consentcategorycodes") && CATEGORIES.contains(&c));
    let loinc = |at: &str| codes(&value[at]).any(|(s, c)| s == "http://loinc.org" && DIRECTIVES.contains(&c));
    scope || category || loinc("category") || loinc("type")
}

/// The (system, code) pairs of a CodeableConcept or of a list of them.
pub(crate) fn codes(concept: &Value) -> impl Iterator<Item = (&str, &str)> {
    let concepts = match concept {
        Value::Array(list) => list.as_slice(),
        other => std::slice::from_ref(other),
    };
    concepts
        .iter()
        .filter_map(|c| c.get("coding").and_then(Value::as_array))
        .flatten()
        .filter_map(|c| Some((str_at(c, "system").unwrap_or_default(), str_at(c, "code")?)))
}
