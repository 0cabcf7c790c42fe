//! What bad networks do to sessions: how soon both sides notice, how soon work goes elsewhere, and that a slow network is
//! not taken for a dead one. Every figure is measured by the clock of this program.

use crate::daemons::Daemons;
use crate::proxy::{Network, Proxy};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use shared::api::TaskRequest;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Bounds, with the second that facts and polls may take: sessions end, work stops coming, work goes elsewhere.
const GIVEN_UP_S: f64 = 20.0 + 1.0;
const SUSPECT_S: f64 = 15.0 + 1.0;
const REASSIGNED_S: f64 = 41.0 + 1.0;
/// How often things are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// The longest wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

/// The flags of `link-faults`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: all cases at once, in a little over a minute
  test-harness link-faults --json")]
pub struct Options {
    /// How long the network is slow, in seconds
    #[arg(long, default_value_t = 60)]
    slow_s: u64,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured, in seconds after the network failed or was mended.
#[derive(Debug, Serialize)]
struct Figures {
    half_open: HalfOpen,
    silent_loss: SilentLoss,
    slow: Slow,
    cut_back_after_s: f64,
    trickle_suspect_after_s: f64,
}

#[derive(Debug, Serialize)]
struct HalfOpen {
    coordinator_gave_up_after_s: f64,
    worker_gave_up_after_s: f64,
    /// After the network was mended.
    back_after_s: f64,
}

#[derive(Debug, Serialize)]
struct SilentLoss {
    suspect_after_s: f64,
    begun_elsewhere_after_s: f64,
    /// When the first run was gone, by its own ledger's silence.
    first_run_gone_after_s: f64,
}

#[derive(Debug, Serialize)]
struct Slow {
    seconds: u64,
    tasks_passed: u64,
    false_alarms: u64,
}

/// Runs all cases and prints what was measured.
///
/// # Errors
/// A bound does not hold, or the farm cannot be started.
pub async fn run(options: &Options) -> Result<()> {
    let seed = options.seed;
    let (half_open, silent_loss, slow, cut_back_after_s, trickle_suspect_after_s) =
        tokio::try_join!(half_open(seed), silent_loss(seed), slow(seed, options.slow_s), cut(seed), trickle(seed))?;
    let figures = Figures { half_open, silent_loss, slow, cut_back_after_s, trickle_suspect_after_s };
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    }
    let Figures { half_open, silent_loss, slow, .. } = &figures;
    for (what, found, bound) in [
        ("the coordinator gave up a half-open session", half_open.coordinator_gave_up_after_s, GIVEN_UP_S),
        ("the worker gave up a half-open session", half_open.worker_gave_up_after_s, GIVEN_UP_S),
        ("a silent worker was suspected", silent_loss.suspect_after_s, SUSPECT_S),
        ("its task began elsewhere", silent_loss.begun_elsewhere_after_s, REASSIGNED_S),
        ("its first run was gone", silent_loss.first_run_gone_after_s, silent_loss.begun_elsewhere_after_s),
        ("a worker behind a trickle was suspected", figures.trickle_suspect_after_s, SUSPECT_S),
    ] {
        if found > bound {
            bail!("{what} after {found:.1} s; {bound:.1} s are promised");
        }
    }
    if slow.false_alarms > 0 || slow.tasks_passed == 0 {
        bail!("on a slow network {} tasks passed, and workers were given up {} times", slow.tasks_passed, slow.false_alarms);
    }
    Ok(())
}

/// A coordinator, and the worker `far` behind a network of its own.
struct Link {
    daemons: Daemons,
    proxy: Proxy,
}

impl Link {
    async fn new(seed: u64) -> Result<Self> {
        let mut daemons = Daemons::start().await?;
        let to = daemons.url.trim_start_matches("http://").parse().context("understanding the coordinator's address")?;
        let proxy = Proxy::to(to, seed).await?;
        daemons.add_worker("far", &format!("http://{}", proxy.address), 2)?;
        daemons.wait_for_workers(1).await?;
        Ok(Self { daemons, proxy })
    }

    /// Seconds from now until a fact with this name is in the log that was not there before, of worker `far` where it names
    /// one.
    async fn seconds_to_fact(&self, name: &str, since: Instant) -> Result<f64> {
        let before = self.count(name).await?;
        while since.elapsed() < LIMIT {
            if self.count(name).await? > before {
                return Ok(since.elapsed().as_secs_f64());
            }
            sleep(LOOK).await;
        }
        bail!("there was no fact {name} within {} s", LIMIT.as_secs())
    }

    async fn count(&self, name: &str) -> Result<u64> {
        let (mut from, mut found) = (0, 0);
        loop {
            let page = self.daemons.get(&format!("/api/facts?from={from}")).await?;
            let facts = page["facts"].as_array().context("a page of facts holds facts")?;
            found +=
                facts.iter().filter(|fact| fact["fact"] == name && (fact["worker"].is_null() || fact["worker"] == "far")).count();
            from = page["next"].as_u64().context("a page of facts says where to go on")?;
            if facts.is_empty() {
                return Ok(found as u64);
            }
        }
    }

    async fn begin(&self, script: String) -> Result<u64> {
        let task = TaskRequest { command: vec!["sh".into(), "-c".into(), script], ..TaskRequest::default() };
        self.daemons.submit(&[task]).await?.first().copied().context("no task was accepted")
    }

    async fn wait_for_task(&self, id: u64, is_there: impl Fn(&Value) -> bool, what: &str) -> Result<Value> {
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            let task = self.daemons.get(&format!("/api/tasks/{id}")).await?;
            if is_there(&task) {
                return Ok(task);
            }
            sleep(LOOK).await;
        }
        bail!("task {id} was not {what} within {} s", LIMIT.as_secs())
    }
}

async fn half_open(seed: u64) -> Result<HalfOpen> {
    let link = Link::new(seed).await?;
    let entered = link.proxy.entered();
    let began = Instant::now();
    link.proxy.become_(Network::Silent);
    let reconnects = async {
        while link.proxy.entered() == entered {
            if began.elapsed() > LIMIT {
                bail!("the worker did not give up within {} s", LIMIT.as_secs());
            }
            sleep(LOOK).await;
        }
        Ok(began.elapsed().as_secs_f64())
    };
    let (coordinator_gave_up_after_s, worker_gave_up_after_s) =
        tokio::try_join!(link.seconds_to_fact("worker_disconnected", began), reconnects)?;
    let mended = Instant::now();
    link.proxy.become_(Network::Good);
    link.daemons.wait_for_workers(1).await?;
    Ok(HalfOpen { coordinator_gave_up_after_s, worker_gave_up_after_s, back_after_s: mended.elapsed().as_secs_f64() })
}

async fn silent_loss(seed: u64) -> Result<SilentLoss> {
    let mut link = Link::new(seed).await?;
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let ledger = |attempt: u32| folder.path().join(attempt.to_string());
    let script = format!("while :; do echo . >> {}/$EVENKEEL_ATTEMPT; sleep 0.1; done", folder.path().display());
    let id = link.begin(script).await?;
    link.wait_for_task(id, |task| task["state"] == "running", "running").await?;
    let url = link.daemons.url.clone();
    link.daemons.add_worker("near", &url, 2)?;
    link.daemons.wait_for_workers(2).await?;
    let began = Instant::now();
    link.proxy.become_(Network::Silent);
    let suspect_after_s = link.seconds_to_fact("worker_suspected", began).await?;
    let (mut first_run_gone_after_s, mut lines) = (0.0, 0);
    let attempts = |task: &Value| task["attempts"].as_array().map_or(0, Vec::len);
    while began.elapsed() < LIMIT {
        let now = std::fs::metadata(ledger(1)).map_or(0, |ledger| ledger.len());
        if now > lines {
            (first_run_gone_after_s, lines) = (began.elapsed().as_secs_f64(), now);
        }
        if attempts(&link.daemons.get(&format!("/api/tasks/{id}")).await?) == 2 && ledger(2).exists() {
            let begun_elsewhere_after_s = began.elapsed().as_secs_f64();
            return Ok(SilentLoss { suspect_after_s, begun_elsewhere_after_s, first_run_gone_after_s });
        }
        sleep(LOOK).await;
    }
    bail!("the task did not begin elsewhere within {} s", LIMIT.as_secs())
}

async fn slow(seed: u64, seconds: u64) -> Result<Slow> {
    let link = Link::new(seed).await?;
    let before = link.count("worker_disconnected").await? + link.count("worker_suspected").await?;
    link.proxy.become_(Network::Slow { ms: 400, spread_ms: 200 });
    let began = Instant::now();
    let mut submitted = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        link.begin("sleep 0.5".into()).await?;
        submitted += 1;
        sleep(Duration::from_millis(1_000)).await;
    }
    let false_alarms = link.count("worker_disconnected").await? + link.count("worker_suspected").await? - before;
    link.proxy.become_(Network::Good);
    link.wait_for_task(submitted, |task| !task["verdict"].is_null(), "done").await?;
    let status = link.daemons.get("/status").await?;
    Ok(Slow { seconds, tasks_passed: status["verdicts"]["passed"].as_u64().unwrap_or(0), false_alarms })
}

async fn cut(seed: u64) -> Result<f64> {
    let link = Link::new(seed).await?;
    let id = link.begin("sleep 3".into()).await?;
    link.wait_for_task(id, |task| task["state"] == "running", "running").await?;
    let sessions = link.count("worker_joined").await?;
    let began = Instant::now();
    link.proxy.cut();
    while link.count("worker_joined").await? == sessions {
        if began.elapsed() > LIMIT {
            bail!("the worker did not come back within {} s", LIMIT.as_secs());
        }
        sleep(LOOK).await;
    }
    let back = began.elapsed().as_secs_f64();
    let task = link.wait_for_task(id, |task| !task["verdict"].is_null(), "done").await?;
    if task["attempts"].as_array().map_or(0, Vec::len) != 1 || task["verdict"] != "passed" {
        bail!("a cut connection changed what became of a task: {task}");
    }
    Ok(back)
}

async fn trickle(seed: u64) -> Result<f64> {
    let link = Link::new(seed).await?;
    let began = Instant::now();
    link.proxy.become_(Network::Trickle);
    let suspect = link.seconds_to_fact("worker_suspected", began).await?;
    link.proxy.become_(Network::Good);
    link.daemons.wait_for_workers(1).await?;
    Ok(suspect)
}
