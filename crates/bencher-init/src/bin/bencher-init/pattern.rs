//! Patterns for the names of files: `*` for any characters, `?` for one, `[a-z]` and `[!a-z]` for one of a set, `\` before
//! a character for itself. A pattern is matched name by name, so none of them stands for a slash.
//!
//! Names are bytes. What is UTF-8 in them counts by characters, every other byte as one.

/// Whether a path has anything in it that could make it a pattern.
pub(crate) fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether a name matches. As in shells, a name with a dot in front is only matched by a pattern with one.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") && !pattern.starts_with(br"\.") {
        return false;
    }
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on if what follows the last `*` does not match: that `*` then takes one character more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            retry = Some((rest, name));
            pattern = rest;
            continue;
        }
        if pattern.is_empty() && name.is_empty() {
            return true;
        }
        if let Some((rest_of_pattern, rest_of_name)) = one(pattern, name) {
            (pattern, name) = (rest_of_pattern, rest_of_name);
            continue;
        }
        let Some((after_star, taken)) = retry else { return false };
        let Some((_, rest)) = character(taken) else { return false };
        retry = Some((after_star, rest));
        (pattern, name) = (after_star, rest);
    }
}

/// Matches one character, and gives what is left of both.
fn one<'p, 'n>(pattern: &'p [u8], name: &'n [u8]) -> Option<(&'p [u8], &'n [u8])> {
    let (expected, rest_of_pattern) = character(pattern)?;
    let (found, rest_of_name) = character(name)?;
    let rest_of_pattern = match expected {
        ANY => rest_of_pattern,
        // A bracket without its partner is one like any other character.
        OPEN => match set(rest_of_pattern, found) {
            Some((true, rest)) => rest,
            Some((false, _)) => return None,
            None => (found == OPEN).then_some(rest_of_pattern)?,
        },
        BACKSLASH => {
            let (escaped, rest) = character(rest_of_pattern).unwrap_or((BACKSLASH, rest_of_pattern));
            (found == escaped).then_some(rest)?
        }
        expected => (found == expected).then_some(rest_of_pattern)?,
    };
    Some((rest_of_pattern, rest_of_name))
}

/// A character of UTF-8, or a byte that is none, told apart by numbers no character has.
type Character = u32;

const ANY: Character = b'?' as Character;
const OPEN: Character = b'[' as Character;
const CLOSE: Character = b']' as Character;
const BACKSLASH: Character = b'\\' as Character;
const DASH: Character = b'-' as Character;
/// Added to a byte that is no UTF-8.
const LONE_BYTE: Character = 0x11_0000;

fn character(text: &[u8]) -> Option<(Character, &[u8])> {
    let first = *text.first()?;
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let whole = text.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    Some(match whole {
        Some(character) => (Character::from(character), &text[length..]),
        None => (LONE_BYTE + Character::from(first), &text[1..]),
    })
}

/// Whether a character is in the set that begins here, and what follows the set. `None` where it is never closed.
fn set(pattern: &[u8], found: Character) -> Option<(bool, &[u8])> {
    let (inverted, mut rest) = match pattern {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut member = false;
    let mut first = true;
    loop {
        let (from, after) = character(rest)?;
        // Right after the opening, a closing bracket is a member.
        if from == CLOSE && !first {
            return Some((member != inverted, after));
        }
        first = false;
        let (from, after) = if from == BACKSLASH { character(after)? } else { (from, after) };
        match character(after) {
            Some((DASH, after_dash)) if !after_dash.starts_with(b"]") => {
                let (to, after) = character(after_dash)?;
                let (to, after) = if to == BACKSLASH { character(after)? } else { (to, after) };
                member |= (from..=to).contains(&found);
                rest = after;
            }
            _ => {
                member |= from == found;
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests;
