/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_secret_name.c - which names say that a value is secret, and which do not.
 */
#include <string.h>

#include <check.h>

#include "compare/secret_name.h"
#include "suite.h"

static const struct {
    const char *name;
    int is_secret;
} names[] = {
    { "password", 1 },
    { "userPassword", 1 },
    { "PASSWORD_HASH", 1 },
    { "access_token", 1 },
    { "x-auth-token", 1 },
    { "client-secret", 1 },
    { "set-cookie", 1 },
    { "Authorization", 1 },
    { "x-api-key", 1 },
    { "ApiKey", 1 },
    { "e-mail", 1 },
    { "ssn", 1 },
    { "iban", 1 },
    { "sessionId", 1 },
    { "price", 0 },
    { "", 0 },
    { "cook", 0 },
    { "x-request-id", 0 },
    { "tok-en", 1 },
    { "key", 0 },
    { "private key", 1 },
    { "_token", 1 },
    { "to ken", 1 },
    /* by themselves or in a name of several words */
    { "pwd", 1 },
    { "userpwd", 1 },
    { "PWD_OLD", 1 },
    { "pass", 1 },
    { "db_pass", 1 },
    { "passphrase", 1 },
    { "passcode", 1 },
    { "pin", 1 },
    { "userPin", 1 },
    { "userPIN", 1 },
    { "PINCode", 1 },
    { "pin2", 1 },
    { "x-pin", 1 },
    { "pincode", 1 },
    { "pins", 1 },
    { "userPinS", 1 },
    { "card", 1 },
    { "cards", 1 },
    { "card_number", 1 },
    { "idCard", 1 },
    { "CardHolder", 1 },
    { "creditcard", 1 },
    { "cardnumber", 1 },
    { "cvv", 1 },
    { "cvv2", 1 },
    { "cardCVC", 1 },
    { "auth", 1 },
    { "X-Auth-User", 1 },
    { "httpauth", 1 },
    { "oauth2", 1 },
    { "OAuthState", 1 },
    { "authKey", 1 },
    { "otp", 1 },
    { "totp", 1 },
    { "sid", 1 },
    { "connect.sid", 1 },
    { "PHPSESSID", 1 },
    { "jwt", 1 },
    { "idJwt", 1 },
    { "jwts", 1 },
    { "bearer", 1 },
    { "csrfmiddleware", 1 },
    { "_xsrf", 1 },
    { "sig", 1 },
    { "X-Amz-Signature", 1 },
    { "ssn", 1 },
    { "userSSN", 1 },
    { "ssnLast4", 1 },
    { "iban", 1 },
    { "IBANs", 1 },
    { "pass_key", 1 },
    { "encryption-key", 1 },
    { "recoveryCodes", 1 },
    /* parts of other words */
    { "className", 0 },
    { "businessName", 0 },
    { "ACCESSNUMBER", 0 },
    { "address_number", 0 },
    { "caliban", 0 },
    { "author", 0 },
    { "authors", 0 },
    { "spin", 0 },
    { "spins", 0 },
    { "SPIN", 0 },
    { "SPINNING", 0 },
    { "pinned", 0 },
    { "opinion", 0 },
    { "shipping", 0 },
    { "cardinal", 0 },
    { "CARDINAL", 0 },
    { "discard", 0 },
    { "wildcards", 0 },
    { "cardiology", 0 },
    { "scorecard", 0 },
    { "bypass", 0 },
    { "passenger", 0 },
    { "passed", 0 },
    { "compass", 0 },
    { "signal", 0 },
    { "sign", 0 },
    { "design", 0 },
    { "side", 0 },
    { "inside", 0 },
    { "sidebar", 0 },
    { "residual", 0 },
    { "laptop", 0 },
    { "authentic", 0 },
};

START_TEST(names_of_secrets_are_known)
{
    ck_assert_msg(mirror_secret_name_is(names[_i].name, strlen(names[_i].name)) ==
                      names[_i].is_secret,
                  "%s", names[_i].name);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_secret)
{
    char name[MIRROR_SECRET_NAME_MAX + 1];

    memset(name, 'x', sizeof(name));
    ck_assert(!mirror_secret_name_is(name, sizeof(name) - 1));
    ck_assert(mirror_secret_name_is(name, sizeof(name)));
}
END_TEST

#define TEXT(text) text, sizeof(text) - 1

static const struct {
    const char *text;
    size_t len;
    int has_secret;
} texts[] = {
    { TEXT("/login?pin=7"), 1 },
    { TEXT("/login?user_pin=7&x=1"), 1 },
    { TEXT("{\"card\": 4111}"), 1 },
    { TEXT("{\\\"cvv\\\" : 411}"), 1 },
    { TEXT("Auth: x"), 1 },
    { TEXT("<pin>1234</pin>"), 1 },
    { TEXT("<ns:cardNo>4111</ns:cardNo>"), 1 },
    { TEXT("<input name=\"pin\" value=\"1234\">"), 1 },
    { TEXT("<input value='1' name = 'pwd'>"), 1 },
    { TEXT("<input name=otp value=1>"), 1 },
    { TEXT("\0p\0i\0n\0=\0"
           "7"),
      1 },
    { TEXT("Bearer abc"), 1 },
    { TEXT("eyJhbGciOiJIUzI1NiJ9.e30.x"), 1 },
    { TEXT("password"), 1 },
    { TEXT("<tr><td>PIN</td><td>1234</td></tr>"), 1 },
    { TEXT("<label>Your PIN</label> <b>1234</b>"), 1 },
    { TEXT("IBAN DE89 3704"), 1 },
    { TEXT("my SSN is"), 1 },
    { TEXT("to http://bob:hunter2@host/x"), 1 },
    { TEXT("redis://:hunter2@host"), 1 },
    { TEXT("/login?next=%2Fpay%3Fpin%3D1234"), 1 },
    { TEXT("a%26sid%3d7"), 1 },
    /* without a value */
    { TEXT("%26spin%3d7 pin%2 pin%"), 0 },
    { TEXT("http://bob@host/ http://host:80/a@b ://a:"), 0 },
    { TEXT("http://host:80 bob@host"), 0 },
    { TEXT("<i className=x>business name</i>"), 0 },
    { TEXT("<b>spin</b> <p>author</p>"), 0 },
    { TEXT("pin<"), 0 },
    { TEXT("pin<b>"), 0 },
    { TEXT("pin"), 0 },
    { TEXT("<div class=\"card\">"), 0 },
    { TEXT("<div class=\"card\" id=\"x\">"), 0 },
    { TEXT("<div class=\"card pin\"><p>Pass me a card > pin it</p>"), 0 },
    { TEXT("name"), 0 },
    { TEXT("=pin"), 0 },
    { TEXT("author: x, spin=7, cardinal: 8, \"discard\": 9"), 0 },
    { TEXT("https://auth.example.com/card/7?x=1"), 0 },
    { TEXT("\xff\xfe\x00 \x80"), 0 },
    { TEXT(""), 0 },
};

START_TEST(names_in_a_text_are_known)
{
    ck_assert_msg(mirror_secret_name_in(texts[_i].text, texts[_i].len) == texts[_i].has_secret,
                  "%s", texts[_i].text);
}
END_TEST

#define LOOP(test, list) tcase_add_loop_test(tcase, test, 0, sizeof(list) / sizeof(*(list)))

int main(void)
{
    Suite *suite = suite_create("secret_name");
    TCase *tcase = tcase_create("secret_name");

    LOOP(names_of_secrets_are_known, names);
    tcase_add_test(tcase, a_name_that_is_too_long_is_secret);
    LOOP(names_in_a_text_are_known, texts);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
