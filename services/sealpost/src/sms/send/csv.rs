//! `sealpost sms send --csv`: one SMS for each row of a file.
//!
//! In: a file with a header, a column with numbers, a template for the text. Out: a result file with a row for each
//! message, and a journal beside it. What must hold: nothing is sent unless the whole file can be; what is about to be
//! sent is on disk before; ids follow from the file, the name of the run and the line alone. So the same command can be
//! given again after whatever ended it: what was accepted is not sent again, what is in doubt is sent under its own id,
//! which the gateway knows.

mod follow;
mod journal;
mod plan;
mod progress;
mod result;
mod run;
mod table;
mod template;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::sha::sha256;
use sms_gateway::Price;
use zeroize::Zeroizing;

use self::follow::Follower;
use self::journal::{Beginning, Journal};
use self::plan::Plan;
use self::run::{Pace, Run};
use self::table::Table;
use self::template::{Template, column};
use super::{Channel, Send};
use crate::console::{self, Outcome};
use crate::sms::envelope::public_key;

/// Ids stand on Kafka in the clear. So many rounds make it dear to find the one number of a short file by trying.
const ROUNDS: usize = 200_000;

#[derive(Args)]
#[command(next_help_heading = "A file of recipients")]
pub(super) struct Options {
    /// File with a header and a row for each message; CSV in UTF-8
    #[arg(long, value_name = "FILE", requires = "row_text", conflicts_with_all = ["to", "to_file", "text", "correl_id"])]
    pub(super) csv: Option<PathBuf>,
    /// The column with the number
    #[arg(long, value_name = "NAME", default_value = "number", requires = "csv")]
    number_column: String,
    /// The text, with columns in braces: 'Hello {name}, ...'; a brace of the text is {{ or }}
    #[arg(long, value_name = "TEXT", group = "row_text", requires = "csv")]
    template: Option<String>,
    /// File with the text, less its last line end
    #[arg(long, value_name = "FILE", group = "row_text", requires = "csv")]
    template_file: Option<PathBuf>,
    /// What is between fields
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter, requires = "csv")]
    delimiter: u8,
    /// Leave out rows with the number of an earlier one
    #[arg(long, requires = "csv")]
    skip_duplicates: bool,
    /// What a part costs; then the whole cost is told
    #[arg(long, requires = "csv")]
    price: Option<Price>,
    /// Name of the run: under another one the same file is sent anew
    #[arg(long, value_name = "NAME", default_value = "1", value_parser = run_name, requires = "csv")]
    run: String,
    /// Most messages a second
    #[arg(long, value_name = "NUMBER", value_parser = rate, requires = "csv")]
    rate: Option<f64>,
    /// Where to write what became of each [default: beside the file, FILE.RUN.result.csv]
    #[arg(long, value_name = "FILE", requires = "csv")]
    result: Option<PathBuf>,
    /// Write whole numbers into it, not masked ones
    #[arg(long, requires = "csv")]
    full_numbers: bool,
    /// End when all are accepted, without waiting for statuses
    #[arg(long, requires = "csv")]
    no_wait: bool,
    /// How long without news to wait for the last statuses
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration, requires = "csv", conflicts_with = "no_wait")]
    wait: Duration,
}

fn delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        [octet] if octet.is_ascii() && !matches!(octet, b'"' | b'\r' | b'\n') => Ok(*octet),
        _ if text == "\\t" => Ok(b'\t'),
        _ => Err("one character is expected, such as ; or \\t"),
    }
}

fn run_name(text: &str) -> Result<String, &'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !text.is_empty() && text.len() <= 40 && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("up to 40 letters, digits, - and _ are expected"),
    }
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.01);
    rate.ok_or("a number of 0.01 or more is expected")
}

impl Options {
    fn template(&self) -> Outcome<Zeroizing<String>> {
        let text = match (&self.template, &self.template_file) {
            (Some(text), _) => Zeroizing::new(text.clone()),
            (None, Some(file)) => console::read_text(file)?,
            (None, None) => return Err("give --template or --template-file".into()),
        };
        Ok(text)
    }

    fn result(&self, file: &Path) -> PathBuf {
        let beside = || with_ending(file, &format!(".{}.result.csv", self.run));
        self.result.clone().unwrap_or_else(beside)
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// Gives out correlation ids: what makes a run, and the line.
struct Ids(String);

impl Ids {
    fn new(file: &[u8], run: &str) -> Outcome<Self> {
        let mut octets = [0; 8];
        pbkdf2_hmac(&sha256(file), run.as_bytes(), ROUNDS, MessageDigest::sha256(), &mut octets)?;
        Ok(Self(format!("C{}-", hex::encode(octets))))
    }

    fn get(&self, line: u64) -> String {
        format!("{}{line}", self.0)
    }

    /// Gives the line of an id; none for an id of others.
    fn line(&self, id: &str) -> Option<u64> {
        id.strip_prefix(self.0.as_str())?.parse().ok()
    }
}

impl Send {
    /// Sends what is in the file.
    pub(super) async fn run_rows(&self, file: &Path) -> Outcome {
        let options = &self.rows;
        let key = public_key(&self.key)?;
        if let Some(sender) = &self.sender {
            sms::sender::detect(sender).map_err(|error| format!("--sender: {error}"))?;
        }
        let bytes = console::read(file)?;
        let table = Table::read(file, &bytes, options.delimiter)?;
        let number = column(&options.number_column, &table.columns)
            .map_err(|_| format!("--number-column: no one column is named {:?}", options.number_column))?;
        let template_text = options.template()?;
        let template = Template::parse(&template_text, &table.columns)?;
        let plan = Plan::make(file, &table, (number, &template), options.skip_duplicates)?;
        plan.tell_doubles(file);
        let summary = plan.summary(options.price);
        if self.dry_run {
            console::print_line(&summary)?;
            return plan.longest().iter().try_for_each(|text| console::print_line(text));
        }
        console::say(&summary);

        let result = options.result(file);
        let place = with_ending(&result, ".journal");
        let channel = self.channel().await?;
        let (mut journal, past) = Journal::open(&place)?;
        let arguments = self.arguments(&template_text, matches!(channel, Channel::Http(_)))?;
        let now = Beginning {
            file: hex::encode(sha256(&bytes)),
            arguments: hex::encode(sha256(arguments.as_bytes())),
            deadline: self.deadline(key.kind()),
            after: None,
        };
        let goes_on = past.beginning.is_some();
        let beginning = match past.beginning.clone() {
            Some(then) if (&then.file, &then.arguments) == (&now.file, &now.arguments) => then,
            Some(_) => {
                return Err(format!(
                    "{} belongs to a run with another file or other options: \
                     give those to go on, or another --run to begin anew",
                    place.display()
                )
                .into());
            }
            None => {
                let after = match &channel {
                    Channel::Http(gateway) => Some(follow::last(gateway).await?),
                    Channel::Kafka(_) | Channel::Nowhere => None,
                };
                let beginning = Beginning { after, ..now };
                journal.begin(&place, beginning.clone())?;
                beginning
            }
        };
        let ids = Ids::new(&bytes, &options.run)?;
        let mut run = Run::new(&plan, ids, (journal, past), (result, options.full_numbers));
        if goes_on {
            run.catch_up(&channel, &beginning).await?;
            run.tell_past();
        }
        let follower = match options.no_wait {
            true => None,
            false => Some(Follower::start(self, beginning.after, goes_on).await?),
        };
        let request = |message: &plan::Planned, id| {
            self.request(&key, &beginning.deadline, (&message.number, &message.text), id)
        };
        run.complete(&channel, request, (Pace::new(options.rate), follower, options.wait)).await
    }

    /// Everything but the file that decides what is sent.
    fn arguments(&self, template: &str, http: bool) -> Outcome<String> {
        let rows = &self.rows;
        let what = (&self.client, &self.sender, self.class.map(|class| class.as_str()), template);
        let which = (&rows.number_column, rows.delimiter, rows.skip_duplicates);
        let until = (&self.deadline, self.valid_for);
        Ok(serde_json::to_string(&(what, which, until, &rows.run, http))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_file_run_and_line_alone() {
        let ids = |file: &[u8], run| Ids::new(file, run).unwrap().get(7);

        assert_eq!(ids(b"file", "1"), ids(b"file", "1"));
        assert_ne!(ids(b"file", "1"), ids(b"file", "2"));
        assert_ne!(ids(b"file", "1"), ids(b"elif", "1"));
        assert_eq!(Ids::new(b"file", "1").unwrap().line(&ids(b"file", "1")), Some(7));
        assert_eq!(Ids::new(b"file", "1").unwrap().line(&ids(b"file", "2")), None);
    }
}
