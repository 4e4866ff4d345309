//! `sms send` and `respond` without a network: what they would do, and what they refuse.

use common::models::sms::SmsRequest;
use serde_json::Value;

use crate::program::Place;

/// A vault with a key for `acme`, its public half in `acme.pub`.
pub(crate) fn place() -> Place {
    let place = Place::new();
    place.sealpost("sms vault create v.p12").ok();
    place.sealpost("sms vault add v.p12 acme").ok();
    place.write("acme.pub", &place.sealpost("sms vault pubkey v.p12 acme").ok());
    place
}

/// The message in a request.
pub(crate) fn opened(place: &Place, request: &SmsRequest) -> String {
    let payload = request.payload.as_deref().expect("a payload");
    place.sealpost_with("sms decrypt v.p12 acme", &[], payload).ok()
}

fn requests(lines: &str) -> Vec<SmsRequest> {
    lines.lines().map(|line| SmsRequest::parse(line.as_bytes()).expect("a request")).collect()
}

#[test]
fn a_dry_run_prints_the_requests_for_all_recipients() {
    let place = place();
    place.write("numbers", "# staff\n+255700000002\n\n  +255700000003 \r\n");

    let send = "sms send -n --client acme --key acme.pub --to +255700000001 --to-file numbers --sender CLINIC \
                --correl-id run7 --class otp";
    let requests = requests(&place.sealpost_with(send, &["Your code is 1234"], "").ok());

    assert_eq!(requests.len(), 3);
    for (request, number) in requests.iter().zip(1..) {
        assert_eq!(request.client_id.as_str(), "acme");
        assert_eq!(request.correl_id.as_str(), format!("run7-{number}"));
        assert_eq!(request.deadline.as_deref(), Some("2100-01-01T00:00:00Z"));
        assert_eq!(request.class.as_deref(), Some("otp"));
        let message = format!("To: +25570000000{number}\nSender: CLINIC\n\nYour code is 1234");
        assert_eq!(opened(&place, request), message);
    }
}

#[test]
fn one_request_has_a_random_id_unless_one_is_given() {
    let place = place();
    let send = |options: &str| {
        let arguments = format!("sms send -n --client acme --key acme.pub --to +255700000001 {options}");
        requests(&place.sealpost_with(&arguments, &[], "from stdin\n").ok()).remove(0)
    };

    let (first, second, given) =
        (send(""), send(""), send("--correl-id mine --deadline 2030-01-01T00:00:00+02:00"));

    assert!(first.correl_id.as_str().starts_with('C') && first.correl_id.as_str().len() == 17, "{first:?}");
    assert_ne!(first.correl_id, second.correl_id);
    assert_eq!(given.correl_id.as_str(), "mine");
    assert_eq!(given.deadline.as_deref(), Some("2030-01-01T00:00:00+02:00"));
    assert_eq!(opened(&place, &first), "To: +255700000001\n\nfrom stdin");
}

#[test]
fn nothing_is_sent_when_one_number_is_wrong() {
    let place = place();
    place.write("numbers", "+255700000001\n0700000002\n");

    let send = "sms send -n --client acme --key acme.pub --to-file numbers";
    let refusal = place.sealpost_with(send, &["text"], "").refusal();

    assert!(refusal.starts_with("numbers:2: not a full international number"), "{refusal}");
}

#[test]
fn a_way_a_recipient_and_a_real_deadline_are_needed() {
    let place = place();

    for options in [
        "--to +255700000001",
        "-n",
        "-n --to 0700000001",
        "-n --to +255700000001 --deadline tomorrow",
        "-n --to +255700000001 --class urgent",
        "--to +255700000001 --server http://127.0.0.1:1",
        "--to +255700000001 --server http://127.0.0.1:1 --api-key-file acme.pub --brokers 127.0.0.1:1",
        "--to +255700000001 --ca-file acme.pub -n",
    ] {
        let ended =
            place.sealpost_with(&format!("sms send --client acme --key acme.pub {options}"), &["x"], "");
        assert_eq!(ended.code, Some(2), "{options}: {ended:?}");
    }
}

#[test]
fn a_gateway_or_broker_that_is_away_is_named() {
    let place = place();
    place.write("key", "0123456789abcdef");
    let send = |way: &str| {
        let arguments = format!("sms send --client acme --key acme.pub --to +255700000001 {way}");
        place.sealpost_with(&arguments, &["x"], "").refusal()
    };

    let http = send("--server http://127.0.0.1:1/base --api-key-file key");
    let kafka = send("--brokers 127.0.0.1:1");

    assert!(http.starts_with("http://127.0.0.1:1/base: "), "{http}");
    assert!(kafka.starts_with("Kafka at 127.0.0.1:1: "), "{kafka}");
}

#[test]
fn a_status_is_written_as_the_gateway_does() {
    let place = place();

    let plain = place.sealpost("sms respond -n acme C1 delivered").ok();
    let full = place.sealpost("sms respond -n acme C1 FAILED not today --recall-id 7").ok();

    let fields = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let names: Vec<String> = fields(&full).as_object().expect("an object").keys().cloned().collect();
    assert_eq!(names.len(), 6, "{full}");
    assert!(plain.starts_with(r#"{"client-id":"acme","correl-id":"C1","timestamp":""#), "{plain}");
    assert_eq!(fields(&plain)["sms-status"], "DELIVERED");
    assert_eq!(
        (&fields(&full)["error-text"], &fields(&full)["recall-id"]),
        (&"not today".into(), &"7".into())
    );
    assert_eq!(place.sealpost("sms respond -n acme C1 LOST").code, Some(2));
}
