/* SPDX-License-Identifier: Apache-2.0
 * test_reasons.c - why trials did not run to their end. */
#include "study_kit.h"
#include "reasons.h"

static void causes_are_grouped_with_their_remedy(void)
{
    static const char trials[] =
        "{\"trials\":["
        "{\"number\":0,\"state\":\"complete\",\"cause\":null,\"text\":\"\",\"step\":16},"
        "{\"number\":1,\"state\":\"pruned\",\"cause\":\"study-ended\",\"text\":\"x\",\"step\":4},"
        "{\"number\":2,\"state\":\"pruned\",\"cause\":\"study-ended\",\"text\":\"x\",\"step\":1},"
        "{\"number\":3,\"state\":\"pruned\",\"cause\":\"study-ended\",\"text\":\"x\",\"step\":1},"
        "{\"number\":4,\"state\":\"failed\",\"cause\":\"diverged\",\"text\":\"train_loss is not "
        "finite\",\"step\":2},"
        "{\"number\":5,\"state\":\"failed\",\"cause\":\"diverged\",\"text\":\"y\",\"step\":2}]}";
    struct asy_json *study = kit_json(KIT_STUDY), *root = kit_json(trials);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf out = { 0 };
    char remedy[400];

    asy_buf_init(&out, 1u << 16);
    asy_cause_remedy(ASY_CAUSE_DIVERGED, "digits", 4, remedy, sizeof remedy);
    if (study && root && T_OK(asy__reasons(study, root, "  ", 0, &out, &err), &err)) {
        T_HAS("the larger group first", out.data,
              "  3 pruned: not among the best where they stood when the study ended; "
              "2 at epoch 1, 1 at 4\n  2 failed: ");
        T_HAS("its rule", out.data, asy_cause_info(ASY_CAUSE_DIVERGED)->rule);
        T_HAS("an example", out.data, "such as trial 4: train_loss is not finite\n");
        T_HAS("what to do", out.data, remedy);
    }
    asy_json_destroy(root);
    asy_json_destroy(study);
    asy_buf_fini(&out);
}

static void nothing_is_said_where_all_is_well(void)
{
    struct asy_json *study = kit_json(KIT_STUDY);
    struct asy_json *root = kit_json("{\"trials\":[{\"number\":0,\"state\":\"complete\"}]}");
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 16);
    if (study && root && T_OK(asy__reasons(study, root, "", 80, &out, &err), &err))
        T_STR("nothing", out.data, "");
    asy_json_destroy(root);
    asy_json_destroy(study);
    asy_buf_fini(&out);
}

T_MAIN("cli reasons", T_TEST(causes_are_grouped_with_their_remedy),
       T_TEST(nothing_is_said_where_all_is_well))
