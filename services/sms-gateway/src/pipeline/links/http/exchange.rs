//! One message over HTTP: sent to one URL after another until one takes it.
//!
//! What must hold: another URL gets it only when no connection to the one before was made, TLS included, so that nothing
//! of the message can have arrived. From the first octet on, no failure has it sent again.

use std::pin::pin;
use std::time::Duration;

use reqwest::{Response, header::HeaderMap};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Core, Landing};
use crate::domain::provider::{Answer, Message, Request, Verdict};
use crate::settings::Unreachable;

/// See [`in_time`].
pub(super) const LAST_LOOK: Duration = Duration::from_millis(250);

/// What became of a request without an answer.
enum Failure {
    /// No connection: certainly not sent.
    NotSent(&'static str),
    /// Nobody knows.
    Unknown(&'static str),
}

/// What became of a message.
pub(super) enum End {
    /// The provider answered.
    Answered(Verdict),
    /// No URL could be reached.
    Unreachable,
    /// It was not sent, as the gateway ends or its deadline has passed.
    Withheld {
        /// Whether a URL could not be reached before.
        passed_over: bool,
    },
}

impl Core {
    /// Sends a message and says what became of it.
    pub(super) async fn send(&self, message: &Message) -> End {
        let urls = self.provider.urls();
        let first = self.last_good();
        for change in 0..urls {
            let index = (first + change) % urls;
            if !self.may_begin(message) {
                if change > 0 {
                    // Else every message with a short deadline would try the same URL alone.
                    self.remember(index);
                }
                return End::Withheld { passed_over: change > 0 };
            }
            let request = match self.provider.request(index, message, self.clock.now()) {
                Ok(request) => request,
                Err(error) => return End::Answered(Verdict::Refused { text: error.to_string() }),
            };
            match self.exchange(request).await {
                Ok(answer) => {
                    let verdict = self.provider.read(&answer, message, self.clock.now());
                    if !matches!(verdict, Verdict::Unknown { .. }) {
                        self.remember(index);
                    }
                    return End::Answered(verdict);
                }
                Err(Failure::Unknown(why)) => return End::Answered(Verdict::Unknown { why }),
                Err(Failure::NotSent(why)) => {
                    tracing::debug!(smsc = %self.name, url = index + 1, why, "a URL cannot be reached");
                }
            }
        }
        End::Unreachable
    }

    /// Tells whether a message may be sent still: it may have waited for its turn, or for another URL, past its deadline.
    pub(super) fn may_begin(&self, message: &Message) -> bool {
        !self.stop.is_cancelled() && message.deadline >= self.clock.now()
    }

    async fn exchange(&self, request: Request) -> Result<Answer, Failure> {
        let Request { method, url, headers, body } = request;
        let mut request = self.client().request(method, url).headers(headers);
        if !body.is_empty() {
            request = request.body(body);
        }
        let end = Instant::now() + self.connection.response_timeout;
        let response = in_time(end, request.send()).await.ok_or(Failure::Unknown("no answer in time"))?;
        // The words of an error may quote the URL, and so the message: only its kind is told.
        let response = response.map_err(|error| match error {
            error if error.is_connect() && error.is_timeout() => Failure::NotSent("no connection in time"),
            error if error.is_connect() && error.is_dns() => Failure::NotSent("the host is unknown"),
            error if error.is_connect() => Failure::NotSent("no connection, or no TLS over it"),
            error if error.is_builder() => Failure::NotSent("no request can be made of it"),
            _ => Failure::Unknown("the connection was lost before the answer"),
        })?;
        let status = response.status().as_u16();
        let headers: HeaderMap = response.headers().clone();
        let body = in_time(end, self.body(response)).await.flatten();
        Ok(Answer { status, headers, body })
    }

    /// Reads a body up to the limit; `None` when it is longer or does not end.
    async fn body(&self, mut response: Response) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            if body.len() + chunk.len() > self.max_answer_bytes {
                return None;
            }
            body.extend_from_slice(&chunk);
        }
        Some(body)
    }

    /// Draws the conclusions for the messages to come, and says what this one's owner is told.
    pub(super) fn conclude(&self, end: End) -> Landing {
        match end {
            End::Answered(verdict) => {
                self.learn(&verdict);
                Landing::Answered(verdict)
            }
            End::Withheld { passed_over } => {
                if passed_over && self.unreachable == Unreachable::Wait {
                    self.leave_alone();
                }
                Landing::NotSent
            }
            End::Unreachable => self.unreachable(),
        }
    }
}

/// Waits for something until `end`, and looks once more a little later: in a process that stood still, the time may be over
/// before what has come meanwhile is read. Nothing that was answered is to be sent again for that.
async fn in_time<T>(end: Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    match timeout_at(end, &mut future).await {
        Ok(value) => Some(value),
        Err(_) => timeout(LAST_LOOK, future).await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn what_has_come_when_the_time_is_looked_at_too_late_counts() {
        let over = Instant::now();
        let read_by_another_task = async {
            tokio::task::yield_now().await;
            "an answer"
        };

        assert_eq!(in_time(over, read_by_another_task).await, Some("an answer"));
        assert_eq!(in_time(over, pending::<()>()).await, None);
    }
}
