/* SPDX-License-Identifier: Apache-2.0
 * assay-worker: the agent of a node. */
#include <asy/agent.h>
#include <asy/channel.h>
#include <asy/hash.h>
#include <asy/log.h>
#include <asy/msg.h>
#include <asy/node.h>
#include <asy/output.h>
#include <asy/parse.h>
#include <asy/settings.h>
#include <asy/study.h>
#include <asy/version.h>
#include <asy/yaml.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: assay-worker [OPTION]...\n"
    "Joins the coordinator of $ASSAY_HOME with this node's cores and runs trials on them.\n"
    "\n"
    "  --home DIR          instead of $ASSAY_HOME\n"
    "  --discovery FILE    the coordinator's discovery file (HOME/coordinator.json)\n"
    "  --join FILE         join by an invitation (assay invite --worker), with a home of its own\n"
    "                      ($ASSAY_HOME, else ~/.local/share/assay-worker)\n"
    "  --cores N           offer at most N cores\n"
    "  --memory SIZE       offer this much memory (nine tenths of what there is)\n"
    "  --smt               count each hardware thread as a core\n"
    "  --gpus WHICH        instead of the setting worker_gpus (auto): auto, any, none, unmanaged,\n"
    "                      or UUIDs and PCI addresses separated by commas\n"
    "  --walltime TIME     end in time for this limit (asked of Slurm inside one of its jobs)\n"
    "  --orphan-exit TIME  end when idle and without a coordinator for this long\n"
    "                      (setting orphan_exit)\n"
    "  --once-idle-exit    end when there is nothing to do\n"
    "  --log LEVEL         debug, info, warn or error (info)\n"
    "  --log-json          one JSON object a line\n"
    "  --probe             print what this node has, as JSON, and end\n"
    "  --probe-gpus API    print the GPUs that nvml, cuda or opencl shows, as JSON, and end\n"
    "  --crash-points      list the names that ASSAY_FAIL_AT takes, for tests\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 drain it: running trials are paused at a\n"
    "checkpoint, reported, and the coordinator is told goodbye. A second SIGTERM or SIGINT ends\n"
    "it at once; in a job of Slurm, which may send SIGTERM more than once, only a SIGINT does.\n"
    "\n"
    "Exit codes: 0 left in order, 1 failed, 2 usage, 3 no coordinator for --orphan-exit,\n"
    "4 not let in: its key was revoked or never invited, others can read it, or the coordinator\n"
    "rejects it for another reason.\n"
    "\n"
    "Examples:\n"
    "  assay-worker\n"
    "  assay-worker --cores 8 --memory 16GiB --discovery /shared/assay/coordinator.json\n"
    "  srun --mpi=none assay-worker\n";

struct args {
    struct asy_agent_options agent;
    enum asy_log_level level;
    unsigned log_flags;
    const char *probe_gpus; /* NULL: not given */
    char gpus[4096];        /* what the agent's option points to */
    int probe;
};

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "assay-worker: %s '%s'; --help lists the options\n", what, value);
    return 2;
}

static int parse_level(const char *text, enum asy_log_level *ret)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        if (!strcmp(names[i], text)) {
            *ret = (enum asy_log_level)i;
            return 0;
        }
    return -1;
}

static void list_crash_points(void)
{
    const char *name, *text;

    for (size_t i = 0; (name = asy_agent_crash_point(i, &text)); i++)
        printf("%-32s %s\n", name, text);
}

static int version(int argc, char **argv)
{
    const struct asy_library libraries[] = {
        { "hwloc", asy_node_hwloc_version() },
        { "zeromq", asy_channel_version() },
        { "libsodium", asy_channel_sodium_version() },
        { "protobuf-c", asy_msg_protobuf_version() },
        { "jansson", asy_json_version() },
        { "libyaml", asy_yaml_version() },
        { "openssl", asy_hash_version() },
        { "pcre2", asy_study_pcre2_version() },
    };

    return asy_version_main("assay-worker", libraries, ASY_ARRAY_LEN(libraries), argc, argv);
}

/* One option's value. -1: it is bad. */
static int take_value(struct args *args, int option, const char *value)
{
    size_t len = value ? strlen(value) : 0;
    uint64_t n;

    switch (option) {
    case 'h': args->agent.home = value; return 0;
    case 'd': args->agent.discovery = value; return 0;
    case 'J': args->agent.join = value; return 0;
    case 'c':
        if (asy_parse_u64(value, len, &n, NULL) < 0 || n == 0 || n > 8192)
            return -1;
        args->agent.max_cores = (uint32_t)n;
        return 0;
    case 'm': return asy_parse_size(value, len, &args->agent.max_memory, NULL);
    case 'w': return asy_parse_duration(value, len, &args->agent.walltime_ms, NULL);
    case 'o': return asy_parse_duration(value, len, &args->agent.orphan_ms, NULL);
    case 'l': return parse_level(value, &args->level);
    case 's': args->agent.smt = 1; return 0;
    case 'i': args->agent.once_idle_exit = 1; return 0;
    case 'j': args->log_flags |= ASY_LOG_JSON; return 0;
    case 'p': args->probe = 1; return 0;
    case 'g': args->agent.gpus = value; return 0;
    case 'P': args->probe_gpus = value; return 0;
    default: return -1;
    }
}

/* -1: go on; else the exit code. */
static int parse_args(int argc, char **argv, struct args *args)
{
    static const struct option options[] = {
        { "home", 1, NULL, 'h' },        { "discovery", 1, NULL, 'd' },
        { "cores", 1, NULL, 'c' },       { "memory", 1, NULL, 'm' },
        { "walltime", 1, NULL, 'w' },    { "orphan-exit", 1, NULL, 'o' },
        { "log", 1, NULL, 'l' },         { "smt", 0, NULL, 's' },
        { "once-idle-exit", 0, NULL, 'i' }, { "log-json", 0, NULL, 'j' },
        { "join", 1, NULL, 'J' },
        { "probe", 0, NULL, 'p' },       { "crash-points", 0, NULL, 'x' },
        { "gpus", 1, NULL, 'g' },        { "probe-gpus", 1, NULL, 'P' },
        { "help", 0, NULL, 'H' },        { "version", 0, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    int c, at = 0;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":", options, &at)) != -1) {
        switch (c) {
        case 'H': fputs(help, stdout); return 0;
        case 'V': return version(argc, argv);
        case 'x': list_crash_points(); return 0;
        case '?': return usage("unknown option", argv[optind - 1]);
        case ':': return usage("no value for", argv[optind - 1]);
        default:
            if (take_value(args, c, optarg) < 0)
                return usage("bad value for an option:", optarg ? optarg : "");
        }
    }
    return optind < argc ? usage("unexpected word", argv[optind]) : -1;
}

/* What stands in the home's config.yaml, or in ASY_ variables. */
static int load_settings(struct args *args, struct asy_error *err)
{
    struct asy_agent_options *options = &args->agent;
    static char interface[256], scratch[4096], shared[8], blas[16];
    struct asy_settings *settings = NULL;
    char path[8400];
    int rc;

    snprintf(path, sizeof path, "%s/config.yaml", options->home);
    if ((rc = asy_settings_load(path, &settings, err)) < 0)
        return rc;
    options->share = (uint32_t)asy_settings_i64(settings, "oversubscribe");
    options->gang_trials = (uint64_t)asy_settings_i64(settings, "gang_trials");
    options->gang_growth = (uint64_t)asy_settings_i64(settings, "gang_growth");
    options->gang_idle_ms = asy_settings_i64(settings, "gang_idle");
    snprintf(interface, sizeof interface, "%s", asy_settings_str(settings, "mpi_interface"));
    options->mpi_interface = interface;
    snprintf(blas, sizeof blas, "%s", asy_settings_str(settings, "train_blas"));
    options->blas = blas;
    if (options->orphan_ms < 0)
        options->orphan_ms = asy_settings_i64(settings, "orphan_exit");
    if (strcmp(asy_settings_origin(settings, "walltime_margin"), "default"))
        options->walltime_margin_ms = asy_settings_i64(settings, "walltime_margin");
    snprintf(args->gpus, sizeof args->gpus, "%s",
             options->gpus ? options->gpus : asy_settings_str(settings, "worker_gpus"));
    options->gpus = args->gpus;
    options->never_shared = !strcmp(asy_settings_str(settings, "worker_shared"), "no");
    snprintf(scratch, sizeof scratch, "%s", asy_settings_str(settings, "worker_scratch"));
    options->scratch = scratch;
    snprintf(shared, sizeof shared, "%s", asy_settings_str(settings, "shared_home"));
    options->shared_home = shared;
    options->cache_bytes = (uint64_t)asy_settings_i64(settings, "cache_size");
    options->files_bytes = (uint64_t)asy_settings_i64(settings, "files_limit");
    asy_settings_destroy(settings);
    return 0;
}

static int probe(const struct asy_agent_options *options, struct asy_error *err)
{
    struct asy_buf json;
    int rc;

    asy_buf_init(&json, 1u << 20);
    rc = asy_agent_probe(options, &json, err);
    if (rc == 0)
        fputs(json.data, stdout);
    asy_buf_fini(&json);
    return rc;
}

/* Ends at once: a driver's own exit handlers may hang as well. */
static void probe_gpus(const char *interface)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = asy_agent_probe_gpus(interface, &err);

    if (rc < 0)
        fprintf(stderr, "assay-worker: %s\n", err.text);
    _exit(rc < 0 ? 2 : 0);
}

int main(int argc, char **argv)
{
    struct args args = { .agent = ASY_AGENT_OPTIONS_INIT, .level = ASY_LOG_INFO };
    struct asy_error err = ASY_ERROR_INIT;
    char home[4096], absolute[8300];
    int code, rc;

    args.agent.orphan_ms = -1; /* not said */
    code = parse_args(argc, argv, &args);
    if (code >= 0)
        return asy_output_end("assay-worker", code);
    if (args.probe_gpus)
        probe_gpus(args.probe_gpus);
    args.agent.version = asy_version_number();
    asy_log_open(2, "assay-worker", args.level, args.log_flags);
    if (!args.agent.home) {
        if (asy_home_path(home, sizeof home, &err) < 0) {
            asy_logerr("%s", err.text);
            return 1;
        }
        /* A home of this user here has a coordinator of its own, not that of the invitation. */
        if (args.agent.join && !getenv("ASSAY_HOME"))
            snprintf(home + strlen(home), sizeof home - strlen(home), "-worker");
        args.agent.home = home;
    } else if (args.agent.home[0] != '/') {
        if (!getcwd(home, sizeof home))
            return usage("no current folder for", args.agent.home);
        snprintf(absolute, sizeof absolute, "%s/%s", home, args.agent.home);
        args.agent.home = absolute;
    }
    rc = load_settings(&args, &err); /* a probe shows what there is, whatever they say */
    if (args.probe || rc == 0)
        rc = args.probe ? probe(&args.agent, &err) : asy_agent_run(&args.agent, &err);
    if (rc < 0)
        asy_logerr("%s", err.text);
    code = rc == 0 ? 0 : rc == ASY_E_GONE ? 3 : rc == ASY_E_DENIED ? 4 : 1;
    return args.probe ? asy_output_end("assay-worker", code) : code;
}
