//! What is written to files and wires.

use alloc::string::ToString as _;

use units::{SampleCount, UtteranceId};

use crate::{Config, Digit, Generation, Mark};

#[test]
fn a_mark_survives_its_name() {
    let mark = Mark { generation: Generation(3), utterance: UtteranceId(12), position: SampleCount(1_600) };
    assert_eq!(mark.to_string(), "g3.u12.1600");
    assert_eq!(mark.to_string().parse(), Ok(mark));
    for other in ["", "g3", "g3.u12", "g3.u12.", "g-3.u12.1", "g3.u12.+1", "g3.u12.1.1", "g4294967296.u1.1", "m1"] {
        assert!(other.parse::<Mark>().is_err(), "{other:?} was read as a mark");
    }
}

#[test]
fn a_digit_is_on_the_telephone_and_does_not_show() {
    assert!("0123456789*#ABCDd".chars().all(|key| Digit::new(key).is_some()));
    assert!("Ee x١".chars().all(|key| Digit::new(key).is_none()));
    assert_eq!(alloc::format!("{:?}", Digit::new('7')), "Some([pii])");
}

#[test]
fn the_configuration_survives_its_file_and_refuses_what_it_does_not_know() {
    let config = Config::default();
    let json = serde_json::to_string(&config).unwrap();
    assert!(json.contains(r#""min_delay":"500ms""#) && json.contains(r#""no_input":"7s""#), "{json}");
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
    let longer: Config = serde_json::from_str(r#"{"limits":{"call":"20m"}}"#).unwrap();
    assert_eq!(longer.limits.call.as_secs(), 1_200);
    for bad in
        [r#"{"limit":{}}"#, r#"{"limits":{"call":20}}"#, r#"{"limits":{"call":"20"}}"#, r#"{"limits":{"call":"-1s"}}"#]
    {
        assert!(serde_json::from_str::<Config>(bad).is_err(), "{bad} was accepted");
    }
}
