use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Closed, Limits, Patience, serve};
use crate::metrics::{Metrics, ReasonLabel};

const DEADLINE: Duration = Duration::from_secs(20);
const FOREVER: Duration = Duration::from_mins(5);
const LONG: Patience = Patience { head: FOREVER, keep_alive: FOREVER, stall: FOREVER };

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_is_closed_at_its_time_and_a_whole_one_is_answered() {
    let server = Server::start(8, Patience { head: Duration::from_millis(500), ..LONG }).await;
    for part in ["", "GET /quick HT", "GET /quick HTTP/1.1\r\nhost: b"] {
        let mut client = server.connect().await;
        client.write_all(part.as_bytes()).await.unwrap();
        assert_eq!(rest(&mut client).await, "", "{part:?}");
    }
    assert_eq!(server.closed(Closed::HeaderTimeout), 3);
    assert!(server.ask("/quick").await.ends_with("quick"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_kept_alive_has_a_time_of_its_own() {
    let patience = Patience { head: LONG.head, keep_alive: Duration::from_millis(500), stall: LONG.stall };
    let server = Server::start(8, patience).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.write_all(b"GET /quick HTTP/1.1\r\nhost: box\r\n\r\n").await.unwrap();
        read_until(&mut client, "quick").await;
    }
    assert_eq!(rest(&mut client).await, "");
    assert_eq!((server.closed(Closed::KeepAliveTimeout), server.closed(Closed::HeaderTimeout)), (1, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_is_given_up() {
    let server = Server::start(8, Patience { stall: Duration::from_millis(200), ..LONG }).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /large HTTP/1.1\r\nhost: box\r\n\r\n").await.unwrap();
    read_until(&mut client, "HTTP/1.1 200").await;
    let metrics = Arc::clone(&server.metrics);
    // The server stops only when the connection has ended, long before its own patience is over.
    server.stop().await;
    assert_eq!(count(&metrics, Closed::Stalled), 1);
    drop(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_waited_on_longest_makes_room_whether_idle_or_slow_with_a_body() {
    let server = Server::start(3, LONG).await;
    let mut slow = server.connect().await;
    slow.write_all(b"POST /body HTTP/1.1\r\nhost: box\r\ncontent-length: 10\r\n\r\n12345").await.unwrap();
    server.until_begun(1).await;
    let mut idle = server.connect().await;
    server.until_open(2).await;
    let mut kept = server.connect().await;
    kept.write_all(b"GET /quick HTTP/1.1\r\nhost: box\r\n\r\n").await.unwrap();
    read_until(&mut kept, "quick").await;
    let mut held = Vec::new();
    for gone in [&mut slow, &mut idle, &mut kept] {
        assert!(server.ask("/quick").await.ends_with("quick"));
        assert_eq!(rest(gone).await, "");
        // What asked has closed its connection; another takes the place that it left.
        server.until_open(2).await;
        let mut client = server.connect().await;
        client.write_all(b"GET /slow HTTP/1.1\r\nhost: box\r\n\r\n").await.unwrap();
        server.until_begun(1).await;
        held.push(client);
    }
    assert_eq!((server.closed(Closed::Shed), server.closed(Closed::Refused)), (3, 0));
    server.go.add_permits(held.len());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_place_works_one_more_is_refused_at_once_and_the_work_is_finished() {
    let server = Server::start(2, LONG).await;
    let mut working = Vec::new();
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.write_all(b"GET /slow HTTP/1.1\r\nhost: box\r\nconnection: close\r\n\r\n").await.unwrap();
        working.push(client);
    }
    server.until_begun(2).await;
    let refused = rest(&mut server.connect().await).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 1"), "{refused}");
    assert_eq!((server.closed(Closed::Refused), server.closed(Closed::Shed)), (1, 0));
    server.go.add_permits(2);
    for client in &mut working {
        assert!(rest(client).await.ends_with("slow"));
    }
    assert!(server.ask("/quick").await.ends_with("quick"), "there is room again");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_finishes_what_was_begun_and_keeps_nobody_waiting() {
    let server = Server::start(8, LONG).await;
    let mut idle = server.connect().await;
    server.until_open(1).await;
    let mut working = server.connect().await;
    working.write_all(b"GET /slow HTTP/1.1\r\nhost: box\r\n\r\n").await.unwrap();
    server.until_begun(1).await;
    server.closing.cancel();
    assert_eq!(rest(&mut idle).await, "");
    server.go.add_permits(1);
    assert!(rest(&mut working).await.ends_with("slow"));
    server.stop().await;
}

/// A server on a free port.
struct Server {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    /// A permit for each request to `/slow` or `/body` that was begun.
    begun: Arc<Semaphore>,
    /// A permit for each request to `/slow` that may go on.
    go: Arc<Semaphore>,
    closing: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(connections: usize, patience: Patience) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let metrics = Arc::new(Metrics::new());
        let closing = CancellationToken::new();
        let limits = Limits { connections: NonZeroUsize::new(connections).unwrap(), patience };
        let router = router(Arc::clone(&begun), Arc::clone(&go));
        let (counted, until) = (Arc::clone(&metrics), closing.clone());
        let task = tokio::spawn(async move { serve(listener, router, limits, &counted, until).await });
        Self { address, metrics, begun, go, closing, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Asks on a connection of its own and returns the whole answer.
    async fn ask(&self, path: &str) -> String {
        let mut client = self.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: box\r\nconnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        rest(&mut client).await
    }

    /// Waits until so many more requests are in their handlers.
    async fn until_begun(&self, count: u32) {
        timeout(DEADLINE, self.begun.acquire_many(count)).await.unwrap().unwrap().forget();
    }

    async fn until_open(&self, count: i64) {
        let open = async {
            while self.metrics.connections_open.get() != count {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, open).await.unwrap();
    }

    fn closed(&self, why: Closed) -> u64 {
        count(&self.metrics, why)
    }

    async fn stop(self) {
        self.closing.cancel();
        timeout(DEADLINE, self.task).await.unwrap().unwrap();
    }
}

fn router(begun: Arc<Semaphore>, go: Arc<Semaphore>) -> Router {
    let reading = Arc::clone(&begun);
    let body = move |body: Body| {
        reading.add_permits(1);
        async move { to_bytes(body, 1_024).await.map_err(|_cut| StatusCode::BAD_REQUEST) }
    };
    let slow = move || {
        let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
        async move {
            begun.add_permits(1);
            go.acquire().await.unwrap().forget();
            "slow"
        }
    };
    Router::new()
        .route("/quick", get(async || "quick"))
        .route("/large", get(async || vec![b'x'; 32 * 1024 * 1024]))
        .route("/body", post(body))
        .route("/slow", get(slow))
}

fn count(metrics: &Metrics, why: Closed) -> u64 {
    metrics.connections_closed.get_or_create(&ReasonLabel { reason: why.word() }).get()
}

/// Reads until the other end closes. A reset is an end too.
async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE, client.read_to_end(&mut bytes)).await.expect("nobody closed the connection");
    drop(read);
    String::from_utf8(bytes).unwrap()
}

async fn read_until(client: &mut TcpStream, end: &str) {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(end) {
        let read = timeout(DEADLINE, client.read_buf(&mut bytes)).await.unwrap().unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
    }
}
