//! What is written can be read, and what other programs wrote is understood.

use super::*;

fn attempt(outcome: TestOutcome, seconds: f64, text: &str) -> CaseAttempt {
    let (summary, text) = (Some("in short".to_owned()), Some(text.to_owned()));
    CaseAttempt { summary, text, ..CaseAttempt::new(outcome, seconds) }
}

fn written(cases: &[CaseReport]) -> String {
    let mut out = Vec::new();
    write(&mut out, "all", cases).expect("a vector takes everything");
    String::from_utf8(out).expect("reports are text")
}

fn case(suite: &str, name: &str, attempts: Vec<CaseAttempt>) -> CaseReport {
    let classname = format!("{suite}.mod");
    let id = format!("{classname}::{name}");
    CaseReport { id, suite: suite.to_owned(), classname, name: name.to_owned(), file: None, attempts }
}

#[test]
fn what_is_written_is_read_back() {
    let cases = [
        case("a", "passes", vec![CaseAttempt::new(TestOutcome::Passed, 0.25)]),
        case("a", "fails < & > \" \n \u{1f600}", vec![attempt(TestOutcome::Failed, 1.5, "why?\r\n]]> <b>&amp;</b>")]),
        case("a", "breaks", vec![attempt(TestOutcome::Error, 0.0, "fixture")]),
        case("a", "is left out", vec![attempt(TestOutcome::Skipped, 0.0, "no network")]),
        case(
            "b",
            "is flaky",
            vec![
                CaseAttempt { system_out: Some("said\nthis".to_owned()), ..attempt(TestOutcome::Failed, 0.125, "one") },
                attempt(TestOutcome::Error, 0.5, "two"),
                CaseAttempt { system_err: Some("and that".to_owned()), ..CaseAttempt::new(TestOutcome::Passed, 2.0) },
            ],
        ),
        case(
            "b",
            "never passes",
            vec![
                attempt(TestOutcome::Failed, 0.125, "one"),
                attempt(TestOutcome::Error, 0.5, "two"),
                attempt(TestOutcome::Failed, 0.75, "three"),
            ],
        ),
    ];
    assert_eq!(read(written(&cases).as_bytes()).expect("well formed"), cases);
    assert!(cases[4].is_flaky() && !cases[5].is_flaky());
}

#[test]
fn each_test_is_counted_once() {
    let cases = [
        case("a", "1", vec![attempt(TestOutcome::Failed, 1.0, ""), CaseAttempt::new(TestOutcome::Passed, 1.0)]),
        case("a", "2", vec![attempt(TestOutcome::Failed, 1.0, ""), attempt(TestOutcome::Failed, 1.0, "")]),
        case("b", "3", vec![attempt(TestOutcome::Xfailed, 1.0, "")]),
        case("b", "4", vec![CaseAttempt::new(TestOutcome::Xpassed, 1.0)]),
        case("b", "5", vec![attempt(TestOutcome::Error, 1.0, "")]),
    ];
    let text = written(&cases);
    assert!(text.contains(r#"<testsuites name="all" tests="5" failures="1" errors="1" skipped="1" time="5.000">"#), "{text}");
    assert!(text.contains(r#"<testsuite name="b" tests="3" failures="0" errors="1" skipped="1""#), "{text}");
    let back: Vec<TestOutcome> = read(text.as_bytes()).expect("well formed").iter().map(CaseReport::outcome).collect();
    let words = [TestOutcome::Passed, TestOutcome::Failed, TestOutcome::Xfailed, TestOutcome::Passed, TestOutcome::Error];
    assert_eq!(back, words);
}

#[test]
fn characters_xml_cannot_hold_are_replaced() {
    let text = written(&[case("a", "nul\0", vec![attempt(TestOutcome::Failed, 0.0, "\u{1b}[31mred\u{fffe}")])]);
    let cases = read(text.as_bytes()).expect("well formed");
    assert_eq!(cases[0].name, "nul\u{fffd}");
    assert_eq!(cases[0].attempts[0].text.as_deref(), Some("\u{fffd}[31mred\u{fffd}"));
}

#[test]
fn a_report_cut_anywhere_says_where_and_keeps_what_came_before() {
    let cases: Vec<CaseReport> =
        (0..20).map(|at| case("a", &format!("n{at}"), vec![attempt(TestOutcome::Failed, 1.0, "ü & <why>")])).collect();
    let whole = written(&cases).into_bytes();
    let end = whole.trim_ascii_end().len();
    let mut most = 0;
    for cut in 0..end {
        let broken = read(&whole[..cut]).expect_err("it was cut");
        assert!(broken.cases.len() >= most && broken.cases[..] == cases[..broken.cases.len()]);
        most = broken.cases.len();
        assert!(broken.line <= 1 + whole[..cut].iter().filter(|byte| **byte == b'\n').count());
    }
    assert_eq!(most, 20);
    assert!(read(b"").is_err() && read(b"not xml").is_err() && read(b"<html></html>").is_err());
}

#[test]
fn real_reports_survive_being_rewritten() {
    for (report, tests, flaky) in [
        (&include_bytes!("../../tests/reports/pytest.xml")[..], 15, 0),
        (&include_bytes!("../../tests/reports/nextest.xml")[..], 6, 1),
        (&include_bytes!("../../tests/reports/ctest.xml")[..], 8, 0),
    ] {
        let cases = read(report).expect("what the framework wrote");
        assert_eq!(cases.len(), tests);
        assert_eq!(cases.iter().filter(|case| case.is_flaky()).count(), flaky);
        assert_eq!(read(written(&cases).as_bytes()).expect("what we wrote"), cases);
    }
}

#[test]
fn names_are_those_the_framework_reports() {
    let named = |framework, target, name| CaseReport::named(framework, target, name, Vec::new());
    let pytest = named(Framework::Pytest, None, "tests/test_a.py::TestB::test_c[d::e/f]");
    assert_eq!((pytest.classname.as_str(), pytest.name.as_str()), ("tests.test_a.TestB", "test_c[d::e/f]"));
    assert_eq!((pytest.suite.as_str(), pytest.file.as_deref()), ("pytest", Some("tests/test_a.py")));
    let rust = named(Framework::Libtest, Some("demo::it"), "a::b");
    assert_eq!((rust.suite.as_str(), rust.classname.as_str(), rust.name.as_str()), ("demo::it", "demo::it", "a::b"));
    assert_eq!(rust.id, "demo::it::a::b");
}
