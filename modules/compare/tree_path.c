/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree_path.c - the field of a row: "body" and a pointer (RFC 6901). See
 * compare/tree_state.h.
 *
 * A field is printed on pages and in logs, and pasted into rules, where a blank ends it. So '*'
 * stands for a name with blanks, controls or marks of direction, as for one that may be an id. A
 * pointer that is too long has '**' in place of segments in its middle.
 */
#include <string.h>

#include "compare/tree_state.h"
#include "compare/name.h"

/* The longest segment, with its escapes. */
#define SEGMENT_MAX 60
#define ROOT        "body"
#define ROOT_LEN    4

/* Bytes of an ASCII character with its escape. */
static apr_size_t escaped_length(char c)
{
    return c == '~' || c == '/' || c == '*' ? 2 : 1;
}

/* Whether a character of more than one byte is invisible, or changes how others are shown: C1
 * controls, U+061C, U+200B to U+200F, U+2028 to U+202F, U+2060 to U+206F, U+FEFF, U+FFF9 to U+FFFF,
 * and all beyond U+E0000. */
static int is_inert(const unsigned char *c, apr_size_t len)
{
    if (c[0] == 0xc2) {
        return c[1] > 0xa0 && c[1] != 0xad;
    }
    if (c[0] == 0xd8) {
        return c[1] != 0x9c;
    }
    if (c[0] == 0xe2 && len > 2) {
        return !(c[1] == 0x80 && (c[2] < 0x90 || c[2] >= 0xa8)) && !(c[1] == 0x81 && c[2] >= 0xa0);
    }
    if (c[0] == 0xef && len > 2) {
        return !(c[1] == 0xbb && c[2] == 0xbf) && !(c[1] == 0xbf && c[2] >= 0xb9);
    }
    return c[0] < 0xf3;
}

/* Whether a name can stand in a row as it is. Names are UTF-8. */
static int is_printable(const char *name, apr_size_t len)
{
    const unsigned char *c = (const unsigned char *)name, *end = c + len;
    apr_size_t escaped = 0;

    for (; c < end; c++) {
        if (*c <= ' ' || *c == 0x7f || (*c >= 0xc0 && !is_inert(c, (apr_size_t)(end - c)))) {
            return 0;
        }
        escaped += escaped_length((char)*c);
    }
    return escaped <= SEGMENT_MAX;
}

static int is_shown(mirror_tree_run_t *run, int i)
{
    const mirror_step_t *step = &run->steps[i];

    if (run->shown[i] == MIRROR_SHOWN_UNKNOWN) {
        run->shown[i] = !step->name || mirror_name_is_id(step->name, step->len) ||
                                !is_printable(step->name, step->len)
                            ? MIRROR_SHOWN_STAR
                            : MIRROR_SHOWN_NAME;
    }
    return run->shown[i] == MIRROR_SHOWN_NAME;
}

/* The length of a step's segment, with its slash. */
static apr_size_t segment_length(mirror_tree_run_t *run, int i)
{
    apr_size_t n = 1, k;

    if (!is_shown(run, i)) {
        return 2;
    }
    for (k = 0; k < run->steps[i].len; k++) {
        n += escaped_length(run->steps[i].name[k]);
    }
    return n;
}

static char *put_segment(char *out, mirror_tree_run_t *run, int i)
{
    const mirror_step_t *step = &run->steps[i];
    apr_size_t k;

    *out++ = '/';
    if (!is_shown(run, i)) {
        *out++ = '*';
        return out;
    }
    for (k = 0; k < step->len; k++) {
        char c = step->name[k];

        if (escaped_length(c) == 2) {
            *out++ = '~';
            c = c == '~' ? '0' : c == '/' ? '1' : '2';
        }
        *out++ = c;
    }
    return out;
}

/* Steps from the first that fit into `room` bytes. */
static int fitting_head(mirror_tree_run_t *run, apr_size_t room)
{
    apr_size_t n, used = 0;
    int i;

    for (i = 0; i < run->depth; i++) {
        n = segment_length(run, i);
        if (used + n > room) {
            break;
        }
        used += n;
    }
    return i;
}

/* The first of the last steps that fit, together with those before `head` and "**". */
static int fitting_tail(mirror_tree_run_t *run, int head)
{
    apr_size_t n, used = ROOT_LEN + 3;
    int i;

    for (i = 0; i < head; i++) {
        used += segment_length(run, i);
    }
    for (i = run->depth; i > head; i--) {
        n = segment_length(run, i - 1);
        if (used + n > MIRROR_FIELD_MAX) {
            break;
        }
        used += n;
    }
    return i;
}

void mirror_tree_path(char *field, mirror_tree_run_t *run)
{
    int head = fitting_head(run, MIRROR_FIELD_MAX - ROOT_LEN), tail = head, i;
    char *out = field + ROOT_LEN;

    memcpy(field, ROOT, ROOT_LEN);
    if (head < run->depth) {
        /* half of the room, so that the last step always fits */
        head = fitting_head(run, (MIRROR_FIELD_MAX - ROOT_LEN - 3) / 2 - 4);
        tail = fitting_tail(run, head);
    }
    for (i = 0; i < head; i++) {
        out = put_segment(out, run, i);
    }
    if (tail > head) {
        memcpy(out, "/**", 3);
        out += 3;
    }
    for (i = tail; i < run->depth; i++) {
        out = put_segment(out, run, i);
    }
    *out = '\0';
}
