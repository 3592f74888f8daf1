/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/status.h - the mirrors on the page of mod_status.
 */
#ifndef MIRROR_ADMIN_STATUS_H
#define MIRROR_ADMIN_STATUS_H

/* startup: take part in mod_status's page and in its ?auto, if it is loaded. */
void mirror_status_register_hooks(void);

#endif
