/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_decode.c - bodies in content codings.
 *
 * The first byte selects the codings; the rest is the body. No byte beyond the body is read, the
 * limits hold, and what one coding has decoded is decoded again from the codings of zlib.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "compare/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static const char *const codings[] = {
    "gzip", "deflate", "br", "identity", "gzip, gzip", "deflate, br", "br, gzip", "gzip, deflate",
};

/* A body that was decoded, as zlib codes it, is decoded to itself. */
static void decode_again(const mirror_decoded_t *first)
{
    uLongf len = compressBound(first->len);
    Bytef *coded = malloc(len);
    mirror_decoded_t second;

    REQUIRE(coded != NULL);
    REQUIRE(compress2(coded, &len, (const Bytef *)first->data, first->len, 1) == Z_OK);
    REQUIRE(mirror_decode(&second, "deflate", (const char *)coded, len) == MIRROR_DECODE_DONE);
    REQUIRE(second.len == first->len && !memcmp(second.data, first->data, second.len));
    free(second.data);
    free(coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mirror_decoded_t decoded;
    mirror_decode_e result;
    char *body;

    if (size == 0) {
        return 0;
    }
    body = malloc(size); /* from a block of its exact size */
    REQUIRE(body != NULL);
    memcpy(body, data + 1, size - 1);
    body = realloc(body, size > 1 ? size - 1 : 1);
    result = mirror_decode(&decoded, codings[data[0] % 8], body, size - 1);
    free(body);
    REQUIRE((result == MIRROR_DECODE_DONE) == (decoded.data != NULL));
    REQUIRE((result == MIRROR_DECODE_IDENTITY) == (data[0] % 8 == 3));
    if (result == MIRROR_DECODE_DONE) {
        REQUIRE(decoded.len <= MIRROR_DECODED_MAX);
        REQUIRE(decoded.len <= 65536 || decoded.len <= 1000 * (size - 1));
        if (decoded.len <= 32768) {
            decode_again(&decoded);
        }
    }
    free(decoded.data);
    return 0;
}
