//! The thread that keeps results and removes folders, so that a slow disk holds up nothing else.

use crate::workdir::{Stored, WorkDir};
use shared::id::Attempt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Orders that wait for the disk before whoever gives one more waits too.
const ORDERS_MAX: usize = 1024;

/// One order, carried out in turn.
#[derive(Debug)]
pub enum Order {
    /// Keep a result.
    Store(Box<Stored>),
    /// Remove a result.
    Forget(Attempt),
    /// Remove the folder of an attempt.
    Discard(Attempt),
}

/// The thread and the way to it.
#[derive(Debug)]
pub struct Disk {
    orders: mpsc::Sender<Order>,
    thread: JoinHandle<()>,
}

impl Disk {
    /// Starts the thread.
    pub fn start(work: Arc<WorkDir>) -> Self {
        let (orders, mut waiting) = mpsc::channel(ORDERS_MAX);
        let thread = std::thread::spawn(move || {
            let mut batch = Vec::new();
            while waiting.blocking_recv_many(&mut batch, ORDERS_MAX) > 0 {
                carry_out(&work, &mut batch);
            }
        });
        Self { orders, thread }
    }

    /// Gives an order.
    pub async fn order(&self, order: Order) {
        // The thread ends only when this sender does.
        let _ = self.orders.send(order).await;
    }

    /// Waits until all orders are carried out.
    pub async fn finish(self) {
        drop(self.orders);
        let thread = self.thread;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

fn carry_out(work: &WorkDir, batch: &mut Vec<Order>) {
    // A result that is acknowledged before the disk got round to it needs no file.
    let forgotten: BTreeSet<Attempt> =
        batch.iter().filter_map(|order| if let Order::Forget(attempt) = order { Some(*attempt) } else { None }).collect();
    for order in batch.drain(..) {
        let done = match order {
            Order::Store(stored) if forgotten.contains(&stored.attempt) => Ok(()),
            Order::Store(stored) => work.store(&stored),
            Order::Forget(attempt) => work.forget(attempt).map_err(Into::into),
            Order::Discard(attempt) => work.discard(attempt).map_err(Into::into),
        };
        if let Err(error) = done {
            tracing::warn!("{error:#}; should this daemon end now, the attempt is run again");
        }
    }
}
