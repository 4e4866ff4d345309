//! Whether somebody listens at an address of the settings. Nothing is sent there.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::Finding;

/// Connects to where a URL leads. Neither its path nor a user in it is shown.
pub(super) async fn reach(check: &str, url: &Url, patience: Duration, advice: &str) -> Finding {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Finding::failed(check, "its URL names no host", "correct the URL");
    };
    // Brackets belong to the URL of an IPv6 address, and not to the address.
    let name = host.trim_matches(['[', ']']);
    match timeout(patience, TcpStream::connect((name, port))).await {
        Ok(Ok(_)) => Finding::ok(check, format!("{host}:{port} takes connections")),
        Ok(Err(error)) => Finding::failed(check, format!("{host}:{port}: {error}"), advice),
        Err(_) => Finding::failed(check, format!("{host}:{port}: no answer"), advice),
    }
}

#[cfg(test)]
mod tests {
    use testkit::process::ports;

    use super::super::State;
    use super::*;

    #[tokio::test]
    async fn a_listener_is_told_from_a_port_without_one_and_no_path_is_shown() {
        // A port that nobody else is given once nobody listens there.
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", ports::free())).await.unwrap();
        let url = |port: u16| format!("http://u:hunter2@127.0.0.1:{port}/hunter2").parse::<Url>().unwrap();
        let address = listener.local_addr().unwrap();

        let there = reach("x", &url(address.port()), Duration::from_secs(5), "do").await;
        drop(listener);
        let gone = reach("x", &url(address.port()), Duration::from_secs(5), "do").await;

        assert_eq!((there.state, gone.state), (State::Ok, State::Failed));
        assert!(!format!("{there:?}{gone:?}").contains("hunter2"));
    }
}
