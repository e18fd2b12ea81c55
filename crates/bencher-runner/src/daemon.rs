//! The daemon: one task that owns the connection, the spool and the running job, and carries out what the channel's machine
//! decides.
//!
//! It waits for whatever comes first (a frame, the end of the job, a signal, the machine's deadline) and does nothing between.
//! A job itself runs in a task of its own, so that heartbeats go on whatever it does.

use std::{collections::VecDeque, future::Future, pin::Pin, sync::Arc, time::Duration};

use bencher_types::{
    DateTime, JobFailure, JobUuid,
    wire::{
        channel::{ClaimedJob, FromRunner},
        live::OutputPiece,
    },
};
use rand::Rng as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error, info, info_span, warn};

use crate::{
    chain::chain,
    channel::{
        limits::SILENT_REFUSALS,
        link::{ConnectError, Endpoint, EndpointError, Event as LinkEvent, Link, Loss},
        machine::{AckPolicy, Activity, Input, Machine, Output, ParcelId, Settings},
    },
    clock,
    config::UpConfig,
    control::{
        server::{self, Control},
        status::{JobStatus, State, Status},
    },
    data_dir::{DataDir, InFlight},
    job::{
        delivery,
        outcome::JobOutcome,
        progress::{Progress, Step},
    },
    live::{self, Live, Printed},
    notify::Notifier,
    spool::{Spool, SpoolError},
};

/// What runs the jobs that the daemon claims.
pub trait Execute: Send + Sync + 'static {
    /// Runs one job and leaves nothing of it behind. `cancel` asks it to stop soon and say so; `live`, where the job wants that, hears what
    /// it prints.
    fn execute(
        &self,
        job: ClaimedJob,
        cancel: CancellationToken,
        progress: Progress,
        live: Option<Live>,
    ) -> impl Future<Output = JobOutcome> + Send;
}

/// How the runner is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// By a signal; each further one is meant more urgently.
    Signal,
    /// Take no further job. Saying it again changes nothing.
    Drain,
    /// The same, and cancel the running job.
    Cancel,
}

/// What a daemon has to do with on its own machine.
pub struct Surroundings {
    pub stop: mpsc::Receiver<Stop>,
    /// The other end of `stop`, for the control channel.
    pub stopper: mpsc::Sender<Stop>,
    pub notifier: Notifier,
}

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("could not open the spool of undelivered results")]
    Spool(#[source] SpoolError),
}

/// What an earlier process's job is reported with.
pub(crate) const RESTARTED: &str = "the runner was restarted while the job ran; run the job again";

/// How long a job that is left behind may take to let go.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

type Connecting = Pin<Box<dyn Future<Output = Result<(Link, AckPolicy), ConnectError>> + Send>>;

/// A daemon that is ready to connect.
pub struct Daemon<E> {
    endpoint: Arc<Endpoint>,
    machine: Machine,
    spool: Spool,
    data: DataDir,
    execute: Arc<E>,
    max_message_size: usize,
    connection: Connection,
    running: Option<Running>,
    status: watch::Sender<Status>,
    notifier: Notifier,
}

enum Connection {
    None,
    Opening(Connecting),
    Open(Box<Link>),
}

struct Running {
    job: JobUuid,
    claimed: DateTime,
    step: watch::Receiver<Step>,
    printed: Printed,
    cancel: CancellationToken,
    task: JoinHandle<JobOutcome>,
}

enum Event {
    Connected(Box<Result<(Link, AckPolicy), ConnectError>>),
    Link(LinkEvent),
    JobEnded(JobUuid, JobOutcome),
    /// The running job has come further.
    Step,
    /// The running job, which is live, has printed something.
    Printed(JobUuid, Vec<OutputPiece>),
    Stop(Stop),
    Tick,
    /// It is time for a sign of life.
    Watchdog,
}

enum Flow {
    GoOn,
    Exit,
}

impl<E: Execute> Daemon<E> {
    /// Takes up what an earlier process left: undelivered results, and a job that was running when it was killed, which is
    /// reported as failed. What that job left on the machine must have been cleared away before.
    ///
    /// # Errors
    /// The configuration names no server, or the spool cannot be opened.
    pub fn new(config: &UpConfig, data: DataDir, execute: E) -> Result<Self, StartError> {
        let endpoint = Arc::new(Endpoint::new(&config.host, config.runner.clone(), &config.key)?);
        let (mut spool, mut waiting) = Spool::open(data.spool()).map_err(StartError::Spool)?;
        if let Some(InFlight { job, claimed }) = data.remembered() {
            let mut stored = Ok(());
            // A crash between storing the result and forgetting the job leaves both.
            if !spool.holds(job) {
                warn!(job.uuid = %job, %claimed, "an earlier process ended while this job ran; reporting it as failed");
                let message = delivery::message(
                    job,
                    JobOutcome::failed(JobFailure::Infrastructure, RESTARTED),
                    config.job.max_message_size,
                );
                let parcel;
                (parcel, stored) = spool.put(job, message);
                waiting.push(parcel);
            }
            match stored.and_then(|()| data.forget()) {
                Ok(()) => {}
                Err(error) => {
                    error!(error = %chain(&error), "could not store that the job failed; will be done at the next start")
                }
            }
        }
        if !waiting.is_empty() {
            info!(results = waiting.len(), "results of earlier jobs wait to be delivered");
        }
        let status = Status {
            state: State::Connecting,
            connected: false,
            job: None,
            server: config.host.to_string(),
            runner: config.runner.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: clock::today(),
            last_contact: None,
            problem: None,
            spooled_results: waiting.len(),
        };
        let settings = Settings { poll_timeout: config.poll_timeout, on_shutdown: config.on_shutdown };
        Ok(Self {
            endpoint,
            machine: Machine::new(settings, waiting),
            spool,
            data,
            execute: Arc::new(execute),
            max_message_size: config.job.max_message_size,
            connection: Connection::None,
            running: None,
            status: watch::Sender::new(status),
            notifier: Notifier::default(),
        })
    }

    /// Serves until it is told to stop and what then remains is done. Each further signal is more urgent: the first lets a
    /// running job finish (or cancels it, by configuration), the second cancels it, the third leaves at once.
    pub async fn run(mut self, surroundings: Surroundings) {
        let Surroundings { mut stop, stopper, notifier } = surroundings;
        self.notifier = notifier;
        // Jobs are worth more than being asked about them.
        let control: Option<Control> = server::listen(&self.data, self.status.subscribe(), stopper)
            .inspect_err(|error| warn!(error = %chain(error), "`runner status` and `runner stop` will not find this runner"))
            .ok();
        let mut watchdog = self.notifier.watchdog().map(tokio::time::interval);
        if let Some(watchdog) = &mut watchdog {
            watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        self.notifier.ready();
        let mut todo = VecDeque::from(Machine::start());
        loop {
            while let Some(output) = todo.pop_front() {
                match self.carry_out(output, &mut todo).await {
                    Flow::GoOn => {}
                    Flow::Exit => return self.leave(control).await,
                }
            }
            self.publish();
            let event = self.next(&mut stop, watchdog.as_mut()).await;
            todo.extend(self.take(event));
        }
    }

    /// Waits for the next thing to happen. Everything waited for may be dropped and waited for again.
    async fn next(&mut self, stop: &mut mpsc::Receiver<Stop>, watchdog: Option<&mut tokio::time::Interval>) -> Event {
        let (deadline, tells_output) = (self.machine.deadline(), self.machine.tells_output());
        let connection = async {
            match &mut self.connection {
                Connection::None => std::future::pending().await,
                Connection::Opening(opening) => Event::Connected(Box::new(opening.await)),
                Connection::Open(link) => Event::Link(link.next().await),
            }
        };
        let job = async {
            match &mut self.running {
                None => std::future::pending().await,
                Some(running) => tokio::select! {
                    ended = &mut running.task => {
                        let outcome = ended.unwrap_or_else(|error| {
                            error!(job.uuid = %running.job, %error, "the job's task ended abnormally");
                            let problem = "the runner failed while it ran the job; its log says more";
                            JobOutcome::failed(JobFailure::Infrastructure, problem)
                        });
                        Event::JobEnded(running.job, outcome)
                    }
                    // Its end is the end of the task, which comes by itself.
                    Ok(()) = running.step.changed() => Event::Step,
                    pieces = running.printed.next(), if tells_output => Event::Printed(running.job, pieces),
                },
            }
        };
        let tick = async {
            match deadline {
                None => std::future::pending().await,
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            }
        };
        let sign_of_life = async {
            match watchdog {
                None => std::future::pending().await,
                Some(watchdog) => watchdog.tick().await,
            }
        };
        tokio::select! {
            event = connection => event,
            event = job => event,
            Some(stop) = stop.recv() => Event::Stop(stop),
            () = tick => Event::Tick,
            _ = sign_of_life => Event::Watchdog,
        }
    }

    /// Tells the machine what happened, and the operator what matters of it.
    fn take(&mut self, event: Event) -> Vec<Output> {
        let now = clock::now();
        if matches!(&event, Event::Link(LinkEvent::Message(_) | LinkEvent::UnreadableJob { .. } | LinkEvent::Alive)) {
            self.heard();
        }
        match event {
            Event::Connected(result) => match *result {
                Ok((link, acks)) => {
                    debug!(?acks, "connected");
                    self.heard();
                    self.connection = Connection::Open(Box::new(link));
                    self.machine.on(now, Input::Connected(acks))
                }
                Err(error) => {
                    self.connection = Connection::None;
                    let outputs = self.machine.on(now, Input::ConnectFailed(error.problem()));
                    self.status.send_modify(|status| status.problem = Some(chain(&error)));
                    say_not_connected(&error, &outputs);
                    outputs
                }
            },
            Event::Link(LinkEvent::Message(message)) => self.machine.on(now, Input::Frame(message)),
            Event::Link(LinkEvent::UnreadableJob { job, problem }) => self.machine.on(now, Input::UnreadableJob { job, problem }),
            Event::Link(LinkEvent::Alive) => self.machine.on(now, Input::Alive),
            Event::Link(LinkEvent::Lost(loss)) => self.lost(&loss),
            Event::JobEnded(job, outcome) => self.ended(job, outcome),
            Event::Stop(Stop::Signal) => self.machine.on(now, Input::Shutdown),
            Event::Stop(Stop::Drain) => self.machine.on(now, Input::Drain { cancel: false }),
            Event::Stop(Stop::Cancel) => self.machine.on(now, Input::Drain { cancel: true }),
            Event::Step => Vec::new(),
            Event::Printed(job, pieces) => self.machine.on(now, Input::Printed(job, pieces)),
            Event::Watchdog => {
                self.notifier.alive();
                Vec::new()
            }
            Event::Tick => self.machine.on(now, Input::Tick),
        }
    }

    fn heard(&self) {
        self.status.send_modify(|status| status.last_contact = Some(clock::today()));
    }

    /// Tells whoever looks what the runner does now.
    fn publish(&mut self) {
        let connected = matches!(self.connection, Connection::Open(_));
        let state = match self.machine.activity() {
            _ if self.machine.is_draining() => State::Draining,
            Activity::Working => State::Running,
            Activity::Connecting => State::Connecting,
            Activity::Delivering => State::Delivering,
            Activity::Waiting => State::Idle,
        };
        let canceling = self.machine.is_canceling();
        let job = self.running.as_ref().map(|running| {
            let step = *running.step.borrow();
            JobStatus { uuid: running.job, claimed: running.claimed, step, canceling }
        });
        let spooled_results = self.machine.undelivered();
        self.status.send_if_modified(|status| {
            let problem = if connected { None } else { status.problem.take() };
            let new = Status { state, connected, job, spooled_results, problem: problem.clone(), ..status.clone() };
            status.problem = problem;
            let news = *status != new;
            *status = new;
            news
        });
        if state == State::Draining {
            self.notifier.stopping();
        }
        let line = self.status.borrow().to_string();
        self.notifier.status(line);
    }

    fn lost(&mut self, loss: &Loss) -> Vec<Output> {
        self.connection = Connection::None;
        self.status.send_modify(|status| status.problem = Some(chain(loss)));
        let outputs = self.machine.on(clock::now(), Input::Disconnected);
        let again = again(&outputs);
        if self.machine.silent_refusals() >= SILENT_REFUSALS {
            error!(
                error = %chain(loss),
                "the server ends every connection right after it was opened, without a word{again}; servers of the v0.6 series do \
                 that where the key is wrong or archived, the runner unknown, or the limit of connections reached: check --runner \
                 and the key, and read the server's log"
            );
        } else {
            warn!(error = %chain(loss), "lost the connection to the server{again}");
        }
        outputs
    }

    /// Keeps what came of the running job, before the server hears of it.
    fn ended(&mut self, job: JobUuid, outcome: JobOutcome) -> Vec<Output> {
        self.running = None;
        match &outcome {
            JobOutcome::Completed { results, .. } => info!(job.uuid = %job, iterations = results.len(), "the job is completed"),
            JobOutcome::Failed { error, .. } => warn!(job.uuid = %job, error, "the job failed"),
            JobOutcome::Canceled { .. } => info!(job.uuid = %job, "the job is canceled"),
        }
        let (parcel, stored) = self.spool.put(job, delivery::message(job, outcome, self.max_message_size));
        // While the result is not on the disk, the memory of the job stays: a crash then reports it as failed.
        if let Err(error) = stored.and_then(|()| self.data.forget()) {
            error!(job.uuid = %job, error = %chain(&error), "could not store the result; it is held in memory until the server has it");
        }
        self.machine.on(clock::now(), Input::Finished(parcel))
    }

    async fn carry_out(&mut self, output: Output, todo: &mut VecDeque<Output>) -> Flow {
        match output {
            Output::Connect(after) => self.connect(after),
            Output::Disconnect => self.disconnect().await,
            Output::Send(message) => {
                let text = serde_json::to_string(&message).expect("a message is text and numbers under text keys");
                debug!(message = signal_name(&message), "sending");
                self.send(Outgoing::Text(text), todo).await;
            }
            Output::Ping => self.send(Outgoing::Ping, todo).await,
            Output::Deliver(id) => self.deliver(id, todo).await,
            Output::Forget(id) => self.forget(id),
            Output::CutDown(id) => self.cut_down(id, todo),
            Output::Start(job) => self.start(*job, todo),
            Output::Reject { job, problem } => {
                let problem = format!("this runner cannot read the job: {problem}; are server and runner of versions that fit?");
                let outcome = JobOutcome::failed(JobFailure::Infrastructure, problem);
                todo.extend(self.ended(job, outcome));
            }
            Output::Cancel => {
                if let Some(running) = &self.running {
                    running.cancel.cancel();
                }
            }
            Output::Exit => return Flow::Exit,
        }
        Flow::GoOn
    }

    fn connect(&mut self, after: Duration) {
        let endpoint = Arc::clone(&self.endpoint);
        // Spread, so that all runners do not come back to a restarted server at the same moment.
        let after = after.mul_f64(rand::rng().random_range(0.75..=1.25));
        self.connection = Connection::Opening(Box::pin(async move {
            tokio::time::sleep(after).await;
            endpoint.connect().await
        }));
    }

    async fn disconnect(&mut self) {
        if let Connection::Open(link) = std::mem::replace(&mut self.connection, Connection::None) {
            link.close().await;
        }
    }

    async fn send(&mut self, outgoing: Outgoing, todo: &mut VecDeque<Output>) {
        // Without a connection the machine learns of the loss anyway, and says everything again on the next one.
        let Connection::Open(link) = &mut self.connection else { return };
        let sent = match outgoing {
            Outgoing::Text(text) => link.send(text).await,
            Outgoing::Ping => link.ping().await,
        };
        if let Err(loss) = sent {
            todo.extend(self.lost(&loss));
        }
    }

    async fn deliver(&mut self, id: ParcelId, todo: &mut VecDeque<Output>) {
        match self.spool.read(id) {
            Ok(message) => self.send(Outgoing::Text(message), todo).await,
            Err(error) => {
                self.spool.quarantine(id, &error);
                todo.extend(self.machine.on(clock::now(), Input::Recut(id, None)));
            }
        }
    }

    fn forget(&mut self, id: ParcelId) {
        // A result that the disk did not take left the memory of its job there.
        let forgotten = self.spool.remove(id).and_then(|()| self.data.forget());
        match forgotten {
            Ok(()) => info!("the server has the result"),
            Err(error) => {
                warn!(error = %chain(&error), "could not remove a delivered result; it will be delivered again, which does no harm")
            }
        }
    }

    fn cut_down(&mut self, id: ParcelId, todo: &mut VecDeque<Output>) {
        let replaced = self.spool.read(id).map(|message| delivery::cut_down(&message));
        let recut = match replaced {
            Ok(Some(short)) => {
                let bytes = short.len() as u64;
                match self.spool.replace(id, short) {
                    Ok(()) => error!(
                        "a result ended every connection it was sent on, so it is delivered as a failure that fits; the whole of it is \
                         kept in the spool's folder `undelivered`"
                    ),
                    Err(error) => {
                        error!(error = %chain(&error), "a result ended every connection it was sent on and could not be cut down")
                    }
                }
                Some(bytes)
            }
            Ok(None) => return,
            Err(error) => {
                self.spool.quarantine(id, &error);
                None
            }
        };
        todo.extend(self.machine.on(clock::now(), Input::Recut(id, recut)));
    }

    fn start(&mut self, job: ClaimedJob, todo: &mut VecDeque<Output>) {
        let uuid = job.uuid;
        let claimed = clock::today();
        if let Err(error) = self.data.remember(InFlight { job: uuid, claimed }) {
            let problem = format!("this runner's disk takes nothing: {}", chain(&error));
            todo.extend(self.ended(uuid, JobOutcome::failed(JobFailure::Infrastructure, problem)));
            return;
        }
        let cancel = CancellationToken::new();
        let execute = Arc::clone(&self.execute);
        let token = cancel.clone();
        let span = info_span!("job", job.uuid = %uuid);
        let (progress, step) = Progress::new();
        let (live, printed) = live::live();
        let live = job.config.live.unwrap_or_default().then_some(live);
        let task = tokio::spawn(async move { execute.execute(job, token, progress, live).await }.instrument(span));
        info!(job.uuid = %uuid, "claimed a job");
        self.running = Some(Running { job: uuid, claimed, step, printed, cancel, task });
    }

    /// The control channel closes last, yet before the folder is free for another runner, which opens its own there.
    async fn leave(mut self, control: Option<Control>) {
        self.notifier.stopping();
        if let Some(running) = self.running.take() {
            error!(job.uuid = %running.job, "leaving while a job runs; it will be reported as failed at the next start");
            running.task.abort();
            if tokio::time::timeout(ABORT_TIMEOUT, running.task).await.is_err() {
                warn!(job.uuid = %running.job, "the job's task did not end");
            }
        }
        self.disconnect().await;
        let results = self.machine.undelivered();
        if results > 0 {
            warn!(results, "stopped with undelivered results; they are kept for the next start");
        } else {
            info!("stopped");
        }
        drop(control);
    }
}

enum Outgoing {
    Text(String),
    Ping,
}

fn signal_name(message: &FromRunner) -> &'static str {
    match message {
        FromRunner::Ready { .. } => "ready",
        FromRunner::Running { .. } => "running",
        FromRunner::Heartbeat { .. } => "heartbeat",
        FromRunner::Output { .. } => "output",
        FromRunner::Completed { .. } => "completed",
        FromRunner::Failed { .. } => "failed",
        FromRunner::Canceled { .. } => "canceled",
    }
}

fn say_not_connected(error: &ConnectError, outputs: &[Output]) {
    let again = again(outputs);
    match error.hint() {
        Some(hint) => error!(error = %chain(error), "not connected{again}; {hint}"),
        None => warn!(error = %chain(error), "not connected{again}"),
    }
}

fn again(outputs: &[Output]) -> String {
    let wait = outputs.iter().find_map(|output| match output {
        Output::Connect(after) => Some(*after),
        _ => None,
    });
    wait.map(|wait| format!("; trying again in about {} s", wait.as_secs_f64().ceil())).unwrap_or_default()
}
