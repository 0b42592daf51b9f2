//! A network namespace (network_namespaces(7)) that has no name and leaves nothing behind.
//!
//! A small process holds it, and ends when the pipe to its standard input closes: when [`Netns`] is dropped,
//! and also when the test's process is killed. The kernel then takes the namespace away with its interfaces.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::program::Recipe;

/// A network namespace: interfaces, addresses, routes, ports and packet filters of its own.
#[derive(Debug)]
pub struct Netns {
    holder: Child,
}

impl Netns {
    /// A new one; only its loopback interface is there, and up.
    ///
    /// # Panics
    /// When it can't be made: without the right to (see [`super::run`]).
    pub fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "sh", "-c", "echo there; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare, of util-linux, can be started");
        let mut line = String::new();
        let said = BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line);
        assert!(said.is_ok() && line == "there\n", "no network namespace could be made");
        let netns = Self { holder };
        netns.ip("link set lo up");
        netns
    }

    /// The process that holds it, by which `ip link` names a namespace.
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// The calling thread, and those that it starts from now on, live in it.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn enter(&self) {
        let link = File::open(self.path()).unwrap();
        move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    /// Does something short in it, such as binding a socket, which then stays in it.
    ///
    /// # Panics
    /// When `action` does.
    pub fn within<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = move || {
                self.enter();
                action()
            };
            scope.spawn(inside).join().unwrap()
        })
    }

    /// A program that lives in it.
    pub fn recipe(&self, file: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Recipe {
        Recipe::new("nsenter", folder)
            .args([format!("--net={}", self.path()), "--".to_owned()])
            .args([file.into()])
    }

    /// Runs commands of ip(8), one a line.
    ///
    /// # Panics
    /// When one fails.
    pub fn ip(&self, commands: &str) {
        self.run("ip", &["-batch", "-"], commands);
    }

    /// Shapes traffic: commands of tc(8), one a line.
    ///
    /// # Panics
    /// When one fails.
    pub fn tc(&self, commands: &str) {
        self.run("tc", &["-batch", "-"], commands);
    }

    /// Changes the packet filter: commands of nft(8), one a line.
    ///
    /// # Panics
    /// When one fails.
    pub fn nft(&self, commands: &str) {
        self.run("nft", &["-f", "-"], commands);
    }

    fn run(&self, program: &str, args: &[&str], input: &str) {
        let mut child = Command::new("nsenter")
            .args([&format!("--net={}", self.path()), "--", program])
            .args(args)
            // Where Debian keeps such programs; the path of someone who isn't root may lack it.
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter, of util-linux, can be started");
        // A program that isn't there can't be written to; its absence is told below.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} failed on\n{input}\n{said}");
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }
}

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
