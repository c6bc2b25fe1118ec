use std::num::NonZeroUsize;
use std::time::Duration;

use e2e::{BoxOptions, KEY, PATIENCE, Socket, TestBox, incoming_params, wait_until};
use testcall::new_call_id;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use units::CallId;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_sends_half_a_header_line_is_closed_at_the_time_out_and_counted() {
    let options = BoxOptions::default().configured(|config| {
        config.http.header_read_timeout = Duration::from_secs(1);
    });
    let target = TestBox::start(options).await.unwrap();
    let call = new_call_id();
    let mut socket = connected(&target, &call).await;
    let mut stranger = TcpStream::connect(target.address).await.unwrap();
    stranger.write_all(b"POST /webhook/incoming_call HTTP/1.1\r\nhost: box\r\nx-sl").await.unwrap();
    closed(&mut stranger).await;
    let count = r#"kolbox_connections_closed_total{reason="header_timeout"}"#;
    assert_eq!(target.figure(count).await.unwrap(), 1.0);
    // The call's own connection is far older than that by now, and goes on.
    socket.silence().await.unwrap();
    socket.spoken_to().await.unwrap();
    drop(socket);
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_take_every_connection_cut_no_call_and_keep_no_webhook_out() {
    const PLACES: usize = 8;
    let options = BoxOptions::default().configured(|config| {
        config.limits.connections = NonZeroUsize::new(PLACES).unwrap();
        config.http.header_read_timeout = PATIENCE * 10;
        config.http.keep_alive_timeout = PATIENCE * 10;
    });
    let target = TestBox::start(options).await.unwrap();
    let mut socket = connected(&target, &new_call_id()).await;
    let (mut strangers, mut carriers) = (Vec::new(), Vec::new());
    for round in 0..3 {
        for number in 0..PLACES {
            let mut stranger = TcpStream::connect(target.address).await.unwrap();
            // Some say nothing, some half a head.
            let says = if number % 2 == 0 { "" } else { "GET /healthz HTTP/1.1\r\nhost:" };
            stranger.write_all(says.as_bytes()).await.unwrap();
            strangers.push(stranger);
        }
        wait_until("every place taken", async || {
            (usize::try_from(target.parts.metrics.connections_open.get()).ok()? == PLACES).then_some(())
        })
        .await
        .unwrap();
        // A connection of its own, as a carrier that has not called before.
        let fresh = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let call = new_call_id();
        let ringing = target.webhook("/webhook/incoming_call", &incoming_params(&call), KEY).unwrap().build().unwrap();
        let answer = fresh.execute(ringing).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "round {round}");
        assert!(target.record(&call).unwrap().is_some());
        target.parts.switchboard.forget(&call);
        // It keeps its connection, so that only the box closes any.
        carriers.push(fresh);
        socket.silence().await.unwrap();
        socket.spoken_to().await.unwrap();
    }
    for stranger in strangers.iter_mut().take(PLACES) {
        closed(stranger).await;
    }
    let shed = target.figure(r#"kolbox_connections_closed_total{reason="shed"}"#).await.unwrap();
    let others = strangers.len() + carriers.len();
    assert!(shed >= 20.0, "of {others} connections and the first only {PLACES} can be left, and {shed} made room");
    assert_eq!(target.figure(r#"kolbox_connections_closed_total{reason="refused"}"#).await.unwrap(), 0.0);
    drop((socket, strangers, carriers));
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}

/// Rings and opens the call's stream.
async fn connected(target: &TestBox, call: &CallId) -> Socket {
    let token = target.ring(call).await.unwrap().token().unwrap();
    let mut socket = Socket::plain(target).await.unwrap();
    socket.start(call, Some(&token)).await.unwrap();
    socket.spoken_to().await.unwrap();
    socket
}

/// Waits until the box has closed a connection; a reset is an end too.
async fn closed(stranger: &mut TcpStream) {
    let mut answer = Vec::new();
    drop(timeout(PATIENCE, stranger.read_to_end(&mut answer)).await.expect("the box did not close the connection"));
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}
