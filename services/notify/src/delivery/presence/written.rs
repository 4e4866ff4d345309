//! What has changed, written down in one transaction with what receivers of webhooks are told of it.

use std::collections::HashMap;
use std::sync::Arc;

use common::models::UnixMillis;
use db::{DbConn, DbError};

use super::Name;
use super::connected::{Connection, Move};
use crate::domain::ChannelName;
use crate::store::connections::{self, ConnectionRow};
use crate::store::presences::{self, Count};
use crate::webhooks::{Event, Webhooks};

/// What becomes of what a process has said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    /// It is believed still.
    Runs,
    /// It is believed for longer.
    Renewed,
    /// It may have been removed: all of it is said anew.
    Anew,
}

/// What has changed at a process.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) process: String,
    pub(super) counts: Vec<Count>,
    /// Connections that may have to be said anew.
    pub(super) open: Vec<Arc<Connection>>,
    pub(super) moves: Vec<Move>,
    pub(super) now: UnixMillis,
    /// Until when it is believed.
    pub(super) until: UnixMillis,
    pub(super) lease: Lease,
    pub(super) webhooks: Option<Webhooks>,
}

impl Change {
    /// Writes it down.
    pub(super) fn write(&self, conn: &mut DbConn) -> Result<(), DbError> {
        let put = |conn: &mut DbConn| {
            presences::put(conn, &self.counts, &self.process, self.now, self.until)?;
            if self.lease != Lease::Runs {
                presences::renew(conn, &self.process, self.until)?;
            }
            Ok(())
        };
        let Some(webhooks) = &self.webhooks else { return put(conn) };
        let names = self.counts.iter().map(|count| (count.channel.clone(), count.member.clone()));
        let connections = self.moves.iter().map(|step| &step.connection).chain(&self.open);
        let channels: Vec<ChannelName> = connections.map(|connection| connection.channel.clone()).collect();
        webhooks.with_members(conn, (names.collect(), &channels), self.now, put)?;
        let mut events = self.connections(conn)?;
        if self.lease != Lease::Runs {
            // Before it is looked which are there: nobody removes those any more.
            connections::renew(conn, &self.process, self.until)?;
        }
        events.extend(self.back(conn)?);
        webhooks.write(conn, events, self.now)
    }

    /// Takes back what the process has said of members.
    pub(super) fn withdraw_members(&self, conn: &mut DbConn) -> Result<(), DbError> {
        let Some(webhooks) = &self.webhooks else { return presences::withdraw(conn, &self.process) };
        let said = presences::said(conn, &self.process)?.into_iter().map(|(channel, member)| {
            Ok((ChannelName::parse(&channel, usize::MAX).map_err(DbError::other)?, member))
        });
        let said: Vec<Name> = said.collect::<Result<_, DbError>>()?;
        webhooks.with_members(conn, (said, &[]), self.now, |conn| presences::withdraw(conn, &self.process))
    }

    /// Takes back what the process has said of connections.
    pub(super) fn withdraw_connections(&self, conn: &mut DbConn) -> Result<(), DbError> {
        let Some(webhooks) = &self.webhooks else { return Ok(()) };
        let mut events = self.connections(conn)?;
        events.extend(Webhooks::gone(connections::withdraw(conn, &self.process)?, self.now)?);
        webhooks.write(conn, events, self.now)
    }

    /// Writes down which connections have come and gone; gives what is told of it, in the order in which it was.
    fn connections(&self, conn: &mut DbConn) -> Result<Vec<Event>, DbError> {
        let (come, gone): (Vec<&Move>, Vec<&Move>) = self.moves.iter().partition(|step| step.come);
        let rows: Vec<ConnectionRow> = come.iter().map(|step| self.row(&step.connection)).collect();
        connections::put(conn, &rows)?;
        let times: HashMap<String, UnixMillis> =
            gone.iter().map(|step| (step.connection.id.to_string(), step.at)).collect();
        let ids: Vec<String> = times.keys().cloned().collect();
        // What was not there any more was told of when this process was believed to be dead.
        let removed = connections::remove(conn, &ids)?;
        let mut events = Vec::with_capacity(self.moves.len());
        for (row, step) in rows.into_iter().zip(come) {
            events.push(Webhooks::come(row, step.at)?);
        }
        for row in removed {
            let at = times.get(&row.connection_id).copied().unwrap_or(self.now);
            events.extend(Webhooks::gone(vec![row], at)?);
        }
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    /// Writes down which connections are there although others removed them; gives what is told of it.
    fn back(&self, conn: &mut DbConn) -> Result<Vec<Event>, DbError> {
        let ids: Vec<String> = self.open.iter().map(|connection| connection.id.to_string()).collect();
        let known = connections::known(conn, &ids)?;
        let rows = self.open.iter().map(|connection| self.row(connection));
        let rows: Vec<ConnectionRow> = rows.filter(|row| !known.contains(&row.connection_id)).collect();
        connections::put(conn, &rows)?;
        rows.into_iter().map(|row| Webhooks::come(row, self.now)).collect()
    }

    fn row(&self, connection: &Connection) -> ConnectionRow {
        ConnectionRow {
            connection_id: connection.id.to_string(),
            channel: connection.channel.as_str().to_owned(),
            member: connection.member.clone(),
            token_id: connection.token,
            process: self.process.clone(),
            expires_at: self.until,
        }
    }
}
