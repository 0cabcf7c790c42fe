//! Reports that the coordinator draws of the database it holds.

use crate::daemon::Daemon;
use reports::{Place, Question};
use serde_json::Value;

#[tokio::test]
async fn a_report_is_a_page_and_a_question_that_makes_no_sense_says_what_would() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let daemon = Daemon::start(folder.path(), &[]);
    let page = reqwest::get(format!("{}/api/report", daemon.url)).await.expect("an answer");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.expect("text").contains("Nothing has run yet"));
    for (query, status, words) in [
        ("metric=latency", 400, "threshold_adaptation"),
        ("format=pdf", 400, "html, svg, png"),
        ("days=-1", 400, "number of days"),
        ("format=png", 400, "name its metric"),
        ("metric=energy&format=svg", 404, "no worker told or declared"),
    ] {
        let answer = reqwest::get(format!("{}/api/report?{query}", daemon.url)).await.expect("an answer");
        assert_eq!(answer.status(), status, "{query}");
        let body: Value = answer.json().await.expect("JSON");
        assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains(words)), "{query}: {body}");
    }
    // The programs ask in the same way.
    let place = Place::Coordinator { url: daemon.url.clone(), token: None };
    let asked = tokio::task::spawn_blocking(move || place.ask(&Question::default())).await.expect("it ran");
    assert!(String::from_utf8_lossy(&asked.expect("a page")).contains("Nothing has run yet"));
}
