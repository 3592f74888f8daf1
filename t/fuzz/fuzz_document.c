/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_document.c - what the store of a fleet has as a document, or as a version in the index.
 *
 * Whatever it is: it is refused in words, or it is read back from shared memory as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "fleet/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void check_document(const char *text, apr_pool_t *pool)
{
    mirror_document_t document, again;
    const char *why = mirror_document_parse(&document, text, pool), *stored;

    if (why) {
        REQUIRE(*why != '\0');
        return;
    }
    REQUIRE(document.version.revision > 0);
    REQUIRE((document.attributes == NULL) == (document.version.is_deleted != 0));
    stored = mirror_document_to_store(&document, pool);
    REQUIRE((stored == NULL) == (document.attributes == NULL));
    REQUIRE(mirror_document_of_store(&again, stored, pool) == (stored != NULL));
    if (stored) {
        REQUIRE(strcmp(document.attributes, again.attributes) == 0);
        REQUIRE(strcmp(document.by, again.by) == 0);
        REQUIRE(mirror_document_is_same(&document.version, &again.version));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *whole;
    mirror_document_version_t version;
    apr_pool_t *once;
    char *text;

    if (size > 65536) {
        return 0;
    }
    if (!whole) {
        apr_initialize();
        apr_pool_create(&whole, NULL);
    }
    text = malloc(size + 1); /* its exact size */
    REQUIRE(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    apr_pool_create(&once, whole);
    if (mirror_document_read_version(&version, text)) {
        REQUIRE(version.revision > 0);
    }
    check_document(text, once);
    apr_pool_destroy(once);
    free(text);
    return 0;
}
