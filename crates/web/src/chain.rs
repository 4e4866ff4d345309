//! An error and its causes as one line of text, for the log.

/// Writes an error with its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).fold(String::new(), |mut text, error| {
        let part = error.to_string();
        // `#[error(transparent)]` and causes that are part of the text would else come twice.
        if !text.ends_with(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        text
    })
}
