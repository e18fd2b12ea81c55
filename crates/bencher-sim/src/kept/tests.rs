use super::SEEDS;
use crate::{model::Model, scales, world::World};

#[test]
fn worlds_that_once_went_wrong_hold() {
    for seed in SEEDS {
        let outcome = World::new(*seed, scales::of(*seed), Model::default()).run();
        assert!(
            outcome.violation.is_none(),
            "seed {seed}: {:?}; `cargo xtask simulate --seed {seed}` shows it",
            outcome.violation
        );
    }
}
