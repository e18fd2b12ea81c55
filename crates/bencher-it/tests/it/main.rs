//! The whole product on this machine: the real server, the real runner with host execution, the real registry and the real
//! command line, over loopback. Each test has a world of its own.

mod alerts;
mod bad_input;
mod bad_line;
mod cancel;
mod changes;
mod chaos;
mod command_line;
mod full_day;
mod full_disk;
mod happy_path;
mod history;
mod image_attacks;
mod image_runs;
mod image_tools;
mod images;
mod keys;
mod live;
mod lost;
mod queue;
mod registry_killed;
mod signatures;
mod support;
mod systemd;
mod vm;
