//! Talking to the person at the terminal: results on stdout, everything else on stderr.

use std::error::Error;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zeroize::Zeroizing;

/// What a command ends with; the error is for the person who typed it.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// An end with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Coded {
    /// The exit code.
    pub(crate) code: u8,
    /// What the person is told.
    pub(crate) text: String,
}

/// Turns the end of a tool into its exit code, and tells on stderr why it failed.
pub(crate) fn end(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output (`| head`) has enough of it.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", line(&*error)));
            error.downcast_ref::<Coded>().map_or(ExitCode::FAILURE, |coded| coded.code.into())
        }
    }
}

/// Takes it for printed when whoever read it has enough of it: for a command whose exit code says more than that.
///
/// # Errors
/// When stdout takes nothing for another reason.
pub(crate) fn printed(outcome: Outcome) -> Outcome {
    match outcome {
        Err(error) if is_broken_pipe(&*error) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Gives an error with its causes as one line.
fn line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

/// Writes a result, byte for byte.
///
/// # Errors
/// When stdout takes nothing.
pub(crate) fn print(result: impl AsRef<[u8]>) -> Outcome {
    let mut stdout = io::stdout().lock();
    stdout.write_all(result.as_ref())?;
    Ok(stdout.flush()?)
}

/// Writes one line of a result.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_line(line: &str) -> Outcome {
    print(format!("{line}\n"))
}

/// Says something beside the result.
pub(crate) fn say(text: &str) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Runs the work of a tool that waits for others.
///
/// # Errors
/// Those of the work, or that it cannot be begun.
pub(crate) fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Reads all of stdin.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn stdin() -> Outcome<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a text from stdin; the line end that an editor or `echo` puts last is no part of it.
///
/// # Errors
/// When it cannot be read, or is not UTF-8.
pub(crate) fn stdin_text() -> Outcome<Zeroizing<String>> {
    without_line_end(&stdin()?).ok_or_else(|| "the text on stdin is not UTF-8".into())
}

/// Reads a text from a file; its last line end is no part of it.
///
/// # Errors
/// When it cannot be read, or is not UTF-8.
pub(crate) fn read_text(path: &Path) -> Outcome<Zeroizing<String>> {
    without_line_end(&read(path)?).ok_or_else(|| format!("{}: not UTF-8", path.display()).into())
}

fn without_line_end(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Some(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// Reads a file, and names it when that fails.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(path: &Path) -> Outcome<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?))
}

/// Reads a text file without the white space around it: a key or a password.
///
/// # Errors
/// When it cannot be read, or is not UTF-8.
pub(crate) fn read_line(path: &Path) -> Outcome<Zeroizing<String>> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{}: not UTF-8", path.display()))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// A bar for long work; drawn on a terminal only, and not for work that is over at once.
pub(crate) fn progress(total: usize, what: &'static str) -> ProgressBar {
    if total < 2 || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {pos}/{len}  {per_sec}  {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A count for long work whose end nobody knows; drawn on a terminal only.
pub(crate) fn counter(what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} {msg}  {per_sec}  {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
