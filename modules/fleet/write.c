/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/write.c - writing to the store of the fleet. See fleet/write.h.
 */
#include <string.h>

#include <apr_general.h>
#include <apr_sha1.h>
#include <apr_strings.h>

#include "fleet/write.h"

/* KEYS: head, index, docs, log. ARGV: 1 mirror, 2 expected version, 3 epoch of a new store, 4 "known"
 * = this node has seen a head, "held" = it may not begin a store, or "", 5 id, 6 mark of a deletion,
 * 7 and 8 parts of the document, 9 and 10 of the entry of the log. All keys are read before the first
 * write, so a key of another type ends the script before it has changed anything. A user without the
 * permission for a command ends it in the middle: so the log is written first, and head and index last.
 * A head without an epoch is none. Each change writes head and index, so a head without an index says
 * that the store has lost it. An entry of the index has at most 15 digits. */
static const char change_script[] =
    "local epoch = redis.call('HGET', KEYS[1], 'epoch')\n"
    "local now = redis.call('HGET', KEYS[2], ARGV[1]) or ''\n"
    "local last = tonumber(redis.call('HGET', KEYS[1], 'rev') or '0') or -1\n"
    "redis.call('HGET', KEYS[3], ARGV[1])\n"
    "redis.call('LRANGE', KEYS[4], 0, 0)\n"
    "if not epoch and ARGV[4] == 'known' then return {'emptied'} end\n"
    "if not epoch and ARGV[4] == 'held' then return {'held'} end\n"
    "if epoch and now == '' then\n"
    "  local page = redis.call('HSCAN', KEYS[2], '0')\n"
    "  if page[1] == '0' and #page[2] == 0 then return {'emptied'} end\n"
    "end\n"
    "if now ~= ARGV[2] then return {'differs'} end\n"
    "if last < 0 or last >= 999999999999999 then\n"
    "  return redis.error_reply('ERR the revision would overflow, or is none')\n"
    "end\n"
    "local rev = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'rev', 1))\n"
    "redis.call('LPUSH', KEYS[4], ARGV[9] .. rev .. ARGV[10])\n"
    "redis.call('LTRIM', KEYS[4], 0, 999)\n"
    "redis.call('HSET', KEYS[3], ARGV[1], ARGV[7] .. rev .. ARGV[8])\n"
    "redis.call('HSET', KEYS[2], ARGV[1], rev .. '-' .. ARGV[5] .. ARGV[6])\n"
    "redis.call('HSET', KEYS[1], 'id', ARGV[5])\n"
    "if not epoch then redis.call('HSET', KEYS[1], 'epoch', ARGV[3]) end\n"
    "return {'done', rev, epoch or ARGV[3]}\n";

/* The same KEYS. ARGV: 1 epoch of the new store, 2 six lines for each document: mirror, id, mark of a
 * deletion, parts of the document, and of the entry of the log after the revision. None of them has a
 * line feed. Nodes take a mirror that the index lacks for deleted, so all documents are written at
 * once. A script that is repeated, because its reply was lost, finds its own epoch. */
static const char restore_script[] =
    "local epoch = redis.call('HGET', KEYS[1], 'epoch')\n"
    "local page = redis.call('HSCAN', KEYS[2], '0')\n"
    "local last = tonumber(redis.call('HGET', KEYS[1], 'rev') or '0') or -1\n"
    "redis.call('HGET', KEYS[3], '')\n"
    "redis.call('LRANGE', KEYS[4], 0, 0)\n"
    "if epoch == ARGV[1] then return {'done'} end\n"
    "if epoch and (page[1] ~= '0' or #page[2] > 0) then return {'present'} end\n"
    "local _, lines = string.gsub(ARGV[2], '\\n', '')\n"
    "if last < 0 or last + lines / 6 > 999999999999999 then\n"
    "  return redis.error_reply('ERR the revision would overflow, or is none')\n"
    "end\n"
    "local line = string.gmatch(ARGV[2], '([^\\n]*)\\n')\n"
    "local id\n"
    "for mirror in line do\n"
    "  local rev = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'rev', 1))\n"
    "  id = line()\n"
    "  local mark = line()\n"
    "  local before = line()\n"
    "  local after = line()\n"
    "  redis.call('LPUSH', KEYS[4], '{\"revision\":' .. rev .. line())\n"
    "  redis.call('LTRIM', KEYS[4], 0, 999)\n"
    "  redis.call('HSET', KEYS[3], mirror, before .. rev .. after)\n"
    "  redis.call('HSET', KEYS[2], mirror, rev .. '-' .. id .. mark)\n"
    "end\n"
    "redis.call('HSET', KEYS[1], 'id', id)\n"
    "redis.call('HSET', KEYS[1], 'epoch', ARGV[1])\n"
    "return {'done'}\n";

#define WORDS 17 /* of a change */
#define KEYS  4
/* The last entry of the log that is read to find out whether a change was written. */
#define LOG_LAST 49
/* The maximum time of WAIT, which 0 would make endless. */
#define WAIT_MS 200

static const char *hash_of(const char *script, apr_pool_t *pool)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    char *hash = apr_pcalloc(pool, 2 * APR_SHA1_DIGESTSIZE + 1);
    apr_sha1_ctx_t sha1;
    int i;

    apr_sha1_init(&sha1);
    apr_sha1_update(&sha1, script, (unsigned)strlen(script));
    apr_sha1_final(digest, &sha1);
    for (i = 0; i < APR_SHA1_DIGESTSIZE; i++) {
        hash[2 * i] = hex[digest[i] >> 4];
        hash[2 * i + 1] = hex[digest[i] & 15];
    }
    return hash;
}

/* Never 0. */
static apr_uint64_t random_id(void)
{
    apr_uint64_t id = 0;

    while (id == 0 && apr_generate_random_bytes((unsigned char *)&id, sizeof(id)) == APR_SUCCESS) {
    }
    return id;
}

static const char *hex_of(apr_uint64_t number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT, number);
}

/* ---- the command ---- */

static void put_text(yajl_gen gen, const char *key, const char *text)
{
    mirror_document_put(gen, key);
    mirror_document_put(gen, text);
}

/* Return the part of the log's entry behind the revision. */
static const char *entry_of(const mirror_write_t *write, apr_pool_t *pool)
{
    const mirror_document_t *document = &write->document;
    yajl_gen gen = yajl_gen_alloc(NULL);
    const unsigned char *text;
    const char *rest;
    size_t len;

    yajl_gen_map_open(gen);
    put_text(gen, "id", hex_of(document->version.id, pool));
    put_text(gen, "mirror", write->mirror);
    put_text(gen, "by", document->by);
    put_text(gen, "from", document->from);
    put_text(gen, "node", document->node);
    put_text(gen, "at", document->at);
    put_text(gen, "changes", write->changes);
    yajl_gen_map_close(gen);
    yajl_gen_get_buf(gen, &text, &len);
    rest = apr_pstrmemdup(pool, (const char *)text + 1, len - 1);
    yajl_gen_free(gen);
    return apr_pstrcat(pool, ",", rest, NULL);
}

static void compose(const char *argv[WORDS], const mirror_write_t *write, apr_pool_t *pool)
{
    const char *expected = mirror_document_print_version(&write->expected, pool);

    argv[7] = write->mirror;
    argv[8] = write->expected.is_deleted ? apr_pstrcat(pool, expected, "!", NULL) : expected;
    argv[9] = hex_of(write->epoch, pool);
    argv[10] = write->knows_epoch ? "known" : write->is_held ? "held" : "";
    argv[11] = hex_of(write->document.version.id, pool);
    argv[12] = write->document.attributes ? "" : "!";
    mirror_document_print(&argv[13], &argv[14], &write->document, pool);
    argv[15] = "{\"revision\":";
    argv[16] = entry_of(write, pool);
}

/* Run a script with the arguments that follow its keys in `argv`. */
static apr_status_t run(const mirror_redis_reply_t **reply, mirror_remote_t *remote,
                        const char *script, int argc, const char **argv, apr_pool_t *pool)
{
    apr_status_t rv;
    int i;

    argv[0] = "EVALSHA";
    argv[1] = hash_of(script, pool);
    argv[2] = APR_STRINGIFY(KEYS);
    for (i = 0; i < KEYS; i++) {
        argv[3 + i] = remote->fleet->keys[i];
    }
    rv = mirror_remote_command(reply, remote, argc, argv);
    if (rv == APR_SUCCESS && mirror_redis_reply_is_error(*reply, "NOSCRIPT")) {
        int is_late = remote->is_late, is_lost = remote->is_lost;

        argv[0] = "EVAL";
        argv[1] = script;
        rv = mirror_remote_command(reply, remote, argc, argv);
        remote->is_late |= is_late;
        remote->is_lost |= is_lost;
    }
    return rv;
}

/* ---- a change ---- */

static mirror_write_e read_reply(mirror_write_t *write, mirror_remote_t *remote,
                                 const mirror_redis_reply_t *reply)
{
    const char *word = reply->count > 0 ? reply->elements[0]->text : "";

    if (reply->type == MIRROR_REDIS_ARRAY && !strcmp(word, "done") && reply->count == 3 &&
        mirror_redis_reply_number(&write->document.version.revision, reply->elements[1]) &&
        write->document.version.revision > 0) {
        write->epoch = mirror_remote_hex(reply->elements[2]);
        return MIRROR_WRITE_DONE;
    }
    if (reply->type == MIRROR_REDIS_ARRAY && reply->count == 1) {
        if (!strcmp(word, "differs")) {
            return MIRROR_WRITE_DIFFERS;
        }
        if (!strcmp(word, "emptied")) {
            return MIRROR_WRITE_EMPTIED;
        }
        if (!strcmp(word, "held")) {
            return MIRROR_WRITE_HELD;
        }
    }
    mirror_remote_refuse(remote, reply);
    return MIRROR_WRITE_UNKNOWN;
}

/* The reply was lost. The id in the index tells whether the script has run so far. */
static mirror_write_e find_out(mirror_write_t *write, mirror_remote_t *remote, apr_pool_t *pool)
{
    mirror_document_version_t now = { 0, 0, 0 };
    char fault[MIRROR_REDIS_FAULT];
    const char *text;

    apr_cpystrn(fault, remote->fault, sizeof(fault));
    if (mirror_remote_get(&text, remote, MIRROR_FLEET_INDEX, write->mirror, pool) != APR_SUCCESS) {
        return MIRROR_WRITE_UNKNOWN;
    }
    if (text && !mirror_document_read_version(&now, text)) {
        return MIRROR_WRITE_UNKNOWN;
    }
    if (now.id == write->document.version.id) {
        write->epoch = 0;
        write->document.version.revision = now.revision;
        return MIRROR_WRITE_DONE;
    }
    apr_cpystrn(remote->fault, fault, sizeof(remote->fault));
    return mirror_document_is_same(&now, &write->expected) ? MIRROR_WRITE_FAILED
                                                           : MIRROR_WRITE_DIFFERS;
}

/* The reply was lost, and another change has been written since. The log tells whether this one was
 * written before; it cannot be written any more. */
static mirror_write_e find_replaced(mirror_write_t *write, mirror_remote_t *remote,
                                    apr_pool_t *pool)
{
    const char *id = hex_of(write->document.version.id, pool);
    const char *argv[] = { "LRANGE", remote->fleet->keys[MIRROR_FLEET_LOG], "0",
                           APR_STRINGIFY(LOG_LAST) };
    const mirror_redis_reply_t *reply;
    int i;

    write->is_doubtful = 1;
    if (mirror_remote_command(&reply, remote, 4, argv) != APR_SUCCESS ||
        reply->type != MIRROR_REDIS_ARRAY) {
        return MIRROR_WRITE_DIFFERS;
    }
    for (i = 0; i < reply->count; i++) {
        const char *text = reply->elements[i]->text;

        if (mirror_redis_reply_is_text(reply->elements[i]) && strstr(text, id)) {
            write->is_doubtful = 0;
            write->epoch = 0;
            write->document.version.revision = apr_atoi64(text + strcspn(text, "0123456789"));
            return MIRROR_WRITE_DONE;
        }
    }
    write->is_doubtful = reply->count > LOG_LAST;
    return MIRROR_WRITE_DIFFERS;
}

mirror_write_e mirror_write_document(mirror_write_t *write, mirror_remote_t *remote,
                                     apr_pool_t *pool)
{
    const mirror_redis_reply_t *reply;
    const char *argv[WORDS];
    mirror_write_e outcome, found;
    int is_late, is_lost;
    apr_status_t rv;

    write->document.version.id = random_id();
    write->epoch = write->epoch ? write->epoch : random_id();
    if (!write->document.version.id || !write->epoch) {
        apr_cpystrn(remote->fault, "no random numbers are available", sizeof(remote->fault));
        return MIRROR_WRITE_FAILED;
    }
    compose(argv, write, pool);
    rv = run(&reply, remote, change_script, WORDS, argv, pool);
    is_late = remote->is_late;
    is_lost = remote->is_lost;
    if (rv == APR_EACCES && !is_lost) {
        return MIRROR_WRITE_FAILED; /* an error reply */
    }
    outcome = rv == APR_SUCCESS ? read_reply(write, remote, reply) : MIRROR_WRITE_UNKNOWN;
    remote->wrote = outcome == MIRROR_WRITE_DONE ? mirror_redis_route_opened(remote->route) : 0;
    /* the route repeats a command whose connection was lost: the first one may have been done, and
     * whatever the second one says, an error too, is no answer to that */
    if (outcome == MIRROR_WRITE_UNKNOWN || (outcome == MIRROR_WRITE_DIFFERS && is_lost)) {
        found = find_out(write, remote, pool);
        outcome = found == MIRROR_WRITE_FAILED && outcome == MIRROR_WRITE_DIFFERS ? outcome : found;
    }
    write->is_doubtful = 0;
    if (is_lost && outcome == MIRROR_WRITE_DIFFERS) {
        outcome = find_replaced(write, remote, pool);
    }
    /* the script may arrive after the command that has found nothing */
    return outcome == MIRROR_WRITE_FAILED && is_late ? MIRROR_WRITE_UNKNOWN : outcome;
}

/* ---- a restore ---- */

/* JSON has line feeds only between its values. */
static const char *on_one_line(const char *json, apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, json), *c = text;

    while ((c = strchr(c, '\n')) != NULL) {
        *c = ' ';
    }
    return text;
}

/* Return the lines of all documents. Returns NULL if there are no random numbers. */
static const char *lines_of(const apr_array_header_t *writes, apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 8, sizeof(const char *));
    int i;

    for (i = 0; i < writes->nelts; i++) {
        mirror_write_t *write = &APR_ARRAY_IDX(writes, i, mirror_write_t);
        const char *before, *after;

        write->document.version.id = random_id();
        if (!write->document.version.id) {
            return NULL;
        }
        mirror_document_print(&before, &after, &write->document, pool);
        APR_ARRAY_PUSH(lines, const char *) =
            apr_pstrcat(pool, write->mirror, "\n", hex_of(write->document.version.id, pool), "\n",
                        write->document.attributes ? "" : "!", "\n", before, "\n",
                        on_one_line(after, pool), "\n", entry_of(write, pool), "\n", NULL);
    }
    return apr_array_pstrcat(pool, lines, 0);
}

/* The reply was lost, or is no reply of the script. Its epoch tells whether it ran. */
static mirror_write_e find_restored(mirror_remote_t *remote, apr_uint64_t epoch)
{
    char fault[MIRROR_REDIS_FAULT];
    mirror_remote_head_t head;
    int is_late = remote->is_late;

    apr_cpystrn(fault, remote->fault, sizeof(fault));
    if (mirror_remote_content(&head, remote) != APR_SUCCESS) {
        return MIRROR_WRITE_UNKNOWN;
    }
    apr_cpystrn(remote->fault, fault, sizeof(remote->fault));
    return head.epoch == epoch ? MIRROR_WRITE_DONE
           : head.epoch        ? MIRROR_WRITE_PRESENT
           : is_late           ? MIRROR_WRITE_UNKNOWN
                               : MIRROR_WRITE_FAILED;
}

mirror_write_e mirror_write_restore(const apr_array_header_t *writes, mirror_remote_t *remote,
                                    apr_pool_t *pool)
{
    const char *argv[3 + KEYS + 2], *lines = lines_of(writes, pool), *word = "";
    apr_uint64_t epoch = random_id();
    const mirror_redis_reply_t *reply;
    apr_status_t rv;

    if (!lines || !epoch) {
        apr_cpystrn(remote->fault, "no random numbers are available", sizeof(remote->fault));
        return MIRROR_WRITE_FAILED;
    }
    argv[3 + KEYS] = hex_of(epoch, pool);
    argv[3 + KEYS + 1] = lines;
    rv = run(&reply, remote, restore_script, 3 + KEYS + 2, argv, pool);
    if (rv == APR_EACCES && !remote->is_lost) {
        return MIRROR_WRITE_FAILED; /* an error reply */
    }
    if (rv == APR_SUCCESS && reply->type == MIRROR_REDIS_ARRAY && reply->count == 1) {
        word = reply->elements[0]->text;
    }
    if (!strcmp(word, "done")) {
        return MIRROR_WRITE_DONE;
    }
    if (!strcmp(word, "present")) {
        return MIRROR_WRITE_PRESENT;
    }
    if (rv == APR_SUCCESS) {
        mirror_remote_refuse(remote, reply); /* frees the reply */
    }
    return find_restored(remote, epoch);
}

/* ---- replicas ---- */

/* Return the number of connected replicas; -1 = not known. */
static int count_replicas(mirror_remote_t *remote)
{
    static const char *const argv[] = { "ROLE" };
    const mirror_redis_reply_t *reply;

    if (mirror_remote_command(&reply, remote, 1, argv) != APR_SUCCESS) {
        return -1;
    }
    return reply->type == MIRROR_REDIS_ARRAY && reply->count == 3 &&
                   !strcmp(reply->elements[0]->text, "master") &&
                   reply->elements[2]->type == MIRROR_REDIS_ARRAY
               ? reply->elements[2]->count
               : -1;
}

int mirror_write_replicas(mirror_remote_t *remote, apr_pool_t *pool)
{
    apr_interval_time_t half = apr_time_as_msec(mirror_fleet_patience(remote->fleet)) / 2;
    const char *argv[] = { "WAIT", "1", apr_ltoa(pool, (long)(half < WAIT_MS ? half : WAIT_MS)) };
    const mirror_redis_reply_t *reply;
    int count = remote->wrote ? count_replicas(remote) : -1;

    if (count > 0 && half > 0) {
        count = mirror_remote_command(&reply, remote, 3, argv) == APR_SUCCESS &&
                        reply->type == MIRROR_REDIS_INTEGER && reply->integer >= 0 &&
                        reply->integer <= count
                    ? (int)reply->integer
                    : -1;
    }
    /* WAIT is for the writes of its own connection */
    return remote->wrote == mirror_redis_route_opened(remote->route) ? count : -1;
}
