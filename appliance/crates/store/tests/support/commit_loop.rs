//! Commits rows until it is killed, and prints the number of each once it is acknowledged.
//!
//! `store-commit-loop FOLDER FIRST` numbers them from FIRST on. `store-commit-loop FOLDER` goes on behind the last row
//! there is, and deletes in each commit the rows whose [`lives`] are over.

#[path = "lives.rs"]
mod lives;

use std::io::Write as _;

use store::{Batch, CallByTimeKey, CallRecord, Calls, CallsByTime, Store, StoreConfig};
use units::{CallId, Pii};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("expected a folder")?;
    let given: Option<u64> = arguments.next().map(|text| text.parse()).transpose()?;
    let store = Store::open(&StoreConfig::new(folder))?;
    let last = store.recent_calls(None, 1)?.into_iter().next();
    let first = given.or(last.map(|last| last.started_wall_ms.saturating_add(1))).unwrap_or_default();
    let mut output = std::io::stdout().lock();
    for number in first.. {
        let mut batch = Batch::new();
        let text = "a".repeat(given.map_or_else(|| text_len(number), |_| 200));
        batch.put_call(&CallRecord::started(call_id(number)?, Pii::default(), Pii::new(text), number))?;
        if given.is_none() {
            bury(&mut batch, number)?;
        }
        store.commit(batch)?;
        writeln!(output, "{number}")?;
        output.flush()?;
    }
    Ok(())
}

/// Deletes the rows that die with the commit of `number`.
fn bury(batch: &mut Batch, number: u64) -> Outcome<()> {
    for life in lives::LIVES {
        if let Some(old) = number.checked_sub(life).filter(|old| lives::life(*old) == life) {
            batch.delete::<Calls>(&call_id(old)?)?;
            batch.delete::<CallsByTime>(&CallByTimeKey { started_wall_ms: old, call: call_id(old)? })?;
        }
    }
    Ok(())
}

fn call_id(number: u64) -> Outcome<CallId> {
    Ok(format!("CA{number:032}").parse()?)
}

/// Returns how long the row's text is, in bytes: runs of short rows and of long ones, so that segments of the log are
/// filled now by few commits and now by many.
fn text_len(number: u64) -> usize {
    if (number / 150).is_multiple_of(2) { 50 } else { 9_000 }
}
