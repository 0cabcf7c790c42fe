//! Suites of Rust, listed by cargo or nextest, and commands that write JUnit.

#[expect(dead_code, reason = "each test file uses its own part")]
mod fleet;

use fleet::{Fleet, list, run_chunks, run_suite, write};
use shared::outcome::{Ended, Failure, TestOutcome};
use shared::task::{Chunk, Framework};
use std::path::Path;

const LIBRARY: &str = r#"
/// ```
/// assert_eq!(demo::add(1, 2), 3);
/// ```
/// ```
/// assert_eq!(demo::add(1, 2), 4);
/// ```
pub fn add(a: u64, b: u64) -> u64 { a + b }
#[cfg(test)]
mod tests {
    #[test] fn passes() { assert!(std::env::current_dir().unwrap().join("marker.txt").exists()); }
    #[test] fn sees_cargo() {
        assert_eq!(std::env::var("CARGO_PKG_VERSION").unwrap(), "0.3.1");
        assert!(std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("Cargo.toml").exists());
    }
    #[test] fn fails() { println!("about to fail"); assert_eq!(1, 2, "not the same"); }
    #[test] fn aborts() { std::process::abort() }
    #[test] #[ignore = "slow"] fn is_ignored() {}
}
"#;

fn project(dir: &Path) {
    write(
        dir,
        &[
            (
                "demo/Cargo.toml",
                "[package]\nname = \"demo\"\nversion = \"0.3.1\"\nedition = \"2021\"\n[[test]]\nname = \"own\"\nharness = false\n",
            ),
            ("demo/src/lib.rs", LIBRARY),
            ("demo/src/main.rs", "fn main() { println!(\"{}\", demo::add(1, 1)); }\n"),
            (
                "demo/tests/it.rs",
                "#[test] fn runs_the_program() { assert!(std::path::Path::new(env!(\"CARGO_BIN_EXE_demo\")).exists()); }\n",
            ),
            ("demo/tests/own.rs", "fn main() { println!(\"a harness of its own\"); }\n"),
            ("demo/marker.txt", ""),
        ],
    );
}

fn check_common(fleet: &Fleet) {
    let outcome = |name: &str| fleet.one(name).outcome;
    for name in ["demo::tests::passes", "demo::tests::sees_cargo", "demo::it::runs_the_program"] {
        assert_eq!(outcome(name), TestOutcome::Passed, "{name}: {}", fleet.output);
    }
    let message = |name: &str| fleet.one(name).message.clone().unwrap_or_default();
    assert_eq!((outcome("demo::tests::fails"), outcome("demo::tests::aborts")), (TestOutcome::Failed, TestOutcome::Failed));
    assert!(message("demo::tests::fails").contains("about to fail") && message("demo::tests::fails").contains("not the same"));
    assert!(message("demo::tests::aborts").starts_with("signal 6, SIGABRT"), "{}", message("demo::tests::aborts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cargo_test_is_run_test_by_test_with_its_doctests() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    project(dir.path());
    let line = ["cargo", "test", "--manifest-path", "demo/Cargo.toml", "--offline", "--target-dir", "demo/target"];
    let suite = list(&line, dir.path());
    assert_eq!((suite.tests.len(), suite.skipped.len(), suite.whole.len()), (5, 1, 2));
    let fleet = run_suite(&suite, dir.path(), 2).await;
    check_common(&fleet);
    assert_eq!(fleet.one("demo::own").outcome, TestOutcome::Passed);
    let doctests: Vec<_> =
        fleet.results.iter().filter(|(id, _)| id.contains("lib.rs - add")).map(|(_, results)| results[0].outcome).collect();
    assert_eq!(doctests, [TestOutcome::Passed, TestOutcome::Failed], "{:?}", fleet.results.keys());
    assert_eq!(fleet.results.len(), 8);
    let filtered = list(&[&line[..], &["ass", "--", "--include-ignored"]].concat(), dir.path());
    assert_eq!(filtered.tests.iter().map(|test| test.case.name.as_str()).collect::<Vec<_>>(), ["tests::passes"]);
    let ignored = list(&[&line[..], &["--lib", "--", "--ignored"]].concat(), dir.path());
    let fleet = run_suite(&ignored, dir.path(), 1).await;
    assert_eq!((fleet.results.len(), fleet.one("demo::tests::is_ignored").outcome), (1, TestOutcome::Passed));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs cargo-nextest: cargo test -p worker --test with_nextest -- --ignored"]
async fn nextest_lists_the_same_tests() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    project(dir.path());
    std::fs::remove_file(dir.path().join("demo/tests/own.rs")).expect("it was just written");
    write(dir.path(), &[("demo/Cargo.toml", "[package]\nname = \"demo\"\nversion = \"0.3.1\"\nedition = \"2021\"\n")]);
    let suite =
        list(&["cargo", "nextest", "run", "--manifest-path", "demo/Cargo.toml", "--offline", "--retries", "2"], dir.path());
    assert_eq!((suite.tests.len(), suite.skipped.len(), suite.notes.len()), (5, 1, 1));
    let fleet = run_suite(&suite, dir.path(), 2).await;
    check_common(&fleet);
    assert_eq!(fleet.results.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_is_no_suite() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(dir.path(), &[("Cargo.toml", "[package]\nname = \"demo\"\nversion = \"0.1.0\"\n"), ("src/lib.rs", "fn broken( {\n")]);
    let argv = ["cargo", "test", "--offline"].map(str::to_owned);
    let error = suite::discover(&argv, dir.path(), &suite::Options::default()).expect_err("it does not build");
    assert!(error.to_string().contains("the build failed"), "{error}");
}

async fn run_junit(script: &str, before: &[(&str, &str)]) -> Fleet {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(dir.path(), before);
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    let (targets, tests) = (Vec::new(), Vec::new());
    let chunk = Chunk { framework: Framework::Junit, argv, targets, tests, junit: Some("report.xml".to_owned()) };
    run_chunks(vec![chunk], dir.path(), 1).await
}

const REPORT: &str = "<testsuite name='s'><testcase classname='a' name='b' time='1.5'/><testcase name='c'><failure message='why'>at length</failure></testcase></testsuite>";

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_judged_by_the_report_it_writes() {
    let fleet = run_junit(&format!("echo \"{REPORT}\" > report.xml; exit 1"), &[]).await;
    assert_eq!((fleet.one("a::b").outcome, fleet.one("a::b").seconds), (TestOutcome::Passed, 1.5));
    assert_eq!((fleet.one("c").outcome, fleet.one("c").message.as_deref()), (TestOutcome::Failed, Some("why\nat length")));
    assert_eq!(fleet.outcomes[0].ended, Ended::Failed(Failure::Test));
    let green = REPORT.replace("<failure message='why'>at length</failure>", "");
    let fleet = run_junit(&format!("echo \"{green}\" > report.xml"), &[]).await;
    assert!(fleet::all_passed(&fleet) && fleet.results.len() == 2);
    let fleet = run_junit(&format!("echo \"{green}\" > report.xml; exit 3"), &[]).await;
    assert!(fleet.outcomes[0].message.as_deref().is_some_and(|text| text.contains("exit status 3 although")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_old_or_missing_or_broken_is_no_pass() {
    for (script, before, words) in [
        ("true", vec![("report.xml", REPORT)], "wrote no report"),
        ("exit 7", vec![], "exit status 7 and wrote no report"),
        ("echo \"<testsuite><testcase name='c'/><testca\" > report.xml", vec![], "broken at line"),
    ] {
        let fleet = run_junit(script, &before).await;
        assert_eq!(fleet.outcomes[0].ended, Ended::Failed(Failure::Test), "{script}");
        let message = fleet.outcomes[0].message.clone().unwrap_or_default();
        assert!(message.contains(words), "{script}: {message}");
    }
}
