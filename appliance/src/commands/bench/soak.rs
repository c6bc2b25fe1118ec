//! Whether memory stays level however many calls there were.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use testcall::{CallReport, Pace, ToneVoice};

use super::process::{self, Usage};
use super::{EXTRA, Row};
use crate::commands::boxed::{self, Models, RunningBox, Start};
use crate::commands::{callers, output};

/// Calls at once.
const AT_ONCE: usize = 50;
/// How much faster than on a real line the caller's frames come: half of what the box takes for ever from one stream.
const PACE: Pace = Pace::Times(5);
/// How long a call lasts on the line, a fifth of that on the clock.
const ON_LINE: Duration = Duration::from_secs(1);
/// Looks at the memory.
const LOOKS: usize = 10;
/// What the second half of the calls may add, in MB: what one call on the line may take. A leak of 400 bytes a call is
/// more.
const GROWTH_MB: f64 = 2.0;

/// Places `calls` short calls, as fast as the box takes them, and tells the memory after each tenth.
#[expect(clippy::cast_precision_loss, reason = "some thousands of calls")]
pub(super) async fn measure(folder: &Path, calls: usize, with_progress: bool) -> anyhow::Result<Vec<Row>> {
    boxed::empty(folder)?;
    let running = RunningBox::start(Start {
        folder,
        extra: EXTRA,
        voice: Arc::new(ToneVoice),
        pace: PACE,
        record: false,
        models: Models::Installed,
    })
    .await?;
    process::quiet(running.pid()).await?;
    let mut memory = vec![Usage::of(running.pid())?.resident_mb];
    let each = calls.div_ceil(LOOKS).max(1);
    let script = callers::silent_for(ON_LINE);
    let (mut served, mut spoken_to, mut took) = (0_usize, 0_usize, Duration::ZERO);
    for look in 1..=LOOKS {
        let began = Instant::now();
        let mut placed = stream::iter(0..each).map(|_| running.carrier.place(&script)).buffer_unordered(AT_ONCE);
        while let Some(report) = placed.next().await {
            let report = report?;
            served += usize::from(is_served(&report));
            spoken_to += usize::from(report.stream.as_ref().is_some_and(|stream| stream.media_received > 0));
        }
        took += began.elapsed();
        process::quiet(running.pid()).await?;
        let resident = Usage::of(running.pid())?.resident_mb;
        if with_progress {
            output::line(format_args!("... {} calls: {resident:.1} MB", look * each));
        }
        memory.push(resident);
    }
    running.stop().await?;
    let placed = each * LOOKS;
    let mut rows: Vec<Row> = memory
        .iter()
        .enumerate()
        .map(|(look, resident)| Row::new(format!("memory after {} calls", look * each), *resident, "MB"))
        .collect();
    let half = memory.get(LOOKS / 2..).unwrap_or_default();
    let growth = half.last().copied().unwrap_or_default() - half.first().copied().unwrap_or_default();
    rows.extend([
        Row::new(format!("the last {} calls: memory added", each * (half.len() - 1)), growth, "MB").at_most(GROWTH_MB),
        Row::new("the same, slope of a straight line through it", slope(half) * 1e6 / each as f64, "B/call"),
        Row::new("calls the carrier found nothing wrong with", served as f64, "calls").at_least(placed as f64),
        Row::new("calls that heard the box within their second", spoken_to as f64, "calls"),
        Row::new("calls a second", placed as f64 / took.as_secs_f64(), "calls/s"),
    ]);
    Ok(rows)
}

fn is_served(report: &CallReport) -> bool {
    report.stream.is_some() && report.warnings.is_empty()
}

/// Returns the slope of the straight line nearest to `values`, per step; zero for fewer than two.
#[expect(clippy::cast_precision_loss, reason = "a handful of values")]
fn slope(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let middle = (count - 1.0) / 2.0;
    let (mut above, mut below) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let step = index as f64 - middle;
        above += step * (value - mean);
        below += step * step;
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn the_slope_of_a_line_is_its_own_and_of_nothing_none() {
        assert!((slope(&[3.0, 5.0, 7.0, 9.0]) - 2.0).abs() < 1e-9);
        assert!(slope(&[4.0, 4.0, 4.0]).abs() < 1e-9);
        assert!(slope(&[1.0]).abs() < 1e-9 && slope(&[]).abs() < 1e-9);
    }
}
