//! `kolbox call`: places a test call at a box, the way the carrier does it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use testcall::{CallReport, CallScript, Carrier, Ended, Step};
use units::Pii;

use super::output;
use super::target::TargetBox;
use super::voices::LocalVoice;
use crate::cli::CallArgs;
use crate::config::Synthesizer;

/// Places the call, follows it to its end and prints what the caller heard and when.
pub fn run(arguments: &CallArgs) -> anyhow::Result<ExitCode> {
    let target = TargetBox::find(&arguments.target)?;
    let script = script(arguments)?;
    let synthesizer = target.config.as_ref().map_or_else(Synthesizer::default, |config| config.synthesizer.clone());
    let voice = LocalVoice::of_callers(&synthesizer)?;
    let folder = tempfile_folder(&arguments.output)?;
    let mut carrier = target.carrier()?;
    carrier.audio_folder = Some(folder.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let mut report = runtime.block_on(async {
        let carrier = Carrier::start(carrier, Arc::new(voice)).await?;
        let report = carrier.place(&script).await?;
        carrier.stop().await?;
        anyhow::Ok(report)
    })?;
    if let Some(audio) = &report.audio {
        fs::rename(audio, &arguments.output).with_context(|| format!("cannot write {}", arguments.output.display()))?;
        report.audio = Some(arguments.output.clone());
    }
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    if arguments.json {
        output::json(&report)?;
    } else {
        print(&report);
    }
    Ok(if report.ended == Ended::ByError { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn script(arguments: &CallArgs) -> anyhow::Result<CallScript> {
    let mut script = match (&arguments.script, &arguments.wav) {
        (Some(file), _) => {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            toml::from_str(&text).with_context(|| file.display().to_string())?
        }
        (None, Some(path)) => CallScript::of([Step::PlayWav { path: path.clone() }, Step::wait_end()]),
        (None, None) => {
            let turns =
                arguments.say.iter().flat_map(|text| [Step::wait_for_agent(), Step::say(text, arguments.language)]);
            CallScript::of(turns.chain([Step::wait_end()]))
        }
    };
    if arguments.script.is_none() {
        script.from = Pii::new(arguments.from.clone());
        script.to = Pii::new(arguments.to.clone());
    }
    Ok(script)
}

/// Makes a folder beside `output`, so that the recording can be moved there whole.
fn tempfile_folder(output: &Path) -> anyhow::Result<std::path::PathBuf> {
    let folder = output.with_extension("part");
    fs::create_dir_all(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    Ok(folder)
}

fn print(report: &CallReport) {
    output::line(format_args!("call {} ended {:?} after {} s", report.call_sid, report.ended, report.lasted.as_secs()));
    for event in &report.events {
        output::line(format_args!("  {:>8.3}  {:?}", event.at.since_answer().as_secs_f64(), event.what));
    }
    for (number, turn) in report.turns.iter().enumerate() {
        let ms = |waited: Option<std::time::Duration>| {
            waited.map_or_else(|| "-".to_owned(), |d| format!("{} ms", d.as_millis()))
        };
        output::line(format_args!(
            "turn {}: {} to the agent's answer, {} to clear",
            number + 1,
            ms(turn.to_agent),
            ms(turn.to_clear)
        ));
    }
    for request in &report.requests {
        let status = request.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        output::line(format_args!("  {} {status} in {} us", request.path, request.micros));
    }
    for warning in &report.warnings {
        output::line(format_args!("warning {}: {}", warning.code, warning.text));
    }
    if let Some(audio) = &report.audio {
        output::line(format_args!("recording: {} (left the caller, right the agent)", audio.display()));
    }
}
