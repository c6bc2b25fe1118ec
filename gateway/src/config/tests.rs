use std::path::Path;

use super::{Config, ConfigError, DatabaseUrl, Server};

const SMALLEST: &str = "[mqtt]\nservers = ['mqtt://127.0.0.1']\n";

#[test]
fn the_smallest_file_gives_the_documented_defaults() {
    let config = Config::parse(Path::new("gateway.toml"), SMALLEST).unwrap();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8090");
    assert!(matches!(&config.database.url, DatabaseUrl::Sqlite(path) if path.ends_with("gateway.db")));
    assert_eq!((config.ingest.workers.get(), config.ingest.batch_messages.get()), (2, 512));
    assert_eq!(config.ingest.linger.as_millis(), 20);
    assert_eq!(config.mqtt.servers, [Server { host: "127.0.0.1".to_owned(), port: 1883, tls: false }]);
}

#[test]
fn a_wrong_file_is_refused_with_file_line_field_and_what_was_expected() {
    check_refused("[http]\nlisten = 'x'\n", "gateway.toml:2: http.listen: ", "socket address");
    check_refused("[http]\nlisen = 'x'\n", "gateway.toml:2: http.lisen: ", "expected `listen`");
    check_refused("[database]\nurl = 'mysql://x'\n", "gateway.toml:2: database.url: ", "sqlite:PATH");
    check_refused("[mqtt]\nservers = ['http://x']\n", "gateway.toml:2: mqtt.servers[0]: ", "mqtt://HOST:PORT");
    check_refused("[ingest]\n\nlinger = '20'\n", "gateway.toml:3: ingest.linger: ", "duration");
    check_refused("[ingest]\nworkers = 0\n", "gateway.toml:2: ingest.workers: ", "nonzero");
    check_refused("[http\n", "gateway.toml:1: file: ", "]");
}

#[test]
fn one_broker_is_needed_and_one_is_enough() {
    check_value("[http]\n", "mqtt.servers");
    check_value(
        "[broker]\ncertificate = 'c'\nkey = 'k'\ndevice_authority = 'a'\n[mqtt]\nservers = ['mqtt://x']\n",
        "mqtt.servers",
    );
    check_value("[mqtt]\nservers = ['mqtts://x']\ncertificate = 'c'\n", "mqtt.key");
    check_value("[mqtt]\nservers = ['mqtts://x']\nname = 'a/b'\n", "mqtt.name");
    check_value("[mqtt]\nservers = ['mqtts://x']\npassword_file = '/no/such/file'\n", "mqtt.password_file");
}

#[test]
fn brokers_are_read_with_their_default_ports() {
    for (text, host, port, tls) in [
        ("mqtt://broker", "broker", 1883, false),
        ("mqtts://broker", "broker", 8883, true),
        ("mqtts://broker:1", "broker", 1, true),
        ("mqtt://[::1]:7", "::1", 7, false),
        ("mqtt://[::1]", "::1", 1883, false),
    ] {
        assert_eq!(text.parse(), Ok(Server { host: host.to_owned(), port, tls }), "{text}");
    }
    for text in ["broker", "mqtt://", "mqtt://a/b", "mqtt://u@a", "mqtt://a:b", "mqtt://a:99999"] {
        assert!(text.parse::<Server>().is_err(), "{text}");
    }
}

#[test]
fn secrets_do_not_show() {
    let text = format!("{SMALLEST}[database]\nurl = 'postgres://u:hunter2@h/d'\n");
    let config = Config::parse(Path::new("gateway.toml"), &text).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let error = Config::parse(Path::new("x"), "[database]\nurl = 'mysql://u:hunter2@h'\n").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

fn check_refused(text: &str, start: &str, contains: &str) {
    let error = Config::parse(Path::new("gateway.toml"), text).unwrap_err().to_string();
    assert!(error.starts_with(start) && error.contains(contains), "{text:?} gave {error:?}");
}

fn check_value(text: &str, named: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    let error = Config::load(&file).unwrap_err();
    assert!(matches!(&error, ConfigError::Value { field, .. } if *field == named), "{text:?} gave {error}");
}
