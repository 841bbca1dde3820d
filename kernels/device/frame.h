/* SPDX-License-Identifier: Apache-2.0
 * frame.h - an open device as the files of this folder use it: calls of its driver that are
 * counted, whose errors name the device, and which do nothing any more once it is gone. */
#ifndef ASY__FRAME_H
#define ASY__FRAME_H
#include "driver.h"
#include "kernel_list.h"

struct asy_device {
    const struct asy__driver *driver;
    struct asy__dev *dev;
    struct asy_device_info info;
    struct asy_device_traffic traffic;
    struct asy__kernel *kernels[ASY__KERNELS]; /* as they are first used */
    size_t in_nets; /* bytes that networks and trees have */
    int built, gone;
};

/* asy_device_open(), of any driver. */
ASY_MUST_CHECK int asy__device_open(const struct asy__driver *driver, size_t index,
                                    struct asy_device **ret_device, struct asy_error *err);

/* Floats, all zeros; n 0 gives room for one. */
ASY_MUST_CHECK int asy__device_alloc(struct asy_device *device, size_t n, struct asy__mem **ret_mem,
                                     struct asy_error *err);
void asy__device_free(struct asy_device *device, struct asy__mem *mem); /* NULL is fine */
/* at and n count floats (or what is as wide). */
ASY_MUST_CHECK int asy__device_write(struct asy_device *device, struct asy__mem *mem, size_t at,
                                     const void *x, size_t n, struct asy_error *err);
ASY_MUST_CHECK int asy__device_read(struct asy_device *device, struct asy__mem *mem, size_t at,
                                    void *x, size_t n, struct asy_error *err);
ASY_MUST_CHECK int asy__device_zero(struct asy_device *device, struct asy__mem *mem, size_t at,
                                    size_t n, struct asy_error *err);
/* Builds it, as a launch would. ASY_E_NOENT: this device has no kernel of that name. */
ASY_MUST_CHECK int asy__device_kernel(struct asy_device *device, enum asy__kernel_id kernel,
                                      struct asy_error *err);
/* groups 0 in any dimension: there is nothing to do. */
ASY_MUST_CHECK int asy__device_launch(struct asy_device *device, enum asy__kernel_id kernel,
                                      size_t x, size_t y, size_t z, const struct asy__arg *args,
                                      size_t n_args, struct asy_error *err);
/* Of no rows, columns or inner entries, too. parts: [n_parts], asserted to be enough. */
ASY_MUST_CHECK int asy__device_product(struct asy_device *device,
                                       const struct asy__product *product, struct asy__mem *parts,
                                       size_t n_parts, struct asy_error *err);
/* Parts that are enough for products of these sizes and of any smaller ones. */
size_t asy__product_room(size_t m, size_t n, size_t k);
/* Parts that the product of exactly these sizes writes: fewer rows may have more. */
size_t asy__product_parts(size_t m, size_t n, size_t k);
/* *ret_done stays 0 where no library of the maker takes it. */
ASY_MUST_CHECK int asy__device_library_product(struct asy_device *device,
                                               const struct asy__product *product, int *ret_done,
                                               struct asy_error *err);

/* What an object of the device is made of: where it goes, and its floats (or what is as wide). */
struct asy__device_piece {
    struct asy__mem **at;
    size_t n; /* SIZE_MAX: more than there can be */
};
static inline size_t asy__times(size_t a, size_t b)
{
    size_t n;

    return __builtin_mul_overflow(a, b, &n) ? SIZE_MAX : n;
}
/* Whether all of the device's memory could hold them beside what there is. *ret_bytes: of them,
 * *ret_all: with that. What can never be there is not for want of memory, which others might give
 * back. */
int asy__device_could_hold(const struct asy_device *device, const struct asy__device_piece *pieces,
                           size_t n, size_t *ret_bytes, size_t *ret_all);

static inline size_t asy__groups(size_t n, size_t of)
{
    return (n + of - 1) / of;
}

/* Arguments of a launch: ARG_AT() makes the two of an operand. */
#define ARG_MEM(memory) ((struct asy__arg){ ASY__ARG_MEM, { .mem = (memory) } })
#define ARG_U64(x) ((struct asy__arg){ ASY__ARG_U64, { .u64 = (x) } })
#define ARG_U32(x) ((struct asy__arg){ ASY__ARG_U32, { .u32 = (uint32_t)(x) } })
#define ARG_I32(x) ((struct asy__arg){ ASY__ARG_I32, { .i32 = (int32_t)(x) } })
#define ARG_F32(x) ((struct asy__arg){ ASY__ARG_F32, { .f32 = (x) } })
#define ARG_AT(memory, at) ARG_MEM(memory), ARG_U64(at)
#define ASY__LAUNCH(device, err, kernel, x, y, z, ...)                                             \
    asy__device_launch(device, ASY__K_##kernel, x, y, z, (const struct asy__arg[]){ __VA_ARGS__ }, \
                       sizeof(const struct asy__arg[]){ __VA_ARGS__ } / sizeof(struct asy__arg),   \
                       err)
#endif
