//! Servers that are killed and started again.

use std::net::TcpStream;
use std::path::Path;

use rig::{Gateway, Mosquitto, Postgres, RigError, beside_current_program, free_port, memory};

#[test]
fn a_killed_mosquitto_refuses_connections_and_comes_back_on_its_port() {
    let mut mosquitto = Mosquitto::start().unwrap();
    let address = ("127.0.0.1", mosquitto.port());
    assert!(mosquitto.memory().unwrap().resident > 1 << 20);
    TcpStream::connect(address).unwrap();
    mosquitto.kill().unwrap();
    TcpStream::connect(address).unwrap_err();
    mosquitto.memory().unwrap_err();
    mosquitto.start_again().unwrap();
    TcpStream::connect(address).unwrap();
}

#[test]
fn a_mosquitto_that_cannot_start_is_told_with_its_log() {
    let error = Mosquitto::start_with("no such setting").unwrap_err();
    assert!(matches!(error, RigError::Ended { .. }), "{error}");
}

#[test]
fn what_was_committed_is_there_after_a_killed_postgresql_came_back() {
    let mut postgres = Postgres::start_with(&["max_connections=20"]).unwrap();
    postgres.database("kept").unwrap();
    postgres.query("kept", "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)").unwrap();
    for _ in 0..3 {
        postgres.kill().unwrap();
        postgres.query("kept", "SELECT 1").unwrap_err();
        postgres.start_again().unwrap();
        postgres.wait_until_ready().unwrap();
        assert_eq!(postgres.query("kept", "SELECT n, n + 1 FROM t ORDER BY n").unwrap(), "1|2\n2|3\n");
    }
    assert_eq!(postgres.query("kept", "SHOW max_connections").unwrap(), "20\n");
    assert!(postgres.memory().unwrap().peak > 1 << 20);
}

#[test]
fn a_program_that_is_not_there_is_missed_by_name() {
    let error = Gateway::start(Path::new("/no/such/gateway"), "").unwrap_err();
    assert!(error.to_string().contains("/no/such/gateway"), "{error}");
    let error = beside_current_program("no-such-program").unwrap_err();
    assert!(error.to_string().starts_with("no-such-program is not installed; looked at /"), "{error}");
}

#[test]
fn ports_are_all_different_and_not_the_kernels() {
    let mut ports: Vec<u16> = (0..200).map(|_| free_port().unwrap()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 200);
    assert!(ports.iter().all(|port| (10_240..=32_767).contains(port)), "{ports:?}");
}

#[test]
fn this_process_weighs_something() {
    let weight = memory(std::process::id()).unwrap();
    assert!(weight.resident > 1 << 20 && weight.peak >= weight.resident, "{weight:?}");
}
