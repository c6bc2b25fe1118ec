//! The link over real sockets and TLS, against Mosquitto from Debian. The gateway is played by the test; the whole way,
//! with the store and the gateway, is tested in `tests/`.
#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::expect_used,
    clippy::infinite_loop,
    clippy::type_complexity,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail like tests, and say when they skip one"
)]

mod gateway;
mod memory;
mod mosquitto;

use std::sync::Arc;
use std::time::Duration;

use protocol::{
    CommandRequest, CommandState, CommandStatus, Desired, DeviceConfig, DeviceId, LogLevel, Presence, Stream,
};
use serde_json::json;
use sync::SyncConfig;
use sync::outbox::Refusal;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::memory::{Memory, TestHost};
use crate::mosquitto::{Mosquitto, Rules};

/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_over_tls_with_client_certificates_and_leave_the_store() {
    let Some(broker) = Mosquitto::start(Rules::Product) else { return };
    let gateway = Gateway::connect(&broker).await;
    let device = Device::start(&broker, 1);
    device.emit(Stream::Calls, 0..500);
    device.emit(Stream::Logs, 500..600);
    gateway.wait_for(Stream::Calls, 0..500).await;
    gateway.wait_for(Stream::Logs, 500..600).await;
    device.emit(Stream::Calls, 600..650);
    gateway.wait_for(Stream::Calls, (0..500).chain(600..650)).await;
    device.store.wait_until_empty().await;
    let birth: Presence = gateway.presence().await;
    assert!(birth.online && birth.boot == 7 && birth.connected_seq == 1);
    device.stop().await;
    gateway.wait_for_presence(|presence| !presence.online && presence.connected_seq == 1).await;
    assert_eq!(gateway.duplicates(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_forgets_everything_costs_nothing_but_repetition() {
    let Some(mut broker) = Mosquitto::start(Rules::Product) else { return };
    let gateway = Gateway::connect(&broker).await;
    let device = Device::start(&broker, 1);
    for round in 0..3 {
        device.emit(Stream::Calls, round * 400..(round + 1) * 400);
        gateway.wait_for_some(Stream::Calls).await;
        broker.kill_and_restart();
    }
    gateway.wait_for(Stream::Calls, 0..1_200).await;
    device.store.wait_until_empty().await;
    assert!(gateway.presence().await.connected_seq > 1);
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_refuses_was_not_delivered_and_does_not_keep_the_rest_back() {
    let Some(mut broker) = Mosquitto::start(Rules::NoLogs) else { return };
    let gateway = Gateway::connect(&broker).await;
    let device = Device::start(&broker, 1);
    device.emit(Stream::Logs, 0..10);
    device.emit(Stream::Calls, 10..20);
    gateway.wait_for(Stream::Calls, 10..20).await;
    device
        .host
        .wait_for(|status| {
            status.streams.iter().any(|stream| {
                stream.stream == Stream::Logs && stream.refused == Some(Refusal::NotAuthorized) && stream.waiting == 10
            })
        })
        .await;
    broker.allow(Rules::Product);
    gateway.wait_for(Stream::Logs, 0..10).await;
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_are_applied_and_commands_carried_out_once() {
    let Some(broker) = Mosquitto::start(Rules::Product) else { return };
    let gateway = Gateway::connect(&broker).await;
    let device = Device::start(&broker, 1);
    let config = DeviceConfig { log_level: Some(LogLevel::Debug), ..DeviceConfig::default() };
    gateway.publish_desired(&Desired::first(config.clone())).await;
    gateway.wait_for_report(|report| report.desired_version_applied == Some(1)).await;
    let doctor = CommandRequest::new("c1".parse().unwrap(), CommandRequest::DOCTOR, json!({}), 0, 3_600_000);
    gateway.publish_command(&doctor).await;
    let status: CommandStatus = gateway.wait_for_status(&doctor.id, |status| status.state.is_final()).await;
    assert_eq!((status.state, status.detail.as_deref()), (CommandState::Succeeded, Some("doctor done")));
    let rotate = CommandRequest::new("c2".parse().unwrap(), CommandRequest::ROTATE_KEY, json!({}), 0, 3_600_000);
    gateway.publish_command(&rotate).await;
    let status: CommandStatus = gateway.wait_for_status(&rotate.id, |status| status.state.is_final()).await;
    assert_eq!((status.state, status.detail.as_deref()), (CommandState::Rejected, Some("the key of a test stays")));
    device.stop().await;
    // The next run finds both retained, and does neither again.
    let device = device.start_again(&broker, 2);
    gateway.wait_for_presence(|presence| presence.online && presence.boot == 8).await;
    gateway.wait_for_report(|report| report.boot == 8 && report.desired_version_applied == Some(1)).await;
    let second = Desired::follow(Some(&Desired::first(config)), 1, DeviceConfig::default()).unwrap();
    gateway.publish_desired(&second).await;
    gateway.wait_for_report(|report| report.desired_version_applied == Some(2)).await;
    assert_eq!(device.host.executed(), ["c1"]);
    assert_eq!(device.host.applied(), [1, 1, 2]);
    gateway.clear_command(&doctor.id).await;
    gateway.wait_for_cleared_status(&doctor.id).await;
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_passed_over_for_the_next() {
    let Some(broker) = Mosquitto::start(Rules::Product) else { return };
    let gateway = Gateway::connect(&broker).await;
    let nobody = format!("mqtts://127.0.0.1:{}", mosquitto::free_port()).parse().unwrap();
    let config = SyncConfig { brokers: vec![nobody, broker.address()], ..broker.config(&device_id(1)) };
    let device =
        Device::run(SyncConfig { link: sync::link::LinkConfig::new(2), ..config }, Arc::default(), Arc::default());
    device.emit(Stream::Calls, 0..5);
    gateway.wait_for(Stream::Calls, 0..5).await;
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_vanishes_is_told_of_by_its_will_and_a_short_break_is_not() {
    let Some(broker) = Mosquitto::start(Rules::Product) else { return };
    let gateway = Gateway::connect(&broker).await;
    let config = SyncConfig { will_delay: Duration::from_secs(1), ..broker.config(&device_id(1)) };
    let device = Device::run(config, Arc::default(), Arc::default());
    gateway.wait_for_presence(|presence| presence.online).await;
    device.task.abort();
    gateway.wait_for_presence(|presence| !presence.online && presence.connected_seq == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_a_wrong_certificate_gets_nowhere_and_says_why() {
    let Some(broker) = Mosquitto::start(Rules::Product) else { return };
    let config = SyncConfig { tls: Some(broker.strange_tls(&device_id(1))), ..broker.config(&device_id(1)) };
    let device = Device::run(config, Arc::default(), Arc::default());
    device
        .host
        .wait_for(|status| {
            matches!(status.link, sync::LinkStatus::Down(Some(sync::link::Trouble::Tls | sync::link::Trouble::Network)))
        })
        .await;
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_whose_clock_stands_before_the_brokers_certificate_gets_in_by_the_programs_own_date() {
    // A certificate of the year 2100 is to this clock what one of today is to a box that woke in 1970.
    let Some(broker) = Mosquitto::start_dated(Rules::Product, 2100) else { return };
    let device = Device::start(&broker, 1);
    let refused = sync::LinkStatus::Down(Some(sync::link::Trouble::Tls));
    device.host.wait_for(|status| status.link == refused).await;
    device.stop().await;
    let built = Duration::from_hours(24 * 366 * 131);
    let config = SyncConfig { tls: Some(broker.tls_as_of(&device_id(1), built)), ..broker.config(&device_id(1)) };
    let device = Device::run(config, Arc::default(), Arc::default());
    device.host.wait_for(|status| matches!(status.link, sync::LinkStatus::Up(_))).await;
    device.stop().await;
}

fn device_id(number: u32) -> DeviceId {
    format!("box-{number}").parse().unwrap()
}

/// A device that runs.
struct Device {
    store: Arc<Memory>,
    host: Arc<TestHost>,
    woken: Arc<Notify>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Device {
    fn start(broker: &Mosquitto, number: u32) -> Self {
        Self::run(broker.config(&device_id(number)), Arc::default(), Arc::default())
    }

    fn run(config: SyncConfig, store: Arc<Memory>, host: Arc<TestHost>) -> Self {
        let (woken, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let task =
            tokio::spawn(sync::run(config, Arc::clone(&store), Arc::clone(&host), Arc::clone(&woken), stop.clone()));
        Self { store, host, woken, stop, task }
    }

    /// Runs again with what the run before left.
    fn start_again(self, broker: &Mosquitto, run: u64) -> Self {
        let config = SyncConfig { boot: 6 + run, ..broker.config(&device_id(1)) };
        Self::run(config, self.store, self.host)
    }

    fn emit(&self, stream: Stream, numbers: std::ops::Range<u64>) {
        self.store.emit(stream, numbers);
        self.woken.notify_one();
    }
}

impl Device {
    async fn stop(&self) {
        self.stop.cancel();
        let ended = async {
            while !self.task.is_finished() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, ended).await.expect("the device stops");
    }
}
