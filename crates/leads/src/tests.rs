//! Tests of the whole.

mod deliveries;
mod people;
mod properties;
mod tables;

use units::Pii;

use crate::{Fact, Source, SourceKind};

/// Makes a fact of this call at this time.
pub(crate) fn fact(call: &str, at_wall_ms: u64, address: &str) -> Fact {
    let source = Source { kind: SourceKind::Call, id: call.to_owned() };
    Fact::new(source, at_wall_ms, Pii::new(address.to_owned()))
}

/// Makes a fact that tells a name and fields too.
pub(crate) fn told(call: &str, at_wall_ms: u64, address: &str, name: &str, fields: &[(&str, &str)]) -> Fact {
    let mut fact = fact(call, at_wall_ms, address);
    fact.name = Some(Pii::new(name.to_owned()));
    fact.fields = fields.iter().map(|(id, value)| ((*id).to_owned(), Pii::new((*value).to_owned()))).collect();
    fact
}
