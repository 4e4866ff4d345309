//! What a process gives to the services in it.

use std::path::PathBuf;
use std::sync::Arc;

use bus::Bus;
use bus::live::Live;
use clients::{AuthClient, MailboxClient, Nudger, Peer, RelayClient, SyncClient, Timeouts, http_client};
use common::crypto::Secret;
use common::models::SharedClock;
use common::models::events::AccountEvent;
use db::Db;
use url::Url;
use web::{Gate, Limits};

use crate::error::StartError;
use crate::revocations::{broadcast, revoke};
use crate::settings::{CommonSettings, own_url};
use crate::signal_server::Throttles;

/// Handles that all services of a process share. Clones are cheap.
#[derive(Clone)]
pub struct Platform {
    /// The time.
    pub clock: SharedClock,
    /// The event bus.
    pub bus: Bus,
    /// The live fan-out.
    pub live: Live,
    /// Who may call; kept up to date by the host.
    pub gate: Arc<Gate>,
    /// How often callers may ask for what.
    pub limits: Limits,
    /// How often callers of the interface of signal_server may call.
    pub throttles: Arc<Throttles>,
    /// Calls of auth.
    pub auth: AuthClient,
    /// Calls of mailbox.
    pub mailbox: MailboxClient,
    /// Calls of sync.
    pub sync: SyncClient,
    /// Calls of relay.
    pub relay: RelayClient,
    /// Tells auth, keystore and mailbox of account events at once.
    pub nudger: Nudger,
    /// The common settings.
    pub settings: Arc<CommonSettings>,
    /// Where this process may keep files; none in a cluster.
    pub data_dir: Option<PathBuf>,
}

impl Platform {
    /// The handle on the database of one service; makes no connection.
    ///
    /// # Errors
    /// [`StartError::Config`] or [`StartError::Db`] for settings that cannot work.
    pub fn database(&self, schema: &str) -> Result<Db, StartError> {
        let settings = self.settings.database.of(schema, self.data_dir.as_deref())?;
        Ok(Db::new(&settings, schema)?)
    }

    /// Refuses the access tokens that `event` makes void, and tells the other pods.
    pub(crate) fn take(&self, event: &AccountEvent) {
        if revoke(&self.gate, event, self.clock.now()) {
            broadcast(&self.live, event);
        }
    }
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Who a process is, as far as its services need to know to find each other.
pub(crate) struct Identity<'a> {
    /// The services in it.
    pub(crate) hosted: &'a [&'static str],
    /// Its public listener.
    pub(crate) http: std::net::SocketAddr,
    /// Its internal listener.
    pub(crate) internal: std::net::SocketAddr,
}

impl Identity<'_> {
    /// The internal base URL of a service. One in this process is called here, whatever the settings say: a pod must
    /// not need the balancer, which knows only pods that are ready, to become ready itself.
    fn locate(&self, service: &'static str, configured: Option<&Url>) -> Result<Url, StartError> {
        match configured {
            _ if self.hosted.contains(&service) => own_url(self.internal).map_err(unusable),
            Some(url) => Ok(url.clone()),
            None => Url::parse(&format!("http://{service}:9090")).map_err(unusable),
        }
    }

    /// Where the public keys are, if not below the internal base URL of auth.
    fn locate_jwks(&self, configured: Option<&Url>) -> Result<Option<Url>, StartError> {
        if !self.hosted.contains(&"auth") {
            return Ok(configured.cloned());
        }
        let mut url = own_url(self.http).map_err(unusable)?;
        url.set_path(".well-known/jwks.json");
        Ok(Some(url))
    }
}

/// The clients of the other services.
pub(crate) struct Clients {
    pub(crate) auth: AuthClient,
    pub(crate) mailbox: MailboxClient,
    pub(crate) sync: SyncClient,
    pub(crate) relay: RelayClient,
    pub(crate) nudger: Nudger,
}

impl Clients {
    pub(crate) fn new(settings: &CommonSettings, identity: &Identity<'_>) -> Result<Self, StartError> {
        let internal = &settings.internal;
        let urls = [
            ("auth", identity.locate("auth", internal.auth_url.as_ref())?),
            ("keystore", identity.locate("keystore", internal.keystore_url.as_ref())?),
            ("mailbox", identity.locate("mailbox", internal.mailbox_url.as_ref())?),
            ("sync", identity.locate("sync", internal.sync_url.as_ref())?),
            ("relay", identity.locate("relay", internal.relay_url.as_ref())?),
        ];
        let jwks = identity.locate_jwks(internal.jwks_url.as_ref())?;
        let tls = urls.iter().map(|(_, url)| url).chain(&jwks).any(|url| url.scheme() == "https");
        let http = http_client(Timeouts { request: internal.timeout, ..Timeouts::default() }, tls)?;
        let token = internal.token.clone().unwrap_or_else(|| Secret::from(""));
        let [auth, keystore, mailbox, sync, relay] =
            urls.map(|(service, url)| Peer::new(service, url, token.clone(), http.clone()));
        let (auth, keystore, mailbox) = (auth?, keystore?, mailbox?);
        Ok(Self {
            nudger: Nudger::new(vec![auth.clone(), keystore, mailbox.clone()], internal.nudge_timeout),
            auth: AuthClient::new(auth, jwks),
            mailbox: MailboxClient::new(mailbox),
            sync: SyncClient::new(sync?),
            relay: RelayClient::new(relay?),
        })
    }
}

fn unusable(error: url::ParseError) -> StartError {
    clients::ClientError::Settings(error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(hosted: &[&'static str], configured: &str) -> (String, Option<String>) {
        let identity = Identity {
            hosted,
            http: "0.0.0.0:8080".parse().unwrap(),
            internal: "[::]:9091".parse().unwrap(),
        };
        let configured: Option<Url> = configured.parse().ok();
        let auth = identity.locate("auth", configured.as_ref()).unwrap();
        let jwks = identity.locate_jwks(configured.as_ref()).unwrap();
        (auth.to_string(), jwks.map(String::from))
    }

    #[test]
    fn a_service_in_this_process_is_called_in_this_process() {
        let own =
            ("http://[::1]:9091/".to_owned(), Some("http://127.0.0.1:8080/.well-known/jwks.json".to_owned()));

        assert_eq!(urls(&["auth"], ""), own);
        assert_eq!(urls(&["mailbox", "auth"], "https://elsewhere/"), own);
    }

    #[test]
    fn another_service_is_at_its_url_or_its_name() {
        assert_eq!(
            urls(&["mailbox"], "https://elsewhere/"),
            ("https://elsewhere/".to_owned(), Some("https://elsewhere/".to_owned()))
        );
        assert_eq!(urls(&["mailbox"], ""), ("http://auth:9090/".to_owned(), None));
    }
}
