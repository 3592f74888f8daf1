/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_reply.c - the parser of Redis replies. See redis/redis_reply.h.
 *
 * hiredis requests an object for each element. The objects come from a pool of the reader, which is
 * cleared when the next reply begins. An array takes its elements from the bound when it is declared,
 * so arrays in arrays take no more memory than flat ones.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <hiredis/hiredis.h>

#include "base/authority.h"
#include "base/mirror.h"
#include "redis/redis_reply.h"

struct mirror_redis_reader_t {
    redisReader *hiredis;
    mirror_redis_bounds_t bounds;
    apr_size_t bytes; /* bytes of the current reply */
    int declared;     /* elements of its arrays */
    apr_pool_t *pool; /* pool of the current reply */
};

/* ---- objects for hiredis ---- */

static mirror_redis_reply_t *new_reply(const redisReadTask *task, mirror_redis_type_e type)
{
    mirror_redis_reader_t *reader = task->privdata;
    mirror_redis_reply_t *parent = task->parent ? task->parent->obj : NULL;
    mirror_redis_reply_t *reply;

    if (!parent) {
        reader->declared = 0;
        apr_pool_clear(reader->pool);
    }
    if (parent && task->idx >= parent->count) {
        return NULL;
    }
    reply = apr_pcalloc(reader->pool, sizeof(*reply));
    reply->type = type;
    reply->text = "";
    if (parent) {
        parent->elements[task->idx] = reply;
    }
    return reply;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    mirror_redis_type_e type = task->type == REDIS_REPLY_ERROR    ? MIRROR_REDIS_ERROR
                               : task->type == REDIS_REPLY_STATUS ? MIRROR_REDIS_STATUS
                                                                  : MIRROR_REDIS_STRING;
    const mirror_redis_reader_t *reader = task->privdata;
    mirror_redis_reply_t *reply = new_reply(task, type);

    if (reply) {
        reply->length = len;
        reply->text = apr_pstrmemdup(reader->pool, text,
                                     len < reader->bounds.text ? len : reader->bounds.text - 1);
    }
    return reply;
}

#if HIREDIS_MAJOR >= 1
typedef size_t element_count_t;
#else
typedef int element_count_t;
#endif

static void *create_array(const redisReadTask *task, element_count_t elements)
{
    mirror_redis_reader_t *reader = task->privdata;
    mirror_redis_reply_t *reply =
        new_reply(task, task->type == REDIS_REPLY_ARRAY ? MIRROR_REDIS_ARRAY : MIRROR_REDIS_OTHER);

    if (!reply || elements > (element_count_t)(reader->bounds.elements - reader->declared)) {
        return NULL;
    }
    reader->declared += (int)elements;
    reply->count = (int)elements;
    reply->elements = apr_pcalloc(reader->pool, (elements + 1) * sizeof(*reply->elements));
    return reply;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    mirror_redis_reply_t *reply = new_reply(task, MIRROR_REDIS_INTEGER);

    if (reply) {
        reply->integer = value;
    }
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    return new_reply(task, MIRROR_REDIS_NIL);
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)value;
    (void)text;
    (void)len;
    return new_reply(task, MIRROR_REDIS_OTHER);
}

static void *create_bool(const redisReadTask *task, int value)
{
    (void)value;
    return new_reply(task, MIRROR_REDIS_OTHER);
}
#endif

static void free_nothing(void *reply)
{
    (void)reply;
}

/* hiredis does not write to the functions, though its type is not const. */
static const redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = free_nothing,
};

/* ---- the reader ---- */

mirror_redis_reader_t *mirror_redis_reply_reader_create(const mirror_redis_bounds_t *bounds)
{
    mirror_redis_reader_t *reader = calloc(1, sizeof(*reader));

    if (reader) {
        reader->bounds = *bounds;
        reader->hiredis = redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&functions);
        if (reader->hiredis) {
            reader->hiredis->privdata = reader;
            reader->pool =
                mirror_memory_pool_create("mirror_redis_reply"); /* the reader's thread */
            return reader;
        }
    }
    free(reader);
    return NULL;
}

void mirror_redis_reply_reader_destroy(mirror_redis_reader_t *reader)
{
    redisReaderFree(reader->hiredis);
    apr_pool_destroy(reader->pool);
    free(reader);
}

apr_status_t mirror_redis_reply_feed(const mirror_redis_reply_t **out,
                                     mirror_redis_reader_t *reader, const char *bytes,
                                     apr_size_t len)
{
    void *reply = NULL;

    reader->bytes += len;
    if (reader->bytes > reader->bounds.bytes) {
        return APR_ENOSPC;
    }
    if (redisReaderFeed(reader->hiredis, bytes, len) != REDIS_OK ||
        redisReaderGetReply(reader->hiredis, &reply) != REDIS_OK) {
        return APR_EINVAL;
    }
    if (!reply) {
        return APR_INCOMPLETE;
    }
    reader->bytes = 0;
    *out = reply;
    return reader->hiredis->pos == reader->hiredis->len ? APR_SUCCESS : APR_EINVAL;
}

int mirror_redis_reply_is_begun(const mirror_redis_reader_t *reader)
{
    return reader->bytes > 0;
}

/* ---- interpretation of replies ---- */

int mirror_redis_reply_number(apr_int64_t *number, const mirror_redis_reply_t *reply)
{
    const char *digits = reply->text + (reply->text[0] == '-');
    apr_size_t len = reply->length - (apr_size_t)(digits - reply->text);

    if (reply->type == MIRROR_REDIS_INTEGER) {
        *number = reply->integer;
        return 1;
    }
    if (reply->type != MIRROR_REDIS_STRING || len < 1 || len > 18 ||
        strspn(digits, "0123456789") != len) {
        return 0;
    }
    *number = apr_strtoi64(reply->text, NULL, 10);
    return 1;
}

int mirror_redis_reply_is_error(const mirror_redis_reply_t *reply, const char *code)
{
    apr_size_t len = strlen(code);

    return reply->type == MIRROR_REDIS_ERROR && strncmp(reply->text, code, len) == 0 &&
           (reply->text[len] == ' ' || reply->text[len] == '\0');
}

int mirror_redis_reply_is_text(const mirror_redis_reply_t *reply)
{
    return reply->type == MIRROR_REDIS_STRING && strlen(reply->text) == reply->length;
}

int mirror_redis_reply_is_host(const char *host)
{
    for (; *host; host++) {
        if (!apr_isalnum(*host) && !strchr("._-:", *host)) {
            return 0;
        }
    }
    return 1;
}

int mirror_redis_reply_redirect(char *host, apr_size_t size, apr_port_t *port,
                                const mirror_redis_reply_t *reply, const char *code)
{
    const char *p = reply->text + strlen(code);
    mirror_authority_t node;
    apr_size_t len;

    if (!mirror_redis_reply_is_error(reply, code) || reply->length != strlen(reply->text) ||
        *p++ != ' ') {
        return 0;
    }
    len = strspn(p, "0123456789"); /* the hash slot, which only clients with a slot map need */
    if (len == 0 || p[len] != ' ') {
        return 0;
    }
    if (mirror_authority_split_last(&node, p + len + 1) || !node.port || node.length >= size) {
        return 0;
    }
    *port = node.port;
    apr_cpystrn(host, node.host, node.length + 1);
    return mirror_redis_reply_is_host(host);
}
