/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/secret.c - passwords that a program prints. See config/secret.h.
 *
 * The output of a program is kept in the process pool, for the second pass of the configuration at
 * the start, and for reloads on which the program fails.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <string.h>

#include "attributes/attributes.h"
#include "config/secret.h"

APLOG_USE_MODULE(proxy_mirror);

#define EXEC       "exec:"
#define RETAINED   "proxy_mirror_secret:"
#define SECRET_MAX 1024

typedef struct retained_t {
    int load; /* number of the load of the configuration; 0 = never */
    char secret[SECRET_MAX + 1];
} retained_t;

/* ---- the program ---- */

/* Return the number of this load. The two passes at the start count as one. */
static int this_load(void)
{
    int generation = ap_state_query(AP_SQ_CONFIG_GEN);

    return generation > 1 ? generation : 1;
}

/* Read the first line, up to SECRET_MAX bytes, and drain the rest, so that the program does not end
 * by a signal. */
static void read_line(char *line, apr_file_t *file)
{
    char buffer[256];
    apr_size_t len = 0, n, i;
    int ended = 0;

    for (;;) {
        n = sizeof(buffer);
        if (apr_file_read(file, buffer, &n) != APR_SUCCESS) {
            break;
        }
        for (i = 0; i < n && !ended; i++) {
            ended =
                buffer[i] == '\n' || buffer[i] == '\r' || buffer[i] == '\0' || len == SECRET_MAX;
            if (!ended) {
                line[len++] = buffer[i];
            }
        }
    }
    line[len] = '\0';
}

/* Returns NULL, or why there is no secret. */
static const char *run_program(char *line, const char *command, apr_pool_t *pool)
{
    apr_procattr_t *attributes;
    apr_exit_why_e why;
    apr_status_t rv;
    apr_proc_t proc;
    char **argv;
    int code;

    if (apr_tokenize_to_argv(command, &argv, pool) != APR_SUCCESS || !argv[0]) {
        return "is not a program";
    }
    rv = apr_procattr_create(&attributes, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_io_set(attributes, APR_NO_PIPE, APR_FULL_BLOCK, APR_NO_PIPE);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_procattr_error_check_set(attributes, 1);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_proc_create(&proc, argv[0], (const char *const *)argv, NULL, attributes, pool);
    }
    if (rv != APR_SUCCESS) {
        return apr_psprintf(pool, "cannot be run: %pm", &rv);
    }
    read_line(line, proc.out);
    apr_file_close(proc.out);
    rv = apr_proc_wait(&proc, &code, &why, APR_WAIT);
    if (rv != APR_CHILD_DONE || !APR_PROC_CHECK_EXIT(why)) {
        return "was terminated by a signal";
    }
    if (code != 0) {
        return apr_psprintf(pool, "exited with status %d", code);
    }
    return *line ? NULL : "printed nothing";
}

/* Run the program for the first time in this load. Returns NULL or an error message. */
static const char *renew(retained_t *retained, const char *command, const char *name,
                         apr_pool_t *pool, apr_pool_t *plog)
{
    char line[SECRET_MAX + 1];
    const char *why = run_program(line, command, pool);
    const char *program;

    retained->load = this_load();
    if (!why) {
        apr_cpystrn(retained->secret, line, sizeof(retained->secret));
        return NULL;
    }
    /* without arguments */
    program = mirror_value_quote(apr_pstrmemdup(pool, command, strcspn(command, " ")), pool);
    if (this_load() == 1) {
        return apr_psprintf(pool, "%s: must be a program that prints a password, got %s, which %s",
                            name, program, why);
    }
    ap_log_perror(APLOG_MARK, APLOG_ERR, 0, plog, "PM0610: %s: %s %s; %s", name, program, why,
                  *retained->secret ? "the previous password remains in use"
                                    : "Redis will reject the login");
    return NULL;
}

int mirror_secret_is_program(const char *secret)
{
    return secret && strncmp(secret, EXEC, sizeof(EXEC) - 1) == 0;
}

const char *mirror_secret_resolve(const char **secret, const char *name, apr_pool_t *pool,
                                  apr_pool_t *plog)
{
    const char *key, *wrong = NULL;
    retained_t *retained;

    if (!mirror_secret_is_program(*secret)) {
        return NULL;
    }
    key = apr_pstrcat(pool, RETAINED, *secret, NULL);
    retained = ap_retained_data_get(key);
    if (!retained) {
        retained = ap_retained_data_create(key, sizeof(*retained));
    }
    if (retained->load != this_load()) {
        wrong = renew(retained, *secret + sizeof(EXEC) - 1, name, pool, plog);
    }
    *secret = apr_pstrdup(pool, retained->secret);
    return wrong;
}

/* ---- hiding ---- */

/* Return the length of the attribute's name with its '=' if the word is a password; else 0. */
static apr_size_t secret_name(const char *word)
{
    static const char *const attributes[] = { "redis_password=", "sentinel_password=" };
    apr_size_t i;

    for (i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
        if (strncmp(word, attributes[i], strlen(attributes[i])) == 0) {
            return strlen(attributes[i]);
        }
    }
    return 0;
}

void mirror_secret_hide(const ap_directive_t *directive, apr_pool_t *pool)
{
    const char *line = directive->args, *start = line, *word;
    const char *shown = "";

    if (!line || !strstr(line, "_password=")) {
        return;
    }
    while (!mirror_attributes_next_word(&word, &line, pool) && word) {
        apr_size_t name = secret_name(word);

        shown = name ? apr_pstrcat(pool, shown, " ", apr_pstrmemdup(pool, word, name), "***", NULL)
                     : apr_pstrcat(pool, shown,
                                   apr_pstrmemdup(pool, start, (apr_size_t)(line - start)), NULL);
        start = line;
    }
    /* After processing, the text of a directive is only read for display. */
    ((ap_directive_t *)directive)->args = shown;
}
