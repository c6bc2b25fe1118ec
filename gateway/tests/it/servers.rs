//! A Mosquitto and a `PostgreSQL` of the tests' own, on free ports, gone when dropped.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use gateway::config::{Config, Database as DatabaseConfig};
use gateway::db::Database;
use tempfile::TempDir;

/// Longest wait for a server to start.
const START: Duration = Duration::from_secs(30);

/// A Mosquitto.
pub(crate) struct Mosquitto {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Mosquitto {
    /// Starts one with Debian's defaults, but for its port and who may come.
    pub(crate) fn start() -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let mut mosquitto = Self { child: Command::new("true").spawn().unwrap(), folder, port };
        mosquitto.start_again();
        mosquitto
    }

    /// Starts it again after [`Self::kill`], on the same port.
    pub(crate) fn start_again(&mut self) {
        let file = self.folder.path().join("mosquitto.conf");
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nuser root\n",
            self.port,
            self.folder.path().display()
        );
        fs::write(&file, text).unwrap();
        let program = find("mosquitto", &["/usr/sbin/mosquitto"]);
        self.child.wait().unwrap();
        self.child =
            Command::new(program).arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for_port(self.port);
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A `PostgreSQL` cluster of one test process; each test has a database of its own in it.
pub(crate) struct Postgres {
    child: Child,
    _folder: TempDir,
    socket: PathBuf,
    port: u16,
}

/// Who runs `PostgreSQL`, which refuses to run as root.
const NOBODY: u32 = 65_534;

impl Postgres {
    /// Makes a cluster and starts it.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Makes a cluster with these lines at the end of its configuration and starts it.
    pub(crate) fn start_with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let is_root = rustix::process::getuid().is_root();
        if is_root {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let as_user = |program: &str| {
            let mut command = Command::new(find_postgres(program));
            command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
            if is_root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let made =
            as_user("initdb").args(["-U", "kolbox", "-A", "trust", "-E", "UTF8", "-N", "-D"]).arg(&data).status();
        assert!(made.unwrap().success(), "initdb failed");
        let mut file = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
        let port = free_port();
        let child = as_user("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k"])
            .arg(folder.path())
            .spawn()
            .unwrap();
        wait_for_port(port);
        let socket = folder.path().to_owned();
        Self { child, _folder: folder, socket, port }
    }

    /// Makes a database and returns its address.
    pub(crate) fn database(&self, name: &str) -> String {
        let deadline = Instant::now() + START;
        loop {
            let made = Command::new("psql")
                .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "kolbox", "-d", "postgres", "-c"])
                .arg(format!("CREATE DATABASE {name}"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if made.unwrap().success() {
                return format!("postgres://kolbox@127.0.0.1:{}/{name}", self.port);
            }
            assert!(Instant::now() < deadline, "PostgreSQL at {} does not answer", self.socket.display());
            std::thread::yield_now();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: a fast shutdown, which takes the server's children along.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        }
        drop(self.child.wait());
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

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn wait_for_port(port: u16) {
    let deadline = Instant::now() + START;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on port {port}");
        std::thread::yield_now();
    }
}

fn find_postgres(program: &str) -> PathBuf {
    static NEWEST: LazyLock<PathBuf> = LazyLock::new(|| {
        let mut versions: Vec<PathBuf> =
            fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path()).collect();
        versions.sort();
        versions.pop().unwrap()
    });
    NEWEST.join("bin").join(program)
}

fn find(name: &str, places: &[&str]) -> PathBuf {
    places.iter().map(PathBuf::from).find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name))
}
