/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files named on the command line, without a fuzzer:
 * regression inputs in any build. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_BYTES_MAX = 128 << 20 }; /* twice the largest request body */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One input of exactly its size, so that a sanitizer sees reads past it. */
static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
        size > INPUT_BYTES_MAX || fseek(file, 0, SEEK_SET) != 0) {
        perror(path);
        if (file != NULL)
            (void)fclose(file);
        return -1;
    }
    uint8_t *data = malloc(size != 0 ? (size_t)size : 1);
    int rc = -1;
    if (data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size)
        rc = LLVMFuzzerTestOneInput(data, (size_t)size);
    else
        perror(path);
    free(data);
    (void)fclose(file);
    return rc;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed += replay(argv[i]) != 0;
    (void)printf("%d inputs replayed, %d not readable\n", argc - 1 - failed, failed);
    return failed != 0 || argc < 2;
}
