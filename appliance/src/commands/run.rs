//! `kolbox run`: serve until told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use rustix::fs::Mode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::{Config, Environment};
use crate::development::Development;
use crate::logging::LogTap;
use crate::voice::Engines;

/// Where `run --development` keeps everything, under the current folder.
const DEVELOPMENT_FOLDER: &str = "var/development";

/// Loads the configuration, binds, builds, serves.
pub fn run(config: &Path, development: bool, lines: LogTap) -> anyhow::Result<ExitCode> {
    let file = if development { development_config()? } else { config.to_owned() };
    let config = Config::load(&file, &Environment::of_process())?;
    tracing::info!(?config, "configuration loaded");
    // Calls and recordings are the owner's business and nobody else's on this machine.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(serve(config, lines))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config, lines: LogTap) -> anyhow::Result<()> {
    let address = config.http.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; set http.listen to a free address"))?;
    let engines = Engines::of_device(&config);
    let app = App::build(config, listener, engines).await?.with_log(lines);
    let shutdown = app.parts().shutdown.clone();
    let signals = stop_on_signal(shutdown)?;
    let (served, ()) = tokio::join!(app.run(), signals);
    served
}

/// Stops the program on SIGTERM or SIGINT. The returned future ends when the program stops for any reason.
fn stop_on_signal(shutdown: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("told to stop"),
            _ = interrupt.recv() => tracing::info!("told to stop"),
            () = shutdown.cancelled() => {}
        }
        shutdown.cancel();
    })
}

fn development_config() -> anyhow::Result<std::path::PathBuf> {
    let root = std::env::current_dir().context("there is no current folder")?;
    let folder = root.join(DEVELOPMENT_FOLDER);
    let listen = SocketAddr::from(([127, 0, 0, 1], 8_080));
    let development = Development { folder: &folder, root: &root, listen, carrier_api_url: None, extra: "" };
    let file = development.write().with_context(|| format!("cannot write to {}", folder.display()))?;
    tracing::info!(file = %file.display(), "development configuration");
    Ok(file)
}
