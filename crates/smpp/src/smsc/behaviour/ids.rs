//! Message ids: how they are written, and which one is given.

/// How far beyond the ids in use those begin that no message gets.
const NEVER_GIVEN: u64 = 9_000_000_000;

/// How message ids are written; they count up from 1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IdFormat {
    /// `1234`.
    #[default]
    Decimal,
    /// `4d2`.
    Hex,
    /// `4D2`.
    UpperHex,
    /// `0000001234`.
    Padded,
    /// The prefix, then `1234`.
    Prefixed(String),
}

impl IdFormat {
    pub(super) fn write(&self, number: u64) -> String {
        match self {
            Self::Decimal => number.to_string(),
            Self::Hex => format!("{number:x}"),
            Self::UpperHex => format!("{number:X}"),
            Self::Padded => format!("{number:010}"),
            Self::Prefixed(prefix) => format!("{prefix}{number}"),
        }
    }

    /// Writes the id of the message with that number, or the wrong one that was chosen.
    pub(in crate::smsc) fn choose(&self, choice: IdChoice, number: u64) -> String {
        match choice {
            IdChoice::Own => self.write(number),
            // The first has none before it.
            IdChoice::Another if number > 1 => self.write(number - 1),
            IdChoice::Another | IdChoice::NeverGiven => self.write(NEVER_GIVEN + number),
            IdChoice::Empty => String::new(),
        }
    }
}

/// Which id is given for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdChoice {
    /// Its own.
    #[default]
    Own,
    /// That of the message before it.
    Another,
    /// One that no message has.
    NeverGiven,
    /// None.
    Empty,
}

/// Parts of the messages, from 0 to 1 and together at most 1, that get a wrong id.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WrongIds {
    /// That of the message before it.
    pub another: f64,
    /// One that no message has.
    pub never_given: f64,
    /// None.
    pub empty: f64,
}

impl WrongIds {
    pub(super) fn choose(self, draw: f64) -> IdChoice {
        let Self { another, never_given, empty } = self;
        match draw {
            draw if draw < another => IdChoice::Another,
            draw if draw < another + never_given => IdChoice::NeverGiven,
            draw if draw < another + never_given + empty => IdChoice::Empty,
            _ => IdChoice::Own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_in_every_base() {
        let formats = [
            (IdFormat::Decimal, "1234"),
            (IdFormat::Hex, "4d2"),
            (IdFormat::UpperHex, "4D2"),
            (IdFormat::Padded, "0000001234"),
            (IdFormat::Prefixed("x-".into()), "x-1234"),
        ];

        for (format, id) in formats {
            assert_eq!(format.choose(IdChoice::Own, 1234), id);
        }
    }

    #[test]
    fn wrong_ids_are_of_another_message_or_of_none() {
        let write = |choice, number| IdFormat::Decimal.choose(choice, number);

        assert_eq!(write(IdChoice::Another, 7), "6");
        assert_eq!(write(IdChoice::Another, 1), write(IdChoice::NeverGiven, 1));
        assert_eq!(write(IdChoice::NeverGiven, 7), "9000000007");
        assert_eq!(write(IdChoice::Empty, 7), "");
    }

    #[test]
    fn parts_follow_each_other() {
        let wrong = WrongIds { another: 0.1, never_given: 0.2, empty: 0.3 };

        let chosen = [0.0, 0.15, 0.5, 0.7].map(|draw| wrong.choose(draw));

        assert_eq!(chosen, [IdChoice::Another, IdChoice::NeverGiven, IdChoice::Empty, IdChoice::Own]);
    }
}
