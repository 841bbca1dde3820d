#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HDF5 files that test_hdf5.c reads, of what h5py writes.

    /usr/bin/python3 tests/train/make_hdf5.py tests/train/data

Wants the Debian package python3-h5py. What wrote a file stands in its attribute `made_by`.
"""
import os
import sys

import h5py
import numpy

ROWS = 150000  # more than are read at once
TEXTS = 300    # likewise


def numbers(file):
    for name in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i2", ">f4",
                 ">f8", "f16"):
        values = [0, 1, 2.5 if "f" in name else 2, 100 if name[0] == "u" else -100]
        file[name.replace(">", "big_")] = numpy.array(values, name)
    file["bool"] = numpy.array([True, False, True])
    kind = h5py.enum_dtype({"RED": 7, "BLUE": 9}, basetype="u2")
    file.create_dataset("enum", data=numpy.array([7, 9, 7], "u2"), dtype=kind)
    file["nan"] = numpy.array([numpy.nan, 1])


def texts(file):
    file["fixed"] = numpy.array([b"red", b"", b"green"])
    file.create_dataset("utf8", data=["red", "gr\u00fcn", ""], dtype=h5py.string_dtype())
    file.create_dataset("many", data=["text %d" % (i % 3) for i in range(TEXTS)],
                        dtype=h5py.string_dtype("ascii"))
    file["side"] = numpy.arange(2 * TEXTS, dtype="f4").reshape(TEXTS, 2) % 5
    file["truth"] = numpy.arange(TEXTS) % 3 > 0
    file["grade"] = (numpy.arange(TEXTS) % 4).astype("S1")
    file["amount"] = numpy.arange(TEXTS) / 8
    file.create_dataset("pairs", data=[["a", "b"], ["c", "d"]], dtype=h5py.string_dtype())


def storage(file):
    table = numpy.arange(24, dtype="f4").reshape(4, 2, 3)
    file.create_dataset("gzip", data=table, chunks=(3, 1, 2), compression="gzip", shuffle=True,
                        fletcher32=True)
    file.create_dataset("lzf", data=table, chunks=(1, 2, 3), compression="lzf")
    rows = numpy.arange(ROWS)
    file.create_dataset("long", data=numpy.stack([rows % 7, rows % 11], 1).astype("u1"),
                        chunks=(40000, 1), compression="gzip")
    file.create_dataset("half", shape=(4, 2), maxshape=(None, 2), chunks=(2, 2), dtype="i4",
                        fillvalue=5)[:2] = [[1, 2], [3, 4]]


def refused(file):
    file["fields"] = numpy.zeros(3, [("a", "f4"), ("b", "i4")])
    file["complex"] = numpy.zeros(3, "c8")
    file["opaque"] = numpy.zeros(3, "V4")
    arrays = h5py.h5t.array_create(h5py.h5t.NATIVE_FLOAT, (2,))
    h5py.h5d.create(file.id, b"arrays", arrays, h5py.h5s.create_simple((3,)))
    file.create_dataset("ragged", shape=(2,), dtype=h5py.vlen_dtype("i4"))[0] = [1, 2]
    file["scalar"] = 1.0
    file["empty"] = h5py.Empty("f4")
    file["no rows"] = numpy.zeros((0, 2))
    file.create_dataset("unwritten", shape=(5,), chunks=(5,), dtype="f4")
    file.create_dataset("wide", shape=(1, 70000), chunks=(1, 100), dtype="f4")[0, 0] = 1
    file.create_dataset("chunky", shape=(2**20, 1000), chunks=(2**20, 300), dtype="f4")
    file.create_dataset("outside", shape=(4,), dtype="f4", external=[("other.bin", 0, 16)])
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4,))
    file.create_virtual_dataset("virtual", layout)
    file["soft"] = h5py.SoftLink("/i4")
    file["external"] = h5py.ExternalLink("other.h5", "/x")
    group = file.create_group("group")
    group["x"] = numpy.arange(3)
    group["again"] = file["/"]  # a circle


def padded(file):
    """Texts of a fixed size as C and Fortran write them: bytes as they are, not converted."""
    for name, padding, values in (
            ("terminated", h5py.h5t.STR_NULLTERM, [b"red\0##", b"\0#####", b"grey\0\0"]),
            ("spaces", h5py.h5t.STR_SPACEPAD, [b"red   ", b"      ", b" a b  "])):
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(6)
        kind.set_strpad(padding)
        data = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple((3,)))
        data.write(h5py.h5s.ALL, h5py.h5s.ALL, numpy.array(values, "V6"), kind)


def main():
    made_by = f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}"
    with h5py.File(os.path.join(sys.argv[1], "many.h5"), "w", track_order=False) as file:
        file.attrs["made_by"] = made_by
        for part in numbers, texts, storage, refused:
            part(file)
    with h5py.File(os.path.join(sys.argv[1], "table.h5"), "w") as file:
        file.attrs["made_by"] = made_by
        file["a label"] = [3, 4]
        file["images"] = numpy.arange(8, dtype="u1").reshape(2, 2, 2)
    path = os.path.join(sys.argv[1], "block.h5")
    with h5py.File(path, "w", userblock_size=2048) as file:
        file.attrs["made_by"] = made_by
        padded(file)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, or what a user likes")


if __name__ == "__main__":
    main()
