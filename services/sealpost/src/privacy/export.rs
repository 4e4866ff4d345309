//! `sealpost admin accounts export`: what the services hold of one account, in one JSON document
//! (`proto/account-export.schema.json`) that its owner can be given.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use common::models::privacy::{Holding, Rows};
use common::models::{AccountId, Clock as _, SystemClock, UnixMillis};
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use super::places::{Place, Places};
use super::survey::ask_all;
use crate::console::{self, Outcome};
use crate::files;

/// The form of the document.
const SCHEMA: &str = "account-export.1";

#[derive(Args)]
pub(crate) struct Export {
    /// The account
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// With the messages that wait for its devices: ciphertext, as the server has it
    #[arg(long)]
    messages: bool,
    #[command(flatten)]
    places: Places,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema: &'static str,
    account_id: AccountId,
    exported_at: UnixMillis,
    /// Whether messages that wait are in it.
    messages: bool,
    services: BTreeMap<&'static str, Service>,
}

/// What one service holds.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    /// The rows of each table.
    tables: BTreeMap<String, Vec<Value>>,
    /// Tables that have nothing but secrets of it, such as hashes of codes, and how many.
    secrets: BTreeMap<String, i64>,
    /// Tables that may name it among others, which no search by account finds, and what that is.
    elsewhere: BTreeMap<String, String>,
}

impl Export {
    pub(super) async fn run(self) -> Outcome {
        let Self { account, to, messages, places } = self;
        if to.exists() {
            return Err(format!("{}: is there already", to.display()).into());
        }
        let places = places.all();
        let said = ask_all(&places, account).await;
        if let Some((service, error)) =
            said.iter().find_map(|said| Some((said.service, said.error.as_ref()?)))
        {
            return Err(format!(
                "{service} cannot be asked, and without it the export is not whole: {error}"
            )
            .into());
        }
        if !said.iter().any(|said| said.knows()) {
            return Err("no service knows this account".into());
        }
        let mut services = BTreeMap::new();
        for (place, said) in places.iter().zip(said) {
            let mut service = Service::default();
            for table in said.tables {
                service.add(place, account, table, messages).await?;
            }
            services.insert(place.service, service);
        }
        let exported_at = SystemClock.now();
        let document = Document { schema: SCHEMA, account_id: account, exported_at, messages, services };
        let rows: usize =
            document.services.values().flat_map(|service| service.tables.values()).map(Vec::len).sum();
        files::create(&to, &serde_json::to_vec_pretty(&document)?)
            .map_err(|error| format!("{}: {error}", to.display()))?;
        console::say(&format!("{rows} rows in {}, readable by you alone", to.display()));
        Ok(())
    }
}

impl Service {
    async fn add(&mut self, place: &Place<'_>, account: AccountId, held: Holding, messages: bool) -> Outcome {
        let Holding { table, rows, stays, shown, .. } = held;
        match rows {
            None => drop(self.elsewhere.insert(table, stays.unwrap_or_default())),
            Some(rows) if !shown => drop(self.secrets.insert(table, rows)),
            // Of several parts of a table the first brings all.
            Some(_) if self.tables.contains_key(&table) => {}
            Some(_) => {
                let rows = read(place, account, &table, messages).await?;
                self.tables.insert(table, rows);
            }
        }
        Ok(())
    }
}

/// Reads all rows of a table, page by page.
async fn read(place: &Place<'_>, account: AccountId, table: &str, messages: bool) -> Outcome<Vec<Value>> {
    let path = ["internal", place.service, "v1", "privacy", "accounts", account.as_str(), "rows", table];
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("messages", if messages { "true" } else { "false" })];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let page: Rows = place.operator.call(Method::GET, &path, &query, |request| request).await?;
        all.extend(page.rows);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}
