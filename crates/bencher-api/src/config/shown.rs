//! The configuration as an admin sees it: everything that holds, defaults too, and no secret.

use bencher_types::secret;
use serde_json::{Value, json};

use super::{Config, DataStore, Log, LogFormat, LogLevel, Logging, Registry, Runners};
use crate::limits;

impl Config {
    /// The configuration with what is not said in it, in the shape of the configuration file of the v0.6 series. Each secret is
    /// replaced, whatever there is of them.
    #[must_use]
    pub fn shown(&self) -> Value {
        let (anonymous_runs, scheduling) = (self.anonymous_runs(), self.shown_scheduling());
        let mut shown = self.clone();
        shown.security.issuer = Some(self.issuer());
        shown.server.wire_version = Some(self.wire_version().to_owned());
        let log = match self.logging.clone() {
            Some(logging) => logging.log,
            None => Log::StderrTerminal { level: LogLevel::Info },
        };
        let name = self.logging.as_ref().and_then(|logging| logging.name.clone()).unwrap_or_else(|| "bencher-api".to_owned());
        let format = self.logging.as_ref().map_or_else(LogFormat::default, |logging| logging.format);
        shown.logging = Some(Logging { name: Some(name), log, format });
        if shown.database.url.is_some() {
            shown.database.timeout = Some(self.database_timeout().as_secs());
        }
        let plus = shown.plus.get_or_insert_default();
        plus.registry = Some(Registry {
            url: Some(self.registry_url()),
            folder: Some(self.blob_folder()),
            data_store: Some(self.blob_bucket().cloned().map_or(DataStore::Local, DataStore::AwsS3)),
            upload_timeout: Some(self.upload_timeout().as_secs()),
            max_body_size: Some(self.max_blob_bytes()),
            max_uploads: Some(self.max_uploads()),
        });
        plus.anonymous_runs = Some(anonymous_runs);
        plus.scheduling = Some(scheduling);
        plus.runners = Some(Runners {
            heartbeat_timeout: Some(self.heartbeat_timeout().as_secs()),
            job_timeout_grace_period: Some(self.job_timeout_grace_period().as_secs()),
            fetch_timeout: Some(self.fetch_timeout().as_secs()),
        });

        let mut shown = secret::redacted(|| serde_json::to_value(&shown)).expect("a configuration is plain JSON");
        // A key as bytes is no text that could be starred out.
        if let Some(key) = shown.pointer_mut("/server/tls/key") {
            *key = json!([]);
        }
        // What clients look for, and what is no setting here.
        let database = &mut shown["database"];
        if database.get("file").is_none() {
            database["file"] = json!("");
        }
        database["busy_timeout"] = json!(limits::SQLITE_BUSY_TIMEOUT.as_millis());
        shown
    }
}
