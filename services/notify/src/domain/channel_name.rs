//! Names of channels.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use common::models::AccountId;

/// How the channel of an account begins; its id follows.
const ACCOUNT: &str = "account:";

/// A channel's name: any text but the empty one, up to the limit of the settings. Names live in a space of their own:
/// none stands for a socket, or for all of them. Clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChannelName(Arc<str>);

/// Text that names no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadName {
    /// There is none.
    #[error("no channel supplied")]
    Empty,
    /// It is longer than the settings allow, in bytes.
    #[error("the name of a channel has {limit} bytes at most")]
    TooLong {
        /// What they allow.
        limit: usize,
    },
    /// U+0000, which no table takes.
    #[error("the name of a channel has no NUL in it")]
    Nul,
}

impl ChannelName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`BadName`].
    pub(crate) fn parse(text: &str, limit: usize) -> Result<Self, BadName> {
        match text {
            "" => Err(BadName::Empty),
            text if text.len() > limit => Err(BadName::TooLong { limit }),
            text if text.contains('\0') => Err(BadName::Nul),
            text => Ok(Self(text.into())),
        }
    }

    /// Names the channel of an account, which takes no token of a channel but an access token.
    pub(crate) fn of_account(account: AccountId) -> Self {
        Self(format!("{ACCOUNT}{account}").into())
    }

    /// Gives whose channel it is, if it is an account's, or would be if there was such an account.
    pub(crate) fn account(&self) -> Option<&str> {
        self.0.strip_prefix(ACCOUNT)
    }

    /// Borrows the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ChannelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Names are chosen by back-ends, who put users and orders into them: not for logs.
impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelName(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_names_a_channel_but_for_length_and_nul() {
        for text in ["a", "a/b c", "grüße/🎉", "global_emit", "\n"] {
            assert_eq!(ChannelName::parse(text, 255).unwrap().as_str(), text);
        }
        for (text, refused) in
            [("", BadName::Empty), ("a\0b", BadName::Nul), ("äää", BadName::TooLong { limit: 5 })]
        {
            assert_eq!(ChannelName::parse(text, 5), Err(refused));
        }
    }

    #[test]
    fn the_channel_of_an_account_is_known_by_its_name() {
        let account = AccountId::new();

        assert_eq!(ChannelName::of_account(account).account(), Some(account.as_str()));
        assert_eq!(ChannelName::parse("accounts", 255).unwrap().account(), None);
    }
}
