//! Every internal route that changes something, or tells of single messages, leaves an entry in the audit log; and
//! what operators do about opt-outs.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::TestClient;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::cases::{ACME, message};
use crate::harness::{Gateway, World, count};
use crate::operators::{AUDIT, ask};

const BASE: &str = "/internal/sms-gateway/v1";
const OPT_OUTS: &str = "/internal/sms-gateway/v1/opt-outs/acme";
/// What tells of no message and no recipient, and changes nothing.
const UNLOGGED: [&str; 5] = ["GET /api-keys", "GET /binds", "GET /audit", "GET /quotas", "GET /report"];
/// A call of each other route: method and pattern, a path that fits it, a body.
const CALLS: [(&str, &str, &str); 10] = [
    ("GET /attempts", "attempts?client=acme&correl-id=x", ""),
    ("GET /unknown", "unknown?client=acme", ""),
    ("GET /opt-outs/{client}", "opt-outs/acme", ""),
    ("POST /opt-outs/{client}/add", "opt-outs/acme/add", r#"{"number": "+255123456789"}"#),
    ("POST /opt-outs/{client}/find", "opt-outs/acme/find", r#"{"number": "+255123456789"}"#),
    ("POST /opt-outs/{client}/remove", "opt-outs/acme/remove", r#"{"number": "+255123456789"}"#),
    ("POST /reload", "reload", "{}"),
    ("PUT /binds/{smsc}", "binds/main", r#"{"order": "paused"}"#),
    ("PUT /binds/{smsc}", "binds/main", r#"{"order": "drained"}"#),
    ("PUT /binds/{smsc}", "binds/main", r#"{"order": "open"}"#),
];

/// The routes that the server has, as `METHOD pattern`.
fn routes() -> BTreeSet<String> {
    let description = web::openapi("", "", &web::routes(sms_gateway::internal_routes));
    let description = serde_json::to_value(description).unwrap();
    let paths = description["paths"].as_object().unwrap();
    let of = |path: &str, item: &Value| {
        let pattern = path.strip_prefix(BASE).unwrap().to_owned();
        let methods: Vec<String> = item.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| format!("{} {pattern}", method.to_uppercase()))
    };
    paths.iter().flat_map(|(path, item)| of(path, item).collect::<Vec<_>>()).collect()
}

/// Makes the calls one after the other, and gives each answer.
pub(crate) async fn call_all(operator: &TestClient) -> Vec<(&'static str, String)> {
    let mut answers = Vec::new();
    for (route, path, body) in CALLS {
        answers.push((route, call(operator, route, path, body).await));
    }
    answers
}

async fn call(operator: &TestClient, route: &str, path: &str, body: &'static str) -> String {
    let method: Method = route.split(' ').next().unwrap().parse().unwrap();
    let mut request = operator.request(method, &format!("{BASE}/{path}"));
    if !body.is_empty() {
        request = request.header("content-type", "application/json").body(body);
    }
    operator.send(request).await.expect(200).text()
}

async fn opt_outs(gateway: &Gateway, verb: &str) -> Value {
    let body = json!({"number": "+255123456789"});
    gateway.operator.post(&format!("{OPT_OUTS}/{verb}"), &body).await.expect(200).value()
}

#[test]
fn every_route_is_called_below_or_known_to_need_no_entry() {
    let called = CALLS.iter().map(|(route, ..)| *route);
    let known: BTreeSet<String> = called.chain(UNLOGGED).map(str::to_owned).collect();

    assert_eq!(routes(), known, "add a call of the new route above, and see that it leaves an entry");
    assert!(UNLOGGED.iter().all(|route| route.starts_with("GET ")), "what changes something is logged");
}

on_both! {
    async fn each_call_leaves_one_entry_of_its_own_action(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        let mut actions = BTreeSet::new();

        for (place, (route, path, body)) in CALLS.into_iter().enumerate() {
            call(&gateway.operator, route, path, body).await;

            let log = ask(&gateway, AUDIT).await;
            let log = log.as_array().unwrap();
            assert_eq!(log.len(), place + 1, "{route} leaves no entry, or several");
            let action = log[place]["action"].as_str().unwrap().to_owned();
            assert!(actions.insert(action), "{route} is logged like another one: {log:?}");
        }
        gateway.stop().await;
    }

    async fn an_operator_opts_a_recipient_out_and_in_as_a_handset_does(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;
        let send = async |correl: &str| gateway.request(&world.maker.request(ACME, correl, &message("hello"))).await;

        let before = opt_outs(&gateway, "find").await;
        let added = opt_outs(&gateway, "add").await;
        let again = opt_outs(&gateway, "add").await;
        send("held").await;
        let held = gateway.statuses("held", 1).await;
        let counted = ask(&gateway, OPT_OUTS).await;
        let removed = opt_outs(&gateway, "remove").await;
        send("free").await;
        gateway.statuses("free", 2).await;

        assert_eq!(before, json!({"changed": false, "underWay": false}));
        assert!(added["since"].is_i64() && added["changed"] == true, "{added}");
        assert_eq!((&again["since"], &again["changed"]), (&added["since"], &json!(false)));
        assert_eq!((gateway.names("held"), held[0].error_text.as_deref()), (vec!["INVALID".into()], Some("the recipient has opted out")));
        assert_eq!(counted, json!({"count": 1}));
        assert_eq!(removed, json!({"changed": true, "underWay": false}));
        assert_eq!(gateway.names("free"), ["SENT", "DELIVERED"]);
        let stranger = gateway.operator.get(&OPT_OUTS.replace("acme", "nobody")).await.expect(404);
        assert!(stranger.problem().detail.unwrap().contains("allowed"));
        let odd = gateway.operator.post(&format!("{OPT_OUTS}/add"), &json!({"number": "0712345678"})).await.expect(400);
        assert!(!odd.text().contains("0712345678"), "{}", odd.text());
        gateway.stop().await;
    }

    async fn an_opt_out_tells_whether_a_message_is_under_way(test: TestDb) {
        let world = World::new(smpp::smsc::Behaviour { drop_responses: 1.0, ..Default::default() }).await;
        let gateway = Gateway::with(&world, &test, world.impatient()).await;
        gateway.request(&world.maker.request(ACME, "open", &message("hello"))).await;
        wait_until("a submission", async || {
            count(&gateway, "SELECT count(*) AS n FROM sms_jobs WHERE state = 'submitting'").await == 1
        })
        .await;

        let added = opt_outs(&gateway, "add").await;
        gateway.statuses("open", 1).await;
        let later = opt_outs(&gateway, "find").await;

        assert_eq!((&added["underWay"], &later["underWay"]), (&json!(true), &json!(false)));
        gateway.stop().await;
    }
}
