//! The one loop that owns the core: takes what has arrived, steps the core for each, and hands facts and effects to the
//! log. It never waits for the disk: the next batch is decided while the last one is written.

use crate::log::{Batch, LogHealth};
use crate::release::Release;
use coordinator_core::{ClientId, Command, ConnectionId, Coordinator, Effect, Event, NewTask, Reply};
use shared::protocol::{FromCoordinator, FromWorker, Hello};
use shared::time::Time;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Inputs that may wait for the core.
const MAILBOX_MAX: usize = 16_384;
/// Inputs taken before a plan is made for all of them.
const INPUTS_MAX: usize = 4_096;
/// Batches that may wait for the disk.
const BATCHES_MAX: usize = 4;

/// How often at least the state of the log is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What reaches the core.
pub enum Input {
    /// A worker proved who it is; its socket is fed from the other end of this outbox.
    Joined(ConnectionId, Hello, mpsc::Sender<FromCoordinator>),
    /// A worker said something, and when it was read from the socket.
    Received(ConnectionId, Time, FromWorker),
    /// A socket is gone, and how.
    Disconnected(ConnectionId, String),
    /// Someone asks for tasks to be run.
    Submit(Vec<NewTask>, oneshot::Sender<Reply>),
    /// An operator orders something.
    Operate(Command, oneshot::Sender<Reply>),
    /// Someone wants to read the core; what it returns is handed out when all that happened before is on disk.
    Read(Look),
}

/// A look at the core; what it returns hands out what was seen.
pub type Look = Box<dyn FnOnce(&Coordinator, Time) -> HandOut + Send>;
/// See [`Look`].
pub type HandOut = Box<dyn FnOnce() + Send>;

/// Time since the run began, which goes on where the log ended.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    offset: Time,
}

impl Clock {
    /// A clock that shows `offset` now.
    pub fn starting_at(offset: Time) -> Self {
        Self { began: Instant::now(), offset }
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.offset + self.began.elapsed()
    }
}

/// The way to the core.
#[derive(Clone, Debug)]
pub struct Core {
    inputs: mpsc::Sender<Input>,
    /// The clock of the run.
    pub clock: Clock,
    health: LogHealth,
}

/// The core does not take anything: the coordinator is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the coordinator is shutting down")]
pub struct Ending;

/// There is no answer now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// There will be none.
    #[error(transparent)]
    Ending(#[from] Ending),
    /// It would have to be on disk first.
    #[error("{0}; nothing can be acknowledged until it can")]
    LogStalled(String),
}

impl Core {
    /// Hands in something that wants no answer.
    ///
    /// # Errors
    /// The coordinator is ending.
    pub async fn tell(&self, input: Input) -> Result<(), Ending> {
        self.inputs.send(input).await.map_err(|_| Ending)
    }

    /// Submits tasks; the answer comes when they are on disk.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn submit(&self, tasks: Vec<NewTask>) -> Result<Reply, Unanswered> {
        let (reply, answer) = oneshot::channel();
        self.ask(Input::Submit(tasks, reply), answer).await
    }

    /// Gives an order; the answer comes when what it changed is on disk.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn operate(&self, command: Command) -> Result<Reply, Unanswered> {
        let (reply, answer) = oneshot::channel();
        self.ask(Input::Operate(command, reply), answer).await
    }

    /// Reads the core; what is seen is on disk when it is returned.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Coordinator, Time) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (reply, answer) = oneshot::channel();
        let read = |core: &Coordinator, now| -> HandOut {
            let seen = look(core, now);
            Box::new(move || drop(reply.send(seen)))
        };
        self.ask(Input::Read(Box::new(read)), answer).await
    }

    /// Hands in a question. While nothing can be written there is no answer, and nobody waits for one.
    async fn ask<T>(&self, question: Input, answer: oneshot::Receiver<T>) -> Result<T, Unanswered> {
        let answered = async {
            self.tell(question).await?;
            Ok(answer.await.map_err(|_| Ending)?)
        };
        tokio::select! {
            biased;
            answer = answered => answer,
            why = self.health.stalled() => Err(Unanswered::LogStalled(why)),
        }
    }
}

/// Begins the loop on a thread of its own. It ends when every [`Core`] is gone, and with it the receiver of batches.
pub fn start(coordinator: Coordinator, clock: Clock, first: Vec<Effect>, health: LogHealth) -> (Core, mpsc::Receiver<Batch>) {
    let (inputs, mailbox) = mpsc::channel(MAILBOX_MAX);
    let (batches, to_disk) = mpsc::channel(BATCHES_MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime needs only memory");
    let driver = Driver { coordinator, clock, health: health.clone(), clients: HashMap::new(), next_client: 0 };
    std::thread::Builder::new()
        .name("driver".into())
        .spawn(move || runtime.block_on(driver.run(mailbox, batches, first)))
        .expect("a process may have one more thread");
    (Core { inputs, clock, health }, to_disk)
}

struct Driver {
    coordinator: Coordinator,
    clock: Clock,
    health: LogHealth,
    clients: HashMap<ClientId, oneshot::Sender<Reply>>,
    next_client: u64,
}

impl Driver {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Input>, batches: mpsc::Sender<Batch>, first: Vec<Effect>) {
        let mut batch = Batch::default();
        self.sort(first, &mut batch);
        let mut arrived = Vec::with_capacity(INPUTS_MAX);
        let mut effects = Vec::new();
        loop {
            if !(batch.facts.is_empty() && batch.effects.is_empty()) && batches.send(std::mem::take(&mut batch)).await.is_err() {
                return;
            }
            self.coordinator.hold_leases(!self.health.is_well());
            let wait = self.coordinator.next_wakeup().map_or(LOOK, |at| at.since(self.clock.now()).min(LOOK));
            if let Ok(0) = tokio::time::timeout(wait, mailbox.recv_many(&mut arrived, INPUTS_MAX)).await {
                return;
            }
            let now = self.clock.now();
            for input in arrived.drain(..) {
                self.take(now, input, &mut effects, &mut batch);
                self.sort(std::mem::take(&mut effects), &mut batch);
            }
            if self.coordinator.next_wakeup().is_some_and(|at| at <= now) {
                self.coordinator.step(now, Event::Woke, &mut effects);
                self.sort(std::mem::take(&mut effects), &mut batch);
            }
        }
    }

    fn take(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>, batch: &mut Batch) {
        let event = match input {
            Input::Joined(connection, hello, outbox) => {
                batch.effects.push(Release::Open(connection, outbox));
                Event::Joined { connection, hello }
            }
            Input::Received(connection, heard, message) => Event::Received { connection, heard, message },
            Input::Disconnected(connection, why) => {
                batch.effects.push(Release::Close(connection));
                Event::Disconnected { connection, why }
            }
            Input::Submit(tasks, reply) => Event::Submitted { client: self.client(reply), tasks },
            Input::Operate(command, reply) => Event::Operator { client: self.client(reply), command },
            Input::Read(look) => {
                batch.effects.push(Release::Answer(look(&self.coordinator, now)));
                return;
            }
        };
        self.coordinator.step(now, event, effects);
    }

    fn client(&mut self, reply: oneshot::Sender<Reply>) -> ClientId {
        self.next_client += 1;
        let client = ClientId(self.next_client);
        self.clients.insert(client, reply);
        client
    }

    /// Facts to the log, the rest to what follows once they are there.
    fn sort(&mut self, effects: Vec<Effect>, batch: &mut Batch) {
        for effect in effects {
            match effect {
                Effect::Record(fact) => batch.facts.push(fact),
                Effect::Send { connection, message } => batch.effects.push(Release::Send(connection, message)),
                Effect::Close { connection } => batch.effects.push(Release::Close(connection)),
                Effect::Reply { client, reply } => {
                    let caller = self.clients.remove(&client).expect("every caller is answered once");
                    batch.effects.push(Release::Reply(caller, reply));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Trouble;

    #[tokio::test]
    async fn nobody_waits_for_an_answer_while_nothing_can_be_written() {
        let (inputs, mut mailbox) = mpsc::channel(1);
        let core = Core { inputs, clock: Clock::starting_at(Time::ZERO), health: LogHealth::default() };
        core.health.set(Some(Trouble::Stalled("the disk is gone".into())));
        let refused = core.operate(Command::Rebalance).await.expect_err("it could not be acknowledged");
        assert!(refused.to_string().contains("the disk is gone"), "{refused}");
        assert!(mailbox.recv().await.is_some(), "the order itself was given");
        drop(mailbox);
        core.health.set(None);
        assert_eq!(core.operate(Command::Rebalance).await, Err(Unanswered::Ending(Ending)));
    }
}
