//! Names that come near one that there is not.

/// As many as a person reads.
const MOST: usize = 5;

/// Finds the nearest sections and settings: those that end alike, then those with the fewest letters to change.
pub(super) fn nearest<'a>(wanted: &str, paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = paths.flat_map(|path| [path, section(path)]).collect();
    names.sort_unstable();
    names.dedup();
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let wanted_last = last(wanted);
    // A letter of three may be wrong.
    let within =
        |distance: usize, of: &str| Some(distance).filter(|distance| *distance <= (of.len() / 3).max(1));
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let whole = within(distance(wanted, name), wanted);
            // The right field in another section is nearer than many changes all over.
            let field = within(distance(&wanted_last, &last(name)), &wanted_last).map(|field| field * 2 + 1);
            Some((whole.into_iter().chain(field).min()?, name))
        })
        .collect();
    near.sort_unstable();
    near.truncate(MOST);
    near.into_iter().map(|(_, name)| name).collect()
}

/// The table that a setting is in.
fn section(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(section, _)| section)
}

/// How many letters are to be put in, taken out or changed (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut corner = line;
        let mut left = line + 1;
        for (place, there) in other.iter().enumerate() {
            let above = row.get(place + 1).copied().unwrap_or_default();
            let change = corner + usize::from(letter != *there);
            let least = change.min(above + 1).min(left + 1);
            if let Some(cell) = row.get_mut(place) {
                *cell = left;
            }
            (corner, left) = (above, least);
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 5] =
        ["mailbox.ttl", "mailbox.max_envelopes", "notify.history_ttl", "auth.mail", "relay.seed_ttl"];

    #[test]
    fn a_letter_too_many_and_another_section_are_both_near() {
        let near = |wanted: &str| nearest(wanted, PATHS.into_iter());

        assert_eq!(near("mailbox.tttl").first(), Some(&"mailbox.ttl"));
        assert!(near("keystore.max_envelopes").contains(&"mailbox.max_envelopes"));
        assert_eq!(near("mailbx").first(), Some(&"mailbox"));
        assert!(near("zzzzzzzz").is_empty());
        assert_eq!(
            near("mailbox.ttls"),
            ["mailbox.ttl"],
            "short names are not near each other for their shortness"
        );
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!([distance("kitten", "sitting"), distance("", "abc"), distance("abc", "abc")], [3, 3, 0]);
    }
}
