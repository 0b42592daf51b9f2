"""What goes by the server: the packets of its ports, and the tracker's own count."""

import re
import signal
import socket
import subprocess
import urllib.request
import uuid

from people import eventually


def differences(data: bytes) -> bytes:
    """What each byte and the fourth after it differ by: a WebSocket's mask of four bytes (RFC 6455 section 5.3) doesn't show in it."""
    length = max(len(data) - 4, 0)
    return (int.from_bytes(data[:length], "big") ^ int.from_bytes(data[4:], "big")).to_bytes(length, "big")


class Packets:
    def __init__(self, data):
        self.data = data
        self._differences = differences(data)

    def count(self, text):
        """How often a text went by, in the clear or masked."""
        assert len(text) >= 12, f"{text!r} could be there by chance"
        return self._differences.count(differences(text.encode()))


class Capture:
    """Every packet to and from the programs of a world, on the loopback interface."""

    def __init__(self, world, folder):
        self._file = folder / f"{uuid.uuid4()}.pcap"
        self._fence = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._fence.bind(("127.0.0.1", 0))
        ports = [self._fence.getsockname()[1], *(program.port.number for program in world.programs)]
        self._tcpdump = subprocess.Popen(
            ["tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root", "-i", "lo", "-s", "0", "-B", "32768", "-w", self._file,
             " or ".join(f"port {port}" for port in ports)],
            stderr=subprocess.PIPE, text=True,
        )
        assert any("listening on" in line for line in self._tcpdump.stderr), "tcpdump does not start"

    def stop(self):
        """What was seen until now."""
        fence = str(uuid.uuid4()).encode()
        self._fence.sendto(fence, self._fence.getsockname())
        eventually(lambda: fence in self._file.read_bytes())
        self._tcpdump.send_signal(signal.SIGINT)
        said = self._tcpdump.stderr.read()
        self._tcpdump.wait()
        self._fence.close()
        assert re.search(r"^0 packets dropped by kernel", said, re.MULTILINE), f"the capture has gaps: {said}"
        return Packets(self._file.read_bytes())


def content_bytes(admin):
    """Bytes of message text that the tracker was given, by its metrics."""
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
        found = re.findall(r'^tracker_content_bytes_total\{kind="\w+"\} (\d+)$', answer.read().decode(), re.MULTILINE)
    assert found
    return sum(map(int, found))
