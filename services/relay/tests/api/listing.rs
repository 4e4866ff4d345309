//! The lists of version 3 (§9.3 of the interface).

use serde_json::json;

use crate::harness::{TestApp, mail};

testkit::on_both! {
    async fn clients_are_listed_filtered_and_paged(test: TestDb) {
        let app = TestApp::start_with(&test, &[("http.public_url", "https://relay.example/base/")]).await;
        let mtn = app.client(&json!({"msisdn": "+237677123456", "protocols": ["https", "smtp"]})).await;
        for number in ["+237690123456", "+2348031234567", "+12025550123"] {
            app.client(&json!({"msisdn": number})).await;
        }
        app.client(&json!({"label": "has no number"})).await;
        mtn.forward(&mail("text")).await.assert_status(200);
        let numbers = async |query: &str| {
            let list = app.host.http.get(&format!("/v3/clients?{query}")).await.expect(200).value();
            let numbers = list.as_array().unwrap().iter().map(|one| one["msisdn"].as_str().unwrap().to_owned());
            numbers.collect::<Vec<_>>()
        };

        assert_eq!(numbers("").await.len(), 4);
        assert_eq!(numbers("country=cameroon").await, ["+237677123456", "+237690123456"]);
        assert_eq!(numbers("country=Camero").await.len(), 0);
        assert_eq!(numbers("operator=mtn").await, ["+237677123456", "+2348031234567"]);
        assert_eq!(numbers("operator=%25").await.len(), 0);
        assert_eq!(numbers("protocols=smtp").await, ["+237677123456"]);
        assert_eq!(numbers("last_published_date=2020-01-01").await, ["+237677123456"]);
        assert_eq!(numbers("last_published_date=9000-01-01").await.len(), 0);
        for instant in ["2020-01-01T00:00:00", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00%2B01:00"] {
            assert_eq!(numbers(&format!("last_published_date={instant}")).await, ["+237677123456"], "{instant}");
        }
        assert_eq!(numbers("last_published_date=9000-01-01T00:00:00Z").await.len(), 0);
        let blank = "country=&operator=&protocols=&last_published_date=&page=&per_page=";
        assert_eq!(numbers(blank).await.len(), 4, "what is blank is as if it were not there");

        let first = app.host.http.get("/v3/clients?country=Cameroon&per_page=1").await.expect(200);
        assert_eq!(
            ["x-total-count", "x-page", "x-per-page"].map(|name| first.header(name).unwrap()),
            ["2", "1", "1"]
        );
        let links = first.header("link").unwrap();
        let next = "<https://relay.example/base/v3/clients?country=Cameroon&page=2&per_page=1>; rel=\"next\"";
        assert!(links.contains(next) && !links.contains("prev"), "{links}");
        let item = &first.value()[0];
        assert!(item["last_published_date"].as_i64().unwrap() > 1_700_000_000);
        let mut fixed = item.clone();
        fixed.as_object_mut().unwrap().remove("last_published_date");
        assert_eq!(fixed, json!({
            "msisdn": "+237677123456", "country": "Cameroon", "operator": "MTN Cameroon",
            "operator_code": "62401", "protocols": ["https", "smtp"], "reliability": "0.00",
        }));
        app.host.stop().await;
    }

    async fn countries_operators_and_tests_are_listed(test: TestDb) {
        let app = TestApp::start(&test).await;
        for number in ["+237677123456", "+237677123457", "+237690123456", "+2348031234567"] {
            app.client(&json!({"msisdn": number})).await;
        }
        let get = async |path: &str| app.host.http.get(path).await;

        assert_eq!(get("/v3/clients/countries").await.expect(200).value(), json!(["Cameroon", "Nigeria"]));
        assert_eq!(
            get("/v3/clients/cameroon/operators").await.expect(200).value(),
            json!(["MTN Cameroon", "Orange"])
        );
        assert_eq!(get("/v3/clients/Atlantis/operators").await.expect(200).value(), json!([]));
        let tests = get("/v3/clients/+237677123456/tests").await.expect(200);
        assert_eq!((tests.header("x-total-count"), tests.value()), (Some("0"), json!([])));
        for unknown in ["/v3/clients/+237677000000/tests", "/v3/clients/nobody/tests"] {
            assert_eq!(get(unknown).await.expect(404).value(), json!({"error": "no such gateway client"}));
        }
        app.host.stop().await;
    }

    async fn wrong_queries_are_refused_in_their_form(test: TestDb) {
        let app = TestApp::start(&test).await;

        for query in [
            "page=0",
            "per_page=x",
            "per_page=-1",
            "page=1&page=2",
            "country=Cameroon&country=Nigeria",
            "last_published_date=yesterday",
            "last_published_date=2020-01-01T25:00:00",
        ] {
            let refused = app.host.http.get(&format!("/v3/clients?{query}")).await.expect(400);
            assert_eq!(refused.header("content-type"), Some("application/json"), "{query}");
            assert!(refused.value()["error"].as_str().is_some_and(|text| !text.is_empty()), "{query}");
        }
        let tests = app.host.http.get("/v3/clients/+237677123456/tests?page=1&page=2").await.expect(400).value();
        assert!(tests["error"].as_str().is_some_and(|text| text.contains("page")), "{tests}");
        app.host.stop().await;
    }

    async fn publishing_answers_in_the_form_of_version_3(test: TestDb) {
        let app = TestApp::start(&test).await;
        let client = app.client(&json!({})).await;
        let sender = crate::harness::SENDER;

        let answer = client.post("/v3/publish", &json!({"text": mail("text"), "address": sender})).await;
        let missing = client.post("/v3/publish", &json!({"address": sender})).await;

        assert_eq!(answer.expect(200).value(), json!({"publisher_response": "message published successfully"}));
        assert_eq!(missing.expect(400).value(), json!({"error": "missing key - text"}));
        app.host.http.post("/v3/publish", &json!({})).await.assert_status(401);
        app.host.stop().await;
    }
}
