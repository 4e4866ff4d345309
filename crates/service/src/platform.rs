//! What a process gives to the services in it.

use std::path::PathBuf;
use std::sync::Arc;

use bus::Bus;
use bus::live::Live;
use clients::{AuthClient, MailboxClient, Nudger, Peer, Timeouts, http_client};
use common::crypto::Secret;
use common::models::SharedClock;
use db::Db;
use url::Url;
use web::Gate;

use crate::error::StartError;
use crate::settings::{CommonSettings, own_url};

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
    /// Calls of auth.
    pub auth: AuthClient,
    /// Calls of mailbox.
    pub mailbox: MailboxClient,
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

/// The clients of the other services.
pub(crate) struct Clients {
    pub(crate) auth: AuthClient,
    pub(crate) mailbox: MailboxClient,
    pub(crate) nudger: Nudger,
}

impl Clients {
    /// A service without a URL in the settings is in this process, or at its name in the cluster.
    pub(crate) fn new(settings: &CommonSettings, identity: &Identity<'_>) -> Result<Self, StartError> {
        let internal = &settings.internal;
        let own = |address| own_url(address).map_err(|error| unusable(&error));
        let locate = |service: &'static str, url: &Option<Url>| match url {
            Some(url) => Ok(url.clone()),
            None if identity.hosted.contains(&service) => own(identity.internal),
            None => Url::parse(&format!("http://{service}:9090")).map_err(|error| unusable(&error)),
        };
        let urls = [
            ("auth", locate("auth", &internal.auth_url)?),
            ("keystore", locate("keystore", &internal.keystore_url)?),
            ("mailbox", locate("mailbox", &internal.mailbox_url)?),
        ];
        let jwks = match &internal.jwks_url {
            None if internal.auth_url.is_none() && identity.hosted.contains(&"auth") => {
                let mut url = own(identity.http)?;
                url.set_path(".well-known/jwks.json");
                Some(url)
            }
            url => url.clone(),
        };

        let tls = urls.iter().map(|(_, url)| url).chain(&jwks).any(|url| url.scheme() == "https");
        let http = http_client(Timeouts::default(), tls)?;
        let token = internal.token.clone().unwrap_or_else(|| Secret::from(""));
        let [auth, keystore, mailbox] =
            urls.map(|(service, url)| Peer::new(service, url, token.clone(), http.clone()));
        let (auth, keystore, mailbox) = (auth?, keystore?, mailbox?);
        Ok(Self {
            nudger: Nudger::new(vec![auth.clone(), keystore, mailbox.clone()]),
            auth: AuthClient::new(auth, jwks),
            mailbox: MailboxClient::new(mailbox),
        })
    }
}

fn unusable(error: &url::ParseError) -> StartError {
    clients::ClientError::Settings(error.to_string()).into()
}
