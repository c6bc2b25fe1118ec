//! The program `kolbox`.

use std::process::ExitCode;

use appliance::cli::{Cli, Command, RunArgs, TokenArgs};
use appliance::commands;
use appliance::config::{ConfigError, EXIT_USAGE};
use appliance::logging::{self, LogTap, Style};
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are printed, not refused.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    let lines = logging::start(&cli.log, if cli.log_json { Style::Json } else { Style::Plain });
    match run(cli.command, lines) {
        Ok(code) => code,
        Err(error) => {
            let usage = error.chain().any(<dyn std::error::Error>::is::<ConfigError>);
            report(&error);
            ExitCode::from(if usage { EXIT_USAGE } else { 1 })
        }
    }
}

fn run(command: Command, lines: LogTap) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(RunArgs { config, development }) => commands::run::run(&config, development, lines),
        Command::Call(arguments) => commands::call::run(&arguments),
        Command::Doctor(arguments) => commands::doctor::run(&arguments),
        Command::Models(command) => commands::models::run(&command),
        Command::Replay(arguments) => commands::replay::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(&arguments),
        Command::Token(TokenArgs { config, command }) => commands::token::run(&config, &command),
        Command::Bench(arguments) => commands::bench::run(&arguments),
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a program that failed")]
fn report(error: &anyhow::Error) {
    eprintln!("kolbox: {error:#}");
}
