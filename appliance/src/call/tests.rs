use conversation::Confidence;

use super::confidence;

#[test]
fn certainty_is_in_thousandths_and_never_more_than_whole() {
    for (mean_log_probability, expected) in [(0.0, 1_000), (-1.0, 367), (-100.0, 0), (3.0, 1_000)] {
        assert_eq!(confidence(mean_log_probability), Confidence(expected), "{mean_log_probability}");
    }
    assert_eq!(confidence(f32::NAN), Confidence(0), "a model that computes nonsense is not believed");
}
