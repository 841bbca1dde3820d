#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A command trial that keeps a record of its own: every line before it is sent, and every answer.

    program.py STEPS FOLDER PACE [--checkpoint] [--deaf] [--heavy BYTES]

Steps up to STEPS, PACE seconds each; with --checkpoint it makes one after every third step and when
told to pause. With --deaf it stays at its second step, and hears nothing, until FOLDER/../listen
exists. Once FOLDER/../hurry exists steps take no time. With --heavy its checkpoints have so many bytes more, which it looks at when it goes on from
one. FOLDER/<trial>-<attempt> gets one JSON object per line. What `checker.py` holds against the
store is this record: it shows what the program was promised.
"""
import hashlib
import json
import os
import socket
import sys
import time


class Record:
    def __init__(self, folder):
        name = f"{os.environ['ASSAY_TRIAL']}-{os.environ['ASSAY_ATTEMPT']}"
        self.fd = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, **line):
        os.write(self.fd, json.dumps(line).encode() + b"\n")


class Agent:
    def __init__(self, record, heavy):
        self.record, self.heavy = record, heavy
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.connect(os.environ["ASSAY_SOCKET"])
        self.lines = link.makefile("rw", encoding="utf-8", newline="\n")

    def say(self, line):
        self.record.add(said=line)
        try:
            self.lines.write(json.dumps(line) + "\n")
            self.lines.flush()
            text = self.lines.readline()
        except OSError:
            text = ""
        if not text:
            self.record.add(cut=True)
            sys.exit(1)
        answer = json.loads(text)
        self.record.add(heard=answer)
        return answer.get("do", "continue")

    def checkpoint(self, step):
        name = f"step-{step}"
        folder = os.path.join(os.environ["ASSAY_CHECKPOINT_DIR"], name)
        os.makedirs(folder, exist_ok=True)
        state = {"trial": int(os.environ["ASSAY_TRIAL"]),
                 "attempt": int(os.environ["ASSAY_ATTEMPT"]), "step": step}
        if self.heavy:
            ballast = os.urandom(self.heavy)
            state["ballast"] = hashlib.sha256(ballast).hexdigest()
            with open(os.path.join(folder, "ballast"), "wb") as file:
                file.write(ballast)
        with open(os.path.join(folder, "state.json"), "w", encoding="utf-8") as file:
            json.dump(state, file)
        return self.say({"checkpoint": name, "step": step})


def resume(folder):
    """What the checkpoint says; a damaged one is none that was ever made."""
    with open(os.path.join(folder, "state.json"), encoding="utf-8") as file:
        state = json.load(file)
    if "ballast" in state:
        with open(os.path.join(folder, "ballast"), "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != state["ballast"]:
                state["attempt"] = -1
    return state


def option(name):
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else 0


def main():
    last, record, pace = int(sys.argv[1]), Record(sys.argv[2]), float(sys.argv[3])
    checkpoints = "--checkpoint" in sys.argv
    state = {"step": 0}
    if os.environ.get("ASSAY_RESUME"):
        state = resume(os.environ["ASSAY_RESUME"])
    record.add(start=os.getpid(), state=state)
    x, agent = json.loads(os.environ["ASSAY_PARAMS"])["x"], Agent(record, option("--heavy"))
    for step in range(state["step"] + 1, last + 1):
        if not os.path.exists(f"{sys.argv[2]}/../hurry"):
            time.sleep(pace)
        print("step", step, flush=True)
        record.add(printed=f"step {step}\n")
        line = {"step": step, "metrics": {"loss": x + 1 / step}}
        if step % 2 == 0:
            line["wait"] = True  # until it is judged, and so durable
        verdict = agent.say(line)
        while step == 2 and "--deaf" in sys.argv and not os.path.exists(f"{sys.argv[2]}/../listen"):
            time.sleep(0.02)
        if checkpoints and (verdict == "pause" or step % 3 == 0):
            agent.checkpoint(step)
        if verdict != "continue":
            return


if __name__ == "__main__":
    main()
