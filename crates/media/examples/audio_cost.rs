//! Measures what 20 ms of audio cost: `cargo run --release -p media --example audio_cost`.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures time and prints it")]

use std::hint::black_box;
use std::time::Instant;

use media::framing::FRAME_SAMPLES;
use media::g711::Law;
use media::gaps::{Timeline, TimelineConfig};
use media::level::rms_dbfs;
use media::resample::Resampler;
use units::SampleRate;

/// Repetitions of each measurement: 400 s of audio.
const TIMES: u64 = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes: [u8; FRAME_SAMPLES] = std::array::from_fn(|n| u8::try_from(n).unwrap_or_default());
    let mut samples = [0; FRAME_SAMPLES];
    report("decode µ-law", |_| {
        black_box(Law::Mu.decode_slice(black_box(&bytes), &mut samples));
    });
    let mut encoded = [0; FRAME_SAMPLES];
    report("encode µ-law", |_| {
        black_box(Law::Mu.encode_slice(black_box(&samples), &mut encoded));
    });
    let mut timeline = Timeline::new(SampleRate::HZ_8000, TimelineConfig::default());
    let mut track = Vec::new();
    report("place on the timeline", |n| {
        track.clear();
        black_box(timeline.place(n * 20, &samples, &mut track));
    });
    report("measure loudness", |_| {
        black_box(rms_dbfs(black_box(&samples)));
    });
    for (from, to) in [
        (SampleRate::HZ_8000, SampleRate::HZ_16000),
        (SampleRate::HZ_16000, SampleRate::HZ_8000),
        (SampleRate::HZ_22050, SampleRate::HZ_8000),
    ] {
        let mut resampler = Resampler::new(from, to)?;
        let input = vec![0.25; usize::try_from(from.hz() / 50)?];
        let mut output = Vec::new();
        let mut failed = 0;
        report(&format!("resample {from} to {to}"), |_| {
            output.clear();
            failed += u32::from(resampler.process(black_box(&input), &mut output).is_err());
        });
        if failed > 0 {
            println!("{failed} failed");
        }
    }
    Ok(())
}

fn report(what: &str, work: impl FnMut(u64)) {
    let started = Instant::now();
    (0..TIMES).for_each(work);
    println!("{what}: {:.2} µs", started.elapsed().as_secs_f64() * 1e6 / 20_000.0);
}
