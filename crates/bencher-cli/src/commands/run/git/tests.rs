use super::*;

#[test]
fn the_context_has_the_keys_of_the_protocol() {
    let hash: GitHash = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
    let git = Git {
        repository: Some("shop".into()),
        root: Some(hash.clone()),
        reference: Some("refs/heads/feature/x".into()),
        head: Some(hash),
    };
    assert_eq!(git.branch(), Some("feature/x"));
    let keys: Vec<_> = git.context().into_keys().collect();
    assert_eq!(
        keys,
        [
            "bencher.dev/v0/branch/hash",
            "bencher.dev/v0/branch/ref",
            "bencher.dev/v0/branch/ref/name",
            "bencher.dev/v0/repo/hash",
            "bencher.dev/v0/repo/name"
        ]
    );
}

#[test]
fn a_detached_head_has_no_branch() {
    assert_eq!(Git::default().branch(), None);
    assert!(Git::default().context().is_empty());
}
