//! An answer that is there at once, or comes later.

use std::fmt;

use futures_util::future::{FutureExt, LocalBoxFuture};

/// What a callback answers. While it is [`Handled::Later`] the session reads nothing more from its client, so order is
/// kept and a client cannot ask for more than is dealt with. The future is always run to its end, on the thread of the
/// session; give it a time limit of its own.
pub enum Handled<T> {
    /// Done.
    Now(T),
    /// Done when the future is.
    Later(LocalBoxFuture<'static, T>),
}

impl<T> Handled<T> {
    /// Makes one of a future.
    pub fn later(future: impl Future<Output = T> + 'static) -> Self {
        Self::Later(Box::pin(future))
    }

    /// Goes on from the answer once it is there.
    pub fn then<U>(self, next: impl FnOnce(T) -> U + 'static) -> Handled<U>
    where
        T: 'static,
        U: 'static,
    {
        match self {
            Self::Now(answer) => Handled::Now(next(answer)),
            Self::Later(future) => Handled::Later(Box::pin(future.map(next))),
        }
    }
}

impl<T> From<T> for Handled<T> {
    fn from(answer: T) -> Self {
        Self::Now(answer)
    }
}

impl<T> fmt::Debug for Handled<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
        })
    }
}
