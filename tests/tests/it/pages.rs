use e2e::{BoxOptions, TestBox};
use http::Method;
use reqwest::header::RANGE;

#[tokio::test(flavor = "multi_thread")]
async fn the_greetings_are_served_whole_in_part_and_by_head() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    for name in ["greeting_en", "fallback_en", "thanks_en"] {
        let path = format!("/static/tts/{name}.wav");
        let whole = target.get(&path).await.unwrap();
        assert_eq!((whole.status, whole.header("content-type")), (200, "audio/wav"), "{name}");
        assert_eq!(whole.body.get(..4), Some(b"RIFF".as_slice()), "{name}");
        assert!(whole.body.len() > 4_000, "{name} has {} bytes", whole.body.len());
        let head = target.send(target.request(Method::HEAD, &path)).await.unwrap();
        assert_eq!((head.status, head.header("content-length")), (200, whole.body.len().to_string().as_str()));
        let part = target.send(target.request(Method::GET, &path).header(RANGE, "bytes=100-199")).await.unwrap();
        assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[100..200]), "{name}");
        assert_eq!(part.header("content-range"), format!("bytes 100-199/{}", whole.body.len()));
        let beyond = target.send(target.request(Method::GET, &path).header(RANGE, "bytes=99999999-")).await.unwrap();
        assert_eq!(beyond.status, 416, "{name}");
    }
    for path in ["/static/tts/../../store/lock", "/static/tts/%2e%2e/form.toml", "/static/tts/nothing.wav"] {
        assert_eq!(target.get(path).await.unwrap().status, 404, "{path}");
    }
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_recordings_is_served_of_their_folder() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let folder = target.parts.greetings_folder();
    assert!(folder.join("greeting_en.stamp").exists(), "what the box notes for itself lies there");
    for name in ["greeting_en.part", "notes.wav", "greeting_fr.wav", ".hidden"] {
        std::fs::write(folder.join(name), "not for strangers").unwrap();
    }
    std::fs::create_dir(folder.join("more")).unwrap();
    std::fs::write(folder.join("more/greeting_en.wav"), "not for strangers").unwrap();
    for name in [
        "greeting_en.stamp",
        "greeting_en.part",
        "notes.wav",
        "greeting_fr.wav",
        ".hidden",
        "more/greeting_en.wav",
        "more/../greeting_en.stamp",
        "greeting_en.wav/../greeting_en.stamp",
        "greeting_en%2estamp",
        "",
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = target.send(target.request(method.clone(), &format!("/static/tts/{name}"))).await.unwrap();
            assert_eq!(answer.status, 404, "{method} {name}");
        }
    }
    assert_eq!(target.get("/static/tts/greeting_en.wav").await.unwrap().status, 200);
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_greetings_are_served_as_mp3_too() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    if !target.parts.greetings_folder().join("greeting_en.mp3").exists() {
        println!("skipped: the program 'lame' is not installed");
        return;
    }
    let path = "/static/tts/greeting_en.mp3";
    let whole = target.get(path).await.unwrap();
    assert_eq!((whole.status, whole.header("content-type")), (200, "audio/mpeg"));
    let head = target.send(target.request(Method::HEAD, path)).await.unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, whole.body.len().to_string().as_str()));
    let part = target.send(target.request(Method::GET, path).header(RANGE, "bytes=0-9")).await.unwrap();
    assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[..10]));
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_with_all_its_parts_is_ready_and_says_so_of_each() {
    let target = TestBox::start(BoxOptions::default()).await.unwrap();
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["status"], "ready", "{readiness}");
    for part in
        ["carrier_rest", "greetings", "recognizer", "recordings", "store", "synthesizer_english", "synthesizer_hebrew"]
    {
        assert_eq!(readiness["parts"][part]["state"], "ok", "{part} of {readiness}");
    }
    for (path, is_there) in [("/", "Kolbox"), ("/health", "ok"), ("/metrics", "kolbox_start_time_seconds")] {
        let answer = target.get(path).await.unwrap();
        assert!(answer.status == 200 && answer.text().contains(is_there), "{path}: {answer:?}");
    }
    target.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_without_an_account_is_ready_and_says_what_it_does_without() {
    let options = BoxOptions::default().configured(|config| config.carrier.account_sid = None);
    let target = TestBox::start(options).await.unwrap();
    let readiness = target.readiness().await.unwrap();
    assert_eq!(readiness["status"], "ready", "{readiness}");
    assert_eq!(readiness["parts"]["carrier_rest"]["state"], "disabled");
    assert!(target.is_well().await.unwrap());
    target.stop().await.unwrap();
}
