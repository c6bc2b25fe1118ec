//! Text messages: who carries them, and what the owner is told by them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use messaging::outbound::Template;
use serde::Deserialize;
use telephony::wire::Address;
use units::Pii;

use super::carrier::is_sid;
use super::cloud::{Credential, find};
use super::{Carrier, Environment};

/// Text messages over `WhatsApp` and SMS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Messages {
    /// Who carries `WhatsApp` messages: `twilio` or `meta`. Default `twilio` when `carrier.account_sid` is set; else none,
    /// and messages are disabled. SMS are always carried by Twilio.
    pub provider: Option<messaging::Provider>,
    /// The office's number on `WhatsApp`, in E.164. Default none: an answer goes out from the number that was written to,
    /// and nothing is written without having been asked.
    pub whatsapp_number: Option<Pii<String>>,
    /// The office's number for SMS, in E.164. Default none, as above.
    pub sms_number: Option<Pii<String>>,
    /// A messaging service at Twilio (`MG…`) that picks the number to send from. Default none.
    pub messaging_service_sid: Option<String>,
    /// Whether the box answers messages. Default yes; with `false` they are kept, and voice notes written down, for a
    /// person to answer.
    pub replies: bool,
    /// Who is told of missed calls and messages: addresses such as `whatsapp:+972501234567`, or `+972501234567` for an
    /// SMS. Default nobody.
    pub owner: Vec<Pii<String>>,
    /// What the owner is told of. Default everything.
    pub notices: Vec<NoticeKind>,
    /// Templates that the provider approved, by name. One named like a notice carries that notice when free text is not
    /// allowed.
    pub templates: BTreeMap<String, MessageTemplate>,
    /// Meta's Cloud API.
    pub meta: Meta,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            provider: None,
            whatsapp_number: None,
            sms_number: None,
            messaging_service_sid: None,
            replies: true,
            owner: Vec::new(),
            notices: NoticeKind::ALL.to_vec(),
            templates: BTreeMap::new(),
            meta: Meta::default(),
        }
    }
}

/// Something the owner is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A caller hung up without having said anything, to the box or after the tone, or nobody answered a transfer. Values:
    /// who.
    MissedCall,
    /// A message was left on the telephone. Values: who, and what was said, or that no words could be made out.
    Voicemail,
    /// Somebody who writes asked for a person. Values: who, and what was written last.
    PersonWanted,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::MissedCall, Self::Voicemail, Self::PersonWanted];

    /// Returns its name, which is also the name of its template.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissedCall => "missed_call",
            Self::Voicemail => "voicemail",
            Self::PersonWanted => "person_wanted",
        }
    }
}

/// A template that the provider approved.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageTemplate {
    /// Its name at Meta. Default: the name it has here.
    #[serde(default)]
    pub name: Option<String>,
    /// Its name at Twilio, `HX` and 32 hexadecimal digits. Needed to send it there.
    #[serde(default)]
    pub sid: Option<String>,
    /// The language it was approved in, such as `he` or `en_US`.
    pub language: String,
    /// Its text with `{{1}}`, `{{2}}` and so on, so that values are counted before they are sent. Default unknown.
    #[serde(default)]
    pub text: Option<String>,
}

/// Meta's Cloud API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Meta {
    /// The number's name at Meta (digits). What comes in for other numbers of the app is ignored.
    pub phone_number_id: Option<String>,
    /// Where the interface is. Default `https://graph.facebook.com`.
    pub graph_url: String,
    /// Its version. Default `v23.0`.
    pub graph_version: String,
    /// A file with the access token. Default: the systemd credential `meta_access_token`.
    pub access_token_file: Option<PathBuf>,
    /// A file with the app secret, which signs webhooks. Default: the systemd credential `meta_app_secret`.
    pub app_secret_file: Option<PathBuf>,
    /// A file with the word that Meta shows when it asks whether the webhook is ours. Default: the systemd credential
    /// `meta_verify_token`.
    pub verify_token_file: Option<PathBuf>,
    /// The access token, filled in when the configuration is loaded; never read from the file.
    #[serde(skip)]
    pub access_token: Credential,
    /// The app secret, likewise.
    #[serde(skip)]
    pub app_secret: Credential,
    /// The verify token, likewise.
    #[serde(skip)]
    pub verify_token: Credential,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            phone_number_id: None,
            graph_url: "https://graph.facebook.com".to_owned(),
            graph_version: "v23.0".to_owned(),
            access_token_file: None,
            app_secret_file: None,
            verify_token_file: None,
            access_token: Credential::default(),
            app_secret: Credential::default(),
            verify_token: Credential::default(),
        }
    }
}

impl Messages {
    /// Returns who carries `WhatsApp` messages.
    pub fn provider(&self, carrier: &Carrier) -> Option<messaging::Provider> {
        self.provider.or_else(|| carrier.account_sid.as_ref().map(|_| messaging::Provider::Twilio))
    }

    /// Returns a template of the configuration with these values; `None` if there is none of that name.
    pub fn template(&self, name: &str, variables: Vec<Pii<String>>) -> Option<Template> {
        let template = self.templates.get(name)?;
        Some(Template {
            name: template.name.clone().unwrap_or_else(|| name.to_owned()),
            sid: template.sid.clone(),
            language: template.language.clone(),
            variables,
            text: template.text.clone(),
        })
    }

    pub(super) fn apply(&mut self, environment: &Environment) {
        let meta = &mut self.meta;
        let look = |file: &Option<PathBuf>, name| find(file.as_deref(), environment, name, None, None);
        meta.access_token = look(&meta.access_token_file, "meta_access_token");
        meta.app_secret = look(&meta.app_secret_file, "meta_app_secret");
        meta.verify_token = look(&meta.verify_token_file, "meta_verify_token");
    }

    /// Checks what a type cannot say; the error names the field and what was expected.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let is_number = |number: &Pii<String>| matches!(Address::of(number.reveal()), Address::Phone(_));
        for (field, number) in
            [("messages.whatsapp_number", &self.whatsapp_number), ("messages.sms_number", &self.sms_number)]
        {
            if number.as_ref().is_some_and(|number| !is_number(number)) {
                return Err((field, "expected a telephone number such as '+972501234567'".to_owned()));
            }
        }
        let is_address =
            |text: &Pii<String>| matches!(Address::of(text.reveal()), Address::Phone(_) | Address::WhatsApp(_));
        if !self.owner.iter().all(is_address) {
            let expected = "expected addresses such as 'whatsapp:+972501234567' or '+972501234567'".to_owned();
            return Err(("messages.owner", expected));
        }
        let is_name = |text: &String, extra: &[u8]| {
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
        };
        if self.messaging_service_sid.as_ref().is_some_and(|sid| !is_sid("MG", sid)) {
            return Err(("messages.messaging_service_sid", "expected 'MG' and 32 hexadecimal digits".to_owned()));
        }
        let is_wrong = |template: &MessageTemplate| template.sid.as_ref().is_some_and(|sid| !is_sid("HX", sid));
        if let Some((name, _)) = self.templates.iter().find(|(_, template)| is_wrong(template)) {
            return Err(("messages.templates", format!("{name}.sid: expected 'HX' and 32 hexadecimal digits")));
        }
        if !is_name(&self.meta.graph_version, b".") {
            return Err(("messages.meta.graph_version", "expected a version such as 'v23.0'".to_owned()));
        }
        if self.meta.phone_number_id.as_ref().is_some_and(|id| !is_name(id, b"")) {
            return Err(("messages.meta.phone_number_id", "expected the number's name at Meta, digits".to_owned()));
        }
        if self.provider == Some(messaging::Provider::Meta) && self.meta.phone_number_id.is_none() {
            let expected = "expected the number's name at Meta, because messages.provider is 'meta'".to_owned();
            return Err(("messages.meta.phone_number_id", expected));
        }
        Ok(())
    }
}
