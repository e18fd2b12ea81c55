//! The last resort: a line on the machine's console, where somebody may look who heard nothing over the connection.

use std::{fs::OpenOptions, io::Write as _};

/// Writes one line that begins with the name of this program. There is nobody to tell that it failed.
pub(crate) fn say(message: &str) {
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = format!("bencher-init: {line}\n");
    // A machine without a serial line has no console; the kernel's log may still be read.
    for path in ["/dev/console", "/dev/kmsg"] {
        let written = OpenOptions::new().write(true).open(path).and_then(|mut console| console.write_all(line.as_bytes()));
        if written.is_ok() {
            return;
        }
    }
}
