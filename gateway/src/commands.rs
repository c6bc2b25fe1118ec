//! What the commands do.
#![expect(clippy::print_stdout, reason = "a program that prints")]

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use protocol::DeviceId;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::{Command, Common, DeviceCommand, TokenCommand};
use crate::clock::now_ms;
use crate::config::Config;
use crate::db::Database;
use crate::http::devices;
use crate::http::tokens::{self, NewToken};

/// Rows read at once.
const PAGE: u64 = 500;

/// Usage that makes no sense: ends with 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// Does what was asked.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        match command {
            Command::Run(common) => serve(&common).await,
            Command::Token(command) => token(command).await,
            Command::Device(command) => device(command).await,
        }
    })
}

async fn serve(common: &Common) -> anyhow::Result<ExitCode> {
    let config = Config::load(&common.config)?;
    tracing::info!(?config, "configuration");
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let app = App::build(config).await?;
    let mut running = std::pin::pin!(app.run(shutdown.clone()));
    tokio::select! {
        ended = &mut running => return ended.map(|()| ExitCode::SUCCESS),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    shutdown.cancel();
    tokio::select! {
        ended = running => ended.map(|()| ExitCode::SUCCESS),
        // Told twice, it goes at once; what was not acknowledged comes again.
        _ = terminate.recv() => Ok(ExitCode::FAILURE),
        _ = interrupt.recv() => Ok(ExitCode::FAILURE),
    }
}

async fn token(command: TokenCommand) -> anyhow::Result<ExitCode> {
    const ACTOR: &str = "command line";
    match command {
        TokenCommand::Create { common, name, role, scopes, lifetime } => {
            let new = NewToken { name, role, scopes, lifetime };
            let scopes = new.check().map_err(UsageError)?;
            let token = tokens::create(&open(&common).await?, ACTOR, &new, now_ms()).await?;
            if common.json {
                print_json(&json!({ "id": token.id, "token": token.expose(), "scopes": scopes }))?;
            } else {
                println!("{}", token.expose());
            }
        }
        TokenCommand::List(common) => {
            let database = open(&common).await?;
            let all = tokens::list(&database, None, PAGE).await?;
            if common.json {
                print_json(&all)?;
            } else {
                for token in &all {
                    println!("{}", token.line());
                }
            }
        }
        TokenCommand::Revoke { common, id } => {
            if !tokens::revoke(&open(&common).await?, ACTOR, &id, now_ms()).await? {
                return Err(anyhow!("there is no such token that is good"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn device(command: DeviceCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeviceCommand::List(common) => {
            let database = open(&common).await?;
            let mut after = None;
            let mut all = Vec::new();
            loop {
                let page = devices::list(&database, after.as_deref(), PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.id().to_owned());
                if common.json {
                    all.extend(page);
                } else {
                    for device in &page {
                        println!("{}", device.line());
                    }
                }
            }
            if common.json {
                print_json(&all)?;
            }
        }
        DeviceCommand::Show { common, id } => {
            let id: DeviceId = id.parse().map_err(|error| UsageError(format!("device: {error}")))?;
            let device = devices::show(&open(&common).await?, &id).await?;
            let device = device.ok_or_else(|| anyhow!("there is no device {id}"))?;
            if common.json {
                print_json(&device)?;
            } else {
                println!("{}", serde_json::to_string_pretty(&device)?);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(common: &Common) -> anyhow::Result<Database> {
    let config = Config::load(&common.config)?;
    Database::open(&config.database).await.context("cannot open the database")
}

fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}
