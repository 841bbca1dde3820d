/* SPDX-License-Identifier: Apache-2.0
 * test_keys.c - key files, the list of those who may connect, the discovery file: what is written,
 * with which modes, and what is refused when somebody has been at it. */
#include "asytest.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/keys.h>

#define KEY_A "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define KEY_B "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define SECRET_B "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

/* ---- a folder of our own ------------------------------------------------------------------- */

struct place {
    char folder[64];
    char path[128]; /* a file in it that is not there yet */
};

static bool place_make(struct place *place)
{
    snprintf(place->folder, sizeof place->folder, "/tmp/assay-keys-XXXXXX");
    if (!T_TRUE(mkdtemp(place->folder) != NULL))
        return false;
    snprintf(place->path, sizeof place->path, "%s/keys/file", place->folder);
    return true;
}

static void place_remove(struct place *place)
{
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_durable_remove(place->folder, &err), &err);
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (unsigned)st.st_mode & 07777 : 0;
}

static bool put(struct place *place, const char *text, size_t len, mode_t mode)
{
    struct asy_error err = ASY_ERROR_INIT;
    char keys[80];

    snprintf(keys, sizeof keys, "%s/keys", place->folder);
    return T_OK(asy_durable_mkdirs(keys, &err), &err) &&
           T_OK(asy_durable_write(place->path, text, len, 0600, &err), &err) &&
           T_TRUE(chmod(place->path, mode) == 0);
}

static int entries_in(const struct place *place)
{
    char keys[80];
    struct dirent *entry;
    int n = 0;
    DIR *dir;

    snprintf(keys, sizeof keys, "%s/keys", place->folder);
    if (!(dir = opendir(keys)))
        return -1;
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(dir);
    return n;
}

/* ---- key pairs ----------------------------------------------------------------------------- */

static void made_pair_is_stored_0600_and_loaded_again(void)
{
    struct place place;
    struct asy_keypair pair, again;
    struct asy_error err = ASY_ERROR_INIT;
    static const mode_t masks[] = { 022, 0, 077, 0777 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(masks); i++) {
        mode_t old;
        int rc;

        if (!place_make(&place))
            return;
        T_TRUE(put(&place, "", 0, 0600)); /* makes the folder, whatever the umask */
        unlink(place.path);
        old = umask(masks[i]);
        rc = asy_keypair_load(place.path, &pair, &err);
        umask(old);
        if (T_OK(rc, &err) && T_OK(asy_keypair_load(place.path, &again, &err), &err)) {
            T_STR("public", again.public_key, pair.public_key);
            T_STR("secret", again.secret_key, pair.secret_key);
            T_EQ("mode", mode_of(place.path), 0600);
            T_EQ("no other files", entries_in(&place), 1);
        }
        place_remove(&place);
    }
}

static void folders_of_a_new_key_are_closed_to_others(void)
{
    struct place place;
    struct asy_keypair pair;
    struct asy_error err = ASY_ERROR_INIT;
    char keys[80];

    if (!place_make(&place))
        return;
    if (T_OK(asy_keypair_load(place.path, &pair, &err), &err)) {
        snprintf(keys, sizeof keys, "%s/keys", place.folder);
        T_EQ("mode", mode_of(keys), 0700);
    }
    place_remove(&place);
}

static void pairs_differ(void)
{
    struct asy_keypair a, b;
    struct asy_error err = ASY_ERROR_INIT;

    if (T_OK(asy_keypair_make(&a, &err), &err) && T_OK(asy_keypair_make(&b, &err), &err)) {
        T_TRUE(strcmp(a.public_key, b.public_key) && strcmp(a.secret_key, b.secret_key));
        T_EQ("length", strlen(a.public_key), 40);
        T_EQ("length", strlen(a.secret_key), 40);
    }
}

struct racer {
    const char *path;
    atomic_int *ready;
    struct asy_keypair pair;
    int rc;
};

static void *race(void *arg)
{
    struct racer *racer = arg;

    atomic_fetch_sub(racer->ready, 1);
    while (atomic_load(racer->ready) > 0)
        sched_yield();
    racer->rc = asy_keypair_load(racer->path, &racer->pair, NULL);
    return NULL;
}

static void two_who_make_a_key_at_once_get_the_same(void)
{
    struct place place;
    atomic_int ready;

    if (!place_make(&place))
        return;
    for (int round = 0; round < 20; round++) {
        struct racer racers[4];
        pthread_t threads[4];

        atomic_init(&ready, ASY_ARRAY_LEN(racers));
        for (size_t i = 0; i < ASY_ARRAY_LEN(racers); i++) {
            racers[i] = (struct racer){ .path = place.path, .ready = &ready, .rc = -1 };
            if (!T_EQ("thread", pthread_create(&threads[i], NULL, race, &racers[i]), 0))
                abort(); /* the others would wait for ever */
        }
        for (size_t i = 0; i < ASY_ARRAY_LEN(racers); i++)
            pthread_join(threads[i], NULL);
        for (size_t i = 0; i < ASY_ARRAY_LEN(racers); i++) {
            T_EQ("loaded", racers[i].rc, 0);
            T_STR("secret", racers[i].pair.secret_key, racers[0].pair.secret_key);
        }
        T_EQ("no other files", entries_in(&place), 1);
        unlink(place.path);
    }
    place_remove(&place);
}

static void key_files_with_wrong_modes_are_refused(void)
{
    static const struct {
        const char *name;
        mode_t mode;
        int want;
    } cases[] = {
        { "0600", 0600, 0 },
        { "0400", 0400, 0 },
        { "0640", 0640, ASY_E_DENIED },
        { "0604", 0604, ASY_E_DENIED },
        { "0620", 0620, ASY_E_DENIED },
        { "0601", 0601, ASY_E_DENIED },
    };
    struct place place;
    struct asy_keypair pair = { "", "" };
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    if (!T_OK(asy_keypair_load(place.path, &pair, &err), &err))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int rc;

        T_TRUE(chmod(place.path, cases[i].mode) == 0);
        rc = asy_keypair_load(place.path, &pair, &err);
        T_EQ(cases[i].name, rc, cases[i].want);
        if (rc == ASY_E_DENIED) {
            T_HAS(cases[i].name, err.text, "chmod 600 ");
            T_HAS(cases[i].name, err.text, place.path);
            T_HAS(cases[i].name, err.text, cases[i].name);
        }
    }
out:
    place_remove(&place);
}

static void another_users_key_file_is_refused(void)
{
    struct place place;
    struct asy_keypair pair;
    struct asy_error err = ASY_ERROR_INIT;

    if (geteuid() != 0) {
        CU_PASS("only root can give files away");
        return;
    }
    if (!place_make(&place))
        return;
    if (T_OK(asy_keypair_load(place.path, &pair, &err), &err) &&
        T_TRUE(chown(place.path, 65534, (gid_t)-1) == 0)) {
        T_EQ("owner", asy_keypair_load(place.path, &pair, &err), ASY_E_DENIED);
        T_HAS("owner", err.text, "65534");
    }
    place_remove(&place);
}

static void things_that_are_no_key_files_are_refused_and_kept(void)
{
    static const char good[] = "assay-key 1\npublic " KEY_B "\nsecret " SECRET_B "\n";
    static const struct {
        const char *name, *text;
        int want;
    } cases[] = {
        { "a good one", good, 0 },
        { "empty", "", ASY_E_CORRUPT },
        { "text", "hello\n", ASY_E_CORRUPT },
        { "later version", "assay-key 2\npublic " KEY_B "\nsecret " SECRET_B "\n", ASY_E_CORRUPT },
        { "not a pair", "assay-key 1\npublic " KEY_A "\nsecret " SECRET_B "\n", ASY_E_CORRUPT },
        { "not Z85",
          "assay-key 1\npublic " KEY_B "\nsecret ~TKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6\n",
          ASY_E_CORRUPT },
        { "cut", "assay-key 1\npublic " KEY_B "\nsecret " SECRET_B, ASY_E_CORRUPT },
        { "more", "assay-key 1\npublic " KEY_B "\nsecret " SECRET_B "\n\n", ASY_E_CORRUPT },
    };
    struct place place;
    struct asy_keypair pair = { "untouched", "" };
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_keypair got = pair;
        char *text = NULL;
        size_t len;

        if (!put(&place, cases[i].text, strlen(cases[i].text), 0600))
            break;
        T_EQ(cases[i].name, asy_keypair_load(place.path, &got, &err), cases[i].want);
        T_STR(cases[i].name, got.public_key, cases[i].want ? "untouched" : KEY_B);
        if (cases[i].want)
            T_HAS(cases[i].name, err.text, place.path);
        if (T_OK(asy_read_file(place.path, 4096, &text, &len, &err), &err))
            T_STR(cases[i].name, text, cases[i].text);
        free(text);
    }
    T_TRUE(!strstr(err.text, SECRET_B)); /* secrets never appear */
    place_remove(&place);
}

static void special_files_are_refused_without_waiting(void)
{
    struct place place;
    struct asy_keypair pair;
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    T_EQ("folder", asy_keypair_load(place.folder, &pair, &err), ASY_E_DENIED);
    T_HAS("folder", err.text, "regular");
    T_TRUE(put(&place, "", 0, 0600));
    unlink(place.path);
    if (T_TRUE(mkfifo(place.path, 0600) == 0))
        T_EQ("pipe", asy_keypair_load(place.path, &pair, &err), ASY_E_DENIED);
    place_remove(&place);
}

/* ---- the keyring --------------------------------------------------------------------------- */

static void keyring_adds_durably_and_keeps_comments(void)
{
    static const char text[] = "# people\n\n" KEY_A " anna of the lab\n# end";
    struct place place;
    struct asy_keyring *ring = NULL, *other = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    char *after = NULL;
    size_t len;

    if (!place_make(&place) || !put(&place, text, sizeof text - 1, 0644))
        return;
    if (!T_OK(asy_keyring_load(place.path, &ring, &err), &err) ||
        !T_OK(asy_keyring_load(place.path, &other, &err), &err))
        goto out;
    T_EQ("there", asy_keyring_has(ring, KEY_A), 1);
    T_EQ("not there", asy_keyring_has(ring, KEY_B), 0);
    T_STR("name", asy_keyring_name(ring, KEY_A), "anna of the lab");
    T_TRUE(!asy_keyring_name(ring, KEY_B));
    T_OK(asy_keyring_add(ring, KEY_B, "ben", &err), &err);
    T_OK(asy_keyring_add(ring, KEY_B, "ben-again", &err), &err);
    T_EQ("added", asy_keyring_has(ring, KEY_B), 1);
    T_STR("first name stays", asy_keyring_name(ring, KEY_B), "ben");
    if (T_OK(asy_read_file(place.path, 4096, &after, &len, &err), &err))
        T_STR("file", after, "# people\n\n" KEY_A " anna of the lab\n# end\n" KEY_B " ben\n");
    T_EQ("mode", mode_of(place.path), 0600);
    /* another process's addition is seen at the next one of ours */
    T_OK(asy_keyring_add(other, KEY_A, "anna", &err), &err);
    T_EQ("taken in", asy_keyring_has(other, KEY_B), 1);
out:
    free(after);
    asy_keyring_destroy(ring);
    asy_keyring_destroy(other);
    place_remove(&place);
}

static void keyring_knows_workers_from_users(void)
{
    static const char text[] = KEY_A " anna\n" KEY_B " for=" KEY_A " lab of anna\n";
    struct place place;
    struct asy_keyring *ring = NULL;
    struct asy_key_info info = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    char key[ASY_KEY_TEXT] = "";

    if (!place_make(&place) || !put(&place, text, sizeof text - 1, 0600))
        return;
    if (!T_OK(asy_keyring_load(place.path, &ring, &err), &err))
        goto out;
    T_EQ("a user", asy_keyring_get(ring, KEY_A, &info), 1);
    T_EQ("no worker", info.is_worker, 0);
    T_STR("its own", info.owner, KEY_A);
    T_EQ("a worker", asy_keyring_get(ring, KEY_B, &info), 1);
    T_EQ("is one", info.is_worker, 1);
    T_STR("whose", info.owner, KEY_A);
    T_STR("name", info.name, "lab of anna");
    T_EQ("by name", asy_keyring_key(ring, "lab of anna", key), 1);
    T_STR("key", key, KEY_B);
    T_EQ("no such name", asy_keyring_key(ring, "lab", key), 0);
out:
    asy_keyring_destroy(ring);
    place_remove(&place);
}

/* What is taken out of the file by another process is noticed, and said to be a loss. */
static void revoked_keys_are_gone_with_their_workers(void)
{
    static const char text[] = "# people\n" KEY_A " anna\n# labs\n" KEY_B " for=" KEY_A " lab\n";
    struct place place;
    struct asy_keyring *ring = NULL, *other = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    unsigned losses;
    char *after = NULL;
    size_t len, n = 0;

    if (!place_make(&place) || !put(&place, text, sizeof text - 1, 0600))
        return;
    if (!T_OK(asy_keyring_load(place.path, &ring, &err), &err) ||
        !T_OK(asy_keyring_load(place.path, &other, &err), &err))
        goto out;
    losses = asy_keyring_losses(other);
    T_EQ("nobody of that name", asy_keyring_remove(ring, "ben", &n, &err), ASY_E_NOENT);
    T_OK(asy_keyring_remove(ring, "anna", &n, &err), &err);
    T_EQ("lines", n, 2);
    T_EQ("gone", asy_keyring_has(ring, KEY_A), 0);
    T_EQ("its worker", asy_keyring_has(ring, KEY_B), 0);
    if (T_OK(asy_read_file(place.path, 4096, &after, &len, &err), &err))
        T_STR("comments stay", after, "# people\n# labs\n");
    T_EQ("mode", mode_of(place.path), 0600);
    T_EQ("the other still has it", asy_keyring_get(other, KEY_A, NULL), 1);
    T_OK(asy_keyring_refresh(other, &err), &err);
    T_EQ("not any more", asy_keyring_get(other, KEY_A, NULL), 0);
    T_EQ("a loss of each", asy_keyring_losses(other), losses + 2);
    T_OK(asy_keyring_add_worker(ring, KEY_B, KEY_A, "lab", &err), &err);
    T_EQ("of nobody", asy_keyring_has(ring, KEY_B), 0);
    T_OK(asy_keyring_add(ring, KEY_A, "anna", &err), &err);
    T_EQ("found in the file", asy_keyring_has(other, KEY_B), 1);
out:
    free(after);
    asy_keyring_destroy(ring);
    asy_keyring_destroy(other);
    place_remove(&place);
}

/* A file that was spoilt lets nobody new in, and throws nobody out. */
static void a_spoilt_list_changes_nothing(void)
{
    struct place place;
    struct asy_keyring *ring = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place) || !put(&place, KEY_A " anna\n", sizeof KEY_A + 5, 0600))
        return;
    if (T_OK(asy_keyring_load(place.path, &ring, &err), &err) &&
        put(&place, "no key\n" KEY_B " ben\n", sizeof KEY_B + 11, 0600)) {
        T_EQ("it says so", asy_keyring_refresh(ring, &err), ASY_E_FORMAT);
        T_EQ("stays", asy_keyring_has(ring, KEY_A), 1);
        T_EQ("comes not", asy_keyring_has(ring, KEY_B), 0);
    }
    asy_keyring_destroy(ring);
    place_remove(&place);
}

static void missing_keyring_is_empty_and_made_by_the_first_add(void)
{
    struct place place;
    struct asy_keyring *ring = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    if (T_OK(asy_keyring_load(place.path, &ring, &err), &err)) {
        T_EQ("empty", asy_keyring_has(ring, KEY_A), 0);
        T_EQ("not made by reading", mode_of(place.path), 0);
        T_OK(asy_keyring_add(ring, KEY_A, "anna", &err), &err);
        T_EQ("made", mode_of(place.path), 0600);
    }
    asy_keyring_destroy(ring);
    place_remove(&place);
}

static void bad_additions_change_nothing(void)
{
    static const char long_name[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    static const char *const names[] = { "a", "ada@lab3.example+x_1-2", "for", &long_name[1] };
    static const struct {
        const char *label, *key, *name;
    } cases[] = {
        { "no key", "", "anna" },
        { "short key", "abc", "anna" },
        { "key with a blank", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI ", "anna" },
        { "no name", KEY_A, "" },
        { "two lines", KEY_A, "anna\n" KEY_B " eve" },
        { "long name", KEY_A, long_name },
        { "looks like an owner", KEY_A, "for=x" },
        { "a blank", KEY_A, "anna of the lab" },
        { "a blank at the end", KEY_A, "anna " },
        { "a comment", KEY_A, "#anna" },
        { "an option", KEY_A, "-anna" },
        { "no ASCII", KEY_A, "anna\xc3\xa4" },
    };
    struct place place;
    struct asy_keyring *ring = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    if (!T_OK(asy_keyring_load(place.path, &ring, &err), &err))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].label, asy_keyring_add(ring, cases[i].key, cases[i].name, &err), ASY_E_INVAL);
    T_EQ("no file", mode_of(place.path), 0);
    T_EQ("nobody", asy_keyring_has(ring, KEY_A) + asy_keyring_has(ring, KEY_B), 0);
    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        T_OK(asy_key_name_check(names[i], &err), &err);
    /* a folder in the file's place: nothing can be stored, so nothing is added */
    T_TRUE(put(&place, "", 0, 0600));
    unlink(place.path);
    T_TRUE(mkdir(place.path, 0700) == 0);
    T_TRUE(asy_keyring_add(ring, KEY_A, "anna", &err) < 0);
    T_EQ("not added", asy_keyring_has(ring, KEY_A), 0);
out:
    asy_keyring_destroy(ring);
    place_remove(&place);
}

static void broken_keyrings_name_the_line(void)
{
    static const struct {
        const char *name, *text;
        mode_t mode;
        int want;
        const char *says;
    } cases[] = {
        { "no name", KEY_A "\r\n", 0600, 0, "" },
        { "no newline", KEY_A " anna", 0600, 0, "" },
        { "key like a comment", "#0000000000000000000000000000000000000000\n", 0600, ASY_E_FORMAT,
          "line 1" },
        { "half a key", "# x\n\n" KEY_A " a\nabc def\n", 0600, ASY_E_FORMAT, "line 4" },
        { "glued", KEY_A "anna\n", 0600, ASY_E_FORMAT,
          "line 1: not '<public key> <name>': mend or delete this line" },
        { "not Z85", "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ x\n", 0600, ASY_E_FORMAT, "Z85" },
        { "others can write", KEY_A " anna\n", 0620, ASY_E_DENIED, "chmod go-w" },
    };
    struct place place;
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_keyring *ring = NULL;

        if (!put(&place, cases[i].text, strlen(cases[i].text), cases[i].mode))
            break;
        T_EQ(cases[i].name, asy_keyring_load(place.path, &ring, &err), cases[i].want);
        if (cases[i].want)
            T_HAS(cases[i].name, err.text, cases[i].says);
        else
            T_EQ(cases[i].name, asy_keyring_has(ring, KEY_A), 1);
        asy_keyring_destroy(ring);
    }
    place_remove(&place);
}

struct reader {
    struct asy_keyring *ring;
    atomic_int stop;
    int misses;
};

static void *ask(void *arg)
{
    struct reader *reader = arg;

    while (!atomic_load(&reader->stop)) {
        reader->misses += !asy_keyring_has(reader->ring, KEY_A);
        sched_yield();
    }
    return NULL;
}

static void keyring_may_be_asked_while_it_grows(void)
{
    struct place place;
    struct reader reader = { NULL, 0, 0 };
    struct asy_error err = ASY_ERROR_INIT;
    const char *name;
    pthread_t thread;

    if (!place_make(&place))
        return;
    if (!T_OK(asy_keyring_load(place.path, &reader.ring, &err), &err) ||
        !T_OK(asy_keyring_add(reader.ring, KEY_A, "anna", &err), &err))
        goto out;
    name = asy_keyring_name(reader.ring, KEY_A);
    if (!T_EQ("thread", pthread_create(&thread, NULL, ask, &reader), 0))
        goto out;
    for (int i = 0; i < 40; i++) {
        struct asy_keypair pair;

        if (T_OK(asy_keypair_make(&pair, &err), &err))
            T_OK(asy_keyring_add(reader.ring, pair.public_key, "more", &err), &err);
    }
    atomic_store(&reader.stop, 1);
    pthread_join(thread, NULL);
    T_EQ("always there", reader.misses, 0);
    T_STR("the name has not moved", name, "anna");
out:
    asy_keyring_destroy(reader.ring);
    place_remove(&place);
}

/* ---- the discovery file -------------------------------------------------------------------- */

static struct asy_discovery example(void)
{
    struct asy_discovery discovery = { .endpoints = { "tcp://10.0.0.1:12345", "",
                                                      "tcp://[fe80::1]:12345" },
                                       .server_key = KEY_A,
                                       .store = asy_id_from(1, 2),
                                       .owner_epoch = 7,
                                       .version = "0.1.0" };
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_discovery_here(&discovery, &err), &err);
    return discovery;
}

/* The first versions refuse more than four under "endpoints". */
static void further_endpoints_stand_apart(void)
{
    struct place place;
    struct asy_discovery out = example(), in = { .pid = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    char *text = NULL;
    size_t len;
    int held = -1;

    if (!place_make(&place))
        return;
    for (size_t i = 0; i < ASY_ENDPOINTS_MAX; i++)
        snprintf(out.endpoints[i], sizeof out.endpoints[i], "tcp://10.0.%zu.1:12345", i);
    if (T_OK(asy_discovery_write(place.path, &out, &held, &err), &err) &&
        T_OK(asy_discovery_read(place.path, &in, &err), &err) &&
        T_OK(asy_read_file(place.path, 1 << 16, &text, &len, &err), &err)) {
        T_TRUE(!memcmp(in.endpoints, out.endpoints, sizeof in.endpoints));
        T_HAS("four", text, "\"tcp://10.0.3.1:12345\"\n  ],\n  \"more_endpoints\"");
    }
    free(text);
    if (held >= 0)
        close(held);
    place_remove(&place);
}

static void discovery_comes_back_as_written(void)
{
    struct place place;
    struct asy_discovery out = example(), in = { .pid = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    int held = -1;

    if (!place_make(&place))
        return;
    T_EQ("none", asy_discovery_read(place.path, &in, &err), ASY_E_NOENT);
    if (!T_OK(asy_discovery_write(place.path, &out, &held, &err), &err) ||
        !T_OK(asy_discovery_read(place.path, &in, &err), &err))
        goto out;
    T_STR("first", in.endpoints[0], out.endpoints[0]);
    T_STR("gaps are closed", in.endpoints[1], out.endpoints[2]);
    T_STR("no more", in.endpoints[2], "");
    T_STR("key", in.server_key, out.server_key);
    T_EQ("store", asy_id_cmp(in.store, out.store), 0);
    T_EQ("epoch", in.owner_epoch, 7);
    T_STR("host", in.host, out.host);
    T_STR("boot", in.boot_id, out.boot_id);
    T_EQ("pid", in.pid, getpid());
    T_STR("version", in.version, "0.1.0");
    T_EQ("mode", mode_of(place.path), 0600);
    T_TRUE(chmod(place.path, 0640) == 0);
    T_EQ("mode", asy_discovery_read(place.path, &in, &err), ASY_E_DENIED);
out:
    if (held >= 0)
        close(held);
    place_remove(&place);
}

static void incomplete_discovery_is_not_written(void)
{
    struct place place;
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    for (int i = 0; i < 6; i++) {
        struct asy_discovery discovery = example();
        int held = -1;

        if (i == 0)
            memset(discovery.endpoints, 0, sizeof discovery.endpoints);
        else if (i == 1)
            snprintf(discovery.endpoints[0], sizeof discovery.endpoints[0], "udp://x:1");
        else if (i == 2)
            discovery.server_key[0] = '~';
        else if (i == 3)
            discovery.store = ASY_ID_NONE;
        else if (i == 4)
            discovery.pid = 0;
        else
            discovery.host[0] = 0;
        T_EQ("refused", asy_discovery_write(place.path, &discovery, &held, &err), ASY_E_INVAL);
        T_HAS("refused", err.text, place.path);
        T_EQ("no file", mode_of(place.path), 0);
    }
    place_remove(&place);
}

#define FIELDS(endpoints, key, store, epoch, host, pid)                                            \
    "{\"assay_discovery\":1,\"endpoints\":" endpoints ",\"server_key\":" key ",\"store\":" store   \
    ",\"owner_epoch\":" epoch ",\"host\":" host ",\"boot_id\":\"b\",\"pid\":" pid                  \
    ",\"version\":\"1\",\"added_later\":[1]}"
#define E "[\"tcp://h:1\"]"
#define K "\"" KEY_A "\""
#define S "\"000000000000000000000000000000ff\""
#define LONG_TEXT "0123456789012345678901234567890123456789012345678901234567890123456789"

static void corrupted_discovery_files_are_told_apart(void)
{
    static const struct {
        const char *name, *text;
        int want;
        const char *says;
    } cases[] = {
        { "good", FIELDS(E, K, S, "3", "\"h\"", "5"), 0, "" },
        { "empty", "", ASY_E_CORRUPT, "" },
        { "cut", "{\"assay_discovery\":1,\"endpoints\":[\"tcp:", ASY_E_CORRUPT, "" },
        { "binary", "\x01\xff\xfe", ASY_E_CORRUPT, "" },
        { "list", "[]", ASY_E_CORRUPT, "assay_discovery" },
        { "other object", "{}", ASY_E_CORRUPT, "assay_discovery" },
        { "later form", "{\"assay_discovery\":2}", ASY_E_CORRUPT, "assay_discovery" },
        { "deep", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
          ASY_E_CORRUPT, "" },
        { "no endpoints", FIELDS("[]", K, S, "3", "\"h\"", "5"), ASY_E_CORRUPT, "endpoint" },
        { "endpoints no list", FIELDS("{}", K, S, "3", "\"h\"", "5"), ASY_E_CORRUPT, "endpoints" },
        { "five endpoints",
          FIELDS("[\"tcp://a:1\",\"tcp://b:1\",\"tcp://c:1\",\"tcp://d:1\","
                 "\"tcp://e:1\"]",
                 K, S, "3", "\"h\"", "5"),
          ASY_E_CORRUPT, "endpoints" },
        { "eight endpoints", FIELDS("[\"tcp://a:1\",\"tcp://b:1\",\"tcp://c:1\",\"tcp://d:1\"],"
                                    "\"more_endpoints\":[\"tcp://e:1\",\"tcp://f:1\","
                                    "\"tcp://g:1\",\"tcp://h:1\"]",
                                    K, S, "3", "\"h\"", "5"), 0, "" },
        { "nine endpoints", FIELDS("[\"tcp://a:1\",\"tcp://b:1\",\"tcp://c:1\",\"tcp://d:1\"],"
                                   "\"more_endpoints\":[\"tcp://e:1\",\"tcp://f:1\","
                                   "\"tcp://g:1\",\"tcp://h:1\",\"tcp://i:1\"]",
                                   K, S, "3", "\"h\"", "5"), ASY_E_CORRUPT, "more_endpoints" },
        { "more is no list", FIELDS("[\"tcp://a:1\"],\"more_endpoints\":{}", K, S, "3", "\"h\"",
                                    "5"), ASY_E_CORRUPT, "more_endpoints" },
        { "long endpoint", FIELDS("[\"tcp://" LONG_TEXT LONG_TEXT "\"]", K, S, "3", "\"h\"", "5"),
          ASY_E_CORRUPT, "endpoints" },
        { "number as endpoint", FIELDS("[5]", K, S, "3", "\"h\"", "5"), ASY_E_CORRUPT,
          "endpoints" },
        { "foreign endpoint", FIELDS("[\"ipc://x\"]", K, S, "3", "\"h\"", "5"), ASY_E_CORRUPT,
          "tcp://" },
        { "no port", FIELDS("[\"tcp://h:1\",\"tcp://login1\"]", K, S, "3", "\"h\"", "5"),
          ASY_E_CORRUPT, "endpoint 'tcp://login1' is not tcp://HOST:PORT" },
        { "port 0", FIELDS("[\"tcp://h:0\"]", K, S, "3", "\"h\"", "5"), ASY_E_CORRUPT,
          "endpoint 'tcp://h:0' is not tcp://HOST:PORT" },
        { "key", FIELDS(E, "\"short\"", S, "3", "\"h\"", "5"), ASY_E_CORRUPT, "server key" },
        { "long key", FIELDS(E, "\"" LONG_TEXT "\"", S, "3", "\"h\"", "5"), ASY_E_CORRUPT,
          "server_key" },
        { "key null", FIELDS(E, "null", S, "3", "\"h\"", "5"), ASY_E_CORRUPT, "server_key" },
        { "store", FIELDS(E, K, "\"xyz\"", "3", "\"h\"", "5"), ASY_E_CORRUPT, "store" },
        { "store none", FIELDS(E, K, "\"00000000000000000000000000000000\"", "3", "\"h\"", "5"),
          ASY_E_CORRUPT, "store" },
        { "epoch below 0", FIELDS(E, K, S, "-1", "\"h\"", "5"), ASY_E_CORRUPT, "owner_epoch" },
        { "epoch text", FIELDS(E, K, S, "\"3\"", "\"h\"", "5"), ASY_E_CORRUPT, "owner_epoch" },
        { "no host", FIELDS(E, K, S, "3", "\"\"", "5"), ASY_E_CORRUPT, "host" },
        { "pid 0", FIELDS(E, K, S, "3", "\"h\"", "0"), ASY_E_CORRUPT, "process id" },
        { "pid -1", FIELDS(E, K, S, "3", "\"h\"", "-1"), ASY_E_CORRUPT, "process id" },
        { "pid too large", FIELDS(E, K, S, "3", "\"h\"", "4294967297"), ASY_E_CORRUPT,
          "process id" },
        { "twice", "{\"assay_discovery\":1,\"assay_discovery\":1}", ASY_E_CORRUPT, "" },
    };
    struct place place;
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_discovery got = { .pid = 99 };

        if (!put(&place, cases[i].text, strlen(cases[i].text), 0600))
            break;
        T_EQ(cases[i].name, asy_discovery_read(place.path, &got, &err), cases[i].want);
        T_EQ(cases[i].name, got.pid, cases[i].want ? 99 : 5);
        if (cases[i].want) {
            T_HAS(cases[i].name, err.text, place.path);
            T_HAS(cases[i].name, err.text, cases[i].says);
        }
    }
    place_remove(&place);
}

static void overlong_discovery_file_is_corrupt(void)
{
    struct place place;
    struct asy_discovery got;
    struct asy_error err = ASY_ERROR_INIT;
    size_t n = 1 << 20;
    char *text = malloc(n);

    if (T_TRUE(text != NULL) && place_make(&place)) {
        memset(text, ' ', n);
        if (put(&place, text, n, 0600))
            T_EQ("long", asy_discovery_read(place.path, &got, &err), ASY_E_CORRUPT);
        place_remove(&place);
    }
    free(text);
}

static void dead_coordinators_are_stale(void)
{
    struct asy_discovery discovery = example();
    struct {
        const char *name;
        struct asy_discovery discovery;
        int want;
    } cases[6];
    pid_t child = fork();
    siginfo_t info;
    int status;

    if (child == 0)
        _exit(0);
    if (!T_TRUE(child > 0) ||
        !T_TRUE(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0)) /* a zombie now */
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        cases[i].discovery = discovery;
    cases[0].name = "this process";
    cases[0].want = 0;
    cases[1].name = "ended, but nobody reaps it";
    cases[1].want = 1;
    cases[1].discovery.pid = child;
    cases[2].name = "other boot";
    cases[2].want = 1;
    snprintf(cases[2].discovery.boot_id, sizeof discovery.boot_id, "other");
    cases[3].name = "other host: cannot know";
    cases[3].want = 0;
    snprintf(cases[3].discovery.host, sizeof discovery.host, "elsewhere.example");
    cases[3].discovery.boot_id[0] ^= 1;
    cases[4].name = "another user's process";
    cases[4].want = 0;
    cases[4].discovery.pid = 1;
    cases[5].name = "no pid";
    cases[5].want = 0;
    cases[5].discovery.pid = 0;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy_discovery_stale(&cases[i].discovery), cases[i].want);
    T_TRUE(waitpid(child, &status, 0) == child);
    discovery.pid = child;
    T_EQ("ended", asy_discovery_stale(&discovery), 1);
}

/* This process lives and may have written it, but holds another file or none. */
static void a_file_that_nobody_holds_is_stale(void)
{
    struct asy_discovery out = example(), in = { .pid = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct place place;
    int held = -1;

    if (!place_make(&place))
        return;
    if (!T_OK(asy_discovery_write(place.path, &out, &held, &err), &err) ||
        !T_OK(asy_discovery_read(place.path, &in, &err), &err))
        goto out;
    T_EQ("held", asy_discovery_stale(&in), 0);
    close(held);
    held = -1;
    if (!T_OK(asy_discovery_read(place.path, &in, &err), &err))
        goto out;
    T_EQ("not held", asy_discovery_stale(&in), 1);
    snprintf(in.host, sizeof in.host, "elsewhere.example");
    T_EQ("on another host: cannot know", asy_discovery_stale(&in), 0);
out:
    if (held >= 0)
        close(held);
    place_remove(&place);
}

T_MAIN("keys", T_TEST(made_pair_is_stored_0600_and_loaded_again),
       T_TEST(folders_of_a_new_key_are_closed_to_others), T_TEST(pairs_differ),
       T_TEST(two_who_make_a_key_at_once_get_the_same),
       T_TEST(key_files_with_wrong_modes_are_refused), T_TEST(another_users_key_file_is_refused),
       T_TEST(things_that_are_no_key_files_are_refused_and_kept),
       T_TEST(special_files_are_refused_without_waiting),
       T_TEST(keyring_adds_durably_and_keeps_comments),
       T_TEST(keyring_knows_workers_from_users), T_TEST(revoked_keys_are_gone_with_their_workers),
       T_TEST(a_spoilt_list_changes_nothing),
       T_TEST(missing_keyring_is_empty_and_made_by_the_first_add),
       T_TEST(bad_additions_change_nothing), T_TEST(broken_keyrings_name_the_line),
       T_TEST(keyring_may_be_asked_while_it_grows), T_TEST(discovery_comes_back_as_written),
       T_TEST(further_endpoints_stand_apart),
       T_TEST(incomplete_discovery_is_not_written),
       T_TEST(corrupted_discovery_files_are_told_apart), T_TEST(overlong_discovery_file_is_corrupt),
       T_TEST(dead_coordinators_are_stale), T_TEST(a_file_that_nobody_holds_is_stale))
