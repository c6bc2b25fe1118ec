//! Callers who wanted somebody and got nobody: the owner is told once of each.
//!
//! A caller whom no person took may say the rest to the receptionist or leave a message, and a message says more than that
//! a call was missed. So the notice is put into the store at once, where a restart does not lose it, and waits there as
//! long as a message takes: the message's own notice takes its place ([`crate::voicemail`]). It does not wait when the call
//! is over. A caller who hangs up at the tone leaves nothing, and the owner is told that the call was missed.

use std::time::Duration;

use store::{Batch, Calls, CommitError};
use units::{CallId, Pii};

use crate::app::Parts;
use crate::config::NoticeKind;
use crate::messages::Notice;

/// Time for the receptionist to offer a message, and for the message to be fetched and written down.
const AROUND_MESSAGE: Duration = Duration::from_mins(3);

/// How a call goes on that no person took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Not at all.
    Over,
    /// The caller may leave a message.
    GoesOn,
    /// Not at all, and the carrier may yet tell of a message that the caller left last.
    MayHaveSpoken,
}

/// Returns the notice of a missed call.
pub(crate) fn notice(call: &CallId, caller: Pii<String>, wait: Duration) -> Notice {
    Notice { kind: NoticeKind::MissedCall, name: call.as_str().to_owned(), values: vec![caller], wait }
}

/// Has the owner told of a caller whom no person took. On the disk when this is done; nothing is done without a store.
pub(super) async fn tell(parts: &Parts, call: &CallId, then: Then) -> Result<(), CommitError> {
    if parts.archive.store().is_none() {
        return Ok(());
    }
    let wait = match then {
        Then::Over => Duration::ZERO,
        Then::MayHaveSpoken => AROUND_MESSAGE,
        Then::GoesOn => parts.config.voicemail.longest().saturating_add(AROUND_MESSAGE),
    };
    let id = call.clone();
    let record = parts.archive.blocking(move |archive| archive.store()?.get::<Calls>(&id).ok().flatten()).await;
    let caller = record.flatten().map(|record| record.from).unwrap_or_default();
    let mut batch = Batch::new();
    parts.messages.put_notice(&mut batch, &parts.config, notice(call, caller, wait), parts.clock.wall_ms())?;
    if !batch.is_empty() {
        parts.archive.commit(batch).await?;
        parts.messages.wake();
    }
    Ok(())
}
