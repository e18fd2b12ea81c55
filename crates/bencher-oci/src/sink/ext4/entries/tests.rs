use super::{BLOCK, Entry, Packed, ROOT_LIST, write};
use crate::sink::ext4::hash::NameHash;

/// Packs names of 255 bytes, of which fifteen fit a block, with these hashes, and writes the folder.
fn blocks(hashes: &[u32]) -> Vec<Vec<u8>> {
    let names: Vec<Vec<u8>> = (0..hashes.len()).map(|n| format!("{n:0255}").into_bytes()).collect();
    let entries: Vec<_> = names.iter().map(|name| Entry { name, inode: 100, kind: 1 }).collect();
    let order = hashes.iter().zip(0_u32..).map(|(major, n)| (NameHash { major: *major, minor: n }, n)).collect();
    let packed = Packed::indexed(order, &vec![264; hashes.len()]).unwrap();
    let mut blocks = Vec::new();
    write::<()>(&packed, &entries, 12, 2, |block| {
        blocks.push(block.to_vec());
        Ok(())
    })
    .unwrap();
    assert_eq!(blocks.len(), packed.blocks());
    assert!(blocks.iter().all(|block| block.len() == BLOCK));
    blocks
}

fn word(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(block[at..at + 4].try_into().unwrap())
}

#[test]
fn a_hash_that_goes_on_in_the_next_leaf_is_marked() {
    // Ten names, then twenty of one hash: five of them in the first leaf, the rest in the second.
    let hashes: Vec<u32> = (0..10).map(|n| n * 2).chain([100; 20]).chain([200, 202]).collect();
    let blocks = blocks(&hashes);
    let root = &blocks[0];
    assert_eq!(word(root, ROOT_LIST), 508 | 3 << 16);
    assert_eq!(word(root, ROOT_LIST + 8), 101, "the second leaf begins with a hash of the first");
    assert_eq!(word(root, ROOT_LIST + 16), 200, "the third does not");
}

#[test]
fn the_index_gets_a_second_level_when_its_root_is_full() {
    let hashes = |leaves: u32| (0..leaves * 15).map(|n| n * 2).collect::<Vec<_>>();
    let full = blocks(&hashes(508));
    assert_eq!((full.len(), full[0][30]), (509, 0));
    let over = blocks(&hashes(509));
    assert_eq!((over.len(), over[0][30]), (511, 1));
    // A node of 511 leaves holds all but none of these; its first pointer leads to the first leaf.
    assert_eq!((word(&over[1], 8), word(&over[1], 12)), (511 | 509 << 16, 2));
}
