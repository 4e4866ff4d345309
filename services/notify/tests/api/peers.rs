//! Clients of ChannelAPI that are not ours: they find what they expect.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::peer_client::PeerClient;
use testkit::socketio_peers::SocketIoPeer;

use crate::harness::{Backend, TestApp};

/// Starts one of each, which joins by a token.
fn clients(url: &str, token: &str) -> Vec<(SocketIoPeer, PeerClient)> {
    let start =
        |peer: SocketIoPeer| (peer, peer.start(url, json!({"do": "listen", "token": token})).unwrap());
    SocketIoPeer::all().map(start).collect()
}

/// What a client has heard once that are so many.
async fn heard(client: &mut PeerClient, count: usize) -> Vec<Value> {
    while client.events("message").len() < count {
        client.event("message").await;
    }
    client.events("message")
}

testkit::on_both! {
    async fn they_receive_and_after_a_kill_come_back_by_themselves_and_miss_nothing(test: TestDb) {
        let app = TestApp::start(&test).await;
        let mut program = app.program(&test, &[]).await;
        let token = app.backend.channel_token("user1").await;
        let beside = Backend::new(&program.url);
        let mut clients = clients(&program.url, &token);
        join_all(clients.iter_mut().map(async |(peer, client)| {
            let joined = client.event("joined").await;
            assert_eq!((&joined["answer"]["data"], &joined["answer"]["offset"]), (&json!("Connected to user1"), &json!(0)));
            let settled = client.event("settled").await;
            assert_eq!(settled["transport"], peer.last_transport(), "{}", client.name);
        }))
        .await;

        for number in 1..=20 {
            beside.message("user1", &json!(number)).await;
        }
        join_all(clients.iter_mut().map(|(_, client)| heard(client, 20))).await;
        program.kill();
        for number in 21..=60 {
            app.backend.message("user1", &json!(number)).await;
        }
        program.restart().await.unwrap();

        join_all(clients.iter_mut().map(async |(peer, client)| {
            client.event("disconnect").await;
            let joined = client.event("joined").await;
            assert_eq!((&joined["answer"]["offset"], &joined["answer"]["recovered"]), (&json!(60), &json!(true)));
            let settled = client.event("settled").await;
            assert_eq!(settled["transport"], peer.last_transport(), "{}", client.name);
        }))
        .await;
        beside.message("user1", &json!(61)).await;
        join_all(clients.iter_mut().map(async |(peer, client)| {
            let messages = heard(client, 61).await;
            let mut offsets: Vec<i64> = messages.iter().map(|message| message["offset"].as_i64().unwrap()).collect();
            if !peer.keeps_order() {
                offsets.sort_unstable();
            }
            assert_eq!(offsets, (1..=61).collect::<Vec<_>>(), "{}: once and in order", client.name);
            let live = messages.iter().find(|message| message["offset"] == 61).unwrap();
            assert_eq!(live["transport"], peer.last_transport(), "{}", client.name);
        }))
        .await;
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_hear_that_a_token_is_refused_and_are_disconnected() {
    let test = testkit::database::TestDb::sqlite().await;
    let app = TestApp::start(&test).await;

    join_all(clients(&app.host.url, "no token of ours").iter_mut().map(async |(_, client)| {
        let refused = client.event("joined").await;
        assert_eq!(refused["answer"]["error"]["status"], 401, "{}: {refused}", client.name);
        let reason = client.event("disconnect").await["reason"].clone();
        let by_us = ["io server disconnect", "server disconnect"];
        assert!(by_us.contains(&reason.as_str().unwrap()), "{}: {reason}", client.name);
        assert_eq!(client.events("message"), [Value::Null; 0]);
    }))
    .await;
    app.host.stop().await;
}
