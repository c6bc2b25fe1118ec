//! How long each row of the committing program lives.

/// Lives there are, in commits.
pub(crate) const LIVES: [u64; 3] = [5, 40, 400];

/// Returns after how many commits the row is deleted.
pub(crate) fn life(number: u64) -> u64 {
    let [short, middle, long] = LIVES;
    match number {
        number if number.is_multiple_of(7) => long,
        number if number.is_multiple_of(3) => middle,
        _ => short,
    }
}
