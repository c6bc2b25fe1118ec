//! `kolbox token`: who may use the API.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::output;
use crate::api::token::{Token, TokenFile};
use crate::cli::TokenCommand;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};

/// Does what is asked of the tokens of the box that the configuration describes, running or not.
pub fn run(config: &Path, command: &TokenCommand) -> anyhow::Result<ExitCode> {
    let file = file_of(config)?;
    match command {
        TokenCommand::Add { name, scope } => {
            let (token, shown) = file.add(name, scope.iter().copied(), Clock::start().wall_ms())?;
            output::line(shown);
            let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
            tracing::info!(id = token.id, scopes = scopes.join(" "), "token made; it is shown this once");
        }
        TokenCommand::List { json: true } => output::json(&file.list()?.iter().map(shown).collect::<Vec<_>>())?,
        TokenCommand::List { json: false } => {
            for token in file.list()? {
                let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
                output::line(format!("{}  {:<24} {}", token.id, token.name, scopes.join(" ")));
            }
        }
        TokenCommand::Revoke { id } => file.revoke(id)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The keys of the carrier are not needed here, nor is the right to read them.
fn file_of(config: &Path) -> anyhow::Result<TokenFile> {
    let text = std::fs::read_to_string(config)
        .map_err(|source| ConfigError::Read { file: config.to_owned(), source })
        .context("which box? its configuration says where its tokens are")?;
    Ok(TokenFile::new(Config::parse(config, &text)?.store.path))
}

fn shown(token: &Token) -> serde_json::Value {
    json!({ "id": token.id, "name": token.name, "scopes": token.scopes, "made_wall_ms": token.made_wall_ms })
}
