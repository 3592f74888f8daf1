/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/header_name.c - header names with special treatment. See capture/header_name.h.
 */
#include <string.h>

#include <apr_cstr.h>

#include "capture/header_name.h"

static const struct {
    const char *name;
    apr_uint32_t len;
    mirror_header_name_e kind;
} known[] = {
#define KNOWN(name, kind)                                                                          \
    {                                                                                              \
        name, sizeof(name) - 1, kind                                                               \
    }
    /* in the order of mirror_header_name_list() */
    KNOWN("X-Forwarded-For", MIRROR_HEADER_FORWARDED_FOR),
    KNOWN("X-Forwarded-Host", MIRROR_HEADER_FORWARDED_HOST),
    KNOWN("X-Forwarded-Server", MIRROR_HEADER_FORWARDED_SERVER),
    KNOWN("X-Proxy-Mirror", MIRROR_HEADER_MIRROR),
    KNOWN("Host", MIRROR_HEADER_HOST),
    KNOWN("Connection", MIRROR_HEADER_CONNECTION),
    KNOWN("Content-Length", MIRROR_HEADER_LENGTH),
    KNOWN("Transfer-Encoding", MIRROR_HEADER_TRANSFER),
    KNOWN("Upgrade", MIRROR_HEADER_UPGRADE),
    KNOWN("Content-Encoding", MIRROR_HEADER_ENCODING),
    KNOWN("Expect", MIRROR_HEADER_DROP),
    KNOWN("HTTP2-Settings", MIRROR_HEADER_DROP),
    KNOWN("Keep-Alive", MIRROR_HEADER_DROP),
    KNOWN("Proxy-Authenticate", MIRROR_HEADER_DROP),
    KNOWN("Proxy-Authorization", MIRROR_HEADER_DROP),
    KNOWN("Proxy-Connection", MIRROR_HEADER_DROP),
    KNOWN("TE", MIRROR_HEADER_TE),
    KNOWN("Trailer", MIRROR_HEADER_DROP)
#undef KNOWN
};
#define KNOWN_COUNT ((int)(sizeof(known) / sizeof(known[0])))

mirror_header_name_e mirror_header_name_kind(const char *name, apr_size_t len)
{
    int i;

    for (i = 0; i < KNOWN_COUNT; i++) {
        if (known[i].len == len && !apr_cstr_casecmpn(known[i].name, name, len)) {
            return known[i].kind;
        }
    }
    return MIRROR_HEADER_KEEP;
}

const char *mirror_header_name_list(int kind)
{
    return known[kind].name;
}

int mirror_header_name_is_fixed(const char *name)
{
    mirror_header_name_e kind = mirror_header_name_kind(name, strlen(name));

    return kind >= MIRROR_HEADER_HOST || kind == MIRROR_HEADER_MIRROR;
}
