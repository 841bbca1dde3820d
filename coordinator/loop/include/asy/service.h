/* SPDX-License-Identifier: Apache-2.0
 * asy/service.h - a running coordinator: the loop that feeds core from sockets, timers and signals,
 * and the threads beside it. The writer commits in groups, compute runs samplers, the reader
 * answers questions from the store; they talk in messages (mail.h) and share nothing else.
 *
 * Threads: create, run and destroy on one thread; asy_service_stop() from a signal handler. */
#ifndef ASY_SERVICE_H
#define ASY_SERVICE_H
#include <asy/buf.h>
#include <asy/settings.h>

struct asy_service_spec {
    const char *home;                      /* $ASSAY_HOME, absolute */
    const struct asy_settings *settings;   /* outlives the service */
    int keep;                              /* 1: does not end when idle */
    int drain;                             /* 1: drains from the start, as after a signal */
    const char *version;                   /* outlives the service */
};
struct asy_service;
/* Opens the store, replays it, listens, writes the discovery file. ASY_E_BUSY: another coordinator
 * owns the store; the text names it. */
ASY_MUST_CHECK int asy_service_create(const struct asy_service_spec *spec,
                                      struct asy_service **ret_service, struct asy_error *err);
/* Serves until it is told to end, or idle for long enough. */
ASY_MUST_CHECK int asy_service_run(struct asy_service *service, struct asy_error *err);
void asy_service_destroy(struct asy_service *service);
/* One JSON object on the store of a home, for `assay doctor`: {store: {path, file_system,
 * network, locked, holder {host, boot, pid, since_us, beat_us, open} or null, exists, id,
 * owner_epoch, port, schema, schema_known, error}}. Nothing is changed, and a coordinator may
 * run; a store that cannot be read is no failure but the member error. */
ASY_MUST_CHECK int asy_service_probe(const char *home, struct asy_buf *ret_json,
                                     struct asy_error *err);

/* The names of the coordinator's crash points (asy/crash.h). NULL beyond the last. */
const char *asy_service_crash_point(size_t i, const char **ret_help);
#endif
