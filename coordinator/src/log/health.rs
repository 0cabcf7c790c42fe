//! Whether the log can be written, for all who must act on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// What is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The disk is full; what runs is written to space that was kept for it. New work is refused.
    Low(String),
    /// Nothing can be written; whatever waits for the log is told so.
    Stalled(String),
}

/// The state of the log, shared: the writer sets it.
#[derive(Debug, Clone)]
pub struct LogHealth {
    trouble: Arc<watch::Sender<Option<Trouble>>>,
    commits: Arc<AtomicU64>,
}

impl Default for LogHealth {
    fn default() -> Self {
        Self { trouble: Arc::new(watch::Sender::new(None)), commits: Arc::default() }
    }
}

impl LogHealth {
    /// What is wrong; nothing while the log can be written.
    pub fn problem(&self) -> Option<String> {
        self.trouble.borrow().as_ref().map(|(Trouble::Low(what) | Trouble::Stalled(what))| what.clone())
    }

    /// Whether new work is taken and given out.
    pub fn is_well(&self) -> bool {
        self.trouble.borrow().is_none()
    }

    /// Waits until nothing can be written, and says why.
    pub async fn stalled(&self) -> String {
        let mut trouble = self.trouble.subscribe();
        let found = trouble.wait_for(|trouble| matches!(trouble, Some(Trouble::Stalled(_)))).await;
        match found.as_deref() {
            Ok(Some(Trouble::Low(what) | Trouble::Stalled(what))) => what.clone(),
            // The sender is part of this value.
            Ok(None) | Err(_) => unreachable!("it was waited for"),
        }
    }

    /// Commits so far in this life: each is one write that was waited for.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Counts a commit.
    pub fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells all that this is wrong, or that nothing is.
    pub fn set(&self, trouble: Option<Trouble>) {
        self.trouble.send_if_modified(|now| {
            let is_new = *now != trouble;
            match &trouble {
                _ if !is_new => {}
                None => tracing::info!("the log can be written again; new work is taken"),
                Some(Trouble::Low(what)) => tracing::error!("{what}; new work is refused, what runs goes on"),
                Some(Trouble::Stalled(what)) => tracing::error!("{what}; nothing can be acknowledged until it can"),
            }
            *now = trouble.clone();
            is_new
        });
    }
}
