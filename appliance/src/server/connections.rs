//! The connections under the requests: how many, how long, and who makes room.
//!
//! Behind a tunnel every stranger comes from the carrier's address, so nobody is told apart by address. What protects
//! the telephone instead:
//!
//! - A connection that does not send its request's head in time, keeps still too long or does not take its answer is
//!   closed ([`Patience`]).
//! - When every place is taken, the connection that is waited on longest for a request, or for the rest of one, makes
//!   room for the new one. A webhook's whole request is here within moments of its connection, so strangers who open
//!   and wait push out each other.
//! - When every place is taken by a request under way, the new connection is refused at once, with a 503 that asks to
//!   come again: the carrier repeats or falls back, which beats waiting in a queue.
//! - A media stream has left this table when its handshake is answered: it takes none of these places, makes room for
//!   nobody, and its number has a limit of its own (`limits.calls`).
//!
//! **Invariant:** every connection is a task of [`serve`] and ends with it at the latest.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::{BoxError, Router};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::activity::{Activity, Closed};
use crate::metrics::{Metrics, ReasonLabel};

pub use super::activity::Patience;

/// Longest wait for requests under way when nothing new is taken any more.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection, for lack of descriptors or memory.
const SYSTEM_PAUSE: Duration = Duration::from_millis(200);
/// Most bytes of a request's head, and of a body at a time, kept for one connection: what the carrier allows for a
/// document, and 32 MiB for 512 connections at worst.
const BUFFER_BYTES: usize = 64 * 1024;
/// What a connection beyond the limit is told.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How many connections, and how patient with each.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, media streams aside.
    pub connections: NonZeroUsize,
    /// How long each may be at one thing.
    pub patience: Patience,
}

/// Serves `router` until `closing` is cancelled; then finishes the requests under way within 5 s.
///
/// # Cancellation safety
///
/// Dropped half way, every connection is closed; media streams go on.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    metrics: &Metrics,
    closing: CancellationToken,
) {
    let mut table = Table { limits, metrics, open: Vec::new(), tasks: JoinSet::new(), is_full: false };
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            Some(ended) = table.tasks.join_next() => table.note(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => table.admit(stream, peer, &router, &closing).await,
                Err(error) => table.after_failed_accept(&error).await,
            },
        }
    }
    drop(listener);
    if timeout(LAST_ANSWERS, table.drained()).await.is_err() {
        tracing::warn!(connections = table.tasks.len(), "requests did not end in time");
        table.tasks.shutdown().await;
    }
    metrics.connections_open.set(0);
}

/// The connections there are.
struct Table<'a> {
    limits: Limits,
    metrics: &'a Metrics,
    open: Vec<Open>,
    tasks: JoinSet<Option<Closed>>,
    /// Whether it was said that every place is taken.
    is_full: bool,
}

struct Open {
    activity: Shared,
    task: AbortHandle,
}

impl Table<'_> {
    async fn admit(&mut self, stream: TcpStream, peer: SocketAddr, router: &Router, closing: &CancellationToken) {
        if !self.make_room().await {
            self.count(Closed::Refused);
            refuse(stream);
            return;
        }
        let activity = Shared::opened();
        let connection = attend(stream, peer, router.clone(), activity.clone(), self.limits.patience, closing.clone());
        let task = self.tasks.spawn(connection);
        self.open.push(Open { activity, task });
        self.gauge();
    }

    /// Returns whether there is a place, if need be after another connection was given up.
    async fn make_room(&mut self) -> bool {
        let limit = self.limits.connections.get();
        while let Some(ended) = self.tasks.try_join_next() {
            self.note(ended);
        }
        if self.tasks.len() >= limit && !self.is_full {
            self.is_full = true;
            tracing::warn!(limit, "every connection is taken; those that wait make room, others are refused");
        }
        while self.tasks.len() >= limit {
            if !self.shed() {
                return false;
            }
            // A task that is given up ends as soon as it is looked at; until then its socket counts.
            if let Some(ended) = self.tasks.join_next().await {
                self.note(ended);
            }
        }
        true
    }

    /// Gives up the connection that is waited on longest. Returns whether there was one.
    fn shed(&mut self) -> bool {
        loop {
            let waiting = self.open.iter().filter_map(|open| Some((open.activity.lock().waiting_since()?, open)));
            let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) else { return false };
            // Its request may have become whole since it was looked at; then it is the next one's turn.
            if longest.activity.lock().give_up() {
                longest.task.abort();
                self.count(Closed::Shed);
                return true;
            }
        }
    }

    async fn after_failed_accept(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return;
        }
        tracing::warn!(error = error as &dyn std::error::Error, "the system takes no connection; one makes room");
        self.shed();
        sleep(SYSTEM_PAUSE).await;
    }

    fn note(&mut self, ended: Result<Option<Closed>, JoinError>) {
        match ended {
            Ok(Some(why)) => self.count(why),
            Ok(None) => {}
            Err(error) if error.is_cancelled() => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "a connection ended in a bug"),
        }
        self.open.retain(|open| !open.task.is_finished());
        self.is_full &= self.tasks.len() > self.limits.connections.get() / 2;
        self.gauge();
    }

    async fn drained(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            self.note(ended);
        }
    }

    fn count(&self, why: Closed) {
        self.metrics.connections_closed.get_or_create(&ReasonLabel { reason: why.word() }).inc();
    }

    fn gauge(&self) {
        self.metrics.connections_open.set(i64::try_from(self.tasks.len()).unwrap_or(i64::MAX));
    }
}

/// Tells a connection that there is no place, as far as that goes without waiting.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        // Whoever is gone needs no answer.
        drop(stream.write(REFUSAL));
    }
}

/// Serves one connection to its end; says why the box closed it, if it did.
async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    activity: Shared,
    patience: Patience,
    closing: CancellationToken,
) -> Option<Closed> {
    // Audio goes out in small frames, which must not wait for each other.
    drop(stream.set_nodelay(true));
    let io = TokioIo::new(Watched { stream, activity: activity.clone() });
    let requests = activity.clone();
    let service = service_fn(move |request| answer(request, peer, router.clone(), requests.clone()));
    let mut builder = http1::Builder::new();
    // The times are kept here, where waiting for a head and waiting for a request are two things.
    builder.header_read_timeout(None).max_buf_size(BUFFER_BYTES);
    let mut connection = pin!(builder.serve_connection(io, service).with_upgrades());
    let mut closing = pin!(closing.cancelled_owned());
    let mut is_closing = false;
    let mut alarm = pin!(sleep_until(Instant::now()));
    // What the connection does changes only while it is polled, so its deadline is looked up after each poll.
    poll_fn(|cx| {
        loop {
            // How a request failed was told to whom it concerns; that the other end went away is nobody's business.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if is_closing || closing.as_mut().poll(cx).is_pending() {
                break;
            }
            is_closing = true;
            connection.as_mut().graceful_shutdown();
        }
        let deadline = activity.lock().deadline(&patience);
        let Some((at, why)) = deadline else { return Poll::Pending };
        if alarm.deadline() != at {
            alarm.as_mut().reset(at);
        }
        alarm.as_mut().poll(cx).map(|()| Some(why))
    })
    .await
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    router: Router,
    activity: Shared,
) -> Result<Response<Sending>, GivenUp> {
    let has_body = !request.body().is_end_stream();
    if !activity.lock().request(Instant::now(), has_body) {
        return Err(GivenUp);
    }
    let mut request = request.map(|body| Body::new(Receiving { body, activity: activity.clone() }));
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    activity.lock().answered(Instant::now());
    Ok(response.map(|body| Sending { body, activity }))
}

/// The connection had to make room.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection had to make room for another")]
struct GivenUp;

/// A connection's activity, seen by its task and by the table.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<Activity>>);

impl Shared {
    fn opened() -> Self {
        Self(Arc::new(Mutex::new(Activity::opened(Instant::now()))))
    }

    fn lock(&self) -> MutexGuard<'_, Activity> {
        // Each change is whole before anything in it can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that notes when bytes go in and out.
struct Watched {
    stream: TcpStream,
    activity: Shared,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.lock().received(Instant::now());
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.note_sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.activity.lock().flushed(Instant::now());
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Watched {
    fn note_sent(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(count)) if *count > 0) {
            self.activity.lock().sent(Instant::now());
        }
    }
}

/// A request's body on its way in.
struct Receiving {
    body: Incoming,
    activity: Shared,
}

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let is_whole = matches!(frame, Poll::Ready(None)) || self.body.is_end_stream();
        // A request that was given up must not be acted on, although the rest of it has just come.
        if is_whole && !self.activity.lock().body_read(Instant::now()) {
            return Poll::Ready(Some(Err(GivenUp.into())));
        }
        frame.map_err(BoxError::from)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.activity.lock().body_read(Instant::now());
    }
}

/// An answer's body on its way out. Dropped when the last of it was handed to the connection.
struct Sending {
    body: Body,
    activity: Shared,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.activity.lock().finished(Instant::now());
    }
}

#[cfg(test)]
mod tests;
