//! What a message is told of: the owner of each once, and the office's leads.
//!
//! A message may never be written down: the box is deaf, or its recording is not to be had. So the commit that makes its record
//! says already who left it. The notice waits there, where a restart does not lose it, and the transcript's commit puts what
//! is said in its place; after the wait the owner is told that nobody knows.

use std::time::Duration;

use store::{Batch, EncodeError, VoicemailRecord};

use crate::config::{Config, NoticeKind};
use crate::leads;
use crate::messages::{Notice, REQUESTS_FOR, replace_notice};

/// Time for a message to be fetched and written down. A well box writes down faster than was spoken, which by default is no
/// more than three minutes, and fetches within seconds; the rest is for calls, which come first.
const WRITTEN_DOWN_WITHIN: Duration = Duration::from_mins(5);

/// Adds what is known of a message, to the commit that makes its record and to that of its transcript. Their workers are woken
/// when the commit is done. That the caller had wanted a person goes without saying then.
pub(crate) fn put_news(
    batch: &mut Batch,
    config: &Config,
    record: &VoicemailRecord,
    now_ms: u64,
) -> Result<(), EncodeError> {
    leads::put_voicemail(batch, record);
    let age = Duration::from_millis(now_ms.saturating_sub(record.key.received_wall_ms));
    let wait = match record.transcript {
        None => WRITTEN_DOWN_WITHIN,
        // The owner was told when it came in, and that this was so is not known for longer.
        Some(_) if age > REQUESTS_FOR => return Ok(()),
        Some(_) => Duration::ZERO,
    };
    let values = vec![record.caller.clone(), record.transcript.clone().unwrap_or_default()];
    let notice = Notice { kind: NoticeKind::Voicemail, name: record.key.to_string(), values, wait };
    replace_notice(batch, config, notice, (NoticeKind::MissedCall, record.key.call.as_str()), now_ms)
}
