//! What the log of what operators do may show.

/// Fewest digits of what may be a phone number.
const FEWEST_DIGITS: usize = 7;
/// Digits of such a number that are shown at its end.
const SHOWN: usize = 2;

/// Gives a tenant's id of a request as it may be shown: some tenants take the recipient's number for it.
pub(crate) fn shown(correl_id: &str) -> String {
    let digits = correl_id.strip_prefix('+').unwrap_or(correl_id);
    let is_number = digits.len() >= FEWEST_DIGITS && digits.bytes().all(|octet| octet.is_ascii_digit());
    match digits.split_at_checked(digits.len().saturating_sub(SHOWN)) {
        Some((hidden, end)) if is_number => format!("{}{end}", "*".repeat(hidden.len())),
        _ => correl_id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_phone_number_is_masked_and_other_ids_are_not() {
        for (id, expected) in [
            ("+255123456789", "**********89"),
            ("0712345678", "********78"),
            ("C-2024-000123", "C-2024-000123"),
            ("123456", "123456"),
            ("", ""),
            ("+", "+"),
        ] {
            let masked = shown(id);

            assert_eq!(masked, expected);
        }
    }
}
