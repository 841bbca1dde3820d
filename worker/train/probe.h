/* SPDX-License-Identifier: Apache-2.0
 * probe.h - what a trainer says of the machine that it runs on: one JSON object each. */
#ifndef ASY__PROBE_H
#define ASY__PROBE_H
#include <asy/comm.h>
#include <asy/json.h>

/* What this node computes with, whether rightly, and how fast; word is not read. */
ASY_MUST_CHECK int asy__probe_node(const char *word, struct asy_jsonw *w, struct asy_error *err);
/* The devices of a kind (opencl or cuda), and whether each computes rightly: "selftest" is ok or
 * why not, "code" of that error, "opened" whether it could be opened at all. "why" there are none;
 * "fails": something is installed, but does not work. */
ASY_MUST_CHECK int asy__probe_device(const char *word, struct asy_jsonw *w, struct asy_error *err);
/* By all ranks: whether they add up a sum together. */
ASY_MUST_CHECK int asy__probe_gang(struct asy_comm *comm, struct asy_error *err);
#endif
