#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A command trial that keeps a record of its own: every line before it is sent, and every answer.

    program.py STEPS FOLDER PACE [--checkpoint] [--deaf]

Steps up to STEPS, PACE seconds each; with --checkpoint it makes one after every third step and when
told to pause. With --deaf it stays at its second step, and hears nothing, until FOLDER/../listen
exists. FOLDER/<trial>-<attempt> gets one JSON object per line. What `checker.py` holds against the
store is this record: it shows what the program was promised.
"""
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
    def __init__(self, record):
        self.record = record
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
        with open(os.path.join(folder, "state.json"), "w", encoding="utf-8") as file:
            json.dump({"trial": int(os.environ["ASSAY_TRIAL"]),
                       "attempt": int(os.environ["ASSAY_ATTEMPT"]), "step": step}, file)
        return self.say({"checkpoint": name, "step": step})


def main():
    last, record, pace = int(sys.argv[1]), Record(sys.argv[2]), float(sys.argv[3])
    checkpoints = "--checkpoint" in sys.argv
    state = {"step": 0}
    if os.environ.get("ASSAY_RESUME"):
        with open(os.path.join(os.environ["ASSAY_RESUME"], "state.json"), encoding="utf-8") as file:
            state = json.load(file)
    record.add(start=os.getpid(), state=state)
    x, agent = json.loads(os.environ["ASSAY_PARAMS"])["x"], Agent(record)
    for step in range(state["step"] + 1, last + 1):
        time.sleep(pace)
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
