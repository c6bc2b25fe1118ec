//! Boxes with a cloud: it works, it fails, it costs too much, it is not there.

use std::path::Path;
use std::time::Duration;

use appliance::config::{Config, Dollars, EngineName};
use e2e::{BoxOptions, PhraseBook, TestBox, wait_until};
use fakes::{Behaviour, ChatRule, Cloud, CloudConfig, Fault, Service};
use replay::player::{WakeUps, replay};
use replay::{Reader, Record};
use serde_json::json;
use speech::{CacheConfig, PromptCache};
use store::{CallOutcome, CallRecord};
use testcall::{CallReport, CallScript, Ended, Step};
use units::{CallId, Language};
use weather::{Decision, FailureKind, Stage};

const NAME: &str = "dana levy";
const REASON: &str = "about a flat for rent";
const PARTS: [&str; 5] =
    ["openai_recognizer", "openai_reply", "openai_synthesizer", "google_recognizer", "google_synthesizer"];

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_every_engine_of_the_cloud_is_disabled_and_calls_go_as_ever() {
    let target = TestBox::start(BoxOptions::understanding(&book())).await.unwrap();
    let readiness = target.readiness().await.unwrap();
    for part in PARTS {
        assert_eq!(readiness["parts"][part]["state"], "disabled", "{part}: {readiness}");
    }
    assert_eq!(readiness["status"], "ready", "{readiness}");
    let (record, report) = whole_call(&target).await;
    assert_eq!((record.outcome, record.cost_micros), (CallOutcome::Completed, 0), "{report:?}");
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_clear_weather_the_cloud_thinks_and_speaks_and_fills_the_same_form() {
    let cloud = Cloud::start(config()).await.unwrap();
    let target = TestBox::start(listening_here(&cloud)).await.unwrap();
    let (record, report) = whole_call(&target).await;
    assert_eq!(report.ended, Ended::ByRest, "{report:?}");
    assert_eq!(record.outcome, CallOutcome::Completed);
    let decisions = decisions(&target, &record.call).await;
    assert_eq!(record.weather.reply.as_deref(), Some("openai"), "{decisions:?}");
    assert_eq!(record.weather.synthesize.as_deref(), Some("google"), "{decisions:?}");
    assert!(record.cost_micros > 0);
    let form = target.forms(&record.call).unwrap().remove(0);
    let filled = form.record.reveal().to_string().to_lowercase();
    assert!(form.complete && filled.contains("dana levy") && filled.contains("a flat"), "{filled}");
    let spent = target.figure(r#"kolbox_spent_dollars_total{engine="openai"}"#).await.unwrap();
    assert!(spent > 0.0);
    assert_eq!(target.figure("kolbox_call_dollars_count").await.unwrap(), 1.0);
    let served = |stage| decisions.iter().filter(move |decision| decision.stage == stage);
    assert!(served(Stage::Reply).all(|decision| decision.served.as_deref() == Some("openai")), "{decisions:?}");
    assert!(served(Stage::Synthesize).all(|decision| decision.served.as_deref() == Some("google")), "{decisions:?}");
    assert!(served(Stage::Reply).count() >= 2 && served(Stage::Synthesize).count() >= 2, "{decisions:?}");
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["parts"]["openai_reply"]["state"], "ok", "{readiness}");
    target.stop().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_nothing_is_waited_for_once_and_this_device_goes_on() {
    let cloud = Cloud::start(config()).await.unwrap();
    cloud.set(Service::Chat, Behaviour::faulty(Fault::StallAfterHeaders));
    let deadline = Duration::from_millis(700);
    let options = listening_here(&cloud).configured(move |config| {
        config.weather.reply.deadline = deadline;
        config.weather.synthesize.engines = vec![EngineName::Local];
    });
    let target = TestBox::start(options).await.unwrap();
    let (record, report) = whole_call(&target).await;
    assert_eq!(record.outcome, CallOutcome::Completed, "{report:?}");
    assert_ne!(record.weather.reply.as_deref(), Some("openai"));
    let replies: Vec<Decision> =
        decisions(&target, &record.call).await.into_iter().filter(|it| it.stage == Stage::Reply).collect();
    let timed_out = replies.iter().filter(|it| it.failed.iter().any(|failed| failed.kind == FailureKind::TimedOut));
    assert_eq!(timed_out.count(), 1, "the caller waits once: {replies:?}");
    // In the second turn it is asked in the shadow: the caller does not wait, and it may show that it works.
    assert!(cloud.requests(Service::Chat) <= 2, "{replies:?}");
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["parts"]["openai_synthesizer"]["state"], "disabled", "{readiness}");
    target.stop().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recognizer_that_says_nothing_leaves_the_voice_as_it_is_and_stands_in_the_log() {
    let cloud = Cloud::start(config()).await.unwrap();
    cloud.set(Service::Transcribe, Behaviour::faulty(Fault::StallAfterHeaders));
    let options = BoxOptions::understanding(&book())
        .under(&cloud)
        .configured(|config| config.weather.recognize.deadline = Duration::from_millis(600));
    let target = TestBox::start(options).await.unwrap();
    let (record, report) = whole_call(&target).await;
    assert_eq!(record.outcome, CallOutcome::Completed, "{report:?}");
    let decisions = decisions(&target, &record.call).await;
    let timed_out = |it: &&Decision| it.failed.iter().any(|failed| failed.kind == FailureKind::TimedOut);
    let waits: Vec<&Decision> = decisions.iter().filter(timed_out).collect();
    assert!(waits.len() == 1 && waits[0].served.as_deref() == Some("local"), "{decisions:?}");
    let voices = decisions.iter().filter(|it| it.stage == Stage::Synthesize).map(|it| it.served.as_deref());
    assert!(voices.clone().count() >= 4 && voices.clone().all(|voice| voice == Some("google")), "{decisions:?}");
    target.stop().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_dies_between_two_turns_costs_the_caller_nothing_but_the_voice() {
    let cloud = Cloud::start(config()).await.unwrap();
    let target = TestBox::start(listening_here(&cloud)).await.unwrap();
    let dying = async {
        wait_until("the first reply", async || (cloud.requests(Service::Chat) == 1).then_some(())).await.unwrap();
        // Two sentences of greeting, two of the reply.
        wait_until("its audio", async || (cloud.requests(Service::GoogleSpeak) == 4).then_some(())).await.unwrap();
        cloud.kill();
    };
    let (called, ()) = tokio::join!(whole_call(&target), dying);
    let (record, report) = called;
    assert_eq!(record.outcome, CallOutcome::Completed, "{report:?}");
    let turns = target.turns(&record.call).unwrap();
    let replied: Vec<_> =
        turns.iter().filter(|turn| turn.turn.0 > 0).map(|turn| turn.weather.reply.as_deref()).collect();
    assert_eq!(replied.first(), Some(&Some("openai")), "{replied:?}");
    assert_eq!(replied.last(), Some(&Some("receptionist")), "{replied:?}");
    let voices: Vec<String> = decisions(&target, &record.call)
        .await
        .into_iter()
        .filter(|it| it.stage == Stage::Synthesize)
        .filter_map(|it| it.served)
        .collect();
    let changes = voices.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes <= 1 && voices.first().is_some_and(|voice| voice == "google"), "{voices:?}");
    assert!(target.forms(&record.call).unwrap().remove(0).complete);
    super::calls::check_log(&target, &record.call, "cloud-dies").await;
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_asks_for_the_hours_is_told_them_in_a_second_round() {
    let rule = |say: &str, calls| ChatRule { when: "open".to_owned(), say: vec![say.to_owned()], calls, once: false };
    let look_up = vec![("opening_hours".to_owned(), json!({"day": "sunday"}))];
    let asks = ChatRule { say: Vec::new(), ..rule("", look_up) };
    let tells = rule("On Sunday from nine to one. What is your name?", Vec::new());
    let mut config = config();
    config.chat.splice(0..0, [asks, tells]);
    let cloud = Cloud::start(config).await.unwrap();
    let book = PhraseBook::new(&["when are you open", NAME]);
    let options = BoxOptions::understanding(&book).under(&cloud).configured(|config| {
        config.weather.recognize.engines = vec![EngineName::Local];
        let text = "[http]\npublic_url = 'http://127.0.0.1:1'\n[carrier]\n[office.hours]\nsunday = ['09:00-13:00']";
        config.office.hours = Config::parse(Path::new("x"), text).unwrap().office.hours;
    });
    let target = TestBox::start(options).await.unwrap();
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say("when are you open", Language::English),
        Step::wait_for_agent(),
        Step::Hangup {},
    ]);
    let report = target.call(&script).await.unwrap();
    let call: CallId = report.call_sid.parse().unwrap();
    let turn = wait_until("the turn in the store", async || {
        target.turns(&call).ok()?.into_iter().find(|turn| turn.agent.reveal().contains("nine to one"))
    })
    .await
    .unwrap();
    assert_eq!(turn.weather.reply.as_deref(), Some("openai"));
    assert_eq!(cloud.requests(Service::Chat), 2);
    target.stop().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_not_asked_for_again_and_says_nothing_about_the_provider() {
    let cloud = Cloud::start(config()).await.unwrap();
    let target =
        TestBox::start(listening_here(&cloud).keeping(PromptCache::new(CacheConfig::default()))).await.unwrap();
    let worked = r#"kolbox_engine_requests_total{stage="synthesize",engine="google",outcome="worked"}"#;
    whole_call(&target).await;
    let (asked, counted) = (cloud.requests(Service::GoogleSpeak), target.figure(worked).await.unwrap());
    assert!(asked >= 4 && counted >= 4.0, "{asked} {counted}");
    cloud.set(Service::GoogleSpeak, Behaviour::faulty(Fault::StallAfterHeaders));
    let (record, _) = whole_call(&target).await;
    assert_eq!(record.weather.synthesize.as_deref(), Some("google"), "it was spoken before");
    assert_eq!(cloud.requests(Service::GoogleSpeak), asked);
    assert_eq!(target.figure(worked).await.unwrap(), counted);
    target.stop().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_budget_of_nothing_nothing_is_asked() {
    let cloud = Cloud::start(config()).await.unwrap();
    let options = BoxOptions::understanding(&book())
        .under(&cloud)
        .configured(|config| config.weather.budget_per_day = Dollars::try_from(0.0).unwrap());
    let target = TestBox::start(options).await.unwrap();
    let (record, _) = whole_call(&target).await;
    assert_eq!((record.outcome, record.cost_micros), (CallOutcome::Completed, 0));
    for service in Service::ALL {
        assert_eq!(cloud.requests(service), 0, "{service:?}");
    }
    target.stop().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_today_is_known_after_a_restart() {
    let cloud = Cloud::start(config()).await.unwrap();
    let target = TestBox::start(listening_here(&cloud)).await.unwrap();
    let (record, _) = whole_call(&target).await;
    let folder = target.stop().await.unwrap();
    let (chat, speech) = (cloud.requests(Service::Chat), cloud.requests(Service::GoogleSpeak));
    // A budget that this call has used up.
    let micros = u32::try_from(record.cost_micros).unwrap();
    let dollars = Dollars::try_from(f64::from(micros) / 1e6).unwrap();
    let options = listening_here(&cloud).configured(move |config| config.weather.budget_per_day = dollars).on(folder);
    let target = TestBox::start(options).await.unwrap();
    let (second, _) = whole_call(&target).await;
    assert_eq!((second.outcome, second.cost_micros), (CallOutcome::Completed, 0));
    assert_eq!((cloud.requests(Service::Chat), cloud.requests(Service::GoogleSpeak)), (chat, speech));
    let skipped = decisions(&target, &second.call).await;
    let over = skipped.iter().flat_map(|it| &it.skipped).any(|it| it.why == weather::SkipReason::OverBudget);
    assert!(over, "{skipped:?}");
    target.stop().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_told_as_such() {
    let cloud = Cloud::start(config()).await.unwrap();
    cloud.set_clock_skew(7_200);
    let target = TestBox::start(listening_here(&cloud)).await.unwrap();
    whole_call(&target).await;
    let why = wait_until("what is wrong with Google", async || {
        let readiness = target.readiness().await.ok()?;
        let part = &readiness["parts"]["google_synthesizer"];
        (part["state"] == "degraded").then(|| part["why"].to_string())
    })
    .await
    .unwrap();
    assert!(why.contains("clock"), "{why}");
    target.stop().await.unwrap();
    cloud.stop().await;
}

fn book() -> PhraseBook {
    PhraseBook::new(&[NAME, REASON])
}

/// A box that hears by itself, because the callers of these tests speak in tones, and thinks and speaks in the cloud.
fn listening_here(cloud: &Cloud) -> BoxOptions {
    BoxOptions::understanding(&book())
        .under(cloud)
        .configured(|config| config.weather.recognize.engines = vec![EngineName::Local])
}

fn config() -> CloudConfig {
    let rule = |when: &str, say: &str, calls: Vec<(&str, serde_json::Value)>| ChatRule {
        when: when.to_owned(),
        say: vec![say.to_owned()],
        calls: calls.into_iter().map(|(name, arguments)| (name.to_owned(), arguments)).collect(),
        once: false,
    };
    CloudConfig {
        chat: vec![
            rule(
                "dana",
                "Nice to meet you, Dana. What is it about?",
                vec![("fill_form", json!({"name": "Dana Levy"}))],
            ),
            rule(
                "flat",
                "We will call you back about the flat. Goodbye!",
                vec![("fill_form", json!({"reason": "A flat for rent"})), ("end_call", json!({}))],
            ),
        ],
        ..CloudConfig::default()
    }
}

/// A call in which the caller gives a name and a reason, and stays until the box ends it.
async fn whole_call(target: &TestBox) -> (CallRecord, CallReport) {
    let script = CallScript::of([
        Step::wait_for_agent(),
        Step::say(NAME, Language::English),
        Step::wait_for_agent(),
        Step::say(REASON, Language::English),
        Step::wait_end(),
    ]);
    let report = target.call(&script).await.unwrap();
    let call: CallId = report.call_sid.parse().unwrap();
    let record = wait_until("the end of the call in the store", async || {
        target.record(&call).ok().flatten().filter(|record| record.duration_ms.is_some())
    })
    .await
    .unwrap();
    (record, report)
}

/// Returns the decisions about engines in a call's log, which must replay as it is.
async fn decisions(target: &TestBox, call: &CallId) -> Vec<Decision> {
    let path = target.folder().join("store/calls").join(format!("{call}.log"));
    let log = wait_until("the end of the log", async || {
        let bytes = std::fs::read(&path).ok()?;
        let is_whole = replay(&bytes, WakeUps::Random { seed: 1 }).ok()?.ended;
        is_whole.then_some(bytes)
    })
    .await
    .unwrap();
    let chosen = Reader::new(&log).filter_map(|record| match record.unwrap() {
        Record::Chosen { decision, .. } => Some(decision),
        Record::Opened(_)
        | Record::Frame { .. }
        | Record::Perceived { .. }
        | Record::Decided { .. }
        | Record::Began(_)
        | Record::Told { .. }
        | Record::Went { .. } => None,
    });
    chosen.collect()
}
