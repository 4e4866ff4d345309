//! Types of settings, as sources declare them: fields and words with their doc comments, and how serde reads them.

mod attributes;
mod limits;
mod types;

use std::collections::BTreeMap;
use std::rc::Rc;

use syn::visit::Visit;

pub(super) use types::{Absent, Field, Shape, Word, ident};

/// The types of all sources, by crate and name.
#[derive(Default)]
pub(super) struct Sources {
    types: BTreeMap<(String, String), Declared>,
    /// What a word is for an enum that serde does not read itself, by crate, type and variant.
    spelled: BTreeMap<(String, String, String), String>,
    /// Functions without parameters whose body is a literal: what `#[serde(default = "…")]` names.
    constants: BTreeMap<(String, String), serde_json::Value>,
    /// What `validate()` and its like say of a field, by crate, type and field.
    rules: BTreeMap<(String, String, String), Vec<String>>,
}

/// One type.
pub(super) struct Declared {
    /// The crate that has it, as code calls it: `sms_gateway`.
    pub(super) member: String,
    pub(super) name: String,
    pub(super) docs: String,
    pub(super) shape: Shape,
    /// The crates of the names that its file imports.
    imports: Rc<BTreeMap<String, String>>,
}

impl Sources {
    /// Adds what a source of the crate `member` declares, outside of tests.
    ///
    /// # Errors
    /// What cannot be read.
    pub(super) fn add(&mut self, member: &str, source: &str) -> syn::Result<()> {
        // Most files have none, and take a while to parse.
        if !["Deserialize", "fn as_str", "FromStr for"].iter().any(|sign| source.contains(sign)) {
            return Ok(());
        }
        let file = syn::parse_file(source)?;
        let mut imports = Imports::default();
        imports.visit_file(&file);
        let mut found = types::Found::new(member, Rc::new(imports.0));
        found.visit_file(&file);
        let found = found.end()?;
        for declared in found.types {
            self.types.insert((member.to_owned(), declared.name.clone()), declared);
        }
        self.spelled.extend(
            found.spelled.into_iter().map(|((of, variant), word)| ((member.to_owned(), of, variant), word)),
        );
        self.constants
            .extend(found.constants.into_iter().map(|(name, value)| ((member.to_owned(), name), value)));
        for ((of, field), rule) in super::rules::file(&file) {
            let rules = self.rules.entry((member.to_owned(), of, field)).or_default();
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        Ok(())
    }

    /// The type `name` as a file of `seen_from` names it, or of its own crate if that has none of this name.
    pub(super) fn find(&self, seen_from: &Declared, name: &str) -> Option<&Declared> {
        let own = self.get(&seen_from.member, name);
        let imported = seen_from.imports.get(name).and_then(|member| self.get(member, name));
        imported.or(own)
    }

    /// The type of a crate.
    pub(super) fn get(&self, member: &str, name: &str) -> Option<&Declared> {
        self.types.get(&(member.to_owned(), name.to_owned()))
    }

    /// The value of the function that a `default = "…"` names.
    pub(super) fn constant(&self, member: &str, name: &str) -> Option<&serde_json::Value> {
        self.constants.get(&(member.to_owned(), name.to_owned()))
    }

    /// How a variant is written.
    pub(super) fn spelled<'a>(&'a self, of: &Declared, word: &'a Word) -> Option<&'a str> {
        if let Some(written) = &word.written {
            return Some(written);
        }
        let key = (of.member.clone(), of.name.clone(), word.variant.clone());
        self.spelled.get(&key).map(String::as_str)
    }

    /// What a start says of a field whose value cannot work.
    pub(super) fn rules(&self, of: &Declared, field: &str) -> &[String] {
        let key = (of.member.clone(), of.name.clone(), field.to_owned());
        self.rules.get(&key).map_or(&[], Vec::as_slice)
    }
}

/// The crate behind each imported name.
#[derive(Default)]
struct Imports(BTreeMap<String, String>);

impl Imports {
    fn of(&mut self, first: &str, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.of(first, &path.tree),
            syn::UseTree::Name(name) => {
                self.0.insert(name.ident.to_string(), first.to_owned());
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.of(first, tree)),
            syn::UseTree::Rename(_) | syn::UseTree::Glob(_) => {}
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        if let syn::UseTree::Path(path) = &import.tree {
            self.of(&path.ident.to_string(), &path.tree);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        let mut sources = Sources::default();
        files.iter().for_each(|(member, source)| sources.add(member, source).unwrap());
        sources
    }

    #[test]
    fn a_name_is_that_of_the_import_or_else_of_the_own_crate() {
        let sources = sources(&[
            ("web", "#[derive(Deserialize)] struct Http { a: u8 }"),
            (
                "sms",
                "#[derive(Deserialize)] struct Http { b: u8 }  #[derive(Deserialize)] struct In { c: Http }",
            ),
            ("service", "use web::{Http}; #[derive(Deserialize)] struct Common { http: Http }"),
        ]);
        let from = |member: &str, name: &str| {
            let seen_from = sources.get(member, name).unwrap();
            sources.find(seen_from, "Http").unwrap().member.clone()
        };

        assert_eq!((from("service", "Common").as_str(), from("sms", "In").as_str()), ("web", "sms"));
    }

    #[test]
    fn words_are_spelled_by_serde_or_by_the_functions_of_their_type() {
        let sources = sources(&[(
            "sms",
            r#"
            #[derive(Deserialize)] #[serde(rename_all = "snake_case")]
            enum A { SaslSsl, #[serde(rename = "x.y")] Other }
            enum B { AsIs }
            impl B { fn as_str(self) -> &'static str { match self { Self::AsIs => "as-is" } } }
            enum C { Smpp34 }
            impl FromStr for C { fn from_str(text: &str) -> R { match text { "3.4" => Ok(Self::Smpp34), _ => Err(X) } } }
            "#,
        )]);

        let words = |name: &str| -> Vec<String> {
            let declared = sources.get("sms", name).unwrap();
            let Shape::Words(words) = &declared.shape else { panic!("{name} has no words") };
            words.iter().map(|word| sources.spelled(declared, word).unwrap().to_owned()).collect()
        };

        assert_eq!(words("A"), ["sasl_ssl", "x.y"]);
        assert_eq!((words("B"), words("C")), (vec!["as-is".to_owned()], vec!["3.4".to_owned()]));
    }

    #[test]
    fn fields_tell_their_docs_their_names_and_what_holds_without_them() {
        let sources = sources(&[(
            "relay",
            r#"
            /// One
            /// of them; see [`Other`].
            #[derive(Clone, Deserialize)]
            struct Share {
                /// Its name.
                #[serde(rename = "type")]
                kind: String,
                #[serde(default = "one")]
                weight: u32,
                #[serde(default)]
                senders: Vec<String>,
            }
            fn one() -> u32 { 1 }
            #[derive(Deserialize)] #[serde(default)] struct Whole { a: u8 }
            "#,
        )]);
        let fields = |name: &str| match &sources.get("relay", name).unwrap().shape {
            Shape::Table(fields) => {
                fields.iter().map(|field| (field.name.clone(), field.absent.clone())).collect()
            }
            _ => Vec::new(),
        };

        assert_eq!(sources.get("relay", "Share").unwrap().docs, "One of them; see `Other`.");
        assert_eq!(
            fields("Share"),
            [
                ("type".to_owned(), Absent::Refused),
                ("weight".to_owned(), Absent::Function("one".to_owned())),
                ("senders".to_owned(), Absent::Empty),
            ]
        );
        assert_eq!(sources.constant("relay", "one"), Some(&serde_json::json!(1)));
        assert_eq!(fields("Whole"), [("a".to_owned(), Absent::Default)]);
    }
}
