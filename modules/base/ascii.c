/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/ascii.c - the characters of a token. See base/ascii.h.
 */
#include "base/ascii.h"

const char mirror_ascii_tokens[256] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                      "\0!\0#$%&'\0\0*+\0-.\0"
                                      "0123456789\0\0\0\0\0\0"
                                      "\0abcdefghijklmno"
                                      "pqrstuvwxyz\0\0\0^_"
                                      "`abcdefghijklmno"
                                      "pqrstuvwxyz\0|\0~";
