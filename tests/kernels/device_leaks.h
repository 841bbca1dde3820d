/* SPDX-License-Identifier: Apache-2.0
 * device_leaks.h - what the leak sanitizer is to overlook in tests of devices: PoCL and LLVM keep
 * contexts and compilers until the process ends, and lose the stack where they allocate by C++, of
 * which we have nothing. What our driver forgets, a buffer of OpenCL, it does not see at all:
 * test_device.c counts those. */
#ifndef DEVICE_LEAKS_H
#define DEVICE_LEAKS_H
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpocl.so\nleak:libOpenCL.so\nleak:libLLVM\nleak:libclang\nleak:libstdc++.so\n";
}
#endif
