//! The tables of the contract, row by row: checks and loop-back.

use sms_gateway::Settings;
use testkit::on_both;
use testkit::wait::wait_for;

use crate::cases::{self, Case, Outcome};
use crate::harness::{Gateway, World};

async fn run(gateway: &Gateway, cases: &[Case]) {
    gateway.produce(cases.iter().map(|case| case.value.clone()).collect()).await;
    for case in cases {
        match &case.outcome {
            Outcome::Statuses(wanted) => {
                let found = gateway.statuses(&case.name, wanted.len()).await;
                let found: Vec<(String, bool)> =
                    found.iter().map(|one| (one.sms_status.to_string(), one.error_text.is_some())).collect();
                let wanted: Vec<(String, bool)> =
                    wanted.iter().map(|(status, text)| ((*status).to_owned(), *text)).collect();
                assert_eq!(found, wanted, "{}", case.name);
            }
            Outcome::DeadLetter => {
                let letter = wait_for(&format!("dead letter {}", case.name), || {
                    let letter = gateway.dead().into_iter().find(|letter| letter.value == case.value);
                    async move { letter }
                })
                .await;
                assert!(letter.headers.get_str("error").is_some_and(|error| !error.is_empty()));
            }
        }
    }
    // Nothing more has come while the others were waited for.
    for case in cases {
        if let Outcome::Statuses(wanted) = &case.outcome {
            assert_eq!(gateway.published(&case.name).len(), wanted.len(), "{}", case.name);
        }
    }
}

on_both! {
    async fn each_check_has_its_outcome(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;

        run(&gateway, &cases::checks(&world.maker)).await;

        assert_eq!(world.smsc.accepted(), []);
        gateway.stop().await;
    }

    async fn each_check_has_its_outcome_also_when_each_message_is_decrypted_alone(test: TestDb) {
        let world = World::new(Default::default()).await;
        let alone = Settings { decrypt_in_lanes: false, ..world.settings() };
        let gateway = Gateway::with(&world, &test, alone).await;

        run(&gateway, &cases::checks(&world.maker)).await;

        gateway.stop().await;
    }

    async fn each_marker_has_its_statuses(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;

        run(&gateway, &cases::loopback(&world.maker)).await;

        assert_eq!(world.smsc.accepted(), []);
        gateway.stop().await;
    }

    async fn no_error_text_quotes_the_message(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        let secret = "To: +255987654321\nsecret line without a colon\n\nsecret text";

        gateway.request(&world.maker.request(cases::ACME, "quoted", secret)).await;

        let text = gateway.statuses("quoted", 1).await[0].error_text.clone().unwrap();
        assert!(!text.contains("secret") && !text.contains("987654321"), "{text}");
        gateway.stop().await;
    }
}
