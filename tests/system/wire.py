# SPDX-License-Identifier: Apache-2.0
"""What passes over a host's network card, as anybody on the way could see it.

    with Capture(host) as capture:
        ...
    for flow, text in capture.streams().items(): ...

As a program (`wire.py FILE`, in the host's namespace) it writes packets until standard input ends.
"""
import os
import select
import socket
import struct
import subprocess
import sys

ALL = 0x0003          # ETH_P_ALL
ROOM = 64 << 20       # bytes that may wait to be written
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
LARGEST = 256 << 10   # the kernel cuts large segments after us


class Capture:
    def __init__(self, host):
        self.host, self.path = host, os.path.join(host.path, "packets")

    def __enter__(self):
        self.process = subprocess.Popen(
            self.host.command(sys.executable, os.path.abspath(__file__), self.path),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if line != "listens\n":
            raise AssertionError(f"the capture says {line!r}")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def stop(self):
        out, _ = self.process.communicate("")
        if self.process.returncode or out != "dropped=0\n":
            raise AssertionError(f"the capture is not whole: {self.process.returncode} {out!r}")

    def packets(self):
        with open(self.path, "rb") as file:
            while head := file.read(4):
                yield file.read(struct.unpack("<I", head)[0])

    def streams(self):
        """{((address, port), (address, port)): bytes}, one for each direction of a connection."""
        pieces = {}
        for packet in self.packets():
            if segment := tcp(packet):
                flow, sequence, data, first = segment
                pieces.setdefault(flow, []).append((sequence, data, first))
        return {flow: assemble(parts) for flow, parts in pieces.items()}


def tcp(packet):
    """Flow, sequence number, data and whether it is the first of a TCP segment over IPv4 or IPv6."""
    kind = struct.unpack("!H", packet[12:14])[0]
    if kind == 0x0800 and packet[23] == 6:
        at, end = 14 + 4 * (packet[14] & 15), 14 + struct.unpack("!H", packet[16:18])[0]
        hosts = [socket.inet_ntop(socket.AF_INET, packet[i:i + 4]) for i in (26, 30)]
    elif kind == 0x86dd and packet[20] == 6:
        at, end = 54, 54 + struct.unpack("!H", packet[18:20])[0]
        hosts = [socket.inet_ntop(socket.AF_INET6, packet[i:i + 16]) for i in (22, 38)]
    else:
        return None
    source, sink, sequence = struct.unpack("!HHI", packet[at:at + 8])
    syn = packet[at + 13] >> 1 & 1
    data = packet[at + 4 * (packet[at + 12] >> 4):end]
    return ((hosts[0], source), (hosts[1], sink)), (sequence + syn) & 0xffffffff, data, syn


def assemble(parts):
    """In order, each byte once; what is missing leaves no mark."""
    base = next((sequence for sequence, _, first in parts if first), parts[0][0])
    text, at = bytearray(), 0
    for offset, data in sorted(((sequence - base) & 0xffffffff, data) for sequence, data, _ in parts):
        if offset + len(data) > at and offset < 1 << 31:
            text += data[max(at - offset, 0):]
            at = offset + len(data)
    return bytes(text)


def main(path):
    line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    line.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    line.bind(("eth0", 0))
    line.setblocking(False)
    print("listens", flush=True)
    with open(path, "wb") as file:
        ended = False
        while True:
            ready, _, _ = select.select([line, sys.stdin], [], [], 0.2 if ended else None)
            if line in ready:
                packet = line.recv(LARGEST)
                file.write(struct.pack("<I", len(packet)) + packet)
            elif ended:
                break
            ended = ended or sys.stdin in ready
    _, dropped = struct.unpack("II", line.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(f"dropped={dropped}")


if __name__ == "__main__":
    main(sys.argv[1])
