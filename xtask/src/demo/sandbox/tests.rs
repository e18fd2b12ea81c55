use serde_json::json;

use super::*;

#[test]
fn what_the_environment_names_becomes_flags_of_the_runner() {
    let none = Named::default().flags(Path::new("init"));
    assert_eq!(none, ["--firecracker-init-path", "init"]);
    let named = Named {
        firecracker: Some("fc".into()),
        jailer: Some("jail".into()),
        kernel: Some("kernel".into()),
        modules: vec!["a.ko".into(), "b.ko".into()],
    };
    let flags: Vec<String> = named.flags(Path::new("init")).iter().map(|flag| flag.to_string_lossy().into_owned()).collect();
    assert_eq!(
        flags.join(" "),
        "--firecracker-binary-path fc --firecracker-jailer-path jail --firecracker-kernel-path kernel \
         --firecracker-init-path init --firecracker-modules a.ko --firecracker-modules b.ko"
    );
}

#[test]
fn the_first_finding_that_is_not_well_is_the_reason() {
    let findings = json!({ "checks": [
        { "name": "KVM", "result": "warn", "found": "missing" },
        { "name": "microVM", "result": "ok", "found": "all there" },
    ] });
    assert_eq!(obstacle(&findings, &["KVM", "microVM"]).as_deref(), Some("KVM: missing"));
    assert_eq!(obstacle(&findings, &["microVM"]), None);
    assert_eq!(obstacle(&findings, &["other"]).as_deref(), Some("`runner doctor` says nothing of other"));
}
