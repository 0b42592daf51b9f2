"""The three real programs, each with a folder and a port of its own."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def binary(name):
    """A program of this build: in `$BIN_DIR`, or where cargo puts it."""
    folder = os.environ.get("BIN_DIR") or Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug"
    file = (REPOSITORY / folder / name).resolve()
    assert file.exists(), f"{file} is missing: cargo build --workspace --bins, or set BIN_DIR"
    return file


class Port:
    """A port for a program that is killed and comes back.

    Below the kernel's ephemeral range, so that no outgoing connection takes it meanwhile; a locked file keeps
    other tests off it (the system tests in Rust lock the same files).
    """

    def __init__(self):
        folder = Path(tempfile.gettempdir()) / "hybrid-chat-test-ports"
        folder.mkdir(exist_ok=True)
        numbers = list(range(21_000, 31_000))
        random.shuffle(numbers)
        for number in numbers:
            claim = open(folder / str(number), "w")
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket() as trial:
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    trial.bind(("127.0.0.1", number))
            except OSError:
                claim.close()
                continue
            self.number, self._claim = number, claim
            return
        raise RuntimeError("no free port")

    @property
    def address(self):
        return f"127.0.0.1:{self.number}"

    def release(self):
        self._claim.close()


class Program:
    """One program. Its log is a file, shown when a test fails."""

    def __init__(self, name, args, folder, port, env=None):
        self.name, self.port = name, port
        self._command = [str(binary(name)), "--log-format", "text", *map(str, args)]
        self._env = {"PATH": os.environ["PATH"], **(env or {})}
        self._folder = folder
        self.log = folder / f"{name}.log"
        self._process = None

    def start(self):
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"{self.name} ended:\n{self.log.read_text()}"
            try:
                with socket.create_connection(("127.0.0.1", self.port.number), timeout=1):
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"{self.name} does not listen:\n{self.log.read_text()}")

    def kill(self):
        """kill -9: no chance to say goodbye."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self):
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.kill()


class World:
    """Proxy, backend-auth and tracker, as a newcomer runs them."""

    def __init__(self, auth_flags=(), tracker_flags=(), host="localhost", listen="127.0.0.1", named=False):
        """`named=True`: backend-auth is told the address at which people open the chat."""
        self._home = tempfile.TemporaryDirectory(prefix="hybrid-chat-browser-")
        home = Path(self._home.name)
        auth, tracker, proxy = Port(), Port(), Port()
        self.url = f"http://{host}:{proxy.number}"
        if named:
            auth_flags = [*auth_flags, "--public-origin", self.url]
        self.auth = Program(
            "backend-auth",
            ["--server-port", auth.number, "--data-dir", home / "auth", "--www", REPOSITORY / "www", *auth_flags],
            home, auth,
        )
        self.tracker = Program(
            "chat-tracker",
            ["--server-port", tracker.number, "--data-dir", home / "tracker", "--auth-url", f"http://{auth.address}",
             "--stun-port", "0", *tracker_flags],
            home, tracker, {"STUN_PORT": "0"},
        )
        self.proxy = Program(
            "proxy", ["--config", REPOSITORY / "proxy.conf"], home, proxy,
            {"PROXY_LISTEN": f"{listen}:{proxy.number}", "BACKEND_AUTH": auth.address, "CHAT_TRACKER": tracker.address},
        )
        self.programs = [self.auth, self.tracker, self.proxy]
        for program in self.programs:
            program.start()
        self._await_ready()

    def _await_ready(self):
        """Until a call goes all the way: 401, for want of a session, not 503."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/chat/me", timeout=5)
            except urllib.error.HTTPError as answer:
                if answer.code == 401:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the programs do not get ready:\n{self.logs()}")

    def logs(self):
        return "\n".join(f"--- {program.name}\n{program.log.read_text()[-4000:]}" for program in self.programs)

    def close(self):
        for program in reversed(self.programs):
            program.stop()
            program.port.release()
        self._home.cleanup()
