//! The host, as the guest talks to it: the control connection, and one connection for each delivery.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use bencher_init::{
    FilesHeader, FromGuest, Opening, StreamHeader, ToGuest,
    config::Token,
    control::GuestFailure,
    frame::{self, FrameError},
    port,
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    net::sockopt::{Timeout, set_socket_timeout},
};

use crate::{
    clock,
    execute::Captured,
    files::{Collected, Collection},
    limits,
    signals::Signals,
    vsock,
};

/// The connection to the host, or what is known of it before there is one.
#[derive(Debug, Default)]
pub(crate) struct Host {
    control: Option<File>,
    token: Option<Token>,
}

/// What the guest is asked to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Host(ToGuest),
    CtrlAltDel,
}

/// Why the host cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("could not connect to port {port} of the host")]
    Connect {
        port: u32,
        #[source]
        source: io::Error,
    },
    #[error("there is no control connection")]
    NotConnected,
    #[error("the host closed the control connection")]
    Closed,
    #[error("no order came within {:?}", limits::ORDER_WAIT)]
    NoOrder,
    #[error("could not wait for an order")]
    Wait(#[source] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("could not send on port {port}")]
    Send {
        port: u32,
        #[source]
        source: io::Error,
    },
    #[error("the file {path} changed while it was sent")]
    Changed { path: String },
}

impl Host {
    /// Over a connection that is there already.
    #[cfg(test)]
    pub(crate) fn over(control: File) -> Self {
        Self { control: Some(control), token: None }
    }

    /// From now on connections carry the token.
    pub(crate) fn introduce(&mut self, token: Token) {
        self.token = Some(token);
    }

    /// Opens the control connection, where there is none.
    pub(crate) fn connect(&mut self) -> Result<(), HostError> {
        if self.control.is_none() {
            self.control = Some(connect(port::CONTROL, limits::CONNECT_WAIT)?);
        }
        Ok(())
    }

    pub(crate) fn say(&mut self, message: &FromGuest) -> Result<(), HostError> {
        let control = self.control.as_mut().ok_or(HostError::NotConnected)?;
        Ok(frame::write(control, message)?)
    }

    /// The last words. Where there is no connection yet, one is opened for them.
    pub(crate) fn tell(&mut self, failure: GuestFailure) -> Result<(), HostError> {
        if self.control.is_none() {
            self.control = Some(connect(port::CONTROL, limits::LAST_WORDS_WAIT)?);
        }
        self.say(&FromGuest::Failed { failure: failure.cut() })?;
        // A restart takes the machine away from under what has not been fetched yet. The host answers by closing.
        if let Some(control) = &mut self.control {
            let _ = set_socket_timeout(&control, Timeout::Recv, Some(limits::LAST_WORDS_WAIT));
            let _ = control.read(&mut [0]);
        }
        Ok(())
    }

    /// The connection to wait on while a benchmark runs.
    pub(crate) fn control(&self) -> Result<BorrowedFd<'_>, HostError> {
        self.control.as_ref().map(AsFd::as_fd).ok_or(HostError::NotConnected)
    }

    /// Reads one order that has begun to arrive.
    pub(crate) fn order(&mut self) -> Result<ToGuest, HostError> {
        let control = self.control.as_mut().ok_or(HostError::NotConnected)?;
        frame::read(control)?.ok_or(HostError::Closed)
    }

    /// Waits for what comes next while nothing runs.
    pub(crate) fn next_order(&mut self, signals: &Signals) -> Result<Order, HostError> {
        let deadline = clock::Moment::now().after(limits::ORDER_WAIT);
        loop {
            let left = deadline.since(clock::Moment::now());
            let control = self.control()?;
            let mut polled = [PollFd::new(&control, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
            match poll(&mut polled, Some(&clock::timespec(left))) {
                Ok(0) => return Err(HostError::NoOrder),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(HostError::Wait(error.into())),
            }
            let [order, signal] = polled.map(|polled| !polled.revents().is_empty());
            if signal && signals.pending().map_err(HostError::Wait)?.stop {
                return Ok(Order::CtrlAltDel);
            }
            if order {
                return self.order().map(Order::Host);
            }
        }
    }

    /// Sends what was kept of a stream, on a connection of its own.
    pub(crate) fn deliver_stream(&self, port: u32, run: u32, stream: &Captured) -> Result<(), HostError> {
        let mut connection = self.open(port, run)?;
        frame::write(&mut connection, &StreamHeader { total: stream.total, kept: stream.kept(), sha256: stream.sha256() })?;
        for chunk in &stream.chunks {
            connection.write_all(chunk).map_err(|source| HostError::Send { port, source })?;
        }
        Ok(())
    }

    /// Sends the files, each from where it lies.
    pub(crate) fn deliver_files(&self, run: u32, files: Collection) -> Result<(), HostError> {
        let mut connection = self.open(port::FILES, run)?;
        let count = u32::try_from(files.entries.len()).unwrap_or(u32::MAX);
        frame::write(&mut connection, &FilesHeader { count })?;
        for Collected { entry, contents } in files.entries {
            frame::write(&mut connection, &entry)?;
            let Some((file, size)) = contents else { continue };
            let source = |source| HostError::Send { port: port::FILES, source };
            let sent = io::copy(&mut file.take(size), &mut connection).map_err(source)?;
            if sent != size {
                return Err(HostError::Changed { path: String::from_utf8_lossy(&entry.path.0).into_owned() });
            }
        }
        Ok(())
    }

    /// A connection for what the benchmark prints, which never blocks. `None` where there is none: then nobody hears of it until the end.
    pub(crate) fn open_live(&self, run: u32) -> Option<File> {
        let connection = self.open(port::LIVE, run).ok()?;
        rustix::io::ioctl_fionbio(&connection, true).ok()?;
        Some(connection)
    }

    fn open(&self, port: u32, run: u32) -> Result<File, HostError> {
        let token = self.token.ok_or(HostError::NotConnected)?;
        let mut connection = connect(port, limits::CONNECT_WAIT)?;
        frame::write(&mut connection, &Opening { token, run })?;
        Ok(connection)
    }
}

fn connect(port: u32, patience: Duration) -> Result<File, HostError> {
    vsock::connect_to_host(port, patience).map_err(|source| HostError::Connect { port, source })
}
