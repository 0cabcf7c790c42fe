//! Tells another system of each change of an alert: one POST for the changes of a tick, tried again while it fails.

use coordinator_core::alerts::Change;
use reqwest::{Client, StatusCode, Url};
use serde::Serialize;
use shared::api::Alert;
use std::time::Duration;
use tokio::sync::mpsc;

/// Notes that may wait to be sent; past it new ones are dropped, and that is logged.
const NOTES_MAX: usize = 64;
/// How often one note is sent before it is given up.
const TRIES_MAX: u32 = 8;
/// The first wait before a note is sent again; it doubles.
const BACKOFF: Duration = Duration::from_secs(1);
/// How long the receiver may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The body of a POST. `text` is what chat systems show.
#[derive(Debug, Clone, Serialize)]
struct Note {
    text: String,
    raised: Vec<Alert>,
    cleared: Vec<Alert>,
}

/// The way to the receiver.
#[derive(Debug)]
pub struct Webhook {
    notes: mpsc::Sender<Note>,
}

/// An address that cannot be posted to, and why.
///
/// # Errors
/// It is no URL, or one that needs TLS, which this version does not speak.
pub fn parse_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("`{text}` is not an address ({error}): write http://HOST/PATH"))?;
    match url.scheme() {
        "http" => Ok(url),
        "https" => Err(format!("`{text}`: this version posts over http only; put a relay on this machine in front of it")),
        other => Err(format!("`{text}`: {other} is not http: write http://HOST/PATH")),
    }
}

impl Webhook {
    /// Begins to send to `url`.
    pub fn start(url: Url) -> Self {
        let (notes, queue) = mpsc::channel(NOTES_MAX);
        tokio::spawn(send_all(url, queue));
        Self { notes }
    }

    /// Hands in what changed; never waits.
    pub fn tell(&self, changes: &[Change]) {
        let (mut raised, mut cleared, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Raised(alert) => {
                    lines.push(alert.message.clone());
                    raised.push(alert.clone());
                }
                Change::Cleared(alert) => {
                    lines.push(format!("over: {}", alert.message));
                    cleared.push(alert.clone());
                }
            }
        }
        if self.notes.try_send(Note { text: lines.join("\n"), raised, cleared }).is_err() {
            tracing::warn!("{NOTES_MAX} notes wait for the alert webhook already: one more was dropped");
        }
    }
}

async fn send_all(url: Url, mut queue: mpsc::Receiver<Note>) {
    let client = match Client::builder().timeout(ANSWER).build() {
        Ok(client) => client,
        Err(error) => return tracing::error!("alerts cannot be posted: {error}"),
    };
    while let Some(note) = queue.recv().await {
        if let Err(problem) = send(&client, &url, &note).await {
            tracing::warn!("the alert webhook {url} did not take a note, which is dropped now: {problem}");
        }
    }
}

/// Sends a note until it is taken.
async fn send(client: &Client, url: &Url, note: &Note) -> Result<(), String> {
    let mut backoff = BACKOFF;
    let mut tries = 1;
    loop {
        let problem = match client.post(url.clone()).json(note).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) if is_lasting(answer.status()) => return Err(format!("it answers {}", answer.status())),
            Ok(answer) => format!("it answers {}", answer.status()),
            Err(error) => error.to_string(),
        };
        if tries == TRIES_MAX {
            return Err(format!("{problem}, {tries} times"));
        }
        tokio::time::sleep(backoff).await;
        (backoff, tries) = (backoff * 2, tries + 1);
    }
}

/// Whether sending the same again cannot help.
fn is_lasting(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_posted_to_is_refused_with_a_way_out() {
        for (text, words) in [("pager", "http://HOST"), ("https://a/b", "relay"), ("ftp://a", "not http")] {
            let problem = parse_url(text).expect_err(text);
            assert!(problem.contains(words), "{text}: {problem}");
        }
        assert_eq!(parse_url("http://127.0.0.1:9/x").expect("usable").path(), "/x");
    }
}
