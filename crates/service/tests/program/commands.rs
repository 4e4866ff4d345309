//! The commands beside `serve`, and settings that stop a start.

use config::Config;
use service::{StartError, Surroundings, migrate_one, openapi, serve};
use testkit::http::TestClient;
use testkit::process::ports;
use testkit::wait::{wait_for, wait_until};

use crate::fake_auth::FakeAuth;
use crate::harness::{Output, Running, settings};
use crate::toy::Toy;

fn load(pairs: &[(&str, &str)]) -> Config {
    let pairs = pairs.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
    Config::load(None, [], pairs).unwrap()
}

async fn start(config: &Config) -> StartError {
    let data = tempfile::tempdir().unwrap();
    let surroundings = Surroundings { data_dir: Some(data.path().to_owned()), ..Surroundings::default() };
    serve::<Toy>(config, surroundings, &mut Output::default(), std::future::pending()).await.unwrap_err()
}

#[actix_web::test]
async fn migrate_applies_what_is_pending_and_needs_no_other_setting() {
    let data = tempfile::tempdir().unwrap();
    let config = load(&[]);

    let first = migrate_one::<Toy>(&config, Some(data.path().to_owned())).await.unwrap();
    let second = migrate_one::<Toy>(&config, Some(data.path().to_owned())).await.unwrap();

    assert_eq!(first, ["20260101000000"]);
    assert!(second.is_empty());
    assert!(data.path().join("toy_box.sqlite").exists());
}

#[actix_web::test]
async fn serve_migrates_where_a_setting_says_so() {
    let auth = FakeAuth::start();
    let toy = Running::start(settings(&auth.internal, &[]));
    toy.ready().await;

    let applied = migrate_one::<Toy>(&load(&[]), Some(toy.data_dir().to_owned())).await.unwrap();

    assert!(applied.is_empty(), "{applied:?} were left");
}

#[actix_web::test]
async fn without_that_setting_a_service_is_ready_once_another_has_migrated() {
    let auth = FakeAuth::start();
    let listen = format!("127.0.0.1:{}", ports::free());
    let more = [("database.migrate_on_start", "false"), ("internal.listen", &*listen)];
    let toy = Running::start(settings(&auth.internal, &more));
    let internal = TestClient::new(format!("http://{listen}"));
    wait_until("the internal listener", || async { std::net::TcpStream::connect(&listen).is_ok() }).await;

    // A slow check says that it took too long, and no more.
    wait_for("what to run", || async {
        let health = internal.get("/health/ready").await.expect(503).text();
        health.contains("run `sealpost-toy-box migrate`: 20260101000000").then_some(())
    })
    .await;
    let said = toy.output.text();
    let applied = migrate_one::<Toy>(&load(&[]), Some(toy.data_dir().to_owned())).await.unwrap();
    toy.ready().await;

    assert_eq!(said, "", "ready without tables");
    assert_eq!(applied, ["20260101000000"]);
}

#[test]
fn openapi_describes_the_public_routes() {
    let description = openapi::<Toy>().unwrap();

    assert!(description.contains("\"title\": \"Sealpost toy-box\""), "{description}");
    assert!(description.contains("\"/v1/whoami\""), "{description}");
    assert!(!description.contains("/internal/"), "{description}");
}

#[actix_web::test]
async fn a_fault_in_the_services_own_section_stops_the_start() {
    let auth = "http://127.0.0.1:9".parse().unwrap();

    let unknown = start(&settings(&auth, &[("toy_box.greetings", "hi")])).await;
    let invalid = start(&settings(&auth, &[("toy_box.greeting", "")])).await;

    assert!(unknown.to_string().starts_with("toy_box.greetings (command line): unknown field"), "{unknown}");
    assert!(matches!(invalid, StartError::Config(_)), "{invalid}");
}

#[actix_web::test]
async fn a_missing_secret_stops_the_start() {
    let error = start(&load(&[("toy_box.greeting", "hi")])).await;

    assert!(error.to_string().contains("internal.token"), "{error}");
}

#[actix_web::test]
async fn a_taken_address_stops_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let auth = "http://127.0.0.1:9".parse().unwrap();

    let error = start(&settings(&auth, &[("http.listen", &address)])).await;

    assert!(matches!(error, StartError::Server(_)), "{error}");
}
