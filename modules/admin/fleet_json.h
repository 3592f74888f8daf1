/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_json.h - documents and nodes of the fleet as JSON.
 */
#ifndef MIRROR_ADMIN_FLEET_JSON_H
#define MIRROR_ADMIN_FLEET_JSON_H

#include <yajl/yajl_gen.h>

#include "fleet/nodes.h"
#include "shared/table.h"

/* ---- request threads ---- */

/* Append a value that was parsed. */
void mirror_fleet_json_value(yajl_gen gen, yajl_val value, apr_pool_t *pool);

/* Append a list of texts. */
void mirror_fleet_json_texts(yajl_gen gen, const char *key, const apr_array_header_t *texts,
                             apr_pool_t *pool);

/* Append the members of a document: attributes, revision, by, from, node, at. */
void mirror_fleet_json_document(yajl_gen gen, const mirror_document_t *document, apr_pool_t *pool);

/* Append "nodes" and "not_in_force". */
void mirror_fleet_json_nodes(yajl_gen gen, const mirror_nodes_t *nodes, apr_pool_t *pool);

/* Append "store": whether it responds, and since when. `responds`: 0 = it did not
 * respond to this request. */
void mirror_fleet_json_store(yajl_gen gen, mirror_fleet_words_t *words, int responds);

#endif
