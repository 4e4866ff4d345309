//! `sms smsc test`: what it says of SMSCs of all kinds, and what it sends them.

use std::time::Duration;

use serde_json::Value;
use smpp::codec::{CommandStatus, MessageState};
use smpp::esme::Password;
use smpp::smsc::{
    Account, Behaviour, Binds, FinalState, IdFormat, ReceiptFormat, ReceiptShape, Receipts, Smsc,
    SmscSettings, Span,
};
use smpp::tls::ServerTlsSettings;
use testkit::process::ports;
use testkit::smsc_peers::{self, Peer, PeerSmsc};
use tokio::net::TcpListener;

use crate::program::{Ended, Place};

const TO: &str = "+255712345678";

/// An SMSC that lets `acme` in with `hunter2`.
async fn smsc(behaviour: Behaviour) -> Smsc {
    let accounts = vec![Account { system_id: "acme".into(), password: Password::new("hunter2") }];
    Smsc::start(SmscSettings { accounts, behaviour, ..SmscSettings::default() }).await.expect("an SMSC")
}

fn receipts(receipts: Receipts) -> Behaviour {
    Behaviour { receipts: Some(receipts), ..Behaviour::default() }
}

/// Tests whatever listens on that port of this machine.
fn test(place: &Place, port: u16, options: &str) -> Ended {
    place.write("password", "hunter2\n");
    test_as(place, port, &format!("--system-id acme --password-file password {options}"))
}

/// The same with another login.
fn test_as(place: &Place, port: u16, options: &str) -> Ended {
    let mut options = format!("--to {TO} {options}");
    // What comes may come late on a busy machine; a test of what never comes says itself how long it waits.
    for patience in ["--timeout", "--receipt-timeout"] {
        if !options.contains(patience) {
            options += &format!(" {patience} 20s");
        }
    }
    place.sealpost(&format!("sms smsc test --host 127.0.0.1 --port {port} {options}"))
}

/// The step that failed, with exit code and what was said, of `--json`.
#[track_caller]
fn failed(ended: Ended) -> (i32, String, String, String) {
    let told: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((told["ok"].as_bool(), told["exitCode"].as_i64()), (Some(false), ended.code.map(i64::from)));
    let step = told["steps"].as_array().and_then(|steps| steps.last()).expect("steps");
    let steps =
        told["steps"].as_array().expect("steps").iter().find(|step| step["ok"] == false).unwrap_or(step);
    let text = |name: &str| steps[name].as_str().expect(name).to_owned();
    assert!(!ended.stdout.contains("hunter2") && !ended.stdout.contains("255712345678"), "{}", ended.stdout);
    (ended.code.expect("a code"), text("step"), text("text"), text("advice"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_smsc_is_told_step_by_step_and_its_settings_work() {
    let smsc =
        smsc(Behaviour { ids: IdFormat::Prefixed("op-".into()), ..receipts(Receipts::default()) }).await;
    let place = Place::new();
    let port = smsc.address().port();

    let printed = test(&place, port, "--sender CLINIC --smsc op").ok();

    for line in [
        "ok    name: 127.0.0.1 is 127.0.0.1",
        "ok    connection: TCP, in the clear",
        "ok    bind: as transceiver; it calls itself \"sealpost-smsc\", speaks SMPP 3.4",
        "      now 1 message to +255*****78 will be sent",
        "ok    message: accepted, ",
        "its id is \"op-1\" (a text)",
        "ok    receipt: DELIVRD after ",
        "in its text and its TLVs, as deliver_sm; id \"op-1\"",
        "[[sms_gateway.smsc]]\nname = \"op\"\n",
        "id_base = \"as-is\"",
    ] {
        assert!(printed.contains(line), "{line} in {printed}");
    }
    assert!(!printed.contains("hunter2") && !printed.contains("255712345678"), "{printed}");
    assert_eq!(smsc.accepted().len(), 1);
    let (_, block) = printed.split_once("settings file:\n\n").expect("settings");
    let password = "/etc/sealpost/secrets/smsc-op-password";
    assert!(block.contains(password), "{block}");
    let secret = place.path("password").display().to_string();
    place.write("settings.toml", &block.replace(password, &secret));
    let again = place.sealpost("sms smsc test --config settings.toml --smsc op --no-message").ok();
    assert!(again.contains("ok    bind: as transceiver"), "{again}");
    assert_eq!(smsc.accepted().len(), 1, "no message was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_of_ids_is_learnt_from_the_receipt() {
    for (response, receipt, base) in [
        (IdFormat::UpperHex, IdFormat::Decimal, "hex-decimal"),
        (IdFormat::Decimal, IdFormat::Hex, "decimal-hex"),
        (IdFormat::Padded, IdFormat::Decimal, "as-is"),
    ] {
        let other = Receipts { ids: Some(receipt), ..Receipts::default() };
        let smsc = smsc(Behaviour { ids: response, ..receipts(other) }).await;
        let place = Place::new();
        let mut told = Vec::new();
        // Ids count from 1: the tenth is the first that is written differently.
        for _ in 0..10 {
            let printed = test(&place, smsc.address().port(), "--json").ok();
            told.push(serde_json::from_str::<Value>(&printed).expect("JSON"));
        }

        assert!(told[..9].iter().all(|told| told["learnt"]["idBase"].is_null()), "one digit says nothing");
        assert_eq!(told[9]["learnt"]["idBase"], base, "{}", told[9]);
        let settings = told[9]["settings"].as_str().expect("settings");
        assert!(settings.contains(&format!("id_base = \"{base}\"")), "{settings}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_bind_says_what_it_means() {
    for (status, meaning, advice) in [
        (
            CommandStatus::RBINDFAIL,
            "ESME_RBINDFAIL (0x0000000D): it lets this login not in",
            "ask the operator",
        ),
        (CommandStatus::RINVPASWD, "the password is wrong", "letter by letter"),
        (CommandStatus::RINVSYSID, "no such system id", "check the system id"),
        (CommandStatus::RALYBND, "bound already", "end the other program"),
        (CommandStatus::RINVCMDID, "does not take this kind of bind", "--bind tx+rx"),
        (CommandStatus(0x0400), "0x00000400: its reason is none", "ask the operator"),
    ] {
        let binds = Binds { refuse: Some(status), ..Binds::default() };
        let smsc = smsc(Behaviour { binds, ..Behaviour::default() }).await;

        let (code, step, text, told) = failed(test(&Place::new(), smsc.address().port(), "--json"));

        assert_eq!((code, step.as_str()), (4, "bind"));
        assert!(text.contains(meaning) && told.contains(advice), "{text}: {told}");
        assert_eq!(smsc.accepted().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_never_shown() {
    let smsc = smsc(Behaviour::default()).await;
    let place = Place::new();
    place.write("wrong", "letmein");

    let ended = test_as(&place, smsc.address().port(), "--system-id acme --password-file wrong --json");

    assert!(!ended.stdout.contains("letmein") && !ended.stderr.contains("letmein"), "{ended:?}");
    let (code, step, text, _) = failed(ended);
    assert_eq!((code, step.as_str()), (4, "bind"));
    assert!(text.starts_with("refused with ESME_R"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_says_what_it_means_and_is_not_sent_again() {
    let smsc = smsc(Behaviour { throttle: 1.0, ..Behaviour::default() }).await;

    let (code, step, text, advice) = failed(test(&Place::new(), smsc.address().port(), "--alphabet --json"));

    assert_eq!((code, step.as_str()), (5, "message"));
    assert!(text.contains("ESME_RTHROTTLED (0x00000058)") && advice.contains("tps"), "{text}: {advice}");
    assert_eq!(smsc.counts().borrow().refused, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_an_answer_is_told_to_be_perhaps_sent() {
    let smsc = smsc(Behaviour { drop_responses: 1.0, ..Behaviour::default() }).await;

    let ended = test(&Place::new(), smsc.address().port(), "--json --timeout 6s");

    let (code, step, text, advice) = failed(ended);
    assert_eq!((code, step.as_str()), (5, "message"));
    assert!(
        text.starts_with("no answer in 6s") && advice.contains("may have the message"),
        "{text}: {advice}"
    );
    assert_eq!(smsc.accepted().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_do_not_come_or_say_no_are_told() {
    let failing = FinalState { state: MessageState::Undeliverable, err: 1 };
    let undelivered = Receipts { outcomes: vec![(1, failing)], ..Receipts::default() };
    let late = Receipts { delay: Span::exactly(Duration::from_secs(60)), ..Receipts::default() };
    for (behaviour, options, expected) in [
        (Behaviour::default(), "--json --receipt-timeout 1s", "none for 1 message in 1s"),
        (receipts(late), "--json --receipt-timeout 1s", "none for 1"),
        (receipts(undelivered), "--json", "it says UNDELIV"),
    ] {
        let smsc = smsc(behaviour).await;

        let (code, step, text, _) = failed(test(&Place::new(), smsc.address().port(), options));

        assert_eq!((code, step.as_str()), (6, "receipt"));
        assert!(text.contains(expected), "{text}");
        assert_eq!(smsc.accepted().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_receipts_are_understood() {
    let usual = Receipts::default;
    let of = |shape| Receipts { format: ReceiptFormat::Text, shapes: vec![shape], ..usual() };
    let mut odd: Vec<_> =
        ReceiptShape::ALL.into_iter().map(|shape| (of(shape), "in its text, as deliver_sm")).collect();
    odd.push((Receipts { format: ReceiptFormat::Tlv, ..usual() }, "in its TLVs, as deliver_sm"));
    odd.push((Receipts { by_data_sm: 1.0, ..usual() }, "in its text and its TLVs, as data_sm"));
    for (odd, form) in odd {
        let smsc = smsc(receipts(odd)).await;

        let printed = test(&Place::new(), smsc.address().port(), "").ok();

        assert!(printed.contains("ok    receipt: DELIVRD") && printed.contains(form), "{form} in {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_others_are_left_to_them() {
    let smsc = smsc(receipts(Receipts::default())).await;
    let foreign = smpp::codec::DeliverSm {
        source: smpp::codec::Address { ton: 1, npi: 1, value: "255700000099".into() },
        esm_class: smpp::codec::esm_class::RECEIPT,
        short_message:
            b"id:1 sub:001 dlvrd:001 submit date:2611281200 done date:2611281201 stat:DELIVRD err:000 text:"
                .to_vec(),
        ..Default::default()
    };
    smsc.deliver("acme", foreign);

    let printed = test(&Place::new(), smsc.address().port(), "").ok();

    assert!(printed.contains("brought what belongs to none of these messages"), "{printed}");
    assert!(!printed.contains("255700000099"), "{printed}");
    assert_eq!(smsc.counts().borrow().delivered, 1, "only our own receipt was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_binds_and_two_messages_if_so_asked_and_no_more() {
    let smsc = smsc(receipts(Receipts::default())).await;

    let printed = test(&Place::new(), smsc.address().port(), "--bind tx+rx --alphabet").ok();

    assert!(printed.contains("bind: as transmitter") && printed.contains("bind: as receiver"), "{printed}");
    assert!(printed.contains("now 2 messages to +255*****78 will be sent"), "{printed}");
    assert!(printed.contains("\"gsm7\" if it reads  Alphabet: @ $ £ é Ä ü"), "{printed}");
    assert!(printed.contains("bind = \"tx+rx\""), "{printed}");
    assert_eq!(smsc.accepted().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_says_where_it_ends() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent_port = silent.local_addr().expect("its address").port();

    let closed = failed(test(&Place::new(), ports::free(), "--json"));
    let silent = failed(test(&Place::new(), silent_port, "--json --timeout 6s"));
    let place = Place::new();
    place.write("password", "x");
    let login = "--system-id acme --password-file password --no-message --json";
    let nowhere = failed(place.sealpost(&format!("sms smsc test --host host.invalid {login}")));

    assert_eq!((closed.0, closed.1.as_str()), (3, "connection"));
    assert!(closed.2.contains("connection refused") && closed.3.contains("nothing listens"), "{closed:?}");
    assert_eq!((silent.0, silent.1.as_str()), (4, "bind"));
    assert!(silent.2.contains("no answer in 6s") && silent.3.contains("the port for SMPP"), "{silent:?}");
    assert_eq!((nowhere.0, nowhere.1.as_str()), (3, "name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_told_from_none_and_a_foreign_ca_from_the_right_one() {
    let place = Place::new();
    for name in ["ours", "theirs"] {
        place.script(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}-ca.key \
             -out {name}-ca.pem -subj '/CN={name} CA' -days 2
             openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr \
             -subj /CN=smsc
             printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > ext
             openssl x509 -req -in {name}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -CAcreateserial -extfile ext \
             -days 2 -out {name}.pem"
        ));
    }
    let tls = ServerTlsSettings {
        certificate_file: place.path("ours.pem"),
        key_file: place.path("ours.key"),
        client_ca_file: None,
    };
    let behaviour = receipts(Receipts::default());
    let settings = SmscSettings { tls: Some(tls.load().expect("TLS")), behaviour, ..SmscSettings::default() };
    let secure = Smsc::start(settings).await.expect("an SMSC");
    let plain = smsc(Behaviour::default()).await;
    let port = secure.address().port();

    let good = test(&place, port, "--ca-file ours-ca.pem").ok();
    let foreign = failed(test(&place, port, "--ca-file theirs-ca.pem --json"));
    let not_tls = failed(test(&place, plain.address().port(), "--ca-file ours-ca.pem --json"));

    assert!(good.contains("TCP and TLS, its certificate is good"), "{good}");
    assert!(good.contains("[sms_gateway.smsc.tls]\nca_file = \"ours-ca.pem\""), "{good}");
    assert_eq!((foreign.0, foreign.1.as_str()), (3, "tls"));
    assert!(
        foreign.2.contains("not from a CA that is trusted here") && foreign.3.contains("--ca-file"),
        "{foreign:?}"
    );
    assert_eq!((not_tls.0, not_tls.1.as_str()), (3, "tls"));
    assert_eq!(secure.accepted().len(), 1);
}

#[test]
fn what_is_missing_is_named_where_nobody_can_be_asked() {
    let place = Place::new();
    place.write("password", "x");

    let nothing = place.sealpost("sms smsc test");
    let no_password = place.sealpost(&format!("sms smsc test --host h --system-id a --to {TO}"));
    let no_number = place.sealpost("sms smsc test --host h --system-id a --password-file password");

    for (ended, option) in
        [(nothing, "--host"), (no_password, "--password-file"), (no_number, "--to (or --no-message)")]
    {
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(&format!("give {option}")), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn independent_smscs_are_understood() {
    for peer in [Peer::Node, Peer::Perl, Peer::Smpp34] {
        let smsc = PeerSmsc::start(peer).await.expect("an SMSC");
        let place = Place::new();
        place.write("right", smsc_peers::PASSWORD);
        let login = format!("--system-id {} --password-file right", smsc_peers::SYSTEM_ID);

        let printed = test_as(&place, smsc.port(), &login).ok();

        assert!(printed.contains("ok    receipt: DELIVRD"), "{peer:?}: {printed}");
        assert!(printed.contains("id_base = \"as-is\""), "{peer:?}: {printed}");
        assert_eq!(smsc.texts(), ["This is a test of the connection to the SMS centre."], "{peer:?}");
    }
}
