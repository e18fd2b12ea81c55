use super::*;

fn drive(id: &str, path: &str, root: bool, read_only: bool) -> Drive {
    serde_json::from_value(serde_json::json!({
        "drive_id": id, "path_on_host": path, "is_root_device": root, "is_read_only": read_only,
    }))
    .unwrap()
}

fn words(boot_args: &str, drives: &[Drive], interfaces: &[NetworkInterface]) -> Vec<String> {
    let boot = BootSource {
        kernel_image_path: "/kernel".to_owned(),
        initrd_path: Some("/initrd".to_owned()),
        boot_args: Some(boot_args.to_owned()),
    };
    let plan = Plan {
        boot: &boot,
        machine: &MachineConfig::default(),
        drives,
        interfaces,
        vsock: Some(Path::new("/run/v")),
        serial: Serial::Stdout,
        run_dir: Path::new("/run"),
        shim: Path::new("/shim.so"),
        verbose: false,
    };
    arguments(&plan).into_iter().map(|word| word.into_string().unwrap()).collect()
}

#[test]
fn drives_are_in_order_and_named_as_the_kernel_names_them() {
    let drives = [drive("root", "/disk", true, false), drive("config", "/config", false, true)];
    let words = words("bencher.root=/dev/vda bencher.config=/dev/vdb", &drives, &[]);
    for word in ["ubd0=/disk", "ubd1r=/config", "bencher.root=/dev/ubda", "bencher.config=/dev/ubdb", "root=/dev/ubda", "rw"] {
        assert!(words.iter().any(|known| known == word), "{word} is missing in {words:?}");
    }
}

#[test]
fn without_a_root_device_no_root_is_named() {
    let words = words("", &[drive("data", "/disk", false, false)], &[]);
    assert!(!words.iter().any(|word| word.starts_with("root=")), "{words:?}");
}

#[test]
fn a_guest_without_serial_ports_writes_nowhere() {
    assert!(words("console=ttyS0", &[], &[]).contains(&"ssl0=null,fd:1".to_owned()));
    assert!(words("8250.nr_uarts=0", &[], &[]).contains(&"ssl0=null".to_owned()));
}

#[test]
fn an_interface_is_its_tap_and_its_address() {
    let interface = serde_json::from_str(r#"{"iface_id": "net", "host_dev_name": "tap7", "guest_mac": "06:00:00:00:00:01"}"#);
    assert!(words("", &[], &[interface.unwrap()]).contains(&"eth0=tuntap,tap7,06:00:00:00:00:01".to_owned()));
}

#[test]
fn a_panic_ends_the_guest_only_where_its_kernel_was_told_so() {
    assert!(reboots_on_panic("quiet panic=1 reboot=k"));
    assert!(reboots_on_panic("panic=0 panic=-1"));
    assert!(!reboots_on_panic("panic=1 panic=0"));
    assert!(!reboots_on_panic("reboot=k"));
}
