//! The host's ends of a guest's connections: Unix sockets that Firecracker connects the guest's vsock connections to.
//!
//! Anything in the guest can connect to them. Who does not begin with the guest's token is a stranger: it gets little time
//! and little room, no answer, and gives way to the next. Who does can still say anything; that is checked as it comes.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::File,
    os::{fd::AsRawFd, unix::net::UnixListener as StdListener},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bencher_init::{
    config::Token,
    control::FromGuest,
    delivery::Opening,
    live::{PieceHeader, Stream},
    port::{self, CONTROL, FILES, LIVE, STDERR, STDOUT},
};
use bencher_types::wire::live::{MAX_PIECE_BYTES, OutputStream};
use rustix::fs::{AtFlags, Mode, chmodat, chownat};
use tokio::{
    io::AsyncReadExt as _,
    net::{UnixListener, UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use super::{
    collect::{self, Parcel, Wanted},
    conversation::Event,
    error::Lie,
    limits,
};
use crate::{
    live::{Ear, Live},
    sandbox::InfrastructureError,
};

/// The socket's name in the jail; those of the ports are made from it, as Firecracker does.
pub(super) const SOCKET: &str = "v.sock";

/// Something from a guest's connections.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The control connection exists; this is how to answer.
    Control(OwnedWriteHalf),
    Event(Event),
}

/// The connections of one machine. Dropping it closes them all.
#[derive(Debug)]
pub(super) struct Channel {
    incoming: mpsc::Receiver<Incoming>,
    door: Arc<Door>,
    _listening: JoinSet<()>,
}

/// Who is let in, and to what.
#[derive(Debug)]
struct Door {
    token: Token,
    wanted: Wanted,
    live: Option<Live>,
    state: Mutex<DoorState>,
}

#[derive(Debug, Default)]
struct DoorState {
    control_taken: bool,
    run: Option<u32>,
    delivered: BTreeSet<u32>,
    /// Who hears what the run prints.
    ear: Option<Ear>,
}

impl Channel {
    /// Binds a socket for every port in the folder `root`, for the use of `owner` alone, and listens.
    pub(super) fn open(
        root: &File,
        owner: Option<u32>,
        token: Token,
        wanted: Wanted,
        live: Option<Live>,
    ) -> Result<Self, InfrastructureError> {
        let door = Arc::new(Door { token, wanted, live, state: Mutex::default() });
        let (sender, incoming) = mpsc::channel(limits::EVENTS);
        let mut listening = JoinSet::new();
        for port in port::ALL {
            let listener = bind(root, port, owner)?;
            listening.spawn(listen(port, listener, Arc::clone(&door), sender.clone()));
        }
        Ok(Self { incoming, door, _listening: listening })
    }

    pub(super) async fn next(&mut self) -> Option<Incoming> {
        self.incoming.recv().await
    }

    /// Lets the deliveries of a run in, once each, and no others.
    pub(super) fn expect(&self, run: u32) {
        let mut state = self.door.state();
        state.run = Some(run);
        state.delivered.clear();
        state.ear = self.door.live.as_ref().map(Live::ear);
    }
}

impl Door {
    fn state(&self) -> std::sync::MutexGuard<'_, DoorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the one control connection may be this. The first message of a guest that cannot even read its
    /// configuration is a failure without a token; nothing of the benchmark can run before the greeting.
    fn takes_control(&self, first: &FromGuest) -> bool {
        let known = match first {
            FromGuest::Hello { token, .. } => *token == self.token,
            FromGuest::Failed { .. } => true,
            _ => false,
        };
        known && !std::mem::replace(&mut self.state().control_taken, true)
    }

    fn takes_delivery(&self, port: u32, opening: &Opening) -> bool {
        if opening.token != self.token {
            return false;
        }
        let mut state = self.state();
        state.run == Some(opening.run) && state.delivered.insert(port)
    }
}

fn bind(root: &File, port: u32, owner: Option<u32>) -> Result<UnixListener, InfrastructureError> {
    let name = format!("{SOCKET}_{port}");
    // By the open folder: the bound of a socket's path then does not concern the folder's own.
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", root.as_raw_fd()));
    let failed = InfrastructureError::io;
    let listener = StdListener::bind(&path).map_err(failed("bind", &path))?;
    chmodat(root, &name, Mode::RUSR | Mode::WUSR, AtFlags::empty()).map_err(|errno| failed("change", &path)(errno.into()))?;
    if let Some(id) = owner {
        let (uid, gid) = (rustix::fs::Uid::from_raw(id), rustix::fs::Gid::from_raw(id));
        chownat(root, &name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| failed("change the owner of", &path)(errno.into()))?;
    }
    listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener)).map_err(failed("listen on", &path))
}

/// Accepts for ever. It never stops accepting: Firecracker would wait for us with the whole machine.
async fn listen(port: u32, listener: UnixListener, door: Arc<Door>, events: mpsc::Sender<Incoming>) {
    let mut connections = JoinSet::new();
    let mut strangers = VecDeque::<(AbortHandle, Arc<AtomicBool>)>::new();
    let mut count = 0_u32;
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        count = count.saturating_add(1);
        if count > limits::CONNECTIONS_BEFORE_PAUSE || stream.is_err() {
            tokio::time::sleep(limits::CONNECTION_PAUSE).await;
        }
        let Ok((stream, _)) = stream else { continue };
        strangers.retain(|(task, known)| !task.is_finished() && !known.load(Ordering::Relaxed));
        if strangers.len() >= limits::MAX_STRANGERS
            && let Some((oldest, _)) = strangers.pop_front()
        {
            oldest.abort();
        }
        let known = Arc::new(AtomicBool::new(false));
        let connection = Connection { door: Arc::clone(&door), events: events.clone(), known: Arc::clone(&known) };
        strangers.push_back((connections.spawn(connection.serve(port, stream)), known));
    }
}

struct Connection {
    door: Arc<Door>,
    events: mpsc::Sender<Incoming>,
    /// Set once it has said who it is.
    known: Arc<AtomicBool>,
}

impl Connection {
    async fn serve(self, port: u32, stream: UnixStream) {
        if port == CONTROL { self.control(stream).await } else { self.delivery(port, stream).await }
    }

    async fn control(self, stream: UnixStream) {
        let (mut reader, writer) = stream.into_split();
        let first = timeout(limits::OPENING_TIMEOUT, collect::read_frame::<FromGuest>(&mut reader)).await;
        let Ok(Ok(Some(first))) = first else { return };
        if !self.door.takes_control(&first) {
            return;
        }
        self.known.store(true, Ordering::Relaxed);
        self.tell(Incoming::Control(writer)).await;
        self.tell(Incoming::Event(Event::Guest(first))).await;
        let end = self.listen_on(reader).await;
        self.tell(Incoming::Event(end)).await;
    }

    async fn listen_on(&self, mut reader: OwnedReadHalf) -> Event {
        loop {
            match collect::read_frame(&mut reader).await {
                Ok(Some(message)) => self.tell(Incoming::Event(Event::Guest(message))).await,
                Ok(None) | Err(bencher_init::frame::FrameError::Io(_)) => return Event::ControlClosed,
                Err(error) => return Event::ControlBroken(error.into()),
            }
        }
    }

    async fn delivery(self, port: u32, mut stream: UnixStream) {
        let opening = timeout(limits::OPENING_TIMEOUT, collect::read_frame::<Opening>(&mut stream)).await;
        let Ok(Ok(Some(opening))) = opening else { return };
        if !self.door.takes_delivery(port, &opening) {
            return;
        }
        self.known.store(true, Ordering::Relaxed);
        if port == LIVE {
            let ear = self.door.state().ear.clone();
            return hear(&mut stream, ear).await;
        }
        let after = limits::DELIVERY_TIMEOUT;
        let parcel = timeout(after, self.parcel(port, &mut stream)).await;
        let event = match parcel.unwrap_or(Err(Lie::Slow { what: name(port), after })) {
            Ok(parcel) => Event::Parcel(parcel),
            Err(lie) => Event::ParcelBroken(lie),
        };
        self.tell(Incoming::Event(event)).await;
    }

    async fn parcel(&self, port: u32, stream: &mut UnixStream) -> Result<Parcel, Lie> {
        let wanted = &self.door.wanted;
        match port {
            STDOUT => collect::stream(stream, name(port), wanted).await.map(Parcel::Stdout),
            STDERR => collect::stream(stream, name(port), wanted).await.map(Parcel::Stderr),
            _ => collect::files(stream, wanted).await.map(Parcel::Files),
        }
    }

    async fn tell(&self, incoming: Incoming) {
        // Nobody hears it only where the machine is being removed.
        let _ = self.events.send(incoming).await;
    }
}

/// Hears what is printed, until the guest ends it or says what makes no sense. Nothing depends on it.
async fn hear(stream: &mut UnixStream, ear: Option<Ear>) {
    let Some(ear) = ear else { return };
    while let Ok(Some(PieceHeader { stream: of, offset, bytes })) = collect::read_frame(stream).await {
        let Some(length) = usize::try_from(bytes).ok().filter(|length| *length <= MAX_PIECE_BYTES) else { return };
        let mut text = vec![0; length];
        if stream.read_exact(&mut text).await.is_err() {
            return;
        }
        let Ok(text) = String::from_utf8(text) else { return };
        let of = match of {
            Stream::Stdout => OutputStream::Stdout,
            Stream::Stderr => OutputStream::Stderr,
        };
        ear.tell(of, offset, text);
    }
}

fn name(port: u32) -> &'static str {
    match port {
        STDOUT => "the standard output",
        STDERR => "the standard error",
        FILES => "the files",
        _ => "the control connection",
    }
}

#[cfg(test)]
mod tests;
