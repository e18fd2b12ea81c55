use std::path::Path;

use serde_json::{Value, json};

use super::{Config, ConfigError, DEFAULT_PATH, IfExists, Loaded, Log, MailSecurity, data_folder};
use crate::{chain::chain, store::DatabaseLocation};

fn minimal() -> Value {
    json!({
        "console": { "url": "http://localhost:3000" },
        "security": { "secret_key": "a secret" },
        "server": { "bind_address": "0.0.0.0:6610", "request_body_max_bytes": 1_048_576 },
        "database": { "file": "data/bencher.db" },
    })
}

fn load(config: &Value) -> Result<Loaded, ConfigError> {
    Config::load(Some(&config.to_string()), Path::new("/does/not/matter"))
}

/// Changes one value, by its JSON pointer's parent and key, and returns what is wrong then.
#[track_caller]
fn refused(parent: &str, key: &str, value: Value, part: &str) {
    let mut config = minimal();
    config["plus"] = json!({ "registry": {}, "runners": {} });
    config.pointer_mut(parent).unwrap()[key] = value;
    let error = chain(&load(&config).expect_err("a bad value"));
    assert!(error.contains(part), "expected `{part}` in: {error}");
}

#[test]
fn a_minimal_file_is_enough() {
    let Loaded { config, notes } = load(&minimal()).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(config.registry_url().as_str(), "http://localhost:6610/");
    assert_eq!(config.wire_version(), "0.6.12");
    assert_eq!(config.issuer(), "http://localhost:3000/");
    assert_eq!(config.blob_folder(), Path::new("data/blobs"));
    assert_eq!(config.database().unwrap(), DatabaseLocation::Sqlite("data/bencher.db".into()));
}

#[test]
fn a_file_of_the_v0_6_series_works_and_says_what_is_not_used() {
    let mut config = minimal();
    config["server"]["tls"] = json!({ "type": "as_file", "cert_file": "a", "key_file": "b" });
    config["logging"] = json!({ "name": "Bencher API", "log": { "stderr_terminal": { "level": "warn" } } });
    config["database"]["cache_size"] = json!(65536);
    config["smtp"] = json!({
        "hostname": "mail.example.com", "port": 587, "insecure_host": false, "starttls": true, "username": "bench",
        "secret": "hunter2", "from_name": "Bencher", "from_email": "bench@example.com",
    });
    config["plus"] = json!({
        "registry": { "data_store": { "service": "local" }, "upload_timeout": 60 },
        "runners": { "heartbeat_timeout": 30, "update_base_url": "https://example.com/" },
        "stats": { "enabled": false },
        "rate_limiting": {
            "window": 86400, "unclaimed_limit": 255, "claimed_limit": 65535,
            "public": { "requests": { "minute": 1024 }, "attempts": { "hour": 64 }, "runs": { "day": 256 } },
            "user": {
                "requests": { "minute": 1, "hour": 2, "day": 3 }, "attempts": {}, "credentials": {}, "organizations": {},
                "invites": {}, "runs": { "minute": 64 },
            },
            "project": { "requests": {}, "runs": {} },
            "runner": { "requests": { "minute": 16 } },
            "oci_bandwidth": { "unclaimed": 1, "free": 2, "plus": 3, "user": 4 },
        },
    });
    let Loaded { config, notes } = load(&config).unwrap();
    let note = |key: &str| format!("the configuration key `{key}` is not used by this server");
    let mut expected = ["database.cache_size", "plus.runners.update_base_url", "plus.stats"].map(note).to_vec();
    expected.sort();
    let mut notes = notes;
    notes.sort();
    assert_eq!(notes, expected);
    assert_eq!((config.heartbeat_timeout().as_secs(), config.upload_timeout().as_secs()), (30, 60));
    assert!(matches!(config.logging.unwrap().log, Log::StderrTerminal { level } if level.directive() == "warn"));
}

#[test]
fn each_bad_value_is_named() {
    refused("/server", "bind_address", json!("localhost"), "invalid socket address");
    refused("/server", "request_body_max_bytes", json!(0), "`server.request_body_max_bytes` is 0");
    refused("/server", "request_body_max_bytes", json!("4M"), "expected usize");
    refused("/security", "secret_key", json!(""), "`security.secret_key` is empty");
    refused("/console", "url", json!("localhost:3000"), "`console.url` is localhost:3000: expected a URL");
    refused("/console", "url", json!("here"), "relative URL without a base");
    let bucket =
        json!({ "service": "aws_s3", "access_key_id": "a", "secret_access_key": "b", "access_point": "arn:aws:ec2:::x" });
    refused("/plus/registry", "data_store", bucket.clone(), "`plus.registry.data_store` is `arn:aws:ec2:::x` as `access_point`");
    refused("/database", "data_store", bucket, "`database.data_store` is `arn:aws:ec2:::x` as `access_point`");
    refused("/plus/registry", "data_store", json!({ "service": "azure" }), "unknown variant `azure`");
    refused("/plus/registry", "url", json!("ftp://example.com"), "`plus.registry.url` is ftp://example.com/");
    refused("/plus/registry", "upload_timeout", json!(0), "`plus.registry.upload_timeout` is 0");
    refused("/plus/registry", "max_body_size", json!(0), "`plus.registry.max_body_size` is 0");
    refused(
        "/plus/runners",
        "heartbeat_timeout",
        json!(901),
        "`plus.runners.heartbeat_timeout` is 901: expected 1 to 900 seconds",
    );
    refused("/plus/runners", "job_timeout_grace_period", json!(0), "expected 1 to 900 seconds");
    refused("/plus/runners", "fetch_timeout", json!(0), "`plus.runners.fetch_timeout` is 0");
    refused("/server", "tls", json!({ "type": "as_file", "cert_file": "a" }), "missing field `key_file`");
    refused("/server", "trusted_proxies", json!(["10.0.0.0/33"]), "invalid");
    refused("/server", "forwarded_header", json!("x-real-ip"), "unknown variant `x-real-ip`");
    refused("/server", "allowed_origins", json!(["bench.example.com"]), "expected origins such as https://bench.example.com");
    refused("/server", "allowed_origins", json!(["https://bench.example.com/path"]), "`server.allowed_origins`");
    refused("/server", "max_connections", json!(0), "`server.max_connections` is 0");
    refused("/server", "request_timeout", json!(0), "`server.request_timeout` is 0");
    refused("/plus", "rate_limiting", json!({ "window": 0 }), "`plus.rate_limiting.window` is 0");
    refused("/plus", "rate_limiting", json!({ "user": { "runs": { "minute": -1 } } }), "invalid value");
    refused("/database", "timeout", json!(0), "`database.timeout` is 0: expected 1 to 900 seconds");
    refused("/database", "url", json!("postgres://localhost/x"), "not both");
    refused("", "database", json!({}), "not neither");
    refused("", "database", json!({ "url": "mysql://user:hunter2@localhost" }), "begins with postgres://");
    refused("", "logging", json!({ "log": { "stderr_terminal": { "level": "loud" } } }), "unknown variant `loud`");
    refused("", "server", json!({}), "missing field `bind_address`");
}

fn smtp(changes: &[(&str, Value)]) -> Value {
    let mut smtp = json!({ "hostname": "mail.example.com", "from_name": "Bench", "from_email": "bench@example.com" });
    for (key, value) in changes {
        smtp[*key] = value.clone();
    }
    smtp
}

#[test]
fn mail_is_encrypted_unless_the_file_says_otherwise() {
    for (changes, security) in [
        (vec![], MailSecurity::StartTls),
        (vec![("starttls", json!(true))], MailSecurity::StartTls),
        (vec![("starttls", json!(false))], MailSecurity::Tls),
        (vec![("plaintext", json!(true))], MailSecurity::None),
    ] {
        let mut config = minimal();
        config["smtp"] = smtp(&changes);
        let smtp = load(&config).unwrap().config.smtp.unwrap();
        assert_eq!((smtp.security(), smtp.port()), (security, 587));
    }
}

#[test]
fn a_mail_server_that_cannot_be_meant_is_refused() {
    refused("", "smtp", smtp(&[("hostname", json!(" "))]), "`smtp.hostname` is empty");
    refused("", "smtp", smtp(&[("username", json!("bench"))]), "`username` and `secret` together");
    refused("", "smtp", smtp(&[("from_email", json!("bench"))]), "e-mail address");
    refused("", "smtp", smtp(&[("plaintext", json!(true)), ("starttls", json!(true))]), "`smtp.starttls` is given");
    let login = [("plaintext", json!(true)), ("username", json!("bench")), ("secret", json!("hunter2"))];
    refused("", "smtp", smtp(&login), "anyone on the way could read");
}

#[test]
fn domains_are_named_exactly_where_they_decide() {
    refused("", "sign_up", json!({ "allow": "domains" }), "`sign_up.domains` is empty");
    refused("", "sign_up", json!({ "allow": "invited", "domains": ["example.com"] }), "exactly where");
    refused("", "sign_up", json!({ "allow": "domains", "domains": ["@example.com"] }), "domains such as example.com");
    refused("", "sign_up", json!({ "allow": "nobody" }), "unknown variant `nobody`");
}

#[test]
fn an_error_never_shows_a_secret() {
    let mut config = minimal();
    config["database"] = json!({ "url": "mysql://user:hunter2@localhost" });
    assert!(!chain(&load(&config).unwrap_err()).contains("hunter2"));
    let config = load(&minimal()).unwrap().config;
    assert!(!format!("{config:?}").contains("a secret"));
}

#[test]
fn what_is_not_json_says_where() {
    let error = Config::load(Some("{\n  nonsense"), Path::new("/does/not/matter")).unwrap_err();
    assert!(chain(&error).starts_with("the configuration from the environment is not a valid configuration: key must be"));
    assert!(chain(&error).contains("line 2"));
}

#[test]
fn a_first_file_is_written_once_and_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("etc/bencher.json");
    let first = Config::load(None, &path).unwrap();
    assert!(first.notes[0].starts_with("wrote a first configuration file"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let second = Config::load(None, &path).unwrap();
    assert_eq!(second.notes, Vec::<String>::new());
    assert_eq!(second.config.security.secret_key, first.config.security.secret_key);
    assert_eq!(second.config.console.url.as_str(), "http://localhost:6610/");
}

#[test]
fn listening_elsewhere_takes_derived_addresses_along() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::load(None, &folder.path().join("bencher.json")).unwrap().config;
    config.rebind("127.0.0.1:7000".parse().unwrap());
    assert_eq!(
        (config.console.url.as_str(), config.registry_url().as_str()),
        ("http://127.0.0.1:7000/", "http://127.0.0.1:7000/")
    );
    assert_eq!(config.issuer(), "http://localhost:6610/");
    let mut config = load(&minimal()).unwrap().config;
    config.rebind("127.0.0.1:7000".parse().unwrap());
    assert_eq!(config.console.url.as_str(), "http://localhost:3000/");
}

#[test]
fn a_log_file_is_appended_to_unless_the_file_says_otherwise() {
    let mut config = minimal();
    config["logging"] = json!({ "log": { "file": { "level": "critical", "path": "server.log" } } });
    let Loaded { config, .. } = load(&config).unwrap();
    let Log::File { level, path, if_exists } = config.logging.unwrap().log else { panic!("a file") };
    assert_eq!((level.directive(), path.as_path(), if_exists), ("error", Path::new("server.log"), IfExists::Append));
}

#[test]
fn a_new_installation_finds_its_data_from_anywhere() {
    assert_eq!(data_folder(Path::new(DEFAULT_PATH)).unwrap(), Path::new("/var/lib/bencher"));
    assert_eq!(data_folder(Path::new("/srv/bench/bencher.json")).unwrap(), Path::new("/srv/bench/data"));
    let relative = data_folder(Path::new("bencher.json")).unwrap();
    assert!(relative.is_absolute() && relative.ends_with("data"), "{relative:?}");
}

#[test]
fn what_is_shown_of_a_configuration_has_every_default_and_no_secret() {
    const MARKER: &str = "MARKER-of-a-secret";
    let mut text = minimal();
    text["security"]["secret_key"] = json!(MARKER);
    text["database"] = json!({ "url": format!("postgres://bencher:{MARKER}@localhost/bencher") });
    text["smtp"] = json!({
        "hostname": "mail.example.com", "username": "bench", "secret": MARKER, "from_name": "Bench",
        "from_email": "bench@example.com",
    });
    text["server"]["tls"] = json!({ "type": "as_bytes", "certs": [1], "key": [2, 3] });
    let shown = load(&text).unwrap().config.shown();
    assert!(!shown.to_string().contains(MARKER), "{shown}");
    assert_eq!(shown["database"], json!({ "url": "************", "file": "", "timeout": 30, "busy_timeout": 5000 }));
    assert_eq!(shown["security"], json!({ "issuer": "http://localhost:3000/", "secret_key": "************" }));
    assert_eq!(
        shown["logging"],
        json!({ "name": "bencher-api", "format": "text", "log": { "stderr_terminal": { "level": "info" } } })
    );
    assert_eq!(shown["smtp"]["secret"], "************");
    assert_eq!(shown["server"]["tls"], json!({ "type": "as_bytes", "certs": [1], "key": [] }));
    let runners = json!({ "heartbeat_timeout": 90, "job_timeout_grace_period": 60, "fetch_timeout": 900 });
    assert_eq!(shown["plus"]["runners"], runners);
}
