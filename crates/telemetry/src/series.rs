//! Structs of metric series, registered once, with their doc comments as help texts.

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
};
use prometheus::{Opts, Registry};

/// A kind of series that [`metrics!`](crate::metrics!) can make.
pub trait Series: Collector + Clone + 'static {
    /// What has to be said beyond name and help: label names, bucket bounds (ascending, in the unit of the name).
    type Shape;

    /// Makes the series, not yet registered.
    ///
    /// # Errors
    /// Those of [`prometheus`]: a name or label that its rules forbid.
    fn build(name: &str, help: &str, shape: Self::Shape) -> prometheus::Result<Self>;
}

impl Series for IntCounter {
    type Shape = ();
    fn build(name: &str, help: &str, (): ()) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

impl Series for IntGauge {
    type Shape = ();
    fn build(name: &str, help: &str, (): ()) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

impl Series for IntCounterVec {
    type Shape = &'static [&'static str];
    fn build(name: &str, help: &str, labels: Self::Shape) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Series for GaugeVec {
    type Shape = &'static [&'static str];
    fn build(name: &str, help: &str, labels: Self::Shape) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Series for IntGaugeVec {
    type Shape = &'static [&'static str];
    fn build(name: &str, help: &str, labels: Self::Shape) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Series for Histogram {
    type Shape = &'static [f64];
    fn build(name: &str, help: &str, buckets: Self::Shape) -> prometheus::Result<Self> {
        Self::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))
    }
}

impl Series for HistogramVec {
    type Shape = (&'static [&'static str], &'static [f64]);
    fn build(name: &str, help: &str, (labels, buckets): Self::Shape) -> prometheus::Result<Self> {
        Self::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)
    }
}

/// Registers what the operating system knows of this process (CPU, memory, open files); once per process.
///
/// # Errors
/// Those of [`prometheus`]: registered already.
pub fn process_metrics(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
}

/// Defines a struct of series and its `register(&Registry) -> prometheus::Result<Self>`.
///
/// The text after the struct's name is put before each field's name; a field's doc comment is its help text. Counters
/// and gauges need no more; labels, or buckets, or both follow `=`. Labels take few values each (an enum's
/// `as_str()`), never ids, numbers or paths.
///
/// ```
/// use telemetry::prometheus::{Histogram, IntCounter, IntCounterVec, Registry};
///
/// telemetry::metrics! {
///     /// What the mailbox reports.
///     pub struct Metrics("sealpost_mailbox_") {
///         /// Envelopes stored.
///         envelopes_total: IntCounter,
///         /// Sends by outcome.
///         sends_total: IntCounterVec = &["outcome"],
///         /// Time of one group commit.
///         commit_seconds: Histogram = &[0.001, 0.01, 0.1, 1.0],
///     }
/// }
///
/// let registry = Registry::new();
/// let metrics = Metrics::register(&registry)?;
/// metrics.sends_total.with_label_values(&["stored"]).inc();
/// # Ok::<(), telemetry::prometheus::Error>(())
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident($prefix:literal) {
            $( $(#[doc = $help:literal])+ $field:ident: $kind:ty $(= $shape:expr)? ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( $(#[doc = $help])+ $vis $field: $kind, )+
        }

        impl $name {
            /// Makes the series and registers them.
            ///
            /// # Errors
            /// Those of `prometheus`: a forbidden name, or a series registered already.
            $vis fn register(registry: &$crate::prometheus::Registry) -> $crate::prometheus::Result<Self> {
                Ok(Self {
                    $( $field: {
                        let series = <$kind as $crate::Series>::build(
                            concat!($prefix, stringify!($field)),
                            concat!($($help),+).trim(),
                            ($($shape)?),
                        )?;
                        registry.register(Box::new(series.clone()))?;
                        series
                    }, )+
                })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder, TextEncoder};

    use super::*;

    crate::metrics! {
        /// A sample of each kind.
        struct Sample("sample_") {
            /// Things counted,
            /// over two lines.
            things_total: IntCounter,
            /// Things by kind.
            kinds_total: IntCounterVec = &["kind"],
            /// Things waiting.
            waiting: IntGauge,
            /// Time taken.
            taken_seconds: Histogram = &[0.1, 1.0],
            /// Time by kind.
            kind_seconds: HistogramVec = (&["kind"], &[0.5]),
        }
    }

    #[test]
    fn series_carry_their_names_and_help() {
        let registry = Registry::new();

        let sample = Sample::register(&registry).unwrap();
        sample.things_total.inc();
        sample.waiting.set(3);
        sample.kinds_total.with_label_values(&["a"]).inc_by(2);
        sample.taken_seconds.observe(0.5);
        sample.kind_seconds.with_label_values(&["a"]).observe(0.2);

        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "# HELP sample_things_total Things counted, over two lines.",
            "sample_things_total 1",
            "sample_kinds_total{kind=\"a\"} 2",
            "sample_waiting 3",
            "sample_taken_seconds_bucket{le=\"1\"} 1",
            "sample_kind_seconds_count{kind=\"a\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
    }

    #[test]
    fn a_second_registration_is_refused() {
        let registry = Registry::new();

        assert!(Sample::register(&registry).is_ok());
        assert!(Sample::register(&registry).is_err());
    }
}
