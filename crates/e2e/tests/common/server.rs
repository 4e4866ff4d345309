//! auth, keystore and mailbox in one process, for the suites of other systems' interfaces.

use std::time::Duration;

use common::crypto::jws::SigningKey;
use testkit::clock::{FakeClock, START};
use testkit::database::TestDb;
use testkit::host::{Apps, HostSettings, TestHost};

/// A server, on a clock that tests move.
pub(crate) struct Server {
    pub(crate) host: TestHost,
    pub(crate) clock: FakeClock,
}

impl Server {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(db, &[]).await
    }

    pub(crate) async fn start_with(db: &TestDb, more: &[(&str, &str)]) -> Self {
        let key = SigningKey::generate().unwrap().to_text();
        let clock = FakeClock::at(START);
        let mut settings = vec![("auth.signing_key", key.expose().as_str())];
        settings.extend_from_slice(more);
        let settings = HostSettings { more: &settings, clock: clock.shared(), ..HostSettings::default() };
        let apps = Apps::of::<auth::App>().and::<keystore::App>().and::<mailbox::App>();
        Self { host: TestHost::start_all(apps, db, settings).await, clock }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}
