use proptest::prelude::*;
use telephony::wire::Address;
use units::Pii;

use super::*;
use crate::message::Provider;
use crate::outbound::OutboundContent;
use crate::window::WINDOW;

const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);

#[test]
fn the_model_answers_while_it_can_be_reached_and_the_receptionist_otherwise() {
    let mut conversation = Conversation::new();
    assert_eq!(say(&mut conversation, NOW, Model::Reachable, "1", "שלום"), Verdict::Answer(Answerer::Model));
    assert_eq!(say(&mut conversation, NOW, Model::Unreachable, "2", "הלו"), Verdict::Answer(Answerer::Receptionist));
}

#[test]
fn a_person_takes_over_hands_back_and_is_not_waited_for_forever() {
    let config = Config::default();
    let mut conversation = Conversation::new();
    conversation.take_over(NOW);
    assert_eq!(say(&mut conversation, NOW, Model::Reachable, "1", "x"), Verdict::Answer(Answerer::Human));
    conversation.hand_back();
    assert_eq!(say(&mut conversation, NOW, Model::Reachable, "2", "x"), Verdict::Answer(Answerer::Model));

    conversation.take_over(NOW);
    let later = NOW.saturating_add(Duration::from_hours(11));
    conversation.note_human_wrote(later);
    let silent = later.saturating_add(config.human_silence);
    let just_before = UnixTime::from_millis(silent.as_millis() - 1);
    assert_eq!(conversation.answerer(&config, just_before, Model::Reachable), Answerer::Human);
    assert_eq!(conversation.answerer(&config, silent, Model::Reachable), Answerer::Model);
}

#[test]
fn who_opted_out_is_confirmed_once_then_left_alone_until_they_opt_in() {
    let mut conversation = Conversation::new();
    let reachable = Model::Reachable;
    assert_eq!(say(&mut conversation, NOW, reachable, "1", "הסר"), Verdict::OptedOut(Language::Hebrew));
    assert_eq!(say(&mut conversation, NOW, reachable, "2", "stop"), Verdict::Muted);
    assert_eq!(say(&mut conversation, NOW, reachable, "3", "שלום?"), Verdict::Muted);
    assert_eq!(conversation.answerer(&Config::default(), NOW, reachable), Answerer::Nobody);
    let refused = conversation.check(NOW, &text("x")).unwrap_err();
    assert_eq!((refused.refusal, refused.code(Provider::Twilio)), (Refusal::OptedOut, Some(21_610)));
    conversation.take_over(NOW);
    assert_eq!(conversation.answerer(&Config::default(), NOW, reachable), Answerer::Nobody);

    assert_eq!(say(&mut conversation, NOW, reachable, "4", "Start"), Verdict::OptedIn(Language::English));
    assert!(conversation.check(NOW, &text("x")).is_ok());
    conversation.hand_back();
    assert_eq!(say(&mut conversation, NOW, reachable, "5", "start"), Verdict::Answer(Answerer::Model));

    conversation.set_keyword(Keyword::OptOut);
    assert!(conversation.is_opted_out());
}

#[test]
fn opting_out_is_heard_from_who_writes_too_fast_and_while_a_person_answers() {
    let mut conversation = Conversation::new();
    for number in 0..20 {
        let verdict = say(&mut conversation, NOW, Model::Reachable, &number.to_string(), "x");
        assert_eq!(verdict, Verdict::Answer(Answerer::Model), "{number}");
    }
    assert_eq!(say(&mut conversation, NOW, Model::Reachable, "20", "x"), Verdict::TooFast);
    assert_eq!(say(&mut conversation, NOW, Model::Reachable, "21", "STOP!"), Verdict::OptedOut(Language::English));

    let mut conversation = Conversation::new();
    conversation.take_over(NOW);
    let button = Content::Button { payload: pii("stop"), text: pii("לא מעוניין") };
    let verdict = conversation.receive(&Config::default(), NOW, Model::Reachable, &inbound("1", NOW, button));
    assert_eq!(verdict, Verdict::OptedOut(Language::English));
}

#[test]
fn keywords_are_whole_messages_whatever_surrounds_them() {
    for text in [
        "הסר",
        "  הסר. ",
        "«הסר»",
        "\"הסר\"",
        "\u{200F}הסר\u{200E}",
        "הָסֵר",
        "הסר אותי!",
        "תפסיקו   לשלוח",
        "Stop",
        "STOP.",
        "stop!!!",
        "Opt-Out",
        "opt out",
        "Unsubscribe 🙏",
        "please stop",
        "- stop -",
    ] {
        assert_eq!(keyword(text).map(|(word, _)| word), Some(Keyword::OptOut), "{text}");
    }
    for text in ["הצטרף", "Start", "UNSTOP", "opt-in"] {
        assert_eq!(keyword(text).map(|(word, _)| word), Some(Keyword::OptIn), "{text}");
    }
    for text in ["", "stop by on Sunday", "אל תסיר אותי", "cancel", "end", "yes", "ביטול", "די", "non-stop", "🙏"]
    {
        assert_eq!(keyword(text), None, "{text}");
    }
    assert_eq!(keyword(&format!("{}stop", " ".repeat(60))), Some((Keyword::OptOut, Language::English)));
    assert_eq!(keyword(&format!("{}stop", " ".repeat(61))), None);
}

#[test]
fn every_keyword_is_in_the_form_that_is_compared() {
    for (kind, language, words) in keyword::KEYWORDS {
        for word in words {
            assert_eq!(keyword(word), Some((kind, language)), "{word}");
        }
    }
}

#[test]
fn a_hundred_repetitions_are_answered_once() {
    let mut conversation = Conversation::new();
    let verdicts: Vec<_> = (0..100).map(|_| say(&mut conversation, NOW, Model::Reachable, "1", "x")).collect();
    assert_eq!(verdicts[0], Verdict::Answer(Answerer::Model));
    assert!(verdicts[1..].iter().all(|verdict| *verdict == Verdict::Repeated));
    assert_eq!(conversation.seen.len(), 1);
}

#[test]
fn names_are_remembered_within_a_bound_and_the_oldest_is_forgotten() {
    let mut seen = Seen::default();
    assert!(seen.is_empty());
    for number in 0..=MAX_SEEN {
        assert!(seen.insert(&number.to_string().parse().unwrap()));
    }
    assert_eq!(seen.len(), MAX_SEEN);
    assert!(!seen.insert(&"1".parse().unwrap()));
    assert!(seen.insert(&"0".parse().unwrap()));
}

#[test]
fn a_reaction_opens_the_window_and_is_not_answered() {
    let mut conversation = Conversation::new();
    assert!(conversation.check(NOW, &text("x")).is_err());
    let reaction = Content::Reaction { to: "9".parse().unwrap(), emoji: None };
    let verdict = conversation.receive(&Config::default(), NOW, Model::Reachable, &inbound("1", NOW, reaction));
    assert_eq!(verdict, Verdict::Keep);
    assert!(conversation.check(NOW, &text("x")).is_ok());
}

#[test]
fn a_provider_whose_clock_is_ahead_does_not_hold_the_window_open() {
    let mut conversation = Conversation::new();
    let ahead = NOW.saturating_add(Duration::from_hours(48));
    let message = inbound("1", ahead, Content::Text(pii("x")));
    conversation.receive(&Config::default(), NOW, Model::Reachable, &message);
    assert_eq!(conversation.window().last_inbound(), Some(NOW));
    assert!(conversation.check(NOW.saturating_add(WINDOW), &text("x")).is_err());
}

#[test]
fn a_clock_that_was_set_back_locks_nobody_out() {
    let limit = RateLimit { burst: 2, per: Duration::from_secs(10) };
    let mut rate = Rate::default();
    assert!(rate.take(limit, NOW) && rate.take(limit, NOW) && !rate.take(limit, NOW));
    assert!(rate.take(limit, UnixTime::from_secs(1)));
}

#[test]
fn what_is_remembered_survives_the_store_and_reads_what_older_ones_wrote() {
    let mut conversation = Conversation::new();
    say(&mut conversation, NOW, Model::Reachable, "1", "x");
    conversation.take_over(NOW);
    let stored = serde_json::to_string(&conversation).unwrap();
    assert_eq!(
        stored,
        r#"{"window":1790000000000,"seen":["1"],"rate":1790000003000,"human_since":1790000000000,"opted_out":false}"#
    );
    assert_eq!(serde_json::from_str::<Conversation>(&stored).unwrap(), conversation);
    assert_eq!(serde_json::from_str::<Conversation>("{}").unwrap(), Conversation::new());
    let newer = r#"{"opted_out":true,"mood":"good"}"#;
    assert!(serde_json::from_str::<Conversation>(newer).unwrap().is_opted_out());
    let many: Vec<String> = (0..MAX_SEEN + 5).map(|number| number.to_string()).collect();
    let many = format!(r#"{{"seen":{}}}"#, serde_json::to_string(&many).unwrap());
    assert_eq!(serde_json::from_str::<Conversation>(&many).unwrap().seen.len(), MAX_SEEN);
}

proptest! {
    #[test]
    fn no_more_than_twice_the_burst_is_answered_in_any_stretch(
        gaps in prop::collection::vec(0_u64..2_000, 1..200), burst in 1_u32..6,
    ) {
        let limit = RateLimit { burst, per: Duration::from_secs(5) };
        let (mut rate, mut millis, mut taken) = (Rate::default(), 1_000_000_u64, Vec::new());
        for gap in gaps {
            millis += gap;
            if rate.take(limit, UnixTime::from_millis(millis)) {
                taken.push(millis);
            }
        }
        for (index, from) in taken.iter().enumerate() {
            let within = taken[index..].iter().take_while(|at| **at < from + 5_000).count();
            prop_assert!(within <= 2 * burst as usize, "{within}");
            let at_once = taken[index..].iter().take_while(|at| *at == from).count();
            prop_assert!(at_once <= burst as usize);
        }
    }

    #[test]
    fn a_muted_conversation_is_never_answered(texts in prop::collection::vec("stop|start|הסר|x|הצטרף", 0..40)) {
        let (mut conversation, mut muted) = (Conversation::new(), false);
        for (number, text) in texts.iter().enumerate() {
            let verdict = say(&mut conversation, NOW, Model::Reachable, &number.to_string(), text);
            match keyword(text) {
                Some((Keyword::OptOut, _)) => muted = true,
                Some((Keyword::OptIn, _)) => muted = false,
                None => {}
            }
            prop_assert_eq!(conversation.is_opted_out(), muted);
            prop_assert!(!muted || matches!(verdict, Verdict::OptedOut(_) | Verdict::Muted));
            prop_assert_ne!(verdict, Verdict::Answer(Answerer::Nobody));
        }
    }
}

fn say(conversation: &mut Conversation, now: UnixTime, model: Model, id: &str, text: &str) -> Verdict {
    conversation.receive(&Config::default(), now, model, &inbound(id, now, Content::Text(pii(text))))
}

fn inbound(id: &str, at: UnixTime, content: Content) -> Inbound {
    Inbound {
        id: id.parse().unwrap(),
        provider: Provider::Meta,
        from: Address::of("whatsapp:+972541234567").into(),
        to: Address::of("whatsapp:+972771234567").into(),
        profile_name: None,
        at,
        content,
        reply_to: None,
    }
}

fn text(text: &str) -> Outbound {
    Outbound { to: Address::of("whatsapp:+972541234567").into(), content: OutboundContent::Text(pii(text)) }
}

fn pii(text: &str) -> Pii<String> {
    Pii::new(text.to_owned())
}
