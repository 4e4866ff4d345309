//! `docs/privacy.md` names every table that there is, and settings that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bus::{Bus, BusSettings};
use config::Config;
use service::{CommonSettings, DatabaseSection};

use crate::services;

const DOCUMENT: &str = include_str!("../../../../docs/privacy.md");

/// The section about the tables that are no service's.
const BUS: &str = "The bus";
/// Where the names of settings are in a row.
const SETTINGS: usize = 4;

/// The rows of the tables about tables, each with its cells, by the heading above.
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let (mut heading, mut is_ours, mut rows) = ("", false, Vec::new());
    for line in DOCUMENT.lines() {
        if let Some(text) = line.trim_start_matches('#').strip_prefix(' ')
            && line.starts_with('#')
        {
            (heading, is_ours) = (text, false);
        } else if line.starts_with("| Table |") {
            is_ours = true;
        } else if !line.starts_with('|') {
            is_ours = false;
        } else if is_ours && !line.starts_with("|--") {
            let cells = line.trim_matches('|').split('|').map(str::trim);
            rows.push((heading, cells.collect()));
        }
    }
    rows
}

/// What is in a text between backticks.
fn quoted(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split('`').skip(1).step_by(2)
}

/// The tables in a file, but for the one of migrations.
fn tables(file: &Path) -> BTreeSet<String> {
    let mut tables: BTreeSet<String> = db::inspect(file).unwrap().rows.into_keys().collect();
    tables.remove("__diesel_schema_migrations");
    tables
}

#[tokio::test]
async fn every_table_is_documented_and_no_other() {
    let (data, settings) = (tempfile::tempdir().unwrap(), DatabaseSection::default());
    let mut there = BTreeMap::new();
    for service in services::all() {
        let db = service.database(&settings, Some(data.path())).unwrap();
        db.migrate(service.migrations.unwrap()).await.unwrap();
        drop(db);
        there.insert(service.name, tables(&data.path().join(format!("{}.sqlite", service.section()))));
    }
    drop(Bus::open(&BusSettings::default(), Some(data.path())).unwrap());
    there.insert(BUS, tables(&data.path().join("bus.sqlite")));

    let mut told = BTreeMap::<&str, BTreeSet<String>>::new();
    for (heading, cells) in rows() {
        let table = quoted(cells[0]).next().unwrap().to_owned();
        assert!(told.entry(heading).or_default().insert(table), "{cells:?} is there twice");
    }

    assert_eq!(told, there, "left: docs/privacy.md, right: the tables that there are");
}

/// Whether some section of the settings has this field.
fn is_setting(path: &str) -> Result<(), String> {
    // A value of no sensible kind: where the field is known, that is what is wrong, if anything is.
    let config =
        Config::load(None, [], [(path.to_owned(), "?".to_owned())]).map_err(|error| error.to_string())?;
    let service = services::all().into_iter().find(|service| path.starts_with(&(service.section() + ".")));
    let read = match service {
        Some(service) => (service.read)(&config),
        None => CommonSettings::load(&config, &[]).map(drop),
    };
    match read.map_err(|error| error.to_string()) {
        Err(error) if error.contains("unknown") => Err(error),
        _ => Ok(()),
    }
}

#[test]
fn every_setting_in_the_document_is_one() {
    let mut seen = 0;
    for (_, cells) in rows() {
        for path in quoted(cells[SETTINGS]) {
            is_setting(path).unwrap_or_else(|error| panic!("{path}: {error}"));
            seen += 1;
        }
    }

    assert!(seen > 60, "{seen} settings");
    for wrong in ["auth.nonsense", "nonsense.ttl", "bus.nonsense"] {
        assert!(is_setting(wrong).is_err(), "{wrong}");
    }
}
