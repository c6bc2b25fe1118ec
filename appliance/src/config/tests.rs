use std::path::Path;

use conversation::GreetingMode;

use super::{Config, ConfigError, Environment, Secret};

const SMALLEST: &str = "[http]\npublic_url = 'https://office.example.org'\n[carrier]\n";

#[test]
fn the_smallest_file_gives_the_documented_defaults() {
    let config = Config::parse(Path::new("kolbox.toml"), SMALLEST).unwrap();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.greeting.mode, GreetingMode::Play);
    assert_eq!((config.limits.calls.get(), config.limits.connections.get()), (50, 512));
    assert_eq!((config.http.header_read_timeout.as_secs(), config.http.keep_alive_timeout.as_secs()), (10, 150));
    assert_eq!(config.carrier.stream_start.as_secs(), 6);
}

#[test]
fn the_example_says_the_defaults() {
    let example = Config::parse(Path::new("example"), include_str!("../../kolbox.example.toml")).unwrap();
    let smallest = Config::parse(Path::new("kolbox.toml"), SMALLEST).unwrap();
    assert_eq!(format!("{example:?}"), format!("{smallest:?}"));
}

#[test]
fn a_wrong_file_is_refused_with_file_line_field_and_what_was_expected() {
    check_refused("[http]\nlisten = 'x'\n", "kolbox.toml:2: http.listen: ", "socket address");
    check_refused("[http]\n[carrier]\n", "kolbox.toml:1: http: ", "public_url");
    check_refused(&format!("{SMALLEST}[limits]\ncalls = 0\n"), "kolbox.toml:5: limits.calls: ", "nonzero");
    check_refused(&format!("{SMALLEST}[limits]\ncals = 1\n"), "kolbox.toml:5: limits.cals: ", "expected one of");
    check_refused(
        &format!("{SMALLEST}[conversation.endpointing]\nmin_delay = '6'\n"),
        "kolbox.toml:5: conversation.endpointing.min_delay: ",
        "600ms",
    );
    check_refused(&format!("{SMALLEST}[greeting]\nmode = 'sing'\n"), "kolbox.toml:5: greeting.mode: ", "`stream`");
    check_refused(
        &format!("{SMALLEST}[voicemail]\nmax_seconds = 0\n"),
        "kolbox.toml:5: voicemail.max_seconds: ",
        "from 1 to 3600",
    );
    check_refused("[http\n", "kolbox.toml:1: file: ", "]");
    check_refused("[http]\npublic_url = 'ftp://x'\n[carrier]\n", "kolbox.toml:2: http.public_url: ", "https://");
}

#[test]
fn a_file_without_any_key_for_webhooks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kolbox.toml");
    std::fs::write(&file, SMALLEST).unwrap();
    let error = Config::load(&file, &Environment::default()).unwrap_err().to_string();
    assert!(error.contains("carrier.auth_token_files") && error.contains("KOLBOX_TWILIO_AUTH_TOKEN"), "{error}");
}

#[test]
fn a_connection_must_be_given_some_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kolbox.toml");
    let environment = Environment { twilio_auth_token: Some(Secret::new("a key")), ..Environment::default() };
    for field in ["header_read_timeout", "keep_alive_timeout"] {
        let text = SMALLEST.replace("[carrier]", &format!("{field} = '0s'\n[carrier]"));
        std::fs::write(&file, text).unwrap();
        let error = Config::load(&file, &environment).unwrap_err().to_string();
        assert!(error.contains(&format!("http.{field}: expected more than 0s")), "{error}");
    }
}

#[test]
fn keys_come_from_files_then_credentials_then_the_environment_and_never_show() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kolbox.toml");
    std::fs::write(folder.path().join("twilio_auth_token"), "one\n").unwrap();
    std::fs::write(folder.path().join("twilio_auth_token_next"), "two\n").unwrap();
    std::fs::write(&file, SMALLEST).unwrap();
    let environment = Environment {
        credentials_directory: Some(folder.path().to_owned()),
        twilio_auth_token: Some(Secret::new("three")),
        ..Environment::default()
    };
    let config = Config::load(&file, &environment).unwrap();
    let keys: Vec<_> = config.carrier.auth_tokens.iter().map(Secret::expose).collect();
    assert_eq!(keys, ["one", "two"]);
    let shown = format!("{config:?}");
    assert!(!shown.contains("one\"") && shown.contains("[secret]"), "{shown}");
}

#[test]
fn the_carriers_key_and_place_are_found_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kolbox.toml");
    std::fs::write(folder.path().join("secret"), "of the key\n").unwrap();
    let path = folder.path().join("secret");
    let environment = Environment { twilio_auth_token: Some(Secret::new("a key")), ..Environment::default() };
    let load = |fields: &str| {
        std::fs::write(&file, SMALLEST.replace("[carrier]", &format!("[carrier]\n{fields}"))).unwrap();
        Config::load(&file, &environment)
    };
    let config = load(&format!("region = 'ie1'\nedge = 'dublin'\napi_key_sid = 'SK1'\napi_key_secret_file = {path:?}"));
    let carrier = config.unwrap().carrier;
    assert_eq!(carrier.rest_url(), "https://api.dublin.ie1.twilio.com");
    assert_eq!(carrier.api_key_secret.as_ref().map(Secret::expose), Some("of the key"));
    assert!(!format!("{carrier:?}").contains("of the key"));
    assert_eq!(load("").unwrap().carrier.rest_url(), "https://api.twilio.com");
    for (fields, expected) in [
        ("api_key_sid = 'SK1'", "carrier.api_key_secret_file: no secret"),
        ("api_key_sid = 'AC1'", "carrier.api_key_sid: expected 'SK'"),
        ("api_key_secret_file = '/nowhere'", "carrier.api_key_sid: expected the name"),
        ("api_url = 'http://api.twilio.com'", "carrier.api_url: expected an https URL"),
        ("api_url = 'https://a.example'\nedge = 'dublin'", "carrier.api_url: expected either"),
        ("region = 'a.b/'", "carrier.region: expected small letters"),
    ] {
        let error = load(fields).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn names_that_the_carrier_gave_have_their_form() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kolbox.toml");
    let environment = Environment { twilio_auth_token: Some(Secret::new("a key")), ..Environment::default() };
    let load = |table: &str| {
        std::fs::write(&file, format!("{SMALLEST}{table}")).unwrap();
        Config::load(&file, &environment)
    };
    let table = |service: &str, template: &str| {
        format!(
            "[messages]\nmessaging_service_sid = '{service}'\n\
             [messages.templates.missed_call]\nlanguage = 'he'\nsid = '{template}'\n"
        )
    };
    let (service, template) = ("MG0123456789abcdef0123456789abcdef", "HX0123456789ABCDEF0123456789ABCDEF");
    assert!(load(&table(service, template)).is_ok());
    let error = load(&table("MG1", template)).unwrap_err().to_string();
    assert!(error.contains("messages.messaging_service_sid: expected 'MG'"), "{error}");
    let error = load(&table(service, service)).unwrap_err().to_string();
    assert!(error.contains("messages.templates: missed_call.sid: expected 'HX'"), "{error}");
}

#[test]
fn a_missing_file_says_how_to_name_another() {
    let error = Config::load(Path::new("no/such/file.toml"), &Environment::default()).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }));
    assert!(error.to_string().contains("--config"), "{error}");
}

fn check_refused(text: &str, start: &str, contains: &str) {
    let error = Config::parse(Path::new("kolbox.toml"), text).unwrap_err().to_string();
    assert!(error.starts_with(start) && error.contains(contains), "{text:?} gave {error:?}");
}

#[test]
fn a_gateway_needs_a_name_and_for_another_machine_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kolbox.toml");
    let environment = Environment { twilio_auth_token: Some(Secret::new("a key")), ..Environment::default() };
    let load = |sync: &str| {
        std::fs::write(&file, format!("{SMALLEST}[sync]\n{sync}")).unwrap();
        Config::load(&file, &environment).map(|config| config.sync)
    };
    assert!(!load("").unwrap().is_on());
    let far = "brokers = ['mqtts://gateway.example.org', 'mqtts://10.0.0.1:9883']\ndevice = 'box-1'\n";
    let whole = load(&format!("{far}ca = 'a'\ncertificate = 'b'\nkey = 'c'\n")).unwrap();
    assert!(whole.is_on() && whole.tls_files().is_some());
    assert_eq!(whole.brokers[0].to_string(), "mqtts://gateway.example.org:8883");
    assert!(load("brokers = ['mqtt://127.0.0.1']\ndevice = 'box-1'\n").unwrap().is_on());
    for (sync, expected) in [
        ("brokers = ['mqtts://gateway.example.org']\n", "sync.device: expected a name"),
        (far, "sync.ca: expected a file"),
        (&format!("{far}ca = 'a'\nkey = 'c'\n"), "sync.certificate: expected a file"),
        (
            "brokers = ['mqtt://gateway.example.org']\ndevice = 'box-1'\n",
            "sync.brokers: 'mqtt://gateway.example.org:1883'",
        ),
        ("brokers = ['gateway.example.org']\n", "sync.brokers: expected mqtts://host"),
        ("device = 'Box 1'\n", "sync.device: "),
    ] {
        let error = load(sync).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
