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

const NAMES: [(&str, Name); 12] = [
    ("id:", Name::Id),
    ("sub:", Name::Sub),
    ("dlvrd:", Name::Dlvrd),
    ("submit date:", Name::SubmitDate),
    ("submit_date:", Name::SubmitDate),
    ("submitdate:", Name::SubmitDate),
    ("done date:", Name::DoneDate),
    ("done_date:", Name::DoneDate),
    ("donedate:", Name::DoneDate),
    ("stat:", Name::Stat),
    ("err:", Name::Err),
    ("text:", Name::Text),
];

/// Gives the field that begins `text`, and what follows its colon.
fn name_at(text: &str) -> Option<(Name, &str)> {
    NAMES.iter().find_map(|&(spelling, name)| {
        let (start, rest) = text.split_at_checked(spelling.len())?;
        start.eq_ignore_ascii_case(spelling).then_some((name, rest))
    })
}

impl<'a> Fields<'a> {
    /// Takes the first value of each field. `text:` quotes the message and so ends the search, for a message may hold
    /// anything, unless neither `id` nor `stat` has come yet: then the fields are in another order.
    pub(super) fn find(text: &'a str) -> Self {
        let mut fields = Self::default();
        let mut rest = text;
        let mut in_word = false;
        while let Some(character) = rest.chars().next() {
            match name_at(rest).filter(|_| !in_word) {
                Some((Name::Text, _)) if fields.id.is_some() || fields.stat.is_some() => break,
                Some((name, after)) => {
                    let value = value_of(after);
                    if let Some(place) = fields.place(name).filter(|place| place.is_none()) {
                        *place = value;
                    }
                    rest = after;
                    in_word = false;
                }
                None => {
                    in_word = character.is_alphanumeric() || character == '_';
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
