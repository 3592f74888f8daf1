/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/authority.c - the one parser of host:port. See base/authority.h.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/authority.h"

#define PORT_DIGITS 5

/* Parse ":8080" or "". *port is 0 for "". */
static const char *read_port(apr_port_t *port, const char *text)
{
    int value = 0, digits = 0;

    *port = 0;
    if (!*text) {
        return NULL;
    }
    for (; mirror_ascii_is_digit(text[1 + digits]); digits++) {
        if (digits == PORT_DIGITS) {
            return "the port is malformed";
        }
        value = value * 10 + (text[1 + digits] - '0');
    }
    if (*text != ':' || digits == 0 || text[1 + digits]) {
        return "the port is malformed";
    }
    if (value < 1 || value > 65535) {
        return "the port is out of range";
    }
    *port = (apr_port_t)value;
    return NULL;
}

const char *mirror_authority_split(mirror_authority_t *authority, const char *text)
{
    const char *end;

    authority->is_bracketed = *text == '[';
    authority->host = text + authority->is_bracketed;
    if (authority->is_bracketed) {
        end = strchr(text, ']');
        if (!end) {
            return "the bracket is not closed";
        }
        authority->length = (apr_size_t)(end - authority->host);
        return read_port(&authority->port, end + 1);
    }
    authority->length = strcspn(text, ":");
    end = text + authority->length;
    if (*end && strchr(end + 1, ':')) {
        return "an IPv6 address must be in brackets";
    }
    return read_port(&authority->port, end);
}

const char *mirror_authority_split_last(mirror_authority_t *authority, const char *text)
{
    const char *end = strrchr(text, ':');

    end = end ? end : text + strlen(text);
    authority->is_bracketed = 0;
    authority->host = text;
    authority->length = (apr_size_t)(end - text);
    return read_port(&authority->port, end);
}
