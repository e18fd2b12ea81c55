//! A TCP proxy for tests that is as bad as a line can be: it delays, cuts after so many bytes, cuts now, goes silent, and refuses.
//!
//! Knows nothing of what is said over it. `fate` decides, by a number, what becomes of a connection; this carries it out.

mod fate;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub use fate::{Conduct, Cut, Fate, Rough};

/// Bytes that are read at once. Small, so that a cut falls into the middle of what is said, and a delay is felt.
const BUFFER_BYTES: usize = 8 << 10;

/// A line to one address. Everything on it ends when it is dropped.
#[must_use = "dropping it cuts every connection"]
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    orders: Arc<watch::Sender<Orders>>,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

/// What connections are told. They are numbered from 0 in the order in which they were accepted.
#[derive(Clone, Debug)]
struct Orders {
    conduct: Conduct,
    /// Connections with lower numbers are over.
    cut_below: u64,
    /// Connections with lower numbers say nothing any more.
    silent_below: u64,
}

/// What happened so far.
#[derive(Debug, Default)]
struct Seen {
    accepted: AtomicU64,
    open: AtomicU64,
    cut: AtomicU64,
}

impl Line {
    /// A line to `target`, on a port of its own. Good until it is told otherwise.
    ///
    /// # Errors
    /// No port is free.
    pub async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let orders = Arc::new(watch::Sender::new(Orders { conduct: Conduct::Good, cut_below: 0, silent_below: 0 }));
        let seen = Arc::new(Seen::default());
        let accepting = tokio::spawn(accept(listener, target, orders.clone(), seen.clone()));
        Ok(Self { address, orders, seen, accepting })
    }

    /// Where to connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How connections are treated that are made from now on. Those that are open keep their fate.
    pub fn conduct(&self, conduct: Conduct) {
        self.orders.send_modify(|orders| orders.conduct = conduct);
    }

    /// Cuts every open connection.
    pub fn cut(&self) {
        let next = self.accepted();
        self.orders.send_modify(|orders| orders.cut_below = next);
    }

    /// From now on nothing passes over the open connections, and neither end is told: they are half-open, until they are cut.
    pub fn silence(&self) {
        let next = self.accepted();
        self.orders.send_modify(|orders| orders.silent_below = next);
    }

    /// Connections so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.seen.accepted.load(Ordering::Acquire)
    }

    /// Connections that are open now, silent ones included.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.seen.open.load(Ordering::Acquire)
    }

    /// Connections that the line cut or refused so far.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.seen.cut.load(Ordering::Acquire)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, orders: Arc<watch::Sender<Orders>>, seen: Arc<Seen>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of files, or the client is gone already.
                let Ok((client, _)) = accepted else { continue };
                let number = seen.accepted.fetch_add(1, Ordering::AcqRel);
                seen.open.fetch_add(1, Ordering::AcqRel);
                let fate = orders.borrow().conduct.fate(number);
                let connection = Connection { number, fate, orders: orders.subscribe() };
                let seen = seen.clone();
                connections.spawn(async move {
                    if connection.carry(client, target).await == End::Cut {
                        seen.cut.fetch_add(1, Ordering::AcqRel);
                    }
                    seen.open.fetch_sub(1, Ordering::AcqRel);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By its own ends.
    Own,
    Cut,
}

struct Connection {
    number: u64,
    fate: Fate,
    orders: watch::Receiver<Orders>,
}

impl Connection {
    async fn carry(self, mut client: TcpStream, target: SocketAddr) -> End {
        let Self { number, fate, orders } = self;
        if fate.refused {
            break_off(&client, Cut::Reset);
            return End::Cut;
        }
        let Ok(mut server) = TcpStream::connect(target).await else {
            // Nobody is there: the client is to see it as it would without the line.
            break_off(&client, Cut::Reset);
            return End::Own;
        };
        // What is small and late is the line's doing and nobody else's.
        client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).ok();
        let cut = ordered(orders.clone(), |orders| number < orders.cut_below);
        tokio::pin!(cut);
        let end = if fate.silent {
            None
        } else {
            tokio::select! {
                end = pass(&mut client, &mut server, fate) => Some(end),
                () = &mut cut => Some(End::Cut),
                () = ordered(orders, |orders| number < orders.silent_below) => None,
            }
        };
        let end = match end {
            Some(end) => end,
            None => {
                cut.await;
                End::Cut
            }
        };
        if end == End::Cut {
            break_off(&client, fate.cut);
            break_off(&server, fate.cut);
        }
        end
    }
}

/// Waits for an order; for ever where the line is gone, which ends every connection by itself.
async fn ordered(mut orders: watch::Receiver<Orders>, is_given: impl FnMut(&Orders) -> bool) {
    if orders.wait_for(is_given).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Takes care that both ends see how a connection ended.
fn break_off(stream: &TcpStream, cut: Cut) {
    if cut == Cut::Reset {
        // A connection that is gone already needs none.
        stream.set_zero_linger().ok();
    }
}

/// Carries both directions until both have ended, or as many bytes have passed as may.
async fn pass(client: &mut TcpStream, server: &mut TcpStream, fate: Fate) -> End {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    // How many more bytes may pass, in both directions together.
    let left = AtomicI64::new(fate.cut_after.map_or(i64::MAX, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)));
    let up = one_way(from_client, to_server, fate.delay_up, &left);
    let down = one_way(from_server, to_client, fate.delay_down, &left);
    tokio::pin!(up, down);
    // Where one direction has ended by itself the other may go on; a cut ends both.
    let ends = tokio::select! {
        end = &mut up => (end, None),
        end = &mut down => (end, Some(())),
    };
    match ends {
        (End::Cut, _) => End::Cut,
        (End::Own, None) => down.await,
        (End::Own, Some(())) => up.await,
    }
}

async fn one_way(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, delay: Duration, left: &AtomicI64) -> End {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => {
                to.shutdown().await.ok();
                return End::Own;
            }
            Ok(read) => read,
            Err(_) => return End::Own,
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let size = i64::try_from(read).expect("a buffer is small");
        let allowed = left.fetch_sub(size, Ordering::AcqRel).clamp(0, size);
        let passing = &buffer[..usize::try_from(allowed).expect("clamped")];
        if to.write_all(passing).await.is_err() {
            return End::Own;
        }
        if allowed < size {
            return End::Cut;
        }
    }
}

#[cfg(test)]
mod tests;
