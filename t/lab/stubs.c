/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * stubs.c - what objects of libmirror want of httpd when a unit test or a fuzz target links them.
 *
 * The log goes to standard error, for a person to read when a test fails: time, level and client
 * are left out, so a line is the tag, the text and what rv says. Everything that is not logging is
 * absent on purpose: a room that needs more of httpd is not a room for a unit test.
 */
#include <stdarg.h>
#include <stdio.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <http_main.h>

#include <apr_errno.h>
#include <apr_strings.h>

/* APLOG_USE_MODULE takes the address of its index */
module AP_MODULE_DECLARE_DATA proxy_mirror_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0
};

server_rec *ap_server_conf;

static void print(const char *file, int line, apr_status_t rv, const char *format, va_list args)
{
    char text[1024];
    char reason[128] = "";

    apr_vsnprintf(text, sizeof(text), format, args);
    if (rv != APR_SUCCESS) {
        apr_strerror(rv, reason, sizeof(reason));
    }
    fprintf(stderr, "%s:%d: %s%s%s\n", file, line, text, *reason ? ": " : "", reason);
}

/* The four log functions differ only in what the line is about. */
#define LOG_STUB(name, about)                                                                      \
    void name(const char *file, int line, int index, int level, apr_status_t rv, about,            \
              const char *format, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        (void)index;                                                                               \
        (void)level;                                                                               \
        (void)subject;                                                                             \
        va_start(args, format);                                                                    \
        print(file, line, rv, format, args);                                                       \
        va_end(args);                                                                              \
    }

LOG_STUB(ap_log_error_, const server_rec *subject)
LOG_STUB(ap_log_rerror_, const request_rec *subject)
LOG_STUB(ap_log_cerror_, const conn_rec *subject)
LOG_STUB(ap_log_perror_, apr_pool_t *subject)
