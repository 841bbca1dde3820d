/* SPDX-License-Identifier: Apache-2.0
 * schedule.c - the rules have PyTorch's values where it has the rule (torch.optim.lr_scheduler), in
 * closed form: its own recursions lose digits, and a resumed training would have to go through
 * them. */
#include "schedule.h"
#include <math.h>

static const double pi = 3.14159265358979323846;

/* From one value to another along half a wave. */
static double half_wave(double from, double to, double share)
{
    return to + (from - to) * (1 + cos(pi * share)) / 2;
}

/* Smith and Topin 2017 (arXiv 1708.07120): up from lr / 25, and down to the end. As in PyTorch the
 * last step of the rise has lr, and the last of all the end. */
static double one_cycle(const struct asy__schedule *s, uint64_t step)
{
    double rise = s->warmup ? (double)s->warmup : 0.3 * (double)s->total;
    double at = (double)step - 1, top = rise - 1, last = (double)s->total - 1;

    if (at <= top && top > 0)
        return half_wave(s->lr / 25, s->lr, at / top);
    if (last <= top)
        return s->lr;
    top = top > 0 ? top : 0;
    return half_wave(s->lr, s->end * s->lr, last > top ? (at - top) / (last - top) : 1);
}

double asy__schedule_lr(const struct asy__schedule *s, uint64_t step, double cut)
{
    uint64_t at = step - 1 > s->warmup ? step - 1 - s->warmup : 0;
    double whole = s->total > s->warmup ? (double)(s->total - s->warmup) : 1;
    double share = (double)at < whole ? (double)at / whole : 1, left = 1;

    if (s->rule == ASY__LR_ONE_CYCLE)
        return one_cycle(s, step);
    if (step <= s->warmup)
        return s->lr * (double)step / (double)s->warmup * cut;
    if (s->rule == ASY__LR_STEP)
        left = pow(s->factor, (double)(at / (s->every ? s->every : 1)));
    else if (s->rule == ASY__LR_LINEAR)
        left = 1 - (1 - s->end) * share;
    else if (s->rule == ASY__LR_COSINE)
        left = half_wave(1, s->end, share);
    else if (s->rule == ASY__LR_PLATEAU)
        left = cut;
    return s->lr * (left > s->end ? left : s->end);
}

void asy__plateau_judge(struct asy__plateau *p, double value, int maximize, uint64_t patience,
                        double factor)
{
    int better = isnan(p->best) || (maximize ? value > p->best : value < p->best);

    p->poor = better ? 0 : p->poor + 1;
    if (better)
        p->best = value;
    if (p->poor <= patience)
        return;
    p->cut *= factor;
    p->poor = 0;
}
