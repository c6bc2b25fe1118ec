//! When the sun sets over a city, and when three stars are out.
//!
//! The equations are those of NOAA's solar calculator, low-accuracy ones of Meeus's *Astronomical Algorithms*:
//! <https://gml.noaa.gov/grad/solcalc/calcdetails.html>. Between 1970 and 2100 they are well within a minute.
#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds of a day and of a century")]

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// How far the sun's centre is below the horizon at sunset: its radius and the refraction of the air, in degrees.
const SUNSET_DEG: f64 = 0.833;
/// How far the sun is below the horizon when three small stars are seen, in degrees.
/// Source: <https://www.hebcal.com/home/4463/candle-lighting-havdalah-fast-times>.
const STARS_DEG: f64 = 8.5;
/// The epoch of the equations, 2000-01-01 12:00, as a Unix time.
const J2000_UNIX_S: f64 = 946_728_000.0;
/// Seconds in a Julian century.
const CENTURY_S: f64 = 36_525.0 * 86_400.0;
/// Minutes in which the earth turns by one degree.
const MINUTES_A_DEGREE: f64 = 4.0;

/// Where the office is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum City {
    /// Jerusalem. The Sabbath begins 40 minutes before sunset.
    #[default]
    Jerusalem,
    /// Tel Aviv. The Sabbath begins 20 minutes before sunset.
    TelAviv,
    /// Haifa. The Sabbath begins 30 minutes before sunset.
    Haifa,
    /// Be'er Sheva. The Sabbath begins 20 minutes before sunset.
    BeerSheva,
}

impl City {
    /// Returns by how many minutes candle lighting precedes sunset by the custom of the city.
    pub const fn candle_minutes(self) -> u16 {
        match self {
            Self::Jerusalem => 40,
            Self::Haifa => 30,
            Self::TelAviv | Self::BeerSheva => 20,
        }
    }

    /// Returns latitude north and longitude east in degrees, those of geonames.org.
    const fn position(self) -> (f64, f64) {
        match self {
            Self::Jerusalem => (31.769_04, 35.216_33),
            Self::TelAviv => (32.080_88, 34.780_57),
            Self::Haifa => (32.818_41, 34.988_50),
            Self::BeerSheva => (31.251_81, 34.791_30),
        }
    }

    /// Returns when the sun sets at the level of the sea; `None` near the ends of the range of timestamps.
    pub(crate) fn sunset(self, date: Date) -> Option<Timestamp> {
        self.descent(date, SUNSET_DEG)
    }

    /// Returns when three stars are out; `None` near the ends of the range of timestamps.
    pub(crate) fn stars(self, date: Date) -> Option<Timestamp> {
        self.descent(date, STARS_DEG)
    }

    /// Returns when the sun's centre is so far below the horizon in the evening of a date.
    fn descent(self, date: Date, below_deg: f64) -> Option<Timestamp> {
        let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let (latitude, longitude) = self.position();
        // The sun moves while the day goes by: the second round is right to a second, the third costs nothing.
        let minutes = (0..3).try_fold(16.0 * 60.0, |minutes, _| {
            let sun = Sun::at(midnight.as_second() as f64 + minutes * 60.0);
            let angle = sun.hour_angle_deg(latitude, below_deg)?;
            Some(12.0 * 60.0 + MINUTES_A_DEGREE * (angle - longitude) - sun.ahead_min)
        })?;
        midnight.checked_add(SignedDuration::from_secs((minutes * 60.0).round() as i64)).ok()
    }
}

/// Where the sun stands at a moment.
struct Sun {
    /// How far north of the equator, in radians.
    declination: f64,
    /// By how many minutes a sundial is ahead of the clock: the equation of time.
    ahead_min: f64,
}

impl Sun {
    fn at(unix_s: f64) -> Self {
        let t = (unix_s - J2000_UNIX_S) / CENTURY_S;
        let mean_longitude = (280.466_46 + t * (36_000.769_83 + t * 0.000_303_2)).to_radians();
        let anomaly = (357.529_11 + t * (35_999.050_29 - t * 0.000_153_7)).to_radians();
        let eccentricity = 0.016_708_634 - t * (0.000_042_037 + t * 0.000_000_126_7);
        let centre = anomaly.sin() * (1.914_602 - t * (0.004_817 + t * 0.000_014))
            + (2.0 * anomaly).sin() * (0.019_993 - t * 0.000_101)
            + (3.0 * anomaly).sin() * 0.000_289;
        let node = (125.04 - 1_934.136 * t).to_radians();
        let longitude = mean_longitude + (centre - 0.005_69 - 0.004_78 * node.sin()).to_radians();
        let seconds = 21.448 - t * (46.815 + t * (0.000_59 - t * 0.001_813));
        let obliquity = (23.0 + (26.0 + seconds / 60.0) / 60.0 + 0.002_56 * node.cos()).to_radians();

        let y = (obliquity / 2.0).tan().powi(2);
        let ahead = y * (2.0 * mean_longitude).sin() - 2.0 * eccentricity * anomaly.sin()
            + 4.0 * eccentricity * y * anomaly.sin() * (2.0 * mean_longitude).cos()
            - 0.5 * y * y * (4.0 * mean_longitude).sin()
            - 1.25 * eccentricity * eccentricity * (2.0 * anomaly).sin();
        Self {
            declination: (obliquity.sin() * longitude.sin()).asin(),
            ahead_min: MINUTES_A_DEGREE * ahead.to_degrees(),
        }
    }

    /// Returns the angle between noon and the moment at which the sun is so far below the horizon; `None` where it
    /// never is.
    fn hour_angle_deg(&self, latitude_deg: f64, below_deg: f64) -> Option<f64> {
        let latitude = latitude_deg.to_radians();
        let cosine = (-below_deg.to_radians().sin() - latitude.sin() * self.declination.sin())
            / (latitude.cos() * self.declination.cos());
        (-1.0..=1.0).contains(&cosine).then(|| cosine.acos().to_degrees())
    }
}
