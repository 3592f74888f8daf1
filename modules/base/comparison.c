/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/comparison.c - the names of verdicts, reasons, parts and kinds. See base/comparison.h.
 */
#include "base/comparison.h"

#define NAME(id, name) name,

const char *mirror_verdict_name(mirror_verdict_e verdict)
{
    static const char *const names[] = { MIRROR_VERDICTS(NAME) };

    return verdict < MIRROR_VERDICT_COUNT ? names[verdict] : "?";
}

const char *mirror_skip_name(mirror_skip_e skip)
{
    static const char *const names[] = { MIRROR_SKIPS(NAME) };

    return skip < MIRROR_SKIP_COUNT ? names[skip] : "?";
}

const char *mirror_part_name(mirror_part_e part)
{
    static const char *const names[] = { "status", "header", "body" };

    return part < MIRROR_PART_COUNT ? names[part] : "?";
}

const char *mirror_kind_name(mirror_kind_e kind)
{
    static const char *const names[] = { MIRROR_KINDS(NAME) };

    return kind < MIRROR_KIND_COUNT ? names[kind] : "?";
}
