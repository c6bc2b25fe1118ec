//! Both brokers over real sockets and real TLS: the embedded one, and Mosquitto with the files of `deploy/`. What must
//! hold of any broker is written once, in [`rules`], and asked of both.

mod authority;
mod client;
mod deployed;
mod embedded;
mod external;
mod mosquitto;
mod rules;

use std::path::{Path, PathBuf};
use std::time::Duration;

use authority::Authority;
use client::{Client, Connect};

/// Longest wait for anything; nothing takes a second.
const DEADLINE: Duration = Duration::from_secs(20);

/// A broker that runs, and how to reach it.
struct Place {
    authority: Authority,
    /// Where devices connect, with TLS.
    device_port: u16,
    /// Where workers connect, without.
    worker_port: u16,
    worker_username: String,
    worker_password: String,
}

impl Place {
    /// Connects a device the way a good one does.
    async fn device(&self, name: &str) -> Client {
        self.device_as(name, Connect::new(name)).await
    }

    /// Connects a device that asks for something in particular.
    async fn device_as(&self, name: &str, connect: Connect) -> Client {
        let identity = self.authority.device(name);
        Client::connect(connect.tls(self.device_port, &self.authority, Some(&identity))).await.expect(name)
    }

    /// Connects a worker.
    async fn worker(&self, name: &str) -> Client {
        let connect = Connect::new(&format!("gateway.{name}"))
            .plain(self.worker_port)
            .credentials(&self.worker_username, &self.worker_password);
        Client::connect(connect).await.expect(name)
    }
}

/// Returns the topic of a device.
fn topic(device: &str, below: &str) -> String {
    format!("kolbox/v1/{device}/{below}")
}

/// Returns a file of the examples.
fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)
}
