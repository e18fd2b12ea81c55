//! The hash by which a folder's index is ordered: half of an MD4 over the name, from a seed of the file system's own, bytes
//! taken as unsigned.

/// Where the index ends; no name may have this hash.
const END: u32 = 0xffff_fffe;

/// A name's place in the index. The lowest bit of the first is never set: the index uses it as a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameHash {
    pub(super) major: u32,
    pub(super) minor: u32,
}

pub(super) fn hash(name: &[u8], seed: &[u32; 4]) -> NameHash {
    let mut state = *seed;
    let mut rest = name;
    while !rest.is_empty() {
        transform(&mut state, &words(rest));
        rest = rest.get(32..).unwrap_or_default();
    }
    let major = state[1] & !1;
    NameHash { major: if major == END { END - 2 } else { major }, minor: state[2] }
}

/// The next 32 bytes of a name as words, filled up with its remaining length.
fn words(rest: &[u8]) -> [u32; 8] {
    // Names are 255 bytes at most, so the length fits a byte.
    let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
    let pad = length | length << 8;
    let pad = pad | pad << 16;
    let mut words = [pad; 8];
    for (word, bytes) in words.iter_mut().zip(rest.chunks(4)) {
        *word = bytes.iter().fold(pad, |word, byte| (word << 8).wrapping_add(u32::from(*byte)));
    }
    words
}

fn transform(state: &mut [u32; 4], input: &[u32; 8]) {
    /// Which word each step takes, by how much it rotates, and the round's constant.
    struct Round {
        words: [usize; 8],
        shifts: [u32; 4],
        constant: u32,
        mix: fn(u32, u32, u32) -> u32,
    }
    const ROUNDS: [Round; 3] = [
        Round { words: [0, 1, 2, 3, 4, 5, 6, 7], shifts: [3, 7, 11, 19], constant: 0, mix: |x, y, z| z ^ (x & (y ^ z)) },
        Round {
            words: [1, 3, 5, 7, 0, 2, 4, 6],
            shifts: [3, 5, 9, 13],
            constant: 0x5a82_7999,
            mix: |x, y, z| (x & y).wrapping_add((x ^ y) & z),
        },
        Round { words: [3, 7, 2, 6, 1, 5, 0, 4], shifts: [3, 9, 11, 15], constant: 0x6ed9_eba1, mix: |x, y, z| x ^ y ^ z },
    ];
    let [mut a, mut b, mut c, mut d] = *state;
    for round in &ROUNDS {
        for (step, word) in round.words.into_iter().enumerate() {
            let sum = a.wrapping_add((round.mix)(b, c, d)).wrapping_add(input[word]).wrapping_add(round.constant);
            // Each step changes the register after the one the last step changed, going backwards.
            (a, d, c, b) = (d, c, b, sum.rotate_left(round.shifts[step % 4]));
        }
    }
    for (register, value) in state.iter_mut().zip([a, b, c, d]) {
        *register = register.wrapping_add(value);
    }
}

#[cfg(test)]
mod tests;
