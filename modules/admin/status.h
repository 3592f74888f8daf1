/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/status.h - the mirrors on mod_status's page.
 */
#ifndef MIRROR_ADMIN_STATUS_H
#define MIRROR_ADMIN_STATUS_H

/* Register the hook for mod_status's page and its ?auto. Startup. Without mod_status the hook has
 * no effect. */
void mirror_status_register_hooks(void);

#endif
