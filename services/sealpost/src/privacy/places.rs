//! The services that may hold something of an account.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::admin::Operator;

/// Those services, the one that decides first.
const SERVICES: [&str; 5] = ["auth", "keystore", "mailbox", "notify", "sync"];

#[derive(Args)]
pub(crate) struct Places {
    /// A service that this installation does not run; may be repeated
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(&SERVICES[1..]))]
    without: Vec<String>,
    #[command(flatten)]
    operator: Operator,
}

/// A service, and how an operator asks it.
pub(super) struct Place<'a> {
    pub(super) service: &'static str,
    pub(super) operator: &'a Operator,
}

impl Places {
    /// The services of this installation, auth first.
    pub(super) fn all(&self) -> Vec<Place<'_>> {
        let there = SERVICES.into_iter().filter(|service| !self.without.iter().any(|left| left == service));
        there.map(|service| Place { service, operator: &self.operator }).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        places: Places,
    }

    fn found(arguments: &[&str]) -> Result<Vec<&'static str>, clap::Error> {
        let line = Line::try_parse_from([&["x"], arguments].concat())?;
        Ok(line.places.all().into_iter().map(|place| place.service).collect())
    }

    #[test]
    fn all_services_are_asked_but_for_those_that_are_not_there() {
        assert_eq!(found(&[]).unwrap(), SERVICES);
        assert_eq!(found(&["--without", "notify"]).unwrap(), ["auth", "keystore", "mailbox", "sync"]);
        // Without it nothing can be erased.
        assert!(found(&["--without", "auth"]).is_err());
    }
}
