//! The program `kolbox-sim`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use sim::behaviour::ScriptError;
use sim::cli::{Cli, Command, EXIT_USAGE};
use sim::machine::TooFewFiles;
use sim::run::WrongUsage;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are printed, not refused.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    // One provider for all connections; a second call would find it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    match act(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            drop(writeln!(std::io::stderr(), "kolbox-sim: {error:#}"));
            let usage = error
                .chain()
                .any(|cause| cause.is::<ScriptError>() || cause.is::<TooFewFiles>() || cause.is::<WrongUsage>());
            ExitCode::from(if usage { EXIT_USAGE } else { 1 })
        }
    }
}

fn act(cli: &Cli) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match &cli.command {
        Command::Run(arguments) => {
            let summary = runtime.block_on(sim::run::run(arguments))?;
            let text = if arguments.json { format!("{}\n", serde_json::to_string(&summary)?) } else { summary.text() };
            std::io::stdout().write_all(text.as_bytes())?;
            Ok(summary.exit_code())
        }
        Command::Bench(arguments) => {
            let outcome = runtime.block_on(sim::bench::bench(arguments))?;
            if arguments.json {
                std::io::stdout().write_all(format!("{}\n", serde_json::to_string(&outcome)?).as_bytes())?;
            }
            Ok(outcome.exit_code())
        }
    }
}
