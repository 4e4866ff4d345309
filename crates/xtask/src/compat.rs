//! `docs/compat/README.md`: one table of what is kept of the interfaces of the five known systems, and of the tests that
//! show it.
//!
//! In: the section "Where it is tested" of each page beside it, a table of two columns: a part of the interface, and its
//! tests as `` `path/of/file.rs`: `test`, `test`; `another/file.rs` `` (a file without names stands for all of its tests).
//! Out: the part of the page behind a mark; or findings, if that part has drifted, or a file or a test is not there.

use std::fs;
use std::path::Path;

use crate::files;

const FOLDER: &str = "docs/compat";
const PAGE: &str = "docs/compat/README.md";
const BEGIN: &str =
    "<!-- Written by `cargo xtask compat`; change the tables of the pages beside this one instead. -->\n";
const SECTION: &str = "## Where it is tested";

/// The known systems, each with its page.
const PAGES: [(&str, &str); 6] = [
    ("signal_server", "signal-server.md"),
    ("Woosh", "woosh.md"),
    ("ChannelAPI", "channel-api.md"),
    ("Gateway server of SMSWithoutBorders: synchronization", "sync-gateway.md"),
    ("Gateway server of SMSWithoutBorders: SMS and gateway clients", "sms-relay.md"),
    ("sms-gateway of zwets", "sms-gateway.md"),
];

/// A part of an interface, and what shows that it is kept.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    part: String,
    tests: Vec<Tests>,
}

/// Tests of one file; all of them if none is named.
#[derive(Debug, PartialEq, Eq)]
struct Tests {
    file: String,
    names: Vec<String>,
}

/// Writes the table, or compares it when `check` is set.
///
/// # Errors
/// What is wrong, a finding a line, or which file could not be read.
pub(crate) fn run(root: &Path, check: bool) -> Result<String, String> {
    let path = root.join(PAGE);
    let kept = files::text(&path)?;
    let (above, _) = kept.split_once(BEGIN).ok_or_else(|| format!("{PAGE} has no line {BEGIN}"))?;
    let mut fresh = format!("{above}{BEGIN}");
    let (mut findings, mut count) = (Vec::new(), 0);
    for (system, page) in PAGES {
        let rows = rows(&files::text(&root.join(FOLDER).join(page))?)
            .map_err(|error| format!("{FOLDER}/{page}: {error}"))?;
        for tests in rows.iter().flat_map(|row| &row.tests) {
            let source = files::text(&root.join(&tests.file)).unwrap_or_default();
            findings.extend(missing(tests, &source).map(|what| format!("{FOLDER}/{page}: {what}")));
        }
        count += rows.len();
        fresh += &table(system, page, &rows);
    }
    if check && fresh != kept {
        findings.push(format!("{PAGE} has drifted; run `cargo xtask compat`"));
    }
    if !findings.is_empty() {
        return Err(findings.join("\n"));
    }
    if fresh != kept {
        fs::write(&path, fresh).map_err(|error| format!("{PAGE}: {error}"))?;
    }
    Ok(format!("compat: {count} parts of {} interfaces have their tests", PAGES.len()))
}

/// Reads the table of a page.
fn rows(page: &str) -> Result<Vec<Row>, String> {
    let mut lines = page.lines().skip_while(|line| *line != SECTION).skip(1);
    let lines: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("## ")).collect();
    let table = lines.iter().filter(|line| line.starts_with("| ")).skip(1);
    let rows: Result<Vec<Row>, String> = table.map(|line| row(line)).collect();
    match rows {
        Ok(rows) if rows.is_empty() => Err(format!("has no table below {SECTION:?}")),
        rows => rows,
    }
}

fn row(line: &str) -> Result<Row, String> {
    let cells = line.trim_matches(['|', ' ']).split_once(" | ");
    let (part, tests) = cells.ok_or_else(|| format!("no row of two columns: {line}"))?;
    let tests: Result<Vec<Tests>, String> = tests.split("; ").map(|tests| read(tests.trim())).collect();
    Ok(Row { part: part.trim().to_owned(), tests: tests? })
}

/// Reads `` `file.rs`: `test`, `test` ``.
fn read(tests: &str) -> Result<Tests, String> {
    let (file, names) = tests.split_once(": ").unwrap_or((tests, ""));
    let quoted = |text: &str| {
        let inner = text.trim().strip_prefix('`').and_then(|text| text.strip_suffix('`'));
        inner.map(str::to_owned).ok_or_else(|| format!("{text} is neither a file nor a test in backquotes"))
    };
    let names: Result<Vec<String>, String> =
        names.split(", ").filter(|name| !name.is_empty()).map(quoted).collect();
    let file = quoted(file)?;
    if !file.ends_with(".rs") {
        return Err(format!("{file} is no source"));
    }
    Ok(Tests { file, names: names? })
}

/// What of the tests is not there.
fn missing<'a>(tests: &'a Tests, source: &'a str) -> impl Iterator<Item = String> + 'a {
    let has_tests = ["test]", "::test(", "on_both!", "proptest!"].iter().any(|sign| source.contains(sign));
    let file = (!has_tests).then(|| format!("{} is not there, or has no tests", tests.file));
    let names = tests.names.iter().filter(move |name| !source.contains(&format!("fn {name}(")));
    file.into_iter().chain(names.map(|name| format!("{} has no test {name}", tests.file)))
}

/// Writes the rows of a page.
fn table(system: &str, page: &str, rows: &[Row]) -> String {
    let mut table = format!("\n## [{system}]({page})\n\n| Part of the interface | Shown by |\n|---|---|\n");
    for Row { part, tests } in rows {
        let tests: Vec<String> = tests.iter().map(linked).collect();
        table += &format!("| {part} | {} |\n", tests.join("; "));
    }
    table
}

fn linked(tests: &Tests) -> String {
    let link = format!("[`{0}`](../../{0})", tests.file);
    match tests.names.as_slice() {
        [] => link,
        names => format!("{link}: `{}`", names.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "## Where it is tested\n\n| Part | Test |\n|---|---|\n\
                       | §1, paths | `a/b.rs`: `one`, `two`; `c.rs` |\n\n## More\n\n| x | `y` |\n";

    #[test]
    fn the_table_of_a_page_is_read() {
        let read = rows(ROW).unwrap();

        let tests = |file: &str, names: &[&str]| Tests {
            file: file.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let expected = Row {
            part: "§1, paths".to_owned(),
            tests: vec![tests("a/b.rs", &["one", "two"]), tests("c.rs", &[])],
        };
        assert_eq!(read, [expected]);
        assert!(rows("# No table").is_err());
        assert!(rows(&ROW.replace("`c.rs`", "somewhere")).is_err());
    }

    #[test]
    fn a_test_and_a_file_that_are_not_there_are_found() {
        let read = rows(ROW).unwrap();
        let source = "#[test]\nfn one() {}\n";

        let found: Vec<String> =
            missing(&read[0].tests[0], source).chain(missing(&read[0].tests[1], "")).collect();

        assert_eq!(found, ["a/b.rs has no test two", "c.rs is not there, or has no tests"]);
    }

    #[test]
    fn the_page_is_that_of_this_workspace() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");

        assert_eq!(run(&root, true).map(|_| ()), Ok(()));
    }
}
