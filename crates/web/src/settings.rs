//! The sections `[http]` and `[internal]`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    time::Duration,
};

use common::crypto::Secret;
use serde::Deserialize;
use url::Url;

use crate::client_addr::Cidr;

/// `[http]`: the public listener and how it stops.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Address of the public listener. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where clients reach this server, for links in answers; none: taken from the request.
    pub public_url: Option<Url>,
    /// Proxies whose `X-Forwarded-For` is believed, as addresses or CIDR blocks.
    pub trusted_proxies: Vec<Cidr>,
    /// Origins whose pages may call this server (`https://app.example`), or `*` for all.
    pub cors_origins: Vec<String>,
    /// Worker threads; none: one per core.
    pub workers: Option<NonZeroUsize>,
    /// Largest JSON body in bytes where an endpoint names no limit of its own.
    pub json_limit_bytes: usize,
    /// Most websockets of this process.
    pub max_sockets: usize,
    /// How long an idle connection is kept.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// How long a client may take to send the head of a request.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// After an answer to a request whose body was not read to its end (413): how long what still comes is read and
    /// thrown away, so that the client or the proxy before us reads the answer instead of a reset. Exact to half a second;
    /// 0: closed at once.
    #[serde(with = "humantime_serde")]
    pub linger: Duration,
    /// After a stop signal: how long the server goes on as not ready, so that balancers notice.
    #[serde(with = "humantime_serde")]
    pub drain_delay: Duration,
    /// After that: how long sockets, requests and tasks may each take to finish.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            workers: None,
            json_limit_bytes: 256 * 1024,
            max_sockets: 100_000,
            keep_alive: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// `[internal]`: the listener for health, metrics, calls between services and operators.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InternalSettings {
    /// Address of the internal listener. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Credential of calls between services; none: every such call is refused.
    pub token: Option<Secret<String>>,
    /// Credential of operators; none: every such call is refused.
    pub admin_token: Option<Secret<String>>,
}

impl Default for InternalSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)), token: None, admin_token: None }
    }
}
