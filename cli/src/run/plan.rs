//! From a command to tasks: lists the tests, cuts them into chunks, fills in the options.

use super::outcome::Content;
use super::results::{Case, TestName};
use crate::task_options::TaskOptions;
use anyhow::Context;
use shared::api::{BATCH_TASKS_MAX, BODY_BYTES_MAX, RequestKind, TaskRequest};
use shared::id::Digest;
use shared::outcome::TestOutcome;
use shared::task::{Chunk, Framework, TestCase};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use suite::{Discovered, TestSuite};

/// Bytes of one submission, with room for what surrounds the tasks.
const SUBMISSION_BYTES: usize = BODY_BYTES_MAX - (64 << 10);

/// A suite that was listed.
#[derive(Debug)]
pub struct Listing {
    /// What it turned out to be.
    pub found: Discovered,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// What people call it.
    pub title: String,
}

/// A task to submit, and what it holds.
#[derive(Debug)]
pub struct PlannedTask {
    /// What is submitted.
    pub request: TaskRequest,
    /// What it holds.
    pub content: Content,
}

impl Listing {
    /// Lists the tests of `words`, in the folder that is shipped or else in this one.
    pub fn make(words: Vec<String>, junit_from: Option<String>, sync: Option<&Path>) -> anyhow::Result<Self> {
        let here = match sync {
            Some(folder) => folder.canonicalize().with_context(|| format!("entering the folder {}", folder.display()))?,
            None => std::env::current_dir().context("asking for the current folder")?,
        };
        let found = suite::discover(&words, &here, &suite::Options { junit_from })?;
        let (mut folder, mut title) = (here.clone(), words.join(" "));
        if let (Discovered::Tasks(_), [file]) = (&found, &words[..]) {
            let file = here.join(file);
            title = file.file_stem().map_or(title, |stem| stem.to_string_lossy().into_owned());
            folder = file.parent().filter(|_| sync.is_none()).map_or(folder, Path::to_owned);
        }
        Ok(Self { found, folder, title })
    }

    /// The framework; nothing for a suite file.
    pub fn framework(&self) -> Option<Framework> {
        match &self.found {
            Discovered::Tests(suite) => Some(suite.framework),
            Discovered::WholeCommand(chunk) => Some(chunk.framework),
            Discovered::Tasks(_) => None,
        }
    }

    /// How many tests are known before anything runs.
    pub fn tests(&self) -> usize {
        match &self.found {
            Discovered::Tests(suite) => suite.tests.len() + suite.skipped.len(),
            Discovered::WholeCommand(_) => 0,
            Discovered::Tasks(tasks) => tasks.len(),
        }
    }

    /// What the user should know, in sentences.
    pub fn notes(&self) -> &[String] {
        match &self.found {
            Discovered::Tests(suite) => &suite.notes,
            Discovered::WholeCommand(_) | Discovered::Tasks(_) => &[],
        }
    }

    /// Tests that the framework leaves out.
    pub fn skipped(&self) -> Vec<Case> {
        let Discovered::Tests(suite) = &self.found else { return Vec::new() };
        let skipped = suite.skipped.iter().map(|skipped| Case {
            name: name_of(&suite.targets, &skipped.case),
            place: usize::MAX,
            outcome: TestOutcome::Skipped,
            tries: Vec::new(),
            note: Some(skipped.reason.clone()),
            output: None,
        });
        skipped.collect()
    }

    /// The tasks, for a fleet of so many slots. `recorded` holds what tests took before, as the coordinator names them.
    pub fn tasks(
        self,
        recorded: &BTreeMap<String, f64>,
        slots: usize,
        options: &TaskOptions,
        files: Option<Digest>,
    ) -> Vec<PlannedTask> {
        let title = self.framework().map_or(self.title.as_str(), |framework| framework.name());
        let title = options.name.as_deref().unwrap_or(title).to_owned();
        let folder = self.folder;
        let mut planned = match self.found {
            Discovered::Tests(suite) => chunks(&suite, recorded, slots, &title),
            Discovered::WholeCommand(chunk) => vec![chunk_task(title, chunk, Vec::new(), None)],
            Discovered::Tasks(tasks) => {
                tasks.into_iter().map(|request| PlannedTask { request, content: Content::Command }).collect()
            }
        };
        for task in &mut planned {
            options.apply(&mut task.request);
            let own = task.request.cwd.take();
            match files {
                Some(_) => (task.request.files, task.request.cwd) = (files, own),
                None => {
                    let folder = own.map_or_else(|| folder.clone(), |own| folder.join(own));
                    task.request.cwd = Some(folder.display().to_string());
                }
            }
        }
        planned
    }
}

fn chunks(suite: &TestSuite, recorded: &BTreeMap<String, f64>, slots: usize, title: &str) -> Vec<PlannedTask> {
    let prefix = format!("{}::", suite.framework.name());
    let own = recorded.iter().filter_map(|(id, seconds)| Some((id.strip_prefix(&prefix)?.to_owned(), *seconds)));
    let chunks = suite::chunk::plan(suite, &own.collect(), slots);
    let named = chunks.into_iter().zip(1..);
    named
        .map(|(planned, n)| chunk_task(format!("{title} #{n}"), planned.chunk, planned.tests, Some(planned.estimate_s)))
        .collect()
}

fn chunk_task(name: String, chunk: Chunk, places: Vec<usize>, estimate_s: Option<f64>) -> PlannedTask {
    let names = chunk.tests.iter().map(|case| name_of(&chunk.targets, case)).collect();
    let target = chunk.targets.first().filter(|_| chunk.tests.is_empty()).map(|target| target.name.clone()).unwrap_or_default();
    let request =
        TaskRequest { name: Some(name), kind: RequestKind::Tests, tests: Some(chunk), estimate_s, ..TaskRequest::default() };
    PlannedTask { request, content: Content::Tests { names, places, target } }
}

fn name_of(targets: &[shared::task::Target], case: &TestCase) -> TestName {
    let target = case.target.and_then(|at| targets.get(at as usize)).map(|target| target.name.clone());
    TestName { target: target.unwrap_or_default(), name: case.name.clone() }
}

/// Cuts tasks into submissions that the coordinator takes.
pub fn batches(tasks: &[TaskRequest]) -> Vec<&[TaskRequest]> {
    let (mut batches, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, task) in tasks.iter().enumerate() {
        let own = serde_json::to_vec(task).map_or(0, |text| text.len() + 1);
        if at > from && (bytes + own > SUBMISSION_BYTES || at - from == BATCH_TASKS_MAX) {
            batches.push(&tasks[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += own;
    }
    if from < tasks.len() {
        batches.push(&tasks[from..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_are_cut_by_number_and_by_length() {
        let small = vec![TaskRequest::default(); BATCH_TASKS_MAX + 1];
        assert_eq!(batches(&small).iter().map(|batch| batch.len()).collect::<Vec<_>>(), [BATCH_TASKS_MAX, 1]);
        let large = TaskRequest { command: vec!["x".repeat(3 << 20)], ..TaskRequest::default() };
        assert_eq!(batches(&vec![large; 5]).iter().map(|batch| batch.len()).collect::<Vec<_>>(), [2, 2, 1]);
        assert!(batches(&[]).is_empty());
    }

    #[test]
    fn tasks_of_a_suite_file_run_in_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("SUITE.toml");
        std::fs::write(
            &file,
            "[[task]]\nname = \"a\"\ncommand = [\"true\"]\n[[task]]\nname = \"b\"\ncommand = [\"true\"]\ncwd = \"sub\"\n",
        )
        .expect("written");
        let listing = Listing::make(vec![file.display().to_string()], None, None).expect("a suite");
        assert_eq!((listing.tests(), listing.title.as_str()), (2, "SUITE"));
        let tasks = listing.tasks(&BTreeMap::new(), 1, &TaskOptions::default(), None);
        let folders: Vec<_> = tasks.iter().map(|task| task.request.cwd.clone().unwrap_or_default()).collect();
        assert_eq!(folders, [folder.path().display().to_string(), folder.path().join("sub").display().to_string()]);
    }
}
