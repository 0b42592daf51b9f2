"""Programs of a run: started here, ended here by their ids, and what they cost meanwhile."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Program:
    """A running program with a port."""

    def __init__(self, name, command, folder, port, environment=None):
        self.name, self.port = name, port
        self.output = open(folder / "output.log", "wb")
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=self.output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})})
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    text = (folder / "output.log").read_text(errors="replace")
                    raise SystemExit(f"{name} did not start:\n{text[-4000:]}") from None
                time.sleep(0.02)

    def pids(self):
        """The process and its children (nginx has a master and workers)."""
        pids = [self.process.pid]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except (OSError, IndexError):
                    continue
                if parent == self.process.pid:
                    pids.append(int(entry.name))
        return pids

    def cpu_seconds(self):
        """User and system time of all threads so far."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def switches(self):
        """Context switches of all threads so far, wanted and forced."""
        total = 0
        for pid in self.pids():
            for status in Path(f"/proc/{pid}/task").glob("*/status"):
                total += sum(int(count) for count in re.findall(r"ctxt_switches:\s+(\d+)", status.read_text()))
        return total

    def memory_kib(self):
        """Memory that exists because of this program: its private share (Pss counts shared pages once)."""
        total = 0
        for pid in self.pids():
            total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                for pid in self.pids():
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()
        self.output.close()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def write(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def version(command):
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    match = re.search(r"\d+\.\d+\S*", run.stdout + run.stderr)
    return match[0] if match else "?"


def open_files(wanted):
    """Raises the limit as far as allowed, for this process and what it starts."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in ((wanted, max(hard, wanted)), (min(wanted, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


#: The Debian package of a tool, where its name differs.
PACKAGES = {"h2load": "nghttp2-client"}


def need(tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        packages = " ".join(PACKAGES.get(tool, tool) for tool in missing)
        sys.exit(f"{', '.join(missing)} not found; on Debian: apt-get install {packages}")
