//! Series as sources declare them.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Attribute, Expr, ExprCall, Ident, Lit, LitStr, Macro, Meta, Path, Token, Type, Visibility};

/// A series, or several that differ in their labels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) labels: Vec<String>,
    pub(super) help: String,
}

/// What Prometheus calls a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// Takes the name of a type of the crate `prometheus`.
    fn of(name: &str) -> Option<Self> {
        match name {
            "IntCounter" | "IntCounterVec" | "Counter" | "CounterVec" => Some(Self::Counter),
            "IntGauge" | "IntGaugeVec" | "Gauge" | "GaugeVec" => Some(Self::Gauge),
            "Histogram" | "HistogramVec" => Some(Self::Histogram),
            _ => None,
        }
    }
}

impl Series {
    /// Tells whether `/metrics` shows something under this name.
    pub(super) fn shows(&self, name: &str) -> bool {
        let suffixes: &[&str] = match self.kind {
            Kind::Histogram => &["", "_bucket", "_sum", "_count"],
            Kind::Counter | Kind::Gauge => &[""],
        };
        name.strip_prefix(&self.name).is_some_and(|rest| suffixes.contains(&rest))
    }
}

/// Reads the series that a source makes, outside of tests.
///
/// # Errors
/// What cannot be read.
pub(super) fn file(source: &str) -> syn::Result<Vec<Series>> {
    // Most make none, and take a while to parse.
    if !["metrics!", "Counter", "Gauge", "Histogram"].iter().any(|sign| source.contains(sign)) {
        return Ok(Vec::new());
    }
    let mut found = Found { series: Ok(Vec::new()) };
    found.visit_file(&syn::parse_file(source)?);
    found.series
}

struct Found {
    series: syn::Result<Vec<Series>>,
}

impl Found {
    fn add(&mut self, more: syn::Result<Vec<Series>>) {
        if let Ok(series) = &mut self.series {
            match more {
                Ok(more) => series.extend(more),
                Err(error) => self.series = Err(error),
            }
        }
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let is_test =
            |attribute: &Attribute| matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg"));
        if !module.attrs.iter().any(is_test) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        if last(&invocation.path).is_some_and(|name| name == "metrics") {
            self.add(invocation.parse_body::<Declared>().map(|declared| declared.0));
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(path) = &*call.func
            && let Some((kind, maker)) = maker(&path.path)
        {
            self.add(made_by_hand((kind, maker), call).map(|series| vec![series]));
        }
        syn::visit::visit_expr_call(self, call);
    }
}

fn last(path: &Path) -> Option<&Ident> {
    path.segments.last().map(|segment| &segment.ident)
}

/// Reads `IntCounter::with_opts`: the kind, and the function that makes one.
fn maker(path: &Path) -> Option<(Kind, &Ident)> {
    let of = path.segments.iter().rev().nth(1)?;
    Some((Kind::of(&of.ident.to_string())?, last(path)?))
}

/// Reads `IntCounter::with_opts(opts("name", "help"))`, the way of `bus`, which cannot use the macro: all of its series
/// have the label `worker`.
fn made_by_hand((kind, maker): (Kind, &Ident), call: &ExprCall) -> syn::Result<Series> {
    if let Some(Expr::Call(opts)) = call.args.first()
        && maker == "with_opts"
        && let [name, help] = strings(&opts.args).as_slice()
    {
        let labels = vec!["worker".to_owned()];
        return Ok(Series { name: name.clone(), kind, labels, help: help.clone() });
    }
    Err(syn::Error::new(maker.span(), "a series is made in a way that this task cannot read: use metrics!"))
}

fn strings<'a>(expressions: impl IntoIterator<Item = &'a Expr>) -> Vec<String> {
    let text = |expression: &Expr| match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    expressions.into_iter().filter_map(text).collect()
}

/// The body of `metrics!`.
struct Declared(Vec<Series>);

impl Parse for Declared {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse::<Token![struct]>()?;
        input.parse::<Ident>()?;
        let prefix;
        syn::parenthesized!(prefix in input);
        let prefix = prefix.parse::<LitStr>()?.value();
        let fields;
        syn::braced!(fields in input);
        let fields = Punctuated::<Field, Token![,]>::parse_terminated(&fields)?;
        let named = |Field(mut series): Field| {
            series.name.insert_str(0, &prefix);
            series
        };
        Ok(Self(fields.into_iter().map(named).collect()))
    }
}

/// `/// help` `name: Kind = shape`.
struct Field(Series);

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let docs = input.call(Attribute::parse_outer)?;
        let name: Ident = input.parse()?;
        input.parse::<Token![:]>()?;
        let of: Type = input.parse()?;
        let kind = match &of {
            Type::Path(of) => last(&of.path).and_then(|name| Kind::of(&name.to_string())),
            _ => None,
        };
        let kind =
            kind.ok_or_else(|| syn::Error::new(name.span(), format!("{name} is no kind of series")))?;
        let mut labels = Vec::new();
        if input.parse::<Option<Token![=]>>()?.is_some() {
            labels = labels_of(&input.parse()?);
        }
        let lines = docs.iter().filter_map(|doc| match &doc.meta {
            Meta::NameValue(doc) => strings([&doc.value]).pop(),
            _ => None,
        });
        let help = lines.collect::<String>().trim().to_owned();
        Ok(Self(Series { name: name.to_string(), kind, labels, help }))
    }
}

/// Finds the labels in the shape of a series: its only texts.
fn labels_of(shape: &Expr) -> Vec<String> {
    match shape {
        Expr::Reference(shape) => labels_of(&shape.expr),
        Expr::Array(labels) => strings(&labels.elems),
        Expr::Tuple(shapes) => shapes.elems.iter().flat_map(labels_of).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_kinds_labels_and_help_are_read() {
        let source = r#"
            telemetry::metrics! {
                /// Sample.
                pub(crate) struct Metrics("sealpost_sample_") {
                    /// Things counted,
                    /// over two lines.
                    things_total: IntCounter,
                    /// Time by kind.
                    kind_seconds: HistogramVec = (&["kind", "way"], &[0.5, 1.0]),
                }
            }
            #[cfg(test)]
            mod tests { telemetry::metrics! { struct T("t_") { /// No.
                x: IntGauge, } } }
        "#;

        let series = file(source).unwrap();

        let expected = [
            ("sealpost_sample_things_total", Kind::Counter, vec![], "Things counted, over two lines."),
            ("sealpost_sample_kind_seconds", Kind::Histogram, vec!["kind", "way"], "Time by kind."),
        ];
        for (one, (name, kind, labels, help)) in series.iter().zip(&expected) {
            assert_eq!((one.name.as_str(), one.kind, one.help.as_str()), (*name, *kind, *help));
            assert_eq!(&one.labels, labels);
        }
        assert_eq!(series.len(), expected.len());
    }

    #[test]
    fn series_made_by_hand_are_read_or_refused() {
        let read = |call: &str| file(&format!("fn f() {{ {call}; }}"));

        let known = read("IntGauge::with_opts(opts(\"lag\", \"How far.\"))").unwrap();

        assert_eq!((known[0].name.as_str(), known[0].kind), ("lag", Kind::Gauge));
        assert!(read("IntGauge::with_opts(Opts::new(name, help))").is_err());
        assert!(read("IntCounter::new(\"name\", \"help\")").is_err());
    }
}
