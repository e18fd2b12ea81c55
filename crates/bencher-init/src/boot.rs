//! What the guest is told on its kernel's command line. The kernel hands it to its first process.

/// The device of the image's root file system, such as `bencher.root=/dev/vda`.
pub const ROOT: &str = "bencher.root=";
/// The device of the configuration, such as `bencher.config=/dev/vdb`.
pub const CONFIG: &str = "bencher.config=";
/// The folder of the initial file system with the kernel's modules, and the file in it that names them in order, one a line.
pub const MODULES: &str = "/modules";
/// See [`MODULES`].
pub const MODULE_ORDER: &str = "/modules/order";

/// The value of a parameter, the last where it is given more than once, as kernels do.
#[must_use]
pub fn parameter<'a>(command_line: &'a str, name: &str) -> Option<&'a str> {
    command_line.split_ascii_whitespace().filter_map(|word| word.strip_prefix(name)).next_back()
}
