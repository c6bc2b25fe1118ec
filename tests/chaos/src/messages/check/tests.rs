//! What the check finds, each alone.

use std::collections::BTreeMap;

use super::{Findings, Post, Row, Said, Thread, check};
use crate::box_report::Findings as _;
use crate::messages::herald::Status;

/// A conversation in which all is well: two texts, two answers and a template, all read.
fn good() -> Thread {
    Thread {
        said: vec![said("hello", true), said("Dana", true)],
        templates: vec!["note1".to_owned()],
        posts: vec![post("m1", "Your name?"), post("m2", "note1"), post("m3", "What is it about?")],
        rows: vec![
            inbound("hello"),
            outbound("Your name?", "read"),
            Row { is_template: true, ..outbound("note1", "read") },
            inbound("Dana"),
            outbound("What is it about?", "read"),
        ],
        is_left_alone: false,
    }
}

fn said(text: &str, asks: bool) -> Said {
    Said { text: text.to_owned(), asks }
}

fn post(name: &str, key: &str) -> Post {
    Post { name: name.to_owned(), key: key.to_owned() }
}

fn inbound(text: &str) -> Row {
    Row { is_inbound: true, is_template: false, key: text.to_owned(), state: "received".to_owned() }
}

fn outbound(text: &str, state: &str) -> Row {
    Row { is_inbound: false, state: state.to_owned(), ..inbound(text) }
}

fn found(change: impl FnOnce(&mut Thread)) -> Findings {
    let mut thread = good();
    change(&mut thread);
    let furthest = ["m1", "m2", "m3", "m4"].map(|name| (name.to_owned(), Status::Read));
    check(&BTreeMap::from([("somebody".to_owned(), thread)]), &BTreeMap::from(furthest))
}

#[test]
fn all_is_good_when_everything_is_there_once() {
    let findings = found(|_| {});
    assert!(findings.is_good(), "{findings:?}");
    assert_eq!((findings.acknowledged, findings.sent, findings.uncertain), (3, 3, 0));
    assert!(!check(&BTreeMap::new(), &BTreeMap::new()).is_good(), "nothing was promised");
}

#[test]
fn what_is_uncertain_may_or_may_not_have_been_sent() {
    let taken = found(|thread| thread.rows[1].state = "uncertain".to_owned());
    assert!(taken.is_good() && (taken.uncertain, taken.uncertain_sent) == (1, 1), "{taken:?}");
    let not_taken = found(|thread| {
        thread.rows[1].state = "uncertain".to_owned();
        thread.posts.remove(0);
    });
    assert!(not_taken.is_good() && (not_taken.uncertain, not_taken.uncertain_sent) == (1, 0), "{not_taken:?}");
}

#[test]
fn a_text_that_is_missing_doubled_or_out_of_order_is_found() {
    let lost = found(|thread| drop(thread.rows.remove(3)));
    assert_eq!((lost.lost, lost.doubled, lost.is_good()), (1, 0, false));
    let lost = found(|thread| drop(thread.rows.remove(2)));
    assert_eq!((lost.lost, lost.twice), (1, 1), "a template");
    let doubled = found(|thread| thread.rows.push(inbound("hello")));
    assert_eq!((doubled.lost, doubled.doubled, doubled.is_good()), (0, 1, false));
    let swapped = found(|thread| thread.rows.swap(0, 3));
    assert_eq!((swapped.lost, swapped.out_of_order, swapped.is_good()), (0, 1, false));
}

#[test]
fn an_answer_too_few_or_too_many_is_found() {
    let unanswered = found(|thread| {
        thread.rows.pop();
        thread.posts.pop();
    });
    assert_eq!((unanswered.unanswered, unanswered.twice, unanswered.is_good()), (1, 0, false));
    let unasked = found(|thread| {
        thread.rows.push(outbound("and?", "read"));
        thread.posts.push(post("m4", "and?"));
    });
    assert_eq!((unasked.unasked, unasked.twice, unasked.is_good()), (1, 0, false));
}

#[test]
fn what_was_sent_twice_or_never_is_found() {
    let twice = found(|thread| thread.posts.insert(1, post("m4", "Your name?")));
    assert_eq!((twice.twice, twice.stale, twice.is_good()), (1, 0, false));
    let uncertain = found(|thread| {
        thread.rows[1].state = "uncertain".to_owned();
        thread.posts.insert(1, post("m4", "Your name?"));
    });
    assert_eq!(uncertain.twice, 1);
    let refused = found(|thread| thread.rows[1].state = "refused".to_owned());
    assert_eq!((refused.twice, refused.is_good()), (1, false), "it says that it was not sent");
    let never = found(|thread| drop(thread.posts.remove(0)));
    assert_eq!((never.never_sent, never.is_good()), (1, false));
    let swapped = found(|thread| thread.posts.swap(0, 2));
    assert!(swapped.twice > 0, "{swapped:?}");
}

#[test]
fn a_state_that_is_not_the_furthest_is_found() {
    let stale = found(|thread| thread.rows[4].state = "delivered".to_owned());
    assert_eq!((stale.stale, stale.twice, stale.is_good()), (1, 0, false));
}

#[test]
fn a_wish_that_was_forgotten_is_found() {
    let left_alone = |thread: &mut Thread| {
        thread.said.push(said("are you there?", false));
        thread.rows.push(inbound("are you there?"));
        thread.is_left_alone = true;
    };
    assert!(found(left_alone).is_good());
    let forgotten = found(|thread| {
        left_alone(thread);
        thread.is_left_alone = false;
    });
    assert_eq!((forgotten.wishes_forgotten, forgotten.is_good()), (1, false));
    let ignored = found(|thread| thread.is_left_alone = true);
    assert_eq!(ignored.wishes_forgotten, 1);
}
