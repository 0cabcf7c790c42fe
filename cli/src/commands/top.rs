//! `evenkeel top`: the farm live in the terminal, from the stream that feeds the web page.

mod draw;
mod plain;
#[cfg(test)]
mod tests;

use crate::client::Connection;
use crate::live::LiveStream;
use crate::screen::{print, print_json};
use anyhow::Context;
use draw::View;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Keys that may wait to be looked at.
const KEYS_MAX: usize = 64;

/// The options of `top`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Keys: q quit, s sort workers by the next column, w only workers with work, p pause, up and down or j and k scroll
Example:
  evenkeel top --coordinator http://farm:8080
  evenkeel top --once --json | jq '.alerts'")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Print one snapshot as plain text, and end; the same where the output is no terminal
    #[arg(long)]
    once: bool,
    /// Print JSON: one snapshot with --once, else one document for each change
    #[arg(long)]
    json: bool,
}

/// Shows the farm until the user quits.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let mut stream = LiveStream::open(&client).await?;
    if !args.json && !args.once && io::stdout().is_terminal() {
        let mut terminal = ratatui::try_init().context("using the terminal")?;
        let shown = show(&mut stream, &mut terminal).await;
        ratatui::restore();
        return shown.map(|()| ExitCode::SUCCESS);
    }
    while let Some(frame) = stream.next().await? {
        if args.json {
            print_json(frame)?;
        } else {
            print(&plain::snapshot(frame))?;
        }
        if args.once || !args.json {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(stream: &mut LiveStream<'_>, terminal: &mut DefaultTerminal) -> anyhow::Result<()> {
    let (typed, mut keys) = mpsc::channel(KEYS_MAX);
    // It ends with the program: reading a terminal cannot be interrupted.
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if typed.blocking_send(event).is_err() {
                return;
            }
        }
    });
    let (mut view, mut frame) = (View::default(), None);
    loop {
        tokio::select! {
            next = stream.next() => match next? {
                Some(next) if !view.is_paused || frame.is_none() => frame = Some(next.clone()),
                Some(_) => {}
                None => anyhow::bail!("the coordinator ended the stream: start it again, then this"),
            },
            event = keys.recv() => match event {
                Some(Event::Key(key)) if key.kind == KeyEventKind::Press => {
                    let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                    if is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                        return Ok(());
                    }
                    view.obey(key.code);
                }
                Some(_) => {}
                None => return Ok(()),
            },
        }
        if let Some(frame) = &frame {
            terminal.draw(|area| draw::draw(area, frame, &mut view)).context("drawing")?;
        }
    }
}
