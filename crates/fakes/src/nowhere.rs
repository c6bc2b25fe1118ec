//! Places where a server should be and is none, or the wrong one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A connection that takes longer on this machine is not made.
const CONNECT: Duration = Duration::from_millis(200);
/// Most connections it takes to fill the queue of a listener without one.
const MOST_FILLERS: usize = 16;

/// What is wrong with the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPlace {
    /// A certificate for `localhost` that nobody signed but itself.
    TlsFailure,
    /// The same, and it ran out long ago.
    TlsExpired,
    /// The same, and it is not valid yet: what a box sees whose clock is behind.
    TlsNotYetValid,
    /// A name that does not exist (RFC 6761, section 6.4).
    DnsFailure,
    /// A port that refuses connections.
    Refused,
    /// A port whose packets are lost: connecting never ends. Where the system does not let us make one, it takes the
    /// connection and says nothing.
    BlackHole,
}

/// A place instead of a server, kept until it is dropped.
#[derive(Debug)]
pub struct Nowhere {
    url: String,
    certificate: Option<Vec<u8>>,
    _kept: Kept,
}

/// What has to be held for the place to stay as it is.
#[derive(Debug)]
#[expect(dead_code, reason = "held, not used")]
enum Kept {
    Nothing,
    Bound(TcpSocket),
    Full { listener: TcpListener, fillers: Vec<TcpStream> },
    Serving(DropGuard),
}

impl Nowhere {
    /// Makes such a place on this machine.
    pub async fn start(place: BadPlace) -> io::Result<Self> {
        match place {
            BadPlace::TlsFailure => tls((2020, 2120)).await,
            BadPlace::TlsExpired => tls((2001, 2002)).await,
            BadPlace::TlsNotYetValid => tls((2110, 2120)).await,
            BadPlace::DnsFailure => Ok(Self::at("http://name.invalid".to_owned(), Kept::Nothing)),
            BadPlace::Refused => {
                // Bound and never listening: nobody else gets the port, and whoever connects is refused.
                let socket = TcpSocket::new_v4()?;
                socket.bind(loopback())?;
                Ok(Self::at(format!("http://{}", socket.local_addr()?), Kept::Bound(socket)))
            }
            BadPlace::BlackHole => black_hole().await,
        }
    }

    /// Returns the address, without a slash at its end.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns the server's certificate (DER) where there is one, for a client that is to trust it.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    const fn at(url: String, kept: Kept) -> Self {
        Self { url, certificate: None, _kept: kept }
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Serves TLS with a certificate of its own, valid between two years.
async fn tls((from, to): (i32, i32)) -> io::Result<Nowhere> {
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(|error| broken(error.into()))?;
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    let key = KeyPair::generate().map_err(|error| broken(error.into()))?;
    let certificate = params.self_signed(&key).map_err(|error| broken(error.into()))?.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(error.into()))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .map_err(|error| broken(error.into()))?;
    let listener = TcpListener::bind(loopback()).await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    let closing = CancellationToken::new();
    let guard = closing.clone().drop_guard();
    tokio::spawn(closing.run_until_cancelled_owned(serve_tls(listener, TlsAcceptor::from(Arc::new(config)))));
    Ok(Nowhere { url, certificate: Some(certificate.to_vec()), _kept: Kept::Serving(guard) })
}

/// Shakes hands with whoever comes, one after the other, and hangs up.
async fn serve_tls(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _peer)) = listener.accept().await {
        if let Err(error) = acceptor.accept(stream).await {
            tracing::debug!(%error, "A client did not like the certificate");
        }
    }
}

/// Makes a listener that takes no connection, and fills its queue, so that the system drops who comes next.
async fn black_hole() -> io::Result<Nowhere> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(loopback())?;
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    let mut fillers = Vec::new();
    while fillers.len() < MOST_FILLERS {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(connected) => fillers.push(connected?),
            Err(_elapsed) => break,
        }
    }
    Ok(Nowhere::at(format!("http://{address}"), Kept::Full { listener, fillers }))
}
