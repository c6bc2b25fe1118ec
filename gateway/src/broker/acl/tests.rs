use proptest::prelude::*;
use protocol::{Party, device_filters, ingest_filters, snapshot_filters};

use super::*;

fn device(name: &str) -> Identity {
    Identity::Device(name.parse().unwrap())
}

#[test]
fn a_device_publishes_what_it_owns_and_nothing_else() {
    let check = |topic: &str| allowed(&device("box-1"), Action::Publish, topic);
    for topic in ["up/calls", "presence", "state/reported", "cmd/7f3a/status"] {
        assert!(check(&format!("kolbox/v1/box-1/{topic}")), "{topic}");
        assert!(!check(&format!("kolbox/v1/box-2/{topic}")), "{topic} of another");
        assert!(!check(&format!("kolbox/v1/box-10/{topic}")), "{topic} of one with a longer name");
        assert!(!check(&format!("kolbox/v2/box-1/{topic}")), "{topic} of another version");
        assert!(!check(&format!("$share/g/kolbox/v1/box-1/{topic}")), "{topic}, shared");
        assert!(!check(&format!("kolbox/v1/box-1/{topic}/more")), "{topic} and more");
    }
    for topic in
        ["ack/calls", "state/desired", "cmd/7f3a/request", "up", "up/", "up/+", "up/#", "#", "", "cmd/+/status"]
    {
        assert!(!check(&format!("kolbox/v1/box-1/{topic}")), "{topic}");
    }
}

#[test]
fn a_device_subscribes_to_what_it_is_told_and_nothing_else() {
    let check = |filter: &str| allowed(&device("box-1"), Action::Subscribe, filter);
    for filter in ["ack/+", "ack/calls", "state/desired", "cmd/+/request", "cmd/7f3a/request"] {
        assert!(check(&format!("kolbox/v1/box-1/{filter}")), "{filter}");
        assert!(!check(&format!("kolbox/v1/box-2/{filter}")), "{filter} of another");
        assert!(!check(&format!("kolbox/v1/+/{filter}")), "{filter} of all");
        assert!(!check(&format!("$share/ingest/kolbox/v1/box-1/{filter}")), "{filter}, shared");
    }
    for filter in ["#", "kolbox/#", "kolbox/v1/#", "+/+/+/ack/+", "kolbox/v1/box-1/#", "kolbox/v1/box-1/up/+", "$SYS/#"]
    {
        assert!(!check(filter), "{filter}");
    }
}

#[test]
fn a_worker_reads_all_and_writes_all_but_events() {
    let check = |action, topic: &str| allowed(&Identity::Worker, action, topic);
    for filter in ["kolbox/v1/#", "kolbox/v1/+/presence", "$share/ingest/kolbox/v1/+/up/+"] {
        assert!(check(Action::Subscribe, filter), "{filter}");
    }
    for filter in ["#", "kolbox/#", "$SYS/#", "$share/ingest/#", "$share/+/kolbox/v1/#", "$share/ingest", "kolbox/v1"] {
        assert!(!check(Action::Subscribe, filter), "{filter}");
    }
    for topic in ["ack/calls", "state/desired", "state/reported", "presence", "cmd/1/request", "cmd/1/status"] {
        assert!(check(Action::Publish, &format!("kolbox/v1/box-1/{topic}")), "{topic}");
        assert!(!check(Action::Publish, &format!("kolbox/v1/BOX/{topic}")), "{topic} of no device");
    }
    for topic in ["kolbox/v1/box-1/up/calls", "kolbox/v1/box-1/cmd/+/request", "kolbox/v1/+/state/desired", "other"] {
        assert!(!check(Action::Publish, topic), "{topic}");
    }
}

#[test]
fn the_filters_of_the_protocol_are_allowed() {
    let own: DeviceId = "box-1".parse().unwrap();
    for filter in device_filters(&own) {
        assert!(allowed(&Identity::Device(own.clone()), Action::Subscribe, &filter), "{filter}");
    }
    for filter in ingest_filters().iter().chain(&snapshot_filters()) {
        assert!(allowed(&Identity::Worker, Action::Subscribe, filter), "{filter}");
        assert!(!allowed(&Identity::Device(own.clone()), Action::Subscribe, filter), "{filter}");
    }
}

proptest! {
    /// Whatever a device may subscribe to matches no topic outside its own subtree, and none that it writes itself.
    #[test]
    fn no_filter_of_a_device_matches_a_topic_of_another(own in name(), filter in filter(), topic in topic()) {
        if allowed(&device(&own), Action::Subscribe, &filter) && matches(&filter, &topic) {
            let subtree = format!("kolbox/v1/{own}/");
            prop_assert!(topic.starts_with(&subtree));
            prop_assert!(!allowed(&device(&own), Action::Publish, &topic));
            if let Ok(topic) = topic.parse::<Topic>() {
                prop_assert_eq!(topic.publisher(), Party::Gateway);
            }
        }
    }

    /// Whatever a device may publish to is a plain topic in its own subtree, which the workers hear.
    #[test]
    fn no_device_publishes_outside_its_subtree(own in name(), topic in filter()) {
        if allowed(&device(&own), Action::Publish, &topic) {
            let subtree = format!("kolbox/v1/{own}/");
            prop_assert!(topic.starts_with(&subtree));
            prop_assert!(!topic.contains(['+', '#']));
            prop_assert!(allowed(&Identity::Worker, Action::Subscribe, &topic));
        }
    }

    /// Two devices never share a topic or a filter.
    #[test]
    fn what_one_device_may_do_no_other_may(one in name(), other in name(), topic in filter()) {
        for action in [Action::Publish, Action::Subscribe] {
            prop_assert!(one == other || !(allowed(&device(&one), action, &topic) && allowed(&device(&other), action, &topic)));
        }
    }

    /// Arbitrary text is refused or understood, never a panic.
    #[test]
    fn any_text_gets_an_answer(topic in "\\PC{0,80}") {
        for action in [Action::Publish, Action::Subscribe] {
            prop_assert!(!allowed(&device("box-1"), action, &topic) || topic.starts_with("kolbox/v1/box-1/"));
        }
    }
}

/// Few names, alike, so that they meet.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "a-b", "ab", "up", "kolbox", "v1"]).prop_map(str::to_owned)
}

/// Filters and topics made of the words of the protocol, right and wrong.
fn filter() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a", "b", "a-b", "ab", "up", "ack", "cmd", "state", "desired", "reported", "presence", "request", "status",
        "calls", "logs", "+", "#", "", "kolbox", "v1", "$share",
    ]);
    let tail = prop::collection::vec(word, 0..5);
    let head = prop::sample::select(vec![
        "kolbox/v1",
        "kolbox/v1/a",
        "kolbox/v1/ab",
        "kolbox/v1/+",
        "+/+/+",
        "$share/g/kolbox/v1",
    ]);
    (head, tail).prop_map(|(head, tail)| [vec![head], tail].concat().join("/"))
}

fn topic() -> impl Strategy<Value = String> {
    filter().prop_filter("a topic has no wildcard", |topic| !topic.contains(['+', '#']) && !topic.starts_with('$'))
}

/// Returns whether a filter matches a topic, by the words of MQTT 5, section 4.7.
fn matches(filter: &str, topic: &str) -> bool {
    let (mut filters, mut topics) = (filter.split('/'), topic.split('/'));
    loop {
        match (filters.next(), topics.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            (_, _) => return false,
        }
    }
}
