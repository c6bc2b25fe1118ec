//! A box as its carrier sees it: URL, account, key.

use std::fs;

use anyhow::Context as _;
use telephony::PublicUrl;
use testcall::CarrierConfig;

use crate::cli::Target;
use crate::config::{Config, Environment, Secret};

/// Where a box is, and how its carrier signs.
#[derive(Clone, Debug)]
pub(super) struct TargetBox {
    pub(super) url: PublicUrl,
    pub(super) account_sid: Option<String>,
    pub(super) key: Secret,
    pub(super) config: Option<Config>,
}

impl TargetBox {
    /// Finds the box that the arguments name. A configuration is needed only for what the arguments leave out.
    pub(super) fn find(target: &Target) -> anyhow::Result<Self> {
        let key = target.auth_token_file.as_ref().map(|file| {
            fs::read_to_string(file)
                .map(|text| Secret::new(&text))
                .with_context(|| format!("cannot read {}", file.display()))
        });
        let key = key.transpose()?;
        let url = target.url.as_deref().map(str::parse::<PublicUrl>).transpose().context("--url")?;
        if let (Some(url), Some(key)) = (&url, &key) {
            return Ok(Self { url: url.clone(), account_sid: None, key: key.clone(), config: None });
        }
        let config = Config::load(&target.config, &Environment::of_process())?;
        let first = config.carrier.auth_tokens.first().cloned().context("no key to sign with")?;
        Ok(Self {
            url: url.unwrap_or_else(|| config.http.public_url.clone()),
            account_sid: config.carrier.account_sid.clone(),
            key: key.unwrap_or(first),
            config: Some(config),
        })
    }

    /// Takes the box that a configuration is of.
    pub(super) fn of_config(config: &Config) -> anyhow::Result<Self> {
        let key = config.carrier.auth_tokens.first().cloned().context("no key to sign with")?;
        let account_sid = config.carrier.account_sid.clone();
        Ok(Self { url: config.http.public_url.clone(), account_sid, key, config: None })
    }

    /// Returns the carrier that serves the box.
    pub(super) fn carrier(&self) -> anyhow::Result<CarrierConfig> {
        let mut carrier = CarrierConfig::for_box(self.url.clone(), self.key.expose());
        if let Some(account) = &self.account_sid {
            carrier.account_sid = account.parse().context("carrier.account_sid")?;
        }
        Ok(carrier)
    }
}
