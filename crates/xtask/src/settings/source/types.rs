//! What one source declares.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;
use syn::visit::Visit;
use syn::{Attribute, Expr, Fields, ImplItem, Lit, Pat, Stmt, Type};

use super::Declared;
use super::attributes::{Serde, derives, docs, literal, rename};
use super::limits::Limits;

/// What a type is to serde.
pub(in crate::settings) enum Shape {
    /// A table with these fields.
    Table(Vec<Field>),
    /// One of these.
    Words(Vec<Word>),
    /// Read as another type is; a secret if there is one in it.
    Like { of: Box<Type>, secret: bool },
}

/// One field of a table.
pub(in crate::settings) struct Field {
    /// Its name in a settings file.
    pub(in crate::settings) name: String,
    /// Its name in the code.
    pub(in crate::settings) ident: String,
    pub(in crate::settings) docs: String,
    pub(in crate::settings) of: Type,
    pub(in crate::settings) absent: Absent,
}

/// What holds where a field is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::settings) enum Absent {
    /// It has to be given.
    Refused,
    /// What the `Default` of the table says.
    Default,
    /// What the `Default` of its own type says.
    Empty,
    /// What this function gives.
    Function(String),
}

/// One value of an enum.
pub(in crate::settings) struct Word {
    pub(in crate::settings) variant: String,
    /// How serde spells it; none where the type has functions for that.
    pub(in crate::settings) written: Option<String>,
    pub(in crate::settings) docs: String,
    /// Whether it is the enum's default.
    pub(in crate::settings) is_default: bool,
}

/// What was found in a file.
pub(super) struct Found {
    member: String,
    imports: Rc<BTreeMap<String, String>>,
    pub(super) types: Vec<Declared>,
    pub(super) spelled: BTreeMap<(String, String), String>,
    pub(super) constants: BTreeMap<String, Value>,
    error: Option<syn::Error>,
}

impl Found {
    pub(super) fn new(member: &str, imports: Rc<BTreeMap<String, String>>) -> Self {
        Self {
            member: member.to_owned(),
            imports,
            types: Vec::new(),
            spelled: BTreeMap::new(),
            constants: BTreeMap::new(),
            error: None,
        }
    }

    pub(super) fn end(self) -> syn::Result<Self> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    fn declare(&mut self, name: String, attributes: &[Attribute], shape: Shape) {
        let (member, imports) = (self.member.clone(), Rc::clone(&self.imports));
        self.types.push(Declared { member, name, docs: docs(attributes), shape, imports });
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        if !derives(&item.attrs, "Deserialize") {
            return;
        }
        let serde = Serde::of(&item.attrs);
        let like = serde.value("from").or(serde.value("try_from"));
        let secret = item.fields.iter().any(|field| mentions(&field.ty, "Secret"));
        let shape = match (like.map(syn::parse_str::<Type>), &item.fields) {
            (Some(Ok(of)), _) => Shape::Like { of: Box::new(of), secret },
            (Some(Err(error)), _) => return self.error = Some(error),
            (None, Fields::Unnamed(fields)) => match fields.unnamed.first() {
                Some(field) => Shape::Like { of: Box::new(field.ty.clone()), secret },
                None => return,
            },
            (None, Fields::Named(fields)) => {
                let whole = serde.is("default");
                Shape::Table(fields.named.iter().map(|field| table_field(field, whole)).collect())
            }
            (None, Fields::Unit) => return,
        };
        self.declare(item.ident.to_string(), &item.attrs, shape);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        let (reads, serde) = (derives(&item.attrs, "Deserialize"), Serde::of(&item.attrs));
        let like = serde.value("from").or(serde.value("try_from")).map(syn::parse_str::<Type>);
        let shape = match like {
            Some(Ok(of)) => Shape::Like { of: Box::new(of), secret: false },
            Some(Err(error)) => return self.error = Some(error),
            None => {
                let word = |variant: &syn::Variant| {
                    let own = Serde::of(&variant.attrs);
                    let name = variant.ident.to_string();
                    let renamed = || rename(&name, serde.value("rename_all"));
                    let written = reads.then(|| own.value("rename").map_or_else(renamed, str::to_owned));
                    let is_default =
                        variant.attrs.iter().any(|attribute| attribute.path().is_ident("default"));
                    Word { variant: name, written, docs: docs(&variant.attrs), is_default }
                };
                Shape::Words(item.variants.iter().map(word).collect())
            }
        };
        self.declare(item.ident.to_string(), &item.attrs, shape);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let Some(of) = ident(&item.self_ty) else { return };
        let functions = item.items.iter().filter_map(|item| match item {
            ImplItem::Fn(function) => Some(function),
            _ => None,
        });
        for function in functions.filter(|function| {
            let name = &function.sig.ident;
            name == "as_str" || name == "from_str"
        }) {
            let Some(Stmt::Expr(Expr::Match(choice), _)) = function.block.stmts.first() else { continue };
            for arm in &choice.arms {
                if let Some((variant, word)) = spelling(arm) {
                    self.spelled.insert((of.clone(), variant), word);
                }
            }
        }
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if item.mac.path.is_ident("rules") {
            match item.mac.parse_body::<Limits>() {
                Ok(limits) => {
                    let section = "The section `[limits]`: `enabled`, and `{ size, refill }` for any rule.";
                    self.declare("LimitSettings".to_owned(), &[], Shape::Table(limits.0));
                    if let Some(declared) = self.types.last_mut() {
                        declared.docs = section.to_owned();
                    }
                }
                Err(error) => self.error = Some(error),
            }
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if function.sig.inputs.is_empty()
            && let [Stmt::Expr(Expr::Lit(value), None)] = function.block.stmts.as_slice()
            && let Some(value) = literal(&value.lit)
        {
            self.constants.insert(function.sig.ident.to_string(), value);
        }
    }
}

/// Reads `Self::Variant => "word"`, and `"word" => Ok(Self::Variant)`.
fn spelling(arm: &syn::Arm) -> Option<(String, String)> {
    let text = |lit: &Lit| match lit {
        Lit::Str(text) => Some(text.value()),
        _ => None,
    };
    match (&arm.pat, &*arm.body) {
        (Pat::Lit(word), Expr::Call(made)) => match made.args.first()? {
            Expr::Path(variant) => Some((last(&variant.path)?, text(&word.lit)?)),
            _ => None,
        },
        (Pat::Path(variant), Expr::Lit(word)) => Some((last(&variant.path)?, text(&word.lit)?)),
        (Pat::Struct(variant), Expr::Lit(word)) => Some((last(&variant.path)?, text(&word.lit)?)),
        _ => None,
    }
}

fn table_field(field: &syn::Field, whole: bool) -> Field {
    let serde = Serde::of(&field.attrs);
    let ident = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
    let absent = match (serde.value("default"), self::ident(&field.ty).as_deref()) {
        (Some(function), _) => Absent::Function(function.to_owned()),
        _ if serde.is("default") => Absent::Empty,
        _ if whole => Absent::Default,
        (None, Some("Option")) => Absent::Empty,
        _ => Absent::Refused,
    };
    let name = serde.value("rename").map_or_else(|| ident.clone(), str::to_owned);
    Field { name, ident, docs: docs(&field.attrs), of: field.ty.clone(), absent }
}

/// The last name of a type's path: `Option` of `Option<Url>`.
pub(in crate::settings) fn ident(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => last(&path.path),
        _ => None,
    }
}

fn last(path: &syn::Path) -> Option<String> {
    path.segments.last().map(|segment| segment.ident.to_string())
}

/// Tells whether a type has another one of this name somewhere in it.
fn mentions(of: &Type, name: &str) -> bool {
    struct Search<'a>(&'a str, bool);
    impl<'ast> Visit<'ast> for Search<'_> {
        fn visit_ident(&mut self, ident: &'ast syn::Ident) {
            self.1 |= ident == self.0;
        }
    }
    let mut search = Search(name, false);
    search.visit_type(of);
    search.1
}
