/* SPDX-License-Identifier: Apache-2.0
 * assay-coordinator: parses its options, opens the log, runs the service. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/log.h>
#include <asy/channel.h>
#include <asy/hash.h>
#include <asy/json.h>
#include <asy/msg.h>
#include <asy/output.h>
#include <asy/service.h>
#include <asy/store.h>
#include <asy/study.h>
#include <asy/urgency.h>
#include <asy/version.h>
#include <asy/yaml.h>

#define KEPT_BYTES (16 << 20)
#define FILES_WANTED 16384

static const char usage[] =
    "usage: assay-coordinator [--home DIR] [--log FILE] [--keep | --drain] [--SETTING VALUE]...\n"
    "       assay-coordinator --probe [--home DIR]\n"
    "       assay-coordinator --backup FILE | --restore FILE [--home DIR]\n"
    "\n"
    "Schedules trials to workers and records them in the store under DIR.\n"
    "`assay run` and `assay up` start it; by hand it is seldom needed.\n"
    "\n"
    "  --home DIR      default $ASSAY_HOME, else ~/.local/share/assay\n"
    "  --log FILE      appends log lines to FILE instead of standard error\n"
    "  --keep          does not end when idle\n"
    "  --drain         pauses all trials and ends, as it does after SIGTERM\n"
    "  --SETTING VALUE any setting of `assay config show`, with - for _\n"
    "  --probe         what store DIR has and who holds it, as JSON, changing nothing\n"
    "  --backup FILE   copies the store into a new FILE while its coordinator goes on\n"
    "  --restore FILE  makes the store of DIR, which must have none, of such a file\n"
    "  --crash-points  the names that ASSAY_FAIL_AT takes, for tests\n"
    "  --version [--json]\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 usage or settings.\n";

#define EXIT_OWNED 5 /* another coordinator has the store: `assay node` waits for its end */

struct options {
    char home[4096];
    const char *log;
    int keep, drain;
};

static int set_option(struct asy_settings *settings, const char *flag, const char *value,
                      struct asy_error *err)
{
    char key[64], origin[80];

    snprintf(key, sizeof key, "%s", flag + 2);
    for (char *c = key; *c; c++)
        if (*c == '-')
            *c = '_';
    snprintf(origin, sizeof origin, "flag %s", flag);
    return asy_settings_set(settings, key, value, origin, err);
}

/* Two passes: --home decides which configuration file the settings start from. */
static int parse(int argc, char **argv, struct options *options, struct asy_settings **ret_settings,
                 struct asy_error *err)
{
    char path[4200];
    int rc;

    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--home") && i + 1 < argc)
            snprintf(options->home, sizeof options->home, "%s", argv[i + 1]);
    if (!options->home[0] && (rc = asy_home_path(options->home, sizeof options->home, err)) < 0)
        return rc;
    snprintf(path, sizeof path, "%s/config.yaml", options->home);
    if ((rc = asy_settings_load(path, ret_settings, err)) < 0)
        return rc;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--keep")) {
            options->keep = 1;
            continue;
        }
        if (!strcmp(argv[i], "--drain")) {
            options->drain = 1;
            continue;
        }
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 >= argc)
            return asy_fail(err, ASY_E_INVAL, "unexpected argument '%s'", argv[i]);
        if (!strcmp(argv[i], "--log"))
            options->log = argv[i + 1];
        else if (strcmp(argv[i], "--home") &&
                 (rc = set_option(*ret_settings, argv[i], argv[i + 1], err)) < 0)
            return rc;
        i++;
    }
    return 0;
}

static int open_log(const struct options *options, const struct asy_settings *settings,
                    struct asy_error *err)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    const char *level = asy_settings_str(settings, "log_level");
    int least = ASY_LOG_INFO, fd = STDERR_FILENO;

    for (size_t i = 0; i < ASY_ARRAY_LEN(levels); i++)
        if (!strcmp(level, levels[i]))
            least = (int)i;
    if (options->log &&
        (fd = open(options->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot open log '%s'", options->log);
    asy_log_open(fd, "assay-coordinator", (enum asy_log_level)least,
                 strcmp(asy_settings_str(settings, "log_format"), "json") ? 0 : ASY_LOG_JSON);
    return 0;
}

static int version(int argc, char **argv)
{
    const struct asy_library libraries[] = {
        { "sqlite", asy_store_sqlite_version() },
        { "zeromq", asy_channel_version() },
        { "libsodium", asy_channel_sodium_version() },
        { "protobuf-c", asy_msg_protobuf_version() },
        { "jansson", asy_json_version() },
        { "libyaml", asy_yaml_version() },
        { "openssl", asy_hash_version() },
        { "pcre2", asy_study_pcre2_version() },
    };

    return asy_version_main("assay-coordinator", libraries, ASY_ARRAY_LEN(libraries), argc, argv);
}

/* The answer to --probe [--home DIR]; settings do not matter to it. */
static int probe(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    char home[4096] = "";
    struct asy_buf json;
    int status = 0;

    if (argc == 4 && !strcmp(argv[2], "--home"))
        snprintf(home, sizeof home, "%s", argv[3]);
    if (argc != 2 && !home[0]) {
        fputs("assay-coordinator: --probe takes --home DIR and nothing else\n", stderr);
        return 2;
    }
    asy_buf_init(&json, 1u << 20);
    if ((!home[0] && asy_home_path(home, sizeof home, &err) < 0) ||
        asy_service_probe(home, &json, &err) < 0) {
        fprintf(stderr, "assay-coordinator: %s\n", err.text);
        status = 1;
    } else {
        fputs(json.data, stdout);
    }
    asy_buf_fini(&json);
    return asy_output_end("assay-coordinator", status);
}

/* --backup FILE, --restore FILE, each with [--home DIR]; prints what it did as JSON. */
static int copy_store(int argc, char **argv)
{
    int back = !strcmp(argv[1], "--backup"), rc;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store_copy copy = { 0 };
    char home[4096] = "", folder[4200];

    if (argc != 3 && (argc != 5 || strcmp(argv[3], "--home") != 0)) {
        fprintf(stderr, "assay-coordinator: %s takes FILE and [--home DIR]\n", argv[1]);
        return 2;
    }
    if (argc == 5)
        snprintf(home, sizeof home, "%s", argv[4]);
    if (!home[0] && asy_home_path(home, sizeof home, &err) < 0) {
        fprintf(stderr, "assay-coordinator: %s\n", err.text);
        return 1;
    }
    snprintf(folder, sizeof folder, "%s/store", home);
    rc = back ? asy_store_backup(folder, argv[2], &copy, &err)
              : asy_store_restore(folder, argv[2], &copy, &err);
    if (rc < 0) {
        fprintf(stderr, "assay-coordinator: %s\n", err.text);
        return 1;
    }
    printf("{\"bytes\": %llu, \"last_seq\": %llu, \"studies\": %llu}\n",
           (unsigned long long)copy.bytes, (unsigned long long)copy.last_seq,
           (unsigned long long)copy.studies);
    return asy_output_end("assay-coordinator", 0);
}

/* Commits are built by one thread and freed by another; giving their memory back to the system each
 * time costs more than to keep it. */
static void keep_memory(void)
{
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
}

/* Each worker is a connection or two, and strangers may hold half of all descriptors. */
static void want_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_WANTED) {
        files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
        ASY_IGNORE(setrlimit(RLIMIT_NOFILE, &files) < 0); /* then fewer workers fit */
    }
}

static int list_crash_points(void)
{
    const char *name, *text;

    for (size_t i = 0; (name = asy_service_crash_point(i, &text)); i++)
        printf("%-32s %s\n", name, text);
    return asy_output_end("assay-coordinator", 0);
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct asy_settings *settings = NULL;
    struct asy_service *service = NULL;
    struct asy_service_spec spec = { .version = asy_version_number() };
    struct asy_error err = ASY_ERROR_INIT;
    int status = 1;

    keep_memory();
    if (argc == 2 && !strcmp(argv[1], "--help")) {
        fputs(usage, stdout);
        return asy_output_end("assay-coordinator", 0);
    }
    if (argc > 1 && !strcmp(argv[1], "--version"))
        return version(argc, argv);
    if (argc > 1 && !strcmp(argv[1], "--probe"))
        return probe(argc, argv);
    if (argc > 2 && (!strcmp(argv[1], "--backup") || !strcmp(argv[1], "--restore")))
        return copy_store(argc, argv);
    if (argc == 2 && !strcmp(argv[1], "--crash-points"))
        return list_crash_points();
    if (parse(argc, argv, &options, &settings, &err) < 0) {
        status = 2;
        goto out;
    }
    if (asy_durable_mkdirs(options.home, &err) < 0 || open_log(&options, settings, &err) < 0)
        goto out;
    want_files();
    asy_urgency_set(ASY_URGENCY_PROMPT);
    spec.home = options.home;
    spec.settings = settings;
    spec.keep = options.keep;
    spec.drain = options.drain;
    if (asy_service_create(&spec, &service, &err) < 0) {
        status = err.code == ASY_E_BUSY ? EXIT_OWNED : status;
        goto out;
    }
    asy_info("home=%s serving", options.home);
    if (asy_service_run(service, &err) < 0) {
        asy_logerr("ending: %s", err.text);
        goto out;
    }
    asy_info("ended");
    status = 0;
out:
    if (status) /* a text may be left of what was no failure after all */
        fprintf(stderr, "assay-coordinator: %s\n", err.text);
    asy_service_destroy(service);
    asy_settings_destroy(settings);
    return status;
}
