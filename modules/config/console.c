/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/console.c - startup errors on the terminal. See config/console.h.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_portable.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <ap_mpm.h>

#include "config/console.h"

#define CONSOLE_KEY "mod_proxy_mirror:console"

int mirror_console_is_first_pass(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
}

int mirror_console_is_reload(void)
{
    int generation;

    return ap_mpm_query(AP_MPMQ_GENERATION, &generation) == APR_SUCCESS && generation > 0;
}

int mirror_console_is_test(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST;
}

/* Save stderr for the first pass, before the core replaces it by the error log. */
static int open_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_file_t *stderr_now = NULL, *console = NULL;

    (void)plog;
    (void)s;
    if (mirror_console_is_first_pass() && apr_file_open_stderr(&stderr_now, ptemp) == APR_SUCCESS &&
        apr_file_dup(&console, stderr_now, pconf) == APR_SUCCESS) {
        apr_pool_userdata_setn(console, CONSOLE_KEY, NULL, pconf);
    }
    return OK;
}

/* Return whether stderr is also the error log, as with "ErrorLog /dev/stderr" in a container. */
static int is_error_log(apr_file_t *console)
{
    struct stat shown, logged;
    int fd;

    return apr_os_file_get(&fd, console) == APR_SUCCESS && fstat(fd, &shown) == 0 &&
           fstat(STDERR_FILENO, &logged) == 0 && shown.st_dev == logged.st_dev &&
           shown.st_ino == logged.st_ino;
}

/* Called for each line of the error log. */
static void error_log(const ap_errorlog_info *info, const char *text)
{
    void *console = NULL;
    char why[256] = "";

    if (info->level > APLOG_ERR || strncmp(text, "PM", 2) || !info->s ||
        !mirror_console_is_first_pass()) {
        return;
    }
    apr_pool_userdata_get(&console, CONSOLE_KEY, info->s->process->pconf);
    if (console && !is_error_log(console)) {
        if (info->status) {
            apr_strerror(info->status, why, sizeof(why));
        }
        apr_file_printf(console, "%s%s%s\n", text, *why ? ": " : "", why);
    }
}

void mirror_console_register_hooks(void)
{
    static const char *const before_core[] = { "core.c", NULL };

    ap_hook_open_logs(open_logs, NULL, before_core, APR_HOOK_REALLY_FIRST);
    ap_hook_error_log(error_log, NULL, NULL, APR_HOOK_MIDDLE);
}
