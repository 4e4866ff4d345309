//! The section of the rate limits, which a macro makes: `rules!` in `web`.

use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Token};

use super::attributes::docs;
use super::types::{Absent, Field};

/// The body of `rules!` in `web`, which makes the section of the rate limits: the switch, then the rules.
pub(super) struct Limits(pub(super) Vec<Field>);

impl Parse for Limits {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut fields = Vec::new();
        while !input.is_empty() {
            let docs = docs(&input.call(Attribute::parse_outer)?);
            let first: syn::Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            let (name, of) = if input.parse::<Option<syn::LitBool>>()?.is_some() {
                (first, syn::parse_str("bool")?)
            } else {
                let name = input.parse()?;
                let rule;
                syn::braced!(rule in input);
                rule.parse::<Rest>()?;
                (name, syn::parse_str("BucketSettings")?)
            };
            let name = name.to_string();
            fields.push(Field { ident: name.clone(), name, docs, of, absent: Absent::Default });
        }
        Ok(Self(fields))
    }
}

/// What is left of a group.
struct Rest;

impl Parse for Rest {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.step(|cursor| {
            let mut rest = *cursor;
            while let Some((_, next)) = rest.token_tree() {
                rest = next;
            }
            Ok((Self, rest))
        })
    }
}
