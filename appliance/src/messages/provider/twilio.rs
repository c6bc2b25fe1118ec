//! Twilio: `WhatsApp` and SMS, over the client that controls calls.

use carrier::{CarrierError, Client};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use messaging::message::MediaSource;
use messaging::twilio::{Sender, read_answer, write};
use messaging::{Answer, Outbound, Refusal, Refused};
use telephony::wire::Address;
use units::Pii;

use super::{FetchError, Provider};
use crate::config::Config;

/// Where Twilio tells what became of a message.
const STATUS_PATH: &str = "/webhook/whatsapp/status";

/// Messages of the account that the calls come from.
pub(crate) struct Twilio {
    client: Client,
    service: Option<String>,
    status_callback: String,
}

impl Twilio {
    /// Sends over `client`.
    pub(crate) fn new(config: &Config, client: Client) -> Self {
        Self {
            client,
            service: config.messages.messaging_service_sid.clone(),
            status_callback: config.http.public_url.webhook(STATUS_PATH),
        }
    }

    fn sender(&self, from: &Pii<Address>) -> Sender {
        match &self.service {
            Some(service) => Sender::Service(service.clone()),
            None => Sender::Number(from.clone()),
        }
    }
}

impl Provider for Twilio {
    fn name(&self) -> messaging::Provider {
        messaging::Provider::Twilio
    }

    fn check(&self, message: &Outbound, from: &Pii<Address>) -> Result<(), Refused> {
        write(message, &self.sender(from), None).map(drop)
    }

    fn send<'a>(&'a self, message: &'a Outbound, from: &'a Pii<Address>) -> BoxFuture<'a, Answer> {
        async move {
            let form = match write(message, &self.sender(from), Some(&self.status_callback)) {
                Ok(form) => form,
                Err(refused) => return Answer::Refused { refusal: refused.refusal, code: refused.code(self.name()) },
            };
            match self.client.send_message(&form).await {
                Ok(answer) => read_answer(answer.status, &answer.body),
                Err(error) => {
                    tracing::info!(error = &error as &dyn std::error::Error, "message not taken");
                    meaning(&error)
                }
            }
        }
        .boxed()
    }

    fn fetch<'a>(&'a self, source: &'a MediaSource, limit: u64) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        async move {
            let MediaSource::Twilio { account, message, media } = source else { return Err(FetchError::Address) };
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            match self.client.media(account, message, media, most).await {
                Ok(file) => Ok(file.bytes),
                Err(CarrierError::TooLarge { .. }) => Err(FetchError::TooLarge { limit }),
                Err(CarrierError::ForeignAddress) => Err(FetchError::Address),
                Err(error) => Err(FetchError::Carrier(error)),
            }
        }
        .boxed()
    }
}

/// Returns what it means for a message that the carrier did not answer: without a connection nothing was handed over,
/// after that nobody knows.
fn meaning(error: &CarrierError) -> Answer {
    match error {
        CarrierError::Unreachable(_) | CarrierError::Failing { .. } => {
            Answer::Refused { refusal: Refusal::ProviderDown, code: None }
        }
        CarrierError::Uncertain
        | CarrierError::Client(_)
        | CarrierError::Address
        | CarrierError::Request(_)
        | CarrierError::Refused { .. }
        | CarrierError::NotThere
        | CarrierError::ForeignAddress
        | CarrierError::TooLarge { .. } => Answer::Uncertain,
    }
}
