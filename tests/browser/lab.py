"""A small network of machines inside this one, for browsers that see nothing else: a switch, a server, and hosts.

Each is a network namespace without a name, held by a small process that ends when its standard input closes: nothing
is left behind, also when a test is killed. This machine's own network is not touched. A test lives on the server,
in a thread of its own (`inside`); each browser is started on a host.
"""

import ctypes
import functools
import os
import subprocess
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from people import LAUNCH, Person
from programs import World

CLONE_NEWNET = 0x40000000  # <linux/sched.h>
TURN_SECRET = "the north wind and the sun"


class Netns:
    def __init__(self):
        assert os.geteuid() == 0, "network namespaces take the rights of root: run the tests as root"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", "echo there; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout.readline() == "there\n"
        self.path = f"/proc/{self._holder.pid}/ns/net"
        self.pid = self._holder.pid
        self.prefix = ["nsenter", f"--net={self.path}", "--"]
        self.run("ip", "link set lo up")

    def run(self, program, commands):
        flags = {"ip": ["-batch", "-"], "nft": ["-f", "-"]}[program]
        subprocess.run([*self.prefix, program, *flags], input=commands, text=True, check=True)

    def enter(self):
        """The calling thread, and the processes that it starts, live in it from now on."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open(self.path) as link:
            if libc.setns(link.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        self._holder.stdin.close()
        self._holder.wait()


class Host:
    """A machine with one network card, and no route but to its segment."""

    def __init__(self, name, number, switch):
        self.name, self.address = name, f"10.77.0.{number}"
        self.netns = Netns()
        self.netns.run("ip", f"link add eth0 type veth peer name port{number} netns {switch.pid}\n"
                             f"link set eth0 addrgenmode none\naddr add {self.address}/24 dev eth0\nlink set eth0 up\n")
        switch.run("ip", f"link set port{number} master switch\nlink set port{number} up\n")

    def block_udp(self, other):
        self.netns.run("nft", "add table inet lab\n"
                              "add chain inet lab in { type filter hook input priority 0; }\n"
                              "add chain inet lab out { type filter hook output priority 0; }\n"
                              f"add rule inet lab in ip saddr {other.address} meta l4proto udp drop\n"
                              f"add rule inet lab out ip daddr {other.address} meta l4proto udp drop\n")

    def unblock(self):
        self.netns.run("nft", "add table inet lab\ndelete table inet lab\n")


class Lab:
    def __init__(self, folder: Path):
        self._folder = folder
        self._switch = Netns()
        self._switch.run("ip", "link add switch type bridge\nlink set switch up\n")
        self._hosts = []
        self.server = self.host("server")
        self._closing = []

    def host(self, name):
        self._hosts.append(Host(name, len(self._hosts) + 1, self._switch))
        return self._hosts[-1]

    def block_udp(self, one, other):
        one.block_udp(other)
        other.block_udp(one)

    def unblock(self, one, other):
        one.unblock()
        other.unblock()

    # --- on the server ----------------------------------------------------------------------------

    def run(self, test):
        """Runs a test on the server. What it started there ends with it."""
        outcome = []

        def body():
            self.server.netns.enter()
            try:
                with sync_playwright() as self._playwright:
                    try:
                        test()
                    except BaseException:
                        for thing in self._closing:
                            if isinstance(thing, World):
                                print(thing.logs())
                        raise
                    finally:
                        for thing in reversed(self._closing):
                            thing.close()
            except BaseException as failure:
                outcome.append(failure)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if outcome:
            raise outcome[0]

    def world(self, **options):
        """The programs, for all machines."""
        self._closing.append(World(host=self.server.address, listen="0.0.0.0", **options))
        return self._closing[-1]

    def turn_flags(self):
        return ["--turn-url", f"turn:{self.server.address}:3479?transport=udp", "--turn-secret", TURN_SECRET]

    def turn_server(self):
        """coturn, with credentials as the tracker gives them out."""
        self._closing.append(Turn(self.server.address, self._folder))

    def person(self, host, world, name):
        """Someone with an account, at a browser on a machine of their own."""
        program = self._folder / f"chromium-{host.name}"
        program.write_text(f'#!/bin/sh\nexec {" ".join(host.netns.prefix)} {LAUNCH["executable_path"]} "$@"\n')
        program.chmod(0o755)
        browser = self._playwright.chromium.launch(**{**LAUNCH, "executable_path": program})
        self._closing.append(browser)
        person = Person(browser, world.url)
        self._closing.append(person)
        return person.register(name).enter()

    def close(self):
        for host in self._hosts:
            host.netns.close()
        self._switch.close()


class Turn:
    def __init__(self, address, folder):
        self._process = subprocess.Popen(
            ["turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout", "--simple-log", "--verbose", "--realm=lab",
             "--use-auth-secret", f"--static-auth-secret={TURN_SECRET}", f"--listening-ip={address}", f"--relay-ip={address}",
             "--listening-port=3479", "--pidfile=turn.pid", "--userdb=turn.db"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        assert any("UDP listener opened" in line for line in self._process.stdout), "turnserver does not start"
        # It goes on talking, and would wait for a reader.
        threading.Thread(target=self._process.stdout.read, daemon=True).start()

    def close(self):
        self._process.terminate()
        self._process.wait()


def inside(test):
    """A test that lives on the server of its `lab`."""

    @functools.wraps(test)
    def on_the_server(lab, **fixtures):
        lab.run(lambda: test(lab, **fixtures))

    return on_the_server
