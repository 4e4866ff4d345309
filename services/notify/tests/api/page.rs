//! The page where channels can be tried out, in a real browser.

use serde_json::{Value, json};
use testkit::peer_client::PeerClient;
use testkit::peers::node;

use crate::harness::{KEY, TestApp};

/// Entries of the log that are of a kind: what they show.
fn entries(step: &Value, kind: &str) -> Vec<Value> {
    let log = step["log"].as_array().unwrap().iter();
    log.filter(|entry| entry[0] == kind).map(|entry| json!([entry[1], entry[2]])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_door_shows_what_comes_and_what_a_cut_cost() {
    let test = testkit::database::TestDb::sqlite().await;
    let app = TestApp::start_with(&test, &[("notify.history_size", "5")]).await;
    let task = json!({"url": app.host.url, "key": KEY, "history": 5});

    let mut browser = PeerClient::start("the page", node("page.mjs").unwrap(), &task).unwrap();

    for _ in 0..3 {
        let joined = browser.event("joined").await;
        let door = joined["door"].as_str().unwrap();
        let welcome = format!("joined for {door} at offset 0");
        assert_eq!(
            (&joined["state"], entries(&joined, "note note")),
            (&json!("connected"), vec![json!([null, welcome])])
        );
        let shown = browser.event("shown").await;
        let injection = json!(r#"<img src="x" onerror="alert(1)">"#).to_string();
        assert_eq!(entries(&shown, ""), [json!(["#1", injection])], "as text: {shown}");
        let resumed = browser.event("resumed").await;
        assert_eq!(entries(&resumed, "missed"), [json!(["#2", "2"]), json!(["#3", "3"])]);
        let told = entries(&resumed, "note resumed");
        assert_eq!(told, [json!([null, "resumed at offset 3, 2 missed notifications replayed"])]);
        let overflown = browser.event("overflown").await;
        let told = entries(&overflown, "note lost");
        let refetch = "history no longer reaches back: refetch what you show; going on at offset 9";
        assert_eq!(told, [json!([null, refetch])]);
        assert_eq!(entries(&overflown, "").last(), Some(&json!(["#10", "\"goes on\""])));
        let refused = browser.event("refused").await;
        assert_eq!(refused["state"], "refused");
        let left = browser.event("left").await;
        assert_eq!(left["images"], 0, "nothing that was published became a part of the page");
        assert_eq!(left["scripts"], 1);
        assert!(left["wider"].as_i64().unwrap() <= 0, "it fits the screen: {left}");
    }
    browser.event("done").await;
    // A refusal of the event stream is an answer with an error, of which the browser tells by itself.
    let complaints: Vec<Value> = browser.events("complaint");
    assert!(complaints.iter().all(|one| one["text"].as_str().unwrap().contains("401")), "{complaints:?}");
    assert_eq!(browser.events("stranger"), [Value::Null; 0]);
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_may_do_little_is_not_fetched_twice_and_can_be_switched_off() {
    let test = testkit::database::TestDb::sqlite().await;
    let app = TestApp::start(&test).await;
    let bare = app.sibling(&test, &[("notify.trial_page", "false")]).await;

    for (path, kind) in [
        ("/v1/notify/page", "text/html; charset=utf-8"),
        ("/v1/notify/page/page.js", "text/javascript; charset=utf-8"),
        ("/v1/notify/page/page.css", "text/css; charset=utf-8"),
        ("/v1/notify/page/palette.css", "text/css; charset=utf-8"),
        ("/v1/notify/page/icon.svg", "image/svg+xml"),
    ] {
        let answer = app.host.http.get(path).await.expect(200);
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(
            (header("content-type"), header("content-security-policy")),
            (kind.to_owned(), web::PAGE_POLICY.to_owned())
        );
        let request =
            app.host.http.request(reqwest::Method::GET, path).header("if-none-match", header("etag"));
        let again = app.host.http.send(request).await.expect(304);
        assert_eq!(again.text(), "", "{path}");
        assert_eq!(bare.host.http.get(path).await.expect(404).problem().slug(), "no-such-page");
    }
    let other = app.host.http.get("/v1/notify/page/other").await.expect(404);
    assert_eq!(other.problem().slug(), "no-such-page");
    bare.host.stop().await;
    app.host.stop().await;
}
