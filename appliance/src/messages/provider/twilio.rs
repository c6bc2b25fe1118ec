//! Twilio: `WhatsApp` and SMS.

use anyhow::Context as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use messaging::message::MediaSource;
use messaging::twilio::{Sender, read_answer, write};
use messaging::{Answer, Outbound, Refused};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use telephony::wire::Address;
use units::Pii;

use super::{FetchError, Provider, fetch, is_same_origin, post};
use crate::carrier::http_client;
use crate::config::{Config, Secret};

/// Where Twilio tells what became of a message.
const STATUS_PATH: &str = "/webhook/whatsapp/status";

/// A client of Twilio's messages.
pub(crate) struct Twilio {
    client: Client,
    api: Url,
    account: String,
    /// The account with its auth token, or an API key with its secret.
    user: String,
    password: Secret,
    service: Option<String>,
    status_callback: String,
}

impl Twilio {
    /// Makes a client; `None` when no account is configured.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Option<Self>> {
        let (Some(account), Some(auth_token)) = (&config.carrier.account_sid, config.carrier.auth_tokens.first())
        else {
            return Ok(None);
        };
        let (user, password) = match (&config.carrier.api_key_sid, &config.carrier.api_key_secret) {
            (Some(sid), Some(secret)) => (sid, secret),
            (None, _) | (_, None) => (account, auth_token),
        };
        Ok(Some(Self {
            client: http_client().build().context("cannot set up the HTTP client")?,
            api: Url::parse(&config.carrier.rest_url()).context("carrier.api_url is not a URL")?,
            account: account.clone(),
            user: user.clone(),
            password: password.clone(),
            service: config.messages.messaging_service_sid.clone(),
            status_callback: config.http.public_url.webhook(STATUS_PATH),
        }))
    }

    fn sender(&self, from: &Pii<Address>) -> Sender {
        match &self.service {
            Some(service) => Sender::Service(service.clone()),
            None => Sender::Number(from.clone()),
        }
    }

    fn url(&self, path: &str) -> Option<Url> {
        self.api.join(&format!("/2010-04-01/Accounts/{}/{path}", self.account)).ok()
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
            let Some(url) = self.url("Messages.json") else { return Answer::Uncertain };
            let request = self
                .client
                .post(url)
                .basic_auth(&self.user, Some(self.password.expose()))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.encode());
            match post(request).await {
                Ok((status, body)) => read_answer(status, &body),
                Err(answer) => answer,
            }
        }
        .boxed()
    }

    fn fetch<'a>(&'a self, source: &'a MediaSource, limit: u64) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        async move {
            let MediaSource::Twilio { account, message, media } = source else { return Err(FetchError::Address) };
            if account.as_str() != self.account {
                return Err(FetchError::Address);
            }
            let url = self.url(&format!("Messages/{message}/Media/{media}")).ok_or(FetchError::Address)?;
            // The file lies in a storage of somebody else's, who is not shown the key.
            let is_trusted = |url: &Url| is_same_origin(&self.api, url);
            fetch(&self.client, &self.api, url, limit, is_trusted, |request| {
                request.basic_auth(&self.user, Some(self.password.expose()))
            })
            .await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Twilio;
    use crate::config::{Config, Secret};

    #[test]
    fn messages_go_where_calls_go_and_by_the_same_key() {
        const OFFICE: &str = "[http]\npublic_url = 'https://office.example.org'\n\
                              [carrier]\naccount_sid = 'AC0123456789abcdef0123456789abcdef'\n";
        for (place, host) in
            [("", "api.twilio.com"), ("region = 'ie1'\nedge = 'dublin'\n", "api.dublin.ie1.twilio.com")]
        {
            let mut config = Config::parse(Path::new("kolbox.toml"), &format!("{OFFICE}{place}")).unwrap();
            config.carrier.auth_tokens = vec![Secret::new("token")];
            let twilio = Twilio::new(&config).unwrap().unwrap();
            assert_eq!(twilio.url("Messages.json").unwrap().host_str(), Some(host));
            assert_eq!((twilio.user.as_str(), twilio.password.expose()), (twilio.account.as_str(), "token"));
            config.carrier.api_key_sid = Some("SK1".to_owned());
            config.carrier.api_key_secret = Some(Secret::new("secret"));
            let twilio = Twilio::new(&config).unwrap().unwrap();
            assert_eq!((twilio.user.as_str(), twilio.password.expose()), ("SK1", "secret"));
        }
    }
}
