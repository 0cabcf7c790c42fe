//! The live page in a real browser. Needs Debian's `chromium`: `cargo xtask test -- -p cli --test with_chromium -- --ignored --nocapture`

mod browser;
#[expect(dead_code, reason = "each test program uses its part of it")]
mod common;

use browser::{Tab, fakes};
use common::{Place, Running, eventually};
use serde_json::Value;
use std::process::Command;

const TOKEN: &str = "ek_0123456789abcdef";

/// A coordinator, and workers where the test wants some; ended with the test.
struct Farm {
    place: Place,
    url: String,
    _coordinator: Running,
    workers: Vec<Running>,
}

impl Farm {
    fn start(workers: &[&str], more: &[&str]) -> Self {
        let place = Place::with("");
        place.write("token", TOKEN);
        let words = ["coordinator", "--port", "0", "--announce", "url", "--check-interval", "2s"];
        let coordinator = daemon(place.command(&[&words[..], more].concat()));
        let url =
            eventually("the coordinator listens", || Some(place.read("url").trim().to_owned()).filter(|url| !url.is_empty()));
        let mut farm = Self { place, url, _coordinator: coordinator, workers: Vec::new() };
        for name in workers {
            let words = ["worker", "--coordinator", &farm.url, "--name", name, "--work-dir", name, "--slots", "2"];
            farm.workers.push(daemon(farm.place.command(&words)));
        }
        farm
    }

    fn submit(&self, words: &[&str]) {
        let mut command = self.place.command(&["submit", "--coordinator", &self.url]);
        command.args(words);
        Running::of(command).end().expect_code(0);
    }
}

/// It says only what is wrong: nobody reads it, and a full pipe would stop it.
fn daemon(mut command: Command) -> Running {
    command.env("RUST_LOG", "error");
    Running::of(command)
}

/// Milliseconds between the printing of each line of the log and its being on the page, sorted.
const DELAYS: &str = r#"(async () => {
  const log = document.querySelector("pre.log"), delays = [], seen = new Set();
  const look = () => {
    for (const [line, at] of log.textContent.matchAll(/line-\d+ (\d{13})/g)) {
      if (!seen.has(line)) { seen.add(line); delays.push(Date.now() - Number(at)); }
    }
  };
  look();
  delays.length = 0;
  const watcher = new MutationObserver(look);
  watcher.observe(log, { childList: true, subtree: true, characterData: true });
  await new Promise((done) => setTimeout(done, 8000));
  watcher.disconnect();
  return delays.sort((a, b) => a - b);
})()"#;

/// Milliseconds between pictures of the screen, and milliseconds spent drawing for one, over five seconds, each sorted.
const FRAMES: &str = r#"(async () => {
  const gaps = [], drawn = [], ask = window.requestAnimationFrame;
  window.requestAnimationFrame = (draw) => ask((at) => {
    const began = performance.now();
    draw(at);
    drawn.push(performance.now() - began);
  });
  let last = performance.now();
  const end = last + 5000;
  while (last < end) {
    const now = await new Promise((done) => ask(() => done(performance.now())));
    gaps.push(now - last);
    last = now;
  }
  window.requestAnimationFrame = ask;
  return [gaps, drawn].map((all) => all.sort((a, b) => a - b));
})()"#;

fn quantiles(sorted: &Value) -> String {
    let all: Vec<f64> = sorted.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    let at = |share: f64| all.get(((all.len().max(1) - 1) as f64 * share).round() as usize).copied().unwrap_or(f64::NAN);
    format!("{} times, p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms", all.len(), at(0.5), at(0.95), at(1.0))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium"]
async fn a_suite_is_seen_running_and_its_log_and_a_worker_is_drained_and_an_alert_is_shown() {
    let farm = Farm::start(&["ada", "bea", "cyd"], &[]);
    let mut tab = Tab::open(&farm.place.path("."), &farm.url, 1400, 1000).await;
    tab.until("three workers are shown", "document.querySelector('#fleet-told').textContent.includes('of 3 workers')").await;
    let script = "for i in $(seq 1 300); do echo line-$i $(date +%s%3N); sleep 0.1; done";
    farm.submit(&["--name", "long", "--", "sh", "-c", script]);
    farm.submit(&["--array", "30", "--name", "short", "--", "sh", "-c", "sleep 1"]);
    tab.until("attempts run", "Number(document.querySelector('#running-told').textContent.split(' ')[0]) >= 4").await;
    tab.until("something waits", "document.querySelector('#queue-list').textContent.includes('wait for')").await;
    tab.picture("light").await;
    tab.prefer("dark").await;
    tab.picture("dark").await;
    tab.prefer("light").await;
    tab.until(
        "verdicts are given",
        "/[1-9]/.test(document.querySelector('#figures-list').textContent.match(/Verdicts(.*)\\/s/)[1])",
    )
    .await;

    tab.click("#running-as-table").await;
    tab.until("the long task is listed", "document.querySelector('#running-table').textContent.includes('long')").await;
    tab.eval("[...document.querySelectorAll('#running-table tr')].find((row) => row.textContent.includes('long')).querySelector('button').click()").await;
    tab.until("its log is shown", "document.querySelector('pre.log')?.textContent.includes('line-3 ')").await;
    let delays = tab.eval(DELAYS).await;
    println!("worker's output to the page: {}", quantiles(&delays));
    tab.picture("task").await;
    tab.eval("document.querySelector('#details').close()").await;

    tab.click("#fleet-as-table").await;
    tab.click("[data-worker=bea]").await;
    tab.eval("[...document.querySelectorAll('#details button')].find((button) => button.textContent === 'Drain').click()").await;
    tab.until("it is drained", "document.querySelector('#details').textContent.includes('draining')").await;
    tab.picture("worker").await;
    tab.eval("document.querySelector('#details').close()").await;
    tab.until("the table says so", "document.querySelector('#fleet-table').textContent.includes('draining')").await;

    farm.submit(&["--requires", "cores>=4000", "--", "true"]);
    tab.until("an alert is shown", "document.querySelector('#alerts-list').textContent.includes('no registered worker')").await;
    tab.click("#fleet-as-table").await;
    tab.picture("alert").await;
    tab.size(420, 900).await;
    // Charts follow with the next pictures of the screen.
    tab.until("a narrow page is not wider than its window", "document.documentElement.scrollWidth <= 420").await;
    tab.picture("narrow").await;
    assert!(tab.complaints.is_empty(), "{:?}", tab.complaints);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium"]
async fn a_thousand_workers_are_shown_and_how_smoothly_is_printed() {
    let farm = Farm::start(&[], &[]);
    let _fakes = fakes::start(&farm.url, 1_000);
    let mut tab = Tab::open(&farm.place.path("."), &farm.url, 1400, 1000).await;
    tab.until("all are shown", "document.querySelector('#fleet-told').textContent.includes('of 1000 workers')").await;
    farm.submit(&["--array", "8000", "--name", "work", "--", "true"]);
    tab.until("all are busy", "document.querySelector('#figures-list').textContent.includes('4000 of 4000')").await;
    let frames = tab.eval(FRAMES).await;
    println!("1000 workers, between pictures: {}", quantiles(&frames[0]));
    println!("1000 workers, drawing a frame:  {}", quantiles(&frames[1]));
    tab.picture("thousand").await;
    tab.eval("document.querySelector('#fleet-measure').value = 'temperature'").await;
    tab.eval("document.querySelector('#fleet-measure').dispatchEvent(new Event('input'))").await;
    tab.until("temperatures are shown", "document.querySelector('#fleet-legend').textContent.includes('°C')").await;
    tab.prefer("dark").await;
    tab.until(
        "the canvas has been drawn anew",
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))",
    )
    .await;
    tab.picture("thousand-dark").await;
    assert!(tab.complaints.is_empty(), "{:?}", tab.complaints);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium"]
async fn where_a_token_is_needed_the_page_asks_until_it_is_right() {
    let farm = Farm::start(&[], &["--host", "0.0.0.0", "--token-file", "token"]);
    let url = farm.url.replace("0.0.0.0", "127.0.0.1");
    let mut tab = Tab::open(&farm.place.path("."), &url, 900, 700).await;
    for (typed, is_right) in [("wrong", false), (TOKEN, true)] {
        tab.until("the page asks", "document.querySelector('#token').open").await;
        tab.eval(&format!("document.querySelector('#token-text').value = '{typed}'")).await;
        tab.click("#token button").await;
        let shown = if is_right {
            "document.querySelector('#connection').textContent === 'live'"
        } else {
            "!document.querySelector('#token-wrong').hidden"
        };
        tab.until("the answer is shown", shown).await;
    }
    tab.until("nothing has joined", "document.querySelector('#fleet-told').textContent.includes('No worker has joined')").await;
}
