//! Clients of ChannelAPI, over Socket.IO.

pub(crate) mod client;

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::http::TestClient;
use testkit::wait::{wait_for, wait_until};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use self::client::{Poller, SocketIo};
use crate::harness::TestApp;

testkit::on_both! {
    async fn both_forms_of_a_join_are_answered_and_delivered_to(test: TestDb) {
        let app = TestApp::start(&test).await;
        let token = app.backend.channel_token("user1").await;
        let shown = json!({"token": token});

        let twice = format!(r#"{{"token": "no token", "token": "{token}"}}"#);
        for argument in [shown.clone(), json!(shown.to_string()), json!(twice)] {
            let mut client = SocketIo::connect(&app.host.url).await;
            assert_eq!(client.event().await, json!(["clientevent", {"data": "Connected", "count": 0}]));
            client.emit(Some(7), &json!(["join_channel", argument])).await;
            assert_eq!(client.event().await, json!(["clientevent", {"data": "Connected to user1"}]));
            assert_eq!(client.text().await, "437[]", "the acknowledgement is empty, and comes after");
            client.emit(None, &json!(["join_channel", argument])).await;
            assert_eq!(client.event().await, json!(["clientevent", {"data": "Connected to user1"}]));
            app.backend.message("user1", &json!({"hi": 1})).await;
            assert_eq!(client.event().await, json!(["message", {"hi": 1}]), "once, joined twice");
            client.hears_nothing().await;
        }
        app.host.stop().await;
    }

    async fn a_bad_token_is_refused_and_ends_the_connection(test: TestDb) {
        let clock = FakeClock::default();
        let app = TestApp::start_at(&test, &[], clock.shared()).await;
        let expired = app.backend.channel_token("user1").await;
        clock.advance(Duration::from_secs(7 * 24 * 3600));

        for arguments in [
            json!([]),
            json!([null]),
            json!([{}]),
            json!(["{"]),
            json!(["x"]),
            json!([{"token": 1}]),
            json!([{"token": "x"}]),
            json!([{"token": "x".repeat(43)}]),
            json!([{"token": expired}]),
            json!(["a.b.c"]),
            json!([{"token": "a.b.c"}]),
        ] {
            let mut event = vec![json!("join_channel")];
            event.extend(arguments.as_array().unwrap().clone());
            let event = Value::from(event);
            let mut client = SocketIo::connected(&app.host.url).await;
            client.emit(Some(3), &event).await;
            let answer = client.text().await;
            assert!(answer.starts_with(r#"433[{"error":{"#) && answer.contains("401"), "{event}: {answer}");
            assert_eq!(client.text().await, "41", "{event}");
            let mut client = SocketIo::connected(&app.host.url).await;
            client.emit(None, &event).await;
            assert_eq!(client.text().await, "41", "without an acknowledgement: {event}");
        }
        app.host.stop().await;
    }

    async fn every_kind_of_message_arrives_and_channels_are_apart(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut both = SocketIo::connected(&app.host.url).await;
        let mut first = SocketIo::connected(&app.host.url).await;
        let mut second = SocketIo::connected(&app.host.url).await;
        for (client, channels) in [(&mut both, &["a", "b"][..]), (&mut first, &["a"]), (&mut second, &["b"])] {
            for channel in channels {
                client.join(&json!({"token": app.backend.channel_token(channel).await})).await;
            }
        }

        for message in [json!(null), json!(false), json!(-1.5), json!("ü\n"), json!([1, []]), json!({"a": {}})] {
            app.backend.message("a", &message).await;
            assert_eq!(both.event().await, json!(["message", message]));
            assert_eq!(first.event().await, json!(["message", message]));
        }
        app.backend.message("b", &json!("b")).await;
        for name in ["global_emit", &both.sid.clone(), "c"] {
            app.backend.message(name, &json!("nobody")).await;
        }

        assert_eq!(both.event().await, json!(["message", "b"]));
        assert_eq!(second.event().await, json!(["message", "b"]));
        first.hears_nothing().await;
        second.hears_nothing().await;
        let mut again = SocketIo::connected(&app.host.url).await;
        app.backend.message("a", &json!("not heard without a join")).await;
        again.hears_nothing().await;
        app.host.stop().await;
    }

    async fn a_join_with_an_offset_resumes_and_tells_what_is_known(test: TestDb) {
        let app = TestApp::start_with(&test, &[("notify.history_size", "8"), ("notify.page", "3")]).await;
        let token = app.backend.channel_token("a").await;
        for number in 1..=10 {
            app.backend.message("a", &json!(number)).await;
        }
        let epoch = app.backend.history("a", "").await["epoch"].clone();

        let mut client = SocketIo::connected(&app.host.url).await;
        client.emit(Some(1), &json!(["join_channel", {"token": token, "offset": 4, "epoch": epoch}])).await;
        let joined = json!({"data": "Connected to a", "channel": "a", "offset": 10, "epoch": epoch, "recovered": true});
        assert_eq!(client.event().await, json!(["clientevent", joined]));
        let answer = client.text().await;
        let answer: Value = serde_json::from_str(answer.strip_prefix("431").expect(&answer)).unwrap();
        assert_eq!(answer, json!([joined]));
        for number in 5..=10 {
            let event = client.event().await;
            assert_eq!((&event[0], &event[1]), (&json!("message"), &json!(number)));
            assert_eq!((&event[2]["offset"], &event[2]["epoch"], &event[2]["channel"]), (&json!(number), &epoch, &json!("a")));
            assert!(event[2]["id"].is_string() && event[2]["at"].is_i64());
        }
        app.backend.message("a", &json!(11)).await;
        assert_eq!(client.event().await[2]["offset"], 11);
        let mut late = SocketIo::connected(&app.host.url).await;
        late.emit(None, &json!(["join_channel", json!({"token": token, "offset": 1}).to_string()])).await;
        assert_eq!(late.event().await[1]["recovered"], false);
        let mut curious = SocketIo::connected(&app.host.url).await;
        curious.emit(None, &json!(["join_channel", {"token": token, "meta": true}])).await;
        assert_eq!(curious.event().await[1]["offset"], 11);
        app.backend.message("a", &json!(12)).await;
        for client in [&mut late, &mut curious] {
            let event = client.event().await;
            assert_eq!((&event[1], &event[2]["offset"]), (&json!(12), &json!(12)));
        }
        app.host.stop().await;
    }

    async fn a_revoked_token_puts_its_clients_out(test: TestDb) {
        let app = TestApp::start(&test).await;
        let phone = app.backend.issue(&json!({"channel": "a", "member": "alice"})).await;
        let other = app.backend.channel_token("b").await;
        let mut alone = SocketIo::connected(&app.host.url).await;
        alone.join(&json!({"token": phone["token"]})).await;
        let mut both = SocketIo::connected(&app.host.url).await;
        both.join(&json!({"token": phone["token"]})).await;
        both.join(&json!({"token": other})).await;

        let path = format!("/v1/notify/tokens/{}?channel=a", phone["id"].as_str().unwrap());
        app.backend.client.delete(&path).await.assert_status(204);

        let ended = json!(["clientevent", {"data": "Disconnected from a", "channel": "a", "reason": "revoked"}]);
        assert_eq!(alone.event().await, ended);
        assert_eq!(alone.text().await, "41");
        assert_eq!(both.event().await, ended);
        app.backend.message("b", &json!("still there")).await;
        assert_eq!(both.event().await, json!(["message", "still there"]));
        app.host.stop().await;
    }

    async fn polling_and_an_upgrade_lose_and_repeat_nothing(test: TestDb) {
        let app = TestApp::start(&test).await;
        let token = app.backend.channel_token("user1").await;
        let mut poller = Poller::open(&app.host.http).await;
        poller.post("40").await;
        let first = poller.poll().await;
        assert!(first[0].starts_with(r#"40{"sid":""#), "{first:?}");
        let greeting = match first.get(1) {
            Some(greeting) => greeting.clone(),
            None => poller.poll().await.remove(0),
        };
        assert_eq!(greeting, r#"42["clientevent",{"data":"Connected","count":0}]"#, "after the reply to CONNECT");
        poller.post(&format!("42{}", json!(["join_channel", json!({"token": token}).to_string()]))).await;
        assert_eq!(poller.poll().await, [r#"42["clientevent",{"data":"Connected to user1"}]"#]);

        for number in 1..=3 {
            app.backend.message("user1", &json!(number)).await;
        }
        let mut polled = Vec::new();
        while polled.len() < 3 {
            polled.append(&mut poller.poll().await);
        }
        let mut client = poller.upgrade(&app.host.url, async || app.backend.message("user1", &json!(4)).await).await;
        app.backend.message("user1", &json!(5)).await;

        assert_eq!(polled, [r#"42["message",1]"#, r#"42["message",2]"#, r#"42["message",3]"#]);
        let mut rest = poller.seen.clone();
        while rest.len() < 2 {
            rest.push(client.text().await);
        }
        assert_eq!(rest, [r#"42["message",4]"#, r#"42["message",5]"#]);
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_events_and_namespaces_are_answered_as_documented() {
    let test = testkit::database::TestDb::sqlite().await;
    let app = TestApp::start(&test).await;
    let mut client = SocketIo::connected(&app.host.url).await;
    let mut other = SocketIo::connected(&app.host.url).await;

    client.emit(Some(1), &json!(["message", {"echo": true}, 2])).await;
    assert_eq!(client.event().await, json!(["message", {"echo": true}, 2]));
    assert_eq!(client.text().await, "431[]");
    client.emit(Some(2), &json!(["whatever"])).await;
    assert_eq!(client.text().await, "432[]");
    client.send("451-[\"message\",{\"_placeholder\":true,\"num\":0}]").await;
    client.send_binary(vec![1, 2, 3]).await;
    assert_eq!(client.text().await, r#"451-["message",{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.binary().await, [1, 2, 3]);
    client.send("40/other,").await;
    assert_eq!(client.text().await, r#"44/other,{"message":"Invalid namespace"}"#);
    client.hears_nothing().await;
    other.hears_nothing().await;
    assert!(client.sid != other.sid);
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_is_larger_than_what_may_wait_is_sent_as_fast_as_it_is_read() {
    let test = testkit::database::TestDb::sqlite().await;
    let more = [("notify.socketio.queue_bytes", "100000"), ("notify.socketio.queue_messages", "50")];
    let app = TestApp::start_with(&test, &more).await;
    let token = app.backend.channel_token("a").await;
    let data = "x".repeat(20_000);
    for _ in 0..200 {
        app.backend.publish("a", &json!(data)).await;
    }
    let mut client = SocketIo::connected(&app.host.url).await;

    client.emit(None, &json!(["join_channel", {"token": token, "offset": 0}])).await;

    assert_eq!(client.event().await[1]["recovered"], true);
    for offset in 1..=200 {
        if offset % 50 == 0 {
            // It reads slowly, too.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(client.event().await[2]["offset"], offset);
    }
    app.host.stop().await;
}

/// A service with more in the channel `a` than a client can have waiting, and a token of a member of it.
async fn with_history(test: &testkit::database::TestDb, more: &[(&str, &str)]) -> (TestApp, Value) {
    let more =
        [more, &[("notify.socketio.queue_bytes", "100000"), ("notify.presence_gather", "10ms")]].concat();
    let app = TestApp::start_with(test, &more).await;
    let data = "x".repeat(60_000);
    // More than the kernel takes, too.
    for _ in 0..200 {
        app.backend.publish("a", &json!(data)).await;
    }
    let token = app.backend.issue(&json!({"channel": "a", "member": "alice"})).await["token"].clone();
    (app, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_of_a_history_is_sent_away() {
    let test = testkit::database::TestDb::sqlite().await;
    let more = [("notify.socketio.ping_interval", "500ms"), ("notify.socketio.ping_timeout", "500ms")];
    let (app, token) = with_history(&test, &more).await;
    let join = json!(["join_channel", {"token": token, "offset": 0}]);
    // It is not looked for while it is there: that takes no longer than its patience.
    let joined_and_gone = async |joins: u64| {
        let joined = r#"outcome="joined",service="notify""#;
        wait_until("the join", async || app.metric("joins_total", joined).await == joins).await;
        let there = r#"door="socketio",service="notify""#;
        wait_until("the end", async || app.metric("clients", there).await == 0).await;
        app.wait_present("a", 0).await;
    };

    let mut socket = SocketIo::connected(&app.host.url).await;
    socket.emit(None, &join).await;
    joined_and_gone(1).await;

    let poller = Poller::open(&app.host.http).await;
    poller.post("40").await;
    // It is answered when the join is dealt with.
    let joining = tokio::spawn(async move { poller.post(&format!("42{join}")).await });
    joined_and_gone(2).await;
    joining.abort();
    drop(socket);
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_of_a_history_keeps_no_process_from_stopping() {
    let test = testkit::database::TestDb::sqlite().await;
    let (app, token) = with_history(&test, &[("http.drain_timeout", "60s")]).await;
    let mut socket = SocketIo::connected(&app.host.url).await;
    socket.emit(None, &json!(["join_channel", {"token": token, "offset": 0}])).await;
    app.wait_present("a", 1).await;

    let began = Instant::now();
    app.host.stop().await;

    // The time that a peer has to answer a close frame, and a loaded machine; far from the time that there is to drain.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    drop(socket);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_profile_for_conformance_suites_needs_nothing_and_answers_in_place_of_channel_api() {
    let mut program = Command::new(testkit::program::binary("sealpost-notify").unwrap());
    // It is killed, and leaves what it had there.
    let scratch = tempfile::tempdir().unwrap();
    program.env_clear().env("TMPDIR", scratch.path());
    program.args(["--conformance", "--listen", "127.0.0.1:0", "--internal", "127.0.0.1:0"]);
    let mut program = program.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut ready).await.unwrap();
    let url = ready.split(' ').find_map(|word| word.strip_prefix("http=")).expect("a ready line").to_owned();

    // Whoever does not answer a ping within 200 ms is given up, and a machine that stalls does not.
    let said = wait_for("a whole conversation", || async {
        let mut client = SocketIo::try_connect(&url).await?;
        let greeting = client.try_text().await?;
        client.try_send(r#"42["message",1,{"a":"b"}]"#).await?;
        Some([greeting, client.try_text().await?])
    });

    assert_eq!(said.await, [r#"42["auth",{}]"#, r#"42["message-back",1,{"a":"b"}]"#]);
    let engine = TestClient::new(&url).get("/engine.io/?EIO=4&transport=polling").await.expect(200).text();
    assert!(engine.starts_with('0') && engine.contains(r#""pingInterval":300"#), "{engine}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_no_channel_is_sent_away_and_who_does_stays() {
    let test = testkit::database::TestDb::sqlite().await;
    let app = TestApp::start_with(&test, &[("notify.join_timeout", "300ms")]).await;
    let shown = json!({"token": app.backend.channel_token("a").await});
    // On a loaded machine it may not be in time at once.
    let mut member = wait_for("a member", || async {
        let mut client = SocketIo::connected(&app.host.url).await;
        client.try_join(&shown).await?;
        Some(client)
    })
    .await;

    SocketIo::connected(&app.host.url).await.cut().await;

    tokio::time::sleep(Duration::from_millis(300)).await;
    app.backend.message("a", &json!(1)).await;
    assert_eq!(member.event().await, json!(["message", 1]));
    app.host.stop().await;
}
