//! A box that takes text messages, and the provider that carries them.

use std::collections::BTreeMap;

use appliance::api::Scope;
use appliance::config::{Config, Credential, MessageTemplate, Secret};
use e2e::{ACCOUNT, Answer, ApiClient, BoxOptions, TestBox, wait_until};
use fakes::Graph;
use http::Method;
use messaging::meta::SIGNATURE_HEADER;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use store::{Leads, MessageKey, MessageRow, Messages, MessagesById, Query};
use telephony::Params;
use tempfile::TempDir;
use units::Pii;

/// Who writes.
pub(super) const CONTACT: &str = "whatsapp:+972501234567";
/// The office's number.
pub(super) const OFFICE: &str = "+972700000000";

/// Which provider the box is configured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Twilio,
    Meta,
}

impl Provider {
    pub(super) const BOTH: [Self; 2] = [Self::Twilio, Self::Meta];
}

/// A box and its provider.
pub(super) struct MessageOffice {
    pub(super) running: TestBox,
    pub(super) graph: Graph,
    pub(super) provider: Provider,
}

impl MessageOffice {
    pub(super) async fn start(provider: Provider) -> Self {
        Self::start_with(provider, BoxOptions::default()).await
    }

    /// The provider is switched by the configuration, and by nothing else.
    pub(super) async fn start_with(provider: Provider, options: BoxOptions) -> Self {
        let graph = Graph::start().await.unwrap();
        Self::start_on(provider, options, graph).await
    }

    pub(super) async fn start_on(provider: Provider, options: BoxOptions, graph: Graph) -> Self {
        let url = graph.url().to_owned();
        let running = TestBox::start(options.configured(move |config| configure(config, provider, url))).await.unwrap();
        Self { running, graph, provider }
    }

    pub(super) async fn stop(self) -> TempDir {
        assert_eq!(self.graph.strangers(), 0, "a request without the token");
        self.running.stop().await.unwrap()
    }

    /// Somebody writes a text. The webhook is taken.
    pub(super) async fn says(&self, id: &str, text: &str) {
        let answer = match self.provider {
            Provider::Twilio => self.twilio(id, &[("Body", text), ("MessageType", "text")]).await,
            Provider::Meta => self.meta_message(id, json!({ "type": "text", "text": { "body": text } })).await,
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Somebody sends a file.
    pub(super) async fn sends(&self, id: &str, kind: &str, content_type: &str, bytes: Vec<u8>) {
        let answer = match self.provider {
            Provider::Twilio => {
                let url = self.running.carrier.add_media(content_type, bytes);
                let fields = [("MediaUrl0", url.as_str()), ("MediaContentType0", content_type), ("MessageType", kind)];
                self.twilio(id, &fields).await
            }
            Provider::Meta => {
                let media = self.graph.add_media(content_type, bytes);
                self.meta_message(id, json!({ "type": kind, kind: { "id": media, "mime_type": content_type } })).await
            }
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// A webhook of Twilio's with these fields.
    pub(super) async fn twilio(&self, id: &str, fields: &[(&str, &str)]) -> Answer {
        let files = fields.iter().filter(|(name, _)| name.starts_with("MediaUrl")).count().to_string();
        let mut params = Params::new()
            .with("MessageSid", id)
            .with("SmsMessageSid", id)
            .with("AccountSid", ACCOUNT)
            .with("From", CONTACT)
            .with("To", format!("whatsapp:{OFFICE}"))
            .with("ProfileName", "Dana")
            .with("NumMedia", files);
        for (name, value) in fields {
            params.push(*name, *value);
        }
        self.running.post("/webhook/whatsapp/incoming", &params).await.unwrap()
    }

    /// A webhook of Meta's with one message.
    pub(super) async fn meta_message(&self, id: &str, message: Value) -> Answer {
        let mut message = message;
        let now = self.running.parts.clock.wall_ms() / 1_000;
        for (name, value) in [("id", json!(id)), ("from", json!("972501234567")), ("timestamp", json!(now.to_string()))]
        {
            message[name] = value;
        }
        let contacts = json!([{ "profile": { "name": "Dana" }, "wa_id": "972501234567" }]);
        self.meta(&json!({ "contacts": contacts, "messages": [message] })).await
    }

    /// A webhook of Meta's.
    pub(super) async fn meta(&self, value: &Value) -> Answer {
        let (body, signature) = Graph::webhook(value);
        let request = self.running.request(Method::POST, "/webhook/whatsapp/incoming");
        let request = request.header(CONTENT_TYPE, "application/json").header(SIGNATURE_HEADER, signature).body(body);
        self.running.send(request).await.unwrap()
    }

    /// The provider tells what became of a message.
    pub(super) async fn status(&self, name: &str, status: &str, code: Option<u32>) {
        let answer = match self.provider {
            Provider::Twilio => {
                let mut params = Params::new()
                    .with("MessageSid", name)
                    .with("MessageStatus", status)
                    .with("AccountSid", ACCOUNT)
                    .with("From", format!("whatsapp:{OFFICE}"))
                    .with("To", CONTACT);
                if let Some(code) = code {
                    params.push("ErrorCode", code.to_string());
                }
                self.running.post("/webhook/whatsapp/status", &params).await.unwrap()
            }
            Provider::Meta => {
                let errors: Vec<Value> = code.into_iter().map(|code| json!({ "code": code })).collect();
                let status = json!({
                    "id": name, "status": status, "timestamp": "1763760000", "recipient_id": "972501234567",
                    "errors": errors,
                });
                self.meta(&json!({ "statuses": [status] })).await
            }
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Posts a message to the API.
    pub(super) async fn post(&self, api: &ApiClient<'_>, key: &str, body: &Value) -> Answer {
        api.send(Method::POST, "/api/whatsapp/messages", &[("Idempotency-Key", key)], body).await.unwrap()
    }

    /// What the provider was handed: a form as an object, or JSON; and its name for it.
    pub(super) fn sent(&self) -> Vec<(String, Value)> {
        match self.provider {
            Provider::Twilio => self
                .running
                .carrier
                .messages()
                .into_iter()
                .map(|message| {
                    let form: BTreeMap<String, String> =
                        message.form.reveal().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                    (message.sid, json!(form))
                })
                .collect(),
            Provider::Meta => self.graph.sent(),
        }
    }

    pub(super) async fn nth_sent(&self, nth: usize) -> Value {
        let what = format!("message {nth} to be sent by {:?}", self.provider);
        wait_until(&what, async || self.sent().get(nth).map(|(_, request)| request.clone())).await.unwrap()
    }

    /// The words of the nth message that was handed over.
    pub(super) async fn sent_text(&self, nth: usize) -> String {
        let request = self.nth_sent(nth).await;
        let text = request.get("Body").or(request.pointer("/text/body"));
        text.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The name of the nth message, once the box knows it.
    pub(super) async fn sent_name(&self, nth: usize) -> String {
        self.nth_sent(nth).await;
        let name = self.sent()[nth].0.clone();
        wait_until("the name in the store", async || self.key_of(&name)).await.unwrap();
        name
    }

    pub(super) fn key_of(&self, name: &str) -> Option<MessageKey> {
        let provider = if self.provider == Provider::Twilio { "twilio" } else { "meta" };
        let store = self.running.store().unwrap();
        store.get::<MessagesById>(&format!("{provider}:{name}")).unwrap()?.message
    }

    pub(super) fn state_of(&self, name: &str) -> Option<messaging::State> {
        let key = self.key_of(name)?;
        self.running.store().unwrap().get::<Messages>(&key).unwrap()?.progress.state().cloned()
    }

    /// Every message in the store, by conversation and in order.
    pub(super) fn messages(&self) -> Vec<(MessageKey, MessageRow)> {
        self.running.store().unwrap().query(&Query::<Messages>::all()).unwrap()
    }

    /// Who the office heard of.
    pub(super) fn leads(&self) -> Vec<leads::Lead> {
        let rows = self.running.store().unwrap().query(&Query::<Leads>::all()).unwrap();
        rows.into_iter().map(|(_, lead)| lead).collect()
    }

    pub(super) fn api(&self) -> ApiClient<'_> {
        ApiClient::new(&self.running, &[Scope::MessagesRead, Scope::MessagesWrite]).unwrap()
    }
}

fn configure(config: &mut Config, provider: Provider, graph_url: String) {
    let messages = &mut config.messages;
    messages.provider = Some(match provider {
        Provider::Twilio => messaging::Provider::Twilio,
        Provider::Meta => messaging::Provider::Meta,
    });
    messages.whatsapp_number = Some(Pii::new(OFFICE.to_owned()));
    let template = MessageTemplate {
        name: Some("flat_ready".to_owned()),
        sid: Some("HX00000000000000000000000000000001".to_owned()),
        language: "en".to_owned(),
        text: Some("Hello {{1}}, your flat is ready on {{2}}.".to_owned()),
    };
    messages.templates.insert("ready".to_owned(), template);
    let meta = &mut messages.meta;
    meta.graph_url = graph_url;
    meta.phone_number_id = Some(Graph::PHONE_NUMBER_ID.to_owned());
    meta.access_token = Credential::Given(Secret::new(Graph::ACCESS_TOKEN));
    meta.app_secret = Credential::Given(Secret::new(Graph::APP_SECRET));
    meta.verify_token = Credential::Given(Secret::new(Graph::VERIFY_TOKEN));
}
