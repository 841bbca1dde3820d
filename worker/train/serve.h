/* SPDX-License-Identifier: Apache-2.0
 * serve.h - a rank's life under its agent: wait for an order, run it, report, wait again. */
#ifndef ASY__SERVE_H
#define ASY__SERVE_H
#include <asy/comm.h>

/* Joins the agent at socket_path and serves until it is told to exit. When the connection ends,
 * the process ends at once: what it would still compute nobody wants. */
ASY_MUST_CHECK int asy__serve(const char *socket_path, const char *token, struct asy_comm *comm,
                              struct asy_error *err);
#endif
