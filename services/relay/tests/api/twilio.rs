//! Webhooks of Twilio.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use ring::hmac;
use testkit::http::Answer;

use crate::harness::{Others, SENDER, TestApp, mail};

const TOKEN: &str = "the token of the twilio account";
const URL: &str = "https://relay.example/base/sms/platform/twilio";

fn signature(form: &[(&str, &str)]) -> String {
    let mut sorted = form.to_vec();
    sorted.sort_unstable();
    let text = sorted.iter().fold(URL.to_owned(), |text, (name, value)| text + name + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

async fn call(app: &TestApp, form: &[(&str, &str)], signature: &str) -> Answer {
    let body =
        form.iter().fold(url::form_urlencoded::Serializer::new(String::new()), |mut body, (name, value)| {
            body.append_pair(name, value);
            body
        });
    let request = app.host.http.request(Method::POST, "/sms/platform/twilio").body({
        let mut body = body;
        body.finish()
    });
    let request = request.header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    app.host.http.send(request.header("x-twilio-signature", signature)).await
}

testkit::on_both! {
    async fn a_signed_form_is_taken_and_answered_without_a_reply(test: TestDb) {
        let publisher = Others::start();
        let url = publisher.publisher();
        let more = [
            ("relay.publisher", &*url),
            ("relay.twilio_auth_token", TOKEN),
            ("http.public_url", "https://relay.example/base"),
        ];
        let app = TestApp::start_with(&test, &more).await;
        let text = mail("by twilio");
        let form = [("From", SENDER), ("Body", &*text), ("To", "+18005551212"), ("FromCountry", "CM")];

        let answer = call(&app, &form, &signature(&form)).await.expect(200);

        assert_eq!(answer.header("content-type"), Some("text/xml"));
        assert!(answer.text().ends_with("<Response/>"), "anything else would be sent to the user");
        assert_eq!(publisher.has(1).await[0]["message"], "g:a@b.c:::Hi:by twilio");
        app.host.stop().await;
    }

    async fn a_form_that_is_not_signed_so_is_refused(test: TestDb) {
        let more = [("relay.twilio_auth_token", TOKEN), ("http.public_url", "https://relay.example/base")];
        let app = TestApp::start_with(&test, &more).await;
        let text = mail("by twilio");
        let form = [("From", SENDER), ("Body", &*text)];
        let right = signature(&form);

        for wrong in ["", "c2lnbmF0dXJl", &right[1..]] {
            call(&app, &form, wrong).await.assert_status(403);
        }
        let changed = [("From", "+237690123456"), form[1]];
        call(&app, &changed, &right).await.assert_status(403);
        assert_eq!(call(&app, &form[..1], &signature(&form[..1])).await.expect(400).text(), "missing key - Body");
        app.host.stop().await;

        let unset = TestApp::start_with(&test, &more[1..]).await;
        call(&unset, &form, &right).await.assert_status(403);
        unset.host.stop().await;
    }
}
