//! The whole gateway, with its API, between a broker and a database.

use std::path::Path;
use std::sync::Arc;

use gateway::app::App;
use gateway::clock::now_ms;
use gateway::db::Database;
use gateway::health::Health;
use gateway::http::auth::{Role, Scope};
use gateway::http::tokens::{self, NewToken};
use protocol::{
    CommandId, CommandRequest, CommandState, CommandStatus, Desired, Presence, Reported, Topic, Watermark, decode,
    encode,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::devices::{Device, SOON, batch};
use crate::servers::{Mosquitto, Postgres, config, sqlite_url};

/// A gateway in this process.
struct Gateway {
    base: String,
    database: Database,
    health: Arc<Health>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    admin: String,
}

impl Gateway {
    async fn start(port: u16, database: &str, more: &str) -> Self {
        let text = format!(
            "[http]\nlisten = '127.0.0.1:0'\n[database]\nurl = '{database}'\n\
             [mqtt]\nservers = ['mqtt://127.0.0.1:{port}']\nname = 'test'\n{more}"
        );
        let app = App::build(config(&text)).await.unwrap();
        let base = format!("http://{}", app.address().unwrap());
        let (database, health, stop) = (app.database(), app.health(), CancellationToken::new());
        let task = tokio::spawn(app.run(stop.clone()));
        let admin = token(&database, Role::Admin, &[]).await;
        let gateway = Self { base, database, health, stop, task, admin };
        let ready = async {
            while !gateway.health.is_ready() {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, ready).await.unwrap_or_else(|_| panic!("{:?}", gateway.health.readiness()));
        gateway
    }

    async fn on_sqlite(mosquitto: &Mosquitto, folder: &Path) -> Self {
        Self::start(mosquitto.port, &sqlite_url(folder), "").await
    }

    async fn ask_as(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = client().request(method, format!("{}{path}", self.base)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        if status.is_client_error() {
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        }
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask_as(&self.admin, Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask_as(&self.admin, method, path, Some(body)).await
    }

    /// Asks until the answer is as wanted.
    async fn wait(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let waiting = async {
            loop {
                last = self.ask_as(&self.admin, Method::GET, path, None).await.1;
                if wanted(&last) {
                    return last.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        match timeout(SOON, waiting).await {
            Ok(found) => found,
            Err(elapsed) => panic!("{path} never became as wanted: {elapsed}"),
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
    }
}

fn client() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::new()
}

async fn token(database: &Database, role: Role, scopes: &[Scope]) -> String {
    let new = NewToken { name: "test".to_owned(), role, scopes: scopes.to_vec(), lifetime: None };
    tokens::create(database, "test", &new, now_ms()).await.unwrap().expose()
}

async fn birth(device: &Device) {
    let presence = Presence::birth(device.id.clone(), 5, 1);
    device.publish(&Topic::Presence { device: device.id.clone() }, encode(&presence).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_seen_told_and_read_over_the_api() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::on_sqlite(&mosquitto, folder.path()).await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    birth(&device).await;
    let mut reported = Reported::new(5, 1);
    reported.board = Some("Raspberry Pi 5".to_owned());
    device.publish(&Topic::Reported { device: device.id.clone() }, encode(&reported).unwrap()).await;
    let seen = gateway.wait("/api/v1/devices/box-1", |device| device["reported"].is_object()).await;
    assert_eq!((&seen["online"], &seen["reported"]["board"]), (&json!(true), &json!("Raspberry Pi 5")));

    device.send(1, 7).await;
    device.wait_for_watermark(7).await;
    let page = gateway.get("/api/v1/devices/box-1/events?stream=calls&limit=4").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 4);
    assert_eq!(page["items"][3]["data"]["text"], "שלום");
    let next = page["next"].as_str().unwrap();
    let rest = gateway.get(&format!("/api/v1/devices/box-1/events?stream=calls&after={next}")).await;
    let numbers: Vec<i64> = rest["items"].as_array().unwrap().iter().map(|it| it["seq"].as_i64().unwrap()).collect();
    assert_eq!((numbers, &rest["next"]), (vec![5, 6, 7], &Value::Null));
    assert_eq!(gateway.get("/api/v1/devices/box-1/streams").await[0]["watermark"], 7);

    let put = |version: u64, level: &str| json!({ "expected_version": version, "config": { "log_level": level } });
    let path = "/api/v1/devices/box-1/desired";
    let (status, body) = gateway.ask(Method::PUT, path, put(0, "debug")).await;
    assert_eq!((status, &body["version"]), (StatusCode::OK, &json!(1)));
    let (status, body) = gateway.ask(Method::PUT, path, put(0, "info")).await;
    assert_eq!((status, &body["current_version"]), (StatusCode::CONFLICT, &json!(1)));
    let topic = Topic::Desired { device: device.id.clone() };
    let told: Desired = decode(&topic, &device.wait_for(&topic).await).unwrap();
    assert_eq!((told.version, told.config.log_level), (1, Some(protocol::LogLevel::Debug)));
    gateway.wait(path, |wish| wish["published"] == true).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_goes_out_comes_back_done_and_is_cleared() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::on_sqlite(&mosquitto, folder.path()).await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    birth(&device).await;
    gateway.wait("/api/v1/devices/box-1", |device| device["online"] == true).await;
    let path = "/api/v1/devices/box-1/commands";
    let (status, _) = gateway.ask(Method::POST, path, json!({ "kind": "fly" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let give = json!({ "kind": "doctor", "id": "c-1", "ttl": "1h" });
    let (status, _) = gateway.ask(Method::POST, path, give.clone()).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(gateway.ask(Method::POST, path, give).await.0, StatusCode::CONFLICT);
    let command: CommandId = "c-1".parse().unwrap();
    let topic = Topic::CommandRequest { device: device.id.clone(), command: command.clone() };
    let request: CommandRequest = decode(&topic, &device.wait_for(&topic).await).unwrap();
    assert_eq!((request.kind, request.ttl_ms), (CommandRequest::DOCTOR, 3_600_000));
    let status_topic = Topic::CommandStatus { device: device.id.clone(), command: command.clone() };
    for state in [CommandState::Running, CommandState::Accepted, CommandState::Succeeded] {
        device.publish(&status_topic, encode(&CommandStatus::new(command.clone(), state)).unwrap()).await;
    }
    gateway.wait(&format!("{path}/c-1"), |command| command["state"] == "succeeded").await;
    assert!(device.wait_for(&topic).await.is_empty(), "the request is cleared");
    let audit = gateway.get("/api/v1/audit").await;
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["token.make", "command.give"]);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_and_tags_choose_devices() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::on_sqlite(&mosquitto, folder.path()).await;
    for name in ["box-1", "box-2", "box-3"] {
        let device = Device::connect(name, mosquitto.port).await;
        birth(&device).await;
        gateway.wait(&format!("/api/v1/devices/{name}"), |device| device["online"] == true).await;
    }
    let put = async |path: &str, body: Value| gateway.ask(Method::PUT, path, body).await.0;
    assert_eq!(put("/api/v1/groups/pilot", json!({ "description": "first wave" })).await, StatusCode::NO_CONTENT);
    assert_eq!(put("/api/v1/groups/pilot/devices/box-2", Value::Null).await, StatusCode::NO_CONTENT);
    assert_eq!(put("/api/v1/groups/none/devices/box-2", Value::Null).await, StatusCode::NOT_FOUND);
    assert_eq!(put("/api/v1/devices/box-3/tags/noisy", Value::Null).await, StatusCode::NO_CONTENT);
    assert_eq!(put("/api/v1/devices/box-9/tags/noisy", Value::Null).await, StatusCode::NOT_FOUND);
    let names = async |query: &str| -> Vec<String> {
        let page = gateway.get(&format!("/api/v1/devices?{query}")).await;
        page["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("group=pilot").await, ["box-2"]);
    assert_eq!(names("tag=noisy").await, ["box-3"]);
    assert_eq!(names("limit=2").await, ["box-1", "box-2"]);
    assert_eq!(names("after=box-2").await, ["box-3"]);
    let (status, _) = gateway.ask_as(&gateway.admin, Method::DELETE, "/api/v1/groups/pilot", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(names("group=pilot").await.is_empty());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_may_what_its_role_and_scopes_say_and_nothing_once_revoked() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::on_sqlite(&mosquitto, folder.path()).await;
    let viewer = token(&gateway.database, Role::Viewer, &[]).await;
    let narrow = token(&gateway.database, Role::Admin, &[Scope::AuditRead]).await;
    let status = async |token: &str, path: &str| gateway.ask_as(token, Method::GET, path, None).await.0;
    assert_eq!(status(&viewer, "/api/v1/devices").await, StatusCode::OK);
    assert_eq!(status(&viewer, "/api/v1/quarantine").await, StatusCode::FORBIDDEN);
    assert_eq!(status(&viewer, "/api/v1/tokens").await, StatusCode::FORBIDDEN);
    assert_eq!(status(&narrow, "/api/v1/audit").await, StatusCode::OK);
    assert_eq!(status(&narrow, "/api/v1/devices").await, StatusCode::FORBIDDEN);
    assert_eq!(status("kbx_nonsense", "/api/v1/devices").await, StatusCode::UNAUTHORIZED);
    let mut forged = viewer.clone();
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    assert_eq!(status(&forged, "/api/v1/devices").await, StatusCode::UNAUTHORIZED);
    let (made, body) = gateway
        .ask(Method::POST, "/api/v1/tokens", json!({ "name": "ci", "role": "operator", "scopes": ["tokens:write"] }))
        .await;
    assert_eq!(made, StatusCode::BAD_REQUEST, "{body}");
    let id = viewer.split('_').nth(1).unwrap();
    let (gone, _) = gateway.ask_as(&gateway.admin, Method::DELETE, &format!("/api/v1/tokens/{id}"), None).await;
    assert_eq!(gone, StatusCode::NO_CONTENT);
    assert_eq!(status(&viewer, "/api/v1/devices").await, StatusCode::UNAUTHORIZED);
    let listed = gateway.get("/api/v1/tokens").await.to_string();
    assert!(!listed.contains(viewer.split('_').nth(2).unwrap()), "a secret is shown");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_refuses_a_token_without_its_scope() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::on_sqlite(&mosquitto, folder.path()).await;
    let document: Value =
        client().get(format!("{}/api/openapi.json", gateway.base)).send().await.unwrap().json().await.unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(scope) = operation["x-scope"].as_str() else { continue };
            let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| other.as_str() != scope).collect();
            let token = token(&gateway.database, Role::Admin, &others).await;
            let path = path.replace(['{', '}'], "");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let (status, body) = gateway.ask_as(&token, method.clone(), &path, Some(json!({}))).await;
            assert_eq!((status, &body["scope"]), (StatusCode::FORBIDDEN, &json!(scope)), "{method} {path}");
        }
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_followed_live_and_from_where_one_left_off() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::on_sqlite(&mosquitto, folder.path()).await;
    let mut live = follow(&gateway, "").await;
    let device = Device::connect("box-1", mosquitto.port).await;
    birth(&device).await;
    let text = read_until(&mut live, "presence").await;
    assert!(text.contains("id: 1") && text.contains(r#""device":"box-1""#), "{text}");
    let will = Presence::birth(device.id.clone(), 5, 1).will();
    device.publish(&Topic::Presence { device: device.id.clone() }, encode(&will).unwrap()).await;
    read_until(&mut live, r#""online":false"#).await;
    let mut again = follow(&gateway, "?after=1").await;
    let text = read_until(&mut again, r#""online":false"#).await;
    assert!(!text.contains("id: 1\n"), "{text}");
    gateway.stop().await;
}

async fn follow(gateway: &Gateway, query: &str) -> reqwest::Response {
    let url = format!("{}/api/v1/changes{query}", gateway.base);
    let answer = client().get(url).bearer_auth(&gateway.admin).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

async fn read_until(live: &mut reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    let reading = async {
        while !text.contains(wanted) || !text.ends_with("\n\n") {
            text += std::str::from_utf8(&live.chunk().await.unwrap().unwrap()).unwrap();
        }
    };
    timeout(SOON, reading).await.unwrap_or_else(|_| panic!("nothing of {wanted}"));
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_kept_is_read_at_start_and_what_was_wished_meanwhile_is_told() {
    let (mosquitto, postgres) = (Mosquitto::start(), Postgres::start());
    let mut device = Device::connect("box-1", mosquitto.port).await;
    birth(&device).await;
    let url = postgres.database("kept");
    let gateway = Gateway::start(mosquitto.port, &url, "[ingest]\nworkers = 1\n").await;
    gateway.wait("/api/v1/devices/box-1", |device| device["online"] == true).await;
    gateway.stop().await;
    let gateway = Gateway::start(mosquitto.port, &url, "").await;
    let wish = json!({ "expected_version": 0, "config": { "log_level": "trace" } });
    assert_eq!(gateway.ask(Method::PUT, "/api/v1/devices/box-1/desired", wish).await.0, StatusCode::OK);
    let topic = Topic::Desired { device: device.id.clone() };
    assert!(!device.wait_for(&topic).await.is_empty());
    gateway.stop().await;
}

/// Killed before its first autosave, after half an hour, Mosquitto has nothing on its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_lost_its_memory_is_told_again_what_stands() {
    let (mut mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::on_sqlite(&mosquitto, folder.path()).await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    birth(&device).await;
    for through in 1..=5 {
        device.send(through, through).await;
    }
    device.wait_for_watermark(5).await;
    gateway.wait("/api/v1/devices/box-1", |device| device["online"] == true).await;
    let wish = json!({ "expected_version": 0, "config": { "log_level": "trace" } });
    assert_eq!(gateway.ask(Method::PUT, "/api/v1/devices/box-1/desired", wish).await.0, StatusCode::OK);
    let give = json!({ "kind": "doctor", "id": "c-1", "ttl": "1h" });
    assert_eq!(gateway.ask(Method::POST, "/api/v1/devices/box-1/commands", give).await.0, StatusCode::CREATED);
    let id = device.id.clone();
    let desired = Topic::Desired { device: id.clone() };
    let request = Topic::CommandRequest { device: id.clone(), command: "c-1".parse().unwrap() };
    let ack = Topic::Ack { device: id.clone(), stream: protocol::Stream::Calls };
    device.wait_for_each([&desired, &request]).await;
    drop(device);

    mosquitto.kill();
    mosquitto.start_again();
    let mut device = Device::connect("box-1", mosquitto.port).await;
    let [desired_told, request_told, ack_told] = device.wait_for_each([&desired, &request, &ack]).await;
    assert_eq!(decode::<Desired>(&desired, &desired_told).unwrap().version, 1);
    assert_eq!(decode::<CommandRequest>(&request, &request_told).unwrap().kind, CommandRequest::DOCTOR);
    // Two workers tell what they told lately, in no order between them, and everything that stands is told besides.
    if decode::<Watermark>(&ack, &ack_told).unwrap().through != 5 {
        device.wait_for_watermark(5).await;
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_is_told_so_and_probes_still_pass() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway =
        Gateway::start(mosquitto.port, &sqlite_url(folder.path()), "[limits]\nrequests_per_second = 1\n").await;
    let mut last = StatusCode::OK;
    for _ in 0..10 {
        last = gateway.ask_as(&gateway.admin, Method::GET, "/api/v1/devices", None).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client().get(format!("{}{path}", gateway.base)).send().await.unwrap().status(), StatusCode::OK);
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_counted_shown_and_holds_nothing_up() {
    let (mosquitto, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::on_sqlite(&mosquitto, folder.path()).await;
    let mut device = Device::connect("box-1", mosquitto.port).await;
    let topic = Topic::Up { device: device.id.clone(), stream: protocol::Stream::Calls };
    device.publish(&topic, b"not json".to_vec()).await;
    device.publish(&topic, vec![b'{'; 1024 * 1024]).await;
    device.publish(&topic, encode(&batch("box-2", 1, 2)).unwrap()).await;
    device.publish(&topic, br#"{"v":9,"device":"box-1"}"#.to_vec()).await;
    device.send(1, 3).await;
    device.wait_for_watermark(3).await;
    let page = gateway.get("/api/v1/quarantine?device=box-1").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 4, "{page}");
    let figures = client().get(format!("{}/metrics", gateway.base)).send().await.unwrap().text().await.unwrap();
    for cause in ["too_long", "wrong_device", "future_version"] {
        assert!(figures.contains(&format!("messages_refused_total{{reason=\"{cause}\"}} 1")), "{cause}:\n{figures}");
    }
    gateway.stop().await;
}
