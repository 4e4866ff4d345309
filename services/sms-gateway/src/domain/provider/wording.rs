//! What a provider says about a refusal, made fit to be shown: it may quote the message, its numbers, our password.
//!
//! What must hold: no eight characters of a text in a row, no number of seven digits or more, no part of four digits or
//! more of a number or text, and no credential gets through.

use std::collections::HashSet;

/// The longest remark that is shown.
const LONGEST: usize = 160;
/// So many characters in a row that a remark shares with a text are a quotation.
const QUOTED: usize = 8;
/// The fewest digits of a run that may be a part of a number or a code of a text.
const SHORTEST_RUN: usize = 4;
/// The fewest digits of a run that may be a number.
const SHORTEST_NUMBER: usize = 7;
/// Shorter credentials and texts are in any remark.
const SHORTEST_SECRET: usize = 4;
/// In place of what is not shown.
const LEFT_OUT: &str = "…";

/// What no remark may hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Private<'a> {
    /// Text and sender of the message.
    pub(crate) texts: Vec<&'a str>,
    /// Its numbers.
    pub(crate) numbers: Vec<&'a str>,
    /// User names, passwords.
    pub(crate) credentials: Vec<&'a str>,
}

impl Private<'_> {
    /// Gives a remark on one line, of limited length, without what is private; `None` when nothing is left.
    pub(crate) fn shown(&self, remark: &str) -> Option<String> {
        let line: String =
            remark.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        let line = line.trim();
        if line.is_empty() || self.quotes(line) {
            return None;
        }
        Some(self.without_numbers(line))
    }

    /// Tells whether a remark holds a piece of a text, or a credential.
    fn quotes(&self, line: &str) -> bool {
        let line = folded(line);
        let windows: HashSet<&[char]> = line.windows(QUOTED).collect();
        let text_quoted = self.texts.iter().any(|text| {
            let text = folded(text.trim());
            let whole = (SHORTEST_SECRET..QUOTED).contains(&text.len()) && holds(&line, &text);
            whole || text == line || text.windows(QUOTED).any(|window| windows.contains(window))
        });
        text_quoted
            || self.credentials.iter().any(|credential| {
                let credential = folded(credential);
                credential.len() >= SHORTEST_SECRET && holds(&line, &credential)
            })
    }

    /// Takes out runs of digits that may be numbers or codes; what separates the digits of a number is part of it.
    fn without_numbers(&self, line: &str) -> String {
        let mut shown = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(start) = rest.find(|c: char| c.is_numeric()) {
            let (before, from) = rest.split_at(start);
            let end = end_of_run(from);
            let (run, after) = from.split_at(end);
            shown.push_str(before);
            shown.push_str(if self.is_private(run) { LEFT_OUT } else { run });
            rest = after;
        }
        shown.push_str(rest);
        shown
    }

    fn is_private(&self, run: &str) -> bool {
        let digits: String = run.chars().filter(|c| c.is_numeric()).collect();
        let within = |text: &&str| text.contains(&digits);
        match digits.chars().count() {
            SHORTEST_NUMBER.. => true,
            SHORTEST_RUN.. => self.texts.iter().chain(&self.numbers).any(within),
            _ => false,
        }
    }
}

/// Writes in small letters, each by itself: what is around a letter does not matter.
fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn holds(line: &[char], part: &[char]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

/// Finds the end of a run of digits with at most one separator between two of them.
fn end_of_run(from: &str) -> usize {
    let mut end = 0;
    let mut separated = false;
    for (index, character) in from.char_indices() {
        if character.is_numeric() {
            end = index + character.len_utf8();
            separated = false;
        } else if separated || !matches!(character, ' ' | '-' | '.' | '/' | '(' | ')' | '+') {
            break;
        } else {
            separated = true;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(remark: &str) -> Option<String> {
        let private = Private {
            texts: vec!["Your appointment is at 1430, code 8841", "CLINIC"],
            numbers: vec!["+255123456789"],
            credentials: vec!["acme", "s3cret-pass"],
        };
        private.shown(remark)
    }

    #[test]
    fn a_remark_that_tells_nothing_private_is_shown_on_one_line() {
        assert_eq!(shown("Invalid\r\nrecipient (21211)").as_deref(), Some("Invalid  recipient (21211)"));
        assert_eq!(shown(" \t "), None);
        assert_eq!(shown(&"x".repeat(1000)).map(|text| text.len()), Some(LONGEST));
    }

    #[test]
    fn numbers_are_left_out_however_they_are_written() {
        assert_eq!(shown("to 255123456789 failed").as_deref(), Some("to … failed"));
        assert_eq!(shown("to +255 123-456.789!").as_deref(), Some("to +…!"));
        assert_eq!(shown("ends in 6789").as_deref(), Some("ends in …"));
        assert_eq!(shown("7654321").as_deref(), Some("…"));
        assert_eq!(shown("١٢٣٤٥٦٧٨").as_deref(), Some("…"));
    }

    #[test]
    fn a_code_of_the_text_is_left_out_and_a_piece_of_it_leaves_out_all() {
        assert_eq!(shown("bad token 8841").as_deref(), Some("bad token …"));
        assert_eq!(shown("cannot send 'YOUR APPOINTMENT is'"), None);
        assert_eq!(shown("sender clinic unknown"), None);
    }

    #[test]
    fn credentials_leave_out_all() {
        assert_eq!(shown("user ACME is locked"), None);
        assert_eq!(shown("password S3CRET-pass is wrong"), None);
    }

    proptest! {
        #[test]
        fn nothing_private_gets_through(
            text in "\\PC{8,40}",
            number in "\\+[0-9]{7,15}",
            before in "\\PC{0,20}",
            after in "\\PC{0,20}",
            from in 0_usize..40,
        ) {
            let characters: Vec<char> = text.chars().collect();
            let piece: String = characters.iter().skip(from.min(characters.len() - 8)).take(8).collect();
            let private = Private { texts: vec![&text], numbers: vec![&number], credentials: Vec::new() };

            if !piece.trim().is_empty() && piece.trim() == piece && text.trim() == text {
                prop_assert_eq!(private.shown(&format!("{before}{piece}{after}")), None);
            }
            let quoted = private.shown(&format!("{before}{number}{after}")).unwrap_or_default();
            prop_assert!(!quoted.contains(&number[1..]), "{}", quoted);
        }

        #[test]
        fn any_remark_is_taken(remark in any::<String>(), text in any::<String>()) {
            let private = Private { texts: vec![&text], ..Private::default() };

            prop_assert!(private.shown(&remark).is_none_or(|shown| shown.chars().count() <= LONGEST));
        }
    }
}
