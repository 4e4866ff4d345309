//! What a server's answers mean to the person at the terminal.

use std::error::Error;

use common::models::Problem;
use reqwest::Response;
use url::Url;

/// Why there is no answer: the innermost cause, which names the fault and no header.
pub(crate) fn unreachable(server: &Url, error: &reqwest::Error) -> Box<dyn Error + Send + Sync> {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("{server}: {cause}").into()
}

/// Why the answer is no, as `who` puts it.
pub(crate) async fn refused(who: &str, answer: Response) -> Box<dyn Error + Send + Sync> {
    let status = answer.status().as_u16();
    let said = match answer.json::<Problem>().await {
        Ok(problem) => problem.detail.unwrap_or(problem.title),
        Err(_) => format!("not the answer of a {who}"),
    };
    format!("the {who} answered {status}: {said}").into()
}
