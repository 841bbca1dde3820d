# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy between workers and their coordinator that does what networks do: it resets connections,
closes them in order, delays what they carry, swallows it, and closes one side of them alone. It keeps
what workers say first, and can say something twice.

    with Proxy("127.0.0.1", port) as proxy:
        proxy.discovery(home, path)   # for assay-worker --discovery path
        proxy.cut()

Nothing of what is done to it is announced to anybody. Threads, one per connection and direction:
what a test sends through it is little.
"""
import json
import os
import socket
import struct
import threading

KEPT = 64  # pieces of what a worker said
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.dead = {near: False, far: False}
        self.said = []  # what came from near first, as it came
        for source, sink in (near, far), (far, near):
            threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            self.proxy.flows.wait()
            if self.proxy.lag:
                self.proxy.ended.wait(self.proxy.lag)
            if self.dead[sink]:  # half open: read and thrown away, as long as it comes
                if not data:
                    return
                continue
            if source is self.near:
                if len(self.said) < KEPT:
                    self.said.append(data)
                if self.proxy.twice:
                    self.proxy.twice = False
                    data *= 2
            try:
                sink.sendall(data)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            if not data:
                return

    def close(self, side, reset):
        if self.dead[side]:
            return
        self.dead[side] = True
        try:
            if reset:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        side.close()


class Proxy:
    def __init__(self, host, port):
        self.target = host, port
        self.flows, self.ended = threading.Event(), threading.Event()
        self.flows.set()
        self.lag, self.twice = 0, False
        self.links, self.lock = [], threading.Lock()

    def __enter__(self):
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.heal()
        self.door.close()
        self.cut()

    def accept(self):
        while True:
            try:
                near, _ = self.door.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:  # as if nobody listened here either
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                near.close()
                continue
            with self.lock:
                self.links.append(Link(self, near, far))

    def discovery(self, home, path):
        """The coordinator's discovery file with this proxy's address. It seems to be of another host,
        whose processes nobody can look for."""
        with open(os.path.join(home, "coordinator.json")) as file:
            found = json.load(file)
        found["endpoints"] = [f"tcp://127.0.0.1:{self.port}"]
        found["boot_id"], found["host"] = "0", "elsewhere"
        with open(path, "w") as file:
            json.dump(found, file)
        os.chmod(path, 0o600)
        return path

    # ---- violence

    def each(self, act):
        with self.lock:
            for link in self.links:
                act(link)

    def cut(self):
        """Both ends hear of it at once."""
        self.each(lambda link: (link.close(link.near, True), link.close(link.far, True)))

    def close(self):
        """In order, as if each side had closed."""
        self.each(lambda link: (link.close(link.near, False), link.close(link.far, False)))

    def delay(self, seconds):
        self.lag = seconds

    def swallow(self):
        """Connections stay, nothing passes; what comes waits until it heals."""
        self.flows.clear()

    def half_open_near(self):
        """The coordinator lost the connection, the worker does not know."""
        self.each(lambda link: link.close(link.far, True))

    def half_open_far(self):
        """The worker lost the connection, the coordinator does not know."""
        self.each(lambda link: link.close(link.near, True))

    def repeat(self):
        """The next thing that a worker says arrives twice."""
        self.twice = True

    def heal(self):
        self.lag = 0
        self.flows.set()
