//! How the three services are arranged: in one process, or with some of them as processes of their own.

use std::sync::{Arc, Mutex};

use common::crypto::jws::SigningKey;
use common::models::AccountId;
use db::{Db, DbConn, DbError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use testkit::database::{TestDb, columns};
use testkit::host::{Apps, HostSettings, TestHost};
use testkit::http::TestClient;

/// Settings of every arrangement: what is tested is not what one caller may ask for.
const BASE: [(&str, &str); 1] = [("limits.enabled", "false")];

/// auth, keystore and mailbox.
pub(crate) fn all_three() -> Apps {
    Apps::of::<auth::App>().and::<keystore::App>().and::<mailbox::App>()
}

/// A signing key for `auth.signing_key`.
pub(crate) fn signing_key() -> String {
    SigningKey::generate().unwrap().to_text().expose().clone()
}

/// All three behind one pair of listeners, as the standalone has them.
pub(crate) async fn assembled(db: &TestDb) -> TestHost {
    let host = launch(all_three(), db, &[]).await;
    host.started().await;
    host
}

/// Starts services that may have to wait for others; returns once they listen.
pub(crate) async fn launch(apps: Apps, db: &TestDb, more: &[(&str, &str)]) -> TestHost {
    let key = signing_key();
    let mut settings = BASE.to_vec();
    settings.push(("auth.signing_key", &key));
    settings.extend_from_slice(more);
    TestHost::launch(apps, db, HostSettings { more: &settings, ..HostSettings::default() }).await
}

/// Where clients find the services, and what must never be seen outside of them.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub(crate) auth: TestClient,
    pub(crate) keystore: TestClient,
    pub(crate) mailbox: TestClient,
    pub(crate) mailbox_url: String,
    pub(crate) secrets: Secrets,
}

impl Front {
    /// All services at one address.
    pub(crate) fn one(url: &str) -> Self {
        Self::of(url, url, url)
    }

    /// Each at its own.
    pub(crate) fn of(auth: &str, keystore: &str, mailbox: &str) -> Self {
        Self {
            auth: TestClient::new(auth),
            keystore: TestClient::new(keystore),
            mailbox: TestClient::new(mailbox),
            mailbox_url: mailbox.to_owned(),
            secrets: Secrets::default(),
        }
    }
}

/// Passwords, tokens, contents and numbers that a run has used, to be looked for in what it left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Arc<Mutex<Vec<String>>>);

impl Secrets {
    pub(crate) fn keep(&self, secret: &str) {
        self.0.lock().unwrap().push(secret.to_owned());
    }

    /// Checks that none of them is in `text`.
    pub(crate) fn assert_absent(&self, place: &str, text: &str) {
        let secrets = self.0.lock().unwrap();
        assert!(secrets.len() > 10, "a run that used next to nothing proves nothing");
        for secret in secrets.iter() {
            if let Some(line) = text.lines().find(|line| line.contains(secret.as_str())) {
                panic!("{place} shows {secret:?}: {line}");
            }
        }
    }
}

/// How many rows of each table of a service belong to `account`. Tombstones keep its id on purpose and do not count: a
/// table of nothing else, and a row that says when it was removed and has no identity key any more.
pub(crate) async fn rows_of(db: &Db, account: AccountId) -> Vec<(String, i64)> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let mut found = Vec::new();
    for (table, columns) in columns(db).await.unwrap() {
        let has = |name: &str| columns.iter().any(|column| column == name);
        if !has("account_id") || ["revocations", "deleted_accounts", "closed_generations"].contains(&&*table)
        {
            continue;
        }
        let kept =
            if has("removed_at") { "(removed_at IS NULL OR identity_key IS NOT NULL) AND " } else { "" };
        let sql = format!("SELECT count(*) AS count FROM {table} WHERE {kept}account_id = ");
        let id = account.to_string();
        let counted = db.read(move |conn| {
            let counted: Count = match conn {
                DbConn::Pg(conn) => diesel::sql_query(sql + "$1").bind::<Text, _>(id).get_result(conn)?,
                DbConn::Sqlite(conn) => diesel::sql_query(sql + "?").bind::<Text, _>(id).get_result(conn)?,
            };
            Ok::<_, DbError>(counted.count)
        });
        match counted.await.unwrap() {
            0 => {}
            count => found.push((table, count)),
        }
    }
    found
}

/// Numbers that are the same in every run of a seed (xorshift).
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
