//! What a start says of a field whose value its type takes, and that cannot work.
//!
//! Three forms are read, in the `impl` of a type of settings: a pair of texts in a row among the arguments of a call or the
//! parts of a tuple (`check(holds, "place", "rule")`); a loop over an array of places that passes the place on with one
//! rule; and a closure over such an array.

use std::collections::BTreeMap;

use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Expr, Lit, Pat, Token};

/// Reads the rules of a file: the type and the field, and what is said.
pub(super) fn file(file: &syn::File) -> Vec<((String, String), String)> {
    let mut rules = Vec::new();
    for item in &file.items {
        if let syn::Item::Impl(item) = item
            && item.trait_.is_none()
            && let Some(of) = super::source::ident(&item.self_ty)
        {
            let mut found = Found::default();
            found.visit_item_impl(item);
            rules.extend(found.rules.into_iter().map(|(place, rule)| {
                let field = place.rsplit('.').next().unwrap_or(&place).to_owned();
                ((of.clone(), field), rule)
            }));
        }
    }
    rules
}

#[derive(Default)]
struct Found {
    rules: Vec<(String, String)>,
    /// Arrays by the name of their variable, with the texts in them.
    places: BTreeMap<String, Vec<String>>,
}

impl Found {
    /// Finds the places that a loop or a closure goes over.
    fn places(&self, over: &Expr) -> Vec<String> {
        match over {
            Expr::Path(variable) => {
                let name = variable.path.get_ident().map(ToString::to_string).unwrap_or_default();
                self.places.get(&name).cloned().unwrap_or_default()
            }
            Expr::Array(array) => texts(array),
            _ => Vec::new(),
        }
    }

    /// Takes the one rule that stands behind a variable for the rule of all these places.
    fn rule_of(&mut self, places: Vec<String>, within: impl FnOnce(&mut Behind)) {
        let mut behind = Behind::default();
        within(&mut behind);
        if let Some(rule) = behind.rule {
            self.rules.extend(places.into_iter().map(|place| (place, rule.clone())));
        }
    }

    fn pairs(&mut self, parts: &Punctuated<Expr, Token![,]>) {
        let parts: Vec<Option<String>> = parts.iter().map(text).collect();
        if let Some([Some(place), Some(rule)]) =
            parts.windows(2).find(|pair| pair.iter().all(Option::is_some))
            && !place.contains(' ')
        {
            self.rules.push((place.clone(), rule.clone()));
        }
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init)
            && let Expr::Array(array) = &*init.expr
        {
            self.places.insert(name.ident.to_string(), texts(array));
        }
        syn::visit::visit_local(self, local);
    }

    fn visit_expr_for_loop(&mut self, each: &'ast syn::ExprForLoop) {
        let places = self.places(&each.expr);
        self.rule_of(places, |behind| behind.visit_block(&each.body));
        syn::visit::visit_expr_for_loop(self, each);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if let (true, Some(Expr::Closure(closure))) = (call.method == "map", call.args.first()) {
            let places = self.places(&call.receiver);
            self.rule_of(places, |behind| behind.visit_expr(&closure.body));
        }
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        self.pairs(&call.args);
        syn::visit::visit_expr_call(self, call);
    }

    fn visit_expr_tuple(&mut self, tuple: &'ast syn::ExprTuple) {
        self.pairs(&tuple.elems);
        syn::visit::visit_expr_tuple(self, tuple);
    }
}

/// A text right behind a variable called `place`.
#[derive(Default)]
struct Behind {
    rule: Option<String>,
}

impl Behind {
    fn look(&mut self, parts: &Punctuated<Expr, Token![,]>) {
        let parts: Vec<&Expr> = parts.iter().collect();
        for pair in parts.windows(2) {
            if let [Expr::Path(place), rule] = pair
                && place.path.is_ident("place")
                && let Some(rule) = text(rule)
            {
                self.rule = Some(rule);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Behind {
    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        self.look(&call.args);
        syn::visit::visit_expr_call(self, call);
    }

    fn visit_expr_tuple(&mut self, tuple: &'ast syn::ExprTuple) {
        self.look(&tuple.elems);
    }
}

/// The places of an array of tuples: those with one text.
fn texts(array: &syn::ExprArray) -> Vec<String> {
    let places = array.elems.iter().filter_map(|part| match part {
        Expr::Tuple(tuple) => {
            let mut texts = tuple.elems.iter().filter_map(text);
            texts.next().filter(|_| texts.next().is_none())
        }
        _ => None,
    });
    places.collect()
}

fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_in_the_three_forms() {
        let source = r#"
            impl Settings {
                fn validate(&self) {
                    check(self.a > 0, "a", "is above 0");
                    let counts = [(self.b, "b"), (self.c, "deep.c")];
                    for (count, place) in counts { check(count > 0, place, "is within 1..=9"); }
                    let times = [(self.d, "d")];
                    rules.extend(times.map(|(time, place)| (!time.is_zero(), place, "is long")));
                    for (fits, place, what) in [(self.e > 0, "e", "must be above 0")] { fault(place, what); }
                }
            }
        "#;

        let read = file(&syn::parse_file(source).unwrap());

        let rules: Vec<(&str, &str)> =
            read.iter().map(|((_, field), rule)| (field.as_str(), rule.as_str())).collect();
        assert_eq!(
            rules,
            [
                ("a", "is above 0"),
                ("b", "is within 1..=9"),
                ("c", "is within 1..=9"),
                ("d", "is long"),
                ("e", "must be above 0"),
            ]
        );
    }
}
