//! A session, from its start to its end: what may follow what. Pure: it knows no clock and no table.
//!
//! It shows a URL for a while, then another one, as often as it may; each new one makes the one before worthless. A key
//! exchange by the URL that counts stops that, and the session waits for the password. The password ends it.

use std::str::FromStr;
use std::time::Duration;

use common::crypto::oaep::OaepPublicKey;
use common::models::UnixMillis;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::sql_types::Text;

use super::ids::{InvalidId, SyncId, text_column};

/// How fast sessions go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How many URLs a session shows.
    pub(crate) turns: u16,
    /// How long each of them counts.
    pub(crate) turn: Duration,
    /// How long the session waits for the password.
    pub(crate) pause: Duration,
}

impl Pace {
    /// How long a session lives in which nothing happens.
    fn life(&self) -> Duration {
        self.turn * u32::from(self.turns) + self.pause
    }
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(crate) enum Stage {
    /// It shows URLs.
    Run,
    /// Keys were exchanged; it waits for the password.
    Pause,
    /// The password was right.
    Done,
}

impl Stage {
    /// Gives the name in the table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Pause => "pause",
            Self::Done => "done",
        }
    }
}

impl FromStr for Stage {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        [Self::Run, Self::Pause, Self::Done].into_iter().find(|stage| stage.as_str() == text).ok_or(InvalidId)
    }
}

text_column!(Stage);

/// A session as far as time and calls change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The id in the URL that counts.
    pub(crate) shown: SyncId,
    /// How far it has come.
    pub(crate) stage: Stage,
    /// Which URL it is, from 1; 0 as long as nobody has been shown any.
    pub(crate) turn: u16,
    /// When the next one is due.
    pub(crate) turn_until: UnixMillis,
    /// When the session ends, whatever happens.
    pub(crate) expires_at: UnixMillis,
    /// The device's key, in DER, once it was exchanged.
    pub(crate) public_key: Option<Vec<u8>>,
}

/// Why keys are not exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoExchange {
    /// Its time has passed.
    Over,
    /// Another key was there before, or the session is done.
    KeyIsSet,
}

/// What time did to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Nothing, yet.
    Stays,
    /// It shows the next URL.
    Turned,
    /// It is over, and to be forgotten.
    Over,
}

/// A session as a subscriber sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It shows a URL, for so long still.
    Run {
        /// Which it is.
        turn: u16,
        /// The id in it.
        shown: SyncId,
        /// How long it counts.
        left: Duration,
    },
    /// It waits for the password, for so long still.
    Pause {
        /// How long.
        left: Duration,
    },
    /// The password was right.
    Done,
    /// It is over, or there never was one.
    Over,
    /// Another subscriber has it.
    Taken,
}

impl Session {
    /// Starts a session, whose first URL has its own id in it.
    pub(crate) fn start(id: &SyncId, now: UnixMillis, pace: Pace) -> Self {
        let expires_at = now + pace.life();
        Self {
            shown: id.clone(),
            stage: Stage::Run,
            turn: 0,
            turn_until: expires_at,
            expires_at,
            public_key: None,
        }
    }

    /// Whether its time has passed.
    pub(crate) fn is_over(&self, now: UnixMillis) -> bool {
        self.expires_at <= now
    }

    /// Notes that somebody sees it: the first URL counts from now on. Later subscribers change nothing.
    pub(crate) fn subscribe(&mut self, now: UnixMillis, pace: Pace) {
        if self.turn == 0 {
            self.turn = 1;
            self.turn_until = (now + pace.turn).min(self.expires_at);
        }
    }

    /// Takes the key of the device that has seen the URL. The same key again changes nothing, as long as the session
    /// waits for the password.
    ///
    /// # Errors
    /// [`NoExchange`].
    pub(crate) fn exchange(
        &mut self,
        key: &OaepPublicKey,
        now: UnixMillis,
        pace: Pace,
    ) -> Result<(), NoExchange> {
        if self.is_over(now) {
            return Err(NoExchange::Over);
        }
        match (self.stage, &self.public_key) {
            (Stage::Run, _) => {
                self.stage = Stage::Pause;
                self.public_key = Some(key.as_der().to_vec());
                self.expires_at = now + pace.pause;
                Ok(())
            }
            (Stage::Pause, Some(known)) if known == key.as_der() => Ok(()),
            (Stage::Pause | Stage::Done, _) => Err(NoExchange::KeyIsSet),
        }
    }

    /// Notes that the password was right, if keys were exchanged; tells whether they were. A device that did not hear of
    /// it may say so again.
    pub(crate) fn finish(&mut self, now: UnixMillis) -> bool {
        if self.is_over(now) || self.stage == Stage::Run {
            return false;
        }
        self.stage = Stage::Done;
        true
    }

    /// Does what is due. `fresh` is the id of the next URL.
    pub(crate) fn advance(&mut self, now: UnixMillis, pace: Pace, fresh: SyncId) -> Moved {
        if self.is_over(now) {
            return Moved::Over;
        }
        if self.stage != Stage::Run || now < self.turn_until {
            return Moved::Stays;
        }
        if self.turn >= pace.turns {
            return Moved::Over;
        }
        self.shown = fresh;
        self.turn += 1;
        self.turn_until = (now + pace.turn).min(self.expires_at);
        Moved::Turned
    }

    /// What a subscriber sees of it.
    pub(crate) fn sight(&self, now: UnixMillis) -> Sight {
        match self.stage {
            Stage::Done => Sight::Done,
            _ if self.is_over(now) => Sight::Over,
            Stage::Run => {
                Sight::Run { turn: self.turn, shown: self.shown.clone(), left: self.turn_until - now }
            }
            Stage::Pause => Sight::Pause { left: self.expires_at - now },
        }
    }
}

#[cfg(test)]
mod tests;
