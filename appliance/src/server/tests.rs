use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use speech::EarshotVad;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::app::App;
use crate::config::{Config, Secret};
use crate::voice::Engines;

#[tokio::test]
async fn a_box_without_engines_answers_its_probes_and_tells_what_is_missing() {
    let (_folder, app) = build_box("").await;
    let health = get(&app, "/healthz", &[]).await;
    assert_eq!((health.status(), text(health).await.as_str()), (StatusCode::OK, "ok"));
    let readyz = get(&app, "/readyz", &[]).await;
    assert_eq!(readyz.status(), StatusCode::OK, "readiness never fails because a part is missing");
    let readiness: serde_json::Value = serde_json::from_str(&text(readyz).await).unwrap();
    assert_eq!(readiness["status"], "degraded");
    assert_eq!(readiness["parts"]["recognizer"]["state"], "degraded");
    assert_eq!(readiness["parts"]["carrier_rest"]["state"], "disabled");
    assert_eq!(readiness["parts"]["store"]["state"], "ok");
}

#[tokio::test]
async fn the_version_names_program_commit_build_start_and_time() {
    let (_folder, app) = build_box("").await;
    let answer = get(&app, "/version", &[]).await;
    let version: serde_json::Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!(version["app"], "kolbox");
    for field in ["version", "commit", "build_time", "deploy_id"] {
        assert!(version[field].as_str().is_some_and(|value| !value.is_empty()), "{field} of {version}");
    }
    assert!(version["ts"].as_u64().is_some_and(|seconds| seconds > 1_600_000_000), "{version}");
}

#[tokio::test]
async fn only_a_configured_origin_may_read_how_the_box_is() {
    let (_folder, app) = build_box("allowed_origins = ['https://office.example.org']").await;
    for path in ["/healthz", "/readyz", "/version"] {
        let ours = get(&app, path, &[("origin", "https://office.example.org")]).await;
        let allowed = ours.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).unwrap();
        assert_eq!(allowed, "https://office.example.org", "{path}");
        let foreign = get(&app, path, &[("origin", "https://evil.example")]).await;
        assert!(foreign.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none(), "{path}");
    }
    let metrics = get(&app, "/metrics", &[("origin", "https://office.example.org")]).await;
    assert!(metrics.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
}

#[tokio::test]
async fn an_unsigned_webhook_is_refused_and_counted() {
    let (_folder, app) = build_box("").await;
    let request = Request::post("/webhook/incoming_call")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("CallSid=CA1"))
        .unwrap();
    assert_eq!(ask(&app, request).await.status(), StatusCode::FORBIDDEN);
    let metrics = text(get(&app, "/metrics", &[]).await).await;
    assert!(metrics.contains(r#"kolbox_webhooks_total{route="incoming_call",outcome="unsigned"} 1"#), "{metrics}");
}

async fn build_box(http: &str) -> (TempDir, App) {
    let folder = tempfile::tempdir().unwrap();
    let file = format!(
        "[http]\npublic_url = 'https://office.example.org'\n{http}\n[carrier]\n[store]\npath = '{}'\n",
        folder.path().join("store").display()
    );
    let mut config = Config::parse(Path::new("kolbox.toml"), &file).unwrap();
    config.carrier.auth_tokens = vec![Secret::new("a key for tests")];
    let engines = Engines {
        recognizer: Box::new(|| Err("there is no model in this test".into())),
        synthesizer: Box::new(|| Err("there is no voice in this test".into())),
        vad: Box::new(|| Box::new(EarshotVad::new())),
        prompts: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (folder, App::build(config, listener, engines).await.unwrap())
}

async fn get(app: &App, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    ask(app, request.body(Body::empty()).unwrap()).await
}

async fn ask(app: &App, request: Request<Body>) -> Response {
    let parts = Arc::clone(&app.parts());
    super::router(&parts).oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
