//! One picture of the terminal.

use super::plain::{RUNNING_HEADS, WORKER_HEADS, running_cells, severity, summary, worker_cells};
use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};
use shared::api::{LiveFrame, Severity, WorkerRow, WorkerState};
use std::cmp::Ordering;

/// Lines of alerts and of what waits that are shown at the most, each.
const LINES_MAX: usize = 5;

/// What the user chose to see.
#[derive(Debug, Default)]
pub struct View {
    /// Whether the picture stands still.
    pub is_paused: bool,
    only_busy: bool,
    sort: Sort,
    scroll: usize,
}

/// The column workers are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sort {
    #[default]
    Name,
    Slots,
    Cpu,
    Temperature,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Sort::Name => Sort::Slots,
            Sort::Slots => Sort::Cpu,
            Sort::Cpu => Sort::Temperature,
            Sort::Temperature => Sort::Name,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Slots => "slots in use",
            Sort::Cpu => "cpu",
            Sort::Temperature => "temperature",
        }
    }

    /// The most first, except for names.
    fn order(self, a: &WorkerRow, b: &WorkerRow) -> Ordering {
        let share = |row: &WorkerRow| f64::from(row.busy_slots) / f64::from(row.slots.max(1));
        let most_first = |a: f64, b: f64| b.total_cmp(&a);
        let told = |value: Option<f64>| value.unwrap_or(-1.0);
        let first = match self {
            Sort::Name => Ordering::Equal,
            Sort::Slots => most_first(share(a), share(b)),
            Sort::Cpu => most_first(told(a.load.cpu), told(b.load.cpu)),
            Sort::Temperature => most_first(told(a.load.temperature_c), told(b.load.temperature_c)),
        };
        first.then_with(|| a.name.cmp(&b.name))
    }
}

impl View {
    /// Does what a key says.
    pub fn obey(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('w') => self.only_busy = !self.only_busy,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Down | KeyCode::Char('j') => self.scroll += 1,
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            _ => {}
        }
    }
}

/// Draws everything that is known.
pub fn draw(area: &mut Frame<'_>, frame: &LiveFrame, view: &mut View) {
    let head = summary(frame);
    let waiting: Vec<String> = frame.status.bottlenecks.iter().take(LINES_MAX).map(|found| found.words.clone()).collect();
    let alerts = frame.alerts.len().min(LINES_MAX);
    let height = |lines: usize| Constraint::Length(if lines == 0 { 0 } else { lines as u16 + 2 });
    let [top, alerting, waits, workers, running, keys] = Layout::vertical([
        height(head.len()),
        height(alerts),
        height(waiting.len()),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(1),
    ])
    .areas(area.area());
    let lines = |lines: Vec<String>, title: &'static str| {
        Paragraph::new(lines.into_iter().map(Line::from).collect::<Vec<_>>()).block(Block::bordered().title(title))
    };
    area.render_widget(lines(head, " evenkeel "), top);
    if alerts > 0 {
        let told = frame.alerts.iter().take(LINES_MAX).map(|alert| {
            let colour = if alert.severity == Severity::Critical { Color::Red } else { Color::Yellow };
            Line::styled(format!("{}: {}", severity(alert), alert.message), Style::new().fg(colour))
        });
        let title = format!(" {} alerts ", frame.alerts_total);
        area.render_widget(Paragraph::new(told.collect::<Vec<_>>()).block(Block::bordered().title(title)), alerting);
    }
    if !waiting.is_empty() {
        area.render_widget(lines(waiting, " waiting "), waits);
    }
    draw_workers(area, workers, frame, view);
    draw_running(area, running, frame);
    let state = if view.is_paused { "paused" } else { "live" };
    let help = format!(" {state} | q quit | s sort ({}) | w only with work | p pause | j k scroll", view.sort.word());
    area.render_widget(Paragraph::new(help).style(Style::new().add_modifier(Modifier::DIM)), keys);
}

fn draw_workers(area: &mut Frame<'_>, place: Rect, frame: &LiveFrame, view: &mut View) {
    let is_shown = |row: &&WorkerRow| row.state != WorkerState::Gone && (!view.only_busy || row.busy_slots > 0);
    let mut shown: Vec<&WorkerRow> = frame.workers.iter().filter(is_shown).collect();
    shown.sort_by(|a, b| view.sort.order(a, b));
    let room = usize::from(place.height.saturating_sub(3));
    view.scroll = view.scroll.min(shown.len().saturating_sub(room));
    let rows = shown.iter().skip(view.scroll).take(room).map(|row| {
        let colour = match row.state {
            WorkerState::Ready => Color::Reset,
            WorkerState::Suspect | WorkerState::Disconnected | WorkerState::Gone => Color::Red,
        };
        Row::new(worker_cells(row)).style(Style::new().fg(colour))
    });
    let widths = [24, 14, 9, 6, 7, 8, 8, 40].map(Constraint::Max);
    area.render_widget(table(rows.collect(), widths, &WORKER_HEADS, format!(" {} workers ", shown.len())), place);
}

fn draw_running(area: &mut Frame<'_>, place: Rect, frame: &LiveFrame) {
    let room = usize::from(place.height.saturating_sub(3));
    let rows = frame.running.iter().take(room).map(|row| Row::new(running_cells(row, frame.status.now_s)));
    let widths = [Constraint::Max(9), Constraint::Max(13), Constraint::Max(24), Constraint::Max(9), Constraint::Fill(1)];
    area.render_widget(table(rows.collect(), widths, &RUNNING_HEADS, format!(" {} running ", frame.running_total)), place);
}

fn table<'a, const N: usize>(rows: Vec<Row<'a>>, widths: [Constraint; N], heads: &[&'a str], title: String) -> Table<'a> {
    let head = Row::new(heads.to_vec()).style(Style::new().add_modifier(Modifier::BOLD));
    Table::new(rows, widths).header(head).block(Block::bordered().title(title))
}
