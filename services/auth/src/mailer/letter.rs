//! What the mails say.

use common::crypto::secret::Secret;
use common::models::MailId;

use crate::store::rows::Purpose;

/// A mail that is ready to be sent. `Debug` shows neither whom it is for nor what it says.
pub(super) struct Letter {
    pub(super) id: MailId,
    pub(super) recipient: String,
    pub(super) subject: &'static str,
    pub(super) body: Secret<String>,
}

impl Letter {
    /// Writes the mail that carries `token`. `link` is a URL with `{purpose}` and `{token}` in it; without one the token
    /// stands alone, to be pasted into the client.
    pub(super) fn new(
        id: MailId,
        recipient: String,
        purpose: Purpose,
        token: &Secret<String>,
        link: &str,
    ) -> Self {
        let (subject, what) = match purpose {
            Purpose::VerifyEmail => (
                "Confirm your e-mail address",
                "Somebody, most likely you, gave this address for an account. To confirm it",
            ),
            Purpose::ResetPassword => {
                ("Reset your password", "Somebody, most likely you, asked for a new password. To choose one")
            }
        };
        let (how, key) = match link {
            "" => ("give this code to your application", token.clone()),
            link => (
                "open this link",
                Secret::new(link.replace("{purpose}", purpose.as_str()).replace("{token}", token.expose())),
            ),
        };
        let body = Secret::new(format!(
            "{what}, {how}; it works once:\n\n{}\n\nIf it was not you, there is nothing to do.\n",
            key.expose()
        ));
        Self { id, recipient, subject, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stands_alone_or_in_the_link() {
        let token = Secret::from("account.secret");
        let letter = |link| {
            Letter::new(MailId::new(), "a@example.org".to_owned(), Purpose::ResetPassword, &token, link)
        };

        let bare = letter("");
        let linked = letter("https://app.example/#/{purpose}?t={token}");

        assert!(bare.body.expose().contains("\n\naccount.secret\n\n"));
        assert!(
            linked.body.expose().contains("\n\nhttps://app.example/#/reset-password?t=account.secret\n\n")
        );
    }
}
