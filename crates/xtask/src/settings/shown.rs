//! Values as `Debug` shows them in its long form (`{:#?}`): how a default gets from the code into the reference.
//!
//! Settings have no `Serialize`, so that no secret can leave with them, and their `Debug` is safe to show. That what is
//! read here is the true default is shown by a test: written into a settings file, it is read as the same settings.

use std::collections::BTreeMap;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shown {
    /// `Name { field: value }`.
    Struct(BTreeMap<String, Shown>),
    /// `Name(value)`.
    Wrapped(String, Box<Shown>),
    /// `[value, …]`, and a set.
    List(Vec<Shown>),
    /// `{key: value, …}`.
    Map(Vec<(Shown, Shown)>),
    /// A quoted text.
    Text(String),
    /// Everything else: numbers, times, names of variants.
    Word(String),
}

impl Shown {
    /// Reads a value.
    ///
    /// # Errors
    /// The line that does not fit.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let mut lines = lines.into_iter().peekable();
        let value = read(&mut lines)?;
        match lines.next() {
            None => Ok(value),
            Some(line) => Err(format!("there is more behind a value: {line}")),
        }
    }

    /// A field of a struct.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(fields) => fields.get(name),
            _ => None,
        }
    }
}

type Lines<'a> = std::iter::Peekable<std::vec::IntoIter<&'a str>>;

fn read(lines: &mut Lines<'_>) -> Result<Shown, String> {
    let line = lines.next().ok_or("a value is missing")?;
    value(line, lines)
}

/// Reads the value that begins with `line`.
fn value(line: &str, lines: &mut Lines<'_>) -> Result<Shown, String> {
    let line = line.strip_suffix(',').unwrap_or(line);
    if line.starts_with('"') && line.ends_with('"') {
        // The escapes of Rust that occur in settings are those of JSON.
        return serde_json::from_str(line).map(Shown::Text).map_err(|error| format!("{line}: {error}"));
    }
    if let Some(quoted) = line.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Ok(Shown::Text(quoted.to_owned()));
    }
    match line {
        "[]" => return Ok(Shown::List(Vec::new())),
        "{}" => return Ok(Shown::Map(Vec::new())),
        "[" => return items(lines, "]").map(Shown::List),
        "{" => return map(lines),
        _ => {}
    }
    if let Some(name) = line.strip_suffix('(') {
        let inner = items(lines, ")")?;
        let [inner] = <[Shown; 1]>::try_from(inner).map_err(|_| format!("{name} holds several values"))?;
        return Ok(Shown::Wrapped(name.to_owned(), Box::new(inner)));
    }
    if line.ends_with(" {") {
        return fields(lines);
    }
    Ok(Shown::Word(line.to_owned()))
}

fn items(lines: &mut Lines<'_>, end: &str) -> Result<Vec<Shown>, String> {
    let mut items = Vec::new();
    while !ends(lines, end) {
        items.push(read(lines)?);
    }
    Ok(items)
}

fn fields(lines: &mut Lines<'_>) -> Result<Shown, String> {
    let mut fields = BTreeMap::new();
    while !ends(lines, "}") {
        let line = lines.next().ok_or("a struct has no end")?;
        if line == ".." {
            continue;
        }
        let (name, rest) = line.split_once(": ").ok_or_else(|| format!("no field: {line}"))?;
        fields.insert(name.to_owned(), value(rest, lines)?);
    }
    Ok(Shown::Struct(fields))
}

/// Reads a map, or a set, whose lines have no key.
fn map(lines: &mut Lines<'_>) -> Result<Shown, String> {
    let (mut pairs, mut items) = (Vec::new(), Vec::new());
    while !ends(lines, "}") {
        let line = lines.next().ok_or("a map has no end")?;
        match line.split_once(": ") {
            Some((key, rest)) => pairs.push((value(key, lines)?, value(rest, lines)?)),
            None => items.push(value(line, lines)?),
        }
    }
    Ok(if items.is_empty() { Shown::Map(pairs) } else { Shown::List(items) })
}

fn ends(lines: &mut Lines<'_>, end: &str) -> bool {
    lines.next_if(|line| line.strip_suffix(',').unwrap_or(line) == end).is_some() || lines.peek().is_none()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "shown by Debug alone")]
    struct Sample {
        word: Option<Duration>,
        text: String,
        list: Vec<Inner>,
        map: BTreeMap<char, u8>,
        none: Vec<u8>,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "shown by Debug alone")]
    struct Inner(u8);

    #[test]
    fn what_debug_writes_is_read() {
        let sample = Sample {
            word: Some(Duration::from_millis(1500)),
            text: "a, \"b\": {".to_owned(),
            list: vec![Inner(1), Inner(2)],
            map: BTreeMap::from([('g', 5)]),
            none: Vec::new(),
        };

        let shown = Shown::read(&format!("{sample:#?}")).unwrap();

        let word = |word: &str| Shown::Word(word.to_owned());
        let wrapped = |name: &str, inner| Shown::Wrapped(name.to_owned(), Box::new(inner));
        assert_eq!(shown.field("word"), Some(&wrapped("Some", word("1.5s"))));
        assert_eq!(shown.field("text"), Some(&Shown::Text("a, \"b\": {".to_owned())));
        let list = vec![wrapped("Inner", word("1")), wrapped("Inner", word("2"))];
        assert_eq!(shown.field("list"), Some(&Shown::List(list)));
        let map = vec![(Shown::Text("g".to_owned()), word("5"))];
        assert_eq!(shown.field("map"), Some(&Shown::Map(map)));
        assert_eq!(shown.field("none"), Some(&Shown::List(Vec::new())));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        assert!(Shown::read("Sample {\n    text: ").is_err());
        assert!(Shown::read("1\n2").is_err());
    }
}
