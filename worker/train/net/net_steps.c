/* SPDX-License-Identifier: Apache-2.0
 * net_steps.c - see net_steps.h. The program of evaluation is run on some of a window's tokens: an
 * operation that treats each token by itself has fewer of them, attention has the others from
 * where they are kept. What follows the last attention is of interest for the last token alone.
 *
 * Rejected: a program of its own for a token, planned like the others: every layer would say a
 * third time what it does. Here its operations are cut, by a table of which of their operands have
 * a row for each token. */
#include "net_steps.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <asy/attention.h>

struct asy__net_steps {
    const struct asy__net *net;
    const float *params;
    size_t tokens;  /* of a window */
    size_t outs;    /* of a token */
    size_t last;    /* operations before the last attention */
    size_t each;    /* floats of kept for an attention */
    float *kept;    /* [attentions][tokens][3][heads][width]: query, key and value */
};

/* Tokens `known` and later are in memory, the first of them at its beginning; those from `from` to
 * `end` are computed. */
struct range {
    size_t known, from, end;
};

/* Moves an operand of so many floats a token on to the first that is computed. */
static void move(struct asy_operand *operand, const struct range *r, size_t width)
{
    operand->at += (r->from - r->known) * width;
}

/* op becomes that of the range's tokens. 0: it is not of each token by itself. */
static int cut(struct asy_op *op, const struct range *r, size_t tokens)
{
    size_t width = op->per_row * op->n[0] / tokens;

    switch (op->kind) {
    case ASY_OP_EMBED:
        op->in[0].at += r->from;
        op->in[2].at += r->from * op->n[1];
        move(&op->out[0], r, op->n[1]);
        op->n[0] = r->end - r->from;
        break;
    case ASY_OP_DENSE:
        move(&op->in[0], r, op->n[0]);
        move(&op->out[0], r, op->n[1]);
        move(&op->out[1], r, op->n[1]);
        break;
    case ASY_OP_LAYER_NORM:
        move(&op->in[0], r, op->n[0]);
        move(&op->out[0], r, op->n[0]);
        move(&op->out[1], r, 2);
        break;
    case ASY_OP_ADD:
    case ASY_OP_ACT: /* may be of a whole row at once */
    case ASY_OP_SOFTMAX:
        move(&op->in[0], r, width);
        move(&op->in[1], r, width);
        move(&op->out[0], r, width);
        op->n[0] = width;
        break;
    default:
        return 0;
    }
    op->per_row = r->end - r->from;
    return 1;
}

/* Whether it can be run so, and how much is to be kept. */
static int survey(struct asy__net_steps *s, size_t *ret_attentions, struct asy_error *err)
{
    const struct asy__program *program = &s->net->eval;
    size_t n = 0;

    for (size_t i = 0; i < program->n; i++) {
        struct asy_op op = program->ops[i];
        int attends = op.kind == ASY_OP_ATTENTION && op.flags & ASY_OP_CAUSAL &&
                      op.in[0].space == ASY_SPACE_WORK && op.n[0] == s->tokens;

        if (!attends && !cut(&op, &(struct range){ 0, 0, 1 }, s->tokens))
            return asy_fail(err, ASY_E_UNSUPPORTED, "only networks whose tokens see those before "
                            "them alone are told token after token");
        if (!attends)
            continue;
        s->last = i;
        s->each = s->tokens * 3 * op.n[1] * op.n[2]; /* the same for all of a family */
        n++;
    }
    *ret_attentions = n;
    return 0;
}

int asy__net_steps_create(const struct asy__net *net, const float *params,
                          struct asy__net_steps **ret_steps, struct asy_error *err)
{
    struct asy__net_steps *s = calloc(1, sizeof *s);
    size_t n = 0;
    int rc;

    if (!s)
        return asy_fail(err, ASY_E_NOMEM, "no memory for what a network keeps");
    *s = (struct asy__net_steps){ .net = net, .params = params,
                                  .tokens = asy__shape_size(net->features) };
    s->outs = asy__shape_size(net->outputs) / s->tokens;
    if ((rc = survey(s, &n, err)) == 0 && n && !(s->kept = calloc(n * s->each, sizeof *s->kept)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the keys of %zu tokens", s->tokens);
    if (rc < 0)
        asy__net_steps_destroy(s);
    else
        *ret_steps = s;
    return rc;
}

void asy__net_steps_destroy(struct asy__net_steps *steps)
{
    int saved = errno;

    if (!steps)
        return;
    free(steps->kept);
    free(steps);
    errno = saved;
}

/* kept: of this attention. */
static void attend(const struct asy_op *op, const struct range *r, float *work, float *room,
                   float *kept)
{
    size_t model = op->n[1] * op->n[2];
    struct asy_attention shape = { .sequences = 1, .tokens = r->end, .heads = op->n[1],
                                   .width = op->n[2], .causal = 1 };

    memcpy(kept + r->known * 3 * model, work + op->in[0].at,
           (r->end - r->known) * 3 * model * sizeof *kept);
    asy_attention_from(&shape, r->from, kept, work + op->out[0].at + (r->from - r->known) * model,
                       work + op->out[1].at, work + op->out[2].at, room);
}

const float *asy__net_steps_tell(struct asy__net_steps *steps, const float *ids, size_t known,
                                 size_t n)
{
    const struct asy__program *program = &steps->net->eval;
    struct asy_op_cpu cpu = steps->net->cpu;
    float *work = cpu.write[ASY_SPACE_WORK], *kept = steps->kept;
    struct range r = { known, known, n };

    ASY_ASSERT(known < n && n <= steps->tokens, "%zu of %zu tokens, of %zu", known, n,
               steps->tokens);
    cpu.read[ASY_SPACE_INPUT] = ids;
    cpu.read[ASY_SPACE_PARAMS] = steps->params;
    for (size_t i = 0; i < program->n; i++) {
        struct asy_op op = program->ops[i];

        if (i == steps->last)
            r.from = n - 1;
        if (op.kind == ASY_OP_ATTENTION) {
            attend(&op, &r, work, cpu.room, kept);
            kept += steps->each;
            continue;
        }
        ASY_ASSERT(cut(&op, &r, steps->tokens), "operation %d", (int)op.kind);
        asy_op_run(&op, 1, &cpu, &(struct asy_op_step){ .rows = 1 });
    }
    return work + steps->net->out + (n - 1 - known) * steps->outs;
}
