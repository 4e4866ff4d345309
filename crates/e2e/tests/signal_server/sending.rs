//! `/messages/`: what is taken, what is refused, in which order, and by which text.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{
    Server, User, assert_detail, assert_device_changed, assert_identity_changed, assert_incorrect,
    assert_invalid, assert_no_device, assert_no_recipient, assert_no_recipient_device, message,
};

/// A body in another form than JSON, or that is none.
async fn raw(user: &User, method: Method, content_type: &str, body: &'static str) -> Answer {
    let request = user.client.request(method, &user.own("messages"));
    user.client.send(request.header("content-type", content_type).body(body)).await
}

on_both! {
    async fn a_body_of_another_shape_is_refused(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let text = message(5678, "x");

        for body in [
            json!({}),
            json!({"recipient": "bob"}),
            json!({"message": text}),
            json!({"recipient": null, "message": text}),
            json!({"recipient": 7, "message": text}),
            json!({"recipient": ["bob"], "message": text}),
            json!({"recipient": "bob", "message": null}),
            json!({"recipient": "bob", "message": 7}),
            json!({"recipient": "bob", "message": {"registrationId": 5678, "content": "x"}}),
            json!([{"recipient": "bob", "message": text}]),
            json!([1, 2]),
        ] {
            assert_incorrect(&alice.post("messages", &body).await);
        }
        for body in [json!(null), json!(7), json!("x"), json!(true), json!([])] {
            alice.post("messages", &body).await.assert_status(400);
        }
        raw(&alice, Method::POST, "application/json", "").await.assert_status(400);
        assert_detail(&raw(&alice, Method::POST, "application/json", "{\"recipient\":").await, 400);
        assert_detail(&raw(&alice, Method::POST, "text/plain", "x").await, 415);

        assert_eq!(bob.messages().await.len(), 0);
    }

    async fn the_text_within_names_the_device_that_it_is_for(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let send = async |text: &str| alice.post("messages", &json!({"recipient": "bob", "message": text})).await;

        for text in ["", " ", "x", "7", "null", "[]", "[5678]", "\"5678\"", "{}", "{\"registrationId\":",
            r#"{"registrationId": null}"#, r#"{"registrationId": true}"#, r#"{"registrationId": "x"}"#,
            r#"{"registrationId": "5678.5"}"#, r#"{"registrationId": [5678]}"#, r#"{"registration_id": 5678}"#] {
            assert_incorrect(&send(text).await);
        }
        let fraction = assert_invalid(&send(r#"{"registrationId": 5678.5, "content": "x"}"#).await);
        assert!(fraction["registrationId"].is_array());
        for text in [r#"{"registrationId": 5679}"#, r#"{"registrationId": -1}"#, r#"{"registrationId": 1000000000000}"#,
            r#"{"registrationId": 99999999999999999999999}"#] {
            assert_identity_changed(&send(text).await);
        }
        assert_eq!(bob.messages().await.len(), 0);

        let deep = format!(r#"{{"registrationId": 5678, "content": {}{}}}"#, "[".repeat(200), "]".repeat(200));
        let good = [r#"{"registrationId": 5678}"#, r#"{"registrationId": "5678"}"#, r#"{"registrationId": 5678.0}"#,
            r#"{"content": {"any": ["thing"]}, "registrationId": 5678}"#,
            r#"{"registrationId": 5678, "content": "\ud83d"}"#, r#"{"registrationId": 5678, "content": 1e999}"#, &deep];
        for text in good {
            send(text).await.assert_status(201);
        }
        let received: Vec<Value> = bob.messages().await.into_iter().map(|mut one| one["content"].take()).collect();
        assert_eq!(received, good);
    }

    async fn faults_are_told_in_the_order_of_the_contract(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let (carol, dave) = (server.user("carol").await, User { registration_id: 9, ..server.user("dave").await });
        let to = |name: &str, registration_id| json!({"recipient": name, "message": message(registration_id, "x")});
        let long = json!({"recipient": "bob", "message": message(5678, &"x".repeat(2000))});

        // Neither a device nor a recipient nor a text: the text is looked at first, then one's own device.
        assert_incorrect(&dave.post("messages", &json!({"recipient": "nobody", "message": "x"})).await);
        assert_no_device(&dave.post("messages", &to("nobody", 1)).await);
        assert_no_device(&dave.post("messages", &long).await);
        let other = User { registration_id: 4321, ..alice.clone() };
        assert_device_changed(&other.post("messages", &to("nobody", 1)).await);
        assert_no_recipient(&alice.post("messages", &to("nobody", 1)).await);
        assert_no_recipient(&alice.post("messages", &to("Bob", 5678)).await);
        assert_no_recipient(&alice.post("messages", &to(" bob", 5678)).await);
        assert_no_recipient_device(&alice.post("messages", &to(&carol.username, 1)).await);
        assert_identity_changed(&alice.post("messages", &to("bob", 1)).await);
        let long_for_another = json!({"recipient": "bob", "message": message(1, &"x".repeat(2000))});
        assert_identity_changed(&alice.post("messages", &long_for_another).await);
        alice.post("messages", &long).await.assert_status(400);

        assert_eq!(bob.messages().await.len(), 0);
    }

    async fn the_whole_text_has_1000_characters_at_most(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let frame = message(5678, "").chars().count();
        let of = |characters: usize| message(5678, &"ä".repeat(characters - frame));

        let refused = alice.post("messages", &json!({"recipient": "bob", "message": of(1001)})).await.expect(400);
        // Blanks around it are cut off and do not count.
        let most = format!("  {}\n", of(1000));
        let sent = alice.post("messages", &json!({"recipient": "bob", "message": most})).await.expect(201).value();

        let text = "Ensure this field has no more than 1000 characters.";
        assert_eq!(refused.value(), json!({"content": [text]}));
        assert_eq!(sent["content"], of(1000));
        assert_eq!(bob.messages().await, [sent]);
    }

    async fn a_body_may_be_a_form(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, bob) = server.pair().await;
        let urlencoded = "recipient=bob&message=%7B%22registrationId%22:+%225678%22%7D";
        let multipart = "--x\r\nContent-Disposition: form-data; name=\"recipient\"\r\n\r\nbob\r\n--x\r\n\
            Content-Disposition: form-data; name=\"message\"\r\n\r\n{\"registrationId\": \"5678\"}\r\n--x--\r\n";

        for (content_type, body) in
            [("application/x-www-form-urlencoded", urlencoded), ("multipart/form-data; boundary=x", multipart)]
        {
            let sent = raw(&alice, Method::POST, content_type, body).await.expect(201).value();
            assert_eq!(sent["content"], r#"{"registrationId": "5678"}"#);
        }

        assert_eq!(bob.messages().await.len(), 2);
    }

    async fn one_may_write_to_oneself_and_twice_the_same(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        let first = alice.send(&alice, "note").await.expect(201).value();
        let second = alice.send(&alice, "note").await.expect(201).value();

        assert!(first["id"].as_i64() < second["id"].as_i64());
        assert_eq!(first["recipientAddress"], first["senderAddress"]);
        assert_eq!(alice.messages().await, [first, second]);
    }

    async fn leading_zeros_of_the_own_id_are_ignored_and_0_is_one(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;
        let mut zero = server.user("zero").await;
        zero.register(0, 0).await;

        alice.client.get("/messages/0001234/").await.assert_status(200);
        assert_device_changed(&alice.client.get("/messages/12340/").await);
        for path in ["/messages/0/", "/messages/000/"] {
            zero.client.get(path).await.assert_status(200);
        }
        zero.send(&zero, "x").await.assert_status(201);
    }
}
