//! How a provider is reached over HTTP: the table `connection` of `[[sms_gateway.wasp]]` and `[[sms_gateway.http]]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// What becomes of a message while no URL of a provider can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unreachable {
    /// It is FAILED at once, as the specification of WASP has it.
    Fail,
    /// It waits until its deadline, or goes through another back end.
    Wait,
}

/// A connection over HTTP. TLS certificates and names are always verified.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connection {
    /// Authorities that may vouch for the provider, PEM, and no others; the system's when not given.
    pub ca_file: Option<PathBuf>,
    /// How long a connection may take, TLS included.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long a request may take with all, from its connection to the end of its answer.
    #[serde(with = "humantime_serde")]
    pub response_timeout: Duration,
    /// How long an idle connection is kept for the next message. Below what the provider's server keeps it for: a
    /// message that meets its end on the way has an unknown outcome. `0s`: each message has a connection of its own.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// Octets of an answer that are read, at most.
    pub max_answer_bytes: usize,
    /// First pause when no URL can be reached, or three messages in a row were not answered; doubled at each repetition.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
    /// Longest such pause.
    #[serde(with = "humantime_serde")]
    pub pause_max: Duration,
    /// Longest pause that the provider can ask for.
    #[serde(with = "humantime_serde")]
    pub retry_after_max: Duration,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            ca_file: None,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(15),
            keep_alive: Duration::from_secs(4),
            max_answer_bytes: 64 * 1024,
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(60),
            retry_after_max: Duration::from_secs(15 * 60),
        }
    }
}

impl Connection {
    /// Finds what the types cannot express.
    pub(super) fn faults(&self, fault: &mut dyn FnMut(&str, &str)) {
        for (fits, place, what) in [
            (!self.connect_timeout.is_zero(), "connection.connect_timeout", "must be above 0"),
            (
                self.response_timeout > self.connect_timeout,
                "connection.response_timeout",
                "must be above connect_timeout, or nobody can tell what was not sent",
            ),
            (self.max_answer_bytes > 0, "connection.max_answer_bytes", "must be above 0"),
            (!self.pause.is_zero(), "connection.pause", "must be above 0"),
            (self.pause_max >= self.pause, "connection.pause_max", "must not be below pause"),
        ] {
            if !fits {
                fault(place, what);
            }
        }
    }
}
