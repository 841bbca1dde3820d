/* SPDX-License-Identifier: Apache-2.0
 * Preloaded by tests: any start of MPI ends the process with a code that nothing else has. */
#include <unistd.h>

int MPI_Init(int *argc, char ***argv);
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided);

int MPI_Init(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    _exit(77);
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    (void)argc, (void)argv, (void)required, (void)provided;
    _exit(77);
}
