# SPDX-License-Identifier: Apache-2.0
"""The run of a trial: its configuration, what it logs, and Assay's socket."""
import atexit
import json
import math
import os
import socket
import sys
import threading

INIT = ("project entity name config dir id group job_type tags notes mode reinit resume save_code "
        "config_exclude_keys config_include_keys anonymous allow_val_change force settings "
        "sync_tensorboard monitor_gym magic tensorboard").split()
MUST_BE_OFF = "sync_tensorboard monitor_gym magic tensorboard".split()


class Error(Exception):
    pass


# ---- the socket ------------------------------------------------------------------------------

class Link:
    """One JSON object per line, one line in answer."""

    def __init__(self):
        path = os.environ.get("ASSAY_SOCKET")
        if not path:
            raise Error("there is no ASSAY_SOCKET: Assay's stand-in for wandb is for programs that "
                        "Assay runs and whose metrics come over its socket")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._lines = self._socket.makefile("rw", encoding="utf-8", newline="\n")

    def report(self, step, metrics):
        line = {"step": step, "metrics": {k: written(v) for k, v in metrics.items()}, "wait": True}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        text = self._lines.readline()
        answer = json.loads(text) if text else {"error": "the worker has closed the connection"}
        if "error" in answer:
            raise Error(answer["error"])
        return answer["do"]

    def close(self):
        self._lines.close()
        self._socket.close()


def written(value):
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def number(key, value):
    """A number, also of NumPy or a tensor with one element."""
    if isinstance(value, (bool, int, float)):
        return float(value) if isinstance(value, float) else int(value)
    try:
        return float(value.item() if hasattr(value, "item") else None)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"wandb.log: '{key}' is of type {type(value).__name__}, and Assay's "
                        "stand-in for wandb takes numbers only") from None


def flat(data, prefix=""):
    """Maps within maps as names with dots, as W&B shows them."""
    found = {}
    for key, value in data.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = number(f"{prefix}{key}", value)
    return found


# ---- the configuration -----------------------------------------------------------------------

def nested(params):
    """Names with dots as maps within maps."""
    tree = {}
    for name, value in params.items():
        *parents, leaf = name.split(".")
        at = tree
        for parent in parents:
            at = at.setdefault(parent, {})
        at[leaf] = value
    return tree


def as_dict(given):
    if given is None:
        return {}
    if hasattr(given, "as_dict"):
        return given.as_dict()
    if hasattr(given, "items"):
        return dict(given.items())
    if hasattr(given, "__dict__"):
        return dict(vars(given)) # argparse.Namespace
    raise TypeError(f"wandb.init: config is of type {type(given).__name__}, and Assay's stand-in "
                    "for wandb takes maps and argparse.Namespace")


class Config:
    """By name and by attribute. What the sweep has set stays as it is, as with W&B."""

    def __init__(self, locked, more):
        object.__setattr__(self, "_locked", locked)
        object.__setattr__(self, "_items", {})
        self.update(more)
        self._items.update(locked)

    def __getitem__(self, key):
        return self._items[key]

    def __setitem__(self, key, value):
        if key in self._locked:
            if value != self._locked[key]:
                print(f"wandb (Assay): config item '{key}' is set by the sweep (ignored update)",
                      file=sys.stderr)
            return
        self._items[key] = value

    __setattr__ = __setitem__

    def __getattr__(self, key):
        try:
            return self._items[key]
        except KeyError:
            raise AttributeError(f"wandb.config has no '{key}'") from None

    def __contains__(self, key):
        return key in self._items

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        return len(self._items)

    def __repr__(self):
        return repr(self._items)

    def get(self, key, default=None):
        return self._items.get(key, default)

    def keys(self):
        return self._items.keys()

    def values(self):
        return self._items.values()

    def items(self):
        return self._items.items()

    def as_dict(self):
        return dict(self._items)

    def update(self, more, allow_val_change=None):
        for key, value in as_dict(more).items():
            self[key] = value

    def setdefaults(self, more):
        for key, value in as_dict(more).items():
            if key not in self._items:
                self[key] = value
        return self.as_dict()


class Summary(dict):
    """The last of each metric, or what define_metric() asks for; a program may set it."""

    def __getattr__(self, key):
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"wandb.summary has no '{key}'") from None

    __setattr__ = dict.__setitem__


# ---- the run ---------------------------------------------------------------------------------

class Run:
    def __init__(self, options):
        self._lock = threading.RLock()
        self._check(options)
        self._link = Link()
        self._objective = os.environ.get("ASSAY_OBJECTIVE", "")
        self._ended = False
        self._row, self._row_step, self._rows = {}, None, 0
        self._waiting, self._iterations = {}, 0
        self._rules, self._means = {}, {}
        params = json.loads(os.environ.get("ASSAY_PARAMS", "{}"))
        trial = os.environ.get("ASSAY_TRIAL", "0")
        self.config = Config(nested(params), as_dict(options.get("config")))
        self.summary = Summary()
        self.sweep_id = os.environ.get("ASSAY_STUDY", "")
        self.id = options.get("id") or f"{self.sweep_id}-{trial}"
        self.name = options.get("name") or f"{os.environ.get('ASSAY_NAME', 'run')}-{trial}"
        self.project = options.get("project") or os.environ.get("ASSAY_PROJECT", "")
        self.entity = options.get("entity") or ""
        self.group, self.job_type = options.get("group") or "", options.get("job_type") or ""
        self.tags, self.notes = tuple(options.get("tags") or ()), options.get("notes")
        self.dir = os.environ.get("ASSAY_DIR") or os.getcwd()
        self.path = "/".join(part for part in (self.entity, self.project, self.id) if part)
        self.resumed, self.disabled, self.offline, self.url = False, False, False, None
        atexit.register(self.finish)

    @staticmethod
    def _check(options):
        for key, value in options.items():
            if key not in INIT or (key in MUST_BE_OFF and value):
                raise TypeError(f"wandb.init: '{key}' is not in Assay's stand-in for wandb")
        if options.get("mode") == "disabled":
            raise TypeError("wandb.init: mode 'disabled' is not in Assay's stand-in for wandb: the "
                            "sweep would get no values")

    def _update(self, options):
        self._check(options)
        self.config.update(as_dict(options.get("config")))

    def __getattr__(self, name):
        raise AttributeError(f"wandb.run.{name} is not in Assay's stand-in for wandb")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.finish(0 if kind is None else 1)
        return False

    @property
    def step(self):
        return self._rows

    # A row grows until it is committed: at once, or, where steps are given, by a later step.
    def log(self, data, step=None, commit=None, sync=None):
        if not isinstance(data, dict):
            raise TypeError(f"wandb.log takes a map, not {type(data).__name__}")
        with self._lock:
            if self._ended:
                raise Error("wandb.log after wandb.finish")
            if step is not None and step < self._rows:
                print(f"wandb (Assay): step {step} is below {self._rows} (ignored)",
                      file=sys.stderr)
                return
            values = flat(data)
            if step is not None and step > self._rows:
                self._commit()
                self._rows = step
            self._row.update(values)
            if commit or (commit is None and step is None):
                self._commit()
                self._rows += 1

    def _summarize(self, key, value):
        rule = self._rules.get(key, "last")
        if rule in ("min", "max"):
            value = min(value, self.summary[key]) if rule == "min" and key in self.summary else \
                max(value, self.summary[key]) if key in self.summary else value
        elif rule == "mean":
            total, n = self._means.get(key, (0.0, 0))
            self._means[key] = (total + value, n + 1)
            value = (total + value) / (n + 1)
        if rule != "none":
            self.summary[key] = value

    # An iteration is a row with the sweep's metric, as W&B's hyperband counts them. Other rows go
    # with the next of those, with the last value of each metric.
    def _commit(self):
        if not self._row:
            return
        row, self._row = self._row, {}
        for key, value in row.items():
            self._summarize(key, value)
        self._waiting.update(row)
        if self._objective in row:
            self._iterations += 1
            self._report(self._iterations)

    def _report(self, step):
        metrics, self._waiting = self._waiting, {}
        if self._link.report(step, metrics) != "continue":
            print("wandb (Assay): the study has ended this run", file=sys.stderr)
            self._end()
            sys.stdout.flush()
            raise SystemExit(0)

    def define_metric(self, name, step_metric=None, step_sync=None, hidden=None, summary=None,
                      goal=None, overwrite=None):
        rules = set((summary or "last").split(","))
        if rules - {"min", "max", "mean", "last", "none", "copy"} or len(rules) != 1 or \
                "*" in name:
            raise TypeError(f"wandb.define_metric: '{name}' with summary '{summary}' is not in "
                            "Assay's stand-in for wandb (one of min, max, mean, last, none)")
        self._rules[name] = "last" if rules == {"copy"} else rules.pop()

    def finish(self, exit_code=None, quiet=None):
        with self._lock:
            if self._ended:
                return
            try:
                self._commit()
                known = self.summary.get(self._objective)
                if self._iterations == 0 and known is not None:
                    self._waiting[self._objective] = number(self._objective, known)
                    self._iterations = 1
                if self._waiting:
                    self._report(max(self._iterations, 1))
            except SystemExit:
                pass  # it ends anyway
            finally:
                self._end()

    def _end(self):
        if not self._ended:
            self._ended = True
            atexit.unregister(self.finish)
            self._link.close()
