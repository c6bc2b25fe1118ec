//! The watermarks that stand in the database, page by page, to be told again to a broker that may have lost them.
//!
//! Workers tell watermarks too, after each commit, on connections of their own. What is told again must not take the
//! place of something newer: after a page is told its rows are looked at again, and where one has moved on meanwhile the
//! newer one is told as well. A row that has not moved was not passed by anybody: whoever moves it later tells it later.

use protocol::{DeviceId, Topic, Watermark, encode};
use sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};

use super::control::Due;
use crate::db::{Database, DbError};
use crate::ingest::wire::chain;

/// Rows of a page.
const PAGE: usize = 256;
/// How often a page is looked at again at most. A stream that moves on between all of these is told by its worker soon.
const LOOKS: u32 = 4;

/// A row of `streams`: device, stream, epoch, watermark. Of a stream's epochs the last comes last, and takes the place of
/// those before it.
type Row = (String, String, i64, i64);

/// How far they are told.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The last row of the page before.
    after: Option<Row>,
    /// The page that was told and is to be looked at again.
    page: Vec<Row>,
    looks: u32,
    is_told: bool,
}

impl Standing {
    /// Returns whether there is nothing more.
    pub(super) const fn is_told(&self) -> bool {
        self.is_told
    }

    /// Returns what to tell next. To be called again when the broker has all of it; it may be nothing, and yet not the
    /// end.
    pub(super) async fn next(&mut self, database: &Database) -> Result<Vec<Due>, DbError> {
        if self.is_told {
            return Ok(Vec::new());
        }
        let rows = if let Some(last) = self.page.last() {
            let again: Vec<Row> = database.rows(&select(self.after.as_ref(), Some(last))).await?;
            let moved = again.iter().filter(|row| !self.page.contains(row)).cloned().collect();
            self.look_again(again, moved)
        } else {
            let page: Vec<Row> = database.rows(&select(self.after.as_ref(), None)).await?;
            self.is_told = page.is_empty();
            self.page.clone_from(&page);
            page
        };
        newest(rows).iter().map(due).collect()
    }

    /// Returns those rows of a page that have moved on since they were told. The page is done when there are none.
    fn look_again(&mut self, again: Vec<Row>, moved: Vec<Row>) -> Vec<Row> {
        self.looks += 1;
        if moved.is_empty() || self.looks >= LOOKS {
            self.looks = 0;
            self.after = std::mem::take(&mut self.page).pop();
        } else {
            self.page = again;
        }
        moved
    }
}

/// Selects the rows after one, up to another or as many as a page has.
fn select(after: Option<&Row>, through: Option<&Row>) -> SelectStatement {
    let place = || Expr::tuple(["device", "stream", "epoch"].map(Expr::col));
    let value = |(device, stream, epoch, _): &Row| {
        Expr::tuple([Expr::val(device.as_str()), Expr::val(stream.as_str()), Expr::val(*epoch)])
    };
    let mut select = Query::select();
    select.columns(["device", "stream", "epoch", "watermark"]).from("streams");
    for column in ["device", "stream", "epoch"] {
        select.order_by(column, Order::Asc);
    }
    if let Some(after) = after {
        select.and_where(place().gt(value(after)));
    }
    match through {
        Some(through) => select.and_where(place().lte(value(through))),
        None => select.limit(u64::try_from(PAGE).unwrap_or(u64::MAX)),
    };
    select
}

/// Leaves of each stream the last epoch only.
fn newest(mut rows: Vec<Row>) -> Vec<Row> {
    // Of equals that follow one another the first is kept.
    rows.reverse();
    rows.dedup_by(|next, kept| (&next.0, &next.1) == (&kept.0, &kept.1));
    rows.reverse();
    rows
}

fn due((device, stream, epoch, through): &Row) -> Result<Due, DbError> {
    let bad = |what: String| DbError::Row { table: "streams", what };
    let device: DeviceId = device.parse().map_err(|error| bad(format!("a name: {error}")))?;
    let stream = stream.parse().map_err(|error| bad(format!("a stream: {error}")))?;
    let number = |value: i64| u64::try_from(value).unwrap_or_default();
    let document = Watermark::new(device.clone(), stream, number(*epoch), number(*through));
    let payload = encode(&document).map_err(|error| bad(chain(&error)))?;
    Ok(Due::unmarked(Topic::Ack { device, stream }, payload))
}

#[cfg(test)]
mod tests {
    use super::{LOOKS, Row, Standing, newest};

    fn row(device: &str, epoch: i64, watermark: i64) -> Row {
        (device.to_owned(), "calls".to_owned(), epoch, watermark)
    }

    #[test]
    fn of_each_stream_the_last_epoch_is_told() {
        let rows = vec![row("box-1", 1, 9), row("box-1", 2, 3), row("box-2", 1, 5)];
        assert_eq!(newest(rows), [row("box-1", 2, 3), row("box-2", 1, 5)]);
    }

    #[test]
    fn a_page_is_looked_at_until_nothing_in_it_moved_on_and_not_for_ever() {
        let mut standing = Standing { page: vec![row("box-1", 1, 5)], ..Standing::default() };
        let moved = vec![row("box-1", 1, 6)];
        assert_eq!(standing.look_again(moved.clone(), moved.clone()), moved);
        assert_eq!(standing.page, moved, "the newer one is looked at next");
        assert_eq!(standing.look_again(moved.clone(), Vec::new()), []);
        assert_eq!((standing.after.as_ref(), standing.page.len()), (moved.first(), 0));

        standing.page.clone_from(&moved);
        for _ in 0..LOOKS {
            assert!(!standing.page.is_empty());
            standing.look_again(moved.clone(), moved.clone());
        }
        assert!(standing.page.is_empty());
    }
}
