//! What a device says of itself, and what that makes of what is known of it.
//!
//! Pure. Messages come twice, late, and through several workers in any order; each is compared with what is known, and
//! what is behind it is ignored.

use protocol::{DeviceId, Presence, Reported};

/// What is known of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub id: DeviceId,
    /// Whether it is connected.
    pub online: bool,
    /// The last known run of its program; 0 when none is.
    pub boot: u64,
    /// How often that run had connected.
    pub connected_seq: u64,
    /// When it last came or went.
    pub presence_ms: i64,
    /// The program's version.
    pub software: Option<String>,
    /// The last report, as JSON.
    pub reported: Option<String>,
    /// The run and number of that report.
    pub reported_at: (u64, u64),
    /// When it came.
    pub reported_ms: i64,
    /// The version of the wish in force there.
    pub desired_applied: u64,
}

/// What became different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It came or went.
    Presence,
    /// It said how it is.
    Reported,
}

impl Known {
    /// Returns what is known of a device that was never heard of.
    pub fn new(id: DeviceId) -> Self {
        Self {
            id,
            online: false,
            boot: 0,
            connected_seq: 0,
            presence_ms: 0,
            software: None,
            reported: None,
            reported_at: (0, 0),
            reported_ms: 0,
            desired_applied: 0,
        }
    }

    /// Takes a birth, a will or a goodbye. Nothing changes by a stale one, or by one that came before.
    pub fn hear(&mut self, presence: &Presence, now_ms: i64) -> Option<Change> {
        let known = (self.boot > 0).then(|| Presence {
            online: self.online,
            ..Presence::birth(self.id.clone(), self.boot, self.connected_seq)
        });
        if presence.is_stale(known.as_ref()) {
            return None;
        }
        let is_same = self.online == presence.online
            && (self.boot, self.connected_seq) == (presence.boot, presence.connected_seq);
        if is_same {
            return None;
        }
        self.online = presence.online;
        self.boot = presence.boot;
        self.connected_seq = presence.connected_seq;
        self.presence_ms = now_ms;
        if presence.software.is_some() {
            self.software.clone_from(&presence.software);
        }
        Some(Change::Presence)
    }

    /// Takes a report, with its JSON. Nothing changes by one that is not newer.
    ///
    /// A run that looks older is believed when its report comes from the run that is connected now: the device has lost
    /// its count.
    pub fn read(&mut self, reported: &Reported, json: String, now_ms: i64) -> Option<Change> {
        let at = (reported.boot, reported.version);
        let is_current_run = reported.boot == self.boot && self.reported_at.0 != self.boot;
        if at <= self.reported_at && !is_current_run {
            return None;
        }
        self.reported = Some(json);
        self.reported_at = at;
        self.reported_ms = now_ms;
        self.desired_applied = reported.desired_version_applied.unwrap_or(0);
        if reported.software.is_some() {
            self.software.clone_from(&reported.software);
        }
        Some(Change::Reported)
    }
}

#[cfg(test)]
mod tests {
    use protocol::{DeviceId, Presence, Reported};

    use super::{Change, Known};

    fn device() -> DeviceId {
        "box-1".parse().unwrap()
    }

    fn birth(boot: u64, connected_seq: u64) -> Presence {
        Presence::birth(device(), boot, connected_seq)
    }

    #[test]
    fn a_will_of_an_older_connection_is_ignored() {
        let mut known = Known::new(device());
        assert_eq!(known.hear(&birth(5, 1), 1), Some(Change::Presence));
        assert_eq!(known.hear(&birth(5, 2), 2), Some(Change::Presence));
        assert_eq!(known.hear(&birth(5, 1).will(), 3), None);
        assert_eq!(known.hear(&birth(4, 9).will(), 3), None);
        assert!(known.online);
        assert_eq!(known.hear(&birth(5, 2).will(), 4), Some(Change::Presence));
        assert!(!known.online);
        assert_eq!(known.presence_ms, 4);
    }

    #[test]
    fn a_will_that_overtook_its_birth_stands() {
        let mut known = Known::new(device());
        known.hear(&birth(5, 1).will(), 1);
        assert_eq!(known.hear(&birth(5, 1), 2), None);
        assert!(!known.online);
        assert_eq!(known.hear(&birth(5, 2), 3), Some(Change::Presence));
    }

    #[test]
    fn what_comes_twice_changes_nothing() {
        let mut known = Known::new(device());
        known.hear(&birth(5, 1), 1);
        assert_eq!(known.hear(&birth(5, 1), 9), None);
        assert_eq!(known.presence_ms, 1);
        let reported = Reported::new(5, 3);
        assert_eq!(known.read(&reported, "{}".to_owned(), 1), Some(Change::Reported));
        assert_eq!(known.read(&reported, "{}".to_owned(), 2), None);
        assert_eq!(known.read(&Reported::new(5, 2), "{}".to_owned(), 2), None);
    }

    #[test]
    fn a_device_that_lost_its_count_is_believed_once_it_is_connected() {
        let mut known = Known::new(device());
        known.hear(&birth(900, 1), 1);
        known.read(&Reported::new(900, 7), "{}".to_owned(), 1);
        assert_eq!(known.read(&Reported::new(3, 1), "{}".to_owned(), 2), None);
        assert_eq!(known.hear(&birth(3, 1), 3), Some(Change::Presence));
        assert_eq!(known.read(&Reported::new(3, 1), "{}".to_owned(), 4), Some(Change::Reported));
        assert_eq!(known.read(&Reported::new(3, 1), "{}".to_owned(), 5), None);
    }
}
