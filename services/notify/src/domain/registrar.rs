//! Joins and new tokens, many in one transaction: a fleet of clients that comes back asks for thousands at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use common::crypto::token::HashedToken;
use common::models::{Epoch, SharedClock, UnixMillis};
use db::{Batcher, BatcherSettings, Db, DbConn, DbError};

use super::channel_name::ChannelName;
use super::error::NotifyError;
use super::tokens::renewed;
use crate::settings::NotifySettings;
use crate::store::channels::{self, HeadRow};
use crate::store::tokens::{self, TokenKey, TokenRow};

/// Prolonging a token by less than this is not worth a write.
const RENEWAL: Duration = Duration::from_secs(60);

/// The keeper of tokens in this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Registrar(Batcher<Job, Answer, NotifyError>);

enum Job {
    /// Keep this token of a channel, unless one lives.
    Share(TokenRow),
    /// Keep this token.
    Issue(TokenRow),
    /// Find a token that lives, and note that it was used.
    Resolve(HashedToken),
    /// Find out how far a channel has come; let it live if it does not.
    Head(ChannelName),
}

enum Answer {
    Token(Option<Box<TokenRow>>),
    TooMany,
    Head(HeadRow),
}

impl Registrar {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`DbError::Other`] when the system gives no thread.
    pub(crate) fn start(db: &Db, settings: &NotifySettings, clock: SharedClock) -> Result<Self, DbError> {
        let shape = BatcherSettings {
            name: "notify-tokens",
            max_batch: settings.token_batch,
            queue: settings.token_queue,
        };
        let most = i64::from(settings.max_tokens);
        let work = move |conn: &mut DbConn, jobs: &[Job]| carry_out(conn, jobs, most, clock.now());
        Ok(Self(Batcher::spawn(db, shape, work)?))
    }

    /// Stores the one token of a channel, or gives the one that lives.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn share(&self, row: TokenRow) -> Result<TokenRow, NotifyError> {
        match self.0.submit(Job::Share(row)).await? {
            Answer::Token(Some(row)) => Ok(*row),
            _ => Err(unexpected()),
        }
    }

    /// Stores a new token.
    ///
    /// # Errors
    /// [`NotifyError::TooManyTokens`], those of the database.
    pub(crate) async fn issue(&self, row: TokenRow, limit: u32) -> Result<(), NotifyError> {
        match self.0.submit(Job::Issue(row)).await? {
            Answer::TooMany => Err(NotifyError::TooManyTokens { limit }),
            _ => Ok(()),
        }
    }

    /// Finds a token that lives, and prolongs it if it is of that sort.
    ///
    /// # Errors
    /// [`NotifyError::TokenRefused`], those of the database.
    pub(crate) async fn resolve(&self, hash: HashedToken) -> Result<TokenRow, NotifyError> {
        match self.0.submit(Job::Resolve(hash)).await? {
            Answer::Token(found) => found.map(|row| *row).ok_or(NotifyError::TokenRefused),
            _ => Err(unexpected()),
        }
    }

    /// Finds out how far a channel has come; its life begins if it has none.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn head(&self, channel: ChannelName) -> Result<HeadRow, NotifyError> {
        match self.0.submit(Job::Head(channel)).await? {
            Answer::Head(head) => Ok(head),
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> NotifyError {
    DbError::other("a job got the answer of another").into()
}

/// One answer for each job, in order. The number of statements is the same for any number of joins.
fn carry_out(
    conn: &mut DbConn,
    jobs: &[Job],
    most: i64,
    now: UnixMillis,
) -> Result<Vec<Answer>, NotifyError> {
    let heads = heads(conn, jobs, now)?;
    let shared = share(conn, jobs, now)?;
    let resolved = resolve(conn, jobs, now)?;
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        answers.push(match job {
            Job::Share(row) => Answer::Token(shared.get(&row.channel).cloned().map(Box::new)),
            Job::Resolve(hash) => Answer::Token(resolved.get(hash.as_slice()).cloned().map(Box::new)),
            Job::Head(name) => Answer::Head(heads.get(name.as_str()).cloned().ok_or_else(unexpected)?),
            Job::Issue(row) if tokens::count(conn, &row.channel)? >= most => Answer::TooMany,
            Job::Issue(row) => {
                tokens::insert(conn, row)?;
                Answer::Token(None)
            }
        });
    }
    Ok(answers)
}

fn heads(conn: &mut DbConn, jobs: &[Job], now: UnixMillis) -> Result<HashMap<String, HeadRow>, NotifyError> {
    let names: BTreeSet<&ChannelName> = jobs
        .iter()
        .filter_map(|job| match job {
            Job::Head(name) => Some(name),
            _ => None,
        })
        .collect();
    let names: Vec<&ChannelName> = names.into_iter().collect();
    let texts: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let mut open = || {
        channels::open(conn, &names, Epoch::new(), now)?;
        channels::heads(conn, &texts)
    };
    let mut rows = open()?;
    // The life of one may have ended between the two.
    if rows.len() < names.len() {
        rows = open()?;
    }
    Ok(rows.into_iter().map(|row| (row.channel.clone(), row)).collect())
}

/// The tokens of the channels that they were asked for.
fn share(conn: &mut DbConn, jobs: &[Job], now: UnixMillis) -> Result<HashMap<String, TokenRow>, NotifyError> {
    let mut wanted: BTreeMap<&str, &TokenRow> = BTreeMap::new();
    for job in jobs {
        if let Job::Share(row) = job {
            wanted.entry(&row.channel).or_insert(row);
        }
    }
    let keys = |rows: &BTreeMap<&str, &TokenRow>| -> Vec<TokenKey> {
        rows.values().map(|row| (row.channel.clone(), row.token_id)).collect()
    };
    // Most of them live, and nothing is to be written.
    let mut kept = tokens::find(conn, &keys(&wanted))?;
    kept.retain(|row| row.expires_at > now);
    for row in &kept {
        wanted.remove(row.channel.as_str());
    }
    let rows: Vec<TokenRow> = wanted.values().map(|row| (*row).clone()).collect();
    tokens::share(conn, &rows, now)?;
    kept.append(&mut tokens::find(conn, &keys(&wanted))?);
    Ok(kept.into_iter().map(|row| (row.channel.clone(), row)).collect())
}

/// The tokens that live among those that clients have shown, by their hashes.
fn resolve(
    conn: &mut DbConn,
    jobs: &[Job],
    now: UnixMillis,
) -> Result<HashMap<Vec<u8>, TokenRow>, NotifyError> {
    let shown: BTreeMap<&[u8], HashedToken> = jobs
        .iter()
        .filter_map(|job| match job {
            Job::Resolve(hash) => Some((hash.as_slice(), *hash)),
            _ => None,
        })
        .collect();
    let hashes: Vec<HashedToken> = shown.into_values().collect();
    let mut rows = tokens::resolve(conn, &hashes, now)?;
    // What a join adds to the life of a token is written when it is worth it; so is the time of its last use.
    let mut used = Vec::new();
    for row in &mut rows {
        let until = renewed(row, now);
        let worth = RENEWAL.min(row.lifetime() / 100).max(Duration::from_millis(1));
        if until - row.expires_at >= worth || row.used_at.is_none_or(|used| now - used >= RENEWAL) {
            row.expires_at = until;
            used.push(&*row);
        }
    }
    tokens::renew(conn, &used, now)?;
    Ok(rows.into_iter().map(|row| (row.token_hash.as_slice().to_vec(), row)).collect())
}
