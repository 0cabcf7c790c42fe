//! One connection to the coordinator: frames in, frames out, two lanes.
//!
//! The control lane goes first. `Log` and `Finished` share the bulk lane, so that a result follows its output.

use crate::args::{Encoding, Endpoint};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use shared::protocol::{
    Envelope, FRAME_BYTES_AIM, FRAME_BYTES_MAX, FromCoordinator, FromWorker, SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK,
};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long opening a socket may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long the system may go on sending to a coordinator that acknowledges nothing; by itself it would for a quarter of an
/// hour.
const UNHEARD_MAX: Duration = Duration::from_secs(20);
/// Batches that wait for the socket; a coordinator that takes no more is left.
const BATCHES_MAX: usize = 1024;
/// How long the last frames may take when a session is closed.
const CLOSE_MAX: Duration = Duration::from_secs(2);

type Stream = WebSocketStream<TcpStream>;

/// What a session says of itself.
#[derive(Debug)]
pub enum Report {
    /// It is open.
    Connected,
    /// A frame arrived.
    Received(Envelope<FromCoordinator>),
    /// It is over, or was never opened, and why.
    Closed(String),
}

/// What is said in one step.
#[derive(Debug, Default)]
pub struct Batch {
    /// Goes first.
    pub control: Vec<FromWorker>,
    /// Goes when no control message waits.
    pub bulk: Vec<FromWorker>,
    /// The highest number seen from the coordinator.
    pub ack: u64,
}

/// One session; dropping it closes the socket.
#[derive(Debug)]
pub struct Session {
    batches: mpsc::Sender<Batch>,
    task: JoinHandle<()>,
}

impl Session {
    /// Opens a socket and reports what comes of it, each report with `generation`.
    pub fn open(endpoint: &Endpoint, encoding: Encoding, generation: u64, reports: mpsc::Sender<(u64, Report)>) -> Self {
        let (batches, waiting) = mpsc::channel(BATCHES_MAX);
        let endpoint = endpoint.clone();
        let task = tokio::spawn(async move {
            let why = match timeout(CONNECT_MAX, connect(&endpoint, encoding)).await {
                Err(_) => format!("{} did not answer within {} s", endpoint.authority, CONNECT_MAX.as_secs()),
                Ok(Err(why)) => why,
                Ok(Ok(stream)) => {
                    if reports.send((generation, Report::Connected)).await.is_err() {
                        return;
                    }
                    talk(stream, encoding, waiting, generation, &reports).await
                }
            };
            let _ = reports.send((generation, Report::Closed(why))).await;
        });
        Self { batches, task }
    }

    /// Says a batch; false when the coordinator takes nothing any more.
    pub fn say(&self, batch: Batch) -> bool {
        self.batches.try_send(batch).is_ok()
    }

    /// Closes the socket when what was said is out, or after a moment.
    pub async fn close(self) {
        let Self { batches, mut task } = self;
        drop(batches);
        if timeout(CLOSE_MAX, &mut task).await.is_err() {
            task.abort();
        }
    }
}

async fn connect(endpoint: &Endpoint, encoding: Encoding) -> Result<Stream, String> {
    let at = |what: &dyn std::fmt::Display| format!("connecting to {}: {what}", endpoint.authority);
    let socket = TcpStream::connect(&endpoint.authority).await.map_err(|error| at(&error))?;
    socket.set_nodelay(true).map_err(|error| at(&error))?;
    socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(UNHEARD_MAX)).map_err(|error| at(&error))?;
    let mut request = endpoint.socket_url().into_client_request().map_err(|error| at(&error))?;
    let subprotocol = match encoding {
        Encoding::Json => SUBPROTOCOL_JSON,
        Encoding::Msgpack => SUBPROTOCOL_MSGPACK,
    };
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(subprotocol));
    let config = WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
        .max_write_buffer_size(4 * FRAME_BYTES_MAX);
    match client_async_with_config(request, socket, Some(config)).await {
        Ok((stream, _)) => Ok(stream),
        Err(tungstenite::Error::Http(response)) => Err(at(&format!("it answered {}: is this a coordinator?", response.status()))),
        Err(error) => Err(at(&error)),
    }
}

/// Reads and writes until either end has enough; answers why.
async fn talk(
    stream: Stream,
    encoding: Encoding,
    batches: mpsc::Receiver<Batch>,
    generation: u64,
    reports: &mpsc::Sender<(u64, Report)>,
) -> String {
    let (sink, source) = stream.split();
    tokio::select! {
        why = write(sink, encoding, batches) => why,
        why = read(source, encoding, generation, reports) => why,
    }
}

async fn read(
    mut source: SplitStream<Stream>,
    encoding: Encoding,
    generation: u64,
    reports: &mpsc::Sender<(u64, Report)>,
) -> String {
    loop {
        let message = match source.next().await {
            None => return "the coordinator closed the connection".into(),
            Some(Err(error)) => return format!("reading from the coordinator: {error}"),
            Some(Ok(message)) => message,
        };
        let envelope = match (&message, encoding) {
            (Message::Text(text), Encoding::Json) => serde_json::from_str(text).map_err(|error| error.to_string()),
            (Message::Binary(bytes), Encoding::Msgpack) => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
            (Message::Text(_) | Message::Binary(_), _) => Err("it is not in the encoding that was agreed".into()),
            (Message::Close(_), _) => return "the coordinator closed the connection".into(),
            (Message::Ping(_) | Message::Pong(_) | Message::Frame(_), _) => continue,
        };
        let envelope = match envelope {
            Ok(envelope) => envelope,
            Err(error) => return format!("a frame from the coordinator makes no sense: {error}"),
        };
        if reports.send((generation, Report::Received(envelope))).await.is_err() {
            return "the daemon has ended".into();
        }
    }
}

async fn write(mut sink: SplitSink<Stream, Message>, encoding: Encoding, mut batches: mpsc::Receiver<Batch>) -> String {
    let mut lanes = Lanes::default();
    let mut seq = 0;
    loop {
        if lanes.is_empty() {
            match batches.recv().await {
                Some(batch) => lanes.add(batch),
                None => break,
            }
        }
        while let Ok(batch) = batches.try_recv() {
            lanes.add(batch);
        }
        seq += 1;
        let envelope = Envelope { seq, ack: lanes.ack, messages: lanes.next_frame() };
        let frame = match encoding {
            Encoding::Json => serde_json::to_string(&envelope).map(Message::text).map_err(|error| error.to_string()),
            Encoding::Msgpack => rmp_serde::to_vec_named(&envelope).map(Message::binary).map_err(|error| error.to_string()),
        };
        let sent = match frame {
            Ok(frame) => sink.send(frame).await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            return format!("writing to the coordinator: {error}");
        }
    }
    let _ = sink.close().await;
    "closed by this worker".into()
}

/// Messages that wait for the socket.
#[derive(Debug, Default)]
struct Lanes {
    control: VecDeque<FromWorker>,
    bulk: VecDeque<FromWorker>,
    ack: u64,
}

impl Lanes {
    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.bulk.is_empty()
    }

    fn add(&mut self, batch: Batch) {
        self.control.extend(batch.control);
        self.bulk.extend(batch.bulk);
        self.ack = batch.ack;
    }

    /// The messages of the next frame: control first, and no more than fit well into one.
    fn next_frame(&mut self) -> Vec<FromWorker> {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.control.front().or_else(|| self.bulk.front()) {
            bytes += size(next);
            if bytes > FRAME_BYTES_AIM && !messages.is_empty() {
                break;
            }
            messages.extend(self.control.pop_front().or_else(|| self.bulk.pop_front()));
        }
        messages
    }
}

/// About how many bytes a message takes on the wire.
fn size(message: &FromWorker) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    100 + match message {
        FromWorker::Log { bytes, .. } => bytes.0.len(),
        FromWorker::Tests { results, .. } => results.iter().map(|test| 100 + text(&test.name) + text(&test.message)).sum(),
        FromWorker::Finished { outcome, .. } => 200 + text(&outcome.message),
        FromWorker::Inventory(all) => {
            1000 + 100 * all.attempts.len() + all.results.iter().map(|one| 300 + text(&one.outcome.message)).sum::<usize>()
        }
        FromWorker::Heartbeat(heartbeat) => 400 + 4 * heartbeat.load.cores.len() + 200 * heartbeat.load.devices.len(),
        FromWorker::Hello(_) => 200,
        FromWorker::Proof { .. }
        | FromWorker::Started { .. }
        | FromWorker::Quiesced { .. }
        | FromWorker::Resumed { .. }
        | FromWorker::Leaving => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::bytes::Bytes;
    use shared::id::{Attempt, AttemptNumber, TaskId};

    #[test]
    fn control_goes_first_and_a_frame_stays_small() {
        let attempt = Attempt { task: TaskId(1), number: AttemptNumber(1) };
        let log = || FromWorker::Log { attempt, offset: 0, bytes: Bytes(vec![0; 32 << 10]) };
        let mut lanes = Lanes::default();
        lanes.add(Batch { control: vec![], bulk: vec![log(), log(), log()], ack: 1 });
        lanes.add(Batch { control: vec![FromWorker::Leaving], bulk: vec![], ack: 2 });
        let first = lanes.next_frame();
        assert_eq!((first.len(), first[0].clone()), (2, FromWorker::Leaving));
        assert_eq!((lanes.next_frame().len(), lanes.next_frame().len()), (1, 1));
        assert!(lanes.is_empty() && lanes.ack == 2);
    }
}
