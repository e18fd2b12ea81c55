//! Merging random layers equals a naive model: a flat map from paths to what is there.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::support::{Layer, merge, render};

type Path = Vec<char>;

#[derive(Clone, Debug)]
enum Op {
    File(Path, u8),
    Dir(Path, u32),
    Symlink(Path),
    HardLink(Path, Path),
    Whiteout(Path),
    Opaque(Path),
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Dir(u32),
    Symlink(usize),
    /// Files know who they are, so that names of one can be told from equal files.
    File(u8, usize),
}

#[derive(Default)]
struct Model {
    nodes: BTreeMap<Path, Node>,
    next_file: usize,
}

impl Model {
    /// Whether every folder on the way is one, or nothing.
    fn way_is_free(&self, path: &[char]) -> bool {
        (1..path.len()).all(|end| matches!(self.nodes.get(&path[..end]), None | Some(Node::Dir(_))))
    }

    fn imply_folders(&mut self, path: &[char]) {
        for end in 1..path.len() {
            self.nodes.entry(path[..end].to_vec()).or_insert(Node::Dir(0o755));
        }
    }

    fn remove_below(&mut self, path: &[char]) {
        self.nodes.retain(|other, _| !(other.len() > path.len() && other.starts_with(path)));
    }

    fn put(&mut self, path: &Path, node: Node) {
        self.imply_folders(path);
        self.remove_below(path);
        self.nodes.insert(path.clone(), node);
    }

    /// Applies an operation if it is one a tool could have written; says whether it was.
    fn apply(&mut self, op: &Op) -> bool {
        match op {
            Op::Whiteout(path) | Op::Opaque(path) if !self.way_is_free(path) => return false,
            Op::Whiteout(path) => {
                self.remove_below(path);
                self.nodes.remove(path);
            }
            Op::Opaque(path) => match self.nodes.get(path) {
                Some(Node::Dir(_)) => self.remove_below(path),
                Some(_) => return false,
                None => {}
            },
            Op::File(path, _) | Op::Dir(path, _) | Op::Symlink(path) | Op::HardLink(path, _) if !self.way_is_free(path) => {
                return false;
            }
            Op::File(path, content) => {
                self.next_file += 1;
                self.put(path, Node::File(*content, self.next_file));
            }
            Op::Dir(path, mode) => {
                self.imply_folders(path);
                self.nodes.insert(path.clone(), Node::Dir(*mode));
            }
            Op::Symlink(path) => {
                self.next_file += 1;
                self.put(path, Node::Symlink(self.next_file));
            }
            Op::HardLink(path, target) => match self.nodes.get(target).cloned() {
                Some(Node::Dir(_)) | None => return false,
                _ if !self.way_is_free(target) => return false,
                Some(_) if path == target => {}
                Some(node) => self.put(path, node),
            },
        }
        true
    }

    fn render(&self) -> Vec<String> {
        let id = |node: &Node| match node {
            Node::File(_, id) | Node::Symlink(id) => Some(*id),
            Node::Dir(_) => None,
        };
        let mut shared = Vec::new();
        let mut lines = vec!["/ 755 dir".to_owned()];
        for (path, node) in &self.nodes {
            let path: String = path.iter().map(|name| format!("/{name}")).collect();
            let mut line = match node {
                Node::Dir(mode) => format!("{path} {mode:o} dir"),
                Node::File(content, _) => format!("{path} 644 file {:?}", content.to_string()),
                Node::Symlink(_) => format!("{path} 777 -> /nowhere"),
            };
            if let Some(id) = id(node)
                && self.nodes.values().filter(|other| *other == node).count() > 1
            {
                let number = shared.iter().position(|other| *other == id).unwrap_or_else(|| {
                    shared.push(id);
                    shared.len() - 1
                });
                line.push_str(&format!(" #{number}"));
            }
            lines.push(line);
        }
        lines
    }
}

fn path() -> impl Strategy<Value = Path> {
    prop::collection::vec(prop::sample::select(vec!['a', 'b', 'c']), 1..4)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (path(), any::<u8>()).prop_map(|(path, content)| Op::File(path, content)),
        3 => (path(), prop::sample::select(vec![0o700, 0o755])).prop_map(|(path, mode)| Op::Dir(path, mode)),
        1 => path().prop_map(Op::Symlink),
        2 => (path(), path()).prop_map(|(path, target)| Op::HardLink(path, target)),
        2 => path().prop_map(Op::Whiteout),
        1 => path().prop_map(Op::Opaque),
    ]
}

fn text(path: &[char]) -> String {
    path.iter().map(char::to_string).collect::<Vec<_>>().join("/")
}

fn write(layer: Layer, op: &Op) -> Layer {
    match op {
        Op::File(path, content) => layer.file(text(path), content.to_string()),
        Op::Dir(path, mode) => layer.dir(text(path), *mode),
        Op::Symlink(path) => layer.symlink(text(path), "/nowhere"),
        Op::HardLink(path, target) => layer.hard_link(text(path), text(target)),
        Op::Whiteout(path) => {
            let (name, folder) = path.split_last().unwrap();
            layer.file([folder.iter().map(|name| format!("{name}/")).collect(), format!(".wh.{name}")].concat(), "")
        }
        Op::Opaque(path) => layer.file(format!("{}/.wh..wh..opq", text(path)), ""),
    }
}

fn hides(op: &Op) -> bool {
    matches!(op, Op::Whiteout(_) | Op::Opaque(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_layers_merge_as_a_naive_model_says(layers in prop::collection::vec(prop::collection::vec(op(), 0..12), 1..5)) {
        let mut model = Model::default();
        let mut archives = Vec::new();
        for ops in &layers {
            // What a layer hides is hidden before it adds anything, opaque folders first.
            let opaques = ops.iter().filter(|op| matches!(op, Op::Opaque(_)));
            let whiteouts = ops.iter().filter(|op| matches!(op, Op::Whiteout(_)));
            let hiding: Vec<_> = opaques.chain(whiteouts).filter(|op| model.apply(op)).collect();
            let adding: Vec<_> = ops.iter().filter(|op| !hides(op)).filter(|op| model.apply(op)).collect();
            // In the archive they may come in any order: here, the hiding ones last.
            archives.push(adding.into_iter().chain(hiding).fold(Layer::new(), write));
        }
        let tree = merge(archives).unwrap();
        prop_assert_eq!(render(&tree), model.render());
        let inodes = tree.summary();
        prop_assert_eq!(usize::try_from(inodes.names).unwrap(), model.nodes.len() + 1);
    }
}
