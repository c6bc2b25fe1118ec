//! The program `kolbox-gateway`.

use std::process::ExitCode;

use clap::Parser as _;
use gateway::cli::Cli;
use gateway::commands::{self, UsageError};
use gateway::config::{ConfigError, EXIT_USAGE};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are printed, not refused.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    start_logging(&cli);
    // One provider for the broker, brokers and databases; a second call would find it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            let usage = error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<UsageError>());
            report(&error);
            ExitCode::from(if usage { EXIT_USAGE } else { 1 })
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a program that failed")]
fn report(error: &anyhow::Error) {
    eprintln!("kolbox-gateway: {error:#}");
}

fn start_logging(cli: &Cli) {
    let filter = EnvFilter::try_new(&cli.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if cli.log_json {
        builder.json().init();
    } else {
        builder.with_target(false).init();
    }
}
