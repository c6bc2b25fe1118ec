//! The provider between people and box: what it was handed, how it fails, and its webhooks.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use fakes::{Graph, GraphFault};
use messaging::meta;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rig::{Conditions, Flow, Proxy};
use serde_json::{Value, json};
use telephony::signature;
use telephony::{AuthKey, Params, Signer};
use testcall::{Carrier, CarrierConfig, MessagePlan, RestCall, RestFault, ToneVoice};

use super::check::Post;
use super::herald::Status;
use crate::box_api::BoxApi;
use crate::cli;
use crate::victim::secret_file;

/// The office's number.
const OFFICE: &str = "+972700000000";
/// The key that Twilio signs with.
const KEY: &str = "a key of the campaign";
/// Where messages and statuses are told.
const INCOMING: &str = "/webhook/whatsapp/incoming";
const STATUS: &str = "/webhook/whatsapp/status";
/// Times that each text may at most lead to a message of the box.
const POSTS_PER_TEXT: usize = 4;

/// One of both, behind a line on which answers come late.
pub(super) struct Provider {
    wire: Wire,
    line: Proxy,
}

enum Wire {
    Twilio { carrier: Carrier, signer: Signer },
    Meta(Graph),
}

/// A webhook, which is the same each time it is delivered.
#[derive(Clone, Debug)]
pub(super) struct Webhook {
    path: &'static str,
    headers: [(&'static str, String); 2],
    body: Vec<u8>,
}

impl Webhook {
    /// Delivers it until the box has taken it, however often it is killed meanwhile.
    pub(super) async fn deliver(&self, api: &BoxApi) -> anyhow::Result<()> {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (status, _, _) = api.post(self.path, &headers, &self.body).await?;
        anyhow::ensure!(status.is_success(), "a webhook to {} was answered {status}", self.path);
        Ok(())
    }
}

impl Provider {
    /// Starts one that carries so many texts of people.
    pub(super) async fn start(which: cli::Provider, texts: usize) -> anyhow::Result<Self> {
        let (wire, address) = match which {
            cli::Provider::Twilio => {
                // The carrier itself tells nothing, so it need not know where the box is.
                let config = CarrierConfig::for_box("http://127.0.0.1:1".parse()?, KEY);
                let carrier = Carrier::start(config, Arc::new(ToneVoice)).await?;
                for _ in 0..texts.saturating_mul(POSTS_PER_TEXT) {
                    carrier.plan_message(MessagePlan::of([]));
                }
                let address = carrier.api_address();
                (Wire::Twilio { carrier, signer: Signer::new(AuthKey::new(KEY)?) }, address)
            }
            cli::Provider::Meta => {
                let graph = Graph::start().await?;
                let address = graph.url().trim_start_matches("http://").parse().context("an address of Meta")?;
                (Wire::Meta(graph), address)
            }
        };
        Ok(Self { wire, line: Proxy::start(address)? })
    }

    /// Returns the box's configuration, with so many templates.
    pub(super) fn configuration(&self, folder: &Path, templates: usize) -> anyhow::Result<String> {
        let key = secret_file(folder, "carrier-key", KEY)?;
        let url = format!("http://127.0.0.1:{}", self.line.port());
        let mut text = format!("[carrier]\nauth_token_files = ['{}']\n", key.display());
        match &self.wire {
            Wire::Twilio { carrier, .. } => {
                write!(text, "account_sid = '{}'\napi_url = '{url}'\n", carrier.account_sid().as_str())?;
                write!(text, "[messages]\nprovider = 'twilio'\nwhatsapp_number = '{OFFICE}'\n")?;
            }
            Wire::Meta(_) => {
                write!(text, "[messages]\nprovider = 'meta'\nwhatsapp_number = '{OFFICE}'\n")?;
                write!(text, "[messages.meta]\nphone_number_id = '{}'\ngraph_url = '{url}'\n", Graph::PHONE_NUMBER_ID)?;
                let secrets = [
                    ("access_token", Graph::ACCESS_TOKEN),
                    ("app_secret", Graph::APP_SECRET),
                    ("verify_token", Graph::VERIFY_TOKEN),
                ];
                for (name, secret) in secrets {
                    writeln!(text, "{name}_file = '{}'", secret_file(folder, name, secret)?.display())?;
                }
            }
        }
        for number in 0..templates {
            let (name, sid) = (template(number), template_sid(number));
            write!(text, "[messages.templates.{name}]\nlanguage = 'en'\nsid = '{sid}'\n")?;
        }
        Ok(text)
    }

    /// From now on answers to the box come so much later.
    pub(super) fn answer_late_by(&self, late: Duration) {
        let to_client = if late.is_zero() { Flow::Pass } else { Flow::Delay(late) };
        self.line.set(Conditions { to_server: Flow::Pass, to_client });
    }

    /// The next message that the box hands over meets with trouble.
    pub(super) fn fail_next(&self, random: &mut StdRng) {
        match &self.wire {
            Wire::Twilio { carrier, .. } => {
                let fault = match random.random_range(0..4) {
                    0 => RestFault::Fails { status: 500, done: true },
                    1 => RestFault::CutAfter,
                    2 => RestFault::CutBefore,
                    _ => RestFault::TooManyRequests { retry_after_s: None },
                };
                carrier.fail_next(RestCall::SendMessage, fault, 1);
            }
            Wire::Meta(graph) => graph.fail_next(match random.random_range(0..3) {
                0 => GraphFault::FailsAfter,
                1 => GraphFault::CutAfter,
                _ => GraphFault::TooFast,
            }),
        }
    }

    /// Returns what the provider took of the box so far, in order: to whom, and what.
    pub(super) fn posts(&self) -> Vec<(String, Post)> {
        match &self.wire {
            Wire::Twilio { carrier, .. } => carrier
                .messages()
                .into_iter()
                .map(|message| {
                    let form = message.form.reveal();
                    let field = |name: &str| form.first(name).unwrap_or_default().to_owned();
                    let key = template_of(&field("ContentSid")).unwrap_or_else(|| field("Body"));
                    (field("To"), Post { name: message.sid, key })
                })
                .collect(),
            Wire::Meta(graph) => graph
                .sent()
                .into_iter()
                .map(|(name, request)| {
                    let field =
                        |path: &str| request.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
                    let key = if field("/type") == "template" { field("/template/name") } else { field("/text/body") };
                    (format!("whatsapp:+{}", field("/to")), Post { name, key })
                })
                .collect(),
        }
    }

    /// Returns the webhook of a text; `id` is its number in the campaign.
    pub(super) fn text(&self, api: &BoxApi, id: usize, contact: &str, text: &str) -> anyhow::Result<Webhook> {
        match &self.wire {
            Wire::Twilio { carrier, signer } => {
                let sid = format!("SM{id:032x}");
                let params = of_twilio(carrier, &sid)
                    .with("From", contact)
                    .with("To", format!("whatsapp:{OFFICE}"))
                    .with("ProfileName", "Dana")
                    .with("NumMedia", "0")
                    .with("MessageType", "text")
                    .with("Body", text);
                Ok(signed_by_twilio(signer, api, INCOMING, &params))
            }
            Wire::Meta(_) => {
                let digits = contact.trim_start_matches("whatsapp:+");
                let message = json!({
                    "id": format!("wamid.in{id}"), "from": digits, "timestamp": now()?, "type": "text",
                    "text": { "body": text },
                });
                let contacts = json!([{ "profile": { "name": "Dana" }, "wa_id": digits }]);
                Ok(signed_by_meta(INCOMING, &json!({ "contacts": contacts, "messages": [message] })))
            }
        }
    }

    /// Returns the webhook of what became of a message of the box.
    pub(super) fn status(&self, api: &BoxApi, contact: &str, name: &str, status: Status) -> anyhow::Result<Webhook> {
        match &self.wire {
            Wire::Twilio { carrier, signer } => {
                let mut params = of_twilio(carrier, name)
                    .with("MessageStatus", status.as_str())
                    .with("From", format!("whatsapp:{OFFICE}"))
                    .with("To", contact);
                if status == Status::Failed {
                    params.push("ErrorCode", "30008");
                }
                Ok(signed_by_twilio(signer, api, STATUS, &params))
            }
            Wire::Meta(_) => {
                let errors = if status == Status::Failed { json!([{ "code": 131_000 }]) } else { json!([]) };
                let status = json!({
                    "id": name, "status": status.as_str(), "timestamp": now()?,
                    "recipient_id": contact.trim_start_matches("whatsapp:+"), "errors": errors,
                });
                Ok(signed_by_meta(INCOMING, &json!({ "statuses": [status] })))
            }
        }
    }
}

/// Returns the name of a template of the office.
pub(super) fn template(number: usize) -> String {
    format!("note{number}")
}

/// Returns its name at Twilio.
fn template_sid(number: usize) -> String {
    format!("HX{number:032x}")
}

fn template_of(sid: &str) -> Option<String> {
    usize::from_str_radix(sid.strip_prefix("HX")?, 16).ok().map(template)
}

fn of_twilio(carrier: &Carrier, sid: &str) -> Params {
    Params::new().with("MessageSid", sid).with("SmsMessageSid", sid).with("AccountSid", carrier.account_sid().as_str())
}

fn signed_by_twilio(signer: &Signer, api: &BoxApi, path: &'static str, params: &Params) -> Webhook {
    let signature = (signature::SIGNATURE_HEADER, signer.sign(&api.url(path), params));
    let content_type = ("content-type", "application/x-www-form-urlencoded".to_owned());
    Webhook { path, headers: [signature, content_type], body: params.encode().into_bytes() }
}

fn signed_by_meta(path: &'static str, value: &Value) -> Webhook {
    let (body, signature) = Graph::webhook(value);
    let content_type = ("content-type", "application/json".to_owned());
    Webhook { path, headers: [(meta::SIGNATURE_HEADER, signature), content_type], body }
}

/// Returns the time as Meta tells it.
fn now() -> anyhow::Result<String> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string())
}
