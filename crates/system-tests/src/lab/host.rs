//! A machine of the lab.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::netns::Netns;
use crate::program::Recipe;

/// A machine with one network card, `eth0`, on the lab's switch, and no route but to its segment.
#[derive(Debug)]
pub struct Host {
    name: String,
    netns: Netns,
    switch: Arc<Netns>,
    /// The switch's end of its cable.
    port: String,
    addr: Mutex<Ipv4Addr>,
}

impl Host {
    pub(super) fn plug(name: &str, addr: Ipv4Addr, switch: Arc<Netns>) -> Self {
        let netns = Netns::new();
        let port = format!("port{}", addr.octets()[3]);
        // No link-local IPv6 address: it would be usable only after a second (RFC 4862 §5.4).
        netns.ip(&format!(
            "link add eth0 type veth peer name {port} netns {}\n\
             link set eth0 addrgenmode none\n\
             addr add {addr}/24 dev eth0\n\
             link set eth0 up\n",
            switch.pid()
        ));
        switch.ip(&format!("link set {port} master switch\nlink set {port} up\n"));
        Self { name: name.to_owned(), netns, switch, port, addr: Mutex::new(addr) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    ///
    /// # Panics
    /// When another thread panicked while it changed it.
    pub fn addr(&self) -> Ipv4Addr {
        *self.addr.lock().unwrap()
    }

    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// A program that runs on it.
    pub fn recipe(&self, file: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Recipe {
        self.netns.recipe(file, folder)
    }

    /// Bytes that came in by its cable, heads of packets included.
    ///
    /// # Panics
    /// When the kernel doesn't say.
    pub fn received(&self) -> u64 {
        let table = std::fs::read_to_string(format!("/proc/{}/net/dev", self.netns.pid())).unwrap();
        let line = table.lines().find_map(|line| line.trim_start().strip_prefix("eth0:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Pulls its cable.
    pub fn unplug(&self) {
        self.switch.ip(&format!("link set {} down", self.port));
    }

    /// Plugs it in again.
    pub fn plug_in(&self) {
        self.switch.ip(&format!("link set {} up", self.port));
    }

    /// Sends no more than so many megabits a second from now on.
    pub fn slow_down(&self, megabits: u32) {
        let qdisc = format!("tbf rate {megabits}mbit burst 64kb latency 50ms");
        self.netns.tc(&format!("qdisc replace dev eth0 root {qdisc}\n"));
    }

    /// Takes another address in place of its own, as when it moves to another network.
    ///
    /// # Panics
    /// When the address can't be given.
    pub fn moves_to(&self, addr: Ipv4Addr) {
        let mut own = self.addr.lock().unwrap();
        self.netns.ip(&format!("addr del {own}/24 dev eth0\naddr add {addr}/24 dev eth0\n"));
        *own = addr;
    }

    /// Drops all UDP to and from an address.
    pub(super) fn block_udp(&self, other: Ipv4Addr) {
        self.netns.nft(&format!(
            "add table inet lab\n\
             add chain inet lab in {{ type filter hook input priority 0; }}\n\
             add chain inet lab out {{ type filter hook output priority 0; }}\n\
             add rule inet lab in ip saddr {other} meta l4proto udp drop\n\
             add rule inet lab out ip daddr {other} meta l4proto udp drop\n"
        ));
    }

    /// Lets everything pass.
    pub(super) fn unblock(&self) {
        self.netns.nft("add table inet lab\ndelete table inet lab\n");
    }
}
