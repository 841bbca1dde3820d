/* SPDX-License-Identifier: Apache-2.0
 * test_urgency.c - what the kernel says of a thread after each order. */
#include <asy/urgency.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "asytest.h"

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static struct attributes mine(void)
{
    struct attributes now = { 0 };

    T_EQ("asked", syscall(SYS_sched_getattr, 0, &now, sizeof now, 0), 0);
    return now;
}

static void *look(void *arg)
{
    *(struct attributes *)arg = mine();
    return NULL;
}

static struct attributes of_a_new_thread(void)
{
    struct attributes now = { 0 };
    pthread_t thread;

    if (T_EQ("thread", pthread_create(&thread, NULL, look, &now), 0))
        pthread_join(thread, NULL);
    return now;
}

/* A kernel before 6.12 has one slice for all and tells 0 of it. */
static void *try_each(void *arg)
{
    struct attributes before = mine(), prompt, ordinary, patient, child;

    asy_urgency_set(ASY_URGENCY_PROMPT);
    prompt = mine();
    child = of_a_new_thread();
    T_EQ("a child's slice", child.runtime_ns, prompt.runtime_ns);
    asy_urgency_set(ASY_URGENCY_ORDINARY);
    ordinary = mine();
    asy_urgency_set(ASY_URGENCY_PATIENT);
    patient = mine();
    child = of_a_new_thread();
    T_EQ("prompt nice", prompt.nice, before.nice);
    T_EQ("ordinary nice", ordinary.nice, before.nice);
    T_EQ("patient nice", patient.nice, before.nice < 10 ? 10 : before.nice);
    T_EQ("a child's nice", child.nice, patient.nice);
    T_EQ("ordinary slice", ordinary.runtime_ns, before.runtime_ns);
    if (ordinary.runtime_ns && before.policy == SCHED_OTHER) {
        T_EQ("shorter", prompt.runtime_ns < ordinary.runtime_ns, 1);
        T_EQ("not shorter", patient.runtime_ns > prompt.runtime_ns, 1);
    }
    asy_urgency_set(ASY_URGENCY_PROMPT);
    T_EQ("nice stays", mine().nice, patient.nice);
    return arg;
}

/* On a thread of its own: niceness stays. */
static void urgency_is_the_threads_own(void)
{
    struct attributes before = mine();
    pthread_t thread;

    if (T_EQ("thread", pthread_create(&thread, NULL, try_each, NULL), 0))
        pthread_join(thread, NULL);
    T_EQ("nice of the others", mine().nice, before.nice);
    T_EQ("slice of the others", mine().runtime_ns, before.runtime_ns);
}

T_MAIN("urgency", T_TEST(urgency_is_the_threads_own))
