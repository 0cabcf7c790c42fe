//! The thread that removes the folders of attempts, so that a slow disk holds up nothing else.

use crate::workdir::WorkDir;
use shared::id::Attempt;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Folders that wait for the disk before whoever gives one more waits too.
const ORDERS_MAX: usize = 1024;

/// The thread and the way to it.
#[derive(Debug)]
pub struct Disk {
    orders: mpsc::Sender<Attempt>,
    thread: JoinHandle<()>,
}

impl Disk {
    /// Starts the thread.
    pub fn start(work: Arc<WorkDir>) -> Self {
        let (orders, mut waiting) = mpsc::channel(ORDERS_MAX);
        let thread = std::thread::spawn(move || {
            let mut batch = Vec::new();
            while waiting.blocking_recv_many(&mut batch, ORDERS_MAX) > 0 {
                for attempt in batch.drain(..) {
                    if let Err(error) = work.discard(attempt) {
                        tracing::warn!(%attempt, %error, "the folder of an attempt is left behind; the next start removes it");
                    }
                }
            }
        });
        Self { orders, thread }
    }

    /// Removes the folder of an attempt, in its turn.
    pub async fn discard(&self, attempt: Attempt) {
        // The thread ends only when this sender does.
        let _ = self.orders.send(attempt).await;
    }

    /// Waits until all folders are gone.
    pub async fn finish(self) {
        drop(self.orders);
        let thread = self.thread;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}
