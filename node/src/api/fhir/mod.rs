//! FHIR at the edges: bundles in, verified documents out.

mod give;
mod preview;
mod take;

use super::problem::Problems;
use super::table::Table;
use super::types::{BundlePreview, BundleResponse};
use medring_protocol::fhir::BUNDLE_BYTES_MAX;

/// Media type of FHIR in JSON.
const FHIR_JSON: &str = "application/fhir+json";

const TAKE_NOTES: &str = "The node of the producer seals the part of the bundle that belongs into such a record by the paper's \
                          Table 1, and submits it. An EHR or EMR names its `patient`; a PHR goes to its own maker, or to its \
                          `group`. With `dry_run=true` nothing is sealed: the answer (200) says field by field what would be \
                          public and what sealed.";
const GIVE_NOTES: &str = "Only what verified: opened, signed by whom it says, on this node's best chain, in the right role, not \
                          revoked. Byte for byte as it was sealed.";
const AGGREGATE_NOTES: &str = "Only if every source verified and the aggregate, made again here, is the same (else 422, and the \
                               group's report tells why). `Medring-Record` names the record, `Medring-Stale` tells whether \
                               the patient has published something newer.";

pub(super) fn endpoints(table: &mut Table) {
    table
        .post("/v1/fhir/Bundle", "Seals a FHIR R4 bundle, or a recording of vital signs, and submits it", take::bundle)
        .tag("fhir")
        .notes(TAKE_NOTES)
        .idempotent()
        .query::<take::BundleQuery>()
        .bytes(FHIR_JSON, BUNDLE_BYTES_MAX, "A Bundle of any type, or one resource; at most 16 MiB")
        .answers::<BundlePreview>(200, "A dry run: nothing was sealed")
        .answers::<BundleResponse>(202, "In the pool and on disk")
        .problems(&[Problems::NotFound, Problems::TooMany]);
    table
        .get("/v1/fhir/Bundle/{id}", "The bundle of a record that this node opens and that verified", give::bundle)
        .reader()
        .tag("fhir")
        .notes(GIVE_NOTES)
        .id("id", "The record")
        .gives(200, FHIR_JSON, "A Bundle of type collection")
        .problems(&[Problems::Unprocessable]);
    table
        .get("/v1/fhir/groups/{group}/aggregate", "The verified aggregate of a group: a FHIR document", give::aggregate)
        .reader()
        .tag("fhir")
        .notes(AGGREGATE_NOTES)
        .id("group", "The group")
        .query::<give::AggregateQuery>()
        .gives(200, FHIR_JSON, "A Bundle of type document (docs/spec/aggregate.md)")
        .problems(&[Problems::Unprocessable]);
}
