//! Who may depend on whom, and which package may name a heavy dependency.

use serde_json::Value;

use super::{Problem, packages, text};

/// Which of our packages each may depend on, tests included. The manifest is the architecture; this is its plan.
const ALLOWED: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("language", &["units"]),
    ("media", &["units"]),
    ("telephony", &["units"]),
    ("protocol", &["units"]),
    ("conversation", &["units", "language"]),
    ("receptionist", &["units", "language"]),
    ("replay", &["units", "conversation", "routing", "telephony", "weather"]),
    ("testcall", &["units", "media", "telephony"]),
    ("weather", &["units"]),
    ("routing", &["units"]),
    ("calendar", &["units"]),
    ("messaging", &["units", "telephony"]),
    ("leads", &["units", "telephony"]),
    ("fakes", &["units", "media", "leads", "messaging"]),
    ("xtask", &[]),
    ("speech", &["units", "media", "language"]),
    ("speech-onnx", &["units", "media", "language", "speech"]),
    ("carrier", &["units", "media", "telephony", "messaging", "testcall"]),
    ("cloud", &["units", "media", "language", "speech", "weather", "fakes"]),
    ("store", &["units", "protocol", "leads", "messaging"]),
    ("sync", &["units", "protocol"]),
    ("update", &["units", "protocol"]),
    ("provision", &["units", "protocol"]),
    (
        "appliance",
        &[
            "units",
            "language",
            "leads",
            "media",
            "telephony",
            "protocol",
            "conversation",
            "receptionist",
            "replay",
            "routing",
            "testcall",
            "weather",
            "calendar",
            "messaging",
            "fakes",
            "carrier",
            "cloud",
            "speech",
            "speech-onnx",
            "store",
            "sync",
            "update",
            "provision",
        ],
    ),
    ("gateway", &["units", "protocol", "telephony", "rig"]),
    ("rig", &[]),
    ("fuzz-targets", &["telephony", "messaging", "replay"]),
    ("sim", &["units", "protocol", "sync", "gateway", "rig"]),
    (
        "chaos",
        &[
            "units",
            "telephony",
            "protocol",
            "leads",
            "testcall",
            "messaging",
            "fakes",
            "store",
            "sync",
            "appliance",
            "rig",
        ],
    ),
    (
        "e2e",
        &[
            "units",
            "language",
            "leads",
            "media",
            "telephony",
            "protocol",
            "conversation",
            "receptionist",
            "replay",
            "routing",
            "testcall",
            "weather",
            "messaging",
            "fakes",
            "carrier",
            "cloud",
            "speech",
            "speech-onnx",
            "store",
            "appliance",
            "gateway",
            "rig",
        ],
    ),
];

/// The packages that are pure: no IO, no clock.
pub const PURE: &[&str] = &[
    "units",
    "language",
    "media",
    "telephony",
    "protocol",
    "conversation",
    "receptionist",
    "replay",
    "weather",
    "calendar",
    "messaging",
    "leads",
];

/// What a pure package must not depend on, outside its tests.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "tokio-tungstenite",
    "axum",
    "reqwest",
    "hyper",
    "tower",
    "tower-http",
    "ort",
    "sled",
    "rumqttc",
    "rustix",
    "tempfile",
];

/// Dependencies with a home each, on either side of the wire.
const FENCED: &[(&str, &[&str])] = &[
    ("ort", &["speech-onnx"]),
    ("sled", &["store"]),
    ("rumqttc", &["sync", "gateway", "sim"]),
    ("rumqttc-next", &["sync", "gateway", "sim"]),
    ("ogg", &["media"]),
    ("ropus", &["media"]),
    ("sqlx", &["gateway"]),
    ("mqtt5", &["gateway"]),
];

/// Compares the members with the plan.
pub fn check(members: &Value) -> Vec<Problem> {
    let ours: Vec<&str> = packages(members).map(|package| text(package, "name")).collect();
    let mut problems = Vec::new();
    for package in packages(members) {
        let name = text(package, "name");
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            problems.push(Problem::new(name, "is not in the table of directions; add it, with what it may know"));
            continue;
        };
        for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
            let on = text(dependency, "name");
            let only_in_tests = text(dependency, "kind") == "dev";
            if ours.contains(&on) && on != name && !allowed.contains(&on) {
                problems.push(Problem::new(name, format!("depends on {on}, which it must not know")));
            }
            if PURE.contains(&name) && IMPURE.contains(&on) && !only_in_tests {
                problems.push(Problem::new(name, format!("is pure and depends on {on}")));
            }
            if let Some((_, homes)) = FENCED.iter().find(|(fenced, homes)| *fenced == on && !homes.contains(&name)) {
                problems.push(Problem::new(name, format!("depends on {on}; only {} may", homes.join(" and "))));
            }
        }
    }
    problems
}
