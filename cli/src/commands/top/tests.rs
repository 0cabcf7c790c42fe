//! What is shown of a farm, and what the keys change.

use super::draw::{View, draw};
use super::plain;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;
use shared::api::{Alert, AlertKind, LiveFrame, Severity, WorkerRow, WorkerState};
use shared::fact::{Admission, BreakerState};
use shared::hardware::{HardwareKind, Load};

fn row(name: &str, busy_slots: u32) -> WorkerRow {
    WorkerRow {
        name: name.into(),
        state: WorkerState::Ready,
        admission: Admission::Open,
        breaker: BreakerState::Closed,
        held_back: false,
        simulated: false,
        slots: 4,
        busy_slots,
        hardware: vec![HardwareKind::Cpu, HardwareKind::Cuda],
        declared: vec![HardwareKind::Cuda],
        load: Load { cpu: Some(0.5), ..Load::default() },
        throttle_c: None,
        silent_s: None,
    }
}

fn frame() -> LiveFrame {
    let alert = Alert {
        kind: AlertKind::QueueAge,
        subject: "fleet".into(),
        severity: Severity::Critical,
        since_s: 1.0,
        value: 4000.0,
        message: "a task has waited".into(),
    };
    let workers = vec![row("idle", 0), row("full", 4), WorkerRow { simulated: true, ..row("unreal", 1) }];
    LiveFrame { workers, alerts: vec![alert], alerts_total: 1, ..LiveFrame::default() }
}

/// The lines of a picture.
fn picture(view: &mut View) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(110, 30)).expect("a terminal of memory");
    terminal.draw(|area| draw(area, &frame(), view)).expect("it draws");
    let buffer = terminal.backend().buffer();
    let line = |cells: &[ratatui::buffer::Cell]| cells.iter().map(ratatui::buffer::Cell::symbol).collect();
    buffer.content().chunks(110).map(line).collect()
}

fn place(lines: &[String], words: &str) -> Option<usize> {
    lines.iter().position(|line| line.contains(words))
}

#[test]
fn a_snapshot_says_what_is_not_told_what_is_declared_and_what_is_simulated() {
    let text = plain::snapshot(&frame());
    for words in ["CRITICAL: a task has waited", "unreal (simulated)", "cuda (declared)", "50%  -"] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}

#[test]
fn keys_choose_what_is_shown_and_in_which_order() {
    let mut view = View::default();
    let lines = picture(&mut view);
    assert!(place(&lines, "CRITICAL").is_some() && place(&lines, "3 workers").is_some(), "{lines:?}");
    assert!(place(&lines, "full") < place(&lines, "idle"), "by name at first");
    view.obey(KeyCode::Char('w'));
    let lines = picture(&mut view);
    assert!(place(&lines, "idle").is_none() && place(&lines, "2 workers").is_some(), "{lines:?}");
    view.obey(KeyCode::Char('w'));
    view.obey(KeyCode::Char('s'));
    let lines = picture(&mut view);
    assert!(place(&lines, "unreal") < place(&lines, "idle"), "by slots in use: {lines:?}");
}
