//! Patterns for the names of files: `*` for any characters, `?` for one, `[a-z]` and `[!a-z]` for one of a set, `\` before
//! a character for itself. A pattern is matched name by name, so none of them stands for a slash.
//!
//! Guest and host look for files in the same way, each in its own tree. Names are bytes. What is UTF-8 in them counts by characters, every other byte as one.

/// Whether a path has anything in it that could make it a pattern.
#[must_use]
pub fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether a name matches. As in shells, a name with a dot in front is only matched by a pattern with one.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
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

/// The paths that a pattern may stand for, folder by folder, in the order of the bytes. `names` lists what is in the folder of a path;
/// what is no folder, or cannot be read, has nothing in it that matches.
pub fn expand(path: &[u8], mut names: impl FnMut(&[u8]) -> Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let start: &[u8] = if path.starts_with(b"/") { b"/" } else { b"" };
    let mut prefixes = vec![start.to_vec()];
    for component in components(path) {
        let mut longer = Vec::new();
        for prefix in prefixes {
            if is_pattern(component) {
                let names = names(&prefix);
                longer.extend(names.iter().filter(|name| matches(component, name)).map(|name| joined(&prefix, name)));
            } else {
                longer.push(joined(&prefix, component));
            }
        }
        prefixes = longer;
    }
    prefixes.sort();
    prefixes
}

/// Whether a path is one that a pattern stands for, or is the pattern itself, letter by letter.
#[must_use]
pub fn stands_for(pattern: &[u8], path: &[u8]) -> bool {
    let fits = |(pattern, name)| pattern == name || (is_pattern(pattern) && matches(pattern, name));
    pattern == path
        || (pattern.starts_with(b"/") == path.starts_with(b"/")
            && components(pattern).count() == components(path).count()
            && components(pattern).zip(components(path)).all(fits))
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|component| !component.is_empty())
}

fn joined(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if prefix.is_empty() || prefix.ends_with(b"/") { b"" } else { b"/" };
    [prefix, slash, name].concat()
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
