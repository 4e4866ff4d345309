//! Finding `name:value` pairs in a receipt's text.

/// The fields that are used. `sub` and `dlvrd` are known only so that they end another field's value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) submit_date: Option<&'a str>,
    pub(super) done_date: Option<&'a str>,
    pub(super) stat: Option<&'a str>,
    pub(super) err: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
}

/// The words of each name, the second one empty for a name of one word.
const NAMES: [(&str, &str, Name); 8] = [
    ("id", "", Name::Id),
    ("sub", "", Name::Sub),
    ("dlvrd", "", Name::Dlvrd),
    ("submit", "date", Name::SubmitDate),
    ("done", "date", Name::DoneDate),
    ("stat", "", Name::Stat),
    ("err", "", Name::Err),
    ("text", "", Name::Text),
];

/// Gives the field that begins `text`, and what follows its colon. Two words may be apart by a blank, a line end (as
/// the specification prints them), an underscore, or nothing.
fn name_at(text: &str) -> Option<(Name, &str)> {
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    NAMES.iter().find_map(|&(first, second, name)| {
        let mut rest = after_word(text, first)?;
        if !second.is_empty() {
            rest = after_word(rest.trim_start_matches([' ', '_', '\t', '\r', '\n']), second)?;
        }
        rest.trim_start_matches(' ').strip_prefix(':').map(|rest| (name, rest))
    })
}

fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

impl<'a> Fields<'a> {
    /// Takes the first value of each field. `text:` quotes the message and so ends the search, for a message may hold
    /// anything, unless neither `id` nor `stat` has come yet: then the fields are in another order.
    pub(super) fn find(text: &'a str) -> Self {
        let mut fields = Self::default();
        let mut rest = text;
        let mut in_word = false;
        while let Some(character) = rest.chars().next() {
            // Most places are within a word, where no name begins.
            let named = if in_word { None } else { name_at(rest) };
            match named {
                Some((Name::Text, _)) if fields.id.is_some() || fields.stat.is_some() => break,
                Some((name, after)) => {
                    let value = match name {
                        Name::SubmitDate | Name::DoneDate => date_of(after),
                        _ => value_of(after),
                    };
                    if let Some(place) = fields.place(name).filter(|place| place.is_none()) {
                        *place = value;
                    }
                    rest = after;
                    in_word = false;
                }
                None => {
                    // So that `msgid:` and `smsc-id:` of a vendor's own are not `id:`.
                    in_word = character.is_alphanumeric() || matches!(character, '_' | '-');
                    rest = rest.get(character.len_utf8()..).unwrap_or_default();
                }
            }
        }
        fields
    }

    fn place(&mut self, name: Name) -> Option<&mut Option<&'a str>> {
        match name {
            Name::Id => Some(&mut self.id),
            Name::SubmitDate => Some(&mut self.submit_date),
            Name::DoneDate => Some(&mut self.done_date),
            Name::Stat => Some(&mut self.stat),
            Name::Err => Some(&mut self.err),
            Name::Sub | Name::Dlvrd | Name::Text => None,
        }
    }
}

/// Gives what runs from here to the next blank; `None` when that is nothing, or already the next field's name.
fn value_of(after: &str) -> Option<&str> {
    let value = after.trim_start_matches(' ');
    if name_at(value).is_some() {
        return None;
    }
    let end =
        value.find(|character: char| character.is_whitespace() || character == '\0').unwrap_or(value.len());
    value.get(..end).map(|value| value.trim_end_matches([',', ';'])).filter(|value| !value.is_empty())
}

/// Gives a date; one that has a blank before its time of day (`2026-11-21 09:36:00`) with that.
fn date_of(after: &str) -> Option<&str> {
    let value = value_of(after)?;
    let start = after.len() - after.trim_start_matches(' ').len();
    let both = start + value.len() + 1 + "hh:mm:ss".len();
    let minutes = both - ":ss".len();
    let is_time = |end: usize| {
        let time = after.get(start + value.len()..end).and_then(|rest| rest.strip_prefix(' '));
        time.is_some_and(|time| time.bytes().all(|octet| octet.is_ascii_digit() || octet == b':'))
    };
    match value.len() {
        10 if is_time(both) => after.get(start..both),
        10 if is_time(minutes) && value.contains(['-', '/']) => after.get(start..minutes),
        _ => Some(value),
    }
}
