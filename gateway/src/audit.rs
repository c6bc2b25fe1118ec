//! Who did what: a row for each change that a person or program makes, in the transaction of the change.

use sea_query::Query;

use crate::db::{DbError, Write};

/// Something done.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// Who did it.
    pub actor: &'a str,
    /// What, as in `desired.change`.
    pub action: &'a str,
    /// To what: a device, a group, a token.
    pub target: &'a str,
}

/// Writes it down. `detail` holds no secrets and nothing that callers said.
pub async fn write_down(
    write: &mut Write,
    deed: Deed<'_>,
    detail: &serde_json::Value,
    now_ms: i64,
) -> Result<(), DbError> {
    let mut insert = Query::insert();
    insert.into_table("audit").columns(["at_ms", "actor", "action", "target", "detail"]).values_panic([
        now_ms.into(),
        deed.actor.into(),
        deed.action.into(),
        deed.target.into(),
        detail.to_string().into(),
    ]);
    write.execute(&insert).await.map(drop)
}
