//! `sms route`: what would become of messages, by a settings file.

use serde_json::Value;

use crate::program::Place;

const SETTINGS: &str = r#"
[sms_gateway]
allowed_clients = ["acme"]
smsc = [{ name = "a" }, { name = "b" }, { name = "c" }]

[[sms_gateway.route]]
name = "codes"
classes = ["otp"]
smscs = [{ name = "c" }]

[[sms_gateway.route]]
name = "tz"
clients = ["acme"]
prefixes = ["+255"]
smscs = [{ name = "a", weight = 3 }, { name = "b" }]
backup = ["c"]
price = "0.0125"
currency = "USD"
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("gateway.toml", SETTINGS);
    place
}

#[test]
fn a_number_is_told_its_route_and_why() {
    let route = "sms route --config gateway.toml --client acme --to +255700000001 --text";

    let told = place().sealpost_with(route, &["Habari"], "").ok();

    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "to         +255*****01",
            "route      tz: clients, prefixes hold",
            "not        codes: classes do not hold",
            "smsc       a: 75 %, gsm7, 6 characters, 1 parts",
            "smsc       b: 25 %, gsm7, 6 characters, 1 parts",
            "smsc       c: backup, gsm7, 6 characters, 1 parts",
            "parts      1",
            "cost       0.0125 USD",
        ]
    );
}

#[test]
fn json_and_a_text_from_a_file_are_for_programs() {
    let place = place();
    place.write("text", &format!("{}\n", "ж".repeat(71)));

    let told =
        place.sealpost("sms route --config gateway.toml --client acme --to +255700000001 --file text --json");

    let answer: Value = serde_json::from_str(&told.ok()).expect("JSON");
    assert_eq!(
        (&answer["route"], &answer["cost"], &answer["parts"]),
        (&"tz".into(), &"0.025".into(), &2.into())
    );
    assert_eq!(answer["smscs"][1]["share"], 0.25);
}

#[test]
fn a_list_is_told_with_totals() {
    let route = "sms route --config gateway.toml --client acme --text";

    let told =
        place().sealpost_with(route, &[&"a".repeat(161)], "+255700000001\n\n+49700000002\n+255700000003\n");

    assert_eq!(
        told.ok(),
        "+255*****01\ttz\t2\t0.025 USD\n\
         +497*****02\t-\t0\tno route to this number\n\
         +255*****03\ttz\t2\t0.025 USD\n\
         total\tnot sent\t1 messages\t0 parts\t\n\
         total\ttz\t2 messages\t4 parts\t0.05 USD\n"
    );
}

#[test]
fn settings_that_the_gateway_would_refuse_are_refused() {
    let place = place();
    place.write("gateway.toml", &SETTINGS.replace("name = \"c\" }]", "name = \"d\" }]"));

    let refusal =
        place.sealpost("sms route --config gateway.toml --client acme --to +255700000001 --text x").refusal();

    assert!(refusal.contains("route.smscs") || refusal.contains("codes"), "{refusal}");
}
