//! What a date looks like: its hours, its rest and its rules as stretches of time.

mod plan;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub(crate) use self::plan::Plan;
use crate::config::When;
use crate::holiday::{self, Holiday};
use crate::opening::{DAY, Opening};
use crate::{State, Why};

/// A stretch of time; `to` is the first moment that is not of it.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl Span {
    fn holds(self, now: Timestamp) -> bool {
        (self.from..self.to).contains(&now)
    }
}

/// A Sabbath or holiday that is kept.
#[derive(Clone, Copy, Debug)]
struct Rest {
    span: Span,
    sabbath: bool,
    holiday: Option<Holiday>,
}

/// A date, with everything that may change on it.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    whole: Span,
    /// The rests that touch the date, in order: the one that ends on it, and the one that begins on it.
    rests: Vec<Rest>,
    /// The hours of the date: the owner's for it, or those of the week.
    hours: Vec<Span>,
    special: bool,
    /// The hours within which those of a day of note hold.
    limit: Option<(Holiday, Vec<Span>)>,
    /// When the office closes, and for which holiday.
    eve: Option<(Holiday, Timestamp)>,
    /// The call-back hours, where there are any besides the office's.
    calls: Option<Vec<Span>>,
    /// The hours of each rule.
    rules: Vec<Vec<Span>>,
}

impl Day {
    pub(crate) fn new(plan: &Plan, zone: &TimeZone, date: Date) -> Self {
        let clock = Clock::new(zone, date);
        let special = plan.special.get(&date);
        let tomorrow = date.tomorrow().ok();
        let eve =
            tomorrow.filter(|_| special.is_none() && plan.eves_close < DAY).and_then(|next| plan.holiday_on(next));
        let note = holiday::note_on(date, plan.city).filter(|_| special.is_none());
        let limit = note.and_then(|note| Some((Holiday::Note(note), clock.spans(plan.limit(note)?))));
        let calls = plan.calls.as_ref().map(|week| match special {
            Some(openings) if openings.is_empty() => Vec::new(),
            Some(_) | None => clock.spans(week.on(date.weekday())),
        });
        Self {
            whole: clock.whole,
            rests: [Some(date), tomorrow].into_iter().flatten().filter_map(|date| rest(plan, date)).collect(),
            hours: clock.spans(special.map_or_else(|| plan.week.on(date.weekday()), Vec::as_slice)),
            special: special.is_some(),
            limit,
            eve: eve.map(|which| (which, clock.instant(plan.eves_close))),
            calls,
            rules: plan.rules.iter().map(|rule| clock.spans(&rule.hours)).collect(),
        }
    }

    /// Returns every moment of the date at which something may change, in order, its beginning first.
    pub(crate) fn moments(&self) -> Vec<Timestamp> {
        let limits = self.limit.iter().flat_map(|(_, spans)| spans);
        let spans =
            self.hours.iter().chain(limits).chain(self.calls.iter().flatten()).chain(self.rules.iter().flatten());
        let edges = spans.copied().chain(self.rests.iter().map(|rest| rest.span)).flat_map(|span| [span.from, span.to]);
        let mut moments: Vec<Timestamp> = edges.chain(self.eve.map(|(_, at)| at)).collect();
        moments.retain(|moment| self.whole.holds(*moment));
        moments.push(self.whole.from);
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// Returns what holds at a moment of the date.
    pub(crate) fn state(&self, plan: &Plan, now: Timestamp) -> State {
        let (open, why) = match self.resting(now).next() {
            Some(Rest { holiday: Some(which), .. }) => (false, Why::Holiday { which: *which }),
            Some(Rest { holiday: None, .. }) => (false, Why::Sabbath),
            None => self.working(now),
        };
        let fits = |when| match when {
            When::Always => true,
            When::Open => open,
            When::Closed => !open,
            When::Sabbath => self.resting(now).any(|rest| rest.sabbath),
            When::Holiday => self.limit.is_some() || self.resting(now).any(|rest| rest.holiday.is_some()),
        };
        let rule = plan.rules.iter().zip(&self.rules).find(|(rule, spans)| {
            fits(rule.when) && (rule.hours.is_empty() || spans.iter().any(|span| span.holds(now)))
        });
        State { open, why, route: rule.map_or(plan.default, |(rule, _)| rule.then) }
    }

    /// Tells whether a customer may be called at a moment of the date.
    pub(crate) fn may_call(&self, plan: &Plan, now: Timestamp) -> bool {
        let Some(calls) = &self.calls else { return self.state(plan, now).open };
        let limited = self.limit.as_ref().is_some_and(|(_, spans)| !spans.iter().any(|span| span.holds(now)));
        let late = self.eve.is_some_and(|(_, at)| now >= at);
        let resting = self.resting(now).next().is_some();
        calls.iter().any(|span| span.holds(now)) && !limited && !late && !resting
    }

    /// Returns the rests that hold at a moment. Between candle lighting and the stars of a day of rest before another
    /// one it is both.
    fn resting(&self, now: Timestamp) -> impl Iterator<Item = &Rest> {
        self.rests.iter().filter(move |rest| rest.span.holds(now))
    }

    /// Tells whether the office is open at a moment without rest, and why.
    fn working(&self, now: Timestamp) -> (bool, Why) {
        let in_hours = self.hours.iter().any(|span| span.holds(now));
        if self.special {
            return (in_hours, Why::SpecialDate);
        }
        if let Some((which, spans)) = &self.limit
            && !spans.iter().any(|span| span.holds(now))
            && (in_hours || spans.is_empty())
        {
            return (false, Why::Holiday { which: *which });
        }
        match self.eve {
            Some((which, at)) if in_hours && now >= at => (false, Why::Eve { which }),
            Some(_) | None => (in_hours, Why::Hours),
        }
    }
}

/// Returns the rest whose daylight falls on a date. Minutes are rounded away from work, as in printed calendars.
fn rest(plan: &Plan, date: Date) -> Option<Rest> {
    let holiday = plan.holiday_on(date);
    let sabbath = plan.sabbath && date.weekday() == Weekday::Saturday;
    if holiday.is_none() && !sabbath {
        return None;
    }
    let candles = date.yesterday().ok().and_then(|eve| plan.city.sunset(eve)?.checked_sub(plan.before_sunset).ok());
    let stars = plan.city.stars(date).and_then(|stars| stars.checked_add(plan.after_stars).ok());
    // Where there is no sunset, at the ends of the range of time, there is rest.
    let from = candles.map_or(Timestamp::MIN, |at| at - SignedDuration::from_secs(at.as_second().rem_euclid(60)));
    let to = stars.map_or(Timestamp::MAX, |at| at + SignedDuration::from_secs((-at.as_second()).rem_euclid(60)));
    Some(Rest { span: Span { from, to }, sabbath, holiday })
}

/// The clock of the office on a date.
struct Clock<'a> {
    zone: &'a TimeZone,
    date: Date,
    whole: Span,
}

impl<'a> Clock<'a> {
    fn new(zone: &'a TimeZone, date: Date) -> Self {
        let start = |date: Date| date.to_zoned(zone.clone()).ok().map(|start| start.timestamp());
        let from = start(date).unwrap_or(Timestamp::MIN);
        let to = date.tomorrow().ok().and_then(start).unwrap_or(Timestamp::MAX);
        Self { zone, date, whole: Span { from, to } }
    }

    fn spans(&self, openings: &[Opening]) -> Vec<Span> {
        let span = |opening: &Opening| Span { from: self.instant(opening.from), to: self.instant(opening.to) };
        openings.iter().map(span).collect()
    }

    /// Returns when the clock shows a minute: the first time where it does so twice, and after the gap, by its length,
    /// where it never does.
    fn instant(&self, minute: u16) -> Timestamp {
        let (Ok(hour), Ok(minute)) = (i8::try_from(minute / 60), i8::try_from(minute % 60)) else {
            return self.whole.to;
        };
        if hour >= 24 {
            return self.whole.to;
        }
        let instant = self.zone.to_ambiguous_timestamp(self.date.at(hour, minute, 0, 0)).compatible();
        instant.unwrap_or(self.whole.to).clamp(self.whole.from, self.whole.to)
    }
}
