//! The rules of signal_server for a password that is chosen: its framework's four, and our length.
//!
//! A password is taken as it is, blanks and all.

use std::collections::HashMap;

/// Fewest characters.
const LEAST: usize = 8;

/// Most octets; each costs time to be hashed.
const MOST_OCTETS: usize = 1024;

/// How alike a password and a name may not be, in thousandths.
const ALIKE: usize = 700;

/// Lower case, sorted, a line each. See `common_passwords.LICENSE` for where they are from.
const COMMON: &str = include_str!("common_passwords.txt");

/// Tells everything that is wrong with a password; nothing, when it may be chosen by somebody with this name and
/// address.
pub(crate) fn faults(password: &str, username: &str, email: &str) -> Vec<&'static str> {
    // Nothing else is looked at, since that takes time for each octet.
    if password.len() > MOST_OCTETS {
        return vec!["This password is too long. It must contain at most 1024 bytes."];
    }
    let folded = password.to_lowercase();
    let mut faults = Vec::new();
    if is_like(&folded, username) {
        faults.push("The password is too similar to the username.");
    }
    if is_like(&folded, email) {
        faults.push("The password is too similar to the email address.");
    }
    if password.chars().count() < LEAST {
        faults.push("This password is too short. It must contain at least 8 characters.");
    }
    if is_common(folded.trim()) {
        faults.push("This password is too common.");
    }
    if password.chars().all(char::is_numeric) {
        faults.push("This password is entirely numeric.");
    }
    faults
}

fn is_common(folded: &str) -> bool {
    // A few tens of microseconds, before a hash that takes a thousand times as long.
    COMMON.lines().any(|common| common == folded)
}

/// Tells whether a password is like a text or a word of it.
fn is_like(folded: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.chain([text.as_str()]).any(|word| likeness(folded, word) >= ALIKE)
}

/// How much of two texts is the same characters, in whatever order, in thousandths (difflib's `quick_ratio`); 0 when it
/// cannot be as much as [`ALIKE`].
fn likeness(one: &str, other: &str) -> usize {
    let lengths = [one.chars().count(), other.chars().count()];
    let (both, shorter) = (lengths[0] + lengths[1], lengths[0].min(lengths[1]));
    // Not even if every character of the shorter one were in the other.
    if both == 0 || 2000 * shorter / both < ALIKE {
        return 0;
    }
    let mut counts: HashMap<char, usize> = HashMap::new();
    for character in other.chars() {
        *counts.entry(character).or_default() += 1;
    }
    let common = one.chars().filter(|character| match counts.get_mut(character) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    });
    2000 * common.count() / both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(password: &str) -> usize {
        faults(password, "alice.wonder", "rabbit@example.org").len()
    }

    #[test]
    fn a_password_that_keeps_the_rules_has_no_fault() {
        for password in
            ["xK9!mPq2", "correct horse battery", "  xK9!mPq2  ", "пароль-и-ещё", &"xK9!mPq2".repeat(128)]
        {
            assert_eq!(count(password), 0, "{password}");
        }
    }

    #[test]
    fn each_rule_has_its_fault() {
        for (password, expected) in [
            ("xK9!mPq", 1),
            ("äöü!mPq", 1),
            ("Password123", 1),
            (" password1 ", 1),
            ("8315948260174", 1),
            ("83159482", 1),
            ("alicewonder", 1),
            ("wonder.alice", 1),
            ("WONDER12", 1),
            ("rabbit@example", 1),
            ("exampleorg", 1),
            ("12345", 2),
            ("alice", 2),
        ] {
            assert_eq!(
                count(password),
                expected,
                "{password}: {:?}",
                faults(password, "alice.wonder", "rabbit@example.org")
            );
        }
        assert_eq!(count(&"xK9!mPq2ä".repeat(128)), 1, "1152 octets");
    }

    #[test]
    fn the_list_is_as_it_is_looked_through() {
        assert!(COMMON.lines().is_sorted() && COMMON.lines().all(|line| line == line.to_lowercase()));
        assert_eq!(COMMON.lines().count(), 8017);
    }
}
