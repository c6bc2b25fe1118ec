//! `/api/voicemails`: messages callers left.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::response::IntoResponse as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Batch, VoicemailKey, VoicemailPath, VoicemailRecord, VoicemailState, Voicemails};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;
use units::Pii;

use super::reply::{Answer, ETag, Page, single};
use super::request::{Conditions, Json, Paging, Path, Query};
use super::{Operation, Problem, Scope};
use crate::app::Parts;
use crate::archive::Archive;

/// A message a caller left.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Voicemail")]
struct VoicemailView {
    /// Its name.
    id: String,
    /// The call in which it was left.
    call: String,
    /// When it came in.
    received_wall_ms: u64,
    /// The caller's number as the carrier gave it; empty when withheld.
    #[schemars(with = "String")]
    caller: Pii<String>,
    /// How long it is, in milliseconds; zero until the audio is here.
    duration_ms: u64,
    /// What was said; null until it was recognized.
    #[schemars(with = "Option<String>")]
    transcript: Option<Pii<String>>,
    /// What was said, in a sentence or two; null until it was recognized.
    #[schemars(with = "Option<String>")]
    summary: Option<Pii<String>>,
    /// The language of the transcript: `he` or `en`.
    language: Option<String>,
    /// Which way it came to the box; null for one of an earlier release that did not note it.
    path: Option<PathView>,
    /// Whether somebody listened to it.
    state: HeardState,
    /// Whether there is audio: not before it was fetched, and not after it was let go of.
    has_audio: bool,
}

/// Which way a message came to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "VoicemailPath")]
enum PathView {
    /// The box recorded it itself.
    Device,
    /// The carrier recorded it, and said so when it asked how the call goes on.
    Record,
    /// The carrier recorded it, and only told when the recording was ready.
    Callback,
}

/// Whether somebody listened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HeardState {
    /// Not yet.
    New,
    /// Yes.
    Heard,
}

/// A change of a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VoicemailChange {
    /// Whether somebody listened to it.
    state: HeardState,
}

pub(super) fn operations() -> Vec<Operation> {
    let (read_scope, write_scope) = (Scope::VoicemailRead, Scope::VoicemailWrite);
    vec![
        Operation::get("/voicemails", "list_voicemails", "Lists messages, the newest first.", read_scope, list)
            .pages::<VoicemailView>(),
        Operation::get("/voicemails/{id}", "voicemail", "Returns a message.", read_scope, read)
            .answers::<VoicemailView>(200, "The message.")
            .conditional(),
        Operation::patch("/voicemails/{id}", "change_voicemail", "Marks a message.", write_scope, change)
            .takes::<VoicemailChange>()
            .answers::<VoicemailView>(200, "The message as it is now.")
            .conditional(),
        Operation::get("/voicemails/{id}/audio", "voicemail_audio", "Returns the audio.", read_scope, audio)
            .answers_with(200, "The audio.", "audio/wav")
            .answers_with(206, "The part that the header Range asks for.", "audio/wav")
            .answers_with(304, "It has not changed since.", "")
            .answers_with(416, "There is no such part.", "")
            .refuses(410),
    ]
}

async fn list(State(parts): State<Arc<Parts>>, asked: OriginalUri, Query(paging): Query<Paging>) -> Answer {
    let (count, before) = (paging.count()?, paging.cursor::<VoicemailKey>()?);
    let found = parts.archive.blocking(move |archive| {
        let records = archive.store()?.recent_voicemails(before.as_ref(), count.saturating_add(1));
        Some(records.map(|records| records.iter().map(|record| view(archive, record)).collect()))
    });
    let views = found.await.flatten().ok_or_else(Problem::no_store)??;
    Ok(Page::of(views, count, |view: &VoicemailView| view.id.clone()).answer(&asked))
}

async fn read(State(parts): State<Arc<Parts>>, Path(id): Path<String>, conditions: Conditions) -> Answer {
    let (_, view) = find(&parts, &id).await?;
    Ok(single(&conditions, &ETag::of(&view), &view))
}

async fn change(
    State(parts): State<Arc<Parts>>,
    Path(id): Path<String>,
    conditions: Conditions,
    body: Json<VoicemailChange>,
) -> Answer {
    let alone = parts.voicemail.alone().await;
    let (mut record, mut view) = find(&parts, &id).await?;
    conditions.check(&ETag::of(&view))?;
    view.state = body.value.state;
    record.state = match body.value.state {
        HeardState::New => VoicemailState::New,
        HeardState::Heard => VoicemailState::Heard,
    };
    let mut batch = Batch::new();
    alone.put(&mut batch, &record)?;
    alone.commit(&parts.archive, batch).await?;
    Ok(single(&Conditions::default(), &ETag::of(&view), &view))
}

async fn audio(State(parts): State<Arc<Parts>>, Path(id): Path<String>, request: Request) -> Answer {
    let (record, _) = find(&parts, &id).await?;
    let name = record.recording.ok_or_else(|| Problem::not_found("audio of this message"))?;
    let file: PathBuf = parts.archive.recordings().ok_or_else(Problem::no_store)?.path(&name);
    if !file.is_file() {
        return Err(Problem::gone("audio of this message"));
    }
    match ServeFile::new(file).oneshot(request).await {
        Ok(response) => Ok(response.map(axum::body::Body::new).into_response()),
        Err(never) => match never {},
    }
}

/// Returns a message as it is kept and as it is shown.
async fn find(parts: &Parts, id: &str) -> Result<(VoicemailRecord, VoicemailView), Problem> {
    let key: VoicemailKey = id.parse().map_err(|_no_key| Problem::not_found("message"))?;
    let found = parts.archive.blocking(move |archive| {
        let found = archive.store()?.get::<Voicemails>(&key);
        Some(found.map(|found| {
            found.map(|record| {
                let view = view(archive, &record);
                (record, view)
            })
        }))
    });
    found.await.flatten().ok_or_else(Problem::no_store)??.ok_or_else(|| Problem::not_found("message"))
}

/// Blocks: retention takes the audio and leaves the row, so that only the disk knows whether there is any.
fn view(archive: &Archive, record: &VoicemailRecord) -> VoicemailView {
    let file = record.recording.as_ref().zip(archive.recordings()).map(|(name, recordings)| recordings.path(name));
    VoicemailView {
        id: record.key.to_string(),
        call: record.key.call.to_string(),
        received_wall_ms: record.key.received_wall_ms,
        caller: record.caller.clone(),
        duration_ms: record.duration_ms,
        transcript: record.transcript.clone(),
        summary: record.summary.clone(),
        language: record.language.map(|language| language.code().to_owned()),
        path: match record.path {
            Some(VoicemailPath::Device) => Some(PathView::Device),
            Some(VoicemailPath::CarrierAction) => Some(PathView::Record),
            Some(VoicemailPath::CarrierCallback) => Some(PathView::Callback),
            Some(VoicemailPath::Unknown) | None => None,
        },
        state: match record.state {
            VoicemailState::Heard => HeardState::Heard,
            VoicemailState::New | VoicemailState::Unknown => HeardState::New,
        },
        has_audio: file.is_some_and(|file| file.is_file()),
    }
}
