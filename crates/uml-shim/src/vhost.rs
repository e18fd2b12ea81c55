//! The conversation between the kernel, which uses a vhost-user device, and the process that is the device.
//!
//! A message is a header (request, flags, size of the payload: three numbers of 32 bits) and its payload. Two things go
//! wrong between this kernel and devices made with rust-vmm:
//!
//! - the kernel announces its memory table with room for two regions whatever their number; the device wants the exact size;
//! - the kernel sets its interrupt up only for devices that may send requests of their own. One that does not is described
//!   to the kernel as if it did, and the channel for such requests is never handed over.

use std::{
    ffi::c_int,
    sync::atomic::{AtomicU8, Ordering},
};

const HEADER: usize = 12;
const FLAG_VERSION_MASK: u32 = 0x3;
const FLAG_VERSION: u32 = 0x1;
const FLAG_REPLY: u32 = 0x4;
const FLAG_NEED_REPLY: u32 = 0x8;

const SET_MEM_TABLE: u32 = 5;
const GET_PROTOCOL_FEATURES: u32 = 15;
const SET_PROTOCOL_FEATURES: u32 = 16;
const SET_BACKEND_REQ_FD: u32 = 21;

/// The feature of devices that send requests.
const BACKEND_REQ: u64 = 1 << 5;
/// The number of regions and a padding, then one region.
const ONE_REGION: u32 = 8 + 32;
const TWO_REGIONS: u32 = 8 + 2 * 32;
/// The longest message that is ever changed.
const LONGEST: usize = HEADER + TWO_REGIONS as usize;

/// Descriptors above are files that a guest's kernel opened later; its devices come first.
const DESCRIPTORS: usize = 256;

const FEATURES_ASKED: u8 = 1;
const FEATURES_ANNOUNCED: u8 = 2;
const FAKED: u8 = 4;

/// Where the conversation on a descriptor stands.
static STATE: [AtomicU8; DESCRIPTORS] = [const { AtomicU8::new(0) }; DESCRIPTORS];
/// How many bytes of an acknowledgement are still to be read by the kernel, for a message that the device never got.
static OWED: [AtomicU8; DESCRIPTORS] = [const { AtomicU8::new(0) }; DESCRIPTORS];

const ACKNOWLEDGEMENT_LENGTH: u8 = 20;
const ACKNOWLEDGEMENT: [u8; ACKNOWLEDGEMENT_LENGTH as usize] = acknowledgement();

const fn acknowledgement() -> [u8; ACKNOWLEDGEMENT_LENGTH as usize] {
    let mut message = [0; ACKNOWLEDGEMENT_LENGTH as usize];
    // Little-endian, as everything that this runs on: the reply to the request, with a payload of eight zeros.
    message[0] = SET_BACKEND_REQ_FD.to_le_bytes()[0];
    message[4] = (FLAG_VERSION | FLAG_REPLY).to_le_bytes()[0];
    message[8] = 8;
    message
}

/// What is to be done with a message of the kernel's.
pub(crate) enum Sent {
    Unchanged,
    Instead(Changed),
    Swallowed,
}

pub(crate) struct Changed {
    pub(crate) bytes: [u8; LONGEST],
    pub(crate) length: usize,
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn state(fd: c_int) -> Option<(&'static AtomicU8, &'static AtomicU8)> {
    let index = usize::try_from(fd).ok()?;
    Some((STATE.get(index)?, OWED.get(index)?))
}

/// Whether what is read from a descriptor must be looked at.
pub(crate) fn watches(fd: c_int) -> bool {
    state(fd).is_some_and(|(state, owed)| {
        state.load(Ordering::Relaxed) & (FEATURES_ASKED | FEATURES_ANNOUNCED) != 0 || owed.load(Ordering::Relaxed) != 0
    })
}

/// Looks at one message of the kernel's. Anything that is no request of the protocol is unchanged.
pub(crate) fn sent(fd: c_int, message: &[u8]) -> Sent {
    let header = (number(message, 0), number(message, 4), number(message, 8));
    let (Some(request), Some(flags), Some(size)) = header else { return Sent::Unchanged };
    let whole = usize::try_from(size).is_ok_and(|size| message.len() == HEADER + size);
    let Some((state, owed)) = state(fd) else { return Sent::Unchanged };
    if !whole || flags & FLAG_VERSION_MASK != FLAG_VERSION || flags & FLAG_REPLY != 0 {
        return Sent::Unchanged;
    }
    let faked = state.load(Ordering::Relaxed) & FAKED != 0;
    match request {
        SET_MEM_TABLE if size == TWO_REGIONS && number(message, HEADER) == Some(1) => {
            let mut changed = Changed { bytes: [0; LONGEST], length: HEADER + ONE_REGION as usize };
            changed.bytes[..changed.length].copy_from_slice(&message[..changed.length]);
            changed.bytes[8..HEADER].copy_from_slice(&ONE_REGION.to_ne_bytes());
            Sent::Instead(changed)
        }
        GET_PROTOCOL_FEATURES => {
            state.store(FEATURES_ASKED, Ordering::Relaxed);
            Sent::Unchanged
        }
        SET_PROTOCOL_FEATURES if faked && size == 8 => {
            let mut changed = Changed { bytes: [0; LONGEST], length: HEADER + 8 };
            changed.bytes[..changed.length].copy_from_slice(message);
            change_features(&mut changed.bytes[HEADER..HEADER + 8], |features| features & !BACKEND_REQ);
            Sent::Instead(changed)
        }
        SET_BACKEND_REQ_FD if faked => {
            if flags & FLAG_NEED_REPLY != 0 {
                owed.store(ACKNOWLEDGEMENT_LENGTH, Ordering::Relaxed);
            }
            Sent::Swallowed
        }
        _ => Sent::Unchanged,
    }
}

/// What the kernel reads instead of what the device sends; none where it must wait for the device.
pub(crate) fn answer(fd: c_int, into: &mut [u8]) -> Option<usize> {
    let (_, owed) = state(fd)?;
    let left = usize::from(owed.load(Ordering::Relaxed));
    if left == 0 {
        return None;
    }
    let from = ACKNOWLEDGEMENT.len() - left;
    let length = left.min(into.len());
    into[..length].copy_from_slice(&ACKNOWLEDGEMENT[from..from + length]);
    // What is left is less than the acknowledgement, whose length fits.
    owed.store(u8::try_from(left - length).unwrap_or(0), Ordering::Relaxed);
    Some(length)
}

/// Looks at what the device sent, header and payload apart, as the kernel reads them.
pub(crate) fn received(fd: c_int, bytes: &mut [u8]) {
    let Some((state, _)) = state(fd) else { return };
    let before = state.load(Ordering::Relaxed);
    if before & FEATURES_ASKED != 0 && bytes.len() == HEADER && number(bytes, 0) == Some(GET_PROTOCOL_FEATURES) {
        state.store(FEATURES_ANNOUNCED, Ordering::Relaxed);
    } else if before & FEATURES_ANNOUNCED != 0 && bytes.len() == 8 {
        let mut offered = false;
        change_features(bytes, |features| {
            offered = features & BACKEND_REQ != 0;
            features | BACKEND_REQ
        });
        state.store(if offered { 0 } else { FAKED }, Ordering::Relaxed);
    }
}

fn change_features(bytes: &mut [u8], change: impl FnOnce(u64) -> u64) {
    if let Ok(features) = <[u8; 8]>::try_from(&*bytes) {
        bytes.copy_from_slice(&change(u64::from_ne_bytes(features)).to_ne_bytes());
    }
}

#[cfg(test)]
mod tests;
