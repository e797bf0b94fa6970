//! The OpenAPI 3.1 document of the table.

use super::super::access::Needs;
use super::super::problem::Problems;
use super::super::schema::Id;
use super::super::types::Problem;
use super::endpoint::{Endpoint, Given, Make, Param, Taken};
use super::idempotency::KEY_BYTES_MAX;
use schemars::generate::{Contract, SchemaSettings};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

const SAYS: &str = "The API of one medring node, on a loopback address of its machine. Ids are hex, times milliseconds since \
                    1970. docs/api.md is the guide.";

/// Headings, and what stands under them.
const TAGS: [(&str, &str); 8] = [
    ("node", "How the node is, its peers"),
    ("chain", "Blocks, branches, reorganisations"),
    ("records", "Records, sealed as anyone sees them"),
    ("wallet", "What the participant who lives on the node can open"),
    ("groups", "The groups of that participant"),
    ("fhir", "FHIR at the edges"),
    ("access", "Tokens"),
    ("testnet", "Faults on test networks"),
];

/// Schemas of what is sent, shared by name.
fn sent() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = Contract::Serialize;
        })
        .into_generator()
}

/// Schemas of what is taken: each whole, since what is optional there is not always so in what is sent.
fn taken() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
            settings.contract = Contract::Deserialize;
        })
        .into_generator()
}

/// The document of these endpoints.
pub(super) fn of(endpoints: &[Endpoint]) -> Value {
    let mut schemas = sent();
    schemas.subschema_for::<Problem>();
    schemas.subschema_for::<Id>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let operations = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        operations[endpoint.method] = operation(endpoint, &mut schemas);
    }
    let tags: Vec<_> = TAGS.iter().map(|(name, says)| json!({"name": name, "description": says})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "medring",
            "version": env!("CARGO_PKG_VERSION"),
            "description": SAYS,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{
            "url": "http://127.0.0.1:{port}",
            "description": "the node; its folder's node.json says where",
            "variables": {"port": {"default": "8080"}},
        }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "responses": problems(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the node; the names beside it are the scopes that will do.",
                },
            },
        },
    })
}

/// Every problem once.
fn problems() -> Value {
    let one = |problem: &Problems| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        let content = json!({"application/problem+json": {"schema": schema, "example": problem.example()}});
        (problem.name().to_owned(), json!({"description": problem.says(), "content": content}))
    };
    Value::Object(Problems::ALL.iter().map(one).collect())
}

fn operation(endpoint: &Endpoint, schemas: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "tags": [endpoint.tag],
        "summary": endpoint.does,
        "security": match endpoint.needs {
            Needs::Nothing => json!([]),
            needs => json!([{"token": needs.scopes()}]),
        },
        "responses": responses(endpoint, schemas),
    });
    if !endpoint.notes.is_empty() {
        operation["description"] = endpoint.notes.into();
    }
    let parameters = parameters(endpoint);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(taken) = &endpoint.taken {
        operation["requestBody"] = body(taken);
    }
    operation
}

/// `GET /v1/blocks/{id}/raw` → `get_blocks_id_raw`.
fn operation_id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches("/v1").replace(['{', '}'], "");
    format!("{}{}", endpoint.method, path.replace(['/', '-'], "_"))
}

fn responses(endpoint: &Endpoint, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for Given { status, kind, schema, says } in &endpoint.given {
        let mut content = json!({});
        if let Some(make) = schema {
            content["schema"] = make(schemas).to_value();
        }
        let mut kinds = Map::new();
        kinds.insert((*kind).to_owned(), content);
        responses.insert(status.to_string(), json!({"description": says, "content": kinds}));
    }
    for problem in Problems::ALL.iter().filter(|problem| may_have(endpoint, **problem)) {
        let reference = json!({"$ref": format!("#/components/responses/{}", problem.name())});
        responses.insert(problem.status().as_u16().to_string(), reference);
    }
    Value::Object(responses)
}

/// Whether a problem is one that any such endpoint may have, or is said to be one of this.
fn may_have(endpoint: &Endpoint, problem: Problems) -> bool {
    let takes = endpoint.taken.is_some() || endpoint.query.is_some() || !endpoint.params.is_empty();
    let always = match problem {
        Problems::BadRequest => takes || endpoint.idempotent,
        Problems::Token => endpoint.needs != Needs::Nothing,
        Problems::Forbidden | Problems::Internal | Problems::Busy | Problems::Timeout => true,
        Problems::NotFound => !endpoint.params.is_empty(),
        Problems::TooLarge => endpoint.taken.is_some(),
        Problems::Conflict | Problems::Unprocessable => endpoint.idempotent,
        Problems::TooMany | Problems::Unreachable | Problems::Full => false,
    };
    always || endpoint.problems.contains(&problem)
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (name, param, says) in &endpoint.params {
        let schema = match param {
            Param::Id => json!({"$ref": "#/components/schemas/Id"}),
            Param::Place => json!({"anyOf": [
                {"type": "integer", "minimum": 0},
                {"$ref": "#/components/schemas/Id"},
            ]}),
            Param::Text(example) => json!({"type": "string", "minLength": 1, "examples": [example]}),
        };
        parameters.push(json!({"name": name, "in": "path", "required": true, "description": says, "schema": schema}));
    }
    parameters.extend(endpoint.query.into_iter().flat_map(query));
    if endpoint.idempotent {
        let says = "Sent again with the same key, the same request gets the same answer and is not carried out twice; \
                    remembered for a day, or until the node stops.";
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": says,
            "schema": {"type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX, "pattern": "^[!-~]+$"},
        }));
    }
    parameters
}

/// The fields of a type as parameters.
fn query(make: Make) -> Vec<Value> {
    let schema = make(&mut taken()).to_value();
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let fields = schema["properties"].as_object().into_iter().flatten();
    let one = |(name, field): (&String, &Value)| {
        let mut field = field.clone();
        // A parameter that is not given is absent, and not null.
        if let Some(types) = field["type"].as_array().and_then(|types| types.first()).cloned() {
            field["type"] = types;
        }
        let says = field.as_object_mut().and_then(|field| field.remove("description")).unwrap_or_default();
        if let Some(first) = field["anyOf"].as_array().and_then(|any| any.first()).cloned() {
            field = first;
        }
        json!({"name": name, "in": "query", "required": required(name), "description": says, "schema": field})
    };
    fields.map(one).collect()
}

fn body(taken_body: &Taken) -> Value {
    let schema = |make: &Make| Schema::to_value(make(&mut taken()));
    let mut content = json!({"schema": taken_body.schema.as_ref().map_or_else(|| json!({}), schema)});
    if let Some(example) = &taken_body.example {
        content["example"] = example.clone();
    }
    let mut kinds = Map::new();
    kinds.insert(taken_body.kind.to_owned(), content);
    let mut body = json!({"required": true, "content": kinds});
    if !taken_body.says.is_empty() {
        body["description"] = taken_body.says.into();
    }
    body
}
