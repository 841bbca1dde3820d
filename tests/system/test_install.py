# SPDX-License-Identifier: Apache-2.0
"""An installed tree stands alone: its programs find each other, its library can be used, packages
are built."""
import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

import harness
from harness import Home, SOURCE, equal, has, main

BUILD, CMAKE, COMPILER, SANITIZE = sys.argv[3:7]

STUDY = """
assay: 1
name: installed
run: {command: [sh, -c, 'echo loss={x}'], metrics: {pattern: 'loss=(?<loss>\\S+)'}}
objective: {metric: loss, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 1}
budget: {trials: 4}
"""

USER = """
#include <stdio.h>
#include <asy/tuner.h>

int main(void)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = "tpe", .goals = &goal, .n_goals = 1 };
    struct asy_param lr = { .name = "lr", .type = ASY_PARAM_FLOAT, .lo = 1e-4, .hi = 1, .log = 1 };
    struct asy_sampler *sampler = NULL;
    struct asy_space *space = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    double x = -1;

    if (asy_space_create(&space, &err) || asy_space_add(space, &lr, &err) ||
        asy_sampler_create(space, &spec, &sampler, &err) ||
        asy_sampler_ask(sampler, 0, NULL, &x, &err))
        fprintf(stderr, "%s\\n", err.text);
    printf("%d\\n", x >= 1e-4 && x <= 1);
    asy_sampler_destroy(sampler);
    asy_space_destroy(space);
    return 0;
}
"""


def call(*args, **kw):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    equal(f"{args}\n{done.stdout}", done.returncode, 0)
    return done.stdout


def install(prefix, component):
    call(CMAKE, "--install", BUILD, "--prefix", prefix, "--component", component)


def programs_find_each_other():
    with tempfile.TemporaryDirectory(prefix="assay installed ") as prefix, Home() as home:
        install(prefix, "runtime")
        equal("bin", os.listdir(os.path.join(prefix, "bin")), ["assay"])
        harness.BIN = os.path.join(prefix, "bin")
        home.env["PATH"] = "/usr/bin:/bin"
        home.write("study.yaml", STUDY)
        home.run("run", "study.yaml")
        states = [t["state"] for t in home.json("trials", "installed")["trials"]]
        equal("states", states, ["complete"] * 4)
        home.run("down")
        example = os.path.join(prefix, "share", "assay", "examples", "digits-mlp.yaml")
        has("the first example", open(example).read(), "model: mlp")


def the_library_can_be_used():
    with tempfile.TemporaryDirectory(prefix="assay-installed-") as prefix:
        install(prefix, "development")
        source = os.path.join(prefix, "user.c")
        with open(source, "w") as f:
            f.write(USER)
        path = glob.glob(os.path.join(prefix, "lib*", "**", "pkgconfig"), recursive=True)
        env = dict(os.environ, PKG_CONFIG_PATH=":".join(path))
        flags = call("pkg-config", "--cflags", "--libs", "assay-tuner", env=env).split()
        extra = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
        user = os.path.join(prefix, "user")
        call(COMPILER, "-std=gnu17", "-Wall", "-Werror", *extra, source, *flags, "-o", user)
        equal("a point", call(user), "1\n")
        example = os.path.join(SOURCE, "examples", "library", "branin.c")
        branin = os.path.join(prefix, "branin")
        call(COMPILER, "-std=c17", "-Wall", "-Werror", *extra, example, *flags, "-o", branin)
        out = call(branin)
        value = float(out.split("=")[1].split()[0])
        if not 0.3978 < value < 0.41:  # the least one is 0.397887
            raise AssertionError(out)
        has("importance", out, "of the variance: x 0.")
        needs = call("readelf", "-d", branin)
        for library in ("OpenCL", "zmq", "mpi", "sqlite", "openblas"):
            equal(f"needs {library}", library in needs, False)


def a_plugin_needs_one_header():
    with tempfile.TemporaryDirectory(prefix="assay-installed-") as prefix:
        install(prefix, "development")
        path = glob.glob(os.path.join(prefix, "lib*", "**", "pkgconfig"), recursive=True)
        env = dict(os.environ, PKG_CONFIG_PATH=":".join(path))
        flags = call("pkg-config", "--cflags", "--libs", "assay-trainer", env=env).split()
        headers = os.path.join(prefix, "alone", "asy")
        os.makedirs(headers)
        shutil.copy(os.path.join(prefix, "include", "asy", "trainer.h"), headers)
        example = os.path.join(SOURCE, "examples", "plugin", "fm.c")
        fm = os.path.join(prefix, "fm.so")
        for where in (flags, ["-I", os.path.dirname(headers)]):
            call(COMPILER, "-std=c17", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", example,
                 *where, "-lm", "-o", fm)
        has("its table", call(os.path.join(BUILD, "bin", "assay-trainer"), "--describe-plugin", fm),
            '"name":"fm"')
        with open(example) as f:
            equal("short", len(f.readlines()) < 150, True)


def packages_are_built():
    with tempfile.TemporaryDirectory(prefix="assay-packed-") as folder:
        call("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-G", "TGZ",
             "-B", folder, "-D", "CPACK_STRIP_FILES=OFF", cwd=folder)
        archives = glob.glob(os.path.join(folder, "assay-*.tar.gz"))
        equal("archives", len(archives), 1)
        with tarfile.open(archives[0]) as archive:
            names = [name.split("/", 1)[-1] for name in archive.getnames()]
        for name in ("bin/assay", "libexec/assay/assay-coordinator", "share/doc/assay/LICENSE",
                     "include/asy/tuner.h", "include/asy/trainer.h"):
            equal(name, name in names, True)


main(programs_find_each_other, the_library_can_be_used, a_plugin_needs_one_header,
     packages_are_built)
