/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_http2_head.c - the head of a copy as fields of HTTP/2.
 *
 * The first byte has the options, the rest is a head. Whatever it is: no more fields than counted,
 * pseudo fields first, no name in upper case, nothing of a connection, and the same for a second
 * attempt.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "send/http2_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

#if MIRROR_HAVE_NGHTTP2

static int is_name(const nghttp2_nv *field, const char *name)
{
    return field->namelen == strlen(name) && !memcmp(field->name, name, field->namelen);
}

static void look(const nghttp2_nv *fields, apr_size_t n)
{
    apr_size_t i, k;
    int regular = 0;

    for (i = 0; i < n; i++) {
        REQUIRE(fields[i].namelen > 0);
        regular |= fields[i].name[0] != ':';
        REQUIRE(!regular || fields[i].name[0] != ':');
        for (k = 0; k < fields[i].namelen; k++) {
            REQUIRE(fields[i].name[k] < 'A' || fields[i].name[k] > 'Z');
        }
        for (k = 0; k < fields[i].valuelen; k++) {
            REQUIRE(fields[i].value[k] != '\n');
        }
        REQUIRE(!is_name(&fields[i], "connection") && !is_name(&fields[i], "host") &&
                !is_name(&fields[i], "transfer-encoding"));
        REQUIRE(!is_name(&fields[i], "te") || i == n - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mirror_http2_head_t options = { 0 };
    apr_size_t most, n;
    nghttp2_nv *fields;
    char *text;

    if (size == 0) {
        return 0;
    }
    options.scheme = "http";
    options.grpc = data[0] & 1;
    options.trailers = (data[0] >> 1) & 1;
    size--;
    text = malloc(size ? size : 1);
    REQUIRE(text != NULL);
    memcpy(text, data + 1, size);
    most = mirror_http2_head_count(text, size);
    fields = malloc(most * sizeof(*fields));
    REQUIRE(fields != NULL);
    n = mirror_http2_head_read(fields, text, size, &options);
    REQUIRE(n <= most);
    look(fields, n);
    REQUIRE(mirror_http2_head_read(fields, text, size, &options) == n);
    look(fields, n);
    free(fields);
    free(text);
    return 0;
}

#else

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    REQUIRE(data != NULL || size == 0);
    return 0; /* this build has no HTTP/2 */
}

#endif
