//! What the driver asks of the program around it.

use std::future::Future;
use std::pin::Pin;

use protocol::{CommandId, CommandRequest, Desired, Reported};

use crate::inbox::CommandRow;
use crate::link::Trouble;
use crate::mqtt::Broker;
use crate::outbox::{OutboxStoreError, StreamStatus};

/// What is kept of wishes and commands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedInbox {
    /// The wish in force.
    pub desired: Option<Desired>,
    /// The commands that were begun or ended, and that the gateway has not cleared.
    pub commands: Vec<CommandRow>,
}

/// Where wishes and commands are kept over a restart. All of it may wait for the disk.
pub trait InboxStore: Send + Sync + 'static {
    /// Reads what was kept.
    fn load(&self) -> Result<SavedInbox, OutboxStoreError>;

    /// Keeps the wish in force.
    fn save_desired(&self, desired: &Desired) -> Result<(), OutboxStoreError>;

    /// Keeps how far a command is.
    fn remember(&self, row: &CommandRow) -> Result<(), OutboxStoreError>;

    /// Forgets a command.
    fn forget(&self, id: &CommandId) -> Result<(), OutboxStoreError>;
}

/// What comes of a command: what there is to say of it, done or not.
pub type HostFuture = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

/// The program around the link.
pub trait Host: Send + Sync + 'static {
    /// Returns the time in milliseconds since 1970, if the clock is set.
    fn wall_ms(&self) -> Option<u64>;

    /// Puts a wish in force. Must not wait.
    fn apply(&self, desired: &Desired) -> Result<(), String>;

    /// Says how the device is. What the link knows itself is filled in afterwards. Must not wait.
    fn report(&self) -> Reported;

    /// Says why the device will not carry out a command that it knows, if it will not. Must not wait.
    fn refuses(&self, request: &CommandRequest) -> Option<String>;

    /// Carries out a command.
    fn execute(&self, request: CommandRequest) -> HostFuture;

    /// Hears how the link stands, whenever that changes. Must not wait.
    fn on_status(&self, status: &SyncStatus);
}

/// How the link stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// Connected to this broker.
    Up(Broker),
    /// Not connected; the last trouble, if there was any yet.
    Down(Option<Trouble>),
}

/// How everything stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStatus {
    /// The link.
    pub link: LinkStatus,
    /// The streams that ever had an event.
    pub streams: Vec<StreamStatus>,
}
