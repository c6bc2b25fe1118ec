//! A TCP proxy that is a bad network.
//!
//! Bytes are never lost inside a connection, as TCP never loses them: what is held back goes on when the network is well
//! again, or the connection is cut. What one side does last, its end or its reset, waits like the bytes before it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::RigError;

/// Bytes that are read at once at most.
const CHUNK: usize = 16 * 1024;
/// Chunks of one direction of a connection that are on their way at most; then nothing more is read.
const ON_THEIR_WAY: usize = 64;
/// Connections at once at most; the next ones wait to be accepted.
const CONNECTIONS: usize = 16 * 1024;

/// What becomes of bytes that go in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They pass.
    #[default]
    Pass,
    /// They arrive this much later, in order.
    Delay(Duration),
    /// None arrives until this changes.
    Hold,
}

/// How the network is, for each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// From the client to the server.
    pub to_server: Flow,
    /// From the server to the client.
    pub to_client: Flow,
}

impl Conditions {
    /// Everything passes.
    pub const WELL: Self = Self::both(Flow::Pass);
    /// Connections are accepted, and nothing goes either way.
    pub const BLACK_HOLE: Self = Self::both(Flow::Hold);

    /// Makes the same of both directions.
    pub const fn both(flow: Flow) -> Self {
        Self { to_server: flow, to_client: flow }
    }
}

/// A proxy on a thread of its own, between whoever connects to its port and one server. Its connections end with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    connections: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    conditions: Conditions,
    /// How often all connections were cut.
    cuts: u64,
    stop: bool,
}

impl Proxy {
    /// Starts one in front of `server`, which need not be there yet.
    pub fn start(server: SocketAddr) -> Result<Self, RigError> {
        let cannot = || RigError::io("start a proxy");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot())?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(cannot())?;
        listener.set_nonblocking(true).map_err(cannot())?;
        let port = listener.local_addr().map_err(cannot())?.port();
        let (state, watched) = watch::channel(State::default());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let serve = move || runtime.block_on(serve(listener, server, watched, &count));
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(serve).map_err(cannot())?;
        Ok(Self { port, state, connections, thread: Some(thread) })
    }

    /// Starts one in front of a server on this machine.
    pub fn to_port(port: u16) -> Result<Self, RigError> {
        Self::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Makes the network be like this from now on.
    pub fn set(&self, conditions: Conditions) {
        self.state.send_modify(|state| state.conditions = conditions);
    }

    /// Resets every connection there is, on both sides; what was held back is lost with it. New ones are accepted.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts = state.cuts.saturating_add(1));
    }

    /// Returns the port on 127.0.0.1 that stands for the server's.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns how many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.send_modify(|state| state.stop = true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    server: SocketAddr,
    mut state: watch::Receiver<State>,
    count: &AtomicUsize,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut tasks = JoinSet::new();
    while !state.borrow_and_update().stop {
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            Some(_ended) = tasks.join_next() => {}
            // One that was reset before it was accepted is no reason to end.
            accepted = listener.accept(), if tasks.len() < CONNECTIONS => if let Ok((client, _)) = accepted {
                tasks.spawn(carry(client, server, state.clone()));
            }
        }
        count.store(tasks.len(), Ordering::Relaxed);
    }
}

/// One side of a connection. Unless it ended well, the other end sees a reset.
struct Side {
    stream: TcpStream,
    has_ended_well: bool,
}

impl Side {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, has_ended_well: false })
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if !self.has_ended_well {
            drop(self.stream.set_zero_linger());
        }
    }
}

/// Carries one connection to its end.
async fn carry(client: TcpStream, server: SocketAddr, state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let mut for_cut = state.clone();
    let is_cut = for_cut.wait_for(|state| state.cuts != cuts);
    let carried = async {
        let mut client = Side::new(client)?;
        // Into a black hole nobody connects.
        passes(&state, |conditions| conditions.to_server).await?;
        let mut server = Side::new(TcpStream::connect(server).await?)?;
        between(&mut client.stream, &mut server.stream, &state).await?;
        client.has_ended_well = true;
        server.has_ended_well = true;
        io::Result::Ok(())
    };
    // However it ends, both sides have seen it.
    tokio::select! {
        _cut = is_cut => {}
        _carried = carried => {}
    }
}

async fn between(client: &mut TcpStream, server: &mut TcpStream, state: &watch::Receiver<State>) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        pump(from_client, to_server, state, |conditions| conditions.to_server),
        pump(from_server, to_client, state, |conditions| conditions.to_client),
    )?;
    Ok(())
}

/// Waits until bytes of a direction are not held back.
async fn passes(state: &watch::Receiver<State>, direction: fn(&Conditions) -> Flow) -> io::Result<()> {
    let mut state = state.clone();
    let passing = state.wait_for(|state| direction(&state.conditions) != Flow::Hold).await;
    passing.map(drop).map_err(io::Error::other)
}

/// Something on its way.
struct Chunk {
    due: Instant,
    /// What was read; an error stands for a reset.
    read: io::Result<Vec<u8>>,
}

/// Carries one direction until its sender has no more to say.
async fn pump(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    state: &watch::Receiver<State>,
    direction: fn(&Conditions) -> Flow,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(ON_THEIR_WAY);
    let delay = || match direction(&state.borrow().conditions) {
        Flow::Delay(delay) => delay,
        Flow::Pass | Flow::Hold => Duration::ZERO,
    };
    let mut taken = pin!(take_in(from, sender, delay));
    let mut sent = pin!(send_out(to, receiver, state, direction));
    tokio::select! {
        () = &mut taken => sent.await,
        sent = &mut sent => sent,
    }
}

async fn take_in(from: ReadHalf<'_>, sender: mpsc::Sender<Chunk>, delay: impl Fn() -> Duration) {
    loop {
        let read = match from.readable().await {
            Ok(()) => {
                let mut bytes = Vec::with_capacity(CHUNK);
                from.try_read_buf(&mut bytes).map(|_len| bytes)
            }
            Err(error) => Err(error),
        };
        let is_last = match &read {
            Ok(bytes) if bytes.is_empty() => return,
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => true,
        };
        let chunk = Chunk { due: Instant::now() + delay(), read };
        if sender.send(chunk).await.is_err() || is_last {
            return;
        }
    }
}

async fn send_out(
    mut to: WriteHalf<'_>,
    mut receiver: mpsc::Receiver<Chunk>,
    state: &watch::Receiver<State>,
    direction: fn(&Conditions) -> Flow,
) -> io::Result<()> {
    let mut watched = state.clone();
    while let Some(Chunk { due, read }) = receiver.recv().await {
        loop {
            let flow = direction(&watched.borrow_and_update().conditions);
            let changed = watched.changed();
            if flow == Flow::Hold {
                changed.await.map_err(io::Error::other)?;
            } else if timeout_at(due, changed).await.is_err() {
                break;
            }
        }
        to.write_all(&read?).await?;
    }
    passes(state, direction).await?;
    to.shutdown().await
}
