//! One worker's socket: the handshake, frames in, frames out. A frame that cannot be understood closes this session and
//! nothing else. Life is stamped here, when a frame is read, not when its turn comes in the core.

use crate::auth::Access;
use crate::driver::{Core, Input};
use crate::output::{Chunk, OutputStore};
use crate::release::OUTBOX_MESSAGES_MAX;
use axum::extract::ws::{Message, WebSocket};
use coordinator_core::ConnectionId;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::id::{Attempt, BootNonce, ClusterId, Epoch};
use shared::protocol::{
    Envelope, FRAME_BYTES_AIM, FRAME_BYTES_MAX, FromCoordinator, FromWorker, HANDSHAKE_BYTES_MAX, Hello, LOG_CHUNK_BYTES_MAX,
    PROTOCOL_MAX, PROTOCOL_MIN, Refusal, ResultAnswer, SUBPROTOCOL_MSGPACK, TESTS_PER_MESSAGE_MAX,
};
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The whole handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A frame that a peer does not take within this long ends the session.
const SEND: Duration = Duration::from_secs(10);
/// A session without a frame for this long is half-open, and ends.
const SILENCE: Duration = Duration::from_secs(20);

/// Attempts with a result whose output may still come.
const TRAILING_MAX: usize = 1_024;

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// What every session needs.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The way to the core.
    pub core: Core,
    /// Where output goes.
    pub output: OutputStore,
    /// Who may come in.
    pub access: Access,
    /// This cluster.
    pub cluster: ClusterId,
    /// This life.
    pub epoch: Epoch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Json,
    MessagePack,
}

/// Why a session ended, for people.
type Ended = String;

impl Sessions {
    /// Serves one worker until either side ends the session.
    pub async fn serve(self, mut socket: WebSocket) {
        let encoding = match socket.protocol().and_then(|protocol| protocol.to_str().ok()) {
            Some(SUBPROTOCOL_MSGPACK) => Encoding::MessagePack,
            _ => Encoding::Json,
        };
        let connection = ConnectionId(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed));
        let mut wire = Wire { encoding, seen: 0, said: 0 };
        let hello = match timeout(HANDSHAKE, self.shake_hands(&mut socket, &mut wire)).await {
            Ok(Ok(hello)) => hello,
            Ok(Err((code, message))) => return self.turn_away(socket, wire, code, message).await,
            Err(_) => {
                return self.turn_away(socket, wire, Refusal::Malformed, "the handshake took longer than 10 s".into()).await;
            }
        };
        let name = hello.name.clone();
        let (outbox, queue) = mpsc::channel(OUTBOX_MESSAGES_MAX);
        // The reader keeps a weak way to the outbox, so that dropping the other one closes the socket.
        let answers = outbox.downgrade();
        if self.core.tell(Input::Joined(connection, hello, outbox)).await.is_err() {
            return;
        }
        let (sink, stream) = socket.split();
        let own = Arc::new(Mutex::new(Own::default()));
        let acknowledged = Arc::new(AtomicU64::new(wire.seen));
        let reader = Reader {
            sessions: &self,
            connection,
            wire: Wire { ..wire },
            own: own.clone(),
            answers,
            acknowledged: acknowledged.clone(),
        };
        let writer = write(sink, queue, wire, own, acknowledged);
        let why = tokio::select! {
            why = reader.read(stream) => why,
            why = writer => why,
        };
        tracing::info!(worker = name, "the session ended: {why}");
        if self.core.tell(Input::Disconnected(connection, why)).await.is_err() {
            tracing::debug!("the core ended before it heard of it");
        }
    }

    async fn shake_hands(&self, socket: &mut WebSocket, wire: &mut Wire) -> Result<Hello, (Refusal, String)> {
        let FromWorker::Hello(hello) = wire.receive_one(socket).await? else {
            return Err((Refusal::Malformed, "the first message must be `hello`".into()));
        };
        self.check(&hello)?;
        let nonce = BootNonce(crate::auth::random());
        let challenge = FromCoordinator::Challenge { nonce, epoch: self.epoch, cluster: self.cluster, protocol: PROTOCOL_MAX };
        wire.send(socket, vec![challenge]).await.map_err(|why| (Refusal::Malformed, why))?;
        let FromWorker::Proof { mac } = wire.receive_one(socket).await? else {
            return Err((Refusal::Malformed, "the second message must be `proof`".into()));
        };
        if !self.access.proves(mac, nonce, hello.worker, self.epoch) {
            let what = if mac.is_some() { "the token is wrong" } else { "a token is required" };
            let hint = "start the worker with --token-file FILE or EVENKEEL_TOKEN, holding what the coordinator printed when it first started";
            return Err((Refusal::Token, format!("{what}: {hint}")));
        }
        Ok(hello)
    }

    fn check(&self, hello: &Hello) -> Result<(), (Refusal, String)> {
        let Hello { protocol_min, protocol_max, .. } = hello;
        if *protocol_min > PROTOCOL_MAX || *protocol_max < PROTOCOL_MIN {
            let what = format!(
                "this coordinator speaks protocols {PROTOCOL_MIN} to {PROTOCOL_MAX} and the worker {protocol_min} to {protocol_max}: install the same version on both"
            );
            return Err((Refusal::Protocol, what));
        }
        if hello.cluster.is_some_and(|cluster| cluster != self.cluster) {
            let what = format!(
                "the worker belongs to cluster {} and this is {}: give it another --work-dir to join this one",
                hello.cluster.expect("it is some"),
                self.cluster
            );
            return Err((Refusal::Cluster, what));
        }
        if hello.epoch_seen > self.epoch {
            let what = "the worker has obeyed a later life of this cluster's coordinator: this one was restored from an old backup, or two run at once";
            return Err((Refusal::Epoch, what.into()));
        }
        let is_name =
            |name: &str| (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !is_name(&hello.name) {
            let what = "a worker's name has 1 to 64 letters, digits, dots, dashes and underscores: choose another with --name";
            return Err((Refusal::Malformed, what.into()));
        }
        Ok(())
    }

    async fn turn_away(&self, mut socket: WebSocket, mut wire: Wire, code: Refusal, message: String) {
        tracing::warn!("a worker was turned away: {message}");
        // Whether it hears the reason is its own affair: it may be gone, or may never have been a worker.
        let goodbye = async {
            drop(wire.send(&mut socket, vec![FromCoordinator::Refused { code, message }]).await);
            drop(socket.send(Message::Close(None)).await);
        };
        drop(timeout(SEND, goodbye).await);
    }
}

/// One direction each: how messages become frames.
#[derive(Clone)]
struct Wire {
    encoding: Encoding,
    seen: u64,
    said: u64,
}

impl Wire {
    fn encode<M: Serialize>(&self, envelope: &Envelope<M>) -> Message {
        match self.encoding {
            Encoding::Json => Message::text(serde_json::to_string(envelope).expect("messages hold nothing that JSON cannot")),
            Encoding::MessagePack => {
                Message::binary(rmp_serde::to_vec_named(envelope).expect("messages hold nothing that MessagePack cannot"))
            }
        }
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Message) -> Result<M, String> {
        match frame {
            Message::Text(text) => serde_json::from_str(text).map_err(|error| format!("a frame is not understood: {error}")),
            Message::Binary(bytes) => rmp_serde::from_slice(bytes).map_err(|error| format!("a frame is not understood: {error}")),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Err("a control frame where a message should be".into()),
        }
    }

    async fn receive_one(&mut self, socket: &mut WebSocket) -> Result<FromWorker, (Refusal, String)> {
        let malformed = |what: String| (Refusal::Malformed, what);
        loop {
            let frame = match socket.recv().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(malformed(error.to_string())),
                None => return Err(malformed("the connection ended within the handshake".into())),
            };
            if matches!(frame, Message::Ping(_) | Message::Pong(_)) {
                continue;
            }
            if bytes_of(&frame) > HANDSHAKE_BYTES_MAX {
                return Err(malformed(format!("a frame of the handshake is longer than {HANDSHAKE_BYTES_MAX} bytes")));
            }
            let mut envelope: Envelope<FromWorker> = self.decode(&frame).map_err(malformed)?;
            self.seen = envelope.seq;
            if envelope.messages.len() != 1 {
                return Err(malformed("a frame of the handshake holds one message".into()));
            }
            return Ok(envelope.messages.remove(0));
        }
    }

    async fn send(&mut self, socket: &mut WebSocket, messages: Vec<FromCoordinator>) -> Result<(), Ended> {
        self.said += 1;
        let frame = self.encode(&Envelope { seq: self.said, ack: self.seen, messages });
        socket.send(frame).await.map_err(|error| error.to_string())
    }

    /// As many frames as these messages need: each is as large as control messages may wait for.
    fn pack(&mut self, ack: u64, messages: Vec<FromCoordinator>) -> Result<Vec<Message>, Ended> {
        self.said += 1;
        let envelope = Envelope { seq: self.said, ack, messages };
        let frame = self.encode(&envelope);
        let bytes = bytes_of(&frame);
        if bytes <= FRAME_BYTES_AIM || envelope.messages.len() == 1 {
            return if bytes <= FRAME_BYTES_MAX {
                Ok(vec![frame])
            } else {
                Err(format!("a message has {bytes} bytes, more than a frame may"))
            };
        }
        self.said -= 1;
        let mut first = envelope.messages;
        let second = first.split_off(first.len() / 2);
        let mut frames = self.pack(ack, first)?;
        frames.extend(self.pack(ack, second)?);
        Ok(frames)
    }
}

fn bytes_of(frame: &Message) -> usize {
    match frame {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

/// The attempts whose output this session may bring: those it was given, and for a while those whose result is known,
/// because output may trail the result.
#[derive(Debug, Default)]
struct Own {
    live: HashSet<Attempt>,
    trailing: VecDeque<Attempt>,
}

impl Own {
    fn note(&mut self, message: &FromCoordinator) {
        match message {
            FromCoordinator::Start(start) => drop(self.live.insert(start.attempt)),
            FromCoordinator::Reconcile { keep, .. } => self.live.extend(keep),
            FromCoordinator::ResultAck { attempt, answer: ResultAnswer::Fenced { .. } }
            | FromCoordinator::Fenced { attempt, .. } => {
                self.live.remove(attempt);
            }
            FromCoordinator::ResultAck { attempt, answer: ResultAnswer::Recorded | ResultAnswer::Duplicate } => {
                self.live.remove(attempt);
                self.trailing.truncate(TRAILING_MAX - 1);
                self.trailing.push_front(*attempt);
            }
            _ => {}
        }
    }

    fn has(&self, attempt: Attempt) -> bool {
        self.live.contains(&attempt) || self.trailing.contains(&attempt)
    }
}

struct Reader<'a> {
    sessions: &'a Sessions,
    connection: ConnectionId,
    wire: Wire,
    own: Arc<Mutex<Own>>,
    answers: mpsc::WeakSender<FromCoordinator>,
    acknowledged: Arc<AtomicU64>,
}

impl Reader<'_> {
    async fn read(mut self, mut stream: SplitStream<WebSocket>) -> Ended {
        loop {
            let frame = match timeout(SILENCE, stream.next()).await {
                Err(_) => return format!("nothing was heard for {} s", SILENCE.as_secs()),
                Ok(None | Some(Ok(Message::Close(_)))) => return "the worker closed the connection".into(),
                Ok(Some(Err(error))) => return error.to_string(),
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
                Ok(Some(Ok(frame))) => frame,
            };
            let heard = self.sessions.core.clock.now();
            let envelope: Envelope<FromWorker> = match self.wire.decode(&frame) {
                Ok(envelope) => envelope,
                Err(why) => return why,
            };
            if envelope.seq <= self.wire.seen {
                continue;
            }
            if envelope.seq != self.wire.seen + 1 {
                return format!("frame {} came after frame {}: some were lost", envelope.seq, self.wire.seen);
            }
            self.wire.seen = envelope.seq;
            self.acknowledged.store(envelope.seq, Ordering::Relaxed);
            for message in envelope.messages {
                if let Err(why) = self.take(heard, message).await {
                    return why;
                }
            }
        }
    }

    async fn take(&self, heard: shared::time::Time, message: FromWorker) -> Result<(), Ended> {
        match message {
            FromWorker::Log { attempt, offset, bytes } => {
                if bytes.0.len() > LOG_CHUNK_BYTES_MAX {
                    return Err(format!("{} bytes of output in one message; {LOG_CHUNK_BYTES_MAX} are allowed", bytes.0.len()));
                }
                let is_its_own = self.own.lock().expect("no holder panics").has(attempt);
                if is_its_own {
                    let chunk = Chunk { attempt, offset, bytes: bytes.0, credit: self.answers.clone() };
                    self.sessions.output.store(chunk).await;
                } else if let Some(outbox) = self.answers.upgrade() {
                    // A full outbox closes the session; the worker is told when it is back.
                    drop(outbox.try_send(FromCoordinator::Fenced { attempt, current: None }));
                }
                Ok(())
            }
            FromWorker::Tests { results, .. } if results.len() > TESTS_PER_MESSAGE_MAX => {
                Err(format!("{} results in one message; {TESTS_PER_MESSAGE_MAX} are allowed", results.len()))
            }
            message => {
                let told = self.sessions.core.tell(Input::Received(self.connection, heard, message)).await;
                told.map_err(|ending| ending.to_string())
            }
        }
    }
}

async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<FromCoordinator>,
    mut wire: Wire,
    own: Arc<Mutex<Own>>,
    acknowledged: Arc<AtomicU64>,
) -> Ended {
    let mut messages = Vec::new();
    while queue.recv_many(&mut messages, 256).await > 0 {
        let mut is_refused = false;
        {
            let mut own = own.lock().expect("no holder panics");
            messages.iter().for_each(|message| own.note(message));
            is_refused |= messages.iter().any(|message| matches!(message, FromCoordinator::Refused { .. }));
        }
        let frames = match wire.pack(acknowledged.load(Ordering::Relaxed), std::mem::take(&mut messages)) {
            Ok(frames) => frames,
            Err(why) => return why,
        };
        for frame in frames {
            match timeout(SEND, sink.feed(frame)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return format!("the worker took nothing for {} s", SEND.as_secs()),
            }
        }
        match timeout(SEND, sink.flush()).await {
            Ok(Ok(())) if is_refused => break,
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("the worker took nothing for {} s", SEND.as_secs()),
        }
    }
    // The worker may be gone already: then there is nobody to say goodbye to.
    drop(timeout(SEND, sink.send(Message::Close(None))).await);
    "this side closed it".into()
}
