use bencher_types::{
    SpecUuid,
    wire::spec::{Architecture, OperatingSystem, Sandbox, Spec},
};

use super::{Abilities, Refusal, admit};

const ALLOWED: Abilities = Abilities { os: "linux", architecture: "x86_64", allow_no_sandbox: true, micro_vms: false };

fn spec(sandbox: Option<Sandbox>) -> Spec {
    Spec {
        uuid: SpecUuid::random(),
        name: "small".parse().expect("a name"),
        slug: "small".parse().expect("a slug"),
        os: OperatingSystem::Linux,
        architecture: Architecture::X86_64,
        sandbox,
        cpu: "1".parse().expect("a number"),
        memory: "1".parse().expect("a number"),
        disk: "1".parse().expect("a number"),
        network: false,
        fallback: None,
        created: crate::clock::today(),
        modified: crate::clock::today(),
        archived: None,
    }
}

#[test]
fn host_jobs_need_the_owners_word() {
    assert_eq!(admit(&spec(None), ALLOWED), Ok(()));
    let refusal = admit(&spec(None), Abilities { allow_no_sandbox: false, ..ALLOWED });
    assert_eq!(refusal, Err(Refusal::NoSandbox));
    assert!(Refusal::NoSandbox.to_string().contains("--danger-allow-no-sandbox"));
}

#[test]
fn a_job_for_a_microvm_is_never_run_on_the_host_instead() {
    let refusal = admit(&spec(Some(Sandbox::Firecracker)), ALLOWED).expect_err("there is no microVM");
    assert!(refusal.to_string().contains("this runner cannot start microVMs"), "{refusal}");
    let able = Abilities { allow_no_sandbox: false, micro_vms: true, ..ALLOWED };
    assert_eq!(admit(&spec(Some(Sandbox::Firecracker)), able), Ok(()));
    assert_eq!(admit(&spec(None), able), Err(Refusal::NoSandbox));
}

#[test]
fn jobs_for_other_machines_are_refused() {
    let refusal = admit(&spec(None), Abilities { architecture: "aarch64", ..ALLOWED }).expect_err("it is another architecture");
    assert_eq!(refusal, Refusal::Architecture { wanted: Architecture::X86_64, found: "aarch64" });
    let refusal = admit(&Spec { os: OperatingSystem::Windows, ..spec(None) }, ALLOWED).expect_err("it is another system");
    assert!(refusal.to_string().contains("for windows and this runner is on linux"), "{refusal}");
}
