/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what a host name is; stricter than resolvers, which also read numbers. */
#include "base/net/guard_private.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_letter(char c)
{
    return c >= 'a' && c <= 'f';
}

/* Decimal, octal or "0x…": every part of an odd spelling of an address is one. */
static bool is_number(const char *label, size_t len)
{
    bool hex = len >= 2 && label[0] == '0' && label[1] == 'x';

    for (size_t i = hex ? 2 : 0; i < len; i++) {
        if (!is_digit(label[i]) && !(hex && is_hex_letter(label[i])))
            return false;
    }
    return true;
}

static bool is_label(const char *label, size_t len)
{
    if (len == 0 || len > NET_NAME_LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(label[i]) && (label[i] < 'a' || label[i] > 'z') && label[i] != '-' &&
            label[i] != '_') /* no host name by RFC 952, yet in use */
            return false;
    }
    return true;
}

bool net_name_copy(struct str host, char dst[NET_NAME_MAX + 1])
{
    char *label = dst, *dot;

    if (!str_copy(dst, NET_NAME_MAX + 1, host) || strlen(dst) != host.len)
        return false;
    for (char *c = dst; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    for (; (dot = strchr(label, '.')) != NULL; label = dot + 1) {
        if (!is_label(label, (size_t)(dot - label)))
            return false;
    }
    return is_label(label, strlen(label)) && !is_number(label, strlen(label));
}
