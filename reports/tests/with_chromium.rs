//! Pages in a real browser: `cargo xtask cargo -- test -p reports --test with_chromium -- --ignored`, which needs `chromium`.

mod invented;

use benchmark_db::{Database, Options};
use invented::{Shape, facts};
use reports::{Format, Metric, Question, answer};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, sync_channel};

/// Everything a browser fetches goes through here, and fails.
struct Proxy {
    address: String,
    asked: Receiver<String>,
}

impl Proxy {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let (tell, asked) = sync_channel(1000);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if tell.try_send(first_line(&stream)).is_err() {
                    return;
                }
            }
        });
        Self { address, asked }
    }

    /// What the browser showed, and its requests for anything but its maker's own services, in which a test has no say.
    fn fetched_by(&self, page: &Path, profile: &Path) -> (String, Vec<String>) {
        let output = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("--proxy-server=http://{}", self.address))
            .args(["--proxy-bypass-list=<-loopback>", "--virtual-time-budget=2000", "--dump-dom"])
            .arg(format!("file://{}", page.display()))
            .output()
            .expect("chromium is installed");
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        (dom, self.asked.try_iter().filter(|line| !line.is_empty() && !line.contains(".google.com")).collect())
    }
}

fn first_line(stream: &TcpStream) -> String {
    BufReader::new(stream).lines().next().and_then(Result::ok).unwrap_or_default()
}

fn page(name: &str, question: Question, folder: &Path) -> std::path::PathBuf {
    let mut database = Database::open(&folder.join(format!("{name}.duckdb")), Options::default()).expect("a new file");
    database.append(1, &facts(Shape { tasks: 24, workers: 2, ..Shape::default() })).expect("appended");
    let path = folder.join(format!("{name}.html"));
    std::fs::write(&path, answer(&database, &question).expect("a page")).expect("written");
    path
}

#[test]
#[ignore = "needs chromium"]
fn a_report_makes_no_request_and_one_that_would_is_noticed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proxy = Proxy::new();
    let report = page("report", Question::default(), folder.path());
    let (dom, fetched) = proxy.fetched_by(&report, &folder.path().join("a"));
    assert!(dom.contains("Drawn by Evenkeel"), "{dom:.400}");
    assert_eq!(fetched, [] as [String; 0]);
    let careless = folder.path().join("careless.html");
    std::fs::write(&careless, "<img src=\"http://fetched.invalid/x.png\">").expect("written");
    let (_, fetched) = proxy.fetched_by(&careless, &folder.path().join("b"));
    assert!(fetched.iter().any(|line| line.contains("fetched.invalid/x.png")), "{fetched:?}");
}

#[test]
#[ignore = "needs chromium"]
fn the_script_of_an_interactive_page_runs_and_makes_no_request() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proxy = Proxy::new();
    let question =
        Question { metric: Some(Metric::ThresholdAdaptation), format: Format::Html, interactive: true, ..Question::default() };
    let interactive = page("interactive", question, folder.path());
    let (dom, fetched) = proxy.fetched_by(&interactive, &folder.path().join("a"));
    // It took the words from the figure and made the element that shows them.
    assert!(dom.contains("<div class=\"tip\" hidden") && !dom.contains("</title></rect>"), "{dom:.400}");
    assert_eq!(fetched, [] as [String; 0]);
    // Without its digest in the page's policy it does not run.
    let other = std::fs::read_to_string(&interactive).expect("the page").replace("const tip", "const  tip");
    std::fs::write(&interactive, other).expect("written");
    let (dom, _) = proxy.fetched_by(&interactive, &folder.path().join("b"));
    assert!(dom.contains("</title></rect>") && !dom.contains("<div class=\"tip\""), "{dom:.400}");
}
