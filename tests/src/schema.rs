//! Answers against the description of the API: as much of JSON Schema as the description uses.

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Checks an answer of the box against its own description.
///
/// # Errors
///
/// When the route, the status or the media type is not described, or the body is not as described.
pub fn check_answer(
    description: &Value,
    method: &str,
    path: &str,
    status: u16,
    media_type: &str,
    body: &[u8],
) -> anyhow::Result<()> {
    let operation =
        operation(description, method, path).with_context(|| format!("{method} {path} is not described"))?;
    let answer = operation["responses"].get(status.to_string());
    let answer = resolve(description, answer.with_context(|| format!("{method} {path}: {status} is not described"))?)?;
    let essence = media_type.split(';').next().unwrap_or_default();
    let Some(content) = answer.get("content") else {
        ensure!(body.is_empty(), "{method} {path}: {status} is described without a body");
        return Ok(());
    };
    let described = content.get(essence);
    let described =
        described.with_context(|| format!("{method} {path}: {status} with {essence:?} is not described"))?;
    if !essence.ends_with("json") {
        return Ok(());
    }
    let value: Value = serde_json::from_slice(body).context("the body is not JSON")?;
    validate(description, &described["schema"], &value).with_context(|| format!("{method} {path}: {status}: {value}"))
}

/// Returns the operation that a request's path leads to; one without a placeholder wins.
fn operation<'a>(description: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let path = path.split('?').next().unwrap_or_default();
    let asked: Vec<&str> = path.split('/').collect();
    let paths = description.get("paths")?.as_object()?;
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    let mut found: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.contains('{'));
    found.iter().find_map(|(_, operations)| operations.get(method.to_ascii_lowercase()))
}

fn resolve<'a>(description: &'a Value, schema: &'a Value) -> anyhow::Result<&'a Value> {
    let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return Ok(schema) };
    let pointer = reference.strip_prefix('#').context("a reference to elsewhere")?;
    description.pointer(pointer).with_context(|| format!("{reference} leads nowhere"))
}

/// Checks a value against a schema of the description.
///
/// # Errors
///
/// When it is not as described; says where.
pub fn validate(description: &Value, schema: &Value, value: &Value) -> anyhow::Result<()> {
    let schema = resolve(description, schema)?;
    for word in ["anyOf", "oneOf"] {
        if let Some(several) = schema.get(word).and_then(Value::as_array) {
            let fits = several.iter().any(|one| validate(description, one, value).is_ok());
            ensure!(fits, "{value} fits none of {several:?}");
        }
    }
    if let Some(wanted) = schema.get("const") {
        ensure!(wanted == value, "{value} is not {wanted}");
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array) {
        ensure!(allowed.contains(value), "{value} is none of {allowed:?}");
    }
    if let Some(wanted) = schema.get("type") {
        let several = wanted.as_array().map_or_else(|| vec![wanted], |several| several.iter().collect());
        let fits = several.iter().filter_map(|wanted| wanted.as_str()).any(|wanted| is_of(value, wanted));
        ensure!(fits, "{value} is not of type {wanted}");
    }
    if let (Some(minimum), Some(number)) = (schema.get("minimum").and_then(Value::as_f64), value.as_f64()) {
        ensure!(number >= minimum, "{number} is less than {minimum}");
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate() {
            validate(description, items, value).with_context(|| format!("item {index}"))?;
        }
    }
    fields(description, schema, value)
}

fn fields(description: &Value, schema: &Value, value: &Value) -> anyhow::Result<()> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        ensure!(fields.contains_key(name), "the field {name} is missing");
    }
    let known = schema.get("properties").and_then(Value::as_object);
    for (name, value) in fields {
        let schema = known.and_then(|known| known.get(name)).or_else(|| schema.get("additionalProperties"));
        // What the description of an object with fields does not name, the box must not answer.
        let Some(schema) = schema else {
            ensure!(known.is_none(), "the field {name} is not described");
            continue;
        };
        match schema.as_bool() {
            Some(allowed) => ensure!(allowed, "the field {name} is not allowed"),
            None => validate(description, schema, value).with_context(|| format!("field {name}"))?,
        }
    }
    Ok(())
}

fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
