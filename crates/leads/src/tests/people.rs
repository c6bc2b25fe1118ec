//! Who is who, what is known of them, and who is found.

use units::{Language, Pii};

use super::{fact, told};
use crate::fact::{MAX_FIELDS, MAX_TEXT_LEN, MAX_VALUE_LEN};
use crate::phone::e164;
use crate::{Edit, Lead, LeadId, LeadState, Search};

fn lead(facts: &[crate::Fact]) -> Lead {
    let mut lead = Lead::begun(LeadId::new(1, 2), &facts[0]);
    for fact in facts {
        lead.fold(fact, fact.at_wall_ms);
    }
    lead
}

#[test]
fn one_number_is_one_person_however_it_is_written() {
    for text in [
        "054-123-4567",
        "0541234567",
        "972541234567",
        "+972541234567",
        "00972541234567",
        "+972 (0)54 123 4567",
        "whatsapp:+972541234567",
        " 054 123 4567 ",
    ] {
        assert_eq!(e164(text).as_deref(), Some("+972541234567"), "{text}");
    }
    for (text, number) in
        [("03-555-0100", "+97235550100"), ("+14155550123", "+14155550123"), ("0014155550123", "+14155550123")]
    {
        assert_eq!(e164(text).as_deref(), Some(number), "{text}");
    }
    for text in ["", "anonymous", "*1234", "1-800-123-456", "054", "05412345678", "+266696687", "12345", "+972", "דנה"]
    {
        assert_eq!(e164(text), None, "{text}");
    }
}

#[test]
fn a_withheld_number_gives_way_to_the_one_to_call_back() {
    let mut withheld = fact("CA1", 1, "anonymous");
    assert_eq!(withheld.phone(), None);
    withheld.callback = Some(Pii::new("054-1234567".to_owned()));
    assert_eq!(withheld.phone().as_deref(), Some("+972541234567"));
    let mut known = fact("CA1", 1, "+97235550100");
    known.callback = withheld.callback;
    assert_eq!(known.phone().as_deref(), Some("+97235550100"));
}

#[test]
fn what_was_told_last_counts_whenever_it_comes_in() {
    let first = told("CA1", 10, "0541234567", "דנה", &[("reason", "דירה"), ("rooms", "3")]);
    let last = told("CA2", 20, "0541234567", "דנה לוי", &[("rooms", "4")]);
    let (forward, backward) = (lead(&[first.clone(), last.clone()]), lead(&[last, first]));
    assert_eq!(forward.name, backward.name);
    assert_eq!(forward.fields, backward.fields);
    assert_eq!(forward.fields["rooms"].value.reveal(), "4");
    assert_eq!(forward.fields["reason"].value.reveal(), "דירה");
    assert_eq!((forward.first_seen_wall_ms, forward.last_seen_wall_ms), (10, 20));
    assert_eq!((backward.first_seen_wall_ms, backward.last_seen_wall_ms), (10, 20));
}

#[test]
fn whoever_is_heard_of_again_is_new_again_and_an_old_message_changes_no_state() {
    let mut lead = lead(&[fact("CA1", 10, "0541234567")]);
    let done = Edit { state: Some(LeadState::Done), ..Edit::default() };
    assert!(lead.edit(&done, 11));
    assert!(!lead.edit(&done, 12), "nothing is different");
    assert_eq!((lead.state, lead.version), (LeadState::Done, 2));
    let mut late = fact("CA0", 5, "0541234567");
    late.language = Some(Language::English);
    lead.fold(&late, 13);
    assert_eq!((lead.state, lead.language), (LeadState::Done, None));
    lead.fold(&fact("CA2", 20, "0541234567"), 20);
    assert_eq!((lead.state, lead.version), (LeadState::New, 4));
}

#[test]
fn a_fact_that_tells_more_in_place_of_another_makes_nobody_heard_of_again() {
    let mut lead = lead(&[fact("CA1", 10, "0541234567")]);
    let done = Edit { state: Some(LeadState::Done), ..Edit::default() };
    assert!(lead.edit(&done, 11));
    lead.take_in(&told("CA1", 10, "0541234567", "דנה", &[]), 12);
    assert_eq!((lead.state, lead.version, lead.sources.values().sum::<u32>()), (LeadState::Done, 3, 1));
    assert_eq!(lead.name.unwrap().value.reveal(), "דנה");
}

#[test]
fn everything_that_grows_has_a_limit() {
    let mut lead = lead(&[fact("CA1", 0, "0541234567")]);
    for round in 0..20_u64 {
        let fields: Vec<(String, String)> =
            (0..60).map(|n| (format!("f{round}-{n}"), "\"\\\u{1}ש".repeat(1_000))).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(id, value)| (id.as_str(), value.as_str())).collect();
        let mut fact = told("CA1", round, "0541234567", &"\"".repeat(10_000), &fields);
        fact.text = Some(Pii::new("\"".repeat(100_000)));
        lead.fold(&fact, round);
        let bounded = fact.bounded();
        assert!(bounded.fields.len() <= MAX_FIELDS && bounded.text.as_ref().unwrap().reveal().len() <= MAX_TEXT_LEN);
        let entry = crate::Entry::Told(bounded);
        let waiting = crate::change::delivery(&lead, &entry, None, 0).unwrap();
        // A row of the store holds 128 KiB.
        for row in [
            serde_json::to_vec(&lead).unwrap(),
            serde_json::to_vec(&entry).unwrap(),
            serde_json::to_vec(&waiting).unwrap(),
        ] {
            assert!(row.len() < 120 * 1024, "{} bytes", row.len());
        }
    }
    assert_eq!(lead.fields.len(), MAX_FIELDS);
    assert!(lead.fields.keys().all(|id| id.starts_with("f19-")), "the oldest went first");
    assert!(lead.name.unwrap().value.reveal().len() <= MAX_VALUE_LEN);
}

#[test]
fn people_are_found_by_any_word_and_by_a_part_of_their_number() {
    let mut lead =
        lead(&[told("CA1", 1, "0541234567", "דָּנָה לוין", &[("area", "Ramat Gan"), ("reason", "מחפשת דירה")])]);
    lead.edit(&Edit { note: Some(Pii::new("לחזור ביום ראשון".to_owned())), ..Edit::default() }, 2);
    for text in [
        "דנה",
        "לוינ",
        "דירה ramat",
        "RAMAT  gan",
        "054-123",
        "4567",
        "+972 54",
        "ראשון",
        "972541",
        "דנה לוין גן ramat",
    ] {
        let found = Search::new(text).finds(&lead);
        assert_eq!(found, text != "דנה לוין גן ramat", "{text}");
    }
    for text in ["משה", "0559", "dana"] {
        assert!(!Search::new(text).finds(&lead), "{text}");
    }
    assert!(Search::new("").finds(&lead), "nothing looked for is in everybody");
}

#[test]
fn nothing_personal_is_shown_by_debug() {
    let mut lead = lead(&[told("CA1", 1, "0541234567", "דנה", &[("area", "חיפה")])]);
    lead.edit(&Edit { note: Some(Pii::new("סוד".to_owned())), ..Edit::default() }, 2);
    let search = Search::new("דנה");
    let source = crate::Source { kind: crate::SourceKind::Message, id: "wamid.972541234567".to_owned() };
    let shown = format!("{lead:?} {search:?} {source:?}");
    assert!(!["541234567", "דנה", "חיפה", "סוד"].iter().any(|secret| shown.contains(secret)), "{shown}");
}

#[test]
fn a_name_of_a_lead_is_read_back_and_sorts_by_time() {
    let ids = [LeadId::new(1, u32::MAX), LeadId::new(2, 0), LeadId::new(1_795_000_000_000, 7)];
    for id in ids {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(LeadId::from_bytes(&id.to_bytes()), Some(id));
    }
    let mut texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let sorted = texts.clone();
    texts.sort();
    assert_eq!(texts, sorted);
    for wrong in ["", "0", "0000000000010000000g", "+0000000000100000000", "00000000000100000000a"] {
        assert!(wrong.parse::<LeadId>().is_err(), "{wrong}");
    }
}
