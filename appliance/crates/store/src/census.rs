//! Which rows lived when a database was last opened whole.
//!
//! A tombstone tells a salvage that a row was deleted, but it cannot be kept for as long as an old version of its row may
//! lie in the files: sled frees and overwrites segments in an order of its own, so that version may outlive hundreds of
//! openings. Tombstones kept for so long lie spread among the rows, each holds its segment, and what else is in that
//! segment needs tombstones of its own: 300 rows put and deleted in each of 240 runs made 2 MB of live data a file of
//! 210 MB.
//!
//! So a deletion is remembered as the absence from a list. At every opening, when everything that can be put back was
//! put back, the numbers of all living rows are written into a file beside the database. From then on a version with a
//! lower number than [`Census::below`] that is not on the list is dead, wherever it turns up; and so is one of a commit
//! that was cut off and never was part of the database. Tombstones are needed for what is deleted later, and go with the
//! next census: that of the next opening, or of the commit thread after many deletions. Older versions of living rows
//! are on the list as well: where the newest is damaged, they are better than nothing.
//!
//! What a census says stays true: a number is never given twice. It takes some six bytes for rows that were put in one
//! commit.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::{Disk, sync_folder};
use crate::engine::Engine;
use crate::frame::{self, FrameError};
use crate::salvage::{Findings, TOMBSTONE};

/// The file in the folder of a database.
const FILE: &str = "census";
/// The file until it is whole.
const PART: &str = "census.part";
/// Hexadecimal digits of the checksum that the file starts with.
const DIGITS: usize = 8;

/// The numbers of all versions of rows that counted at one opening. The default is that of a database that was never
/// opened: it knows of no death.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Census {
    /// Versions from this number on are later than the census.
    below: u64,
    /// The numbers, in order: how many were left out since the run before, and how many are in this one.
    runs: Vec<(u64, u64)>,
    /// The runs with their first and last number.
    #[serde(skip)]
    living: Vec<(u64, u64)>,
}

impl Census {
    /// Takes the census of the versions with these numbers, in any order.
    pub(crate) fn of(mut numbers: Vec<u64>, below: u64) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        let mut living: Vec<(u64, u64)> = Vec::new();
        for number in numbers {
            match living.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
                Some(_) | None => living.push((number, number)),
            }
        }
        let mut next = 0;
        let runs = living.iter().map(|(first, last)| {
            let run = (first.saturating_sub(next), last.saturating_sub(*first).saturating_add(1));
            next = last.saturating_add(1);
            run
        });
        Self { below, runs: runs.collect(), living }
    }

    /// Tells whether the version with this number was deleted, replaced or never committed.
    pub(crate) fn is_dead(&self, number: u64) -> bool {
        let run = self.living.partition_point(|(_, last)| *last < number);
        number < self.below && self.living.get(run).is_none_or(|(first, _)| number < *first)
    }

    /// Reads the census of a database; the default if none was taken.
    ///
    /// # Errors
    /// The file cannot be read, or is not as it was written.
    pub(crate) fn read(database: &Path) -> io::Result<Self> {
        let bytes = match fs::read(database.join(FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let (digits, json) = bytes.split_at_checked(DIGITS).ok_or(io::ErrorKind::InvalidData)?;
        if digits != checksum(json).as_bytes() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut census: Self = serde_json::from_slice(json)?;
        let mut next = 0_u64;
        for (left_out, count) in &census.runs {
            let first = next.saturating_add(*left_out);
            next = first.saturating_add(*count);
            census.living.push((first, next.saturating_sub(1)));
        }
        Ok(census)
    }

    /// Writes the census of a database in place of the one before. Returns when it would survive a power cut.
    pub(crate) fn write(&self, database: &Path, disk: &dyn Disk) -> io::Result<()> {
        let json = serde_json::to_string(self)?;
        let part = database.join(PART);
        disk.before_write(u64::try_from(json.len()).unwrap_or(u64::MAX))?;
        let mut file = File::create(&part)?;
        file.write_all(checksum(json.as_bytes()).as_bytes())?;
        file.write_all(json.as_bytes())?;
        disk.sync(&file)?;
        fs::rename(part, database.join(FILE))?;
        sync_folder(disk, database)
    }
}

/// Takes the census of a database in `folder`, of which `findings` were found in the files. Versions from `below` on are
/// later than it. Then removes what is not needed any more: tombstones, and rows that the census before had left out,
/// which a log that was cut has brought back.
pub(crate) fn take(engine: &Engine, findings: &Findings, below: u64, folder: &Path, disk: &dyn Disk) -> io::Result<()> {
    let (mut numbers, mut has_newer, mut removals) = (Vec::new(), false, Vec::new());
    engine.visit((Bound::Unbounded, Bound::Unbounded), false, |key, value| {
        let frame = frame::decode(value);
        has_newer |= matches!(frame, Err(FrameError::Newer(_)));
        // One that cannot be read leaves what was found of it.
        let number = frame.map_or(u64::MAX, |frame| frame.number);
        if key.first() == Some(&TOMBSTONE) || findings.is_dead(number) {
            removals.push((key.to_vec(), None));
        } else {
            numbers.extend(findings.versions(key).filter(|version| *version < number));
            numbers.extend(Some(number).filter(|number| *number < below));
        }
        ControlFlow::Continue(())
    })?;
    if has_newer {
        // They would count as dead.
        return Err(io::Error::new(io::ErrorKind::Unsupported, "a newer release has written rows"));
    }
    // What is counted has to be there after a power cut.
    engine.flush()?;
    engine.sync(disk)?;
    Census::of(numbers, below).write(folder, disk)?;
    engine.apply(removals)
}

fn checksum(json: &[u8]) -> String {
    format!("{:0DIGITS$x}", crc32fast::hash(json))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::{Census, FILE};
    use crate::RealDisk;

    #[test]
    fn a_census_that_was_never_taken_knows_of_no_death() {
        let folder = tempfile::tempdir().unwrap();
        let census = Census::read(folder.path()).unwrap();
        assert!(!census.is_dead(0) && !census.is_dead(u64::MAX));
    }

    #[test]
    fn a_damaged_census_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        Census::of(vec![3, 4, 9], 20).write(folder.path(), &RealDisk).unwrap();
        let whole = fs::read(folder.path().join(FILE)).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x04;
            fs::write(folder.path().join(FILE), flipped).unwrap();
            assert!(Census::read(folder.path()).is_err(), "byte {at}");
            fs::write(folder.path().join(FILE), &whole[..at]).unwrap();
            assert!(Census::read(folder.path()).is_err(), "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn whoever_is_not_counted_is_dead(
            numbers in prop::collection::vec(prop_oneof![0..60_u64, (1 << 40)..(1 << 40) + 60_u64], 0..60),
            below in prop_oneof![0..80_u64, (1 << 40)..(1 << 40) + 80_u64],
        ) {
            let folder = tempfile::tempdir().unwrap();
            Census::of(numbers.clone(), below).write(folder.path(), &RealDisk).unwrap();
            let census = Census::read(folder.path()).unwrap();
            prop_assert_eq!(&census, &Census::of(numbers.clone(), below));
            for number in (0..90).chain((1 << 40) - 2..(1 << 40) + 90) {
                prop_assert_eq!(census.is_dead(number), number < below && !numbers.contains(&number), "{}", number);
            }
        }
    }
}
