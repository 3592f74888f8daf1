/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/console.h - whoever starts httpd sees why it does not start.
 *
 * httpd reads its configuration twice. Between the two it detaches from who starts it, who then
 * gets an exit status of 0. So what only open_logs and post_config can find out is asked in the
 * first pass already. Its error log is open by then, and has taken the place of stderr; the
 * module's own errors of the first pass are printed on the stderr of before as well.
 */
#ifndef MIRROR_CONFIG_CONSOLE_H
#define MIRROR_CONFIG_CONSOLE_H

/* ---- startup ---- */

void mirror_console_register_hooks(void);

/* Whether httpd starts and reads its configuration for the first time: what fails stops the
 * start, and whatever pconf has is made anew for the second pass. */
int mirror_console_is_first_pass(void);

/* Whether httpd is only asked to test its configuration (-t). */
int mirror_console_is_test(void);

#endif
