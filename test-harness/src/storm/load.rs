//! The tasks of a storm: submitted at an even rate, each under a key of its own, and again until they are acknowledged.

use super::Options;
use crate::farm::Farm;
use anyhow::{Context, Result, bail};
use shared::api::{Accepted, Status, TaskRequest};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Tasks that may be open at a time: a machine that is too slow for the rate gets fewer.
const OPEN_MAX: u64 = 2_000;
/// How often tasks are submitted.
const TICK: Duration = Duration::from_millis(250);
/// How long to wait before a submit that was not acknowledged is sent again.
const AGAIN: Duration = Duration::from_millis(100);
/// How often a submit is sent again before the coordinator counts as gone.
const TRIES_MAX: u32 = 1_800;

/// A task locks a file of its own, so that two runs of it at a time see each other, and writes a line when it begins and
/// when it ends. The system appends a line as a whole, and unlocks when the last process of the run is gone.
const SCRIPT: &str = "exec 9>>\"$LOCKS/$((EVENKEEL_TASK % FOLDERS))/$EVENKEEL_TASK\"
flock -n 9 || echo \"o $EVENKEEL_TASK $EVENKEEL_ATTEMPT\" >> \"$LEDGER\"
echo \"s $EVENKEEL_TASK $EVENKEEL_ATTEMPT\" >> \"$LEDGER\"
[ \"$SECONDS_MAX\" = 0 ] || sleep \"$SECONDS_MAX\"
echo \"e $EVENKEEL_TASK $EVENKEEL_ATTEMPT\" >> \"$LEDGER\"";
/// How long tasks take, in seconds: most are over at once.
const LENGTHS: [&str; 20] =
    ["0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0.1", "0.1", "0.2", "0.5", "1", "4"];

/// Folders that the locks of tasks are spread over.
const LOCK_FOLDERS: u64 = 64;

/// Where tasks write their ledger.
pub fn ledger(farm: &Farm) -> PathBuf {
    farm.folder().join("ledger")
}

/// A stream of tasks.
#[derive(Debug)]
pub struct Load {
    task: JoinHandle<Result<BTreeSet<u64>>>,
    accepted: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    /// Begins to submit.
    pub fn begin(options: &Options, farm: &Farm) -> Result<Self> {
        let locks = farm.folder().join("locks");
        for shelf in 0..LOCK_FOLDERS {
            std::fs::create_dir_all(locks.join(shelf.to_string())).context("making folders for locks")?;
        }
        let (accepted, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let path = |path: PathBuf| path.display().to_string();
        let request = TaskRequest {
            command: ["sh", "-c", SCRIPT].map(String::from).to_vec(),
            env: [("LEDGER", path(ledger(farm))), ("LOCKS", path(locks)), ("FOLDERS", LOCK_FOLDERS.to_string())]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ..TaskRequest::default()
        };
        let stream = Stream { url: farm.url.clone(), http: farm.http(), request };
        let per_tick = (f64::from(options.rate) * TICK.as_secs_f64()).ceil() as u64;
        let task = tokio::spawn(stream.run(per_tick, accepted.clone(), is_over.clone()));
        Ok(Self { task, accepted, is_over })
    }

    /// Tasks that were acknowledged so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Ends it when what was sent is acknowledged; the numbers of all tasks.
    pub async fn end(self) -> Result<BTreeSet<u64>> {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.context("submitting")?
    }
}

struct Stream {
    url: String,
    http: reqwest::Client,
    request: TaskRequest,
}

impl Stream {
    async fn run(self, per_tick: u64, accepted: Arc<AtomicU64>, is_over: Arc<AtomicBool>) -> Result<BTreeSet<u64>> {
        let (mut numbers, mut next) = (BTreeSet::new(), 0);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !is_over.load(Ordering::Relaxed) {
            ticks.tick().await;
            if self.open_tasks().await.is_some_and(|open| open > OPEN_MAX) {
                continue;
            }
            let batch: Vec<TaskRequest> = (next..next + per_tick).map(|number| self.task(number)).collect();
            next += per_tick;
            let ids = self.submit(&batch).await?;
            if ids.len() != batch.len() || !ids.iter().all(|id| numbers.insert(*id)) {
                bail!("{} tasks were sent under keys of their own, and acknowledged as {ids:?}", batch.len());
            }
            accepted.store(next, Ordering::Relaxed);
        }
        Ok(numbers)
    }

    /// Tasks without a verdict, where the coordinator answers.
    async fn open_tasks(&self) -> Option<u64> {
        let status: Status = self.http.get(format!("{}/status", self.url)).send().await.ok()?.json().await.ok()?;
        Some(status.tasks.iter().filter(|(state, _)| *state != "done").map(|(_, count)| count).sum())
    }

    fn task(&self, number: u64) -> TaskRequest {
        let length = LENGTHS[(number % LENGTHS.len() as u64) as usize];
        let mut task = self.request.clone();
        task.env.insert("SECONDS_MAX".into(), length.into());
        TaskRequest { name: Some(format!("storm-{length}")), idempotency_key: Some(format!("storm-{number}")), ..task }
    }

    async fn submit(&self, batch: &[TaskRequest]) -> Result<Vec<u64>> {
        for _ in 0..TRIES_MAX {
            // Whatever went wrong, the same keys are sent again.
            if let Ok(answer) = self.http.post(format!("{}/api/tasks", self.url)).json(batch).send().await {
                match (answer.status().as_u16(), answer.json::<Accepted>().await) {
                    (202, Ok(accepted)) => return Ok(accepted.task_ids.into_iter().map(|id| id.0).collect()),
                    (400..=428, _) => bail!("the coordinator refuses the tasks of a storm: see its log"),
                    _ => {}
                }
            }
            sleep(AGAIN).await;
        }
        bail!("no submit was acknowledged for {} s", AGAIN.as_secs_f64() * f64::from(TRIES_MAX))
    }
}
