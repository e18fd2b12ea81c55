//! A moving line for each layer that is under way, and one for all of them, on a terminal only.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bencher_oci::{Progress, ProgressEvent};
use bencher_types::Digest;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Out;

/// How much of a digest tells layers apart.
const SHOWN_HEX: usize = 12;

pub(super) struct Transfers {
    bars: MultiProgress,
    state: Mutex<State>,
}

struct State {
    all: ProgressBar,
    layers: HashMap<Digest, Layer>,
}

struct Layer {
    bar: Option<ProgressBar>,
    done: u64,
    total: u64,
}

impl Transfers {
    pub(super) fn new(out: Out) -> Self {
        let target = if out.stderr_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let all = bars.add(ProgressBar::new(0));
        // Short enough for a terminal of 40 columns: only the bar gives way.
        style(&all, "{prefix:12} {wide_bar} {percent}% {bytes_per_sec}");
        all.set_prefix("all layers");
        Self { bars, state: Mutex::new(State { all, layers: HashMap::new() }) }
    }

    /// Takes the lines away: what is said next stands alone.
    pub(super) fn end(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.layers.values().filter_map(|layer| layer.bar.as_ref()).for_each(ProgressBar::finish_and_clear);
        state.all.finish_and_clear();
        let _ = self.bars.clear();
    }
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

impl Progress for Transfers {
    fn on(&self, event: ProgressEvent<'_>) {
        let (digest, done, total) = match event {
            ProgressEvent::Uploading { digest, done, total }
            | ProgressEvent::Downloading { digest, done, total }
            | ProgressEvent::Copying { digest, done, total } => (digest, done, total),
            ProgressEvent::Present { digest, total } => (digest, total, total),
            _ => return,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { all, layers } = &mut *state;
        let layer = layers.entry(digest.clone()).or_insert_with(|| Layer { bar: None, done: 0, total });
        layer.done = done;
        if done < layer.total {
            let bar = layer.bar.get_or_insert_with(|| {
                let bar = self.bars.insert_before(all, ProgressBar::new(total));
                style(&bar, "{prefix:12} {wide_bar} {bytes}/{total_bytes}");
                bar.set_prefix(digest.hex().chars().take(SHOWN_HEX).collect::<String>());
                bar
            });
            bar.set_position(done);
        } else if let Some(bar) = layer.bar.take() {
            // The lines are for what is still to come.
            bar.finish_and_clear();
        }
        all.set_length(layers.values().map(|layer| layer.total).sum());
        all.set_position(layers.values().map(|layer| layer.done).sum());
    }
}
