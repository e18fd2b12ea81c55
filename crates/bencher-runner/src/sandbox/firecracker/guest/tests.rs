use std::time::Duration;

use super::*;
use crate::sandbox::command::ImageCommand;

fn resources(cpus: u32, mib: u64) -> Resources {
    Resources { cpus: Some(cpus), memory_bytes: Some(mib * MIB + 17), disk_bytes: None, pids: Some(5) }
}

#[test]
fn a_machine_has_the_hardware_of_its_plan_and_no_more() {
    let machine = machine_config(&resources(3, 513), false).unwrap();
    assert_eq!((machine.vcpu_count, machine.mem_size_mib, machine.smt, machine.huge_pages), (3, 513, false, None));
    let machine = machine_config(&resources(3, 513), true).unwrap();
    assert_eq!((machine.mem_size_mib, machine.huge_pages), (512, Some("2M")));
    let default = machine_config(&Resources::default(), false).unwrap();
    assert_eq!((default.vcpu_count, default.mem_size_mib), (1, limits::DEFAULT_MEMORY_MIB));
}

#[test]
fn what_firecracker_cannot_give_is_said_before_it_is_asked() {
    let error = |cpus, mib| machine_config(&resources(cpus, mib), false).unwrap_err().to_string();
    assert_eq!(error(33, 512), "the spec asks for 33 CPUs, a microVM has at most 32; use another spec");
    assert_eq!(error(1, 63), "the spec gives 63 MiB of memory, a microVM needs 64; use another spec");
}

#[test]
fn the_process_gets_a_little_more_than_its_guest() {
    let limits = host_limits(&machine_config(&resources(2, 512), false).unwrap());
    assert_eq!((limits.cpus, limits.memory_bytes), (Some(3), Some((512 + 128) * MIB)));
}

#[test]
fn the_kernel_is_told_the_devices_and_what_the_owner_adds() {
    let args = boot_args(Some("mitigations=off"));
    assert_eq!(boot::parameter(&args, boot::ROOT), Some("/dev/vda"));
    assert_eq!(boot::parameter(&args, boot::CONFIG), Some("/dev/vdb"));
    assert!(args.ends_with(" mitigations=off") && args.len() < 2048, "{args}");
}

#[test]
fn the_guest_gets_the_plan_and_not_the_hosts_environment() {
    let command = ImageCommand {
        args: vec!["bench".to_owned(), "-x".to_owned()],
        env: vec![("LD_PRELOAD".to_owned(), "evil.so".to_owned())],
        working_dir: "/work".to_owned(),
        user: Some("bench:1".to_owned()),
    };
    let mut plan = ExecutionPlan::new("base".into(), command, Duration::from_secs(1));
    plan.file_paths = vec!["out/*.json".to_owned()];
    plan.file_contents = FileContents::SizeOnly;
    let config = config(&plan, Token([7; 16]), None);
    assert_eq!((config.args, config.env), (plan.args, plan.env));
    assert_eq!((config.version, config.max_pids, config.grace_period_ms), (bencher_init::PROTOCOL_VERSION, Some(4096), 1000));
    assert_eq!((config.file_paths, config.file_contents), (plan.file_paths, GuestFileContents::SizeOnly));
}
