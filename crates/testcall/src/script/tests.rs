use std::time::Duration;

use units::Language;

use super::{CallScript, DialAnswer, Faults, Injected, Step};
use crate::playout::MarkEcho;

#[test]
fn a_script_is_read_from_toml_with_its_defaults() {
    let script: CallScript = toml::from_str(
        r#"
        from = "+972500000009"
        hang_up_after = "30s"
        dial = { answered = "3s" }

        [[steps]]
        wait_for_agent_to_finish = {}
        [[steps]]
        say = { text = "שלום" }
        [[steps]]
        interrupt = { text = "sorry", language = "en", after = "700ms" }
        [[steps]]
        wait_until_agent_speaks = { for = "200ms" }
        [[steps]]
        dtmf = { digits = "0501#" }
        [[steps]]
        hangup = {}

        [[voicemail]]
        silence = { for = "2s" }

        [faults]
        refuse_stream = true
        signature = "wrong_key"
        mark_echo = { late = "2s" }
        [[faults.injections]]
        times = 3
        frame = { binary = 100 }
        "#,
    )
    .unwrap();

    assert_eq!(script.hang_up_after, Some(Duration::from_secs(30)));
    assert_eq!(script.dial, DialAnswer::Answered(Duration::from_secs(3)));
    assert_eq!(script.steps[0], Step::wait_for_agent());
    assert_eq!(script.steps[1], Step::say("שלום", Language::Hebrew));
    assert_eq!(script.steps.len(), 6);
    assert_eq!(script.voicemail, [Step::silence(Duration::from_secs(2))]);
    assert_eq!(script.faults.mark_echo, MarkEcho::Late(Duration::from_secs(2)));
    assert_eq!(script.faults.injections[0].frame, Injected::Binary(100));
}

#[test]
fn a_script_survives_being_written_and_read() {
    let script = CallScript::of([Step::say("hello", Language::English), Step::keys("12#"), Step::wait_end()])
        .with_voicemail([Step::Hangup {}])
        .with_faults(Faults { duplicate_webhooks: true, ..Faults::default() });
    let text = toml::to_string(&script).unwrap();
    assert_eq!(toml::from_str::<CallScript>(&text).unwrap(), script);
}

#[test]
fn a_misspelt_step_is_refused_by_name() {
    let error = toml::from_str::<CallScript>("[[steps]]\nsya = { text = \"x\" }").unwrap_err();
    assert!(error.to_string().contains("sya"), "{error}");
}

#[test]
fn what_is_said_does_not_show_in_debug_output() {
    let shown = format!("{:?}", CallScript::of([Step::say("secret", Language::English)]));
    assert!(!shown.contains("secret") && !shown.contains("+972"), "{shown}");
}
