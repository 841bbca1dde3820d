# SPDX-License-Identifier: Apache-2.0
"""Listens at a port and speaks ZMTP as a coordinator does, but has no key: it greets, hears the
first word, and refuses whoever comes (ZMTP 3.1, rfc.zeromq.org/spec/23 and 26). Prints a line for
each connection.

    python3 impostor.py PORT
"""
import socket
import sys
import threading

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + b"\x01" + bytes(31)
HELLO = 64 + 202  # bytes of a client's greeting and first word
ERROR = b"\x04\x0a\x05ERROR\x03400"


def refuse(line):
    with line:
        try:
            line.sendall(GREETING)
            line.recv(HELLO, socket.MSG_WAITALL)
            line.sendall(ERROR)
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):
                pass
        except OSError:
            pass  # it has left


with socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6,
                          dualstack_ipv6=True) as server:
    print("listens", flush=True)
    while True:
        connection, _ = server.accept()
        print("refused", flush=True)
        threading.Thread(target=refuse, args=(connection,), daemon=True).start()
