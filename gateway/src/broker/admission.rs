//! Who may connect, and as whom. One of these belongs to each connection, so that an identity cannot wander.

use std::fmt;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;

use mqtt5::broker::auth::{AuthProvider, AuthResult};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use protocol::DeviceId;
use subtle::ConstantTimeEq as _;

use super::acl::{Action, Identity, allowed};

/// User name of the gateway's own workers. With a dot, which no device id has.
pub const WORKER_USERNAME: &str = "gateway.worker";

/// What the client id of a worker starts with. With a dot, so that no device can take over a worker's session.
pub const WORKER_CLIENT_PREFIX: &str = "gateway.";

/// Longest keep-alive taken, in seconds: a peer that vanished is noticed within one and a half times this.
pub const MAX_KEEP_ALIVE_S: u16 = 300;

/// MQTT 5, the only version spoken here.
const PROTOCOL_VERSION: u8 = 5;

/// What the gateway's workers show the embedded broker. Lives as long as the process and is written nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct WorkerCredential(String);

impl WorkerCredential {
    /// Makes a credential from 256 bits of randomness.
    pub fn new(randomness: [u8; 32]) -> Self {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        Self(randomness.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect())
    }

    /// Returns the password that goes with [`WORKER_USERNAME`].
    pub fn password(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WorkerCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerCredential(..)")
    }
}

/// What a connection must show.
#[derive(Debug)]
pub(super) enum Admission {
    /// Nothing more: the TLS handshake proved that it is this device.
    Device(DeviceId),
    /// The workers' credential.
    Worker(WorkerCredential),
}

impl Admission {
    /// Returns the user that the connection acts as, or why it is refused.
    fn admit(&self, connect: &ConnectPacket) -> Result<&str, ReasonCode> {
        if connect.protocol_version != PROTOCOL_VERSION {
            return Err(ReasonCode::UnsupportedProtocolVersion);
        }
        if connect.keep_alive == 0 || connect.keep_alive > MAX_KEEP_ALIVE_S {
            return Err(ReasonCode::ImplementationSpecificError);
        }
        match self {
            // The session belongs to the client id: under another's, a device would be handed another's messages.
            Self::Device(device) if connect.client_id == device.as_str() => Ok(device.as_str()),
            Self::Device(_) => Err(ReasonCode::ClientIdentifierNotValid),
            Self::Worker(credential) => {
                let shown = connect.password.as_deref().unwrap_or_default();
                let is_right = bool::from(shown.ct_eq(credential.password().as_bytes()));
                if !is_right || connect.username.as_deref() != Some(WORKER_USERNAME) {
                    return Err(ReasonCode::BadUsernameOrPassword);
                }
                if !connect.client_id.starts_with(WORKER_CLIENT_PREFIX) {
                    return Err(ReasonCode::ClientIdentifierNotValid);
                }
                Ok(WORKER_USERNAME)
            }
        }
    }

    fn is_allowed(&self, action: Action, topic: &str) -> bool {
        match self {
            Self::Device(device) => allowed(&Identity::Device(device.clone()), action, topic),
            Self::Worker(_) => allowed(&Identity::Worker, action, topic),
        }
    }
}

impl AuthProvider for Admission {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _client: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = mqtt5::Result<AuthResult>> + Send + 'a>> {
        Box::pin(ready(Ok(match self.admit(connect) {
            Ok(user) => AuthResult::success_with_user(user),
            Err(reason) => AuthResult::fail(reason),
        })))
    }

    fn authorize_publish<'a>(
        &'a self,
        _client_id: &str,
        _user: Option<&'a str>,
        topic: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(ready(self.is_allowed(Action::Publish, topic)))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _client_id: &str,
        _user: Option<&'a str>,
        filter: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(ready(self.is_allowed(Action::Subscribe, filter)))
    }
}
