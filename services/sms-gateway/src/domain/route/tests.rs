use common::models::sms::{ClientId, SmsClass};
use proptest::prelude::*;

use super::*;
use crate::settings::SmscSettings;

fn settings(smscs: &[&str], route: Vec<RouteSettings>) -> Settings {
    let smsc = |name: &&str| SmscSettings { name: (*name).into(), ..SmscSettings::default() };
    Settings { smsc: smscs.iter().map(smsc).collect(), route, ..Settings::default() }
}

fn prefix(name: &str, prefixes: &[&str], smscs: &[(&str, u32)]) -> RouteSettings {
    let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    RouteSettings { prefixes, ..RouteSettings::new(name, smscs) }
}

fn parts(route: &Route, health: &[(&str, f64)]) -> Vec<(String, f64)> {
    let shares = route
        .shares(|smsc| health.iter().find(|(name, _)| *name == smsc.as_str()).map(|(_, health)| *health));
    shares.into_iter().map(|share| (share.smsc.to_string(), (share.part * 1000.0).round() / 1000.0)).collect()
}

fn part(smsc: &str, part: f64) -> (String, f64) {
    (smsc.to_owned(), part)
}

#[test]
fn the_first_route_whose_conditions_all_hold_wins() {
    let routes = Routes::new(&settings(
        &["a", "b"],
        vec![
            RouteSettings { clients: vec!["acme".into()], ..prefix("acme-tz", &["+255"], &[("a", 1)]) },
            RouteSettings { classes: vec![SmsClass::Otp], ..RouteSettings::new("codes", &[("b", 1)]) },
            RouteSettings { senders: vec!["CLINIC".into()], ..RouteSettings::new("clinic", &[("b", 1)]) },
            prefix("tz", &["+254", "+255"], &[("a", 1)]),
        ],
    ));
    let decide = |client: &str, class, to, sender| {
        let client = ClientId::from(client);
        let facts = Facts { client: &client, class, to, sender };
        routes.decide(&facts).map(|route| route.name.to_string())
    };

    assert_eq!(decide("acme", SmsClass::Otp, "+255123456789", None).unwrap(), "acme-tz");
    assert_eq!(decide("other", SmsClass::Otp, "+255123456789", None).unwrap(), "codes");
    assert_eq!(decide("acme", SmsClass::Bulk, "+254123456789", Some("CLINIC")).unwrap(), "clinic");
    assert_eq!(decide("acme", SmsClass::Bulk, "+254123456789", Some("Clinic")).unwrap(), "tz");
    assert_eq!(decide("acme", SmsClass::Bulk, "+49123456789", None), Err(NoRoute));
}

#[test]
fn without_routes_all_smscs_are_used_in_order_of_preference() {
    let mut settings = settings(&["a", "b", "c"], Vec::new());
    settings.smsc[1].bind = crate::settings::Bind::Receiver;
    let routes = Routes::new(&settings);
    let route = &routes.all()[0];

    assert_eq!(parts(route, &[("a", 1.0), ("b", 1.0), ("c", 1.0)]), [part("a", 1.0)]);
    assert_eq!(parts(route, &[("b", 1.0), ("c", 1.0)]), [part("c", 1.0)]);
}

#[test]
fn shares_follow_weights_and_health() {
    let with_backup = RouteSettings {
        backup: vec!["c".into(), "d".into()],
        ..RouteSettings::new("r", &[("a", 3), ("b", 1)])
    };
    let routes = Routes::new(&settings(&["a", "b", "c", "d"], vec![with_backup]));
    let route = &routes.all()[0];

    assert_eq!(parts(route, &[("a", 1.0), ("b", 1.0), ("c", 1.0)]), [part("a", 0.75), part("b", 0.25)]);
    assert_eq!(parts(route, &[("a", 1.0), ("c", 1.0)]), [part("a", 1.0)]);
    assert_eq!(parts(route, &[("c", 1.0), ("d", 1.0)]), [part("c", 1.0)]);
    // A sick one leaves its part to its like.
    assert_eq!(parts(route, &[("a", 0.02), ("b", 1.0), ("c", 1.0)]), [part("a", 0.057), part("b", 0.943)]);
    // Where all are, the backup gets what they leave.
    assert_eq!(parts(route, &[("a", 0.1), ("c", 1.0)]), [part("a", 0.1), part("c", 0.9)]);
    assert_eq!(parts(route, &[("a", 0.1)]), [part("a", 1.0)]);
    assert_eq!(parts(route, &[]), []);
}

#[test]
fn faults_of_routes_are_told_at_the_start() {
    let places = |routes| {
        let mut settings = settings(&["a", "b"], routes);
        settings.smsc[1].bind = crate::settings::Bind::Receiver;
        settings.faults().into_iter().map(|(place, what)| format!("{place}: {what}")).collect::<Vec<_>>()
    };
    let one = |route: RouteSettings| places(vec![route]).join("\n");

    assert_eq!(
        places(vec![prefix("tz", &["+255"], &[("a", 1)]), RouteSettings::new("rest", &[("a", 1)])]),
        [""; 0]
    );
    assert!(one(RouteSettings::new("r", &[("x", 1)])).contains("\"x\""));
    assert!(one(RouteSettings::new("r", &[("b", 1)])).contains("no SMSC that we submit to"));
    assert!(one(RouteSettings::new("r", &[("a", 1), ("a", 1)])).contains("twice"));
    assert!(one(RouteSettings::new("r", &[("a", 0)])).contains("weight"));
    assert!(one(RouteSettings::new("r", &[])).contains("one or more"));
    assert!(one(RouteSettings::new("", &[("a", 1)])).contains("64 characters"));
    assert!(one(RouteSettings { tps: -1.0, ..RouteSettings::new("r", &[("a", 1)]) }).contains("tps"));
    let rest = RouteSettings::new("rest", &[("a", 1)]);
    assert!(
        places(vec![rest.clone(), prefix("tz", &["+255"], &[("a", 1)])]).join("").contains("never reached")
    );
    assert!(places(vec![rest.clone(), rest]).join("").contains("two routes"));
}

fn route() -> impl Strategy<Value = RouteSettings> {
    let some = |of: &'static [&'static str]| proptest::sample::subsequence(of, 0..=2);
    let classes = proptest::sample::subsequence(vec![SmsClass::Otp, SmsClass::Alert, SmsClass::Bulk], 0..=2);
    (some(&["x", "y", "z"]), some(&["+", "+2", "+25", "+2#5", "+255", "+49"]), classes, some(&["S", "T"]))
        .prop_map(|(clients, prefixes, classes, senders)| RouteSettings {
            clients: clients.into_iter().map(Into::into).collect(),
            classes,
            senders: senders.into_iter().map(str::to_owned).collect(),
            ..prefix("r", &prefixes, &[("a", 1)])
        })
}

/// What the settings say, written down once more and otherwise.
fn matches(route: &RouteSettings, facts: &Facts<'_>) -> bool {
    let begins = |prefix: &str| {
        facts.to.len() >= prefix.len()
            && prefix.chars().zip(facts.to.chars()).all(|(one, other)| one == other || one == '#')
    };
    (route.clients.is_empty() || route.clients.iter().any(|client| client == facts.client))
        && (route.prefixes.is_empty() || route.prefixes.iter().any(|prefix| begins(&prefix.to_string())))
        && (route.classes.is_empty() || route.classes.contains(&facts.class))
        && (route.senders.is_empty() || route.senders.iter().any(|sender| facts.sender == Some(sender)))
}

proptest! {
    #[test]
    fn a_message_takes_the_first_route_that_matches(
        routes in proptest::collection::vec(route(), 1..6),
        client in "[xyz]",
        class in proptest::sample::select(vec![SmsClass::Otp, SmsClass::Alert, SmsClass::Bulk]),
        to in "\\+(2[0-9]5|49)[0-9]{7}",
        sender in proptest::option::of("[ST]"),
    ) {
        let routes: Vec<RouteSettings> = (0..).zip(routes)
            .map(|(number, route): (u32, _)| RouteSettings { name: number.to_string().into(), ..route })
            .collect();
        let client = ClientId::from(client);
        let facts = Facts { client: &client, class, to: &to, sender: sender.as_deref() };

        let decided = Routes::new(&settings(&["a"], routes.clone())).decide(&facts).map(|route| route.name.clone());

        let first = routes.iter().find(|route| matches(route, &facts)).map(|route| route.name.clone());
        prop_assert_eq!(decided.ok(), first);
        // What is called unreachable is.
        for (place, later) in routes.iter().enumerate() {
            let covered = |earlier: &RouteSettings| Conditions::of(earlier).cover(&Conditions::of(later));
            if matches(later, &facts) && routes[..place].iter().any(covered) {
                prop_assert!(routes[..place].iter().any(|earlier| matches(earlier, &facts)));
            }
        }
    }

    #[test]
    fn parts_add_up_to_one_unless_there_are_none(
        weights in proptest::collection::vec(1u32..100, 1..4),
        health in proptest::collection::vec(proptest::option::of(0.001f64..=1.0), 6),
    ) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let shares: Vec<(&str, u32)> = names.into_iter().zip(weights).collect();
        let backup = ["e", "f"].map(Into::into).to_vec();
        let routes = Routes::new(&settings(&names, vec![RouteSettings { backup, ..RouteSettings::new("r", &shares) }]));
        let route = &routes.all()[0];
        let of = |smsc: &SmscName| health[names.iter().position(|name| *name == smsc.as_str()).unwrap()];

        let parts = route.shares(of);

        let usable = route.smscs().filter(|smsc| of(smsc).is_some()).count();
        prop_assert_eq!(parts.is_empty(), usable == 0);
        prop_assert!(parts.iter().all(|share| share.part > 0.0 && of(&share.smsc).is_some()));
        let sum: f64 = parts.iter().map(|share| share.part).sum();
        prop_assert!(usable == 0 || (sum - 1.0).abs() < 1e-9, "{}", sum);
    }
}
