//! A Mosquitto and a `PostgreSQL` of the tests' own: those of the rig, where what goes wrong fails the test.

use std::fs;
use std::path::Path;

use gateway::config::{Config, Database as DatabaseConfig};
use gateway::db::Database;

/// A Mosquitto with Debian's defaults.
pub(crate) struct Mosquitto {
    server: rig::Mosquitto,
    pub(crate) port: u16,
}

impl Mosquitto {
    pub(crate) fn start() -> Self {
        let server = rig::Mosquitto::start().unwrap();
        Self { port: server.port(), server }
    }

    /// Starts it again after [`Self::kill`], on the same port.
    pub(crate) fn start_again(&mut self) {
        self.server.start_again().unwrap();
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.server.kill().unwrap();
    }
}

/// A `PostgreSQL` cluster; each test has a database of its own in it.
pub(crate) struct Postgres(rig::Postgres);

impl Postgres {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with these lines at the end of its configuration.
    pub(crate) fn start_with(settings: &str) -> Self {
        let mut server = rig::Postgres::start_with(&[settings]).unwrap();
        server.wait_until_ready().unwrap();
        Self(server)
    }

    /// Makes a database and returns its address.
    pub(crate) fn database(&self, name: &str) -> String {
        self.0.query("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        self.0.url(name)
    }
}

/// Runs a test on `SQLite` and on `PostgreSQL`.
pub(crate) async fn on_both<F, Fut>(name: &str, test: F)
where
    F: Fn(Database) -> Fut,
    Fut: Future<Output = ()>,
{
    let folder = tempfile::tempdir().unwrap();
    test(open(&sqlite_url(folder.path())).await).await;
    let postgres = Postgres::start();
    test(open(&postgres.database(name)).await).await;
}

/// Opens the database at `url`.
pub(crate) async fn open(url: &str) -> Database {
    let config = DatabaseConfig { url: url.parse().unwrap(), ..DatabaseConfig::default() };
    Database::open(&config).await.unwrap()
}

/// Returns the address of a file in `folder`.
pub(crate) fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("gateway.db").display())
}

/// Makes a configuration out of its text.
pub(crate) fn config(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    fs::write(&file, text).unwrap();
    Config::load(&file).unwrap()
}
