//! An MQTT 5 client for tests: connects once, never again.

use std::sync::Arc;

use rumqttc::{
    AsyncClient, BrokerSessionResumePolicy, ConnAck, ConnectionError, Event, EventLoop, LastWill, LastWillProperties,
    MqttOptions, Packet, PubAckReason, Publish, PublishOptions, PublishResult, QoS, SessionMode, SubscribeReasonCode,
    TlsConfiguration, Transport,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::DEADLINE;
use super::authority::{Authority, Identity};

/// How to connect.
pub(super) struct Connect {
    client_id: String,
    port: u16,
    tls: Option<ClientConfig>,
    credentials: Option<(String, String)>,
    keep_alive_s: u16,
    session_expiry_s: Option<u32>,
    will: Option<LastWill>,
}

/// A client that is connected. Dropped, it vanishes without a word, as a device does whose power fails.
pub(super) struct Client {
    requests: AsyncClient,
    session_present: bool,
    messages: mpsc::Receiver<Publish>,
    ended: oneshot::Receiver<()>,
    driver: JoinHandle<()>,
}

impl Connect {
    pub(super) fn new(client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            port: 0,
            tls: None,
            credentials: None,
            keep_alive_s: 60,
            session_expiry_s: None,
            will: None,
        }
    }

    /// Over TLS, with a certificate or none.
    pub(super) fn tls(self, port: u16, trusted: &Authority, identity: Option<&Identity>) -> Self {
        self.tls_by(port, tls_config(trusted.pem(), identity))
    }

    /// Over TLS, in a way of the test's own.
    pub(super) fn tls_by(mut self, port: u16, tls: ClientConfig) -> Self {
        self.port = port;
        self.tls = Some(tls);
        self
    }

    pub(super) fn plain(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    pub(super) fn credentials(mut self, username: &str, password: &str) -> Self {
        self.credentials = Some((username.to_owned(), password.to_owned()));
        self
    }

    pub(super) const fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive_s = seconds;
        self
    }

    /// With a session that outlives the connection.
    pub(super) const fn persistent(mut self, expiry_s: u32) -> Self {
        self.session_expiry_s = Some(expiry_s);
        self
    }

    /// With a retained will, published `delay_s` after the connection is lost.
    pub(super) fn will(mut self, topic: &str, payload: &str, delay_s: u32) -> Self {
        let properties = LastWillProperties {
            delay_interval: Some(delay_s),
            payload_format_indicator: None,
            message_expiry_interval: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        };
        self.will = Some(LastWill::new(topic, payload, QoS::AtLeastOnce, true, Some(properties)));
        self
    }

    fn options(self) -> MqttOptions {
        let mut options = MqttOptions::new(self.client_id, ("127.0.0.1", self.port));
        options.set_keep_alive(self.keep_alive_s).set_unlimited_incoming_packet_size();
        if let Some(expiry_s) = self.session_expiry_s {
            options
                .set_session_mode(SessionMode::Persistent)
                .set_session_expiry_interval(Some(expiry_s))
                .set_broker_session_resume_policy(BrokerSessionResumePolicy::AllowBrokerOnly);
        } else {
            options.set_session_mode(SessionMode::Clean);
        }
        if let Some(tls) = self.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls))));
        }
        if let Some((username, password)) = self.credentials {
            options.set_credentials(username, password);
        }
        if let Some(will) = self.will {
            options.set_last_will(will);
        }
        options
    }
}

impl Client {
    /// Connects, or says why not.
    pub(super) async fn connect(connect: Connect) -> Result<Self, ConnectionError> {
        let (requests, mut events) = AsyncClient::builder(connect.options()).capacity(16).build();
        let connack = timeout(DEADLINE, first_connack(&mut events)).await.expect("an answer to CONNECT")?;
        let (to_messages, messages) = mpsc::channel(1_024);
        let (has_ended, ended) = oneshot::channel();
        let driver = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        if to_messages.send(publish).await.is_err() {
                            break;
                        }
                    }
                    Ok(_) => {}
                    Err(_ended) => break,
                }
            }
            // Nobody waits for it where the client is gone.
            let _unheard = has_ended.send(());
        });
        Ok(Self { requests, session_present: connack.session_present, messages, ended, driver })
    }

    pub(super) const fn session_present(&self) -> bool {
        self.session_present
    }

    /// Publishes, or says why the broker did not take it.
    pub(super) async fn publish(&self, topic: &str, payload: &str) -> Result<(), PubAckReason> {
        self.publish_with(topic, payload.as_bytes().to_vec(), PublishOptions::at_least_once()).await
    }

    /// Publishes something to be kept, or says why the broker did not take it.
    pub(super) async fn retain(&self, topic: &str, payload: &str) -> Result<(), PubAckReason> {
        self.publish_with(topic, payload.as_bytes().to_vec(), PublishOptions::at_least_once().retained()).await
    }

    pub(super) async fn publish_with(
        &self,
        topic: &str,
        payload: Vec<u8>,
        options: PublishOptions,
    ) -> Result<(), PubAckReason> {
        let notice = self.requests.publish_tracked(topic, payload, options).await.unwrap();
        let result = timeout(DEADLINE, notice.wait_async()).await.expect("an answer to PUBLISH").expect("a connection");
        let PublishResult::Qos1(puback) = result else { panic!("{result:?} for QoS 1") };
        // That nobody listens is no refusal.
        let is_taken = matches!(puback.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers);
        if is_taken { Ok(()) } else { Err(puback.reason) }
    }

    /// Subscribes, or says why not.
    pub(super) async fn subscribe(&self, filter: &str) -> Result<(), SubscribeReasonCode> {
        let notice = self.requests.subscribe_tracked(filter, QoS::AtLeastOnce).await.unwrap();
        let suback =
            timeout(DEADLINE, notice.wait_async()).await.expect("an answer to SUBSCRIBE").expect("a connection");
        let code = *suback.return_codes.first().expect("an answer for the filter");
        if matches!(code, SubscribeReasonCode::Success(_)) { Ok(()) } else { Err(code) }
    }

    /// Returns the next message as topic and payload.
    pub(super) async fn next(&mut self) -> (String, String) {
        let publish = self.next_publish().await;
        (text(&publish.topic), text(&publish.payload))
    }

    pub(super) async fn next_publish(&mut self) -> Publish {
        timeout(DEADLINE, self.messages.recv()).await.expect("a message").expect("a connection")
    }

    /// Returns how many messages came that nobody looked at.
    pub(super) fn left(&self) -> usize {
        self.messages.len()
    }

    /// Waits until the connection has ended.
    pub(super) async fn end(&mut self) {
        timeout(DEADLINE, &mut self.ended).await.expect("an end").expect("the driver's word");
    }

    /// Closes the connection properly.
    pub(super) async fn disconnect(mut self) {
        self.requests.disconnect().await.unwrap();
        self.end().await;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn first_connack(events: &mut EventLoop) -> Result<ConnAck, ConnectionError> {
    loop {
        if let Event::Incoming(Packet::ConnAck(connack)) = events.poll().await? {
            return Ok(connack);
        }
    }
}

/// Returns a client's side of TLS that trusts the authority in `trusted`, PEM.
pub(super) fn tls_config(trusted: &str, identity: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
