//! Whatever is filed, deleted, looked through or killed, and in whichever order: the stored change points are those of the series.

use std::{future::Future, pin::pin, task::Poll};

use bencher_analysis::change_point::{Options, change_points};
use bencher_api::change_point;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    change_points::{commit, hour, look, near, perf_of},
    filing::{PROJECT, run, shop, text},
    setup::TestUser,
    support::{TestServer, at_rest_on_each_database},
};

const CASES: usize = 6;

#[derive(Clone, Debug)]
enum Op {
    /// New commits, around a level.
    Append {
        level: f64,
        count: usize,
    },
    /// A commit of before is measured again, later or earlier in the day.
    Again {
        of: prop::sample::Index,
        level: f64,
        later: bool,
    },
    Delete(prop::sample::Index),
    Look,
    /// The task that looks is killed after a while.
    Killed {
        polls: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let level = prop::sample::select(vec![100.0, 110.0, 95.0]);
    prop_oneof![
        4 => (level.clone(), 6..14_usize).prop_map(|(level, count)| Op::Append { level, count }),
        2 => (any::<prop::sample::Index>(), level, any::<bool>()).prop_map(|(of, level, later)| Op::Again { of, level, later }),
        2 => any::<prop::sample::Index>().prop_map(Op::Delete),
        1 => Just(Op::Look),
        2 => (0..60_usize).prop_map(|polls| Op::Killed { polls }),
    ]
}

/// Runs a task for a while only.
async fn abandoned(task: impl Future, polls: usize) {
    let mut task = pin!(task);
    for _ in 0..polls {
        let poll = std::future::poll_fn(|context| Poll::Ready(task.as_mut().poll(context).is_ready()));
        if poll.await {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// What was filed of one benchmark.
struct Series<'a> {
    server: &'a TestServer,
    user: &'a TestUser,
    benchmark: String,
    commits: usize,
    reports: Vec<(usize, Value)>,
}

impl Series<'_> {
    async fn file(&mut self, number: usize, time: String, level: f64) {
        let results = json!({ (self.benchmark.clone()): { "latency": { "value": near(level, self.reports.len()) } } });
        let more = json!({ "branch": self.benchmark, "hash": commit(number), "start_time": time, "end_time": time });
        let report = self.server.create("/v0/run", self.user, run(&[results], more)).await;
        self.reports.push((number, report));
    }

    async fn apply(&mut self, op: Op) {
        match op {
            Op::Append { level, count } => {
                for _ in 0..count {
                    let number = self.commits;
                    self.commits += 1;
                    self.file(number, hour(number), level).await;
                }
            }
            Op::Again { of, level, later } if !self.reports.is_empty() => {
                let number = of.get(&self.reports).0;
                let minute = if later { 1 + self.reports.len() % 59 } else { 0 };
                let time = hour(number).replace(":00:00Z", &format!(":{minute:02}:{:02}Z", 1 + self.reports.len() % 59));
                self.file(number, time, level).await;
            }
            Op::Delete(of) if !self.reports.is_empty() => {
                let (_, report) = self.reports.remove(of.index(self.reports.len()));
                let path = format!("{PROJECT}/reports/{}", text(&report, "uuid"));
                assert!(self.server.delete(&path, self.user).await.0.is_success());
            }
            Op::Again { .. } | Op::Delete(_) => {}
            Op::Look => look(self.server).await,
            Op::Killed { polls } => abandoned(change_point::look(&self.server.app), polls).await,
        }
    }

    /// What the pure function finds in the series as it is served.
    async fn expected(&self) -> Vec<(String, [f64; 5])> {
        let Some((_, last)) = self.reports.last() else { return Vec::new() };
        let perf = self.server.found(&format!("{PROJECT}/perf{}", perf_of(last)), self.user).await;
        let points = perf["results"][0]["metrics"].as_array().unwrap();
        let values: Vec<f64> = points.iter().map(|point| point["metric"]["value"].as_f64().unwrap()).collect();
        let of = |point: &bencher_analysis::change_point::ChangePoint| {
            let (before, after) = (point.before, point.after);
            (text(&points[point.index], "report"), [before.mean, before.deviation, after.mean, after.deviation, point.p_value])
        };
        let mut expected: Vec<_> = change_points(&values, &Options::default()).iter().map(of).collect();
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        expected
    }

    async fn stored(&self) -> Vec<(String, [f64; 5])> {
        let path = format!("{PROJECT}/change-points?benchmark={}&per_page=255", self.benchmark);
        let found = self.server.found(&path, self.user).await;
        let number = |value: &Value| value.as_f64().unwrap();
        let of = |point: &Value| {
            let (before, after) = (&point["shift"]["before"], &point["shift"]["after"]);
            let numbers =
                [&before["mean"], &before["deviation"], &after["mean"], &after["deviation"], &point["shift"]["p_value"]];
            (text(point, "report"), numbers.map(number))
        };
        let mut stored: Vec<_> = found.as_array().unwrap().iter().map(of).collect();
        stored.sort_by(|one, other| one.0.cmp(&other.0));
        stored
    }
}

#[tokio::test]
async fn stored_change_points_are_those_of_the_series_whatever_happened_before() {
    at_rest_on_each_database(async |server| {
        let user = shop(&server).await;
        let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), seed);
        let mut found = 0;
        for case in 0..CASES {
            let ops = prop::collection::vec(op(), 8..16).new_tree(&mut runner).unwrap().current();
            let benchmark = format!("case-{case}");
            let mut series = Series { server: &server, user: &user, benchmark, commits: 0, reports: Vec::new() };
            for op in ops.clone() {
                series.apply(op).await;
            }
            look(&server).await;
            let expected = series.expected().await;
            assert_eq!(series.stored().await, expected, "{ops:#?}");
            found += expected.len();
        }
        assert!(found >= 3, "only {found} change points: the series say little");
    })
    .await;
}
