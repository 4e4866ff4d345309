//! The grammar of messages: a letter for the platform, then its fields, each behind a colon; the last may hold colons.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A platform.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// What the publisher knows it by.
    pub name: String,
    /// How many fields a message has at least. The first one is never empty.
    pub fields: usize,
}

/// The platforms by their letters. Those of the app, unless the settings name others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Platforms(pub BTreeMap<char, Platform>);

impl Default for Platforms {
    fn default() -> Self {
        let known = [
            // to, cc, bcc, subject, body
            ('g', "gmail", 5),
            // text
            ('t', "twitter", 1),
            // to, text
            ('T', "telegram", 2),
            // to, text
            ('s', "slack", 2),
        ];
        Self(known.map(|(letter, name, fields)| (letter, Platform { name: name.to_owned(), fields })).into())
    }
}

/// A message that follows the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spoken<'a> {
    pub(crate) platform: &'a str,
    /// All of it, letter included.
    pub(crate) message: &'a str,
}

impl Platforms {
    /// Reads what was decrypted; `None` for what is not UTF-8, has control characters, or is no message of a platform.
    pub(crate) fn read<'a>(&'a self, plain: &'a [u8]) -> Option<Spoken<'a>> {
        let message = std::str::from_utf8(plain).ok()?;
        if message.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')) {
            return None;
        }
        let mut letters = message.chars();
        let platform = self.0.get(&letters.next()?)?;
        let fields = letters.as_str().strip_prefix(':')?;
        let first = fields.split(':').next()?;
        let enough = fields.split(':').count() >= platform.fields;
        (enough && !first.is_empty()).then_some(Spoken { platform: &platform.name, message })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_of_each_platform_are_told_from_what_is_none() {
        let platforms = Platforms::default();
        let platform =
            |text: &'static str| platforms.read(text.as_bytes()).map(|spoken| spoken.platform.to_owned());

        for (text, name) in [
            ("g:a@b.c:::Hi:text", "gmail"),
            ("g:a@b.c:c@d.e:f@g.h:Hi:at 10:30\nsee you", "gmail"),
            ("t:hello: world", "twitter"),
            ("T:@someone:hello", "telegram"),
            ("s:#general:hello", "slack"),
        ] {
            assert_eq!(platform(text).as_deref(), Some(name), "{text}");
        }
        for text in [
            "",
            "g",
            "g:",
            "g:a@b.c",
            "g:::::",
            "G:a@b.c:::Hi:text",
            "gmail:a@b.c:::Hi:x",
            "t:",
            "T:x",
            "t:a\0b",
        ] {
            assert_eq!(platform(text), None, "{text:?}");
        }
        assert!(platforms.read(b"t:\xff").is_none());
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(plain: Vec<u8>) {
            let platforms = Platforms::default();

            if let Some(spoken) = platforms.read(&plain) {
                prop_assert_eq!(spoken.message.as_bytes(), &plain[..]);
            }
        }
    }
}
