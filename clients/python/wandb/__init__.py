# SPDX-License-Identifier: Apache-2.0
"""Assay's stand-in for the module of W&B: what programs of sweeps use most, reported to Assay.

It is no part of W&B and shares no code with it. `init`, `config`, `log`, `summary`,
`define_metric` and `finish` work; `login` has nothing to do and says yes. Everything else raises an
error with its name, so that nothing is lost in silence. `assay run --no-wandb-shim` leaves it out.
"""
from ._run import Config, Error, Run, Summary

__version__ = "0+assay"

run = None


def init(**options):
    """Begins the run of this trial, or returns the one that has begun."""
    global run
    if run is None or run._ended:
        run = Run(options)
    else:
        run._update(options)
    return run


def login(*_args, **_options):
    return True


def _begun(name):
    if run is None or run._ended:
        raise Error(f"You must call wandb.init() before wandb.{name}")
    return run


def log(data, step=None, commit=None, sync=None):
    _begun("log()").log(data, step=step, commit=commit, sync=sync)


def define_metric(name, **options):
    return _begun("define_metric()").define_metric(name, **options)


def finish(exit_code=None, quiet=None):
    if run is not None:
        run.finish(exit_code, quiet)


class _Begun:
    """wandb.config and wandb.summary: those of the run, once it has begun."""

    def __init__(self, name):
        object.__setattr__(self, "_name", name)

    def _target(self):
        return getattr(_begun(object.__getattribute__(self, "_name")),
                       object.__getattribute__(self, "_name"))

    def __getattr__(self, key):
        return getattr(self._target(), key)

    def __setattr__(self, key, value):
        setattr(self._target(), key, value)

    def __getitem__(self, key):
        return self._target()[key]

    def __setitem__(self, key, value):
        self._target()[key] = value

    def __contains__(self, key):
        return key in self._target()

    def __iter__(self):
        return iter(self._target())

    def __len__(self):
        return len(self._target())

    def __repr__(self):
        return repr(self._target())


config = _Begun("config")
summary = _Begun("summary")


def __getattr__(name):
    raise AttributeError(
        f"wandb.{name} is not in Assay's stand-in for wandb (init, config, log, summary, "
        "define_metric, finish, login, run); run the sweep with --no-wandb-shim to have the module "
        "that is installed")
