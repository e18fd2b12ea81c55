//! The three kinds of work whose time is taken. Each does the same every time.

use std::{
    fs::File,
    hint::black_box,
    io::{self, Seek as _, Write as _},
    path::Path,
};

use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

/// Multiplications of one sample: about a millisecond.
const ARITHMETIC_STEPS: u64 = 500_000;
/// Larger than the caches of one core, so that the shared ones and the memory take part.
const MEMORY_BYTES: usize = 16 << 20;
/// Bytes from one line of memory to the next.
const LINE_BYTES: usize = 64;
/// Lines of one sample: about a millisecond.
const MEMORY_STEPS: usize = 20_000;
/// Bytes of one sample.
const WRITE_BYTES: usize = 4096;

/// A chain of multiplications, each of which waits for the one before.
#[derive(Debug, Default)]
pub(super) struct Arithmetic(u64);

impl Arithmetic {
    pub(super) fn run(&mut self) {
        let mut value = self.0 | 1;
        for step in 0..ARITHMETIC_STEPS {
            value = black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step));
        }
        self.0 = value;
    }
}

/// A walk through memory in an order that no prefetcher knows.
#[derive(Debug)]
pub(super) struct Memory {
    /// Where each line leads to. One element per line is used, the rest only fills it.
    next: Vec<[usize; LINE_BYTES / size_of::<usize>()]>,
    at: usize,
}

impl Memory {
    pub(super) fn new() -> Self {
        let lines = MEMORY_BYTES / LINE_BYTES;
        let mut order: Vec<usize> = (0..lines).collect();
        order.shuffle(&mut StdRng::seed_from_u64(0));
        let mut next = vec![[0; LINE_BYTES / size_of::<usize>()]; lines];
        for (place, line) in order.iter().enumerate() {
            next[*line][0] = order[(place + 1) % lines];
        }
        Self { next, at: 0 }
    }

    pub(super) fn run(&mut self) {
        for _ in 0..MEMORY_STEPS {
            self.at = black_box(self.next[self.at][0]);
        }
    }
}

/// Writes to a file without a name, which is gone when this is.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    bytes: [u8; WRITE_BYTES],
}

impl Disk {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)?, bytes: [0x5a; WRITE_BYTES] })
    }

    pub(super) fn run(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(&self.bytes)?;
        self.file.sync_data()
    }
}
