//! Recordings that no record knows: the program ended in between.
//!
//! A message that is being left, and the recording of a call, survive as far as it was written, see [`store::Recordings::open`].

use std::time::Duration;

use store::{
    Batch, CallRecord, Calls, FinishedRecording, RecordingKind, RecordingName, Recordings, Store, StoreError,
    VoicemailKey, VoicemailPath, VoicemailRecord, Voicemails,
};

use super::put_news;
use crate::config::Config;
use crate::events::Events;

/// A recording shorter than this says nothing.
const SHORTEST: Duration = Duration::from_secs(1);

/// Makes the records of messages that have none, notes recordings of calls in theirs, and returns how many it were; to be called once, before the first call.
///
/// What cannot be looked at now is looked at at the next start.
pub fn keep_recovered(store: &Store, recordings: &Recordings, events: &Events, config: &Config, now_ms: u64) -> usize {
    let names = match recordings.list() {
        Ok(names) => names,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "recordings not looked through");
            return 0;
        }
    };
    let mut kept = 0_usize;
    for (name, _) in names {
        match keep_one(store, recordings, events, (config, now_ms), &name) {
            Ok(true) => kept = kept.saturating_add(1),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(recording = %name, error = &*error, "a recording of before is not on record yet");
            }
        }
    }
    if kept > 0 {
        tracing::info!(kept, "recordings of before were found and kept");
    }
    kept
}

fn keep_one(
    store: &Store,
    recordings: &Recordings,
    events: &Events,
    (config, now_ms): (&Config, u64),
    name: &RecordingName,
) -> Result<bool, Box<dyn std::error::Error>> {
    let received_wall_ms = match (name.kind, name.received_wall_ms) {
        (RecordingKind::Voicemail, Some(received_wall_ms)) => received_wall_ms,
        // Without a time it is of an earlier release, and so is its record.
        (RecordingKind::Voicemail, None) => return Ok(false),
        (RecordingKind::Call, _) => return keep_call(store, name),
    };
    let key = VoicemailKey { received_wall_ms, call: name.call.clone() };
    if store.get::<Voicemails>(&key).map_err(StoreError::from)?.is_some() {
        return Ok(false);
    }
    let finished = recordings.inspect(name)?;
    if finished.duration < SHORTEST {
        recordings.remove(name)?;
        return Ok(false);
    }
    let call = store.get::<Calls>(&name.call).map_err(StoreError::from)?;
    let record = record_of(key, finished, call);
    let mut batch = Batch::new();
    batch.put::<Voicemails>(&record.key, &record)?;
    events.voicemail_saved(&mut batch, &record);
    put_news(&mut batch, config, &record, now_ms)?;
    store.commit(batch)?;
    Ok(true)
}

/// Notes the recording of a call in its record, where there is one.
fn keep_call(store: &Store, name: &RecordingName) -> Result<bool, Box<dyn std::error::Error>> {
    let call = store.get::<Calls>(&name.call).map_err(StoreError::from)?;
    let Some(mut call) = call.filter(|call| call.recording.is_none()) else { return Ok(false) };
    call.recording = Some(name.clone());
    let mut batch = Batch::new();
    batch.put_call(&call)?;
    store.commit(batch)?;
    Ok(true)
}

fn record_of(key: VoicemailKey, finished: FinishedRecording, call: Option<CallRecord>) -> VoicemailRecord {
    let language = call.as_ref().map(|call| call.language);
    let caller = call.map(|call| call.from).unwrap_or_default();
    VoicemailRecord {
        recording: Some(finished.name),
        digest: Some(finished.digest),
        duration_ms: u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX),
        language,
        ..VoicemailRecord::received(key, caller, VoicemailPath::Device)
    }
}

#[cfg(test)]
mod tests {
    use store::{
        Batch, CallRecord, Calls, Outgoing, Query, RecordingFormat, RecordingName, Recordings, Store, StoreConfig,
        VoicemailKey,
    };
    use units::Pii;

    use super::keep_recovered;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::events::Events;

    #[test]
    fn a_message_that_a_crash_cut_short_becomes_a_record_once_with_who_called() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(folder.path())).unwrap();
        let call = "CA1".parse().unwrap();
        let mut batch = Batch::new();
        batch.put_call(&CallRecord::started(call, Pii::new("0541".to_owned()), Pii::default(), 5)).unwrap();
        store.commit(batch).unwrap();
        let (recordings, _) = Recordings::open(folder.path(), 0).unwrap();
        for (call, samples) in [("CA1", 16_000), ("CA2", 16_000), ("CA3", 7_999)] {
            let mut writer = recordings.create(message(call), RecordingFormat::PHONE).unwrap();
            writer.write(&vec![5; samples]).unwrap();
        }
        let whole = RecordingName::call("CA1".parse().unwrap());
        let mut whole = recordings.create(whole, RecordingFormat::PHONE_STEREO).unwrap();
        whole.write(&vec![5; 16_000]).unwrap();
        let old = RecordingName::voicemail("CA5".parse().unwrap());
        recordings.import(old, &vec![0; 16_044]).unwrap();
        drop(whole);

        let (recordings, recovered) = Recordings::open(folder.path(), 0).unwrap();
        assert_eq!(recovered.finished.len(), 4);
        let events = Events::new(1, Clock::start(), true);
        let config = "[http]\npublic_url = 'http://127.0.0.1:1'\n[carrier]\n[messages]\nowner = ['+972521111111']\n";
        let config = Config::parse("x".as_ref(), config).unwrap();
        assert_eq!(keep_recovered(&store, &recordings, &events, &config, 5), 3);
        assert_eq!(store.query(&Query::<Outgoing>::notices()).unwrap().len(), 2, "the owner is told of each");
        let recorded = store.get::<Calls>(&"CA1".parse().unwrap()).unwrap().unwrap().recording;
        assert_eq!(recorded.unwrap().to_string(), "call-CA1");
        assert_eq!(keep_recovered(&store, &recordings, &events, &config, 5), 0, "each is found once");
        let kept = store.recent_voicemails(None, 10).unwrap();
        let known: Vec<_> = kept.iter().map(|row| (row.key.call.as_str(), row.caller.reveal().as_str())).collect();
        assert_eq!(known, [("CA2", ""), ("CA1", "0541")]);
        assert!(kept.iter().all(|row| row.duration_ms == 2_000 && row.digest.is_some()));
        assert!(!recordings.path(&message("CA3")).exists(), "a breath is no message");
        assert_eq!(store.outbox_heads().len(), 1);
    }

    fn message(call: &str) -> RecordingName {
        let key = VoicemailKey { received_wall_ms: 1_700_000_000_000, call: call.parse().unwrap() };
        RecordingName::of_message(&key)
    }
}
