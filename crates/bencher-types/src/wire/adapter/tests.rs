use super::Adapter;

#[test]
fn every_adapter_has_one_name_wherever_it_stands() {
    for &adapter in Adapter::ALL {
        let json = serde_json::to_string(&adapter).unwrap();
        assert_eq!(json, format!("\"{adapter}\""));
        assert_eq!(serde_json::from_str::<Adapter>(&json).unwrap(), adapter);
        assert_eq!(adapter.as_str().parse(), Ok(adapter));
        assert_eq!(Adapter::from_number(adapter.number()), Some(adapter));
    }
}

#[test]
fn older_name_of_a_harness_is_understood_and_not_written() {
    assert_eq!("rust_iai_callgrind".parse(), Ok(Adapter::RustGungraun));
    assert_eq!(serde_json::from_str::<Adapter>("\"rust_iai_callgrind\"").unwrap(), Adapter::RustGungraun);
    assert_eq!(Adapter::RustGungraun.to_string(), "rust_gungraun");
}

#[test]
fn unknown_adapter_names_those_that_are_known() {
    let error = "nope".parse::<Adapter>().unwrap_err();
    assert!(error.starts_with("`nope` is not an adapter: expected one of magic, json, rust, rust_bench"), "{error}");
}
