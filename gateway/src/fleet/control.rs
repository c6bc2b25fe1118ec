//! The connection on which devices are told what is wished of them, and on which the gateway reads what the broker kept
//! of them while nobody listened.
//!
//! What is to be told is a row that says whether it was told. A row is published, and marked when the broker has it; if
//! the row has changed meanwhile, the mark fails and it is published again. So several gateways may do this at once, and
//! a crash between any two steps costs nothing but a repetition.
//!
//! A broker may come back without its memory, and does not say so. So with each connection everything that stands is told
//! again: wishes and commands first, watermarks when nothing else is due ([`standing`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{CommandId, CommandRequest, CommandState, Desired, DeviceId, Topic, encode, snapshot_filters};
use rumqttc::{AsyncClient, Event, EventLoop, Packet, PublishOptions, PublishProperties, QoS, SubscribeFilter};
use sea_query::{Cond, Expr, ExprTrait as _, Query};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::standing::Standing;
use crate::clock::now_ms;
use crate::db::{Database, DbError};
use crate::health::{Health, Part, PartState};
use crate::ingest::commit::{self, Received};
use crate::ingest::wire::{Message, chain};
use crate::mqtt::{Connector, Purpose, back_off};

/// How often rows of other gateways are looked for; our own are told of.
const LOOK: Duration = Duration::from_millis(500);
/// Documents under way at once.
const UNDER_WAY: u64 = 64;
/// Longest wait for the broker to take a document.
const TAKEN: Duration = Duration::from_secs(10);
/// Silence after which the broker has given all it kept.
const SNAPSHOT_QUIET: Duration = Duration::from_secs(2);
/// Kept messages that wait to be stored.
const SNAPSHOT_ROOM: usize = 512;
/// A connection that held for longer was a good one.
const GOOD: Duration = Duration::from_secs(5);

/// What the connection needs.
#[derive(Clone)]
pub struct Control {
    /// How to reach the broker.
    pub connector: Connector,
    /// Where wishes are, and what is known of devices.
    pub database: Database,
    /// Where it says how it is.
    pub health: Arc<Health>,
    /// Told when there is something to tell.
    pub wake: Arc<Notify>,
}

/// A document to publish, and what to mark when the broker has it, if anything.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) topic: Topic,
    pub(super) payload: Vec<u8>,
    pub(super) expiry: Option<Duration>,
    mark: Option<Mark>,
}

impl Due {
    /// Makes a document of which nobody keeps note whether it was told.
    pub(super) const fn unmarked(topic: Topic, payload: Vec<u8>) -> Self {
        Self { topic, payload, expiry: None, mark: None }
    }
}

#[derive(Clone, Debug)]
enum Mark {
    Desired { device: String, version: i64 },
    Command { device: String, id: String, state: String },
}

/// A row of `desired`.
type DesiredRow = (String, i64, String);
/// A row of `commands`.
type CommandRow = (String, String, String, String, String, i64, i64);

impl Control {
    /// Keeps the connection until `shutdown`.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped half way; what was not marked is published again.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut attempt = 0;
        while !shutdown.is_cancelled() {
            let began = Instant::now();
            let ended = tokio::select! {
                () = shutdown.cancelled() => return,
                ended = self.connection(attempt) => ended,
            };
            self.health.set(Part::Control, PartState::Degraded(ended));
            attempt = if began.elapsed() > GOOD { 0 } else { attempt + 1 };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(back_off(attempt, rand::random())) => {}
            }
        }
    }

    async fn connection(&self, attempt: usize) -> String {
        let requests = usize::try_from(UNDER_WAY).unwrap_or(64) + 8;
        let Some((client, events, _)) = self.connector.connect(Purpose::Control, attempt, requests) else {
            return "no broker is configured".to_owned();
        };
        let (sender, receiver) = mpsc::channel(SNAPSHOT_ROOM);
        let connected = CancellationToken::new();
        tokio::select! {
            ended = self.pump(events, client.clone(), sender, &connected) => ended,
            ended = self.tell(client.clone(), &connected) => ended,
            ended = self.keep_snapshot(client, receiver) => ended,
        }
    }

    async fn pump(
        &self,
        mut events: EventLoop,
        client: AsyncClient,
        kept: mpsc::Sender<Message>,
        connected: &CancellationToken,
    ) -> String {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    // QoS 0: brokers bound what they queue with acknowledgement, and would drop most of a large fleet.
                    let filters = snapshot_filters().map(|filter| SubscribeFilter::new(filter, QoS::AtMostOnce));
                    if let Err(error) = client.try_subscribe_many(filters) {
                        return chain(&error);
                    }
                    connected.cancel();
                }
                Ok(Event::Incoming(Packet::Publish(publish))) if publish.retain => {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    // Waits for room: storing does not depend on this connection.
                    if kept.send(Message::new(topic, publish.payload)).await.is_err() {
                        return "the snapshot ended".to_owned();
                    }
                }
                Ok(_) => {}
                Err(error) => return chain(&error),
            }
        }
    }

    /// Stores what the broker kept; then asks for no more of it.
    async fn keep_snapshot(&self, client: AsyncClient, mut kept: mpsc::Receiver<Message>) -> String {
        let mut is_asked_for = true;
        loop {
            let mut messages = Vec::new();
            let more = timeout(SNAPSHOT_QUIET, kept.recv_many(&mut messages, SNAPSHOT_ROOM)).await;
            match more {
                Ok(0) => return "the connection ended".to_owned(),
                Ok(_) => {
                    let received: Vec<Received> =
                        messages.into_iter().map(|message| Received { incoming: message.read(), message }).collect();
                    if let Err(error) = commit::store(&self.database, &received, now_ms()).await {
                        return chain(&error);
                    }
                }
                Err(_quiet) if is_asked_for => {
                    is_asked_for = false;
                    if let Err(error) = client.unsubscribe_many(snapshot_filters()).await {
                        return chain(&error);
                    }
                }
                Err(_quiet) => {}
            }
        }
    }

    /// Publishes what is due, until something fails.
    async fn tell(&self, client: AsyncClient, connected: &CancellationToken) -> String {
        connected.cancelled().await;
        if let Err(error) = forget_what_was_told(&self.database).await {
            return chain(&error);
        }
        self.health.set(Part::Control, PartState::Ok);
        let mut standing = Standing::default();
        loop {
            let due = match due(&self.database, now_ms()).await {
                Ok(due) if due.is_empty() => standing.next(&self.database).await,
                due => due,
            };
            let due = match due {
                Ok(due) => due,
                Err(error) => return chain(&error),
            };
            if due.is_empty() && standing.is_told() {
                drop(timeout(LOOK, self.wake.notified()).await);
            } else if let Err(ended) = self.publish(&client, due).await {
                return ended;
            }
        }
    }

    /// Publishes documents and waits until the broker has them; an error is why it has not.
    async fn publish(&self, client: &AsyncClient, due: Vec<Due>) -> Result<(), String> {
        let mut taken = Vec::with_capacity(due.len());
        for it in due {
            let mut options = PublishOptions::new(QoS::AtLeastOnce).retained();
            if let Some(expiry) = it.expiry {
                let seconds = u32::try_from(std::cmp::max(1, expiry.as_secs())).unwrap_or(u32::MAX);
                options = options.properties(PublishProperties {
                    message_expiry_interval: Some(seconds),
                    ..PublishProperties::default()
                });
            }
            let published = client.publish_tracked(it.topic.to_string(), it.payload, options).await;
            taken.push((published.map_err(|error| chain(&error))?, it.mark));
        }
        for (notice, mark) in taken {
            // Not authorised or over quota means: not delivered.
            match timeout(TAKEN, notice.wait_completion_async()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(format!("a document was not delivered: {}", chain(&error))),
                Err(_elapsed) => return Err("the broker did not take a document in time".to_owned()),
            }
            if let Some(mark) = mark {
                mark_told(&self.database, &mark).await.map_err(|error| chain(&error))?;
            }
        }
        Ok(())
    }
}

/// A broker that lost what it kept, at a power cut, is a new one to us: everything that holds is told again.
async fn forget_what_was_told(database: &Database) -> Result<(), DbError> {
    let mut write = database.write().await?;
    let mut update = Query::update();
    update.table("desired").value("published_version", 0).and_where(Expr::col("published_version").gt(0));
    write.execute(&update).await?;
    let mut update = Query::update();
    update
        .table("commands")
        .value("published", false)
        .and_where(Expr::col("state").is_in(IN_FORCE.map(CommandState::as_str)));
    write.execute(&update).await?;
    write.commit().await
}

/// States of commands whose request stands on the broker.
const IN_FORCE: [CommandState; 3] = [CommandState::Requested, CommandState::Accepted, CommandState::Running];

async fn due(database: &Database, now_ms: i64) -> Result<Vec<Due>, DbError> {
    let mut select = Query::select();
    select
        .columns(["device", "version", "config"])
        .from("desired")
        .and_where(Expr::col("published_version").lt(Expr::col("version")))
        .limit(UNDER_WAY / 2);
    let desired: Vec<DesiredRow> = database.rows(&select).await?;
    let mut select = Query::select();
    select
        .columns(["device", "id", "kind", "args", "state", "issued_ms", "expires_ms"])
        .from("commands")
        .and_where(Expr::col("published").eq(false))
        .limit(UNDER_WAY / 2);
    let commands: Vec<CommandRow> = database.rows(&select).await?;
    let desired = desired.into_iter().map(due_desired);
    desired.chain(commands.into_iter().map(|row| due_command(row, now_ms))).collect()
}

fn due_desired((device, version, config): DesiredRow) -> Result<Due, DbError> {
    let bad = |what: String| DbError::Row { table: "desired", what };
    let id: DeviceId = device.parse().map_err(|error| bad(format!("a name: {error}")))?;
    let config = serde_json::from_str(&config).map_err(|error| bad(error.to_string()))?;
    let version_told = u64::try_from(version).map_err(|_negative| bad("a negative version".to_owned()))?;
    let document = Desired { version: version_told, ..Desired::first(config) };
    let payload = encode(&document).map_err(|error| bad(chain(&error)))?;
    let mark = Some(Mark::Desired { device, version });
    Ok(Due { topic: Topic::Desired { device: id }, payload, expiry: None, mark })
}

fn due_command((device, id, kind, args, state, issued, expires): CommandRow, now_ms: i64) -> Result<Due, DbError> {
    let bad = |what: String| DbError::Row { table: "commands", what };
    let name: DeviceId = device.parse().map_err(|error| bad(format!("a device: {error}")))?;
    let command: CommandId = id.parse().map_err(|error| bad(format!("a command: {error}")))?;
    let is_in_force = IN_FORCE.iter().any(|state_in_force| state_in_force.as_str() == state);
    let (payload, expiry) = if is_in_force {
        let kind = kind.parse().map_err(|error| bad(format!("a kind: {error}")))?;
        let args = serde_json::from_str(&args).map_err(|error| bad(error.to_string()))?;
        let number = |ms: i64| u64::try_from(ms).unwrap_or_default();
        let request =
            CommandRequest::new(command.clone(), kind, args, number(issued), number(expires.saturating_sub(issued)));
        let left = Duration::from_millis(number(expires.saturating_sub(now_ms)));
        (encode(&request).map_err(|error| bad(chain(&error)))?, Some(left))
    } else {
        // Over: the retained request is taken away.
        (Vec::new(), None)
    };
    let topic = Topic::CommandRequest { device: name, command };
    Ok(Due { topic, payload, expiry, mark: Some(Mark::Command { device, id, state }) })
}

async fn mark_told(database: &Database, mark: &Mark) -> Result<(), DbError> {
    let mut write = database.write().await?;
    let (mut set, mut again) = (Query::update(), Query::update());
    match mark {
        Mark::Desired { device, version } => {
            let this = Cond::all().add(Expr::col("device").eq(device.as_str()));
            let same = this.clone().add(Expr::col("version").eq(*version));
            set.table("desired").value("published_version", *version).cond_where(same);
            again.table("desired").value("published_version", 0).cond_where(this);
        }
        Mark::Command { device, id, state } => {
            let this = Cond::all().add(Expr::col("device").eq(device.as_str())).add(Expr::col("id").eq(id.as_str()));
            let same = this.clone().add(Expr::col("state").eq(state.as_str()));
            set.table("commands").value("published", true).cond_where(same);
            again.table("commands").value("published", false).cond_where(this);
        }
    }
    if write.execute(&set).await? == 0 {
        write.execute(&again).await?;
    }
    write.commit().await
}

/// Returns the documents that stand on a broker, to be put in place before anybody is let in: what the embedded broker,
/// which keeps nothing over a restart, is told first.
pub async fn documents(database: &Database, now_ms: i64) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    let mut documents = Vec::new();
    let mut select = Query::select();
    select.columns(["device", "version", "config"]).from("desired");
    for row in database.rows::<DesiredRow>(&select).await? {
        let due = due_desired(row)?;
        documents.push((due.topic.to_string(), due.payload));
    }
    let mut select = Query::select();
    select
        .columns(["device", "id", "kind", "args", "state", "issued_ms", "expires_ms"])
        .from("commands")
        .and_where(Expr::col("state").is_in(IN_FORCE.map(CommandState::as_str)));
    for row in database.rows::<CommandRow>(&select).await? {
        let due = due_command(row, now_ms)?;
        documents.push((due.topic.to_string(), due.payload));
    }
    let mut standing = Standing::default();
    while !standing.is_told() {
        let page = standing.next(database).await?;
        documents.extend(page.into_iter().map(|due| (due.topic.to_string(), due.payload)));
    }
    Ok(documents)
}
