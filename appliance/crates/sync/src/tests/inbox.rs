//! Wishes and commands, each acted on once.

use std::time::Duration;

use protocol::{
    CommandId, CommandRequest, CommandState, Desired, DeviceConfig, DeviceId, LogLevel, Topic, Watermark, Word,
};
use serde_json::json;

use crate::inbox::{CommandRow, Downlink, Inbox, InboxInput, InboxOutput, MAX_COMMANDS, read_downlink};
use crate::link::Mono;

#[test]
fn a_wish_is_applied_once_and_older_ones_are_not() {
    let mut inbox = Inbox::new(Some(3), Vec::new());
    assert_eq!(inputs(&mut inbox, [desired(2), desired(3)]), []);
    assert_eq!(inputs(&mut inbox, [desired(4), desired(4), desired(5), desired(6)]), [apply(4)]);
    // Only the last of those that came meanwhile counts.
    assert_eq!(inputs(&mut inbox, [applied(4, Ok(()))]), [InboxOutput::Report, apply(6)]);
    assert_eq!(inbox.desired_applied(), Some(4));
    assert_eq!(inputs(&mut inbox, [applied(6, Err("no".to_owned()))]), [InboxOutput::Report]);
    assert_eq!((inbox.desired_applied(), inbox.desired_rejected()), (Some(4), Some((6, "no"))));
    // It is retained and comes again with each connect.
    assert_eq!(inputs(&mut inbox, [desired(6)]), []);
    assert_eq!(inputs(&mut inbox, [desired(7), applied(7, Ok(()))]), [apply(7), InboxOutput::Report]);
    assert_eq!((inbox.desired_applied(), inbox.desired_rejected()), (Some(7), None));
}

#[test]
fn a_command_is_written_down_before_it_is_begun_and_begun_once() {
    let mut inbox = Inbox::new(None, Vec::new());
    let restart = request("a", CommandRequest::RESTART);
    assert_eq!(
        inputs(&mut inbox, [command(&restart), command(&restart)]),
        [remember(&restart, CommandState::Running, None)]
    );
    let outputs = inputs(&mut inbox, [remembered(&restart, true)]);
    assert!(
        matches!(&outputs[..], [InboxOutput::Status(status), InboxOutput::Execute(_)] if status.state == CommandState::Running)
    );
    assert_eq!(inputs(&mut inbox, [command(&restart)]), []);
    let outputs = inputs(&mut inbox, [finished(&restart, Ok("well".to_owned()))]);
    assert_eq!(outputs, [remember(&restart, CommandState::Succeeded, Some("well"))]);
    let outputs = inputs(&mut inbox, [remembered(&restart, true)]);
    assert!(matches!(&outputs[..], [InboxOutput::Status(status)] if status.state == CommandState::Succeeded));
    // It says so again after each connect, until the gateway clears it.
    assert!(matches!(&inputs(&mut inbox, [InboxInput::LinkUp])[..], [InboxOutput::Status(_)]));
    let cleared = inputs(&mut inbox, [InboxInput::CommandCleared(restart.id.clone())]);
    assert_eq!(cleared, [InboxOutput::Forget(restart.id.clone()), InboxOutput::ClearStatus(restart.id)]);
    assert_eq!(inputs(&mut inbox, [InboxInput::LinkUp]), []);
}

#[test]
fn a_command_that_cannot_be_written_down_is_not_begun() {
    let mut inbox = Inbox::new(None, Vec::new());
    let doctor = request("a", CommandRequest::DOCTOR);
    inputs(&mut inbox, [command(&doctor)]);
    let outputs = inputs(&mut inbox, [remembered(&doctor, false)]);
    assert!(matches!(&outputs[..], [InboxOutput::Status(status)] if status.state == CommandState::Failed));
}

#[test]
fn a_command_of_a_run_before_is_not_begun_again() {
    let row =
        |id: &str, kind: Word| CommandRow { id: id.parse().unwrap(), kind, state: CommandState::Running, detail: None };
    let rows = vec![row("a", CommandRequest::RESTART), row("b", CommandRequest::DOCTOR)];
    let mut inbox = Inbox::new(None, rows);
    let outputs = drain(&mut inbox);
    let state = |output: &InboxOutput| if let InboxOutput::Remember(row) = output { Some(row.state) } else { None };
    let states: Vec<Option<CommandState>> = outputs.iter().map(state).collect();
    assert_eq!(states, [Some(CommandState::Succeeded), Some(CommandState::Failed)]);
    assert_eq!(inputs(&mut inbox, [command(&request("a", CommandRequest::RESTART))]), []);
}

#[test]
fn late_unknown_and_too_many_commands_are_refused() {
    let mut inbox = Inbox::new(None, Vec::new());
    let late = request("late", CommandRequest::DOCTOR);
    let expired = |broker_left, wall_ms| {
        let (request, refused) = (Box::new(late.clone()), Some("not worth asking".to_owned()));
        InboxInput::Command { request, wall_ms, broker_left, refused }
    };
    assert_eq!(inputs(&mut inbox, [expired(None, Some(61_000))]), [remember(&late, CommandState::Expired, None)]);
    let unknown = request("unknown", "dance".parse().unwrap());
    let outputs = inputs(&mut inbox, [command(&unknown)]);
    assert!(
        matches!(&outputs[..], [InboxOutput::Remember(row)] if row.state == CommandState::Rejected && row.detail.is_some())
    );
    for number in 0..MAX_COMMANDS {
        inputs(&mut inbox, [command(&request(&format!("c{number}"), CommandRequest::DOCTOR))]);
    }
    let outputs = inputs(&mut inbox, [command(&request("more", CommandRequest::DOCTOR))]);
    assert!(matches!(&outputs[..], [InboxOutput::Status(status)] if status.state == CommandState::Rejected));
    // Without a clock the broker's word counts.
    let mut inbox = Inbox::new(None, Vec::new());
    let outputs = inputs(&mut inbox, [expired(Some(Duration::ZERO), None)]);
    assert_eq!(outputs, [remember(&late, CommandState::Expired, None)]);
}

#[test]
fn a_command_that_the_device_will_not_do_is_refused_with_its_reason_and_not_begun() {
    let mut inbox = Inbox::new(None, Vec::new());
    let rotate = request("a", CommandRequest::ROTATE_KEY);
    let refused = InboxInput::Command {
        request: Box::new(rotate.clone()),
        wall_ms: None,
        broker_left: None,
        refused: Some("the key is not ours".to_owned()),
    };
    let outputs = inputs(&mut inbox, [refused]);
    assert_eq!(outputs, [remember(&rotate, CommandState::Rejected, Some("the key is not ours"))]);
    let outputs = inputs(&mut inbox, [remembered(&rotate, true)]);
    assert!(matches!(&outputs[..], [InboxOutput::Status(status)] if status.state == CommandState::Rejected));
    assert_eq!(inputs(&mut inbox, [command(&rotate)]), [], "asked again, it stays refused");
}

#[test]
fn messages_are_read_by_topic_and_strangers_are_refused() {
    let device: DeviceId = "box-1".parse().unwrap();
    let mark = Watermark::new(device.clone(), protocol::Stream::Calls, 7, 9);
    let topic = Topic::Ack { device: device.clone(), stream: protocol::Stream::Calls }.to_string();
    let payload = protocol::encode(&mark).unwrap();
    assert_eq!(read_downlink(&device, &topic, &payload).unwrap(), Downlink::Watermark(mark));
    assert_eq!(read_downlink(&device, &topic, b"").unwrap(), Downlink::Cleared);
    let cleared = read_downlink(&device, "kolbox/v1/box-1/cmd/c1/request", b"").unwrap();
    assert_eq!(cleared, Downlink::CommandCleared("c1".parse().unwrap()));
    for (topic, payload) in [
        ("kolbox/v1/box-2/ack/calls", payload.as_slice()),
        ("kolbox/v1/box-1/ack/logs", payload.as_slice()),
        ("kolbox/v1/box-1/up/calls", payload.as_slice()),
        ("kolbox/v1/box-1/ack/calls", b"{".as_slice()),
        ("$SYS/broker", b"".as_slice()),
    ] {
        assert!(read_downlink(&device, topic, payload).is_err(), "{topic}");
    }
}

fn inputs<const N: usize>(inbox: &mut Inbox, inputs: [InboxInput; N]) -> Vec<InboxOutput> {
    for input in inputs {
        inbox.handle_input(Mono::ZERO, input);
    }
    drain(inbox)
}

fn drain(inbox: &mut Inbox) -> Vec<InboxOutput> {
    std::iter::from_fn(|| inbox.poll_output()).collect()
}

fn wish(version: u64) -> Desired {
    let config = DeviceConfig { log_level: Some(LogLevel::Info), ..DeviceConfig::default() };
    Desired { version, ..Desired::first(config) }
}

fn desired(version: u64) -> InboxInput {
    InboxInput::Desired(Box::new(wish(version)))
}

fn apply(version: u64) -> InboxOutput {
    InboxOutput::Apply(Box::new(wish(version)))
}

fn applied(version: u64, result: Result<(), String>) -> InboxInput {
    InboxInput::Applied { version, result }
}

fn request(id: &str, kind: Word) -> CommandRequest {
    CommandRequest::new(id.parse().unwrap(), kind, json!({}), 1_000, 60_000)
}

fn command(request: &CommandRequest) -> InboxInput {
    InboxInput::Command { request: Box::new(request.clone()), wall_ms: Some(2_000), broker_left: None, refused: None }
}

fn remember(request: &CommandRequest, state: CommandState, detail: Option<&str>) -> InboxOutput {
    InboxOutput::Remember(CommandRow {
        id: request.id.clone(),
        kind: request.kind.clone(),
        state,
        detail: detail.map(str::to_owned),
    })
}

fn remembered(request: &CommandRequest, done: bool) -> InboxInput {
    InboxInput::Remembered { id: request.id.clone(), done }
}

fn finished(request: &CommandRequest, result: Result<String, String>) -> InboxInput {
    InboxInput::Finished { id: CommandId::clone(&request.id), result }
}
