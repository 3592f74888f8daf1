/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/decode.c - content codings undone. See compare/decode.h.
 *
 * Each coding is one stage, the last one applied comes first. A stage writes to a buffer that grows
 * up to a limit. The limit follows from the length of the body, so a bomb ends at most one byte
 * beyond it.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef MIRROR_HAVE_BROTLI
#include <brotli/decode.h>
#endif

#include "base/ascii.h"
#include "compare/decode.h"

/* Bytes of a body; compare_max_body is at most this. Within zlib's uInt. */
#define INPUT_MAX (16 * 1024 * 1024)
/* Bytes of output that any input may have. */
#define RATIO_FROM (64 * 1024)
#define RATIO_MAX  1000
/* Members of one gzip stream. */
#define MEMBERS_MAX 1024
#define FIRST_SIZE  4096

typedef struct output_t {
    char *data;
    apr_size_t len, size;
    apr_size_t limit; /* bytes; one more is too many */
} output_t;

typedef mirror_decode_e stage_fn(output_t *output, const char *data, apr_size_t len);

/* Make room for at least one more byte. */
static mirror_decode_e grow(output_t *output)
{
    apr_size_t size = output->size ? 2 * output->size : FIRST_SIZE;
    char *data;

    if (output->len < output->size) {
        return MIRROR_DECODE_DONE;
    }
    if (output->len > output->limit) {
        return MIRROR_DECODE_TOO_LARGE;
    }
    if (size > output->limit + 1) {
        size = output->limit + 1;
    }
    if (!(data = realloc(output->data, size))) {
        return MIRROR_DECODE_NO_MEMORY;
    }
    output->data = data;
    output->size = size;
    return MIRROR_DECODE_DONE;
}

/* ---- gzip and deflate ---- */

/* Inflate up to the end of one stream. */
static mirror_decode_e inflate_stream(output_t *output, z_stream *z)
{
    for (;;) {
        mirror_decode_e grown = grow(output);
        int rc;

        if (grown != MIRROR_DECODE_DONE) {
            return grown;
        }
        z->next_out = (Bytef *)output->data + output->len;
        z->avail_out = (uInt)(output->size - output->len);
        rc = inflate(z, Z_NO_FLUSH);
        output->len = output->size - z->avail_out;
        if (rc == Z_STREAM_END) {
            return output->len > output->limit ? MIRROR_DECODE_TOO_LARGE : MIRROR_DECODE_DONE;
        }
        if (rc == Z_MEM_ERROR) {
            return MIRROR_DECODE_NO_MEMORY;
        }
        /* with room left, it waits for input that there is not */
        if (rc != Z_OK && !(rc == Z_BUF_ERROR && z->avail_out == 0)) {
            return MIRROR_DECODE_FAILED;
        }
        if (z->avail_in == 0 && z->avail_out > 0) {
            return MIRROR_DECODE_FAILED;
        }
    }
}

/* Inflate one stream, or several that follow each other; `bits` are those of inflateInit2(). */
static mirror_decode_e inflate_all(output_t *output, const char *data, apr_size_t len, int bits,
                                   int members_max)
{
    mirror_decode_e result;
    z_stream z;
    int rc, members = 0;

    memset(&z, 0, sizeof(z));
    z.next_in = (z_const Bytef *)data;
    z.avail_in = (uInt)len;
    rc = inflateInit2(&z, bits);
    if (rc != Z_OK) {
        return rc == Z_MEM_ERROR ? MIRROR_DECODE_NO_MEMORY : MIRROR_DECODE_FAILED;
    }
    do {
        result = inflate_stream(output, &z);
        members++;
    } while (result == MIRROR_DECODE_DONE && z.avail_in > 0 && members < members_max &&
             inflateReset(&z) == Z_OK);
    if (result == MIRROR_DECODE_DONE && z.avail_in > 0) {
        result = MIRROR_DECODE_FAILED; /* trailing bytes */
    }
    inflateEnd(&z);
    return result;
}

/* zlib checks the CRC and the length of each member. */
static mirror_decode_e decode_gzip(output_t *output, const char *data, apr_size_t len)
{
    return inflate_all(output, data, len, 15 + 16, MEMBERS_MAX);
}

/* RFC 1950 2.2: CM is 8, the window at most 32K, and the two bytes are a multiple of 31. As raw
 * deflate it would be a stored block with padding that is not zero, which no encoder writes. */
static int has_zlib_header(const unsigned char *data, apr_size_t len)
{
    return len >= 2 && (data[0] & 0x0f) == 8 && data[0] >> 4 <= 7 &&
           (data[0] * 256 + data[1]) % 31 == 0;
}

static mirror_decode_e decode_deflate(output_t *output, const char *data, apr_size_t len)
{
    return inflate_all(output, data, len,
                       has_zlib_header((const unsigned char *)data, len) ? 15 : -15, 1);
}

/* ---- br ---- */

#ifdef MIRROR_HAVE_BROTLI
static mirror_decode_e brotli_failure(const BrotliDecoderState *state)
{
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(state);

    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                   code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES
               ? MIRROR_DECODE_NO_MEMORY
               : MIRROR_DECODE_FAILED;
}

static mirror_decode_e brotli_stream(output_t *output, BrotliDecoderState *state,
                                     const unsigned char *data, size_t len)
{
    BrotliDecoderResult rc;

    do {
        mirror_decode_e grown = grow(output);
        uint8_t *next;
        size_t room;

        if (grown != MIRROR_DECODE_DONE) {
            return grown;
        }
        next = (uint8_t *)output->data + output->len;
        room = output->size - output->len;
        rc = BrotliDecoderDecompressStream(state, &len, &data, &room, &next, NULL);
        output->len = output->size - room;
    } while (rc == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
    if (rc == BROTLI_DECODER_RESULT_ERROR) {
        return brotli_failure(state);
    }
    if (output->len > output->limit) {
        return MIRROR_DECODE_TOO_LARGE;
    }
    /* cut short, or trailing bytes */
    return rc == BROTLI_DECODER_RESULT_SUCCESS && len == 0 ? MIRROR_DECODE_DONE
                                                           : MIRROR_DECODE_FAILED;
}

static mirror_decode_e decode_brotli(output_t *output, const char *data, apr_size_t len)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    mirror_decode_e result;

    if (!state) {
        return MIRROR_DECODE_NO_MEMORY;
    }
    result = brotli_stream(output, state, (const unsigned char *)data, len);
    BrotliDecoderDestroyInstance(state);
    return result;
}
#endif

/* ---- codings ---- */

static const struct coding_t {
    const char *name;
    stage_fn *stage; /* NULL: identity */
} coding_list[] = {
    { "gzip", decode_gzip }, { "x-gzip", decode_gzip }, { "deflate", decode_deflate },
#ifdef MIRROR_HAVE_BROTLI
    { "br", decode_brotli },
#endif
    { "identity", NULL },
};

static const struct coding_t *find_coding(const char *name, apr_size_t len)
{
    apr_size_t i, k;

    for (i = 0; i < sizeof(coding_list) / sizeof(*coding_list); i++) {
        for (k = 0; k < len && mirror_ascii_lower(name[k]) == coding_list[i].name[k]; k++) {
        }
        if (k == len && !coding_list[i].name[k]) {
            return &coding_list[i];
        }
    }
    return NULL;
}

/* Read the next element of the list, without white space; `len` may be 0. Returns 0 at its end. */
static int next_element(const char **name, apr_size_t *len, const char **at)
{
    if (!**at) {
        return 0;
    }
    *at += strspn(*at, " \t");
    *name = *at;
    *len = strcspn(*at, ",");
    *at += *len;
    *at += **at == ',';
    while (*len > 0 && strchr(" \t", (*name)[*len - 1])) {
        (*len)--;
    }
    return 1;
}

/* Read the codings, in their order. Returns their number without identity; -1: unknown, or too
 * many. */
static int read_codings(stage_fn *stages[MIRROR_CODINGS_MAX], const char *codings)
{
    const char *name;
    apr_size_t len;
    int count = 0;

    while (next_element(&name, &len, &codings)) {
        const struct coding_t *coding = find_coding(name, len);

        if (len == 0 || (coding && !coding->stage)) {
            continue;
        }
        if (!coding || count == MIRROR_CODINGS_MAX) {
            return -1;
        }
        stages[count++] = coding->stage;
    }
    return count;
}

apr_size_t mirror_decode_limit(apr_size_t len)
{
    if (len > MIRROR_DECODED_MAX / RATIO_MAX) {
        return MIRROR_DECODED_MAX;
    }
    return len * RATIO_MAX > RATIO_FROM ? len * RATIO_MAX : RATIO_FROM;
}

/* Undo the stages, the last one first. */
static mirror_decode_e undo(mirror_decoded_t *decoded, stage_fn *const *stages, int count,
                            const char *data, apr_size_t len)
{
    apr_size_t limit = mirror_decode_limit(len);
    char *input = NULL;

    while (count > 0) {
        output_t output = { NULL, 0, 0, limit };
        mirror_decode_e result = stages[--count](&output, data, len);

        free(input);
        if (result != MIRROR_DECODE_DONE) {
            free(output.data);
            return result;
        }
        data = input = output.data;
        len = output.len;
    }
    decoded->data = input;
    decoded->len = len;
    return MIRROR_DECODE_DONE;
}

mirror_decode_e mirror_decode(mirror_decoded_t *decoded, const char *codings, const char *data,
                              apr_size_t len)
{
    stage_fn *stages[MIRROR_CODINGS_MAX] = { NULL };
    int count = codings ? read_codings(stages, codings) : 0;

    decoded->data = NULL;
    decoded->len = 0;
    if (count == 0) {
        return MIRROR_DECODE_IDENTITY;
    }
    if (len == 0) { /* of a HEAD request, or a 204: whatever its coding */
        decoded->data = malloc(1);
        return decoded->data ? MIRROR_DECODE_DONE : MIRROR_DECODE_NO_MEMORY;
    }
    if (count < 0) {
        return MIRROR_DECODE_FAILED;
    }
    return len > INPUT_MAX ? MIRROR_DECODE_TOO_LARGE : undo(decoded, stages, count, data, len);
}
