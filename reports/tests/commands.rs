//! The three programs as they are typed: what they write, and what they say to input that makes no sense (exit status 2).

mod invented;

use benchmark_db::{Database, Options};
use invented::{Shape, facts};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GENERATE: &str = env!("CARGO_BIN_EXE_generate_load_balancer_report");
const ANALYZE: &str = env!("CARGO_BIN_EXE_analyze_load_balancer");
const VISUALIZE: &str = env!("CARGO_BIN_EXE_visualize_load_balancer");

/// A folder with a database of a small run.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(tasks: u64) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let shape = Shape { tasks, workers: 2, ..Shape::default() };
        place.database().append(1, &if tasks == 0 { Vec::new() } else { facts(shape) }).expect("appended");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn database(&self) -> Database {
        Database::open(&self.path("benchmark_db.duckdb"), Options::default()).expect("a file")
    }

    fn run(&self, program: &str, words: &[&str]) -> Ended {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.folder.path()).env_remove("EVENKEEL_TOKEN");
        Ended::from(command.output().expect("it starts"))
    }

    /// Runs it and fails the test unless it ends with 2 and says all of `words`.
    fn refuses(&self, program: &str, arguments: &[&str], words: &[&str]) {
        let ended = self.run(program, arguments);
        let name = Path::new(program).file_name().expect("a name").to_string_lossy();
        assert_eq!(ended.code, Some(2), "{name} {arguments:?}: {}{}", ended.stdout, ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{name} {arguments:?} does not say `{word}`: {}", ended.stderr);
        }
    }
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

#[test]
fn each_program_writes_what_its_help_says() {
    let place = Place::new(24);
    let written = place.run(GENERATE, &["--db-path", "benchmark_db.duckdb", "--output", "report.html"]);
    assert_eq!((written.code, written.stdout.trim()), (Some(0), "report.html"), "{}", written.stderr);

    let printed = place.run(ANALYZE, &["--metric", "threshold_adaptation"]);
    assert!(printed.stdout.starts_with("What the balancer saw\n"), "{}{}", printed.stdout, printed.stderr);
    assert!(printed.stdout.contains("query: SELECT t, load"), "{}", printed.stdout);
    let printed = place.run(ANALYZE, &["--metric", "energy", "--days", "1", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&printed.stdout).expect("JSON");
    assert_eq!(rows["rows"][0]["basis"], "declared", "{rows}");
    assert_eq!(place.run(ANALYZE, &["--metric", "migration_success_rate", "--output", "m.png"]).code, Some(0));
    assert!(std::fs::read(place.path("m.png")).expect("a figure").starts_with(b"\x89PNG"));
    assert_eq!(place.run(ANALYZE, &["--metric", "cost_benefit", "--output", "c.csv"]).code, Some(0));
    let csv = std::fs::read_to_string(place.path("c.csv")).expect("rows");
    assert!(csv.starts_with("ordered_s,task,from_worker,"), "{csv}");
    let advice = place.run(ANALYZE, &[]).stdout;
    assert!(advice.contains("Tasks waited") && advice.contains("from: SELECT mean_queue_latency_s FROM kpis"), "{advice}");

    let drawn = place.run(VISUALIZE, &["--metric", "threshold-adaptation", "--interactive", "--output", "t.html"]);
    assert_eq!(drawn.code, Some(0), "{}", drawn.stderr);
    let page = std::fs::read_to_string(place.path("t.html")).expect("a page");
    assert!(page.contains("script-src 'sha256-") && page.matches("<script>").count() == 1 && page.contains("<title>"));
    assert_eq!(place.run(VISUALIZE, &["--metric", "timeline", "--output", "t.svg"]).code, Some(0));
    assert!(std::fs::read_to_string(place.path("t.svg")).expect("a figure").contains("#FFFFFF"));
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused_with_what_to_do() {
    let place = Place::new(0);
    std::fs::write(place.path("nothing"), "").expect("written");
    place.refuses(GENERATE, &["--db-path", "nothing"], &["not a DuckDB database", "name another file"]);
    place.refuses(VISUALIZE, &["--db-path", "missing.duckdb"], &["there is no such file", "--db-path"]);
    std::fs::copy(place.path("benchmark_db.duckdb"), place.path("damaged")).expect("copied");
    let mut bytes = std::fs::read(place.path("damaged")).expect("the file");
    bytes.iter_mut().skip(4096).for_each(|byte| *byte ^= 0x5a);
    std::fs::write(place.path("damaged"), &bytes).expect("written");
    place.refuses(GENERATE, &["--db-path", "damaged"], &["damaged", "move it aside"]);
    place.database().connection().execute_batch("UPDATE meta SET schema_version = 99").expect("updated");
    place.refuses(ANALYZE, &["--metric", "energy"], &["schema version 99", "name another file"]);
}

#[test]
fn a_database_without_facts_makes_a_report_and_no_figures() {
    let place = Place::new(0);
    assert_eq!(place.run(GENERATE, &[]).code, Some(0));
    assert!(std::fs::read_to_string(place.path("report.html")).expect("a page").contains("Nothing has run yet"));
    place.refuses(ANALYZE, &["--metric", "energy"], &["nothing to draw of energy", "no worker told or declared"]);
    place.refuses(VISUALIZE, &["--metric", "timeline"], &["nothing to draw of timeline", "has started"]);
    assert!(!place.path("timeline.html").exists());
}

#[test]
fn a_database_that_is_held_says_by_whom_and_how_to_ask_them() {
    let place = Place::new(0);
    let _held = place.database();
    let pid = format!("process {}", std::process::id());
    place.refuses(GENERATE, &[], &["in use by", &pid, "--coordinator URL"]);
}

#[test]
fn a_question_that_makes_no_sense_is_refused_before_anything_is_read() {
    let place = Place::new(0);
    place.refuses(ANALYZE, &["--metric", "latency"], &["no metric `latency`", "threshold_adaptation", "temperature"]);
    place.refuses(VISUALIZE, &["--metric", "Load"], &["no metric `Load`", "system_load"]);
    place.refuses(ANALYZE, &["--metric", "energy", "--days", "-1"], &["`-1` is not a number of days"]);
    place.refuses(GENERATE, &["--days", "week"], &["`week` is not a number of days"]);
    place.refuses(ANALYZE, &["--metric", "energy", "--output", "x.pdf"], &["x.pdf", "html, svg, png, csv, json and text"]);
    place.refuses(ANALYZE, &["--metric", "energy", "--output", "x"], &["end it in .png"]);
    place.refuses(VISUALIZE, &["--output", "x.csv"], &["not the name of a figure"]);
    place.refuses(VISUALIZE, &["--interactive", "--output", "x.png"], &["only a page can be interactive"]);
    place.refuses(ANALYZE, &["--output", "all.png"], &["name its metric"]);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let place = Place::new(0);
    place.refuses(
        GENERATE,
        &["--output", "no/such/folder/report.html"],
        &["no/such/folder/report.html", "check that the folder exists"],
    );
    std::fs::create_dir(place.path("folder.html")).expect("made");
    place.refuses(GENERATE, &["--output", "folder.html"], &["writing folder.html"]);
}

/// Answers one request with `answer`, and tells its head.
fn coordinator_that_answers(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let serve = move || {
        let (stream, _) = listener.accept().expect("a caller");
        let head: Vec<String> =
            BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        (&stream).write_all(answer.as_bytes()).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("ended");
        let _ = (&stream).read_to_end(&mut Vec::new());
        head.join("\n")
    };
    (url, std::thread::spawn(serve))
}

#[test]
fn a_coordinator_that_runs_is_asked_with_its_token() {
    let place = Place::new(0);
    std::fs::write(place.path("token"), "secret\n").expect("written");
    let (url, asked) = coordinator_that_answers("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<svg/>");
    let words = ["--coordinator", &url, "--token-file", "token", "--metric", "energy", "--days", "2", "--output", "e.svg"];
    let ended = place.run(VISUALIZE, &words);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(place.path("e.svg")).expect("written"), "<svg/>");
    let head = asked.join().expect("it served").to_lowercase();
    assert!(head.starts_with("get /api/report?format=svg&metric=energy&days=2 "), "{head}");
    assert!(head.contains("authorization: bearer secret"), "{head}");
}

#[test]
fn what_a_coordinator_refuses_is_told_in_its_words() {
    let place = Place::new(0);
    let (url, asked) = coordinator_that_answers(
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n\
         {\"error\":{\"code\":\"not_found\",\"message\":\"nothing to draw\",\"hint\":\"ask later\"}}",
    );
    place.refuses(VISUALIZE, &["--coordinator", &url], &["nothing to draw; ask later"]);
    asked.join().expect("it served");
    place.refuses(GENERATE, &["--coordinator", "http://127.0.0.1:1"], &["http://127.0.0.1:1", "is it running"]);
}
