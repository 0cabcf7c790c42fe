//! Where a run takes place: on a farm, or on daemons of its own.

use super::Args;
use super::local::{Local, Settings};
use crate::client::Client;
use crate::commands::report::{self, Wanted};
use crate::screen::say;
use anyhow::Context;
use shared::api::Status;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// A coordinator to run on.
#[derive(Debug)]
pub enum Target {
    /// Someone else's.
    Farm(Client),
    /// Our own, for this run.
    Own {
        /// The daemons.
        local: Local,
        /// Their metrics database.
        db_path: PathBuf,
        /// Slots of all workers together.
        slots: usize,
    },
}

impl Target {
    /// Reaches the coordinator that was named, or starts one.
    pub async fn reach(args: &Args, gave_up: &mpsc::Sender<String>) -> anyhow::Result<Self> {
        if args.connection.coordinator.is_some() {
            let client = args.connection.client()?;
            client.status().await?;
            return Ok(Target::Farm(client));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = args.slots_per_worker.unwrap_or((cores / args.local_workers).max(1));
        let db_path = args.db_path.clone().unwrap_or_else(|| args.data_dir.join("evenkeel.duckdb"));
        let db_path = std::path::absolute(&db_path).with_context(|| format!("finding {}", db_path.display()))?;
        let settings = Settings { data_dir: args.data_dir.clone(), db_path: db_path.clone(), workers: args.local_workers, slots };
        let local = Local::start(&settings, gave_up).await?;
        Ok(Target::Own { local, db_path, slots: slots * args.local_workers })
    }

    /// How to talk to it.
    pub fn client(&self) -> &Client {
        match self {
            Target::Farm(client) => client,
            Target::Own { local, .. } => &local.client,
        }
    }

    /// Whether it is there for this run alone.
    pub fn is_local(&self) -> bool {
        matches!(self, Target::Own { .. })
    }

    /// How many tasks run at a time.
    pub fn slots(&self, status: &Status) -> usize {
        match self {
            Target::Farm(_) => usize::try_from(status.slots).unwrap_or(usize::MAX).max(1),
            Target::Own { slots, .. } => *slots,
        }
    }

    /// Where it is, in words.
    pub fn place(&self) -> String {
        match self {
            Target::Farm(client) => format!("of {}", client.base()),
            Target::Own { .. } => "of this machine".to_owned(),
        }
    }

    /// Ends what was started for this run. The database, where it is ours, can be read afterwards.
    pub async fn leave(self) -> (Option<PathBuf>, Client) {
        let client = self.client().clone();
        match self {
            Target::Farm(_) => (None, client),
            Target::Own { local, db_path, .. } => {
                tokio::select! {
                    () = local.stop() => {}
                    // The daemons end by themselves when this process does.
                    _ = tokio::signal::ctrl_c() => say("interrupted: not waiting for the daemons to end"),
                }
                (Some(db_path), client)
            }
        }
    }
}

/// On a farm, folders of this machine need not be there.
pub fn warn_of_folders(status: &Status, is_shipped: bool) {
    if status.slots == 0 {
        say("note: no worker is connected; the tasks wait for one");
    }
    if !is_shipped {
        say("note: the tests run in this folder, which every worker must have; ship it with --sync .");
    }
}

/// Writes the report that was asked for. The verdict stands also when that does not succeed.
pub async fn write_report(args: &Args, db_path: Option<&Path>, client: &Client) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> =
        db_path.map(|path| ("database".to_owned(), path.display().to_string())).into_iter().collect();
    if args.report.is_none() && args.png.is_none() {
        return files;
    }
    let wanted = Wanted { html: args.report.as_deref(), png: args.png.as_deref(), days: None };
    match wanted.write(report::place(db_path, client)).await {
        Ok(()) => {
            let written = [("report", &args.report), ("figures", &args.png)];
            let written =
                written.iter().filter_map(|(what, path)| Some(((*what).to_owned(), path.as_ref()?.display().to_string())));
            files.extend(written);
        }
        Err(error) => say(&format!("warning: {error:#}")),
    }
    files
}
