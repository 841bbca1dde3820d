/* SPDX-License-Identifier: Apache-2.0
 * test_invitation.c - invitations: what comes back, what is refused, what is kept beside them. */
#include "asytest.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/invitation.h>

struct place {
    char folder[64], path[96], note[128];
    struct asy_invitation made;
};

static bool place_make(struct place *place)
{
    struct asy_invitation *made = &place->made;
    struct asy_keypair server;
    struct asy_error err = ASY_ERROR_INIT;

    memset(place, 0, sizeof *place);
    snprintf(place->folder, sizeof place->folder, "/tmp/assay-invited-XXXXXX");
    if (!T_TRUE(mkdtemp(place->folder) != NULL) || !T_OK(asy_keypair_make(&server, &err), &err) ||
        !T_OK(asy_keypair_make(&made->pair, &err), &err))
        return false;
    snprintf(place->path, sizeof place->path, "%s/lab.invitation", place->folder);
    snprintf(place->note, sizeof place->note, "%s.now", place->path);
    snprintf(made->at.endpoints[0], sizeof made->at.endpoints[0], "tcp://10.0.0.1:12345");
    snprintf(made->at.endpoints[1], sizeof made->at.endpoints[1], "tcp://[fd77::1]:12345");
    memcpy(made->at.server_key, server.public_key, ASY_KEY_TEXT);
    memcpy(made->owner, server.public_key, ASY_KEY_TEXT);
    made->at.store = asy_id_make();
    snprintf(made->at.host, sizeof made->at.host, "login1");
    snprintf(made->at.boot_id, sizeof made->at.boot_id, "b");
    snprintf(made->name, sizeof made->name, "lab 3");
    made->is_worker = 1;
    return true;
}

static void place_remove(struct place *place)
{
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_durable_remove(place->folder, &err), &err);
}

static void an_invitation_comes_back_as_it_was_written(void)
{
    struct place place;
    struct asy_invitation read = { .is_worker = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct stat st;

    if (!place_make(&place))
        return;
    if (T_OK(asy_invitation_save(place.path, &place.made, &err), &err) &&
        T_OK(asy_invitation_read(place.path, &read, &err), &err)) {
        T_EQ("mode", stat(place.path, &st) == 0 ? st.st_mode & 07777 : 0, 0600);
        T_TRUE(!memcmp(&read, &place.made, sizeof read));
        T_EQ("never stale", asy_discovery_stale(&read.at), 0);
        T_EQ("not over another", asy_invitation_save(place.path, &place.made, &err), ASY_E_EXISTS);
    }
    place_remove(&place);
}

static void what_is_no_invitation_is_refused(void)
{
    static const struct {
        const char *name, *from, *to, *says;
    } cases[] = {
        { "another file", "assay_invitation", "assay_discovery", "assay_invitation: 1" },
        { "another kind", "\"worker\"", "\"admin\"", "'for'" },
        { "no endpoint", "tcp://", "udp://", "'endpoints'" },
        { "no port", ":12345", ":0", "'endpoints'" },
        { "no keys", "secret_key", "secret", "'secret_key'" },
        { "no store", "\"store\"", "\"shop\"", "'store'" },
        { "no host", "\"host\"", "\"hast\"", "'host'" },
        { "no JSON", "{", "[", "line 2" },
    };
    struct place place;

    if (!place_make(&place))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_invitation read;
        struct asy_buf text, other;
        const char *at;

        asy_buf_init(&text, 1u << 16);
        asy_buf_init(&other, 1u << 16);
        if (T_OK(asy_invitation_format(&place.made, &text, &err), &err) &&
            T_TRUE((at = strstr(text.data, cases[i].from)) != NULL)) {
            asy_buf_add(&other, text.data, (size_t)(at - text.data));
            asy_buf_adds(&other, cases[i].to);
            asy_buf_adds(&other, at + strlen(cases[i].from));
            T_OK(asy_durable_write(place.path, other.data, other.len, 0600, &err), &err);
            T_EQ(cases[i].name, asy_invitation_read(place.path, &read, &err), ASY_E_CORRUPT);
            T_HAS(cases[i].name, err.text, cases[i].says);
        }
        asy_buf_fini(&text);
        asy_buf_fini(&other);
    }
    place_remove(&place);
}

static void one_that_others_may_read_is_refused(void)
{
    struct place place;
    struct asy_invitation read;
    struct asy_error err = ASY_ERROR_INIT;

    if (!place_make(&place))
        return;
    if (T_OK(asy_invitation_save(place.path, &place.made, &err), &err) &&
        T_TRUE(chmod(place.path, 0640) == 0)) {
        T_EQ("refused", asy_invitation_read(place.path, &read, &err), ASY_E_DENIED);
        T_HAS("mended by", err.text, "chmod 600");
    }
    place_remove(&place);
}

static void what_was_told_later_is_kept_beside_it(void)
{
    const char *const told[] = { "tcp://10.0.0.9:4000" };
    struct place place;
    struct asy_discovery found;
    struct asy_error err = ASY_ERROR_INIT;
    int newer = 0;

    if (!place_make(&place))
        return;
    if (!T_OK(asy_invitation_save(place.path, &place.made, &err), &err))
        goto out;
    T_EQ("nothing yet", asy_invitation_noted(place.path, &place.made, &found, &newer, &err),
         ASY_E_NOENT);
    T_OK(asy_invitation_note(place.path, &place.made, told, 1, &err), &err);
    if (!T_OK(asy_invitation_noted(place.path, &place.made, &found, &newer, &err), &err))
        goto out;
    T_STR("where", found.endpoints[0], told[0]);
    T_STR("alone", found.endpoints[1], "");
    T_STR("who", found.server_key, place.made.at.server_key);
    T_EQ("later", newer, 1);
    place.made.at.server_key[0] ^= 1;
    T_EQ("of another", asy_invitation_noted(place.path, &place.made, &found, &newer, &err),
         ASY_E_NOENT);
    T_TRUE(chmod(place.note, 0644) == 0);
    T_EQ("open to others", asy_invitation_noted(place.path, &place.made, &found, &newer, &err),
         ASY_E_DENIED);
out:
    place_remove(&place);
}

T_MAIN("invitation", T_TEST(an_invitation_comes_back_as_it_was_written),
       T_TEST(what_is_no_invitation_is_refused), T_TEST(one_that_others_may_read_is_refused),
       T_TEST(what_was_told_later_is_kept_beside_it))
