/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/secret_name.c - names whose values are secret. See compare/secret_name.h.
 */
#include <string.h>

#include "base/ascii.h"
#include "compare/secret_name.h"

/* Bytes of a name in a text. A longer one is looked at in parts. */
#define NAME_MAX_LEN 64
/* Bytes of an authority of a URL in which a password is looked for. */
#define AUTHORITY_MAX_LEN 256

/* Where a short word counts in a name. */
typedef enum {
    WORD,  /* by itself */
    END,   /* also as the end of a word: no other word ends so */
    INSIDE /* anywhere */
} place_e;

/* Words that are unmistakable, in names and texts. The last ones are {"alg", {"typ" and {"kid" in base64. */
static const char *const long_words[] = { "password",     "passwd",       "passphrase",
                                          "passcode",     "token",        "secret",
                                          "cookie",       "session",      "sessid",
                                          "credential",   "apikey",       "accesskey",
                                          "authkey",      "authcode",     "privatekey",
                                          "signingkey",   "bearer",       "creditcard",
                                          "cardnumber",   "pincode",      "authorization",
                                          "csrf",         "xsrf",         "email",
                                          "passkey",      "userpass",     "encryptionkey",
                                          "recoverycode", "securitycode", "eyjhbgci",
                                          "eyj0exai",     "eyjrawqi",     NULL };

static const struct {
    const char *word;
    place_e place;
    int is_clear; /* in a text it counts without a value, too */
} short_words[] = {
    { "pwd", INSIDE, 0 }, { "jwt", INSIDE, 0 },     { "auth", END, 0 },  { "pass", WORD, 0 },
    { "pw", WORD, 0 },    { "pin", WORD, 0 },       { "card", WORD, 0 }, { "cvv", WORD, 0 },
    { "cvc", WORD, 0 },   { "otp", WORD, 0 },       { "totp", WORD, 0 }, { "sid", WORD, 0 },
    { "sig", WORD, 0 },   { "signature", WORD, 0 }, { "ssn", WORD, 1 },  { "iban", WORD, 1 },
    { NULL, WORD, 0 },
};

/* ---- long words ---- */

/* Whether the text begins with a word; '-', '_' and blanks in it do not count, nor the NULs of UTF-16. */
static int begins_with(const char *text, apr_size_t len, const char *word)
{
    apr_size_t i;

    for (i = 0; i < len && *word; i++) {
        if (i > 0 && (text[i] == '-' || text[i] == '_' || text[i] == ' ' || text[i] == '\0')) {
            continue;
        }
        if (mirror_ascii_lower(text[i]) != *word++) {
            return 0;
        }
    }
    return *word == '\0';
}

static int has_long_word(const char *text, apr_size_t len)
{
    apr_size_t at;
    int i;

    for (at = 0; at < len; at++) {
        for (i = 0; long_words[i]; i++) {
            if (begins_with(text + at, len - at, long_words[i])) {
                return 1;
            }
        }
    }
    return 0;
}

/* ---- short words ---- */

static int is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int is_letter(char c)
{
    return mirror_ascii_lower(c) >= 'a' && mirror_ascii_lower(c) <= 'z';
}

/* Whether a word begins at `at`: "user_pin", "userPin", "2pin", "PINCode". */
static int is_begin(const char *name, apr_size_t len, apr_size_t at)
{
    return at == 0 || !is_letter(name[at - 1]) ||
           (is_upper(name[at]) &&
            (!is_upper(name[at - 1]) ||
             (at + 1 < len && is_letter(name[at + 1]) && !is_upper(name[at + 1]))));
}

/* Whether a word ends at `at`, with or without an s. */
static int is_end(const char *name, apr_size_t len, apr_size_t at)
{
    apr_size_t plural = at + (at < len && mirror_ascii_lower(name[at]) == 's');

    return at == len || !is_letter(name[at]) || is_begin(name, len, at) || plural == len ||
           (plural > at && (!is_letter(name[plural]) || is_begin(name, len, plural)));
}

static int is_word_at(const char *name, apr_size_t len, apr_size_t at, int i)
{
    apr_size_t length = strlen(short_words[i].word), k = 0;

    while (k < length && at + k < len &&
           mirror_ascii_lower(name[at + k]) == short_words[i].word[k]) {
        k++;
    }
    return k == length && (short_words[i].place != WORD || is_begin(name, len, at)) &&
           (short_words[i].place == INSIDE || is_end(name, len, at + length));
}

/* Whether the name has such a word; 2: one that is clear. */
static int has_short_word(const char *name, apr_size_t len)
{
    apr_size_t at;
    int i, has = 0;

    for (at = 0; at < len; at++) {
        for (i = 0; short_words[i].word; i++) {
            if (is_word_at(name, len, at, i)) {
                has |= 1 + short_words[i].is_clear;
            }
        }
    }
    return has;
}

int mirror_secret_name_is(const char *name, apr_size_t len)
{
    return len > MIRROR_SECRET_NAME_MAX || has_long_word(name, len) || has_short_word(name, len);
}

/* ---- names in a text ---- */

static int is_of_name(char c)
{
    return is_letter(c) || mirror_ascii_is_digit(c) || c == '_' || c == '-';
}

/* Take the name at `at`, without the NULs of UTF-16, to `name`. Returns its end. */
static apr_size_t take_name(char name[NAME_MAX_LEN], apr_size_t *length, const char *text,
                            apr_size_t len, apr_size_t at)
{
    for (*length = 0; at < len && *length < NAME_MAX_LEN; at++) {
        if (is_of_name(text[at])) {
            name[(*length)++] = text[at];
        }
        else if (text[at] != '\0') {
            break;
        }
    }
    return at;
}

/* The next byte from `at`, or before it if `step` is -1, that is no quote, blank, backslash or NUL. */
static apr_size_t skip(const char *text, apr_size_t len, apr_size_t at, int step)
{
    while (at < len && (text[at] == '\0' || strchr("\"'\\ \t", text[at]))) {
        at += (apr_size_t)step; /* before 0 it is beyond `len` */
    }
    return at;
}

/* The character that is percent-encoded at `at`, in lower case; 0: there is none. */
static char encoded(const char *text, apr_size_t len, apr_size_t at)
{
    if (at >= len || len - at < 3 || text[at] != '%' || mirror_ascii_hex_digit(text[at + 1]) < 0 ||
        mirror_ascii_hex_digit(text[at + 2]) < 0) {
        return '\0';
    }
    return mirror_ascii_lower(
        (char)(mirror_ascii_hex_digit(text[at + 1]) * 16 + mirror_ascii_hex_digit(text[at + 2])));
}

static int is_equals(char c)
{
    return c == '=' || c == ':';
}

/* Whether the name before `end` is followed by a value, is itself that of an attribute `name`, or ends what an
 * element has in it, such as "<td>Your PIN</td>". */
static int has_value(const char *text, apr_size_t len, apr_size_t begin, apr_size_t end)
{
    apr_size_t next = skip(text, len, end, 1), equals = skip(text, len, begin - 1, -1), last;

    if (next < len && (is_equals(text[next]) || is_equals(encoded(text, len, next)))) {
        return 1;
    }
    if (len - end >= 2 && text[end] == '<' && text[end + 1] == '/') {
        return 1;
    }
    if (end < len && text[end] == '>') {
        return begin > 0 && (text[begin - 1] == '<' || text[begin - 1] == ':');
    }
    if (equals >= len || text[equals] != '=') {
        return 0;
    }
    last = skip(text, len, equals - 1, -1);
    return last < len && last >= 3 && begins_with(text + last - 3, 4, "name");
}

/* Whether an authority of a URL is at `at`, with a password: "user:password@host". */
static int has_password(const char *text, apr_size_t len, apr_size_t at)
{
    apr_size_t end = len - at > AUTHORITY_MAX_LEN ? at + AUTHORITY_MAX_LEN : len;
    int colons = 0;

    for (; at < end && text[at] != '@'; at++) {
        if (text[at] == '\0' || strchr("/?# \t\r\n\"'<>\\", text[at])) {
            return 0;
        }
        colons += text[at] == ':';
    }
    return at < end && colons > 0;
}

static int has_url_with_password(const char *text, apr_size_t len)
{
    apr_size_t at;

    for (at = 0; at + 2 < len; at++) {
        if (text[at] == ':' && text[at + 1] == '/' && text[at + 2] == '/' &&
            has_password(text, len, at + 3)) {
            return 1;
        }
    }
    return 0;
}

int mirror_secret_name_in(const char *text, apr_size_t len)
{
    char name[NAME_MAX_LEN];
    apr_size_t at = 0, length, end;
    int has;

    if (has_long_word(text, len) || has_url_with_password(text, len)) {
        return 1;
    }
    while (at < len) {
        if (!is_of_name(text[at])) {
            at += encoded(text, len, at) ? 3 : 1; /* "%3Fpin" is "?pin" */
            continue;
        }
        end = take_name(name, &length, text, len, at);
        has = has_short_word(name, length);
        if (has > 1 || (has && has_value(text, len, at, end))) {
            return 1;
        }
        at = end;
    }
    return 0;
}
