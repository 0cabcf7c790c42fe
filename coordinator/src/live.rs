//! The stream of everything at a glance: one frame a tick, made once for all who watch.
//!
//! Only the newest frame is kept. A viewer that took the frame before it gets what changed since; one that was too slow gets
//! the whole newest frame and never a backlog, so that no viewer costs memory and none slows a worker.

use crate::driver::Ending;
use crate::http::App;
use crate::http::status::{self, Glance};
use crate::webhook::Webhook;
use axum::body::Bytes;
use coordinator_core::alerts::{Alerts, Change, Disk, Signs};
use coordinator_core::{AtWork, Coordinator};
use shared::api::{
    ALERTS_MAX, Alert, HISTORY_MAX, HistoryPoint, LiveEvent, LiveFrame, LoadBalancerStats, PulseView, RUNNING_MAX, WorkerRow,
};
use shared::time::Time;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often a frame is made.
const TICK: Duration = Duration::from_millis(500);
/// Ticks between two looks at the disk.
const DISK_TICKS: u64 = 20;
/// How long the core may take to answer before what was seen last is told again.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Who may watch at a time; one more is told to come back.
const VIEWERS_MAX: usize = 64;

/// A frame, and its text once somebody wants it.
#[derive(Debug)]
struct Published {
    whole: Arc<LiveFrame>,
    before: Option<Arc<LiveFrame>>,
    whole_text: OnceLock<Bytes>,
    delta_text: OnceLock<Bytes>,
}

/// The way to the frames.
#[derive(Clone, Debug)]
pub struct Live {
    newest: watch::Receiver<Option<Arc<Published>>>,
    places: Arc<Semaphore>,
}

/// Where frames are put: see [`run`].
#[derive(Debug)]
pub struct Feed(watch::Sender<Option<Arc<Published>>>);

/// Somebody who watches.
#[derive(Debug)]
pub struct Viewer {
    newest: watch::Receiver<Option<Arc<Published>>>,
    seen: u64,
    _place: OwnedSemaphorePermit,
}

/// Both ends of the stream.
pub fn stream() -> (Live, Feed) {
    let (feed, newest) = watch::channel(None);
    (Live { newest, places: Arc::new(Semaphore::new(VIEWERS_MAX)) }, Feed(feed))
}

impl Live {
    /// One more who watches; nothing where there are too many.
    pub fn watch(&self) -> Option<Viewer> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let mut newest = self.newest.clone();
        newest.mark_changed();
        Some(Viewer { newest, seen: 0, _place: place })
    }

    /// The alerts of the newest frame, the worst first.
    pub fn alerts(&self) -> Vec<Alert> {
        self.newest.borrow().as_ref().map(|published| published.whole.alerts.clone()).unwrap_or_default()
    }
}

impl Viewer {
    /// The text of the next frame; nothing when the stream has ended.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.newest.changed().await.ok()?;
            let Some(published) = self.newest.borrow_and_update().clone() else { continue };
            let number = published.whole.number;
            let follows = published.before.is_some() && self.seen + 1 == number;
            self.seen = number;
            return Some(if follows { published.delta_text() } else { published.whole_text() });
        }
    }
}

impl Published {
    fn whole_text(&self) -> Bytes {
        self.whole_text.get_or_init(|| text(&self.whole)).clone()
    }

    fn delta_text(&self) -> Bytes {
        let delta = || self.before.as_ref().map_or_else(|| self.whole_text(), |before| text(&self.whole.since(before)));
        self.delta_text.get_or_init(delta).clone()
    }
}

/// A frame as a server-sent event.
fn text(frame: &LiveFrame) -> Bytes {
    let json = serde_json::to_string(frame).expect("a frame holds nothing that JSON cannot");
    format!("data: {json}\n\n").into()
}

/// What is read from the core for a frame.
struct Seen {
    glance: Glance,
    pulse: PulseView,
    workers: Vec<WorkerRow>,
    at_work: AtWork,
    events: Vec<LiveEvent>,
}

impl Seen {
    fn of(core: &Coordinator, now: Time) -> Self {
        Self {
            glance: Glance::of(core, now),
            pulse: core.pulse().view(now),
            workers: core.worker_rows(now),
            at_work: core.at_work(RUNNING_MAX),
            events: core.pulse().events().cloned().collect(),
        }
    }

    /// A frame without what is not the core's: its number, alerts, history.
    fn frame(self, app: &App) -> LiveFrame {
        let AtWork { running, running_total, hardware } = self.at_work;
        LiveFrame {
            is_whole: true,
            status: status::compose(app, self.glance),
            pulse: self.pulse,
            hardware,
            workers: self.workers,
            running,
            running_total,
            events: self.events,
            ..LiveFrame::default()
        }
    }
}

/// Makes a frame each tick and judges the alerts, until the coordinator ends.
pub async fn run(app: App, feed: Feed, webhook: Option<Webhook>) {
    let mut alerts = Alerts::default();
    let mut history = History::default();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut number, mut disk, mut asked) = (0_u64, None, None);
    loop {
        ticks.tick().await;
        if number.is_multiple_of(DISK_TICKS) {
            disk = disk_of(app.settings.data_dir.clone()).await;
        }
        let mut reading = asked.take().unwrap_or_else(|| Box::pin(app.core.read(Seen::of)));
        let mut frame = match timeout(ANSWER_MAX, &mut reading).await {
            Ok(Ok(seen)) => seen.frame(&app),
            Ok(Err(Ending)) => return,
            Err(_) => {
                // What is read is told when all that happened before is on disk. While the log cannot be written, what was seen
                // last stays, with what is wrong now.
                asked = Some(reading);
                let Some(last) = feed.newest() else { continue };
                LiveFrame { status: status::stalled(&app, &last.status), ..LiveFrame::clone(&last) }
            }
        };
        number += 1;
        frame.number = number;
        judge(&mut frame, &mut alerts, disk, webhook.as_ref());
        history.take_in(&frame);
        frame.history = history.points.iter().cloned().collect();
        feed.publish(frame);
    }
}

fn judge(frame: &mut LiveFrame, alerts: &mut Alerts, disk: Option<Disk>, webhook: Option<&Webhook>) {
    let status = &frame.status;
    let signs = Signs {
        workers: &frame.workers,
        bottlenecks: &status.bottlenecks,
        pulse: frame.pulse,
        impossible: status.impossible.len() as u64,
        log_problem: status.log_problem.as_deref(),
        database_problem: status.database_problem.as_deref(),
        disk,
    };
    let changes = alerts.judge(Time((status.now_s * 1e6) as u64), &signs);
    tell(&changes, webhook);
    frame.alerts = alerts.raised();
    frame.alerts_total = frame.alerts.len() as u64;
    frame.alerts.truncate(ALERTS_MAX);
}

impl Feed {
    fn newest(&self) -> Option<Arc<LiveFrame>> {
        self.0.borrow().as_ref().map(|published| published.whole.clone())
    }

    fn publish(&self, frame: LiveFrame) {
        let before = self.newest();
        let (whole_text, delta_text) = (OnceLock::new(), OnceLock::new());
        let published = Published { whole: Arc::new(frame), before, whole_text, delta_text };
        self.0.send_replace(Some(Arc::new(published)));
    }
}

fn tell(changes: &[Change], webhook: Option<&Webhook>) {
    for change in changes {
        match change {
            Change::Raised(alert) => tracing::warn!(alert = alert.kind.name(), subject = alert.subject, "{}", alert.message),
            Change::Cleared(alert) => {
                tracing::info!(alert = alert.kind.name(), subject = alert.subject, "over: {}", alert.message)
            }
        }
    }
    if let Some(webhook) = webhook.filter(|_| !changes.is_empty()) {
        webhook.tell(changes);
    }
}

async fn disk_of(folder: PathBuf) -> Option<Disk> {
    let look = tokio::task::spawn_blocking(move || nix::sys::statvfs::statvfs(&folder));
    let found = look.await.ok()?.ok()?;
    // What is kept for root is neither in use nor free for us.
    let (used, free) = ((found.blocks() - found.blocks_free()) as f64, found.blocks_available() as f64);
    let free_bytes = (free * found.fragment_size() as f64) as u64;
    (used + free > 0.0).then(|| Disk { used: used / (used + free), free_bytes })
}

/// How the fleet was, a point a second.
#[derive(Debug, Default)]
struct History {
    points: VecDeque<HistoryPoint>,
    /// What was predicted, and for when, oldest first.
    predicted: VecDeque<(f64, f64)>,
}

impl History {
    fn take_in(&mut self, frame: &LiveFrame) {
        let now_s = frame.status.now_s;
        if self.points.back().is_some_and(|newest| now_s < newest.t + 1.0) {
            return;
        }
        let balancer = &frame.status.balancer;
        self.expect(now_s, balancer);
        // The one that fell due last holds until the next one does.
        while self.predicted.get(1).is_some_and(|(due_s, _)| *due_s <= now_s) {
            self.predicted.pop_front();
        }
        let predicted = self.predicted.front().filter(|(due_s, _)| *due_s <= now_s).map(|(_, load)| *load);
        let share = |busy: u64, all: u64| (all > 0).then(|| busy as f64 / all as f64);
        let hardware = frame.hardware.iter().filter_map(|used| Some((used.kind, share(used.busy_slots, used.slots)?)));
        if self.points.len() == HISTORY_MAX {
            self.points.pop_front();
        }
        self.points.push_back(HistoryPoint {
            t: now_s,
            load: share(frame.status.busy_slots, frame.status.slots),
            high: balancer.threshold_high,
            low: balancer.threshold_low,
            predicted,
            queued: frame.status.tasks.get("queued").copied().unwrap_or(0),
            running: frame.status.tasks.get("running").copied().unwrap_or(0),
            tasks_per_s: frame.pulse.tasks_per_s,
            hardware: hardware.collect(),
        });
    }

    fn expect(&mut self, now_s: f64, balancer: &LoadBalancerStats) {
        let Some(forecast) = balancer.forecast else { return };
        let due = (now_s + forecast.window_s, forecast.load);
        // A forecast is made at each look and seen at many ticks.
        if self.predicted.back().is_none_or(|(_, load)| *load != due.1) {
            self.predicted.push_back(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(viewer: &mut Viewer) -> LiveFrame {
        let text = viewer.next().await.expect("the stream goes on");
        let json = text.strip_prefix(b"data: ").expect("an event");
        serde_json::from_slice(json).expect("a frame")
    }

    fn frame(number: u64) -> LiveFrame {
        LiveFrame { number, is_whole: true, ..LiveFrame::default() }
    }

    #[tokio::test]
    async fn who_was_too_slow_gets_the_newest_whole_frame_and_no_backlog() {
        let (live, feed) = stream();
        let (mut quick, mut slow) = (live.watch().expect("room"), live.watch().expect("room"));
        feed.publish(frame(1));
        assert!(next(&mut quick).await.is_whole && next(&mut slow).await.is_whole);
        for number in 2..=9 {
            feed.publish(frame(number));
            let got = next(&mut quick).await;
            assert_eq!((got.number, got.is_whole), (number, false));
        }
        let got = next(&mut slow).await;
        assert_eq!((got.number, got.is_whole), (9, true));
        feed.publish(frame(10));
        assert!(!next(&mut slow).await.is_whole);
    }

    #[test]
    fn there_is_room_for_so_many_viewers_and_again_when_one_leaves() {
        let (live, _feed) = stream();
        let mut viewers: Vec<Viewer> = (0..VIEWERS_MAX).map(|_| live.watch().expect("room")).collect();
        assert!(live.watch().is_none());
        viewers.pop();
        assert!(live.watch().is_some());
    }
}
