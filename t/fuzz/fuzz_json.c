/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_json.c - what a client sends to the manager, and what is made of it.
 *
 * The first byte says whether it is a PUT, and what was set before; the rest is the body. Whatever
 * it is: it is refused in words that can stand in any log, or what is stored of it is read back as
 * the same settings.
 */
#include <stdint.h>

#include "../lab/override.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static apr_pool_t *whole;
static mirror_t *mirror;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const stored[] = {
        NULL, "{\"path\":null,\"count\":5}",
        "{\"host\":\"http://b\",\"redis_host\":\"i\",\"redis_password\":\"n\"}"
    };
    const char *wrong;
    apr_pool_t *once;

    if (size < 1 || size > 65536) {
        return 0;
    }
    if (!whole) {
        apr_initialize();
        apr_pool_create(&whole, NULL);
        mirror = make_mirror("timeout=7s redis_host=h redis_password=of-defaults",
                             "timeout=1s path=/x redis_host=g redis_password=of-line", whole);
    }
    apr_pool_create(&once, whole);
    change(&wrong, mirror, stored[(data[0] >> 1) % 3], data[0] & 1, (const char *)data + 1,
           size - 1, once);
    apr_pool_destroy(once);
    return 0;
}
