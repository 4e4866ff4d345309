//! What of a search may be shown again.

use std::fmt::Write as _;

/// Fewest digits of what may be a phone number.
const FEWEST_DIGITS: usize = 7;
/// Digits of such a number that are shown at its end.
const SHOWN: usize = 2;
/// Longest text that is shown, in characters.
const LONGEST: usize = 128;

/// Gives what somebody has searched for as it may be shown: some have a number or an address for a name or an id.
pub fn masked(text: &str) -> String {
    if let Some((local, domain)) = text.rsplit_once('@') {
        let first = local.chars().next().map(String::from).unwrap_or_default();
        return printable(&format!("{first}*****@{domain}"));
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = digits.len() >= FEWEST_DIGITS && digits.bytes().all(|octet| octet.is_ascii_digit());
    match digits.split_at_checked(digits.len().saturating_sub(SHOWN)) {
        Some((hidden, end)) if is_number => printable(&format!("{}{end}", "*".repeat(hidden.len()))),
        _ => printable(text),
    }
}

/// A log is read on a terminal: what would move its cursor is written as a number.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for char in text.chars().take(LONGEST) {
        match char.is_control() {
            true => _ = write!(shown, "\\u{{{:x}}}", u32::from(char)),
            false => shown.push(char),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_number_or_an_address_is_masked_and_other_ids_are_not() {
        for (id, expected) in [
            ("+255123456789", "**********89"),
            ("0712345678", "********78"),
            ("C-2024-000123", "C-2024-000123"),
            ("123456", "123456"),
            ("alice@example.org", "a*****@example.org"),
            ("@", "*****@"),
            ("a\x1b[2J", "a\\u{1b}[2J"),
            ("", ""),
            ("+", "+"),
        ] {
            assert_eq!(masked(id), expected);
        }
        assert_eq!(masked(&"x".repeat(300)).len(), LONGEST);
    }
}
