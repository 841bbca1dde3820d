/* SPDX-License-Identifier: Apache-2.0
 * gate.c - the thread beside a server: answers libzmq's question who may connect, and reads the
 * socket monitor.
 *
 * libzmq asks at one fixed endpoint per context, from its I/O thread, in the middle of a CURVE
 * handshake; so the answer may not wait for the loop that owns the ROUTER. The monitor is read here
 * too: libzmq writes to it with a blocking send, and a loop that is busy with something else would
 * stall all connections once the monitor's queue is full.
 *
 * Start and stop are handshakes through a mutex and an eventfd. The counters, the list of ended
 * connections and that of arrivals are the only other state that two threads see. If the thread
 * ever ended early, libzmq would let connections in unasked (to refuse them instead is a draft
 * option of 4.3); they would have no user id, and the server drops the frames of such peers.
 *
 * An arrival is noted before it can be let in: libzmq tells of it before it asks, and all that it
 * has told is read before an answer. So a frame never comes of one that is noted later. */
#include "gate.h"
#include <asy/clock.h>
#include "arrivals.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define KEY_BYTES 32
#define ENDED_MAX 65536u /* that wait to be heard of: what comes beyond is not told */
/* Connections that have not said anything: a quarter of all descriptors, since a process may have
 * two servers, and no more than this, which is what 800 half-open handshakes a second come to until
 * they are over. */
#define ARRIVALS_MAX 4096u
#define ARRIVALS_MIN 16u
#define LET_IN_MS (2 * ASY__HANDSHAKE_MS) /* whoever is there then has been let in */

struct asy__gate {
    struct asy_channel *channel;
    asy_authorise_f authorise;
    void *arg;
    char monitor_name[64];
    int stop_fd; /* eventfd */
    pthread_t thread;
    int has_thread, has_lock;
    pthread_mutex_t lock; /* of all down to ended_fd */
    char last_key[ASY_KEY_TEXT], last_from[64]; /* of the last refused */
    char failed_from[64];                       /* of the last that failed */
    int failed_why;                             /* a protocol error of libzmq, or an errno */
    struct asy__arrivals arrivals;
    /* libzmq does not tell of the failure of what looks like an ancient version of itself, as much
     * garbage does. So those that ended unheard are counted, for whatever reason; of these some
     * were refused, and some were let in and said nothing. The rest has failed. */
    uint64_t heard, unheard, failed, failed_untold;
    pthread_cond_t changed;
    int started, closed, rc;
    struct asy_error err;
    int *ended; /* [n_ended] descriptors */
    size_t n_ended, cap_ended;
    int ended_fd; /* eventfd: readable while there are some */
    atomic_uint_least64_t accepted, refused;
    void *zap, *monitor; /* the thread's own */
    /* The connection that ends next failed its handshake, and why. It counts when it ends: then it
     * is known from where it came. */
    int failing, failing_why;
};

/* ---- answering ----------------------------------------------------------------------------- */

enum zap_part {
    ZAP_VERSION,
    ZAP_REQUEST,
    ZAP_DOMAIN,
    ZAP_ADDRESS,
    ZAP_IDENTITY,
    ZAP_MECHANISM,
    ZAP_CREDENTIALS,
    ZAP_PARTS
};
struct part {
    int len; /* may exceed the room: then it was cut */
    uint8_t bytes[256];
};

static int part_is(const struct part *part, const char *text)
{
    size_t n = strlen(text);

    return part->len >= 0 && (size_t)part->len == n && !memcmp(part->bytes, text, n);
}

/* One whole request. 1: well formed, 0: not, negative: none waits. */
static int read_request(void *zap, struct part parts[ZAP_PARTS])
{
    struct part spare;
    int n = 0, more = 1, ok = 1;

    while (more) {
        struct part *part = n < ZAP_PARTS ? &parts[n] : &spare;
        size_t size = sizeof more;

        part->len = zmq_recv(zap, part->bytes, sizeof part->bytes, ZMQ_DONTWAIT);
        if (part->len < 0)
            return -1;
        ok &= (size_t)part->len <= sizeof part->bytes;
        n++;
        if (zmq_getsockopt(zap, ZMQ_RCVMORE, &more, &size) < 0)
            return -1;
    }
    return ok && n == ZAP_PARTS && part_is(&parts[ZAP_VERSION], "1.0");
}

static void reply(void *zap, const struct part *request, const char *code, const char *text,
                  const char *user)
{
    /* A REP never blocks: when the asker has gone, the parts are dropped. */
    zmq_send(zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(zap, request->bytes, (size_t)request->len, ZMQ_SNDMORE);
    zmq_send(zap, code, strlen(code), ZMQ_SNDMORE);
    zmq_send(zap, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(zap, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(zap, "", 0, 0);
}

static void note_refused(struct asy__gate *gate, const char *key, const struct part *from)
{
    static const char mapped[] = "::ffff:"; /* an IPv4 address, as an IPv6 socket writes it */
    size_t n = from->len > 0 && (size_t)from->len < sizeof gate->last_from ? (size_t)from->len : 0;

    pthread_mutex_lock(&gate->lock);
    memcpy(gate->last_key, key, ASY_KEY_TEXT);
    memcpy(gate->last_from, from->bytes, n);
    gate->last_from[n] = 0;
    if (!strncmp(gate->last_from, mapped, strlen(mapped)))
        memmove(gate->last_from, gate->last_from + strlen(mapped), n + 1 - strlen(mapped));
    atomic_fetch_add(&gate->refused, 1); /* last: whoever sees it sees which key, too */
    pthread_mutex_unlock(&gate->lock);
}

static void answer(struct asy__gate *gate)
{
    struct part parts[ZAP_PARTS] = { 0 };
    char key[ASY_KEY_TEXT] = "";
    int ok = read_request(gate->zap, parts);

    if (ok < 0)
        return;
    if ((size_t)parts[ZAP_REQUEST].len > sizeof parts[ZAP_REQUEST].bytes)
        parts[ZAP_REQUEST].len = 0;
    ok = ok && part_is(&parts[ZAP_DOMAIN], ASY__ZAP_DOMAIN) &&
         part_is(&parts[ZAP_MECHANISM], "CURVE") && parts[ZAP_CREDENTIALS].len == KEY_BYTES &&
         zmq_z85_encode(key, parts[ZAP_CREDENTIALS].bytes, KEY_BYTES) &&
         gate->authorise(gate->arg, key);
    if (ok) {
        reply(gate->zap, &parts[ZAP_REQUEST], "200", "OK", key);
    } else {
        note_refused(gate, key, &parts[ZAP_ADDRESS]);
        reply(gate->zap, &parts[ZAP_REQUEST], "400", "not authorised", "");
    }
}

/* ---- counting ------------------------------------------------------------------------------ */

static void note_closed(struct asy__gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->closed++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static int ended_room(struct asy__gate *gate)
{
    size_t cap = gate->cap_ended ? 2 * gate->cap_ended : 64;
    int *grown;

    if (gate->n_ended < gate->cap_ended)
        return 1;
    if (cap > ENDED_MAX || !(grown = reallocarray(gate->ended, cap, sizeof *grown)))
        return 0;
    gate->ended = grown;
    gate->cap_ended = cap;
    return 1;
}

void asy__gate_raise(struct asy__gate *gate)
{
    uint64_t one = 1;

    ASY_IGNORE(write(gate->ended_fd, &one, sizeof one) < 0); /* full means readable: enough */
}

/* Under the lock. Whether one more has failed that was not told of. */
static int failed_untold(struct asy__gate *gate)
{
    uint64_t accepted = atomic_load(&gate->accepted), refused = atomic_load(&gate->refused);
    uint64_t silent = accepted > gate->heard ? accepted - gate->heard : 0;

    if (gate->unheard <= refused + silent + gate->failed_untold)
        return 0;
    gate->failed_untold = gate->unheard - refused - silent;
    return 1;
}

/* One that the loop has read nothing from is nobody's peer yet: the loop need not wake. If a frame
 * of it still waits there, the loop hears of the end when it reads that. */
static void note_ended(struct asy__gate *gate, int fd)
{
    struct in6_addr from;
    int waited, told = gate->failing, failed = told;

    gate->failing = 0;
    pthread_mutex_lock(&gate->lock);
    waited = asy__arrivals_take(&gate->arrivals, fd, &from);
    asy__arrivals_end(&gate->arrivals, fd);
    gate->failed += told != 0;
    if (waited && !told) {
        gate->unheard++;
        failed = failed_untold(gate);
    }
    if (failed) {
        gate->failed_why = told ? gate->failing_why : ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED;
        gate->failed_from[0] = 0;
        if (waited)
            asy__arrivals_text(&from, gate->failed_from, sizeof gate->failed_from);
    }
    if (!waited && ended_room(gate))
        gate->ended[gate->n_ended++] = fd;
    pthread_mutex_unlock(&gate->lock);
    if (!waited)
        asy__gate_raise(gate);
}

/* Its address is that of whoever has the descriptor now: for people. Whoever has been there for
 * long has been let in, even if nothing was heard: the second connection of an idle worker. */
static void note_arrival(struct asy__gate *gate, int fd)
{
    struct in6_addr from = asy__arrivals_from(fd);
    int64_t now_ms = asy_clock_ms();
    int oldest;

    pthread_mutex_lock(&gate->lock);
    gate->heard += asy__arrivals_expire(&gate->arrivals, now_ms - LET_IN_MS);
    oldest = asy__arrivals_add(&gate->arrivals, fd, from, now_ms);
    pthread_mutex_unlock(&gate->lock);
    if (oldest >= 0) /* libzmq notices; if it is another's by now, that one connects anew */
        ASY_IGNORE(shutdown(oldest, SHUT_RDWR) < 0);
}

int asy__gate_heard(struct asy__gate *gate, int fd)
{
    struct in6_addr from;
    int ended;

    pthread_mutex_lock(&gate->lock);
    gate->heard += (uint64_t)asy__arrivals_take(&gate->arrivals, fd, &from);
    ended = asy__arrivals_ended(&gate->arrivals, fd);
    pthread_mutex_unlock(&gate->lock);
    return ended;
}

/* libzmq tells of the failure, then of the connection's end. */
static void note_failed(struct asy__gate *gate, int why)
{
    gate->failing = 1;
    gate->failing_why = why;
}

int asy__gate_ended(struct asy__gate *gate)
{
    uint64_t count;
    int fd = -1;

    pthread_mutex_lock(&gate->lock);
    if (gate->n_ended > 0)
        fd = gate->ended[--gate->n_ended];
    else /* under the lock: what is noted after this is raised after this */
        ASY_IGNORE(read(gate->ended_fd, &count, sizeof count) < 0);
    pthread_mutex_unlock(&gate->lock);
    return fd;
}

int asy__gate_ended_fd(const struct asy__gate *gate)
{
    return gate->ended_fd;
}

/* An event is two parts: 16 bits of number with 32 bits of value, then the endpoint. 0: none waits.
 */
static int read_event(struct asy__gate *gate)
{
    uint8_t bytes[16], endpoint[4];
    uint16_t event;
    int32_t value;

    if (zmq_recv(gate->monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) <
        (int)(sizeof event + sizeof value))
        return 0;
    zmq_recv(gate->monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT); /* cut: not of interest */
    memcpy(&event, bytes, sizeof event);
    memcpy(&value, bytes + sizeof event, sizeof value);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        atomic_fetch_add(&gate->accepted, 1);
    else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL ||
             event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
        note_failed(gate, value);
    else if (event == ZMQ_EVENT_ACCEPTED)
        note_arrival(gate, value);
    else if (event == ZMQ_EVENT_CLOSED || event == ZMQ_EVENT_CLOSE_FAILED)
        note_closed(gate); /* only listening sockets send it */
    else if (event == ZMQ_EVENT_DISCONNECTED)
        note_ended(gate, value);
    return 1;
}

static const char *reason(int why)
{
    switch (why) {
    case 0:
        return "";
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
        return "it brings no key";
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
        return "it means a coordinator with another key, or repeats an earlier greeting";
    case ETIMEDOUT:
    case EPIPE:
    case ECONNRESET:
    case EAGAIN:
        return "it broke off, or said nothing for 5 s";
    default:
        return (unsigned)why & ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED
                   ? "it does not speak as a worker or a command does"
                   : "it broke off, or said nothing for 5 s";
    }
}

void asy__gate_counts(struct asy__gate *gate, struct asy__gate_counts *ret_counts)
{
    ret_counts->accepted = atomic_load(&gate->accepted);
    ret_counts->refused = atomic_load(&gate->refused);
    pthread_mutex_lock(&gate->lock);
    ASY_IGNORE(failed_untold(gate)); /* a silent one has spoken, perhaps */
    ret_counts->failed = gate->failed + gate->failed_untold;
    memcpy(ret_counts->last_key, gate->last_key, sizeof gate->last_key);
    memcpy(ret_counts->last_from, gate->last_from, sizeof gate->last_from);
    memcpy(ret_counts->failed_from, gate->failed_from, sizeof gate->failed_from);
    ret_counts->failed_why = reason(gate->failed_why);
    pthread_mutex_unlock(&gate->lock);
}

/* ---- the thread ---------------------------------------------------------------------------- */

static int open_sockets(struct asy__gate *gate, struct asy_error *err)
{
    static const struct asy__option options[] = { { ZMQ_LINGER, 0, "LINGER" } };
    int rc;

    if ((rc = asy__socket_open(gate->channel, ZMQ_REP, &gate->zap, err)) ||
        (rc = asy__set_ints(gate->zap, options, 1, err)) ||
        (rc = asy__socket_open(gate->channel, ZMQ_PAIR, &gate->monitor, err)) ||
        (rc = asy__set_ints(gate->monitor, options, 1, err)))
        return rc;
    if (zmq_bind(gate->zap, ZAP_ENDPOINT) < 0)
        return asy__fail_zmq(err, errno, "cannot listen at '%s'", ZAP_ENDPOINT);
    if (zmq_connect(gate->monitor, gate->monitor_name) < 0)
        return asy__fail_zmq(err, errno, "cannot watch '%s'", gate->monitor_name);
    return 0;
}

static void serve(struct asy__gate *gate)
{
    zmq_pollitem_t items[] = {
        { gate->zap, 0, ZMQ_POLLIN, 0 },
        { gate->monitor, 0, ZMQ_POLLIN, 0 },
        { NULL, gate->stop_fd, ZMQ_POLLIN, 0 },
    };

    for (;;) {
        if (zmq_poll(items, ASY_ARRAY_LEN(items), -1) < 0) {
            if (errno == EINTR)
                continue;
            return;
        }
        if (items[2].revents)
            return;
        while (read_event(gate))
            ;
        if (items[0].revents)
            answer(gate);
    }
}

static void *run(void *arg)
{
    struct asy__gate *gate = arg;
    struct asy_error err = ASY_ERROR_INIT;
    int rc = open_sockets(gate, &err);

    pthread_mutex_lock(&gate->lock);
    gate->rc = rc;
    gate->err = err;
    gate->started = 1;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
    if (rc == 0)
        serve(gate);
    /* The name must be free when this returns; a close alone frees it later, elsewhere. */
    if (gate->zap)
        zmq_unbind(gate->zap, ZAP_ENDPOINT);
    asy__socket_close(gate->channel, gate->zap);
    asy__socket_close(gate->channel, gate->monitor);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(struct asy__gate *gate)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&gate->thread, NULL, run, gate);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    gate->has_thread = rc == 0;
    return rc;
}

static int init_lock(struct asy__gate *gate)
{
    pthread_condattr_t attr;
    int rc;

    if ((rc = pthread_condattr_init(&attr)))
        return rc;
    if ((rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC)) == 0 &&
        (rc = pthread_cond_init(&gate->changed, &attr)) == 0 &&
        (rc = pthread_mutex_init(&gate->lock, NULL)))
        pthread_cond_destroy(&gate->changed);
    pthread_condattr_destroy(&attr);
    gate->has_lock = rc == 0;
    return rc;
}

static size_t arrivals_most(void)
{
    struct rlimit limit;
    size_t most = ARRIVALS_MAX;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < most)
        most = (size_t)limit.rlim_cur / 4;
    return most > ARRIVALS_MIN ? most : ARRIVALS_MIN;
}

int asy__gate_open(struct asy_channel *channel, const char *monitor, asy_authorise_f authorise,
                   void *arg, struct asy__gate **ret_gate, struct asy_error *err)
{
    struct asy__gate *gate = calloc(1, sizeof *gate);
    int rc;

    if (!gate)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an authenticator");
    gate->channel = channel;
    gate->authorise = authorise;
    gate->arg = arg;
    asy__arrivals_init(&gate->arrivals, arrivals_most());
    snprintf(gate->monitor_name, sizeof gate->monitor_name, "%s", monitor);
    gate->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    gate->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (gate->stop_fd < 0 || gate->ended_fd < 0) {
        rc = asy_fail_errno(err, errno, "cannot make an eventfd");
        goto out;
    }
    if ((rc = init_lock(gate)) || (rc = start_thread(gate))) {
        rc = asy_fail_errno(err, rc, "cannot start the authenticator's thread");
        goto out;
    }
    pthread_mutex_lock(&gate->lock);
    while (!gate->started)
        pthread_cond_wait(&gate->changed, &gate->lock);
    rc = gate->rc;
    if (rc && err)
        *err = gate->err;
    pthread_mutex_unlock(&gate->lock);
    if (rc)
        goto out;
    *ret_gate = gate;
    gate = NULL;
out:
    asy__gate_close(gate);
    return rc;
}

int asy__gate_closed(struct asy__gate *gate)
{
    int n;

    pthread_mutex_lock(&gate->lock);
    n = gate->closed;
    pthread_mutex_unlock(&gate->lock);
    return n;
}

void asy__gate_wait_closed(struct asy__gate *gate, int n, int limit_ms)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += limit_ms / 1000;
    until.tv_nsec += limit_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&gate->lock);
    while (gate->closed < n && rc == 0)
        rc = pthread_cond_timedwait(&gate->changed, &gate->lock, &until);
    pthread_mutex_unlock(&gate->lock);
}

void asy__gate_close(struct asy__gate *gate)
{
    int saved = errno;
    uint64_t one = 1;

    if (!gate)
        return;
    if (gate->has_thread) {
        /* Cannot fail: the counter of a fresh eventfd takes any such number. */
        ASY_IGNORE(write(gate->stop_fd, &one, sizeof one) < 0);
        pthread_join(gate->thread, NULL);
    }
    if (gate->stop_fd >= 0)
        close(gate->stop_fd);
    if (gate->ended_fd >= 0)
        close(gate->ended_fd);
    free(gate->ended);
    asy__arrivals_fini(&gate->arrivals);
    if (gate->has_lock) {
        pthread_mutex_destroy(&gate->lock);
        pthread_cond_destroy(&gate->changed);
    }
    free(gate);
    errno = saved;
}
