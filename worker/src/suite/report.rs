//! The results of a chunk's tests as they become known: each once, each within its limits.

use shared::outcome::{TestOutcome, TestResult};
use shared::protocol::TEST_MESSAGE_BYTES_MAX;
use tokio::sync::mpsc;

/// Which tests have their result.
pub struct Report {
    done: Vec<bool>,
    results: mpsc::Sender<TestResult>,
    sent: usize,
    red: usize,
}

impl Report {
    /// A report on `tests` tests, of which those in `skip` have their result from an earlier attempt.
    pub fn new(tests: usize, skip: &[u32], results: mpsc::Sender<TestResult>) -> Self {
        let mut done = vec![false; tests];
        for index in skip {
            if let Some(done) = done.get_mut(*index as usize) {
                *done = true;
            }
        }
        Self { done, results, sent: 0, red: 0 }
    }

    /// The tests without a result, in order.
    pub fn remaining(&self) -> Vec<u32> {
        (0..).zip(&self.done).filter(|(_, done)| !**done).map(|(index, _)| index).collect()
    }

    /// Tells the result of the test `index`; a second one is not told.
    pub async fn tell(&mut self, index: u32, outcome: TestOutcome, seconds: f64, message: Option<&str>) {
        match self.done.get_mut(index as usize) {
            Some(done) if !*done => *done = true,
            _ => return,
        }
        self.send(index, None, outcome, seconds, message).await;
    }

    /// Tells the result of a test that was not in the list.
    pub async fn tell_named(&mut self, name: &str, outcome: TestOutcome, seconds: f64, message: Option<&str>) {
        let index = u32::try_from(self.sent).unwrap_or(u32::MAX);
        self.send(index, Some(name.to_owned()), outcome, seconds, message).await;
    }

    async fn send(&mut self, index: u32, name: Option<String>, outcome: TestOutcome, seconds: f64, message: Option<&str>) {
        self.sent += 1;
        self.red += usize::from(!outcome.is_green());
        let message = message.map(str::trim_end).filter(|text| !text.is_empty()).map(clip);
        let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
        // Without a receiver nobody wants to know any more, and the attempt is about to be cancelled.
        let _ = self.results.send(TestResult { index, name, outcome, seconds, message }).await;
    }

    /// Results told.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Results told that keep the suite from being green.
    pub fn red(&self) -> usize {
        self.red
    }
}

/// `text`, or its beginning and its end, where the error mostly is, with a mark between.
pub fn clip(text: &str) -> String {
    const MARK: &str = "\n[…]\n";
    if text.len() <= TEST_MESSAGE_BYTES_MAX {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(TEST_MESSAGE_BYTES_MAX / 4);
    let tail = text.ceil_char_boundary(text.len() - (TEST_MESSAGE_BYTES_MAX * 3 / 4 - MARK.len()));
    format!("{}{MARK}{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_keeps_both_ends_within_the_limit() {
        let text = format!("begin {} end", "ü".repeat(TEST_MESSAGE_BYTES_MAX));
        let clipped = clip(&text);
        assert!(clipped.len() <= TEST_MESSAGE_BYTES_MAX && clipped.len() > TEST_MESSAGE_BYTES_MAX - 10);
        assert!(clipped.starts_with("begin ü") && clipped.ends_with("ü end"));
        assert_eq!(clip("short"), "short");
    }

    #[tokio::test]
    async fn a_test_is_told_once_and_not_when_it_was_known_before() {
        let (sender, mut results) = mpsc::channel(8);
        let mut report = Report::new(3, &[1, 77], sender);
        assert_eq!(report.remaining(), [0, 2]);
        for index in [2, 2, 1, 9] {
            report.tell(index, TestOutcome::Failed, f64::NAN, Some("why\n")).await;
        }
        assert_eq!((report.remaining(), report.sent(), report.red()), (vec![0], 1, 1));
        let told = results.recv().await.expect("one was told");
        assert_eq!((told.index, told.seconds, told.message.as_deref()), (2, 0.0, Some("why")));
        assert!(results.try_recv().is_err());
    }
}
