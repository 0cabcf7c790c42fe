//! Workers that stand for machines that do not exist, and say so: each speaks the protocol, and its tasks only take time.

use futures_util::{SinkExt, StreamExt};
use shared::hardware::{Device, HardwareKind, Inventory, Load, ProbeLevel};
use shared::id::{Attempt, BootNonce, Epoch, WorkerId};
use shared::outcome::{Ended, Outcome};
use shared::protocol::{
    Envelope, FromCoordinator, FromWorker, Heartbeat, Hello, PROTOCOL_MAX, PROTOCOL_MIN, SUBPROTOCOL_JSON, WorkerInventory,
    digest_of,
};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const HEARTBEAT: Duration = Duration::from_secs(5);
const SLOTS: u32 = 4;

/// `count` workers of the coordinator at `url`, until what is returned is dropped.
pub fn start(url: &str, count: u32) -> JoinSet<()> {
    let mut fakes = JoinSet::new();
    for number in 0..count {
        let url = format!("{}/api/worker", url.replace("http://", "ws://"));
        fakes.spawn(async move {
            let mut fake = Fake::connect(&url, number).await;
            fake.serve().await;
        });
    }
    fakes
}

struct Fake {
    number: u32,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    said: u64,
    heard: u64,
    beats: u64,
    /// What it holds, and when that ends.
    held: BTreeMap<Attempt, Instant>,
}

impl Fake {
    async fn connect(url: &str, number: u32) -> Self {
        let mut request = url.into_client_request().expect("an address");
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL_JSON.parse().expect("a header"));
        let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("the coordinator listens");
        let mut fake = Self { number, socket, said: 0, heard: 0, beats: 0, held: BTreeMap::new() };
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        fake.say(FromWorker::Hello(Hello {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            cluster: None,
            worker: WorkerId(id),
            name: format!("sim-{number:04}"),
            boot: BootNonce([1; 8]),
            epoch_seen: Epoch(0),
            version: "fake".into(),
        }))
        .await;
        fake.say(FromWorker::Proof { mac: None }).await;
        fake.tell_inventory().await;
        fake
    }

    async fn serve(&mut self) {
        let mut beat = Instant::now() + Duration::from_millis(u64::from(self.number) * 5);
        loop {
            let ends = self.held.values().min().copied().unwrap_or(beat).min(beat);
            tokio::select! {
                frame = self.socket.next() => match frame {
                    Some(Ok(Message::Text(text))) => {
                        let envelope: Envelope<FromCoordinator> = serde_json::from_str(&text).expect("the protocol");
                        self.heard = envelope.seq;
                        for message in envelope.messages {
                            self.obey(message).await;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                () = sleep_until(ends) => {
                    self.finish_due().await;
                    if Instant::now() >= beat {
                        beat = Instant::now() + HEARTBEAT;
                        self.beats += 1;
                        let holds = digest_of(self.held.keys().copied());
                        let heartbeat = Heartbeat { number: self.beats, load: self.load(), holds };
                        self.say(FromWorker::Heartbeat(heartbeat)).await;
                    }
                }
            }
        }
    }

    async fn obey(&mut self, message: FromCoordinator) {
        match message {
            FromCoordinator::Start(start) => {
                let ms = 4_000 + (start.attempt.task.0 * 7_919 + u64::from(self.number) * 104_729) % 26_000;
                self.held.insert(start.attempt, Instant::now() + Duration::from_millis(ms));
                self.say(FromWorker::Started { attempt: start.attempt }).await;
            }
            FromCoordinator::Cancel { attempt, .. } if self.held.remove(&attempt).is_some() => {
                self.say(FromWorker::Finished { attempt, outcome: Outcome::bare(Ended::Cancelled) }).await;
            }
            FromCoordinator::SendInventory => self.tell_inventory().await,
            FromCoordinator::Refused { message, .. } => panic!("a fake was turned away: {message}"),
            _ => {}
        }
    }

    async fn finish_due(&mut self) {
        let now = Instant::now();
        let due: Vec<Attempt> = self.held.iter().filter(|(_, ends)| **ends <= now).map(|(attempt, _)| *attempt).collect();
        for attempt in due {
            self.held.remove(&attempt);
            let outcome = Outcome { exit_code: Some(0), run_s: 10.0, ..Outcome::bare(Ended::Passed) };
            self.say(FromWorker::Finished { attempt, outcome }).await;
        }
    }

    async fn tell_inventory(&mut self) {
        let kind = [HardwareKind::Cuda, HardwareKind::Rocm, HardwareKind::Mps][self.number as usize % 3];
        let mut devices = vec![Device::of_kind(HardwareKind::Cpu, ProbeLevel::Declared)];
        if self.number.is_multiple_of(4) {
            devices.push(Device { throttle_c: Some(92.0), ..Device::of_kind(kind, ProbeLevel::Declared) });
        }
        let machine = Inventory {
            slots: SLOTS,
            cores: SLOTS,
            memory_bytes: 16_000_000_000,
            devices,
            labels: BTreeMap::from([("simulated".into(), "true".into())]),
            ..Inventory::default()
        };
        self.say(FromWorker::Inventory(WorkerInventory { machine, attempts: Vec::new(), results: Vec::new() })).await;
    }

    /// Loads that differ and move; a third of the workers tells no temperature and no power.
    fn load(&self) -> Load {
        let busy = self.held.len() as f64 / f64::from(SLOTS);
        let wave = ((self.beats * 37 + u64::from(self.number) * 61) % 100) as f64 / 100.0;
        let tells = !self.number.is_multiple_of(3);
        Load {
            cpu: Some((busy * 0.8 + wave * 0.2).min(1.0)),
            memory: Some(0.2 + 0.5 * wave),
            temperature_c: tells.then_some(35.0 + 40.0 * busy + 12.0 * wave),
            power_w: tells.then_some(60.0 + 200.0 * busy + 20.0 * wave),
            ..Load::default()
        }
    }

    async fn say(&mut self, message: FromWorker) {
        self.said += 1;
        let envelope = Envelope { seq: self.said, ack: self.heard, messages: vec![message] };
        let text = serde_json::to_string(&envelope).expect("messages hold nothing that JSON cannot");
        // A coordinator that is gone ends the session at the next read.
        drop(self.socket.send(Message::text(text)).await);
    }
}
