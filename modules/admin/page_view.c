/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_view.c - the texts and figures of the page. See admin/page_view.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>

#include "admin/page_view.h"
#include "base/utf8.h"

/* ---- words ---- */

/* textures: rising lines, falling lines, dots, horizontal lines, vertical lines, a grid */
#define PLAIN   ""
#define UP      "M-1 9 9 -1M-1 1 1 -1M7 9 9 7"
#define DOWN    "M-1 -1 9 9M-1 7 1 9M7 -1 9 1"
#define DOTS    "M1 2h2M5 6h2"
#define ACROSS  "M0 2h8M0 6h8"
#define UPRIGHT "M2 0v8M6 0v8"
#define GRID    "M0 4h8M4 0v8"

const mirror_page_outcome_t mirror_page_outcomes[MIRROR_OUTCOME_COUNT] = {
    [MIRROR_OUTCOME_MIRRORED] = { "sent", PLAIN, "Mirrored",
                                  "The complete response of the mirror was read." },
    [MIRROR_OUTCOME_DISABLED] = { "chosen", PLAIN, "Disabled",
                                  "The mirror was disabled, or its time until was over, so no copy "
                                  "was made." },
    [MIRROR_OUTCOME_FILTERED] = { "chosen", UP, "Filtered out",
                                  "The setting methods, expr or status excluded the request." },
    [MIRROR_OUTCOME_SAMPLED_OUT] = { "chosen", DOTS, "Not in the sample",
                                     "Only a share of the requests is copied (sample_ratio); this "
                                     "one is not in it." },
    [MIRROR_OUTCOME_LOOPED] = { "chosen", GRID, "Loop",
                                "The request was a copy that this server had sent." },
    [MIRROR_OUTCOME_UPGRADE] = { "chosen", UPRIGHT, "Websocket",
                                 "Websocket handshakes are never copied." },
    [MIRROR_OUTCOME_LIMITED] = { "limit", ACROSS, "Over the limit",
                                 "The limit of this time window was used up." },
    [MIRROR_OUTCOME_TOO_LARGE] = { "room", PLAIN, "Body too large",
                                   "The body was longer than max_body allows." },
    [MIRROR_OUTCOME_INCOMPLETE] = { "room", DOTS, "Body incomplete",
                                    "The client aborted the request, or the body was not "
                                    "available." },
    [MIRROR_OUTCOME_QUEUE_FULL] = { "room", GRID, "Queue full",
                                    "Too many copies were pending: the mirror is slower than the "
                                    "requests arrive." },
    [MIRROR_OUTCOME_MEMORY_FULL] = { "room", DOWN, "Memory full",
                                     "The memory or disk for copies (ProxyMirrorMemory, "
                                     "ProxyMirrorSpool) was used up." },
    [MIRROR_OUTCOME_UNREACHABLE] = { "failed", UP, "Unreachable",
                                     "The DNS lookup or the connection failed, or the mirror still "
                                     "counted as down." },
    [MIRROR_OUTCOME_TLS_FAILED] = { "failed", GRID, "TLS failed",
                                    "The TLS handshake failed or timed out, or a certificate was "
                                    "rejected." },
    [MIRROR_OUTCOME_TIMED_OUT] = { "failed", DOTS, "Timed out",
                                   "No complete response arrived within the timeout." },
    [MIRROR_OUTCOME_BROKEN] = { "failed", DOWN, "Broken",
                                "The mirror closed the connection, or its response was not valid "
                                "HTTP." },
    [MIRROR_OUTCOME_LIMIT_FAILED] = { "limit", DOWN, "Redis failed",
                                      "Redis, which counts the limit, did not respond." },
    [MIRROR_OUTCOME_SHUT_DOWN] = { "failed", UPRIGHT, "Shut down",
                                   "The child process ended before the copy was sent." },
};

const mirror_page_state_t mirror_page_states[MIRROR_VIEW_STATES] = {
    [MIRROR_VIEW_UP] = { "\xe2\x97\x8f", "Up", "Copies are being sent." },
    [MIRROR_VIEW_READY] = { "\xe2\x97\x8b", "Ready",
                            "No copy was sent yet. The next one tries to connect." },
    [MIRROR_VIEW_LIMITED] = { "\xe2\x97\x86", "Limit reached",
                              "No copies are sent until the next time window." },
    [MIRROR_VIEW_DOWN] = { "\xe2\x96\xb2", "Down",
                           "The mirror is unreachable. Copies are dropped until a retry "
                           "succeeds." },
    [MIRROR_VIEW_DISABLED] = { "\xe2\x96\xa0", "Disabled",
                               "No copies are made. Clients are not affected." },
    [MIRROR_VIEW_ENDED] = { "\xe2\x96\xa3", "Ended",
                            "The time until is over, so no copies are made. Clients are not "
                            "affected. A later until, or none, resumes copying." },
    [MIRROR_VIEW_OFF] = { "\xe2\x96\xa1", "Off",
                          "The mirror receives no copies; the error log has the reason "
                          "(ProxyMirrorSlots)." },
};

/* ---- one mirror ---- */

apr_uint64_t mirror_page_lost(const mirror_view_t *view)
{
    apr_uint64_t lost = 0;
    int i;

    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        lost += mirror_lost_is_loss((mirror_outcome_e)i) ? view->totals.sum.outcomes[i] : 0;
    }
    return lost;
}

/* ---- texts of others ---- */

/* Characters that are invisible, or change how others are shown. */
static int is_inert(apr_uint32_t c)
{
    static const struct {
        apr_uint32_t first, last;
    } ranges[] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },        { 0x61c, 0x61c },
        { 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },    { 0x2060, 0x206f },
        { 0xfeff, 0xfeff }, { 0xfff9, 0xffff }, { 0xe0000, 0x10ffff },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return 0;
        }
    }
    return 1;
}

static apr_uint32_t decode(const unsigned char *s, apr_size_t len)
{
    static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    apr_uint32_t c = s[0] & first[len];
    apr_size_t i;

    for (i = 1; i < len; i++) {
        c = c << 6 | (s[i] & 0x3f);
    }
    return c;
}

const char *mirror_page_text(apr_pool_t *p, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    apr_size_t left = strlen(text), len;
    char *inert = apr_palloc(p, 10 * left + 1), *to = inert;

    for (; left > 0; s += len, left -= len) {
        apr_uint32_t c;

        len = mirror_utf8_length(s, left);
        c = len ? decode(s, len) : 0xfffd;
        if (len == 0) {
            len = 1;
            memcpy(to, "\xef\xbf\xbd", 3);
            to += 3;
        }
        else if (is_inert(c)) {
            memcpy(to, s, len);
            to += len;
        }
        else {
            to += apr_snprintf(to, 10, "\\u%04x", c);
        }
    }
    *to = '\0';
    return ap_escape_html(p, inert);
}

/* ---- figures ---- */

const char *mirror_page_count(apr_pool_t *p, apr_uint64_t n)
{
    char digits[32];
    char *text = apr_palloc(p, 48);
    char *out = text;
    int len = apr_snprintf(digits, sizeof(digits), "%" APR_UINT64_T_FMT, n);
    int i;

    for (i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            *out++ = ',';
        }
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

const char *mirror_page_share(apr_pool_t *p, apr_uint64_t n, apr_uint64_t all)
{
    int tenths = n >= all ? 1000 : (int)((double)n * 1000 / (double)all);

    if (n < all && tenths > 999) {
        tenths = 999;
    }
    if (n > 0 && tenths == 0) {
        return "under 0.1%";
    }
    return apr_psprintf(p, tenths % 10 ? "%d.%d%%" : "%d%%", tenths / 10, tenths % 10);
}

const char *mirror_page_ms(apr_pool_t *p, double ms)
{
    if (ms < 0) {
        return "\xe2\x80\x93";
    }
    if (ms >= 1000) {
        return apr_psprintf(p, "%.1f s", ms / 1000);
    }
    return apr_psprintf(p, ms < 10 ? "%.2f ms" : ms < 100 ? "%.1f ms" : "%.0f ms", ms);
}

const char *mirror_page_product(apr_pool_t *p, int children, apr_uint64_t all)
{
    return apr_pstrcat(p, mirror_page_count(p, (apr_uint64_t)children), " \xc3\x97 ",
                       mirror_page_count(p, all / (apr_uint64_t)children), " = ",
                       mirror_page_count(p, all), NULL);
}

const char *mirror_page_bytes(apr_pool_t *p, apr_uint64_t bytes)
{
    static const char *const units[] = { "KB", "MB", "GB", "TB" };
    double n = (double)bytes / 1024;
    int unit = 0;

    if (bytes < 1024) {
        return apr_psprintf(p, "%d B", (int)bytes);
    }
    while (n >= 1024 && unit < 3) {
        n /= 1024;
        unit++;
    }
    return apr_psprintf(p, n < 10 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

const char *mirror_page_percent(apr_pool_t *p, apr_int64_t billionths)
{
    char *text =
        apr_psprintf(p, "%d.%07d", (int)(billionths / 10000000), (int)(billionths % 10000000));
    char *end = text + strlen(text);

    while (end[-1] == '0') {
        end--;
    }
    end[end[-1] == '.' ? -1 : 0] = '\0';
    return apr_pstrcat(p, text, "%", NULL);
}

const char *mirror_page_time(apr_pool_t *p, apr_time_t t)
{
    apr_time_exp_t x;

    if (apr_time_exp_gmt(&x, t) != APR_SUCCESS) {
        return "";
    }
    return apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02dZ", x.tm_year + 1900, x.tm_mon + 1,
                        x.tm_mday, x.tm_hour, x.tm_min, x.tm_sec);
}
