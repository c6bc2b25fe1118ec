//! The description of the API: `OpenAPI` 3.1, made of the table of operations.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{Described, Key, Operation};
use super::problem::{PROBLEM_JSON, Problem};
use super::token::Scope;

/// What the API is, in a few words for whoever reads the description first.
const ABOUT: &str = "What the box knows and does. Lists are pages: send `next` of one as `after` of the next. \
    What can be changed has an `ETag`, which a change has to name in `If-Match`. \
    Times are milliseconds since 1970 (UTC). Every error is a problem of RFC 9457.";

/// Writes the description of `operations`.
pub(super) fn describe(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let path = paths.entry(format!("/api{}", operation.path)).or_insert_with(|| json!({}));
        let described = one(operation, &mut generator);
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.as_str().to_ascii_lowercase(), described);
        }
    }
    let scopes = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join("`, `");
    let media = json!({ PROBLEM_JSON: { "schema": problem } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Kolbox", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
                  "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" } },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": { "problem": { "description": "What is wrong.", "content": media } },
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer",
                "description": format!("A token of `kolbox token add`. Its scopes are among `{scopes}`."),
            } },
        },
    })
}

fn one(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut described = json!({
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.path.trim_start_matches('/').split(['/', '.']).next().unwrap_or_default()],
        "parameters": parameters(operation, generator),
        "responses": answers(operation, generator),
        "security": operation.scope.map_or_else(|| json!([]), |scope| json!([{ "token": [scope.as_str()] }])),
    });
    if let (Some(body), Some(fields)) = (operation.body, described.as_object_mut()) {
        let content = json!({ "application/json": { "schema": body(generator) } });
        fields.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
    }
    described
}

fn parameters(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let text = json!({ "type": "string" });
    let header = |name: &str, required: bool, what: &str| json!({ "name": name, "in": "header", "required": required, "description": what, "schema": text });
    let mut parameters = Vec::new();
    for name in operation.path.split(['{', '}']).skip(1).step_by(2) {
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": text }));
    }
    if let Some(query) = operation.query {
        parameters.extend(of_query(&query(generator).to_value()));
    }
    if operation.conditional && operation.method == http::Method::GET {
        parameters.push(header("If-None-Match", false, "The ETag you have; 304 if it is still that."));
    } else if operation.conditional {
        parameters.push(header("If-Match", true, "The ETag you have seen; 412 if it is another one now."));
    }
    if let Some(Key { known_for, is_required }) = operation.key {
        let what = format!(
            "1 to 255 visible ASCII characters. For {} hours the same key with the same body does nothing more, and is \
             answered with what came of it; with another body it is refused.",
            known_for.as_secs() / 3_600
        );
        parameters.push(header("Idempotency-Key", is_required, &what));
    }
    parameters
}

/// Makes one parameter of each field.
fn of_query(schema: &Value) -> Vec<Value> {
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let one = |(name, field): (&String, &Value)| {
        let mut field = field.clone();
        let description = field.as_object_mut().and_then(|field| field.remove("description"));
        json!({ "name": name, "in": "query", "required": false, "description": description.unwrap_or_else(|| json!("")),
                "schema": field })
    };
    fields.map(one).collect()
}

fn answers(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut answers = Map::new();
    for Described { status, what, media_type, schema } in &operation.answers {
        let mut answer = json!({ "description": what });
        if let (false, Some(fields)) = (media_type.is_empty(), answer.as_object_mut()) {
            let schema = schema.map_or_else(|| json!({}), |schema| schema(generator).to_value());
            fields.insert("content".to_owned(), json!({ *media_type: { "schema": schema } }));
            if operation.conditional {
                let etag = json!({ "ETag": { "schema": { "type": "string" } } });
                fields.insert("headers".to_owned(), etag);
            }
        }
        answers.insert(status.to_string(), answer);
    }
    let mut problems: Vec<u16> = vec![429, 503];
    if operation.scope.is_some() {
        problems.extend([401, 403]);
    }
    if operation.query.is_some() || operation.body.is_some() {
        problems.push(400);
    }
    if operation.path.contains('{') {
        problems.push(404);
    }
    if operation.body.is_some() {
        problems.extend([408, 413, 415, 422]);
    }
    if operation.conditional && operation.method == http::Method::GET {
        answers.insert("304".to_owned(), json!({ "description": "It is still what you have." }));
    } else if operation.conditional {
        problems.extend([409, 412, 428]);
    }
    problems.extend(&operation.refusals);
    for status in problems {
        let problem = json!({ "$ref": "#/components/responses/problem" });
        answers.entry(status.to_string()).or_insert(problem);
    }
    Value::Object(answers)
}
