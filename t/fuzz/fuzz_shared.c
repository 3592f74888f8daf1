/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_shared.c - what code in a child may write to shared memory, and what the parent, which is
 * root, makes of it.
 *
 * The input is a list of steps: write bytes somewhere in the segment, let a child end, read the
 * configuration anew, sum up, compare. Whatever was written: no access outside of the segment, an end, one
 * line in the log for each segment that is found damaged, counts that add up, and slots that are
 * the mirrors' own. A segment lies between poisoned memory.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <httpd.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_log.h>

#include <apr_general.h>

#include "base/utf8.h"
#include "settings/settings.h"
#include "shared/findings_state.h"
#include "shared/table_state.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define FEW                2 /* slots at first */
#define MANY               4
#define NAMES              5
#define HEAD               256 /* bytes of a text that are written to */
#define WORKER_SLOTS       18  /* with one daemon */
#define ARENA                                                                                      \
    (64 + 64 + 64 + 256 + MIRROR_TABLE_STORE_SIZE +                                                \
     MANY * (256 + WORKER_SLOTS * 1024 + 2 * MIRROR_TABLE_STORE_SIZE + 128 +                       \
             MIRROR_TABLE_ALIGNED(sizeof(mirror_findings_t)) + 8192 + MIRROR_TABLE_SERVERS_SIZE +  \
             WORKER_SLOTS * MIRROR_TABLE_COUNTS_SIZE) +                                            \
     WORKER_SLOTS * 64)
#define AREA_HEAD offsetof(mirror_findings_t, tables.pairs)

/* ---- httpd and APR, as far as needed ---- */

module AP_MODULE_DECLARE_DATA proxy_mirror_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0
};

struct apr_shm_t {
    void *base;
    apr_size_t size;
};

static char arenas[3][ARENA] __attribute__((aligned(64)));
static apr_shm_t segments[3];
static unsigned made;
static void *retained;
static int errors; /* lines of an error in the log */

AP_DECLARE(apr_status_t) ap_mpm_query(int query, int *result)
{
    *result = query == AP_MPMQ_HARD_LIMIT_DAEMONS ? 1 : 0;
    return APR_SUCCESS;
}

AP_DECLARE(void *) ap_retained_data_get(const char *key)
{
    (void)key;
    return retained;
}

AP_DECLARE(void *) ap_retained_data_create(const char *key, apr_size_t size)
{
    static union {
        char bytes[256];
        void *aligned;
    } memory;

    (void)key;
    REQUIRE(size <= sizeof(memory));
    memset(&memory, 0, sizeof(memory));
    return retained = &memory;
}

AP_DECLARE(void)
ap_log_error_(const char *file, int line, int module_index, int level, apr_status_t status,
              const server_rec *s, const char *format, ...)
{
    (void)file, (void)line, (void)module_index, (void)status, (void)s, (void)format;
    errors += (level & APLOG_LEVELMASK) <= APLOG_ERR;
}

static apr_status_t give_back(void *shm)
{
    ASAN_POISON_MEMORY_REGION(((apr_shm_t *)shm)->base, ((apr_shm_t *)shm)->size);
    return APR_SUCCESS;
}

/* Of a segment of the last input only what can have been written to is cleared: texts have a head,
 * and zeros behind it; findings as a whole. */
APR_DECLARE(apr_status_t)
apr_shm_create(apr_shm_t **shm, apr_size_t size, const char *name, apr_pool_t *pool)
{
    apr_size_t slots = (size - 1 - MIRROR_TABLE_STORE_SIZE) /
                       (2 * MIRROR_TABLE_STORE_SIZE + MIRROR_TABLE_FINDINGS_SIZE);
    apr_size_t stores = 2 * slots + 1, texts, rest, i;
    unsigned n = made++ % 3;

    (void)name;
    REQUIRE(size <= ARENA - 64);
    *shm = &segments[n];
    (*shm)->base = arenas[n];
    (*shm)->size = size;
    ASAN_UNPOISON_MEMORY_REGION(arenas[n], size);
    rest = MIRROR_TABLE_FLEET_SIZE + slots * MIRROR_TABLE_FINDINGS_SIZE;
    texts = size - 64 - stores * MIRROR_TABLE_STORE_SIZE - rest;
    memset(arenas[n], 0, texts);
    memset(arenas[n] + texts + stores * MIRROR_TABLE_STORE_SIZE, 0, rest + 64);
    for (i = 0; i < 2 * stores; i++) {
        memset(arenas[n] + texts + i / 2 * MIRROR_TABLE_STORE_SIZE +
                   i % 2 * sizeof(mirror_store_place_t),
               0, HEAD);
    }
    apr_pool_cleanup_register(pool, *shm, give_back, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

APR_DECLARE(void *) apr_shm_baseaddr_get(const apr_shm_t *shm)
{
    return shm->base;
}

/* ---- a server ---- */

static const char *const names[NAMES] = { "one", "two", "three", "four", "five" };
static server_rec server;
static process_rec process;

typedef struct state_t {
    apr_pool_t *pool;
    mirror_registry_t registry; /* the table */
    mirror_t mirrors[NAMES];
    int worker_slot;
} state_t;

typedef struct input_t {
    const uint8_t *data;
    size_t size;
} input_t;

static unsigned take(input_t *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

/* Bytes of the input, or so many of one byte, from `at` on. */
static void write_to(char *at, const char *end, input_t *input, int fill)
{
    apr_size_t n = fill ? take(input) * 256 + 8 : take(input) % 32 + 1;

    n = n < (apr_size_t)(end - at) ? n : (apr_size_t)(end - at);
    if (fill) {
        memset(at, (int)take(input), n);
    }
    for (; !fill && n > 0; n--) {
        *at++ = (char)take(input);
    }
}

static mirror_findings_t *area_of(const state_t *state, unsigned n)
{
    mirror_table_segment_t *segment = state->registry.table->segment;

    return mirror_table_findings_at(segment, n % segment->slots_max);
}

/* To the counters and groups of a slot's findings, to the table of rows, or of findings; and say
 * that there are some. */
static void scribble_findings(const state_t *state, input_t *input)
{
    unsigned what = take(input), place = take(input) << 8 | take(input);
    mirror_findings_t *area = area_of(state, what >> 3);
    char *at = what & 1   ? (char *)area
               : what & 2 ? (char *)area->tables.rows
                          : (char *)area->tables.findings;
    char *end = what & 1   ? (char *)area + AREA_HEAD
                : what & 2 ? (char *)area->tables.findings
                           : (char *)(area + 1);

    mirror_table_slot_at(state->registry.table->segment,
                         (what >> 3) % state->registry.table->segment->slots_max)
        ->compares = 1;
    write_to(at + (apr_size_t)place * 8 % (apr_size_t)(end - at), end, input, what & 4);
}

/* Bytes of the input, or so many of one byte, to anywhere in header, slots, worker slots and cells, or in
 * a text's head. */
static void scribble(const state_t *state, input_t *input, int fill)
{
    mirror_table_segment_t *segment = state->registry.table->segment;
    apr_size_t to = take(input);
    char *at, *end;

    if (to & 0x80) {
        mirror_store_t *store =
            mirror_table_store_at(segment, (apr_uint32_t)(to >> 1) % segment->slots_max);

        at = (char *)&store->places[to & 1];
        end = at + HEAD;
    }
    else {
        at = (char *)segment->header;
        end = segment->stores;
    }
    at += (to << 8 | take(input)) * 8 % (apr_size_t)(end - at);
    write_to(at, end, input, fill);
}

/* Read the configuration: `chosen` has a bit for each mirror, one for their settings, and two for a
 * child that writes meanwhile, when nothing looks for damage any more. */
static void load(state_t *state, int slots, unsigned chosen, input_t *input)
{
    int before = errors, i;

    REQUIRE(mirror_table_open(&state->registry.table, state->pool, &server, slots) == APR_SUCCESS);
    REQUIRE(mirror_table_damage(state->registry.table->segment) == NULL && errors <= before + 1);
    if (chosen & 0x40) {
        scribble(state, input, input->size % 2 == 0);
    }
    for (i = 0; i < NAMES; i++) {
        mirror_t *mirror = &state->mirrors[i];

        if (chosen & 0x80) {
            scribble(state, input, 0);
        }
        mirror->name = names[i];
        mirror->config = 1 + (chosen >> 5 & 1);
        mirror->slot = NULL;
        if (chosen >> i & 1 &&
            mirror_table_slot(&mirror->slot, state->registry.table, names[i]) == APR_SUCCESS) {
            mirror_settings_reload(mirror, &state->registry, &server);
        }
    }
    mirror_table_complete(state->registry.table);
}

static void begin(state_t *state)
{
    mirror_table_t *table;

    memset(state, 0, sizeof(*state));
    apr_pool_create(&state->pool, NULL);
    process.pool = state->pool;
    server.process = &process;
    retained = NULL;
    made = 0;
    errors = 0;
    load(state, FEW, 3, NULL);
    table = state->registry.table;
    mirror_table_child_started(table, getpid());
    mirror_table_claim(&state->worker_slot, table);
    table->is_child = 0;
    mirror_store_write(&state->mirrors[0].slot->version,
                       mirror_table_store(table, state->mirrors[0].slot),
                       mirror_table_store_lock(table), 0, 1, "{\"count\":5}");
}

/* ---- steps ---- */

static void sum_up(const state_t *state, unsigned mirror)
{
    mirror_slot_t *slot = state->mirrors[mirror % NAMES].slot;
    mirror_table_t *table = state->registry.table;
    apr_uint64_t ended = 0;
    mirror_loss_view_t losses[MIRROR_LOST_MAX];
    mirror_totals_t totals;
    double ms;
    int n;

    if (!slot) {
        return;
    }
    mirror_totals_sum(&totals, table, slot);
    for (n = 0; n < MIRROR_OUTCOME_COUNT; n++) {
        REQUIRE(totals.sum.outcomes[n] <= MIRROR_CELL_COUNT_MAX);
        ended += totals.sum.outcomes[n];
    }
    REQUIRE(totals.sum.seen == totals.queued + totals.sum.in_flight + ended);
    n = mirror_lost_read(losses, mirror_table_lost(table, slot), state->pool);
    REQUIRE(n >= 0 && n <= MIRROR_LOST_MAX);
    while (n-- > 0) {
        REQUIRE(losses[n].outcome < MIRROR_OUTCOME_COUNT &&
                mirror_lost_is_loss(losses[n].outcome) <= 1 &&
                strlen(losses[n].path) <= MIRROR_LOST_PATH &&
                mirror_utf8_is_valid(losses[n].path) &&
                strlen(losses[n].method) <= MIRROR_LOST_METHOD);
    }
    ms = mirror_cell_quantile(totals.sum.latency, 0.99);
    REQUIRE(ms == -1 || (ms >= 0 && ms <= 60000));
}

static void read_texts(const state_t *state)
{
    mirror_table_t *table = state->registry.table;
    mirror_store_text_t text;
    int i;

    for (i = 0; i < NAMES; i++) {
        mirror_slot_t *slot = state->mirrors[i].slot;

        if (slot) {
            mirror_store_read(&text, &slot->version, mirror_table_store(table, slot), state->pool);
            REQUIRE(!text.text || strlen(text.text) < MIRROR_STORE_SIZE);
        }
    }
}

static void look_at_findings(mirror_findings_t *area, apr_pool_t *pool)
{
    apr_uint64_t compared = 0;
    mirror_findings_view_t view;
    int i, k;

    mirror_findings_view(&view, area, pool);
    for (i = 0; i < view.group_count; i++) {
        REQUIRE(mirror_utf8_is_valid(view.groups[i].group));
        compared += view.groups[i].compared;
    }
    REQUIRE(compared == view.compared || view.compared > MIRROR_CELL_COUNT_MAX);
    REQUIRE(view.row_count <= MIRROR_FINDINGS_ROWS && view.pair_count <= MIRROR_FINDINGS_PAIRS);
    for (i = 0; i < view.row_count; i++) {
        REQUIRE(mirror_utf8_is_valid(view.rows[i].field) && view.rows[i].group);
        REQUIRE(view.rows[i].part < MIRROR_PART_COUNT && view.rows[i].kind < MIRROR_KIND_COUNT);
        REQUIRE(i == 0 || view.rows[i - 1].count >= view.rows[i].count);
    }
    for (i = 0; i < view.finding_count; i++) {
        REQUIRE(view.findings[i].row_count <= MIRROR_FINDINGS_SET && view.findings[i].group);
        for (k = 0; k < view.findings[i].example_count; k++) {
            REQUIRE(mirror_utf8_is_valid(view.findings[i].examples[k].path));
            REQUIRE(view.findings[i].examples[k].status[0] < 1000);
        }
    }
}

/* Add responses of rows that the input has; look, or begin anew. */
static void act_as_comparer(const state_t *state, input_t *input)
{
    unsigned what = take(input);
    mirror_findings_t *area = area_of(state, what >> 3);
    char field[2] = { 0 };
    mirror_noted_row_t rows[80];
    mirror_noted_rule_t rules[2] = { { 1, 1, 0 }, { 0, 0, 1 } };
    mirror_noted_t noted;
    int i;

    memset(rows, 0, sizeof(rows));
    memset(&noted, 0, sizeof(noted));
    apr_atomic_set64(&area->lock, 0); /* nobody is to be waited for */
    field[0] = (char)take(input);
    noted.rows = rows;
    noted.count = (int)(take(input) % 80);
    for (i = 0; i < noted.count; i++) {
        rows[i].kind = (mirror_kind_e)(i % (MIRROR_KIND_COUNT + 1));
        rows[i].part = (mirror_part_e)(i / 16);
        rows[i].side = (mirror_side_e)(take(input) % 8);
        rows[i].volatile_shape = rows[i].built_in = what & 1;
        rows[i].marks[0] = rows[i].marks[1] = what;
        rows[i].by_rule = i & 1;
        rows[i].field = i % 3 ? field : "body";
    }
    noted.verdict = (mirror_verdict_e)(take(input) % (MIRROR_VERDICT_COUNT + 1));
    noted.group = noted.path = field;
    noted.examples = (int)(what >> 4);
    noted.more = (int)(what & 1);
    noted.more_side = (mirror_side_e)(what >> 5);
    noted.rules = rules;
    noted.rule_count = 2;
    noted.time = 1;
    mirror_findings_add(area, &noted);
    mirror_findings_time(area, (apr_interval_time_t)what << 40, -1);
    look_at_findings(area, state->pool);
    if (what & 2) {
        REQUIRE(mirror_findings_reset(area, what) == APR_SUCCESS);
        look_at_findings(area, state->pool);
    }
}

static void act_as_child(state_t *state)
{
    mirror_table_t *table = state->registry.table;

    mirror_table_claim(&state->worker_slot, table);
    REQUIRE(state->worker_slot >= 0 && state->worker_slot < WORKER_SLOTS);
    mirror_table_reap_ended(table);
    mirror_table_release(table, state->worker_slot);
    table->is_child = 0;
}

/* One step of the input. */
static void step(state_t *state, input_t *input)
{
    mirror_table_segment_t *segment = state->registry.table->segment;
    unsigned what = take(input);

    switch (what & 7) {
    case 0:
        scribble(state, input, 1);
        break;
    case 1:
        mirror_table_child_ended(
            state->registry.table,
            what & 8 ? getpid() : (apr_int64_t)segment->worker_slots[1 + what / 16].owner);
        break;
    case 2:
        load(state, what & 8 ? FEW : MANY, take(input), input);
        break;
    case 3:
        sum_up(state, what >> 3);
        break;
    case 4:
        what & 8 ? act_as_child(state) : read_texts(state);
        break;
    case 6:
        scribble_findings(state, input);
        break;
    case 7:
        act_as_comparer(state, input);
        break;
    default:
        scribble(state, input, 0);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    input_t input = { data, size };
    state_t state;
    int steps;

    if (!begun) {
        begun = 1;
        apr_initialize();
        ASAN_POISON_MEMORY_REGION(arenas, sizeof(arenas));
    }
    begin(&state);
    for (steps = 0; steps < 16 && input.size > 0; steps++) {
        step(&state, &input);
    }
    mirror_table_child_ended(state.registry.table, getpid());
    load(&state, MANY, 0x1f, &input);
    apr_pool_destroy(state.pool);
    return 0;
}
