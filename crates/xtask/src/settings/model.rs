//! The settings as a tree: what sources declare, with the defaults that the code has.

use serde_json::{Map, Value};
use syn::{GenericArgument, PathArguments, Type};

use super::defaults::Defaults;
use super::shown::Shown;
use super::source::{Absent, Declared, Field, Shape, Sources, Word, ident};
use super::values::value;

/// One setting.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) docs: String,
    pub(super) kind: Kind,
    /// What holds where it is not given; none where nothing does, or nobody may see it.
    pub(super) default: Option<Value>,
    /// Whether it has to be given.
    pub(super) needed: bool,
    /// What a start says of a value that its type takes, and that cannot work.
    pub(super) rules: Vec<String>,
}

/// What a setting is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Flag,
    /// From, and to where that is worth saying.
    Integer(u64, Option<u64>),
    Number,
    Time,
    /// A time, or `never`.
    Term,
    Text,
    /// A text of a form that this names.
    Form(&'static str),
    /// One of these.
    Words(Vec<Choice>),
    Secret(Box<Kind>),
    /// What may hold a secret, and is not shown with its value.
    Private(Box<Kind>),
    List(Box<Kind>),
    /// By names that the operator gives.
    Named(Box<Kind>),
    Table(Vec<Setting>),
    /// Whatever JSON has.
    Any,
}

/// A word that can be chosen.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) written: String,
    /// What the code calls it.
    pub(super) variant: String,
    pub(super) docs: String,
}

/// Types that read a text themselves, or whatever they find, and what they want.
const FORMS: [(&str, &str); 15] = [
    ("PathBuf", "path"),
    ("Url", "URL"),
    ("SocketAddr", "address:port"),
    ("Cidr", "address or CIDR block"),
    ("ClientId", "name of a client"),
    ("SmscName", "name"),
    ("RouteName", "name"),
    ("EndpointRule", "host, *.domain, * or origin"),
    ("CommandStatus", "name or code of a command_status"),
    ("NumberPattern", "pattern of numbers"),
    ("NumberPrefix", "beginning of numbers"),
    ("OwnNumber", "number or pattern"),
    ("Pattern", "regular expression"),
    ("Pointer", "JSON pointer"),
    ("char", "letter"),
];

/// Types whose `Debug` hides what an operator has written, for a key may be in it.
const PRIVATE: [&str; 4] = ["JsonTemplate", "Publisher", "Template", "UrlTemplate"];

/// The whole numbers, with the largest where that is a limit one can meet.
const INTEGERS: [(&str, u64, Option<u64>); 8] = [
    ("u8", 0, Some(u8::MAX as u64)),
    ("u16", 0, Some(u16::MAX as u64)),
    ("u32", 0, Some(u32::MAX as u64)),
    ("u64", 0, None),
    ("usize", 0, None),
    ("NonZeroU16", 1, Some(u16::MAX as u64)),
    ("NonZeroU32", 1, Some(u32::MAX as u64)),
    ("NonZeroUsize", 1, None),
];

/// Makes trees.
pub(super) struct Model<'a> {
    pub(super) sources: &'a Sources,
    pub(super) defaults: &'a Defaults,
}

impl Model<'_> {
    /// The table that a type is read from.
    ///
    /// # Errors
    /// What is not known of it.
    pub(super) fn table(&self, declared: &Declared, shown: Option<&Shown>) -> Result<Vec<Setting>, String> {
        let Shape::Table(fields) = &declared.shape else {
            return Err(format!("{}::{} is no table", declared.member, declared.name));
        };
        // What is shown of a list's element or of a table that is not there by default is that of its type.
        let shown = match shown {
            Some(shown @ Shown::Struct(_)) => Some(shown),
            _ => self.defaults.of(&declared.member, &declared.name),
        };
        fields.iter().map(|field| self.setting(declared, field, shown)).collect()
    }

    fn setting(&self, of: &Declared, field: &Field, shown: Option<&Shown>) -> Result<Setting, String> {
        let place = || format!("{}::{}.{}", of.member, of.name, field.ident);
        let at = |error: String| format!("{}: {error}", place());
        let shown = match (&field.absent, shown) {
            (Absent::Default, None) => {
                return Err(
                    at("the default of its table is not shown: add the type to `defaults.rs`".into()),
                );
            }
            // A field that has to be given in a table may have a value in the default of the table.
            (_, shown) => shown.and_then(|shown| shown.field(&field.ident)),
        };
        let kind = self.kind(of, &field.of, shown).map_err(at)?;
        let own = self.defaults.written(&of.member, &of.name, &field.ident);
        let default = match (&field.absent, own) {
            (_, Some(value)) => Some(value.clone()),
            (Absent::Default | Absent::Refused, None) => match (&kind, shown) {
                (Kind::Table(settings), Some(Shown::Struct(_))) => Some(defaults(settings)),
                (_, shown) => shown.map(|shown| value(&kind, shown)).transpose().map_err(at)?.flatten(),
            },
            (Absent::Function(function), None) => {
                let constant = self.sources.constant(&of.member, function).cloned();
                Some(constant.ok_or_else(|| at(format!("{function}() is no literal")))?)
            }
            (Absent::Empty, None) if ident(&field.of).is_some_and(|of| of == "Option") => None,
            (Absent::Empty, None) => self.empty(of, &field.of),
        };
        Ok(Setting {
            name: field.name.clone(),
            docs: field.docs.clone(),
            needed: field.absent == Absent::Refused,
            rules: self.sources.rules(of, &field.ident).to_vec(),
            kind,
            default,
        })
    }

    fn kind(&self, seen_from: &Declared, of: &Type, shown: Option<&Shown>) -> Result<Kind, String> {
        let name = ident(of).ok_or("has a type without a name")?;
        let inner = |place: usize| argument(of, place).ok_or(format!("{name} of what?"));
        let boxed = |kind: Kind| Box::new(kind);
        if let Some((_, least, most)) = INTEGERS.iter().find(|(known, ..)| *known == name) {
            return Ok(Kind::Integer(*least, *most));
        }
        if let Some((_, says)) = FORMS.iter().find(|(known, _)| *known == name) {
            return Ok(Kind::Form(says));
        }
        Ok(match name.as_str() {
            "bool" => Kind::Flag,
            "f64" => Kind::Number,
            "Duration" => Kind::Time,
            "Retention" => Kind::Term,
            "String" => Kind::Text,
            "Value" | "ApiKey" => Kind::Any,
            "SigningSecret" => Kind::Secret(boxed(Kind::Text)),
            "Secret" => Kind::Secret(boxed(self.kind(seen_from, inner(0)?, None)?)),
            "Option" => self.kind(seen_from, inner(0)?, shown.and_then(unwrapped))?,
            "Vec" => Kind::List(boxed(self.kind(seen_from, inner(0)?, None)?)),
            "BTreeMap" => Kind::Named(boxed(self.kind(seen_from, inner(1)?, None)?)),
            _ => {
                let qualified = first(of).and_then(|member| self.sources.get(&member, &name));
                let declared = qualified.or_else(|| self.sources.find(seen_from, &name));
                let declared = declared.ok_or(format!("{name} is not known"))?;
                match &declared.shape {
                    Shape::Table(_) => Kind::Table(self.table(declared, shown)?),
                    Shape::Words(words) => Kind::Words(self.words(declared, words)?),
                    Shape::Like { of, secret } => {
                        let kind = boxed(self.kind(declared, of, None)?);
                        match *secret {
                            true => Kind::Secret(kind),
                            false if PRIVATE.contains(&name.as_str()) => Kind::Private(kind),
                            false => *kind,
                        }
                    }
                }
            }
        })
    }

    fn words(&self, of: &Declared, words: &[Word]) -> Result<Vec<Choice>, String> {
        let word = |word: &Word| {
            let written = self.sources.spelled(of, word);
            let written = written.ok_or(format!("{}::{} is spelled nowhere", of.name, word.variant))?;
            let (written, variant) = (written.to_owned(), word.variant.clone());
            Ok(Choice { written, variant, docs: word.docs.clone() })
        };
        words.iter().map(word).collect()
    }

    /// What `#[serde(default)]` on a field gives.
    fn empty(&self, seen_from: &Declared, of: &Type) -> Option<Value> {
        match ident(of)?.as_str() {
            "Vec" => Some(Value::Array(Vec::new())),
            "BTreeMap" => Some(Value::Object(Map::new())),
            "String" => Some(Value::from("")),
            "bool" => Some(Value::from(false)),
            "f64" => Some(Value::from(0.0)),
            name => {
                let declared = self.sources.find(seen_from, name)?;
                let Shape::Words(words) = &declared.shape else { return None };
                let word = words.iter().find(|word| word.is_default)?;
                self.sources.spelled(declared, word).map(Value::from)
            }
        }
    }
}

/// The defaults of a table as one value.
fn defaults(settings: &[Setting]) -> Value {
    let values = settings.iter().filter_map(|setting| Some((setting.name.clone(), setting.default.clone()?)));
    Value::Object(values.collect())
}

/// What is in `Some(…)`.
fn unwrapped(shown: &Shown) -> Option<&Shown> {
    match shown {
        Shown::Wrapped(name, inner) if name == "Some" => Some(inner),
        _ => None,
    }
}

/// The first name of a type's path: `socketio` of `socketio::Settings`.
fn first(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => path.path.segments.first().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// A type argument: `u8` is the second of `BTreeMap<char, u8>`.
fn argument(of: &Type, place: usize) -> Option<&Type> {
    let Type::Path(path) = of else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(of) => Some(of),
        _ => None,
    });
    types.clone().nth(place)
}
