//! What is different on a terminal: colour, live state, and a question on Ctrl-C. The terminal is a real pseudo-terminal.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::{
    pty::{Winsize, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::{
    shapes,
    support::{Reply, World},
};

/// A process on a terminal of 100 columns.
struct OnTerminal {
    child: Child,
    terminal: File,
    seen: String,
    /// The beginning of a character whose end is still to come.
    begun: Vec<u8>,
}

impl OnTerminal {
    fn start(world: &World, args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::of_width(100, world, args, env)
    }

    fn of_width(columns: u16, world: &World, args: &[&str], env: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let side = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut command = world.command(args);
        let command = command.env("TERM", "xterm-256color").envs(env.iter().copied()).stdin(side()).stdout(side()).stderr(side());
        let child = command.spawn().unwrap();
        Self { child, terminal: File::from(pty.master), seen: String::new(), begun: Vec::new() }
    }

    /// Reads until a text has appeared. Ends with what there is when the process closes the terminal.
    fn wait_for(&mut self, text: &str) {
        let mut chunk = [0; 4096];
        while !self.seen.contains(text) {
            // A terminal that nobody holds any more fails to be read.
            match self.terminal.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(read) => self.take(&chunk[..read]),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.begun.extend(bytes);
        let whole = match std::str::from_utf8(&self.begun) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => self.begun.len(),
        };
        let whole: Vec<u8> = self.begun.drain(..whole).collect();
        self.seen.push_str(&String::from_utf8_lossy(&whole));
    }

    fn interrupt(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).unwrap();
    }

    /// Everything that was shown, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        self.wait_for("\u{0}never");
        let code = self.child.wait().unwrap().code();
        (self.seen, code)
    }
}

#[test]
fn a_terminal_gets_colour_unless_it_asks_for_none() {
    let world = World::always(200, json!([shapes::runner("offline")]));
    let (seen, code) = OnTerminal::start(&world, &["runner", "list"], &[]).end();
    assert_eq!(code, Some(0));
    assert!(seen.contains("\u{1b}[38;5;9moffline"), "{seen:?}");

    let (seen, _) = OnTerminal::start(&world, &["runner", "list"], &[("NO_COLOR", "1")]).end();
    assert!(seen.contains("offline") && !seen.contains('\u{1b}'), "{seen:?}");
}

#[test]
fn tables_fit_the_terminal() {
    let world = World::always(200, json!([shapes::spec(), shapes::project("shop")]));
    let (seen, _) = OnTerminal::start(&world, &["spec", "list"], &[("NO_COLOR", "1")]).end();
    assert!(seen.lines().all(|line| line.trim_end().chars().count() <= 100), "{seen}");
}

/// A server whose job runs until it is canceled.
fn cancelable() -> World {
    let canceled = Arc::new(AtomicBool::new(false));
    World::new(move |asked| match asked.path.as_str() {
        "/v0/run" => Reply::new(201, shapes::report_of_job()),
        path if path.ends_with("/cancel") => {
            canceled.store(true, Ordering::SeqCst);
            Reply::ok(shapes::job("canceled"))
        }
        _ if canceled.load(Ordering::SeqCst) => Reply::ok(shapes::job("canceled")),
        _ => Reply::ok(shapes::job("running")),
    })
}

fn cancels(world: &World) -> usize {
    world.paths().iter().filter(|path| path.ends_with("/cancel")).count()
}

#[test]
fn ctrl_c_offers_to_cancel_and_yes_cancels() {
    let world = cancelable();
    let mut run = OnTerminal::start(&world, &["run", "--image", "shop:v1"], &[]);
    run.wait_for("running");
    run.interrupt();
    run.wait_for("cancel the job? [y/N]");
    run.terminal.write_all(b"y\n").unwrap();
    let (seen, code) = run.end();
    assert_eq!((code, cancels(&world)), (Some(6), 1), "{seen}");
}

#[test]
fn no_goes_on_waiting_and_a_second_ctrl_c_leaves_the_job_alone() {
    let world = cancelable();
    let mut run = OnTerminal::start(&world, &["run", "--image", "shop:v1"], &[]);
    run.wait_for("running");
    run.interrupt();
    run.wait_for("[y/N]");
    run.terminal.write_all(b"n\n").unwrap();
    let before = world.asked().len();
    // It looks at the job again before it is interrupted again.
    while world.asked().len() == before {
        std::thread::yield_now();
    }
    run.seen.clear();
    run.interrupt();
    run.wait_for("[y/N]");
    run.interrupt();
    let (seen, code) = run.end();
    assert_eq!((code, cancels(&world)), (Some(130), 0), "{seen}");
    assert!(seen.contains("goes on"), "{seen}");
}

#[test]
fn what_cannot_be_taken_back_is_asked_for_first() {
    let world = World::new(|_| Reply::text(204, ""));
    for (answer, code, deleted) in [(&b"n\n"[..], Some(130), 0), (b"y\n", Some(0), 1)] {
        let mut delete = OnTerminal::start(&world, &["project", "delete", "shop"], &[]);
        delete.wait_for("delete project shop and everything in it? [y/N]");
        delete.terminal.write_all(answer).unwrap();
        let (seen, ended) = delete.end();
        assert_eq!((ended, world.asked().len()), (code, deleted), "{seen}");
    }
    let (seen, code) = OnTerminal::start(&world, &["project", "delete", "shop", "--yes"], &[]).end();
    assert_eq!((code, world.asked().len()), (Some(0), 2), "{seen}");
    assert!(!seen.contains("[y/N]"), "{seen}");
}

/// A registry that takes everything, and a layout with one large layer.
fn transfer() -> World {
    let world = World::new(|asked| match asked.method.as_str() {
        "HEAD" => Reply::text(404, ""),
        "POST" => Reply::text(202, "").header("location", &asked.path),
        "PATCH" => {
            let range = asked.headers.get("content-range").map_or("0-0", |range| range.to_str().unwrap()).to_owned();
            Reply::text(202, "").header("location", &asked.path).header("range", &range)
        }
        _ => Reply::text(201, ""),
    });
    let mut noise = File::create(world.dir.path().join("noise")).unwrap();
    let random = File::open("/dev/urandom").unwrap();
    std::io::copy(&mut random.take(16 << 20), &mut noise).unwrap();
    let build = ["image", "build", "-t", "shop:v1", "/bin/true", "--add", "noise:/noise", "-o", "images"];
    assert_eq!(world.bencher(&build).code, Some(0));
    world
}

const PUSH: [&str; 5] = ["image", "push", "shop:v1", "--from", "images"];

/// What is to be seen of an output, line by line: without what moves the cursor and clears lines.
fn visible(seen: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut chars = seen.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => drop(chars.by_ref().skip_while(|c| *c == '[').find(char::is_ascii_alphabetic)),
            c => plain.push(c),
        }
    }
    plain.split(['\r', '\n']).map(str::to_owned).collect()
}

#[test]
fn a_transfer_shows_how_far_it_is_in_lines_that_fit_the_terminal() {
    let world = transfer();
    for columns in [100, 40] {
        let (seen, code) = OnTerminal::of_width(columns, &world, &PUSH, &[]).end();
        assert_eq!(code, Some(0), "{seen}");
        assert!(seen.contains("all layers") && seen.contains("MiB"), "{seen:?}");
        let lines = visible(&seen);
        // Rows as wide as the terminal follow each other without an end of the line: each begins where a row of the terminal does.
        for line in lines.iter().filter(|line| line.contains("all layers")) {
            for (at, _) in line.match_indices("all layers") {
                assert_eq!(line[..at].chars().count() % usize::from(columns), 0, "{line:?}");
            }
            let last = line.rfind("all layers").map_or(0, |at| line[at..].trim_end().chars().count());
            assert!(last <= usize::from(columns), "{line:?}");
        }
        // The lines are gone when it is done: the digest is what remains, and what to do next.
        assert!(lines.iter().rev().find(|line| !line.is_empty()).unwrap().contains("run it with"), "{lines:#?}");
    }
}

#[test]
fn a_transfer_shows_no_colour_where_none_is_wanted() {
    let world = transfer();
    let (seen, _) = OnTerminal::start(&world, &PUSH, &[("NO_COLOR", "1")]).end();
    assert!(seen.contains("all layers"), "{seen:?}");
    let colours = seen.split("\u{1b}[").skip(1).filter(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic());
        end.is_some_and(|end| rest[end..].starts_with('m') && !matches!(&rest[..end], "" | "0"))
    });
    assert_eq!(colours.count(), 0, "{seen:?}");
}

#[test]
fn a_transfer_shows_no_moving_lines_where_nobody_looks() {
    let world = transfer();
    let ended = world.bencher(&PUSH);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "run it with `bencher run --image shop:v1`\n");
}
