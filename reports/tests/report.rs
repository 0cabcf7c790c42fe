//! Reports on made-up runs: the facts below are invented for these tests and measure nothing.

mod invented;

use benchmark_db::{Database, Options};
use invented::{Shape, facts};
use reports::{Format, Metric, Question, answer, write_report};
use shared::fact::Fact;
use std::path::{Path, PathBuf};

struct Report {
    folder: tempfile::TempDir,
    html: String,
    pngs: Vec<PathBuf>,
}

fn report(facts: &[Fact]) -> Report {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut database = Database::open(&folder.path().join("db.duckdb"), Options::default()).expect("a new file");
    database.append(1, facts).expect("appended");
    let page = folder.path().join("report.html");
    let written = write_report(&database, &page, Some(&folder.path().join("figures")), None).expect("a report");
    // A person looks at them with `EVENKEEL_TEST_KEEP=folder cargo test -p reports`.
    if let Some(keep) = std::env::var_os("EVENKEEL_TEST_KEEP") {
        keep_copy(&written.html, &written.pngs, Path::new(&keep));
    }
    let html = std::fs::read_to_string(&written.html).expect("the page");
    Report { folder, html, pngs: written.pngs }
}

fn keep_copy(html: &Path, pngs: &[PathBuf], keep: &Path) {
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    let folder = keep.join(test);
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in pngs.iter().map(PathBuf::as_path).chain([html]) {
        std::fs::copy(file, folder.join(file.file_name().expect("a name"))).expect("copied");
    }
}

#[test]
fn a_mixed_run_has_every_figure_and_table() {
    let report = report(&facts(Shape::default()));
    for metric in Metric::ALL {
        assert!(report.html.contains(&format!("<h2>{}</h2>", metric.title())), "{metric}");
    }
    for table in ["What failed", "Flaky", "Who was served how", "Key figures"] {
        assert!(report.html.contains(table), "{table}");
    }
    assert_eq!(report.html.matches("<svg").count(), Metric::ALL.len());
    assert_eq!(report.pngs.len(), Metric::ALL.len());
    for png in &report.pngs {
        let bytes = std::fs::read(png).expect("a figure");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 5000, "{} has {} bytes", png.display(), bytes.len());
    }
    assert!(report.folder.path().join("figures/timeline.png").exists());
}

#[test]
fn the_page_fetches_nothing_and_runs_nothing() {
    let html = report(&facts(Shape::default())).html;
    for reference in ["src=", "<script", "<link", "@import", "url("] {
        assert!(!html.contains(reference), "{reference}");
    }
    // The only address is the name of the SVG vocabulary, which nothing fetches.
    assert_eq!(
        html.matches("http").count(),
        html.matches("http://www.w3.org/2000/svg").count() + html.matches("http-equiv").count()
    );
}

#[test]
fn names_and_messages_are_text_never_markup() {
    let hostile = "<img src=x onerror=alert(1)>&\"'\u{1b}]0;";
    let html = report(&facts(Shape { tasks: 12, name: hostile.into(), ..Shape::default() })).html;
    assert!(!html.contains("<img"));
    assert!(!html.contains('\u{1b}'));
    assert!(html.contains("&lt;img src=x"));
}

#[test]
fn an_empty_database_says_so() {
    let report = report(&[]);
    assert!(report.html.contains("Nothing has run yet"));
    assert!(!report.html.contains("<svg") && !report.html.contains("NaN"));
    assert!(report.pngs.is_empty());
}

#[test]
fn one_task_makes_a_report() {
    let report = report(&facts(Shape { tasks: 1, workers: 1, ..Shape::default() }));
    assert!(report.html.contains("The task passed"), "{}", report.html);
    assert!(!report.html.contains("NaN") && !report.html.contains("inf"));
}

#[test]
fn every_cut_through_a_run_makes_a_report() {
    let facts = facts(Shape { tasks: 6, ..Shape::default() });
    for cut in (0..facts.len()).step_by(5) {
        let html = report(&facts[..cut]).html;
        assert!(html.contains("</html>") && !html.contains("NaN"), "cut at {cut}");
    }
}

#[test]
fn a_hundred_thousand_facts_make_a_report_of_bounded_size() {
    let facts = facts(Shape { tasks: 24_000, workers: 24, ..Shape::default() });
    assert!(facts.len() >= 100_000, "{}", facts.len());
    let report = report(&facts);
    assert!(report.html.contains("too many to draw one by one"));
    assert!(report.html.len() < 3_000_000, "{} bytes", report.html.len());
}

#[test]
fn small_figures_are_drawn_as_before() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut database = Database::open(&folder.path().join("db.duckdb"), Options::default()).expect("a new file");
    database.append(1, &facts(Shape { tasks: 24, workers: 2, ..Shape::default() })).expect("appended");
    let golden = Path::new("tests/golden");
    let mut changed = Vec::new();
    for metric in Metric::ALL {
        let question = Question { metric: Some(metric), format: Format::Svg, ..Question::default() };
        let drawn = String::from_utf8(answer(&database, &question).expect("a figure")).expect("text");
        let path = golden.join(format!("{metric}.svg"));
        if std::env::var_os("EVENKEEL_TEST_BLESS").is_some() {
            std::fs::write(&path, &drawn).expect("written");
        } else if std::fs::read_to_string(&path).expect("a golden figure") != drawn {
            changed.push(metric.name());
        }
    }
    assert!(
        changed.is_empty(),
        "{changed:?} are drawn otherwise: run again with EVENKEEL_TEST_BLESS=1, and look at what git shows"
    );
}
