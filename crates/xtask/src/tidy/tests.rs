use std::path::Path;

use serde_json::json;

use super::{Problem, directions, licences, manifests, metadata, models, readme, sources};
use crate::root;

// The rules on this repository.

#[test]
fn every_package_knows_only_what_it_may() {
    assert_good(&directions::check(&metadata(&root(), &["--no-deps"]).unwrap()));
}

#[test]
fn manifests_inherit_lints_and_versions() {
    let members = metadata(&root(), &["--no-deps"]).unwrap();
    assert_good(&manifests::check(&root(), &members).unwrap());
}

#[test]
fn sources_keep_to_the_house_rules() {
    assert_good(&sources::check(&root()).unwrap());
}

#[test]
fn the_code_map_names_the_crates_that_exist() {
    let members = metadata(&root(), &["--no-deps"]).unwrap();
    assert_good(&readme::check(&root(), &members).unwrap());
}

#[test]
fn models_are_what_their_cards_say() {
    assert_good(&models::check(&root()).unwrap());
}

#[test]
fn everything_linked_has_a_licence_we_can_keep() {
    assert_good(&licences::check(&metadata(&root(), &licences::ARGUMENTS).unwrap()));
}

// The rules themselves.

#[test]
fn a_wrong_direction_an_impure_core_and_a_broken_fence_are_found() {
    let members = json!({ "packages": [
        { "name": "units", "dependencies": [{ "name": "media" }] },
        { "name": "media", "dependencies": [{ "name": "units" }, { "name": "tokio", "kind": "dev" }] },
        { "name": "telephony", "dependencies": [{ "name": "tokio" }] },
        { "name": "appliance", "dependencies": [{ "name": "ort" }, { "name": "store" }] },
        { "name": "store", "dependencies": [{ "name": "sled" }] },
        { "name": "newcomer", "dependencies": [] },
    ]});
    let places: Vec<String> = directions::check(&members).into_iter().map(|problem| problem.to_string()).collect();
    assert_eq!(
        places,
        [
            "units: depends on media, which it must not know",
            "telephony: is pure and depends on tokio",
            "appliance: depends on ort; only speech-onnx may",
            "newcomer: is not in the table of directions; add it, with what it may know",
        ]
    );
}

#[test]
fn a_manifest_with_lints_or_versions_of_its_own_is_found() {
    let good = "[package]\nversion.workspace = true\n[dependencies]\na.workspace = true\n\
                b = { workspace = true, features = [\"x\"] }\n[lints]\nworkspace = true";
    assert_eq!(manifests::check_manifest("good", good).unwrap(), []);
    let bad = "[package]\nversion = \"1.0.0\"\n[dev-dependencies]\na = \"1\"\nb = { path = \"../b\" }";
    assert_eq!(manifests::check_manifest("bad", bad).unwrap().len(), 4);
}

#[test]
fn a_pure_crate_without_its_bans_is_found() {
    let shared = "allow-unwrap-in-tests = true";
    let problems = manifests::check_clippy("core", shared, "").unwrap();
    assert_eq!(problems.len(), 5);
}

#[test]
fn forbidden_words_are_found_where_they_stand() {
    let attribute = concat!("#[", "ignore]");
    let nap = concat!("thread::", "sleep(x);");
    let source = format!("fn shell() {{ {nap} }}\n// {attribute}\n#[cfg(test)]\nmod tests {{\n{attribute}\n{nap}\n}}");
    let found: Vec<String> = sources::check_source("a/src/lib.rs", &source).into_iter().map(|p| p.at).collect();
    assert_eq!(found, ["a/src/lib.rs:5", "a/src/lib.rs:6"], "a comment and a shell are none of our business");
    assert_eq!(sources::check_source("a/tests/it/main.rs", nap).len(), 1);
    assert_eq!(sources::check_source("a/src/b/mod.rs", "").len(), 1);
    let elsewhere = format!("#[cfg(test)]\nmod tests;\nfn shell() {{ {nap} }}");
    assert_eq!(sources::check_source("a/src/lib.rs", &elsewhere), []);
}

#[test]
fn a_code_map_with_a_row_too_many_or_too_few_is_found() {
    let folders = ["crates/units".to_owned(), "appliance".to_owned()];
    assert_eq!(readme::check_map("| `crates/units` | x |\n| `appliance` | y |", &folders), []);
    assert_eq!(readme::check_map("| `crates/units` | x |\n| `gone` | y |", &folders).len(), 2);
}

#[test]
fn licence_expressions_are_understood() {
    for good in ["MIT", "MIT OR Apache-2.0", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "GPL-2.0 OR MIT"] {
        assert!(licences::is_allowed(good), "{good}");
    }
    for bad in ["", "GPL-3.0-only", "MIT AND GPL-3.0-only", "Proprietary"] {
        assert!(!licences::is_allowed(bad), "{bad}");
    }
}

#[test]
fn a_model_with_a_changed_an_unlisted_or_a_missing_file_is_found() {
    let root = tempfile::tempdir().unwrap();
    let model = root.path().join("models/small");
    std::fs::create_dir_all(&model).unwrap();
    let check = || models::check(root.path()).unwrap();
    assert_eq!(check(), [], "a folder without graphs is no model");
    std::fs::write(model.join("encoder.onnx"), "abc").unwrap();
    assert_eq!(check().len(), 1, "no card");

    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let card = |file: &str| {
        format!("name = \"small\"\nlicence = \"MIT\"\n[[file]]\nname = \"{file}\"\nsha256 = \"{digest}\"\n")
    };
    write_card(&model, &card("encoder.onnx"));
    assert_eq!(check(), []);
    std::fs::write(model.join("encoder.onnx"), "abd").unwrap();
    assert_eq!(check().len(), 1, "changed");
    write_card(&model, &card("decoder.onnx"));
    assert_eq!(check().len(), 2, "one is missing, the other not listed");
}

fn write_card(model: &Path, card: &str) {
    std::fs::write(model.join("card.toml"), card).unwrap();
}

fn assert_good(problems: &[Problem]) {
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "\n{}", list.join("\n"));
}
