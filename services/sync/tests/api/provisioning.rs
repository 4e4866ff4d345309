//! One envelope from a device that is logged in to a new one.

mod harness;

use serde_json::json;
use testkit::database::TestDb;
use testkit::on_both;
use testkit::rabbitmq::{RabbitMq, vhost};
use testkit::wait::wait_until;

use self::harness::{NewDevice, Sync, fingerprint};

/// "Envelope" in base64.
const BODY: &str = "ZW52ZWxvcGU=";

/// Longer than a test waits for anything, so that what arrives was told live.
const SLOW: &[(&str, &str)] =
    &[("sync.provisioning.recheck", "60s"), ("sync.provisioning.delivery_timeout", "90s")];

/// An envelope is not withdrawn while the machine is busy.
const PATIENT: (&str, &str) = ("sync.provisioning.delivery_timeout", "60s");

on_both! {
    async fn an_envelope_reaches_the_new_device_once(db: TestDb) {
        let sync = Sync::start_with(&db, SLOW).await;
        let device = sync.device();
        let mut new = sync.connect().await;
        let address = new.address().to_owned();

        device.scanned(&address).await.assert_status(204);
        assert_eq!(new.frame().await, json!({"type": "scanned"}));
        let (handed, envelope) = tokio::join!(device.hand_over(&address, BODY), new.frame());

        handed.assert_status(204);
        assert_eq!(envelope, json!({"type": "envelope", "body": BODY}));
        assert_eq!(new.closed().await, 1000);
        assert_eq!(new.first["type"], "address");
        assert_eq!(new.first["expiresIn"], 90);
        assert_eq!(new.first["serverKeyFingerprint"], fingerprint());
        assert_eq!(address.len(), 43);
        let again = device.hand_over(&address, BODY).await;
        assert_eq!((again.status.as_u16(), again.problem().slug()), (404, "provisioning-address-not-found"));
        device.scanned(&address).await.assert_status(404);
    }

    async fn of_two_envelopes_at_once_one_is_handed_over(db: TestDb) {
        let sync = Sync::start_with(&db, &[PATIENT]).await;
        for _ in 0..5 {
            let mut new = sync.connect().await;
            let (one, other) = (sync.device(), sync.device());
            let (here, there) = (one.hand_over(new.address(), "b25l"), other.hand_over(new.address(), "dHdv"));

            let (one, other) = tokio::join!(here, there);

            let winner = if one.status == 204 { "b25l" } else { "dHdv" };
            let mut statuses = [one.status.as_u16(), other.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 404]);
            assert_eq!(new.frame().await, json!({"type": "envelope", "body": winner}));
            assert_eq!(new.closed().await, 1000);
        }
    }

    async fn where_nobody_waits_nothing_is_left(db: TestDb) {
        let sync = Sync::start(&db).await;
        let device = sync.device();
        let new = sync.connect().await;
        let address = new.address().to_owned();
        new.leave().await;

        wait_until("the address to go", || async { device.scanned(&address).await.status == 404 }).await;

        device.hand_over(&address, BODY).await.assert_status(404);
        for nowhere in ["x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "%00", "a%20b"] {
            device.hand_over(nowhere, BODY).await.assert_status(404);
            device.scanned(nowhere).await.assert_status(404);
        }
    }

    async fn an_address_expires(db: TestDb) {
        let sync = Sync::start_with(&db, &[("sync.provisioning.ttl", "1s")]).await;
        let mut new = sync.connect().await;

        assert_eq!(new.closed().await, 4408);

        sync.device().hand_over(new.address(), BODY).await.assert_status(404);
    }

    async fn only_a_device_that_is_logged_in_writes(db: TestDb) {
        let sync = Sync::start(&db).await;
        let new = sync.connect().await;
        let anybody = harness::Device(sync.host.http.clone());

        anybody.hand_over(new.address(), BODY).await.assert_status(401);
        anybody.scanned(new.address()).await.assert_status(401);
        let bare = sync.bare().hand_over(new.address(), BODY).await;

        assert_eq!((bare.status.as_u16(), bare.problem().slug()), (403, "device-required"));
    }

    async fn envelopes_have_a_size(db: TestDb) {
        let sync = Sync::start_with(&db, &[("sync.provisioning.max_envelope_bytes", "3000"), PATIENT]).await;
        let device = sync.device();
        let mut new = sync.connect().await;
        let address = new.address().to_owned();

        device.hand_over(&address, &"A".repeat(4004)).await.assert_status(413);
        device.hand_over(&address, "").await.assert_status(422);
        device.hand_over(&address, "no base64!").await.assert_status(400);
        let largest = "A".repeat(4000);
        device.hand_over(&address, &largest).await.assert_status(204);

        assert_eq!(new.frame().await["body"], largest.as_str());
    }

    async fn a_picture_is_drawn_of_what_the_code_is_to_say(db: TestDb) {
        let limits = [
            ("limits.enabled", "true"),
            ("limits.picture_address.size", "5"),
            ("limits.picture_address.refill", "1h"),
        ];
        let sync = Sync::start_with(&db, &limits).await;
        let draw = async |text: &str| sync.host.http.post("/v1/provisioning/qr", &json!({"text": text})).await;

        let picture = draw("sealpost://link?address=x").await.expect(200);
        let longest = draw(&"x".repeat(1024)).await;
        let (none, too_long) = (draw("").await, draw(&"x".repeat(1025)).await);

        assert_eq!(picture.headers["content-type"], "image/svg+xml");
        assert!(String::from_utf8(picture.body).unwrap().contains("<svg"));
        assert_eq!([longest.status, none.status, too_long.status].map(|status| status.as_u16()), [200, 400, 400]);
        draw("x").await.assert_status(200);
        draw("x").await.assert_status(429);
    }

    async fn the_files_of_the_page_allow_nothing_but_this_server(db: TestDb) {
        let sync = Sync::start(&db).await;

        for (file, content_type) in [
            ("page", "text/html; charset=utf-8"),
            ("page.js", "text/javascript; charset=utf-8"),
            ("code.js", "text/javascript; charset=utf-8"),
            ("page.css", "text/css; charset=utf-8"),
        ] {
            let answer = sync.host.http.get(&format!("/v1/provisioning/{file}")).await.expect(200);

            assert_eq!(answer.headers["content-type"], content_type);
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
            assert!(!String::from_utf8(answer.body).unwrap().contains("https://"), "{file}");
        }
    }

    async fn what_is_said_on_the_websocket_ends_it(db: TestDb) {
        let sync = Sync::start(&db).await;
        let mut new = sync.connect().await;

        new.say(r#"{"type":"envelope","body":"AA=="}"#).await;

        assert_eq!(new.closed().await, 1008);
        sync.device().hand_over(new.address(), BODY).await.assert_status(404);
    }

    async fn a_process_has_room_for_so_many(db: TestDb) {
        let sync = Sync::start_with(&db, &[("sync.provisioning.max_sockets", "1")]).await;
        let first = sync.connect().await;

        let second = NewDevice::connect(&sync.host.url).await.map(drop);
        first.leave().await;

        assert_eq!(second, Err(503));
        wait_until("the place of the first", || async { NewDevice::connect(&sync.host.url).await.is_ok() }).await;
    }

    async fn an_address_opens_so_many_websockets_and_no_more(db: TestDb) {
        let limits = [
            ("limits.enabled", "true"),
            ("limits.provisioning_address.size", "2"),
            ("limits.provisioning_address.refill", "1h"),
        ];
        let sync = Sync::start_with(&db, &limits).await;
        sync.connect().await;
        sync.connect().await;

        assert_eq!(NewDevice::connect(&sync.host.url).await.map(drop), Err(429));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_websocket_and_the_call_may_be_in_different_processes() {
    let (db, vhost) = (TestDb::postgres().await, vhost().await);
    let settings = [&[("live.url", vhost.url())], SLOW].concat();
    let here = Sync::start_with(&db, &settings).await;
    let there = here.sibling(&db, &settings).await;
    for _ in 0..5 {
        let mut new = here.connect().await;
        let device = there.device();

        device.scanned(new.address()).await.assert_status(204);
        assert_eq!(new.frame().await, json!({"type": "scanned"}));
        device.hand_over(new.address(), BODY).await.assert_status(204);

        assert_eq!(new.frame().await["body"], BODY);
        assert_eq!(new.closed().await, 1000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_broker_an_envelope_is_found_all_the_same() {
    let (db, mut broker) = (TestDb::postgres().await, RabbitMq::start().await.unwrap());
    let url = broker.url();
    let settings = [("live.url", url.as_str()), ("sync.provisioning.recheck", "300ms"), PATIENT];
    let here = Sync::start_with(&db, &settings).await;
    let there = here.sibling(&db, &settings).await;
    let mut new = here.connect().await;
    broker.kill();

    there.device().hand_over(new.address(), BODY).await.assert_status(204);

    assert_eq!(new.frame().await["body"], BODY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_for_a_process_that_was_killed_is_withdrawn() {
    let (db, vhost) = (TestDb::postgres().await, vhost().await);
    let settings = [
        ("live.url", vhost.url()),
        ("sync.provisioning.recheck", "200ms"),
        ("sync.provisioning.delivery_timeout", "1s"),
    ];
    let here = Sync::start_with(&db, &settings).await;
    let mut program = here.program(&db, &settings).await;
    let new = NewDevice::connect(&program.url).await.unwrap();
    here.device().scanned(new.address()).await.assert_status(204);

    program.kill();

    here.device().hand_over(new.address(), BODY).await.assert_status(404);
    here.device().scanned(new.address()).await.assert_status(404);
}
