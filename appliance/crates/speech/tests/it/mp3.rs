use std::path::Path;

use speech::fakes::ScriptedSynthesizer;
use speech::{Mp3Error, render_wav, wav_to_mp3, wav_to_mp3_with};

use crate::support::{english, installed, script};

#[test]
fn a_recording_becomes_mp3() {
    if !installed("lame") {
        return;
    }
    // 20 s, more than a pipe holds.
    let wav = render_wav(&mut ScriptedSynthesizer::default(), &english(&"word ".repeat(80))).unwrap();
    let mp3 = wav_to_mp3(&wav).unwrap();
    // Eleven bits of a frame's header, or a tag.
    assert!(mp3.starts_with(b"ID3") || (mp3[0] == 0xff && mp3[1] & 0xe0 == 0xe0));
    assert!((100_000..140_000).contains(&mp3.len()), "{}", mp3.len());
}

#[test]
fn a_missing_or_failing_encoder_is_an_error() {
    let missing = wav_to_mp3_with(Path::new("/nowhere/lame"), b"").unwrap_err();
    assert!(matches!(&missing, Mp3Error::Start { .. }) && missing.to_string().contains("package 'lame'"));
    let folder = tempfile::tempdir().unwrap();
    for body in ["exit 2", "cat > /dev/null"] {
        let failing = wav_to_mp3_with(&script(folder.path(), body), &vec![0; 200_000]).unwrap_err();
        assert!(matches!(failing, Mp3Error::Failed { .. }), "{failing:?}");
    }
}
