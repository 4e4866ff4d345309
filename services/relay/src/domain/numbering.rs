//! Where a number is from: its country, its operator, and the operator's code (MCC and MNC).
//!
//! In: a number. Out: what the tables in `data/` say of its longest known beginning. What must hold: a number of no
//! country, or of a length that its country's mobile numbers do not have, has no origin.

use std::collections::HashMap;
use std::sync::OnceLock;

use common::models::E164;

const COUNTRIES: &str = include_str!("../../data/countries.tsv");
const OPERATORS: &str = include_str!("../../data/operators.tsv");

/// Digits of the longest beginning in the table.
const LONGEST: usize = 6;

/// Where a number is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The English name of the country.
    pub(crate) country: &'static str,
    /// What its operator is called.
    pub(crate) operator: Option<&'static str>,
    /// Mobile country and network code of the operator (ITU-T E.212).
    pub(crate) operator_code: Option<&'static str>,
}

struct Country {
    name: &'static str,
    calling_code: &'static str,
    lengths: Vec<usize>,
}

struct Tables {
    countries: HashMap<&'static str, Country>,
    /// Region, operator and code, by how numbers begin.
    beginnings: HashMap<&'static str, (&'static str, &'static str, &'static str)>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut countries = HashMap::new();
        for [region, name, calling_code, lengths] in rows(COUNTRIES) {
            let lengths = lengths.split(',').filter_map(|length| length.parse().ok()).collect();
            countries.insert(region, Country { name, calling_code, lengths });
        }
        let mut beginnings = HashMap::new();
        for [region, operator, code, prefixes] in rows(OPERATORS) {
            beginnings.extend(prefixes.split(' ').map(|prefix| (prefix, (region, operator, code))));
        }
        Tables { countries, beginnings }
    })
}

fn rows(table: &'static str) -> impl Iterator<Item = [&'static str; 4]> {
    table.lines().filter_map(|line| {
        let mut cells = line.split('\t');
        Some([cells.next()?, cells.next()?, cells.next()?, cells.next()?])
    })
}

/// Tells where a number is from; `None` for one that no phone can have.
pub(crate) fn origin(number: &E164) -> Option<Origin> {
    let (digits, tables) = (number.digits(), tables());
    let longest = (1..=LONGEST.min(digits.len())).rev();
    let (region, operator, code) =
        longest.filter_map(|length| tables.beginnings.get(digits.get(..length)?)).next()?;
    let country = tables.countries.get(region)?;
    let national = digits.strip_prefix(country.calling_code)?;
    let given = |text: &'static str| (!text.is_empty()).then_some(text);
    country.lengths.contains(&national.len()).then_some(Origin {
        country: country.name,
        operator: given(operator),
        operator_code: given(code),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(number: &str) -> Option<Origin> {
        origin(&number.parse().unwrap())
    }

    #[test]
    fn numbers_are_known_by_how_they_begin() {
        for (number, country, operator, code) in [
            // The example of the interface's own documentation.
            ("+237677123456", "Cameroon", Some("MTN Cameroon"), Some("62401")),
            ("+237690123456", "Cameroon", Some("Orange"), Some("62402")),
            ("+255754123456", "Tanzania", Some("Vodacom"), Some("64004")),
            ("+2348031234567", "Nigeria", Some("MTN"), Some("62130")),
            ("+12025550123", "United States", None, None),
            ("+14165550123", "Canada", None, None),
            ("+77011234567", "Kazakhstan", Some("Kcell/Activ"), Some("40102")),
        ] {
            let found = of(number).unwrap();

            assert_eq!(
                (found.country, found.operator, found.operator_code),
                (country, operator, code),
                "{number}"
            );
        }
    }

    #[test]
    fn numbers_that_no_phone_has_are_from_nowhere() {
        for number in ["+2376771234567", "+23767712345", "+99912345678", "+0123456789"] {
            assert_eq!(of(number), None, "{number}");
        }
    }

    #[test]
    fn every_row_of_the_tables_is_in_order() {
        let tables = tables();

        assert!(
            rows(COUNTRIES).count() == COUNTRIES.lines().count()
                && rows(OPERATORS).count() == OPERATORS.lines().count()
        );
        for (prefix, (region, _, code)) in &tables.beginnings {
            let country = &tables.countries[region];
            assert!(prefix.len() <= LONGEST && prefix.starts_with(country.calling_code), "{prefix}");
            assert!(code.is_empty() || matches!(code.len(), 5 | 6), "{prefix}");
            assert!(!country.lengths.is_empty(), "{region}");
        }
    }

    proptest! {
        #[test]
        fn any_number_is_looked_up(number in r"\+[0-9]{7,15}") {
            let _ = of(&number);
        }
    }
}
