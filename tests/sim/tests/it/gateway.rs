//! A gateway in this process, with Mosquitto in front of it.

use std::sync::Arc;
use std::time::Duration;

use gateway::app::App;
use gateway::config::Config;
use gateway::db::Database;
use gateway::health::Health;
use rig::Mosquitto;
use sea_query::{Expr, Query, SelectStatement};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

/// Longest wait for anything that is bound to happen.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// What of Mosquitto's settings the gateway's example has, as far as devices notice it.
const SETTINGS: &str = "max_packet_size 266240\nmax_inflight_messages 512\nmax_queued_messages 20000\n";

/// The servers.
pub(crate) struct Servers {
    pub(crate) mosquitto: Mosquitto,
    database: Database,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts them, with more lines in Mosquitto's configuration.
    pub(crate) async fn start_with(extra: &str) -> Self {
        let mosquitto = Mosquitto::start_with(&format!("{SETTINGS}{extra}")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let text = format!(
            "[http]\nlisten = '127.0.0.1:0'\n[database]\nurl = 'sqlite:{}'\n[mqtt]\nservers = ['{}']\nname = 'test'\n",
            folder.path().join("gateway.db").display(),
            mosquitto.url()
        );
        std::fs::write(&file, text).unwrap();
        let app = App::build(Config::load(&file).unwrap()).await.unwrap();
        let (database, health, stop) = (app.database(), app.health(), CancellationToken::new());
        let task = tokio::spawn(app.run(stop.clone()));
        wait_until_ready(&health).await;
        Self { mosquitto, database, stop, task, _folder: folder }
    }

    /// Asks for one number.
    pub(crate) async fn number(&self, select: &SelectStatement) -> u64 {
        let (number,) = self.database.row::<(i64,)>(select).await.unwrap().unwrap();
        u64::try_from(number).unwrap()
    }

    /// Counts rows of a table.
    pub(crate) async fn count(&self, table: &'static str) -> u64 {
        self.number(Query::select().expr(Expr::cust("count(*)")).from(table)).await
    }

    /// Asks until `is_wanted`.
    pub(crate) async fn wait_for(&self, select: &SelectStatement, is_wanted: impl Fn(u64) -> bool) {
        let mut looks = interval(Duration::from_millis(20));
        let mut last = 0;
        let asking = async {
            while !is_wanted(last) {
                looks.tick().await;
                last = self.number(select).await;
            }
        };
        let came = timeout(SOON, asking).await.is_ok();
        assert!(came, "it is {last}");
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
    }
}

async fn wait_until_ready(health: &Arc<Health>) {
    let mut looks = interval(Duration::from_millis(5));
    let ready = async {
        while !health.is_ready() {
            looks.tick().await;
        }
    };
    timeout(SOON, ready).await.unwrap_or_else(|_| panic!("{:?}", health.readiness()));
}
