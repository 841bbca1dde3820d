/* SPDX-License-Identifier: Apache-2.0
 * augment.h - images as training sees them: shifted, cropped and turned round at random, anew in
 * each step.
 *
 * What is drawn for an image depends on the seed, the step and its place in the batch alone
 * (Philox, see asy/rng.h), so not on the rank that computes it, nor on what was interrupted.
 *
 * Pixels move as they were in the file; that each feature has a scale of its own comes after.
 * First an image is shifted, its edges taking the place of what it leaves; then it gets a border of
 * zeros, of which a window of its size is cut; then left and right change places.
 *
 * Ownership: init/fini; the schema is borrowed. Threads: one owner. */
#ifndef ASY__AUGMENT_H
#define ASY__AUGMENT_H
#include "data.h"

struct asy__augment {
    const struct asy__schema *schema;
    size_t height, width, channels; /* of an image, channels innermost */
    size_t shift, crop; /* pixels, at most, in each direction; less than height and width */
    int flip;           /* half of all images */
    uint64_t seed;
    int is_even;        /* all features have the same scale: numbers move as they are */
    ptrdiff_t *column;  /* [width]: where an image's columns come from; -1: the border */
};
/* What becomes of one image: at (y, x) of what is shifted, or cut, is what was at (y + shift_y,
 * x + shift_x), or (y + crop_y, x + crop_x). */
struct asy__augment_draw {
    ptrdiff_t shift_y, shift_x, crop_y, crop_x;
    int flip;
};

/* All but the last two members are the caller's to set. */
ASY_MUST_CHECK int asy__augment_init(struct asy__augment *augment, struct asy_error *err);
void asy__augment_fini(struct asy__augment *augment); /* zeros are fine */
struct asy__augment_draw asy__augment_draw(const struct asy__augment *augment, uint64_t step,
                                           uint64_t place);
/* to [features] = the row `from`, which has that place in the batch of this step. */
void asy__augment_row(const struct asy__augment *augment, uint64_t step, uint64_t place,
                      const float *from, float *to);
#endif
