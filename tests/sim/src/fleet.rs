//! Many devices at once: starts them in turn, tells them what to do, joins them.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sync::link::Mono;
use sync::outbox::OutboxConfig;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use crate::behaviour::Script;
use crate::device::{Device, Setup};
use crate::tally::{Figures, Tally};
use crate::tls::{DeviceTls, TlsError};
use crate::wire::{Order, Wire, Wiring};

/// Longest wait for the goodbyes of all devices.
const GOODBYES: Duration = Duration::from_secs(20);
/// How often figures are looked at while something is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// Who does what.
    pub script: Script,
    /// How to reach the broker.
    pub wiring: Wiring,
    /// Signs certificates, where the broker wants them.
    pub tls: Option<Arc<DeviceTls>>,
    /// What all chances are drawn from.
    pub seed: u64,
    /// The time now, in milliseconds since 1970. It is also the number of this run, and the epoch of every outbox.
    pub wall_ms: u64,
    /// How many devices begin per second.
    pub connects_per_second: f64,
    /// How the outboxes behave.
    pub outbox: OutboxConfig,
}

/// Returns how a simulated outbox behaves: like the box's, but what the gateway has is removed at once, for removing costs
/// nothing in memory.
pub fn outbox_config() -> OutboxConfig {
    OutboxConfig { remove_after: Duration::ZERO, ..OutboxConfig::default() }
}

/// Devices that run.
#[derive(Debug)]
pub struct Fleet {
    devices: JoinSet<u64>,
    orders: watch::Sender<Order>,
    tally: Arc<Tally>,
    started: Instant,
    size: u64,
}

impl Fleet {
    /// Starts every device; each waits for its turn to connect.
    ///
    /// # Errors
    ///
    /// When certificates cannot be signed.
    pub fn start(config: &FleetConfig) -> Result<Self, TlsError> {
        let (orders, watched) = watch::channel(Order::Live);
        let tally = Arc::new(Tally::default());
        let wiring = Arc::new(config.wiring.clone());
        let started = Instant::now();
        let mut seeds = StdRng::seed_from_u64(config.seed);
        let mut devices = JoinSet::new();
        let mut size = 0_u64;
        for group in &config.script.group {
            for place in 0..group.devices {
                // Names were checked with the script.
                let Ok(device) = group.device(place) else { continue };
                let tls = config.tls.as_ref().map(|tls| tls.device(&device)).transpose()?;
                let setup = Setup {
                    device: device.clone(),
                    behaviour: group.behaviour.clone(),
                    seed: seeds.random(),
                    boot: config.wall_ms,
                    wall_ms: config.wall_ms,
                };
                let turn = Turn {
                    at: turn(size, config.connects_per_second),
                    setup,
                    outbox: config.outbox.clone(),
                    client_id: device.to_string(),
                    wiring: Arc::clone(&wiring),
                    tls,
                    orders: watched.clone(),
                    tally: Arc::clone(&tally),
                    started,
                };
                devices.spawn(turn.run());
                size += 1;
            }
        }
        Ok(Self { devices, orders, tally, started, size })
    }

    /// Returns how many devices there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns how long it has been running.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns what was counted.
    pub fn figures(&self) -> Figures {
        self.tally.figures()
    }

    /// Tells all devices what to do from now on.
    pub fn tell(&self, order: Order) {
        self.orders.send_replace(order);
    }

    /// Waits until the figures are as wanted, or `patience` is over; returns whether they are.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped at any time.
    pub async fn wait_until(&self, patience: Duration, is_wanted: impl Fn(&Figures) -> bool) -> bool {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let looking = async {
            while !is_wanted(&self.figures()) {
                looks.tick().await;
            }
        };
        timeout(patience, looking).await.is_ok()
    }

    /// Waits for all of `patience`, whatever happens.
    pub async fn wait_for(&self, patience: Duration) {
        // Nothing is ever counted that ends it.
        self.wait_until(patience, |_| false).await;
    }

    /// Lets every device say goodbye; returns how many events they still have.
    pub async fn close(mut self) -> u64 {
        self.tell(Order::Close);
        let mut waiting = 0_u64;
        let goodbyes = async {
            while let Some(left) = self.devices.join_next().await {
                waiting = waiting.saturating_add(left.unwrap_or(0));
            }
        };
        // A device whose broker is away has nobody to say it to; its will says it.
        drop(timeout(GOODBYES, goodbyes).await);
        self.devices.shutdown().await;
        waiting
    }
}

/// Returns when a device begins.
#[expect(clippy::cast_precision_loss, reason = "there are at most some ten thousand devices")]
fn turn(place: u64, per_second: f64) -> Duration {
    Duration::try_from_secs_f64(place as f64 / per_second.max(0.01)).unwrap_or_default()
}

/// A device before it begins.
struct Turn {
    at: Duration,
    setup: Setup,
    outbox: OutboxConfig,
    client_id: String,
    wiring: Arc<Wiring>,
    tls: Option<Arc<rustls::ClientConfig>>,
    orders: watch::Receiver<Order>,
    tally: Arc<Tally>,
    started: Instant,
}

impl Turn {
    async fn run(mut self) -> u64 {
        let closed = self.orders.wait_for(|order| *order == Order::Close);
        if timeout_at(self.started + self.at, closed).await.is_ok() {
            return 0;
        }
        let now: Mono = self.started.elapsed();
        let Self { setup, outbox, client_id, wiring, tls, orders, tally, started, .. } = self;
        let device = Device::new(setup, outbox, now);
        let wire = Wire { device, client_id, wiring, tls, orders, tally, started };
        Box::pin(wire.run()).await
    }
}
