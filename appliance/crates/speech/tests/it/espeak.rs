use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use media::level::Level;
use speech::fakes::FakeDiacritizer;
use speech::{
    EspeakConfig, EspeakSynthesizer, Flow, SynthesizeError, SynthesizeRequest, Synthesizer as _, render, render_wav,
};

use crate::support::{english, hebrew, installed, script};

/// A program that ignores its input and never speaks; killed, it leaves no `sleep` behind.
const HANGS: &str = "echo $$ > \"$0.pid\"\nsleep 100 &\nwait";

#[test]
fn both_languages_are_spoken_in_time_at_one_level() {
    if !installed("espeak-ng") {
        return;
    }
    for request in [
        english("Hello, your number is 054-1234567. Is that right?"),
        hebrew("שָׁלוֹם, הַמִּסְפָּר שֶׁלָּכֶם הוּא 054-1234567, נָכוֹן?"),
        hebrew("שלום, הגעתם למשרד של David Cohen."),
    ] {
        let mut voice = EspeakSynthesizer::new(EspeakConfig::default(), Some(Box::new(FakeDiacritizer)));
        let (started, mut first, mut samples) = (Instant::now(), None, Vec::new());
        voice
            .synthesize(&request, &mut |more| {
                if !more.is_empty() {
                    first.get_or_insert_with(|| started.elapsed());
                }
                samples.extend_from_slice(more);
                Flow::Continue
            })
            .unwrap();
        let first = first.unwrap();
        assert!(first < Duration::from_millis(300), "first audio after {first:?}");
        let level = Level::of(&samples);
        println!("first audio {first:?}, {} samples, {level:?}", samples.len());
        assert!((-25.0..-17.0).contains(&level.rms_dbfs) && level.peak_dbfs < -0.5 && level.clipped == 0, "{level:?}");
        assert!((8_000..100_000).contains(&samples.len()), "{}", samples.len());
    }
}

#[test]
fn long_hebrew_is_spoken_to_its_end() {
    if !installed("espeak-ng") {
        return;
    }
    let len = |words: usize| speak_all(EspeakConfig::default(), &hebrew(&"שָׁלוֹם ".repeat(words))).unwrap().len();
    let (ten, many) = (len(10), len(150));
    let ratio = many * 100 / ten;
    assert!((1_300..1_700).contains(&ratio), "{many} of {ten}");
}

#[test]
fn a_missing_program_is_an_error_that_says_what_to_install() {
    let config = EspeakConfig { program: "/nowhere/espeak-ng".into(), ..EspeakConfig::default() };
    let error = speak_all(config, &english("Hello")).unwrap_err();
    assert!(matches!(&error, SynthesizeError::Start { .. }), "{error:?}");
    assert!(error.to_string().contains("Debian package 'espeak-ng'"));
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), HANGS);
    let config = EspeakConfig { program, first_audio: Duration::from_millis(300), ..EspeakConfig::default() };
    let started = Instant::now();
    let error = speak_all(config, &english("Hello")).unwrap_err();
    assert!(matches!(error, SynthesizeError::Overdue { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_gone(folder.path());
}

#[test]
fn a_listener_that_stops_ends_a_hanging_program_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("program.pid");
    let program = script(folder.path(), HANGS);
    let config = EspeakConfig { program, first_audio: Duration::from_secs(50), ..EspeakConfig::default() };
    let started = Instant::now();
    let mut voice = EspeakSynthesizer::new(config, None);
    let listen = &mut |_: &[i16]| if pid.exists() { Flow::Stop } else { Flow::Continue };
    voice.synthesize(&english("Hello"), listen).unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_gone(folder.path());
}

#[test]
fn a_program_that_prints_garbage_or_dies_early_is_an_error() {
    let wav = "printf 'RIFF\\044\\360\\377\\177WAVEfmt \\020\\0\\0\\0\\001\\0\\001\\0\\042\\126\\0\\0\\104\\254\\0\\0\\002\\0\\020\\0data\\0\\360\\377\\177'";
    let garbage = "cat > /dev/null\necho 'this is no sound at all'".to_owned();
    let silent = "cat > /dev/null".to_owned();
    let fails = "exit 3".to_owned();
    let dies = format!("cat > /dev/null\n{wav}\nhead -c 20000 /dev/zero\nkill -9 $$");
    for (body, says) in [(garbage, "no audio"), (silent, "0 samples"), (fails, "exit status: 3"), (dies, "signal: 9")] {
        let folder = tempfile::tempdir().unwrap();
        let config = EspeakConfig { program: script(folder.path(), &body), ..EspeakConfig::default() };
        let error = speak_all(config, &english("secret words")).unwrap_err();
        assert!(matches!(error, SynthesizeError::Failed { .. }), "{body}: {error:?}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(says) && !text.contains("secret"), "{body}: {text}");
    }
}

#[test]
fn the_text_is_on_standard_input_and_never_in_the_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), "echo \"$@\" > \"$0.arguments\"\ncat > \"$0.input\"\nexit 1");
    let config = EspeakConfig { program, ..EspeakConfig::default() };
    speak_all(config, &english("secret; $(touch x) words")).unwrap_err();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("program.input").contains("secret"));
    assert!(!read("program.arguments").contains("secret"));
    assert!(read("program.arguments").contains("--stdin"));
}

#[test]
fn text_without_words_is_nothing_and_far_too_much_is_an_error() {
    let config = || EspeakConfig { program: "/nowhere/espeak-ng".into(), ..EspeakConfig::default() };
    assert_eq!(speak_all(config(), &english(" ... ")).unwrap(), []);
    let error = speak_all(config(), &english(&"word ".repeat(10_000))).unwrap_err();
    assert!(matches!(error, SynthesizeError::Text(_)), "{error:?}");
}

#[test]
fn a_rendered_prompt_is_a_telephone_wav() {
    if !installed("espeak-ng") {
        return;
    }
    let mut voice = EspeakSynthesizer::new(EspeakConfig::default(), None);
    let bytes = render_wav(&mut voice, &english("One moment, please.")).unwrap();
    let wav = media::wav::Wav::parse(&bytes).unwrap();
    assert!((4_000..40_000).contains(&wav.mono().len()));
}

fn speak_all(config: EspeakConfig, request: &SynthesizeRequest) -> Result<Vec<i16>, SynthesizeError> {
    render(&mut EspeakSynthesizer::new(config, None), request)
}

/// The script wrote its number, which is that of its group too.
fn assert_gone(folder: &Path) {
    let Ok(pid) = fs::read_to_string(folder.join("program.pid")) else { return };
    let pid = pid.trim();
    let alive = |stat: &str| {
        // Number, name, state, parent, group.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        fields.get(2) == Some(&pid) && fields.first() != Some(&"Z")
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    let left = || {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        processes.filter(|entry| fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| alive(&stat))).count()
    };
    while left() > 0 {
        assert!(Instant::now() < deadline, "processes of group {pid} live on");
        std::thread::yield_now();
    }
}
