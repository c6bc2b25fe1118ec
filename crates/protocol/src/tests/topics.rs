use proptest::prelude::*;

use super::device;
use crate::{
    CommandId, DeviceId, ParseTopicError, Party, Stream, Topic, device_filters, device_may_publish,
    device_may_subscribe, ingest_filters, mosquitto_acl, snapshot_filters,
};

const ID: &str = "[a-z0-9][a-z0-9-]{0,63}";

fn a_topic() -> impl Strategy<Value = Topic> {
    (ID, ID, 0..7_usize, prop::sample::select(Stream::ALL.to_vec())).prop_map(|(name, command, which, stream)| {
        let device = device(&name);
        let command: CommandId = command.parse().unwrap();
        match which {
            0 => Topic::Up { device, stream },
            1 => Topic::Ack { device, stream },
            2 => Topic::Presence { device },
            3 => Topic::Reported { device },
            4 => Topic::Desired { device },
            5 => Topic::CommandRequest { device, command },
            _ => Topic::CommandStatus { device, command },
        }
    })
}

/// Names as somebody would write them who wants to get out of a subtree.
fn a_hostile_name() -> impl Strategy<Value = String> {
    let bits = ["+", "#", "/", "..", "\0", "$share", "a", "B", "-", "é", "\u{202E}", "%u", " ", "kolbox", "\u{FF0F}"];
    prop_oneof![
        prop::collection::vec(prop::sample::select(bits.to_vec()), 0..6).prop_map(|bits| bits.concat()),
        any::<String>(),
        "[a-z0-9-]{60,70}",
    ]
}

/// What a broker does with a filter (MQTT 5, section 4.7).
fn matches(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

proptest! {
    #[test]
    fn a_printed_topic_is_read_as_itself(topic in a_topic()) {
        let text = topic.to_string();
        prop_assert!(text.len() <= crate::limits::MAX_TOPIC_LEN);
        prop_assert_eq!(text.parse::<Topic>(), Ok(topic));
    }

    #[test]
    fn what_is_read_is_printed_as_it_was(text in "kolbox/v1/[a-c+#/]{1,3}/(up/calls|presence|state/desired|cmd/[a+#/]{1,2}/status|up/[a-z]{0,4})") {
        if let Ok(topic) = text.parse::<Topic>() {
            prop_assert_eq!(topic.to_string(), text);
        }
    }

    #[test]
    fn no_name_leads_out_of_its_subtree(name in a_hostile_name()) {
        let Ok(device) = name.parse::<DeviceId>() else { return Ok(()) };
        let own = format!("kolbox/v1/{name}/");
        for topic in [Topic::Presence { device: device.clone() }, Topic::Up { device: device.clone(), stream: Stream::Logs }] {
            let text = topic.to_string();
            prop_assert!(text.starts_with(&own));
            prop_assert!(!text.contains(['+', '#', '\0']));
        }
        for filter in device_filters(&device) {
            prop_assert!(filter.starts_with(&own));
            prop_assert!(!matches(&filter, "kolbox/v1/another/ack/calls") || name == "another");
        }
    }

    #[test]
    fn a_device_publishes_only_what_is_its_own(topic in a_topic(), name in ID) {
        let stranger = device(&name);
        let may = topic.publisher() == Party::Device && *topic.device() == stranger;
        prop_assert_eq!(device_may_publish(&stranger, &topic.to_string()), may);
        prop_assert_eq!(device_may_publish(topic.device(), &topic.to_string()), topic.publisher() == Party::Device);
    }

    #[test]
    fn a_device_hears_only_what_is_for_it(filter in "(kolbox/v1/)?[ab+#]/(#|\\+|ack|state|cmd|presence|up)(/(#|\\+|desired|calls|x))?(/request|/#)?", topic in a_topic()) {
        let me = device("a");
        if device_may_subscribe(&me, &filter) && matches(&filter, &topic.to_string()) {
            prop_assert!(topic.device() == &me && topic.publisher() == Party::Gateway, "{} hears {}", filter, topic);
        }
    }

    #[test]
    fn subscriptions_of_both_sides_cover_every_topic(topic in a_topic()) {
        let text = topic.to_string();
        let device_hears = device_filters(topic.device()).iter().any(|filter| matches(filter, &text));
        let gateway_hears = ingest_filters().iter().any(|filter| matches(filter.strip_prefix("$share/ingest/").unwrap(), &text));
        prop_assert_eq!(device_hears, topic.publisher() == Party::Gateway);
        prop_assert_eq!(gateway_hears, topic.publisher() == Party::Device);
        let snapshot = snapshot_filters().iter().any(|filter| matches(filter, &text));
        prop_assert_eq!(snapshot, topic.publisher() == Party::Device && topic.is_retained());
    }
}

#[test]
fn names_that_are_none_are_refused() {
    let long = "a".repeat(65);
    for name in ["", "+", "#", "a/b", "a+", "-a", "A", "a\0", "é", "a b", "a_b", "a.b", "\u{430}", &long] {
        assert!(name.parse::<DeviceId>().is_err(), "{name:?}");
        assert!(name.parse::<CommandId>().is_err(), "{name:?}");
        let topic = format!("kolbox/v1/{name}/presence");
        assert!(topic.parse::<Topic>().is_err(), "{topic:?}");
    }
    assert!("a".repeat(64).parse::<DeviceId>().is_ok());
}

#[test]
fn an_error_says_which_level_is_wrong() {
    let error = |topic: &str| topic.parse::<Topic>().unwrap_err();
    assert!(matches!(error("kolbox/v2/a/presence"), ParseTopicError::Prefix));
    assert!(matches!(error("kolbox/v1"), ParseTopicError::Prefix));
    assert!(matches!(error("kolbox/v1/a"), ParseTopicError::Unknown));
    assert!(matches!(error("kolbox/v1/a/presence/"), ParseTopicError::Unknown));
    assert!(matches!(error("kolbox/v1/+/presence"), ParseTopicError::Device(_)));
    assert!(matches!(error("kolbox/v1/a/up/faxes"), ParseTopicError::Stream(_)));
    assert!(matches!(error("kolbox/v1/a/cmd/B/status"), ParseTopicError::Command(_)));
    assert!(matches!(error(&"x".repeat(70_000)), ParseTopicError::TooLong { len: 70_000 }));
}

#[test]
fn wildcards_beyond_a_devices_own_filters_are_refused() {
    let me = device("office-17");
    for filter in [
        "#",
        "+/+/#",
        "kolbox/#",
        "kolbox/v1/#",
        "kolbox/v1/+/ack/+",
        "kolbox/v1/office-17/#",
        "kolbox/v1/office-18/ack/+",
        "$share/g/kolbox/v1/office-17/ack/+",
        "kolbox/v1/office-17/cmd/+/+",
        "kolbox/v1/office-17/up/calls",
        "$SYS/#",
        "",
    ] {
        assert!(!device_may_subscribe(&me, filter), "{filter}");
    }
    assert!(device_may_subscribe(&me, "kolbox/v1/office-17/ack/+"));
    assert!(device_may_subscribe(&me, "kolbox/v1/office-17/ack/calls"));
    assert!(!device_may_publish(&me, "kolbox/v1/office-17/state/desired"));
    assert!(!device_may_publish(&me, "kolbox/v1/office-17/cmd/1/request"));
}

#[test]
fn the_rules_for_mosquitto_name_what_a_device_may() {
    let acl = mosquitto_acl(&device("gateway"));
    assert_eq!(
        acl,
        "user gateway\ntopic readwrite kolbox/v1/#\n\n\
         pattern write kolbox/v1/%u/up/+\npattern write kolbox/v1/%u/presence\n\
         pattern write kolbox/v1/%u/state/reported\npattern write kolbox/v1/%u/cmd/+/status\n\
         pattern read kolbox/v1/%u/ack/+\npattern read kolbox/v1/%u/state/desired\n\
         pattern read kolbox/v1/%u/cmd/+/request\n"
    );
}

#[test]
fn streams_come_in_the_order_of_their_urgency() {
    let mut sorted = Stream::ALL;
    sorted.sort_unstable();
    assert_eq!(sorted, Stream::ALL);
    for stream in Stream::ALL {
        assert_eq!(stream.to_string().parse(), Ok(stream));
    }
    assert_eq!(Stream::ALL.map(Stream::may_drop), [false, false, false, false, true, true]);
}
