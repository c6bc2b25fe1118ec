//! The doctor, asked about a box that runs.

use std::time::Duration;

use appliance::commands::doctor;
use e2e::{BoxOptions, TestBox, wait_until};
use store::{CallOutcome, Calls, Query};

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_was_examined_before_answers_as_well_and_has_no_call_left() {
    let options = BoxOptions::default().configured(|config| config.carrier.stream_start = Duration::from_millis(1));
    let target = TestBox::start(options).await.unwrap();
    let mut found = String::new();
    for _ in 0..2 {
        found = doctor::of_this_box(&target.parts.config).await.unwrap();
        assert!(found.contains("ok    answers an incoming call"), "{found}");
        wait_until("the end of the wait for its stream", async || target.parts.switchboard.is_idle().then_some(()))
            .await
            .unwrap();
    }
    for path in
        ["a call comes in: http", "/webhook/incoming_call,", "call status changes: http", "/webhook/call_status "]
    {
        assert!(found.contains(path), "{found}");
    }
    let calls = target.store().unwrap().query(&Query::<Calls>::all()).unwrap();
    let is_over = |outcome| outcome == CallOutcome::CallerHungUp;
    assert!(calls.len() == 2 && calls.iter().all(|(_, call)| is_over(call.outcome)), "{calls:?}");
    target.stop().await.unwrap();
}
