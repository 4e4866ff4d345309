//! Texts with places for the fields of a row: `Hello {name}`.

/// A template, its columns looked up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The field of this column.
    Column(usize),
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    /// A place names no column.
    #[error("the template has {{{name}}}, and the file no such column; it has {columns}")]
    Unknown {
        /// What it names.
        name: String,
        /// What there is.
        columns: String,
    },
    /// A place names a column that is there twice.
    #[error("the template has {{{0}}}, and the file two columns of that name")]
    Ambiguous(String),
    /// A brace stands alone.
    #[error("the template has a brace without the other one: a brace of the text is written {{{{ or }}}}")]
    Brace,
    /// It has no character.
    #[error("the template is empty")]
    Empty,
}

impl Template {
    /// Reads a template for a file with these columns. `{{` and `}}` are braces of the text.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub(super) fn parse(text: &str, columns: &[String]) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(at);
            plain.push_str(before);
            if let Some(doubled) = after.strip_prefix("{{").or_else(|| after.strip_prefix("}}")) {
                plain.extend(after.chars().next());
                rest = doubled;
                continue;
            }
            let inside = after.strip_prefix('{').ok_or(TemplateError::Brace)?;
            let (name, behind) = inside.split_once('}').ok_or(TemplateError::Brace)?;
            if name.contains('{') {
                return Err(TemplateError::Brace);
            }
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(Piece::Column(column(name.trim(), columns)?));
            rest = behind;
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        if pieces.is_empty() { Err(TemplateError::Empty) } else { Ok(Self(pieces)) }
    }

    /// Gives the columns that it names.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Column(index) => Some(*index),
            Piece::Text(_) => None,
        })
    }

    /// Puts fields in their places, without the blanks around them.
    pub(super) fn fill(&self, field: impl Fn(usize) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Column(index) => field(*index).trim().to_owned(),
        };
        self.0.iter().map(piece).collect()
    }
}

/// Finds the one column of that name.
pub(super) fn column(name: &str, columns: &[String]) -> Result<usize, TemplateError> {
    let mut found = columns.iter().enumerate().filter(|(_, column)| *column == name);
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => Err(TemplateError::Ambiguous(name.to_owned())),
        (None, _) => Err(TemplateError::Unknown { name: name.to_owned(), columns: columns.join(", ") }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn columns() -> Vec<String> {
        ["number", "name", "day", "twice", "twice"].map(str::to_owned).to_vec()
    }

    fn filled(text: &str) -> Result<String, TemplateError> {
        let fields = ["+255", " Amina ", "Monday", "a", "b"];
        Ok(Template::parse(text, &columns())?.fill(|index| fields[index].to_owned()))
    }

    #[test]
    fn fields_take_their_places() {
        for (text, expected) in [
            ("Hello {name}, see you {day}", "Hello Amina, see you Monday"),
            ("{name}{day}{ name }", "AminaMondayAmina"),
            ("no place", "no place"),
            ("{{name}} is {name}", "{name} is Amina"),
            ("{{{name}}}", "{Amina}"),
            ("é {day} 😀", "é Monday 😀"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_told() {
        let unknown = filled("{nom}").unwrap_err().to_string();
        assert!(unknown.contains("{nom}") && unknown.contains("number, name, day"), "{unknown}");
        assert_eq!(filled("{twice}"), Err(TemplateError::Ambiguous("twice".into())));
        assert_eq!(filled(""), Err(TemplateError::Empty));
        for text in ["{name", "name}", "a } b", "{a{name}", "{"] {
            assert_eq!(filled(text), Err(TemplateError::Brace), "{text}");
        }
        assert!(TemplateError::Brace.to_string().ends_with("{{ or }}"));
    }

    proptest! {
        #[test]
        fn any_text_with_its_braces_doubled_comes_out_as_it_was(text in ".+") {
            let template = text.replace('{', "{{").replace('}', "}}");

            prop_assert_eq!(filled(&template).unwrap(), text);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = filled(&text);
        }
    }
}
