/* SPDX-License-Identifier: Apache-2.0
 * Lines of programs: whatever they are, they are taken or refused with a reason. */
#include "impl.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__said said = { 0 };
    int rc = asy__said_parse((const char *)data, size, &said, &err);

    ASY_ASSERT((rc == 0) == (err.text[0] == '\0'), "rc %d with '%s'", rc, err.text);
    if (rc == 0 && (said.what == ASY__SAID_REPORT || said.what == ASY__SAID_CHECKPOINT))
        ASY_ASSERT(said.step <= ASY__STEP_MAX && said.n_metrics <= ASY__METRICS_MAX);
    asy__said_fini(&said);
    return 0;
}
