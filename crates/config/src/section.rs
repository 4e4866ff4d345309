//! From the merged tree to one typed section, with all faults at once.

use std::collections::BTreeSet;

use figment::Figment;
use figment::error::{Actual, Error, Kind};
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use crate::error::{ConfigError, Fault, describe};
use crate::layers::{Config, Origin, find, segments};

/// More faults than this in one section are not looked for.
const MAX_STEPS: usize = 256;

impl Config {
    /// Reads the section `name` (dotted for a nested one, such as `compat.woosh`). A section that no layer mentions
    /// is read as empty, so that the defaults of `T` hold.
    ///
    /// Text from the environment becomes what the field needs: numbers and booleans are parsed, and a list is either
    /// TOML (`["a", "b"]`) or separated by commas.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every fault that could be told apart.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        let table = match find(&self.root, &segments(name)) {
            None => Dict::new(),
            Some(Value::Dict(_, table)) => table.clone(),
            Some(_) => return Err(ConfigError::invalid(name, "expected a table")),
        };
        Reading { config: self, name, table, faults: Vec::new(), removed: BTreeSet::new() }.run()
    }
}

/// One section on its way to its type. Serde stops at the first fault; here a faulty value is taken out and the rest
/// is tried again, so that an operator sees all faults of one start.
struct Reading<'a> {
    config: &'a Config,
    name: &'a str,
    table: Dict,
    faults: Vec<Fault>,
    removed: BTreeSet<String>,
}

impl Reading<'_> {
    fn run<T: DeserializeOwned>(mut self) -> Result<T, ConfigError> {
        for _ in 0..MAX_STEPS {
            let error = match Figment::from(Serialized::defaults(&self.table)).extract_lossy::<T>() {
                Ok(value) if self.faults.is_empty() => return Ok(value),
                Ok(_) => break,
                Err(error) => error,
            };
            match self.repair(&error) {
                Ok(true) => {}
                Ok(false) => {
                    self.report(&error);
                    if !self.remove(&error.path) {
                        break;
                    }
                }
                Err(fault) => {
                    self.faults.push(fault);
                    self.remove(&error.path);
                }
            }
        }
        Err(ConfigError::Invalid(self.faults))
    }

    /// Mends what is no fault: `token_file` for a field `token`, and a list or table given as text.
    fn repair(&mut self, error: &Error) -> Result<bool, Fault> {
        match &error.kind {
            Kind::UnknownField(field, expected) => match field.strip_suffix("_file") {
                Some(plain) if expected.contains(&plain) => self.read_secret(&error.path, plain),
                _ => Ok(false),
            },
            Kind::InvalidType(Actual::Str(text), expected) if !self.is_from_file(&error.path) => {
                let value = match text.parse::<Value>() {
                    Ok(value @ (Value::Array(..) | Value::Dict(..))) => value,
                    _ if expected == "a sequence" => {
                        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                        Value::from(parts.map(Value::from).collect::<Vec<_>>())
                    }
                    _ => return Ok(false),
                };
                Ok(self.replace(&error.path, value))
            }
            _ => Ok(false),
        }
    }

    /// Puts the content of the file named at `path` into the sibling field `plain`; of the two forms the one from the
    /// higher layer counts.
    fn read_secret(&mut self, path: &[String], plain: &str) -> Result<bool, Fault> {
        let Some(Value::String(_, file)) = self.find(path) else {
            return Ok(false);
        };
        let mut sibling = path.to_vec();
        sibling.pop();
        sibling.push(plain.to_owned());
        let (here, there) = (self.origin(path), self.origin(&sibling));
        if self.find(&sibling).is_some() {
            match rank(here.as_ref()).cmp(&rank(there.as_ref())) {
                std::cmp::Ordering::Less => return Ok(self.remove(path)),
                std::cmp::Ordering::Greater => {}
                std::cmp::Ordering::Equal => {
                    return Err(self.fault(path, format!("`{plain}` is set as well; give one of the two")));
                }
            }
        }
        let content = std::fs::read_to_string(&file)
            .map_err(|error| self.fault(path, format!("cannot read the file named here: {error}")))?;
        let line = content.strip_suffix('\n').unwrap_or(&content);
        let value = Value::from(line.strip_suffix('\r').unwrap_or(line));
        self.remove(path);
        Ok(self.replace(&sibling, value))
    }

    fn report(&mut self, error: &Error) {
        let mut path = error.path.clone();
        if let Kind::MissingField(field) = &error.kind {
            path.push(field.to_string());
            // It was there, and was taken out as faulty: told already.
            if self.removed.contains(&path.join(".")) {
                return;
            }
        }
        let mut values = Vec::new();
        if let Some(value) = self.find(&path) {
            texts(&value, &mut values);
        }
        let fault = self.fault(&path, describe(&error.kind, &values));
        self.faults.push(fault);
    }

    fn fault(&self, path: &[String], problem: String) -> Fault {
        let source = self.origin(path).map(|origin| origin.to_string());
        Fault { place: self.place(path), source, problem }
    }

    fn place(&self, path: &[String]) -> String {
        std::iter::once(self.name).chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(".")
    }

    fn origin(&self, path: &[String]) -> Option<Origin> {
        self.config.origin(&self.place(path))
    }

    fn is_from_file(&self, path: &[String]) -> bool {
        matches!(self.origin(path), Some(Origin::File(_)))
    }

    fn find(&self, path: &[String]) -> Option<Value> {
        find(&self.table, &path.iter().map(String::as_str).collect::<Vec<_>>()).cloned()
    }

    /// Takes a value out; `false` when there is none, or when it stands in a list, whose places would shift.
    fn remove(&mut self, path: &[String]) -> bool {
        self.removed.insert(path.join("."));
        match path.split_last() {
            Some((last, parents)) => {
                table_at(&mut self.table, parents).is_some_and(|table| table.remove(last).is_some())
            }
            None => false,
        }
    }

    fn replace(&mut self, path: &[String], value: Value) -> bool {
        match path.split_last() {
            Some((last, parents)) => {
                table_at(&mut self.table, parents).map(|table| table.insert(last.clone(), value)).is_some()
            }
            None => false,
        }
    }
}

/// The higher of two layers wins; two of one layer contradict each other.
fn rank(origin: Option<&Origin>) -> u8 {
    match origin {
        None => 0,
        Some(Origin::Program(_)) => 1,
        Some(Origin::File(_)) => 2,
        Some(Origin::Variable(_)) => 3,
        Some(Origin::Flag) => 4,
    }
}

fn table_at<'a>(table: &'a mut Dict, path: &[String]) -> Option<&'a mut Dict> {
    let Some((first, rest)) = path.split_first() else {
        return Some(table);
    };
    let mut value = table.get_mut(first)?;
    for segment in rest {
        value = match value {
            Value::Dict(_, dict) => dict.get_mut(segment)?,
            Value::Array(_, items) => items.get_mut(segment.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match value {
        Value::Dict(_, dict) => Some(dict),
        _ => None,
    }
}

/// All texts within a value.
fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(_, text) => into.push(text.clone()),
        Value::Dict(_, dict) => dict.values().for_each(|value| texts(value, into)),
        Value::Array(_, items) => items.iter().for_each(|value| texts(value, into)),
        _ => {}
    }
}
