//! Reads a report, as tolerantly as the many writers of this format require.

use super::{CaseAttempt, CaseReport};
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesRef, BytesStart, Event};
use shared::outcome::TestOutcome;

/// A report that is not well-formed XML to its end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the JUnit report is broken at line {line}: {problem}; {} tests before that were read (was its writer stopped half way?)",
    cases.len()
)]
pub struct BrokenReport {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
    /// The tests before it.
    pub cases: Vec<CaseReport>,
}

/// Reads the tests of a report. Bytes that are not UTF-8 are replaced.
pub fn read(bytes: &[u8]) -> Result<Vec<CaseReport>, BrokenReport> {
    let content = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&content);
    let mut state = State::default();
    let problem = loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => state.start(&start),
            Ok(Event::End(_)) => state.end(),
            Ok(Event::Empty(start)) => {
                state.start(&start);
                state.end();
            }
            Ok(Event::Text(text)) => state.text(&text),
            Ok(Event::CData(data)) => state.text(&data),
            Ok(Event::GeneralRef(reference)) => state.text(&resolve(&reference)),
            Ok(Event::Eof) if state.open.is_empty() && state.seen_root => return Ok(state.cases),
            Ok(Event::Eof) if state.seen_root => break format!("it ends within <{}>", state.path()),
            Ok(Event::Eof) => break "it holds no <testsuites> or <testsuite>".to_owned(),
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Err(error) => break error.to_string(),
        }
    };
    let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(content.len());
    let line = 1 + content.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
    Err(BrokenReport { line, problem, cases: state.cases })
}

fn resolve(reference: &BytesRef<'_>) -> String {
    match reference.resolve_char_ref() {
        Ok(Some(c)) => c.to_string(),
        _ => unescape(&format!("&{};", &**reference)).map_or_else(|_| format!("&{};", &**reference), |text| text.into_owned()),
    }
}

/// An element that was opened and not yet closed.
#[derive(Debug)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    /// What a repetition printed.
    out: Option<String>,
    err: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    seen_root: bool,
    open: Vec<Element>,
    case: Option<Case>,
    cases: Vec<CaseReport>,
}

/// The test whose element is open.
#[derive(Debug, Default)]
struct Case {
    decided: Option<CaseAttempt>,
    reruns: Vec<CaseAttempt>,
    flaky: Vec<CaseAttempt>,
    out: Option<String>,
    err: Option<String>,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    fn seconds(&self) -> f64 {
        // Some writers group thousands.
        let text = self.attribute("time").unwrap_or_default().replace(',', "");
        text.trim().parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0).unwrap_or(0.0)
    }

    fn attempt(&self, outcome: TestOutcome) -> CaseAttempt {
        CaseAttempt {
            summary: self.attribute("message"),
            text: Some(self.text.clone()).filter(|text| !text.trim().is_empty()),
            kind: self.attribute("type"),
            system_out: self.out.clone(),
            system_err: self.err.clone(),
            ..CaseAttempt::new(outcome, self.seconds())
        }
    }
}

impl State {
    fn path(&self) -> String {
        self.open.iter().map(|element| element.name.as_str()).collect::<Vec<_>>().join("><")
    }

    fn start(&mut self, start: &BytesStart<'_>) {
        let name = start.local_name().into_inner().to_owned();
        self.seen_root |= name == "testsuites" || name == "testsuite";
        let mut unchecked = start.attributes();
        let attributes = unchecked.with_checks(false).flatten().map(|attribute| {
            let raw = attribute.value.as_ref();
            let value = unescape(raw).map_or_else(|_| raw.to_owned(), |value| value.into_owned());
            (attribute.key.local_name().into_inner().to_owned(), value)
        });
        let attributes = attributes.collect();
        if name == "testcase" {
            self.case = Some(Case::default());
        }
        self.open.push(Element { name, attributes, text: String::new(), out: None, err: None });
    }

    fn text(&mut self, text: &str) {
        if self.case.is_some()
            && let Some(element) = self.open.last_mut()
        {
            element.text.push_str(text);
        }
    }

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
        let Some(case) = &mut self.case else { return };
        match element.name.as_str() {
            "failure" => case.decide(element.attempt(TestOutcome::Failed)),
            "error" => case.decide(element.attempt(TestOutcome::Error)),
            "skipped" | "disabled" => {
                let expected = element.attribute("type").is_some_and(|kind| kind.contains("xfail"));
                case.decide(element.attempt(if expected { TestOutcome::Xfailed } else { TestOutcome::Skipped }));
            }
            "rerunFailure" => case.reruns.push(element.attempt(TestOutcome::Failed)),
            "rerunError" => case.reruns.push(element.attempt(TestOutcome::Error)),
            "flakyFailure" => case.flaky.push(element.attempt(TestOutcome::Failed)),
            "flakyError" => case.flaky.push(element.attempt(TestOutcome::Error)),
            "system-out" | "system-err" => {
                let (out, err) = match self.open.last_mut() {
                    Some(parent) if parent.name != "testcase" => (&mut parent.out, &mut parent.err),
                    _ => (&mut case.out, &mut case.err),
                };
                *(if element.name == "system-out" { out } else { err }) = Some(element.text);
            }
            "testcase" => {
                let case = self.case.take().unwrap_or_default();
                self.finish(&element, case);
            }
            _ => {}
        }
    }

    fn finish(&mut self, element: &Element, case: Case) {
        let suite = self.open.iter().rev().find(|open| open.name == "testsuite").and_then(|open| open.attribute("name"));
        let not_run = matches!(element.attribute("status").as_deref(), Some("notrun" | "disabled" | "skipped"));
        let outcome = if not_run { TestOutcome::Skipped } else { TestOutcome::Passed };
        let mut decided = case.decided.unwrap_or_else(|| CaseAttempt::new(outcome, 0.0));
        decided.seconds = element.seconds();
        (decided.system_out, decided.system_err) = (case.out, case.err);
        let (classname, name) = (element.attribute("classname"), element.attribute("name"));
        let (classname, name) = (classname.unwrap_or_default(), name.unwrap_or_default());
        let id = if classname.is_empty() { name.clone() } else { format!("{classname}::{name}") };
        let attempts = case.flaky.into_iter().chain([decided]).chain(case.reruns).collect();
        let (suite, file) = (suite.unwrap_or_default(), element.attribute("file"));
        self.cases.push(CaseReport { id, suite, classname, name, file, attempts });
    }
}

impl Case {
    /// Some writers give several reasons for one test; a failed assertion weighs more than a broken teardown.
    fn decide(&mut self, attempt: CaseAttempt) {
        let Some(before) = &mut self.decided else {
            self.decided = Some(attempt);
            return;
        };
        let weight = |outcome| match outcome {
            TestOutcome::Failed => 2,
            TestOutcome::Error => 1,
            TestOutcome::Passed | TestOutcome::Skipped | TestOutcome::Xfailed | TestOutcome::Xpassed => 0,
        };
        let texts = [before.text.take(), attempt.text.clone()];
        let text = texts.into_iter().flatten().collect::<Vec<_>>().join("\n");
        if weight(attempt.outcome) > weight(before.outcome) {
            *before = attempt;
        }
        before.text = Some(text).filter(|text| !text.is_empty());
    }
}
