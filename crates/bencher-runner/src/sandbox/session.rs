//! Several iterations of one plan, one after the other.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use super::{ExecutionPlan, IterationOutcome, Sandbox, SandboxError};

/// Where the iterations of one plan run.
pub trait Session: Send {
    /// Runs the next iteration, as [`Sandbox::run`] does, but for what may stay for the one after it.
    fn run(&mut self, cancel: CancellationToken) -> impl Future<Output = Result<IterationOutcome, SandboxError>> + Send;

    /// Ends the session, and returns when nothing of it is left. Dropping it does the same by a synchronous backstop.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A session that keeps nothing: every iteration begins anew.
#[derive(Debug)]
pub struct EachFresh<'a, S> {
    sandbox: &'a S,
    plan: ExecutionPlan,
}

impl<'a, S: Sandbox> EachFresh<'a, S> {
    #[must_use]
    pub fn new(sandbox: &'a S, plan: &ExecutionPlan) -> Self {
        Self { sandbox, plan: plan.clone() }
    }
}

impl<S: Sandbox> Session for EachFresh<'_, S> {
    fn run(&mut self, cancel: CancellationToken) -> impl Future<Output = Result<IterationOutcome, SandboxError>> + Send {
        self.sandbox.run(&self.plan, cancel)
    }

    async fn close(self) {}
}
