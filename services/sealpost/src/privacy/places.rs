//! Where the services are that may hold something of an account: behind one listener in a standalone, behind one each in a
//! cluster.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use url::Url;

use crate::admin::Operator;
use crate::console::Outcome;
use crate::data_dir::DataDir;

/// Those services, the one that decides first.
const SERVICES: [&str; 5] = ["auth", "keystore", "mailbox", "notify", "sync"];

/// What stands for the name of a service in an address.
const NAME: &str = "{service}";

#[derive(Args)]
pub(crate) struct Places {
    /// The server's internal address; in a cluster with {service} where the name of each service belongs, such as
    /// http://{service}:9090
    #[arg(long, value_name = "URL", env = "SEALPOST_ADMIN_SERVER", default_value = "http://127.0.0.1:9090")]
    server: String,
    /// The internal address of one service, where it has its own; may be given several times
    #[arg(long = "at", value_name = "SERVICE=URL", value_parser = place)]
    elsewhere: Vec<(&'static str, Url)>,
    /// A service that this installation does not run; may be repeated
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(&SERVICES[1..]))]
    without: Vec<String>,
    /// Who does this, for the audit log
    #[arg(long = "as", value_name = "NAME", env = "SEALPOST_OPERATOR")]
    name: Option<String>,
    /// Data directory of a standalone, where its admin token is
    #[arg(long, value_name = "DIR", env = "SEALPOST_DATA_DIR", default_value = DataDir::DEFAULT)]
    data_dir: PathBuf,
    /// File with the admin token, where it is not in a data directory
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

/// A service, and how an operator asks it.
pub(super) struct Place {
    pub(super) service: &'static str,
    pub(super) operator: Operator,
}

impl Places {
    /// The services of this installation, auth first.
    ///
    /// # Errors
    /// An address that is none.
    pub(super) fn all(self) -> Outcome<Vec<Place>> {
        let Self { server, elsewhere, without, name, data_dir, admin_token_file } = self;
        let there = SERVICES.into_iter().filter(|service| !without.iter().any(|left| left == service));
        let mut places = Vec::new();
        for service in there {
            let named = elsewhere.iter().find(|(known, _)| *known == service).map(|(_, url)| url.clone());
            let url = match named {
                Some(url) => url,
                None => url(&server.replace(NAME, service)).map_err(|fault| format!("--server: {fault}"))?,
            };
            let operator = Operator::at(url, name.clone(), data_dir.clone(), admin_token_file.clone());
            places.push(Place { service, operator });
        }
        Ok(places)
    }
}

fn place(text: &str) -> Result<(&'static str, Url), String> {
    let (name, address) = text.split_once('=').ok_or("expected SERVICE=URL")?;
    let name = SERVICES.into_iter().find(|service| *service == name);
    let name = name.ok_or_else(|| format!("no service; expected one of {}", SERVICES.join(", ")))?;
    Ok((name, url(address)?))
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text} is no URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("a URL that begins with http:// or https:// is expected".to_owned()),
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

    fn parse(arguments: &[&str]) -> Result<Places, clap::Error> {
        Line::try_parse_from([&["x"], arguments].concat()).map(|line| line.places)
    }

    fn found(arguments: &[&str]) -> Vec<(&'static str, String)> {
        let places = parse(arguments).unwrap().all().unwrap();
        places.into_iter().map(|place| (place.service, place.operator.server().to_string())).collect()
    }

    #[test]
    fn all_services_of_a_standalone_are_at_one_address() {
        let found = found(&[]);

        assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), SERVICES);
        assert!(found.iter().all(|(_, url)| url == "http://127.0.0.1:9090/"));
    }

    #[test]
    fn services_of_a_cluster_are_found_by_their_names_and_single_ones_elsewhere_or_not_at_all() {
        let found = found(&[
            "--server",
            "http://{service}.sealpost.svc:9090",
            "--at",
            "sync=https://sync.example",
            "--without",
            "notify",
        ]);

        let expected = [
            ("auth", "http://auth.sealpost.svc:9090/"),
            ("keystore", "http://keystore.sealpost.svc:9090/"),
            ("mailbox", "http://mailbox.sealpost.svc:9090/"),
            ("sync", "https://sync.example/"),
        ];
        assert_eq!(found, expected.map(|(name, url)| (name, url.to_owned())));
    }

    #[test]
    fn what_names_no_service_is_refused() {
        for wrong in [
            &["--at", "auth"][..],
            &["--at", "mail=http://x"],
            &["--at", "auth=ftp://x"],
            // Without it nothing can be erased.
            &["--without", "auth"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse(&["--server", "nowhere"]).unwrap().all().is_err());
    }
}
