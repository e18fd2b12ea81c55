use super::*;

fn launch(jailer: Option<Jailer>) -> Launch {
    Launch {
        firecracker: "/opt/firecracker-v1.16.1".into(),
        jailer,
        id: "vm-1".to_owned(),
        root: "/state/jails/firecracker-v1.16.1/vm-1/root".into(),
        network: Some("/run/netns/x".into()),
    }
}

fn line(launch: &Launch) -> String {
    launch.arguments().iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_bare_process_gets_paths_relative_to_its_folder() {
    let launch = launch(None);
    assert_eq!(line(&launch), "--id vm-1 --api-sock api.sock");
    assert_eq!(launch.command().get_current_dir(), Some(launch.root.as_path()));
}

#[test]
fn the_jailer_is_told_user_jail_network_and_limits_and_neither_forks_nor_detaches() {
    let jailer = Jailer { program: "/opt/jailer".into(), uid: 5000, base: "/state/jails".into(), max_file_size: 1 << 30 };
    let line = line(&launch(Some(jailer)));
    assert_eq!(
        line,
        "--id vm-1 --exec-file /opt/firecracker-v1.16.1 --uid 5000 --gid 5000 --chroot-base-dir /state/jails \
         --netns /run/netns/x --resource-limit fsize=1073741824 --resource-limit no-file=2048 -- --api-sock api.sock"
    );
}
