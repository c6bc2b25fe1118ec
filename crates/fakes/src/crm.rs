//! An office's CRM as a receiver of deliveries: it checks who they are from, takes them or fails, and remembers all.
//!
//! Plain HTTP/1.1 by hand, one request a connection, because a connection has to be cut at the worst moments.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leads::Delivery;
use leads::signature::{SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER, verify};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// The longest request, in bytes.
const MAX_REQUEST: usize = 1024 * 1024;

/// What the receiver does with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Takes it and says so.
    Take,
    /// Takes it and says so after a while.
    TakeLate(Duration),
    /// Takes it and says nothing: the connection ends.
    TakeAndCut,
    /// Does not take it and answers this status.
    Refuse(u16),
    /// Does not take it and asks to be left alone for so many seconds.
    RefuseFor(u32),
    /// Does not take it and sends whoever asks elsewhere.
    Redirect,
    /// Does not take it and says nothing: the connection ends.
    Cut,
}

impl Reaction {
    /// Tells whether the receiver has it then.
    pub const fn takes(self) -> bool {
        matches!(self, Self::Take | Self::TakeLate(_) | Self::TakeAndCut)
    }
}

/// A delivery as it came in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The header `Idempotency-Key`.
    pub key: String,
    /// The body.
    pub body: Vec<u8>,
    /// What it says, if it is a delivery.
    pub delivery: Option<Delivery>,
    /// Whether its signature is right and recent.
    pub proof: Result<(), SignatureError>,
    /// What the receiver did.
    pub reaction: Reaction,
}

/// Decides what is done with a delivery.
type Decide = Box<dyn FnMut(&Delivery) -> Reaction + Send>;

/// The receiver, while it serves.
pub struct Crm {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

struct State {
    secret: Vec<u8>,
    decide: Decide,
    arrivals: Vec<Arrival>,
}

impl Crm {
    /// Serves on a free port; takes what comes and checks it with this secret.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(secret: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state =
            State { secret: secret.as_bytes().to_vec(), decide: Box::new(|_| Reaction::Take), arrivals: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, server })
    }

    /// Returns where deliveries go.
    pub fn url(&self) -> String {
        format!("http://{}/hooks/kolbox", self.address)
    }

    /// Does with each delivery from now on what `decide` says.
    pub fn decide(&self, decide: impl FnMut(&Delivery) -> Reaction + Send + 'static) {
        locked(&self.state).decide = Box::new(decide);
    }

    /// Returns what came in so far, in order: each as soon as its last byte was there.
    pub fn arrivals(&self) -> Vec<Arrival> {
        locked(&self.state).arrivals.clone()
    }
}

impl Drop for Crm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn locked(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let state = Arc::clone(&state);
                    // Who went away goes without an answer.
                    connections.spawn(async move { drop(answer(stream, &state).await) });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let Some((head, body)) = read(&mut stream).await? else { return Ok(()) };
    let header = |name: &str| {
        let found = head.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let now_secs = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let reaction = {
        let mut state = locked(state);
        let (timestamp, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
        let proof = verify(&state.secret, &timestamp, &signature, &body, now_secs);
        let delivery: Option<Delivery> = serde_json::from_slice(&body).ok();
        let reaction = match (&delivery, proof) {
            (Some(delivery), Ok(())) => (state.decide)(delivery),
            (Some(_), Err(_)) => Reaction::Refuse(401),
            (None, _) => Reaction::Refuse(400),
        };
        state.arrivals.push(Arrival { key: header("Idempotency-Key"), body, delivery, proof, reaction });
        reaction
    };
    let (status, more) = match reaction {
        Reaction::Take => (204, String::new()),
        Reaction::TakeLate(after) => {
            sleep(after).await;
            (200, String::new())
        }
        Reaction::Refuse(status) => (status, String::new()),
        Reaction::RefuseFor(seconds) => (503, format!("Retry-After: {seconds}\r\n")),
        Reaction::Redirect => (307, "Location: http://127.0.0.1:1/elsewhere\r\n".to_owned()),
        Reaction::TakeAndCut | Reaction::Cut => return Ok(()),
    };
    let text = format!("HTTP/1.1 {status} Said\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Reads a whole request; `None` when it ends too early or is none.
async fn read(stream: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some((head, body)) = end.and_then(|end| bytes.split_at_checked(end.saturating_add(4))) {
            let head = String::from_utf8_lossy(head).into_owned();
            let length = head.lines().filter_map(|line| line.split_once(':'));
            let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length: usize = length.next().and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default();
            if body.len() >= length {
                return Ok(Some((head, body.to_vec())));
            }
        }
        if bytes.len() > MAX_REQUEST || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}
