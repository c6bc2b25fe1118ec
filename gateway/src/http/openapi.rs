//! The description of the API, made of the table of routes.

use std::sync::LazyLock;

use axum::Json;
use serde_json::{Map, Value, json};

use super::auth::Scope;
use super::page::MAX_LIMIT;
use super::routes::{self, Param, Route};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| make(&routes::all()));

/// Returns the document.
pub(super) async fn document() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

fn make(routes: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(route.method.to_owned(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kolbox gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Times ending in _ms are milliseconds since 1970. Refusals are application/problem+json (RFC 9457).",
        },
        "paths": paths,
        "components": { "schemas": schemas(), "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(route.query.iter().map(|Param { name, kind, what, required }| {
        json!({ "name": name, "in": "query", "required": required, "description": what, "schema": { "type": kind } })
    }));
    let (status, schema) = route.answer;
    let mut answer = json!({ "description": "Done." });
    if let (Some(schema), Some(answer)) = (schema, answer.as_object_mut()) {
        answer.insert("content".to_owned(), content("application/json", schema));
    }
    let problem = json!({ "description": "Not done.", "content": content("application/problem+json", "Problem") });
    let mut operation = json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "parameters": parameters,
        "responses": { status.to_string(): answer, "default": problem },
    });
    if let Some(fields) = operation.as_object_mut() {
        if let Some(schema) = route.body {
            let body = json!({ "required": true, "content": content("application/json", schema) });
            fields.insert("requestBody".to_owned(), body);
        }
        if let Some(scope) = route.scope {
            fields.insert("security".to_owned(), json!([{ "token": [] }]));
            fields.insert("x-scope".to_owned(), json!(scope.as_str()));
        }
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let parts = route.path.split('/').filter(|part| !["", "api", "v1"].contains(part));
    let words = parts.map(|part| part.trim_matches(['{', '}']).replace('.', "_"));
    std::iter::once(route.method.to_owned()).chain(words).collect::<Vec<_>>().join("_")
}

fn content(kind: &str, schema: &str) -> Value {
    json!({ kind: { "schema": reference(schema) } })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// Makes an object's schema of `name: type` pairs; a `?` behind a name means that it may be missing or null.
fn object(fields: &[(&str, &str)]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, kind) in fields {
        let plain = name.trim_end_matches('?');
        if plain.len() == name.len() {
            required.push(plain);
        }
        let schema = match *kind {
            "any" => json!({}),
            "strings" => json!({ "type": "array", "items": { "type": "string" } }),
            kind => json!({ "type": kind }),
        };
        properties.insert(plain.to_owned(), schema);
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn page(item: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": { "type": "array", "maxItems": MAX_LIMIT, "items": reference(item) },
            "next": { "type": ["string", "null"], "description": "What to send as `after`; null at the end." },
        },
    })
}

fn list(item: &str) -> Value {
    json!({ "type": "array", "items": reference(item) })
}

fn schemas() -> Value {
    let mut schemas = of_the_fleet();
    if let (Some(all), Value::Object(more)) = (schemas.as_object_mut(), of_events_and_tokens()) {
        all.extend(more);
    }
    schemas
}

fn of_the_fleet() -> Value {
    let (text, number, truth) = ("string", "integer", "boolean");
    json!({
        "Problem": object(&[("type", text), ("title", text), ("status", number), ("detail", text)]),
        "Readiness": object(&[("status", text), ("parts", "object")]),
        "Device": object(&[
            ("id", text), ("first_seen_ms", number), ("online", truth), ("presence_ms", number), ("boot", number),
            ("connected_seq", number), ("software?", text), ("reported_ms", number), ("desired_version_applied", number),
            ("tags", "strings"), ("groups", "strings"), ("reported?", "object"),
        ]),
        "DevicePage": page("Device"),
        "Stream": object(&[
            ("stream", text), ("epoch", number), ("watermark", number), ("max_seq", number), ("ahead", text),
            ("stored", number), ("duplicates", number), ("updated_ms", number),
        ]),
        "Streams": list("Stream"),
        "Desired": object(&[
            ("version", number), ("config", "object"), ("changed_ms", number), ("changed_by", text), ("published", truth),
        ]),
        "NewDesired": object(&[("expected_version", number), ("config", "object")]),
        "Version": object(&[("version", number)]),
        "Command": object(&[
            ("id", text), ("kind", text), ("state", text), ("detail", text), ("issued_ms", number), ("issued_by", text),
            ("expires_ms", number), ("changed_ms", number),
        ]),
        "CommandPage": page("Command"),
        "NewCommand": object(&[("kind", text), ("args?", "object"), ("ttl?", text), ("id?", text)]),
        "CommandGiven": object(&[("id", text), ("state", text), ("expires_ms", number)]),
        "Group": object(&[("name", text), ("description", text), ("created_ms", number)]),
        "GroupPage": page("Group"),
        "NewGroup": object(&[("description?", text)]),
    })
}

fn of_events_and_tokens() -> Value {
    let (text, number, truth) = ("string", "integer", "boolean");
    let mut new_token = object(&[("name", text), ("role", text), ("scopes?", "strings"), ("lifetime?", text)]);
    if let Some(scopes) = new_token.pointer_mut("/properties/scopes/items") {
        *scopes = json!({ "enum": Scope::ALL.map(Scope::as_str) });
    }
    json!({
        "Event": object(&[
            ("epoch", number), ("seq", number), ("id", text), ("kind", text), ("boot", number), ("mono_ms", number),
            ("wall_ms", number), ("time_synced", truth), ("received_ms", number), ("data", "any"),
        ]),
        "EventPage": page("Event"),
        "Loss": object(&[
            ("stream", text), ("epoch", number), ("from_seq", number), ("to_seq", number), ("reason", text),
            ("received_ms", number),
        ]),
        "Losses": list("Loss"),
        "Quarantined": object(&[
            ("id", number), ("device", text), ("topic", text), ("reason", text), ("size_bytes", number),
            ("payload", text), ("received_ms", number),
        ]),
        "QuarantinePage": page("Quarantined"),
        "Deed": object(&[
            ("id", number), ("at_ms", number), ("actor", text), ("action", text), ("target", text), ("detail", "any"),
        ]),
        "AuditPage": page("Deed"),
        "Token": object(&[
            ("id", text), ("name", text), ("role", text), ("scopes", text), ("created_ms", number),
            ("expires_ms?", number), ("revoked_ms?", number),
        ]),
        "TokenPage": page("Token"),
        "NewToken": new_token,
        "TokenMade": object(&[("id", text), ("token", text)]),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::routes;
    use super::make;

    #[test]
    fn every_route_is_described_and_every_schema_it_names_is_there_and_used() {
        let routes = routes::all();
        let document = make(&routes);
        for route in &routes {
            let operation = &document["paths"][route.path][route.method];
            assert!(operation["summary"].is_string(), "{} {}", route.method, route.path);
            assert_eq!(operation["security"].is_array(), route.scope.is_some());
        }
        let operations = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len());
        assert_eq!(operations.sum::<usize>(), routes.len(), "two routes have one path and method");
        let named = references(&document);
        let there: BTreeSet<String> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(named, there);
    }

    #[test]
    fn only_probes_figures_and_this_document_are_open() {
        let open: Vec<&str> =
            routes::all().iter().filter(|route| route.scope.is_none()).map(|route| route.path).collect();
        assert_eq!(open, ["/healthz", "/readyz", "/metrics", "/api/openapi.json"]);
    }

    fn references(value: &Value) -> BTreeSet<String> {
        match value {
            Value::Object(map) => {
                let own = map.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
                map.values().flat_map(references).chain(own.map(str::to_owned)).collect()
            }
            Value::Array(list) => list.iter().flat_map(references).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
        }
    }
}
