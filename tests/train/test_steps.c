/* SPDX-License-Identifier: Apache-2.0
 * A step of training allocates nothing, on any rank. Run as `test_steps` or `mpirun -n 2
 * test_steps [RANKS]`; RANKS: of a node at most, as if the rest were on others.
 *
 * A job is run twice, with many steps in an epoch and with few: what begins a job, ends an epoch
 * and puts a model away is the same, so what is left is the steps'. The linker sends the calls of
 * our own code here (--wrap); what MPI allocates by itself is not reached. Trees are left out: a
 * model of them grows with its rounds. */
#include "rankskit.h"
#include <sys/mman.h>
#include <asy/training.h>

static long allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_reallocarray(void *old, size_t n, size_t size);
int __real_posix_memalign(void **ret, size_t alignment, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t n)
{
    allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    allocations++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t n)
{
    allocations++;
    return __real_realloc(old, n);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    allocations++;
    return __real_reallocarray(old, n, size);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t n)
{
    allocations++;
    return __real_posix_memalign(ret, alignment, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    allocations++;
    return __real_aligned_alloc(alignment, n);
}

char *__wrap_strdup(const char *text)
{
    allocations++;
    return __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
    allocations++;
    return __real_strndup(text, n);
}

void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    allocations++;
    return __real_mmap(at, n, protection, flags, fd, offset);
}

static void count_step(void *arg, uint64_t step, double loss)
{
    (void)loss;
    *(uint64_t *)arg = step;
}

/* What this rank allocates in a job of a trainer that has read the data; -1: it failed. */
static long count(struct asy_trainer *trainer, const char *dir, const struct asy_json *job,
                  uint64_t *ret_steps)
{
    const struct asy_train_callbacks callbacks = { .arg = ret_steps, .step = count_step };
    static struct asy_train_result result;
    struct asy_error err = ASY_ERROR_INIT;
    long before = allocations;

    if (!T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err) ||
        !T_EQ("outcome", result.outcome, ASY_TRAIN_COMPLETE))
        return -1;
    return allocations - before;
}

#define TEXT ASY_SOURCE_DIR "/README.md", "\"format\":\"text\""
#define DIGITS KIT_DIGITS, "\"label\":-1"
#define STRICT "},\"resources\":{\"reproducible\":\"strict\""

static const struct steps_case {
    const char *name, *family, *file, *data, *params;
    int few, many; /* rows of a batch */
} cases[] = {
    { "linear", "linear", DIGITS, "\"lr\":0.01", 600, 20 },
    { "mlp, adam", "mlp", DIGITS, "\"hidden\":32,\"dropout\":0.1", 600, 20 },
    { "mlp, sgd", "mlp", DIGITS, "\"hidden\":32,\"optimizer\":\"sgd\",\"clip\":1,\"ema\":0.9",
      600, 20 },
    { "mlp, lamb", "mlp", DIGITS, "\"hidden\":32,\"optimizer\":\"lamb\",\"norm\":\"layer\"",
      600, 20 },
    { "mlp, lars", "mlp", DIGITS, "\"hidden\":32,\"optimizer\":\"lars\",\"accumulate\":3",
      600, 20 },
    { "mlp, alone", "mlp", DIGITS, "\"hidden\":32,\"sync_every\":3,\"outer_momentum\":0.9", 600,
      20 },
    { "mlp, strict", "mlp", KIT_DIGITS, "\"label\":-1" STRICT, "\"hidden\":32", 600, 20 },
    { "cnn", "cnn", DIGITS, "\"filters\":4,\"norm\":\"batch\",\"lr_schedule\":\"cosine\"",
      600, 60 },
    { "cnn, augmented", "cnn", DIGITS, "\"filters\":4,\"augment_crop\":1,\"augment_flip\":true",
      600, 60 },
    { "cnn, residual", "cnn", DIGITS, "\"filters\":4,\"residual\":true", 600, 60 },
    { "layers", "layers", DIGITS, "\"layers\":[{\"dense\":24},{\"act\":\"tanh\"},{\"dense\":10}]",
      600, 20 },
    { "gpt", "gpt", TEXT, "\"d_model\":12,\"heads\":3,\"blocks\":1,\"context\":20,\"tied\":true",
      100, 10 },
    { "transformer", "transformer", DIGITS,
      "\"d_model\":8,\"heads\":2,\"blocks\":1,\"tokens\":8,\"dropout\":0.1", 600, 60 },
};

static struct asy_json *make_job(const struct steps_case *c, int batch)
{
    char params[256];

    snprintf(params, sizeof params, "%s,\"batch_size\":%d", c->params, batch);
    return kit_family_job(c->family, c->file, c->data, "val_loss", "minimize", 2, params, "");
}

static void check(const struct steps_case *c, const char *dir)
{
    struct asy_json *few = make_job(c, c->few), *many = make_job(c, c->many);
    uint64_t few_steps = 0, many_steps = 0;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    long a, b;

    if (!T_OK(asy_trainer_create(comm, &trainer, &err), &err))
        goto out;
    count(trainer, dir, few, &few_steps); /* reads the data, and gets the memory */
    count(trainer, dir, many, &many_steps); /* of few rows a rank, too, which others may read */
    a = count(trainer, dir, few, &few_steps);
    b = count(trainer, dir, many, &many_steps);
    T_TRUE(a > 0); /* else nothing is counted */
    T_EQ(c->name, b, a);
    if (asy_comm_rank(comm) == 0)
        T_TRUE(many_steps > few_steps + 6);
out:
    asy_trainer_destroy(trainer);
    asy_json_destroy(few);
    asy_json_destroy(many);
}

static void a_step_allocates_nothing(void)
{
    char dir[64];

    if (!shared_dir(dir))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        check(&cases[i], dir);
    drop_dir(dir);
}

int main(int argc, char **argv)
{
    static const struct t_test tests[] = { T_TEST(a_step_allocates_nothing) };
    int rc;

    if (!ranks_open(ranks_asked(argc, argv)))
        return 2;
    rc = t__main("steps", tests, ASY_ARRAY_LEN(tests));
    asy_comm_destroy(comm);
    return rc;
}
