//! A stand-in for Firecracker and its jailer, for tests on machines whose processor cannot start a virtual machine: the
//! same command lines, the same API with the same words, the same sockets and exit codes. Behind them a real Linux kernel
//! runs as a process: Debian's User Mode Linux, with `vhost-device-vsock` for its sockets.
//!
//! | of Firecracker | here |
//! |---|---|
//! | `kernel_image_path` | the program `linux.uml` |
//! | drives, `/dev/vdX` | `/dev/ubdX`; the boot arguments are rewritten |
//! | vsock | `vhost-device-vsock`, started when the device is configured |
//! | network interfaces | `ethN` on the same TAP |
//! | serial port | `ttyS0`, to standard output |
//! | virtual processors | one, however many are asked for |
//! | entropy device | accepted; the kernel has one of its own |
//! | rate limiters, huge pages, cache types | accepted, without effect |
//! | balloon, MMDS, pmem, memory hotplug, snapshots, CPU templates | refused |
//!
//! Nothing of the product may know this package.

pub mod tools;
