use std::{collections::BTreeMap, time::Duration};

use bencher_types::DateTime;
use proptest::{collection::vec, prelude::*};

use super::{Candidate, Lane, Rules, Share, choose, position};

const AGING: Duration = Duration::from_secs(60);

fn rules() -> Rules {
    Rules { aging: AGING, ..Rules::default() }
}

fn at(secs: i64) -> DateTime {
    DateTime::from_micros(secs * 1_000_000).unwrap()
}

fn share(id: i64) -> Share {
    Share { id, in_flight: 0, served: 0, max_jobs: None }
}

/// A job of an organization with one project.
fn candidate(job: i64, organization: i64) -> Candidate {
    Candidate {
        job,
        queued: at(job),
        front: None,
        priority: 100,
        organization: share(organization),
        project: share(organization),
    }
}

#[track_caller]
fn check(candidates: &[Candidate], now: DateTime, expected: Option<i64>) {
    let chosen = choose(candidates, &rules(), now).map(|index| candidates[index].job);
    assert_eq!(chosen, expected);
}

#[test]
fn the_higher_tier_comes_first_then_the_older_job() {
    let paying = Candidate { priority: 200, ..candidate(9, 2) };
    check(&[candidate(1, 1), paying], at(10), Some(9));
    check(&[candidate(2, 2), candidate(1, 1)], at(10), Some(1));
    check(&[], at(10), None);
}

#[test]
fn waiting_makes_up_for_a_lower_tier() {
    let paying = Candidate { priority: 300, ..candidate(119, 2) };
    check(&[candidate(1, 1), paying.clone()], at(120), Some(119));
    check(&[candidate(1, 1), paying], at(121), Some(1));
}

#[test]
fn waiting_for_ever_raises_nobody_above_the_highest_tier() {
    let served = Share { served: 7, ..share(1) };
    let old = Candidate { organization: served, priority: 300, ..candidate(1, 1) };
    check(&[old, Candidate { priority: 300, ..candidate(99_999, 2) }], at(100_000), Some(99_999));
}

#[test]
fn of_two_organizations_the_one_with_fewer_jobs_in_flight_comes_first_then_the_one_served_longest_ago() {
    let busy = Candidate { organization: Share { in_flight: 1, ..share(1) }, ..candidate(1, 1) };
    check(&[busy, candidate(2, 2)], at(10), Some(2));
    let served = Candidate { organization: Share { served: 5, ..share(1) }, ..candidate(1, 1) };
    let earlier = Candidate { organization: Share { served: 4, ..share(2) }, ..candidate(2, 2) };
    check(&[served, earlier], at(10), Some(2));
}

#[test]
fn the_projects_of_an_organization_share_what_it_gets() {
    let of = |job, project: Share| Candidate { project, ..candidate(job, 1) };
    let busy = Share { in_flight: 1, ..share(1) };
    check(&[of(1, busy), of(2, share(2))], at(10), Some(2));
}

#[test]
fn what_was_put_ahead_of_the_queue_comes_before_everything_else() {
    let ahead = |job, since| Candidate { front: Some(at(since)), priority: 0, ..candidate(job, 1) };
    let paying = Candidate { priority: 300, ..candidate(1, 2) };
    check(&[paying, ahead(8, 50), ahead(9, 40)], at(60), Some(9));
}

#[test]
fn nobody_gets_more_than_their_bound() {
    let full = Share { in_flight: 2, max_jobs: Some(2), ..share(1) };
    check(&[Candidate { organization: full, ..candidate(1, 1) }], at(10), None);
    check(&[Candidate { project: full, front: Some(at(1)), ..candidate(1, 1) }, candidate(2, 2)], at(10), Some(2));
}

#[test]
fn the_place_in_the_queue_counts_the_turns_of_others() {
    let lanes = || vec![Lane { head: candidate(1, 1), waiting: 5 }, Lane { head: candidate(2, 2), waiting: 1 }];
    assert_eq!(position(lanes(), 0, 0, &rules(), at(10)), Some(1));
    assert_eq!(position(lanes(), 1, 0, &rules(), at(10)), Some(2));
    assert_eq!(position(lanes(), 0, 1, &rules(), at(10)), Some(3), "the other organization had its turn between");
    assert_eq!(position(lanes(), 0, 4, &rules(), at(10)), Some(6));
    let far = vec![Lane { head: candidate(1, 1), waiting: 100_000 }];
    assert_eq!(position(far, 0, 50_000, &rules(), at(10)), None);
}

/// An organization of a world: its tier's priority, and how many jobs it keeps waiting.
#[derive(Clone, Copy, Debug)]
struct Customer {
    priority: i64,
    in_flight: i64,
    served: i64,
}

proptest! {
    /// Every organization keeps asking for more, whatever runners come and jobs end: each waits for at most one job of each other.
    #[test]
    fn every_organization_waits_for_at_most_one_job_of_each_other(
        priorities in vec(prop::sample::select(vec![0_i64, 100, 200, 300]), 1..8),
        steps in vec((any::<bool>(), 0_usize..8), 1..300),
    ) {
        // All have waited long enough to be of the highest level.
        let now = at(1_000_000);
        let mut customers: BTreeMap<i64, Customer> = (1..)
            .zip(priorities)
            .map(|(id, priority)| (id, Customer { priority, in_flight: 0, served: 0 }))
            .collect();
        // For each organization without a job in flight: how often each other one was served since.
        let mut passed: BTreeMap<(i64, i64), u32> = BTreeMap::new();
        let mut turn = 0;
        for (claims, whose) in steps {
            if !claims {
                // One of the jobs in flight ends.
                let busy: Vec<i64> = customers.iter().filter(|(_, customer)| customer.in_flight > 0).map(|(id, _)| *id).collect();
                if let Some(id) = busy.get(whose % busy.len().max(1)) {
                    let customer = customers.get_mut(id).unwrap();
                    customer.in_flight -= 1;
                    passed.retain(|(waiting, _), _| waiting != id);
                }
                continue;
            }
            let candidates: Vec<Candidate> = customers
                .iter()
                .map(|(id, customer)| {
                    let organization = Share { in_flight: customer.in_flight, served: customer.served, ..share(*id) };
                    Candidate { priority: customer.priority, organization, ..candidate(*id, *id) }
                })
                .collect();
            let chosen = candidates[choose(&candidates, &rules(), now).unwrap()].job;
            turn += 1;
            for (id, customer) in &mut customers {
                if *id == chosen {
                    customer.in_flight += 1;
                    customer.served = turn;
                } else if customer.in_flight == 0 {
                    let times = passed.entry((*id, chosen)).or_default();
                    *times += 1;
                    prop_assert!(*times <= 1, "{id} waits, and {chosen} is served {times} times before it");
                }
            }
            passed.retain(|(waiting, _), _| *waiting != chosen);
        }
    }

    /// A job of the lowest priority is served although a higher tier never stops asking.
    #[test]
    fn aging_bounds_the_wait_across_tiers(others in 1_i64..6, claims_per_minute in 1_i64..20) {
        let mut served: BTreeMap<i64, i64> = BTreeMap::new();
        let most = 3 * claims_per_minute + others + 1;
        for claim in 1..=most {
            let now = at(claim * 60 / claims_per_minute);
            let mut candidates = vec![Candidate { priority: 0, queued: at(0), ..candidate(0, 0) }];
            for id in 1..=others {
                // A new one comes whenever one is served.
                let organization = Share { served: served.get(&id).copied().unwrap_or(0), ..share(id) };
                candidates.push(Candidate { priority: 300, queued: now, organization, ..candidate(id, id) });
            }
            let chosen = candidates[choose(&candidates, &rules(), now).unwrap()].job;
            if chosen == 0 {
                return Ok(());
            }
            served.insert(chosen, claim);
        }
        prop_assert!(false, "not served within {most} claims");
    }
}
