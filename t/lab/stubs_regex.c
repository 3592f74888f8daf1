/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * stubs_regex.c - httpd's regular expressions for a program without httpd: the same library with the
 * same options as server/util_pcre.c. Without PCRE2's headers no expression compiles.
 */
#include <httpd.h>
#include <ap_regex.h>

#ifdef HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

int ap_regcomp(ap_regex_t *preg, const char *regex, int cflags)
{
    uint32_t options = PCRE2_DUPNAMES | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY;
    PCRE2_SIZE at = 0;
    int error = 0;

    options |= cflags & AP_REG_ICASE ? PCRE2_CASELESS : 0;
    preg->re_pcre = pcre2_compile((const unsigned char *)regex, PCRE2_ZERO_TERMINATED, options,
                                  &error, &at, NULL);
    preg->re_erroffset = at;
    return preg->re_pcre ? 0 : AP_REG_INVARG;
}

int ap_regexec_len(const ap_regex_t *preg, const char *buff, apr_size_t len, apr_size_t nmatch,
                   ap_regmatch_t *pmatch, int eflags)
{
    pcre2_match_data *data = pcre2_match_data_create((uint32_t)nmatch + 1, NULL);
    const PCRE2_SIZE *found = pcre2_get_ovector_pointer(data);
    int rc = pcre2_match(preg->re_pcre, (const unsigned char *)buff, len, 0,
                         eflags & AP_REG_NOTBOL ? PCRE2_NOTBOL : 0, data, NULL);
    apr_size_t i;

    for (i = 0; rc >= 0 && i < nmatch; i++) {
        pmatch[i].rm_so = i == 0 || (int)i < rc ? (int)found[2 * i] : -1;
        pmatch[i].rm_eo = i == 0 || (int)i < rc ? (int)found[2 * i + 1] : -1;
    }
    pcre2_match_data_free(data);
    return rc >= 0                        ? 0
           : rc == PCRE2_ERROR_NOMATCH    ? AP_REG_NOMATCH
           : rc == PCRE2_ERROR_MATCHLIMIT ? AP_REG_ESPACE
                                          : AP_REG_ASSERT;
}

void ap_regfree(ap_regex_t *preg)
{
    pcre2_code_free(preg->re_pcre);
}

#else

int ap_regcomp(ap_regex_t *preg, const char *regex, int cflags)
{
    (void)regex;
    (void)cflags;
    preg->re_pcre = NULL;
    preg->re_erroffset = 0;
    return AP_REG_ESPACE;
}

int ap_regexec_len(const ap_regex_t *preg, const char *buff, apr_size_t len, apr_size_t nmatch,
                   ap_regmatch_t *pmatch, int eflags)
{
    (void)preg;
    (void)buff;
    (void)len;
    (void)nmatch;
    (void)pmatch;
    (void)eflags;
    return AP_REG_ESPACE;
}

void ap_regfree(ap_regex_t *preg)
{
    (void)preg;
}

#endif
