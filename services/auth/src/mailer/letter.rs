//! What the mails say.

use common::crypto::secret::Secret;
use common::crypto::token::PlainToken;
use common::models::MailId;

use crate::store::rows::Purpose;

const RESET: (&str, &str) =
    ("Reset your password", "Somebody, most likely you, asked for a new password. To choose one");

/// What a user of signal_server chooses a new password with.
pub(super) struct Key {
    pub(super) username: String,
    pub(super) uid: String,
    pub(super) token: PlainToken,
}

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
            Purpose::ResetPassword | Purpose::ResetSignalServer => RESET,
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

    /// Writes the mail with a key for each user who may have asked for it. `link` has `{uid}` and `{token}` in it; where
    /// it is a path alone, both stand beside it.
    pub(super) fn with_keys(id: MailId, recipient: String, keys: &[Key], link: &str) -> Self {
        let (subject, what) = RESET;
        let path = link.starts_with('/');
        let how = match path {
            true => "open this page of your server, or give the codes to your application",
            false => "open this link",
        };
        let mut body = format!("{what}, {how}; it works once:\n\n");
        for Key { username, uid, token } in keys {
            let token = token.expose();
            let link = link.replace("{uid}", uid).replace("{token}", token);
            body.push_str(&format!("for {username}:\n{link}\n"));
            if path {
                body.push_str(&format!("uid: {uid}\ntoken: {token}\n"));
            }
            body.push('\n');
        }
        body.push_str("If it was not you, there is nothing to do.\n");
        Self { id, recipient, subject, body: Secret::new(body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_key_of_their_own() {
        let keys = [("alice", "MQ"), ("bob", "Mg")].map(|(username, uid)| Key {
            username: username.to_owned(),
            uid: uid.to_owned(),
            token: PlainToken::generate().unwrap(),
        });
        let letter = |link| Letter::with_keys(MailId::new(), "a@example.org".to_owned(), &keys, link);
        let [alice, bob] = keys.each_ref().map(|key| key.token.expose());

        let (bare, linked) = (letter("/reset{uid}/{token}"), letter("https://s.example/reset{uid}/{token}"));

        let first = format!("for alice:\n/resetMQ/{alice}\nuid: MQ\ntoken: {alice}\n\nfor bob:\n/resetMg/");
        assert!(bare.body.expose().contains(&first));
        assert!(linked.body.expose().contains(&format!("for bob:\nhttps://s.example/resetMg/{bob}\n\n")));
    }

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
