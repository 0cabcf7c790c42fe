//! A network between two programs that behaves as badly as it is told to.

use anyhow::{Context, Result};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Pieces that are on their way at a time.
const PIECES_MAX: usize = 256;
/// Bytes of a piece.
const PIECE_BYTES: usize = 16 << 10;

/// How the network behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Network {
    /// Well.
    Good,
    /// Every piece takes about so long, one in twenty a second more: it was lost, and was sent again.
    Slow {
        /// The mean.
        ms: u64,
        /// How far from it at most.
        spread_ms: u64,
    },
    /// Nothing arrives, and nobody is told.
    Silent,
    /// One byte a second.
    Trickle,
}

/// The network between whoever connects to `address` and one other.
#[derive(Debug)]
pub struct Proxy {
    /// Where it is entered.
    pub address: SocketAddr,
    network: watch::Sender<Network>,
    cuts: watch::Sender<u64>,
    entered: Arc<AtomicU64>,
}

impl Proxy {
    /// A good network to `to`; chance comes from `seed`.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn to(to: SocketAddr, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("opening a port for the fault proxy")?;
        let address = listener.local_addr().context("asking for the port")?;
        let (network, cuts) = (watch::Sender::new(Network::Good), watch::Sender::new(0));
        let entered = Arc::new(AtomicU64::new(0));
        let proxy = Self { address, network: network.clone(), cuts: cuts.clone(), entered: entered.clone() };
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let number = entered.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(join(from, to, network.subscribe(), cuts.subscribe(), seed ^ (number << 1)));
            }
        });
        Ok(proxy)
    }

    /// Changes how it behaves, for connections that are open too.
    pub fn become_(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// Cuts every connection that is open.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Connections that were ever opened.
    pub fn entered(&self) -> u64 {
        self.entered.load(Ordering::Relaxed)
    }
}

/// Carries both directions of one connection until both have ended, or it is cut.
async fn join(from: TcpStream, to: SocketAddr, network: watch::Receiver<Network>, mut cuts: watch::Receiver<u64>, seed: u64) {
    cuts.mark_unchanged();
    let carried = async {
        let mut silence = network.clone();
        heard(&mut silence).await;
        let Ok(onward) = TcpStream::connect(to).await else { return };
        let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), onward.into_split());
        let there = carry(from_read, to_write, network.clone(), seed);
        let back = carry(to_read, from_write, network, seed | 1);
        tokio::join!(there, back);
    };
    tokio::select! {
        () = carried => {}
        _ = cuts.changed() => {}
    }
}

/// Waits while the network is silent.
async fn heard(network: &mut watch::Receiver<Network>) {
    // The sender goes with the proxy, and all connections with it.
    drop(network.wait_for(|network| *network != Network::Silent).await);
}

/// Carries one direction. Pieces arrive in order, each after its own delay; an end arrives like a piece.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut network: watch::Receiver<Network>, seed: u64) {
    let (pieces, mut arriving) = mpsc::channel(PIECES_MAX);
    let mut random = Pcg64::seed_from_u64(seed);
    let sent_on = network.clone();
    let taking = async move {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(bytes @ 1..) = from.read(&mut piece).await {
            let arrives = Instant::now() + delay(&mut random, *sent_on.borrow());
            if pieces.send((arrives, piece[..bytes].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let giving = async move {
        while let Some((arrives, piece)) = arriving.recv().await {
            sleep_until(arrives).await;
            heard(&mut network).await;
            if !give(&mut to, &piece, &mut network).await {
                return;
            }
        }
        heard(&mut network).await;
        // The other side may be gone already.
        drop(to.shutdown().await);
    };
    tokio::join!(taking, giving);
}

/// Hands over one piece; false when nobody takes it.
async fn give(to: &mut OwnedWriteHalf, piece: &[u8], network: &mut watch::Receiver<Network>) -> bool {
    let mut rest = piece;
    while !rest.is_empty() {
        let now = if *network.borrow() == Network::Trickle { 1 } else { rest.len() };
        if to.write_all(&rest[..now]).await.is_err() {
            return false;
        }
        rest = &rest[now..];
        if !rest.is_empty() {
            tokio::select! {
                () = sleep(Duration::from_secs(1)) => {}
                _ = network.changed() => {}
            }
            heard(network).await;
        }
    }
    true
}

fn delay(random: &mut Pcg64, network: Network) -> Duration {
    let Network::Slow { ms, spread_ms } = network else { return Duration::ZERO };
    let lost = if random.next_u64().is_multiple_of(20) { 1_000 } else { 0 };
    Duration::from_millis(lost + ms - spread_ms + random.next_u64() % (2 * spread_ms + 1))
}
