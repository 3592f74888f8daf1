/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/console.h - startup errors on the terminal.
 *
 * httpd reads its configuration twice. Between the two passes it detaches from the terminal, and
 * the start command returns 0. So the checks of open_logs and post_config also run in the first
 * pass. The error log has replaced stderr by then; the module's own errors of the first pass are
 * also printed on the original stderr.
 */
#ifndef MIRROR_CONFIG_CONSOLE_H
#define MIRROR_CONFIG_CONSOLE_H

/* ---- startup ---- */

void mirror_console_register_hooks(void);

/* Return whether httpd starts and reads its configuration for the first time. An error then stops
 * the start. The second pass recreates everything in pconf. */
int mirror_console_is_first_pass(void);

/* Return whether httpd runs and reloads its configuration. An error would end it. */
int mirror_console_is_reload(void);

/* Return whether httpd only tests its configuration (-t). */
int mirror_console_is_test(void);

#endif
