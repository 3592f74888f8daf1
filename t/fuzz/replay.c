/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * replay.c - a main() for a fuzz target without libFuzzer: each argument is a file whose bytes are
 * one input.
 *
 * An input is handed over in a block of its exact size, so that a sanitizer or memcheck sees one
 * byte read too many.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole of `path` in a block that the caller frees; ends the program if that cannot be had. */
static uint8_t *slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long length = -1;

    if (file && fseek(file, 0, SEEK_END) == 0) {
        length = ftell(file);
        rewind(file);
    }
    if (length >= 0) {
        data = malloc(length ? (size_t)length : 1);
    }
    if (!data || fread(data, 1, (size_t)length, file) != (size_t)length) {
        perror(path);
        exit(2);
    }
    fclose(file);
    *size = (size_t)length;
    return data;
}

int main(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        size_t size;
        uint8_t *data = slurp(argv[i], &size);

        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    return argc > 1 ? 0 : 2;
}
