//! The command line: what it says and what it understands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::http::auth::{Role, Scope};

/// The cloud side of Kolbox.
#[derive(Debug, Parser)]
#[command(name = "kolbox-gateway", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What is logged, as in `RUST_LOG`.
    #[arg(long, global = true, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
    /// Log in JSON.
    #[arg(long, global = true)]
    pub log_json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take in what devices send, and serve the API.
    Run(Common),
    /// Make, list and revoke tokens for the API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// List and show devices.
    #[command(subcommand)]
    Device(DeviceCommand),
}

/// Where the configuration is.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The configuration file.
    #[arg(long, env = "KOLBOX_GATEWAY_CONFIG", default_value = "gateway.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Things to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown this once.
    Create {
        /// Where the configuration is.
        #[command(flatten)]
        common: Common,
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may at most.
        #[arg(long, value_enum)]
        role: Role,
        /// What it may of that, several with commas. Default everything.
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// How long it is good, as in 90days. Default for ever.
        #[arg(long, value_parser = humantime::parse_duration)]
        lifetime: Option<Duration>,
    },
    /// List tokens.
    List(Common),
    /// Revoke a token.
    Revoke {
        /// Where the configuration is.
        #[command(flatten)]
        common: Common,
        /// Its name, as list shows it.
        id: String,
    },
}

/// Things to do with devices.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// List devices.
    List(Common),
    /// Show a device with its last report.
    Show {
        /// Where the configuration is.
        #[command(flatten)]
        common: Common,
        /// Its name.
        id: String,
    },
}
