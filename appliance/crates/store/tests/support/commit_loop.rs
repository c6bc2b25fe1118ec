//! Commits rows until it is killed, and prints the number of each once it is acknowledged.

use std::io::Write as _;

use store::{Batch, CallRecord, Store, StoreConfig};
use units::Pii;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("expected a folder")?;
    let first: u64 = arguments.next().ok_or("expected the first number")?.parse()?;
    let store = Store::open(&StoreConfig::new(folder))?;
    let mut output = std::io::stdout().lock();
    for number in first.. {
        let call = format!("CA{number:032}").parse()?;
        let mut batch = Batch::new();
        batch.put_call(&CallRecord::started(call, Pii::default(), Pii::new("a".repeat(200)), number))?;
        store.commit(batch)?;
        writeln!(output, "{number}")?;
        output.flush()?;
    }
    Ok(())
}
