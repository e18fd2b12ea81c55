//! Layers applied to the tree, lowest first. Every path is resolved inside the tree: a symbolic link on the way is followed
//! as the kernel would follow it with this tree as the root, and `..` at the root stays there.

use std::collections::BTreeMap;

use super::{
    Exceeded, Problem, Refused,
    layer::{Addition, Scan, What},
    printable,
    tree::{Inode, InodeId, Kind, Meta, Summary, Tree},
};
use crate::limits::{Limits, MAX_SYMLINKS};

pub(super) struct Merger<'a> {
    inodes: Vec<Inode>,
    limits: &'a Limits,
}

/// A folder on the way to a path, and the length of its own path.
#[derive(Clone, Copy)]
struct Step {
    id: InodeId,
    path_len: usize,
}

/// What to do about folders that are missing on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    GiveUp,
}

impl<'a> Merger<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        let root = Inode { meta: Meta::implied_folder(), kind: Kind::Folder(BTreeMap::new()), links: 1 };
        Self { inodes: vec![root], limits }
    }

    /// Applies one layer: what it hides of the layers below first, wherever in the archive that was said.
    pub(super) fn apply(&mut self, scan: Scan) -> Result<(), Refused> {
        for path in &scan.opaques {
            self.clear(path).map_err(|problem| Refused::entry(path, problem))?;
        }
        for path in &scan.whiteouts {
            self.hide(path).map_err(|problem| Refused::entry(path, problem))?;
        }
        for Addition { path, what } in scan.additions {
            self.add(&path, what).map_err(|problem| Refused::Entry(path, problem))?;
        }
        Ok(())
    }

    fn clear(&mut self, folder: &[u8]) -> Result<(), Problem> {
        let components = components(folder, self.limits)?;
        // There may be nothing below to hide.
        let Some(steps) = self.resolve(&components, Missing::GiveUp)? else { return Ok(()) };
        let children = self.children(last(&steps)).map(std::mem::take).unwrap_or_default();
        self.unlink_all(children.into_values().collect());
        Ok(())
    }

    fn hide(&mut self, path: &[u8]) -> Result<(), Problem> {
        let components = components(path, self.limits)?;
        let Some((name, folder)) = components.split_last() else { return Ok(()) };
        if let Some(steps) = self.resolve(folder, Missing::GiveUp)? {
            self.remove(last(&steps), name);
        }
        Ok(())
    }

    fn add(&mut self, path: &[u8], what: What) -> Result<(), Problem> {
        let components = components(path, self.limits)?;
        let Some((name, folder)) = components.split_last() else {
            let What::Folder(meta) = what else { return Err(Problem::RootNotFolder) };
            self.inodes[0].meta = meta;
            return Ok(());
        };
        // Found before anything is replaced: the name may be the link's own.
        let link_target = match &what {
            What::HardLink(target) => Some(self.link_target(target)?),
            _ => None,
        };
        let steps = self.resolve(folder, Missing::Create)?.ok_or_else(|| Problem::NotAFolder(printable(path)))?;
        let parent = steps.last().copied().unwrap_or(Step { id: Tree::ROOT, path_len: 0 });
        if parent.path_len + 1 + name.len() > self.limits.path_bytes {
            return Err(Exceeded::Path(self.limits.path_bytes).into());
        }
        let existing = self.child(parent.id, name);
        if let What::Folder(meta) = what {
            return self.add_folder(parent.id, name, existing, steps.len(), meta);
        }
        if let Some(target) = link_target {
            if existing != Some(target) {
                // Counted first: what is replaced may be a folder that holds the target.
                self.inodes[target.0 as usize].links += 1;
                self.remove(parent.id, name);
                self.link(parent.id, name, target);
            }
            return Ok(());
        }
        self.remove(parent.id, name);
        let (meta, kind) = match what {
            What::File(meta, content) => (meta, Kind::File(content)),
            What::Symlink(meta, target) => (meta, Kind::Symlink(target)),
            What::CharDevice(meta, major, minor) => (meta, Kind::CharDevice { major, minor }),
            What::BlockDevice(meta, major, minor) => (meta, Kind::BlockDevice { major, minor }),
            What::Fifo(meta) => (meta, Kind::Fifo),
            What::Folder(_) | What::HardLink(_) => return Ok(()),
        };
        self.insert(parent.id, name, meta, kind)?;
        Ok(())
    }

    /// A folder on a folder changes its attributes; on anything else it takes its place.
    fn add_folder(
        &mut self,
        parent: InodeId,
        name: &[u8],
        existing: Option<InodeId>,
        depth: usize,
        meta: Meta,
    ) -> Result<(), Problem> {
        if depth > self.limits.depth {
            return Err(Exceeded::Depth(self.limits.depth).into());
        }
        match existing.map(|id| &mut self.inodes[id.0 as usize]) {
            Some(Inode { kind: Kind::Folder(_), meta: old, .. }) => *old = meta,
            _ => {
                self.remove(parent, name);
                self.insert(parent, name, meta, Kind::Folder(BTreeMap::new()))?;
            }
        }
        Ok(())
    }

    fn link_target(&mut self, target: &[u8]) -> Result<InodeId, Problem> {
        let components = components(target, self.limits)?;
        let missing = || Problem::LinkTargetMissing(printable(target));
        let (name, folder) = components.split_last().ok_or_else(|| Problem::LinkToFolder(printable(target)))?;
        let steps = self.resolve(folder, Missing::GiveUp)?.ok_or_else(missing)?;
        let id = self.child(last(&steps), name).ok_or_else(missing)?;
        match self.inodes[id.0 as usize].kind {
            Kind::Folder(_) => Err(Problem::LinkToFolder(printable(target))),
            _ => Ok(id),
        }
    }

    /// The folders from the root to where a path leads. `None` where one is missing and shall not be created, or where
    /// something else is in its place and nothing shall be done about it.
    fn resolve(&mut self, path: &[&[u8]], missing: Missing) -> Result<Option<Vec<Step>>, Problem> {
        let root = Step { id: Tree::ROOT, path_len: 0 };
        let mut steps = vec![root];
        let mut ahead: Vec<Box<[u8]>> = path.iter().rev().map(|name| Box::from(*name)).collect();
        let mut followed = 0;
        while let Some(name) = ahead.pop() {
            if *name == *b".." {
                steps.truncate(steps.len().saturating_sub(1).max(1));
                continue;
            }
            let here = steps.last().copied().unwrap_or(root);
            let id = match self.child(here.id, &name) {
                Some(id) => id,
                None if missing == Missing::GiveUp => return Ok(None),
                None => self.insert(here.id, &name, Meta::implied_folder(), Kind::Folder(BTreeMap::new()))?,
            };
            match &self.inodes[id.0 as usize].kind {
                Kind::Folder(_) => steps.push(Step { id, path_len: here.path_len + 1 + name.len() }),
                Kind::Symlink(target) => {
                    followed += 1;
                    if followed > MAX_SYMLINKS {
                        return Err(Problem::SymlinkLoop(MAX_SYMLINKS));
                    }
                    if target.starts_with(b"/") {
                        steps.truncate(1);
                    }
                    ahead.extend(target.split(|b| *b == b'/').rev().filter(|n| !matches!(*n, b"" | b".")).map(Box::from));
                }
                _ if missing == Missing::GiveUp => return Ok(None),
                _ => return Err(Problem::NotAFolder(printable(&name))),
            }
            self.check_place(&steps, &name)?;
        }
        Ok(Some(steps))
    }

    /// Links can lead deeper than any one path; the result is what is bounded.
    fn check_place(&self, steps: &[Step], name: &[u8]) -> Result<(), Problem> {
        if steps.len() - 1 > self.limits.depth {
            return Err(Exceeded::Depth(self.limits.depth).into());
        }
        if name.len() > self.limits.name_bytes {
            return Err(Exceeded::Name(self.limits.name_bytes).into());
        }
        if steps.last().is_some_and(|step| step.path_len > self.limits.path_bytes) {
            return Err(Exceeded::Path(self.limits.path_bytes).into());
        }
        Ok(())
    }

    fn child(&self, folder: InodeId, name: &[u8]) -> Option<InodeId> {
        match &self.inodes[folder.0 as usize].kind {
            Kind::Folder(children) => children.get(name).copied(),
            _ => None,
        }
    }

    fn children(&mut self, folder: InodeId) -> Option<&mut BTreeMap<Box<[u8]>, InodeId>> {
        match &mut self.inodes[folder.0 as usize].kind {
            Kind::Folder(children) => Some(children),
            _ => None,
        }
    }

    /// Gives an inode a name. `folder` was resolved as one.
    fn link(&mut self, folder: InodeId, name: &[u8], id: InodeId) {
        if let Some(children) = self.children(folder) {
            children.insert(name.into(), id);
        }
    }

    fn insert(&mut self, folder: InodeId, name: &[u8], meta: Meta, kind: Kind) -> Result<InodeId, Problem> {
        // Folders that no layer describes count, too, or a few long paths could make millions.
        let limit = self.limits.entries;
        let id = u32::try_from(self.inodes.len()).ok().filter(|id| u64::from(*id) <= limit).ok_or(Exceeded::Entries(limit))?;
        let id = InodeId(id);
        self.inodes.push(Inode { meta, kind, links: 1 });
        self.link(folder, name, id);
        Ok(id)
    }

    fn remove(&mut self, folder: InodeId, name: &[u8]) {
        if let Some(id) = self.children(folder).and_then(|children| children.remove(name)) {
            self.unlink_all(vec![id]);
        }
    }

    /// Takes one name each from inodes, and from all that was below those that had no other.
    fn unlink_all(&mut self, mut names: Vec<InodeId>) {
        while let Some(id) = names.pop() {
            let inode = &mut self.inodes[id.0 as usize];
            inode.links -= 1;
            if inode.links == 0 {
                // The slot stays, empty, so that other ids keep their meaning.
                let kind = std::mem::replace(&mut inode.kind, Kind::Fifo);
                inode.meta.xattrs = BTreeMap::new();
                if let Kind::Folder(children) = kind {
                    names.extend(children.into_values());
                }
            }
        }
    }

    /// Ends the changes and counts.
    pub(super) fn seal(self) -> Tree {
        let mut summary = Summary::default();
        for inode in self.inodes.iter().filter(|inode| inode.links > 0) {
            summary.names += u64::from(inode.links);
            match &inode.kind {
                Kind::Folder(_) => summary.folders += 1,
                Kind::Symlink(_) => summary.symlinks += 1,
                Kind::File(content) => {
                    summary.files += 1;
                    summary.stored_bytes += content.stored_bytes();
                    summary.apparent_bytes += content.size;
                }
                Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo => summary.special += 1,
            }
        }
        Tree { inodes: self.inodes, summary }
    }
}

fn last(steps: &[Step]) -> InodeId {
    steps.last().map_or(Tree::ROOT, |step| step.id)
}

/// The names of an archive's path. A leading slash means the image's root, as to every tool that reads layers.
fn components<'p>(path: &'p [u8], limits: &Limits) -> Result<Vec<&'p [u8]>, Problem> {
    let names: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
    if names.iter().any(|name| *name == b"..") {
        return Err(Problem::LeavesImage);
    }
    if names.iter().any(|name| name.len() > limits.name_bytes) {
        return Err(Exceeded::Name(limits.name_bytes).into());
    }
    if names.len() > limits.depth + 1 {
        return Err(Exceeded::Depth(limits.depth).into());
    }
    Ok(names)
}
