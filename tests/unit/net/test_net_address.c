/* SPDX-License-Identifier: Apache-2.0 */
/* Both edges of every prefix that is not public, and which texts are addresses. */
#include "base/net/guard.h"
#include "tests/lib/check.h"

#include <sys/un.h>

static const struct {
    const char *text;
    bool is_public;
} addresses[] = {
    /* IPv4: before, first, last, after */
    {"0.0.0.0", false},
    {"0.255.255.255", false},
    {"1.0.0.0", true},
    {"9.255.255.255", true},
    {"10.0.0.0", false},
    {"10.255.255.255", false},
    {"11.0.0.0", true},
    {"100.63.255.255", true},
    {"100.64.0.0", false},
    {"100.100.100.200", false},
    {"100.127.255.255", false},
    {"100.128.0.0", true},
    {"126.255.255.255", true},
    {"127.0.0.0", false},
    {"127.0.0.1", false},
    {"127.255.255.255", false},
    {"128.0.0.0", true},
    {"169.253.255.255", true},
    {"169.254.0.0", false},
    {"169.254.169.254", false},
    {"169.254.255.255", false},
    {"169.255.0.0", true},
    {"172.15.255.255", true},
    {"172.16.0.0", false},
    {"172.31.255.255", false},
    {"172.32.0.0", true},
    {"191.255.255.255", true},
    {"192.0.0.0", false},
    {"192.0.0.255", false},
    {"192.0.1.0", true},
    {"192.0.1.255", true},
    {"192.0.2.0", false},
    {"192.0.2.255", false},
    {"192.0.3.0", true},
    {"192.31.196.1", true},
    {"192.88.98.255", true},
    {"192.88.99.0", false},
    {"192.88.99.255", false},
    {"192.88.100.0", true},
    {"192.167.255.255", true},
    {"192.168.0.0", false},
    {"192.168.255.255", false},
    {"192.169.0.0", true},
    {"198.17.255.255", true},
    {"198.18.0.0", false},
    {"198.19.255.255", false},
    {"198.20.0.0", true},
    {"198.51.99.255", true},
    {"198.51.100.0", false},
    {"198.51.100.255", false},
    {"198.51.101.0", true},
    {"203.0.112.255", true},
    {"203.0.113.0", false},
    {"203.0.113.255", false},
    {"203.0.114.0", true},
    {"223.255.255.255", true},
    {"224.0.0.0", false},
    {"239.255.255.255", false},
    {"240.0.0.0", false},
    {"255.255.255.254", false},
    {"255.255.255.255", false},
    {"8.8.8.8", true},
    {"93.184.216.34", true},
    /* IPv6 outside 2000::/3 */
    {"::", false},
    {"::1", false},
    {"::8.8.8.8", false},
    {"::ffff:8.8.8.8", false},
    {"::ffff:127.0.0.1", false},
    {"::ffff:0:8.8.8.8", false},
    {"64:ff9b::8.8.8.8", false},
    {"64:ff9b::ffff:ffff", false},
    {"64:ff9b:1::8.8.8.8", false},
    {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", false},
    {"100::1", false},
    {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"4000::", false},
    {"5f00::1", false},
    {"fc00::", false},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"fe80::1", false},
    {"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"fec0::1", false},
    {"ff02::1", false},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    /* IPv6 inside it */
    {"2000::", true},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"2001::", false},
    {"2001:0:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"2001:1::1", false},
    {"2001:2::", false},
    {"2001:10::", false},
    {"2001:20::", false},
    {"2001:30::", false},
    {"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"2001:200::", true},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"2001:db8::", false},
    {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"2001:db9::", true},
    {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"2002::", false},
    {"2002:7f00:1::", false},
    {"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"2003::", true},
    {"2606:4700:4700::1111", true},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"3fff::", false},
    {"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"3fff:1000::", true},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
};

static void test_public(void)
{
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct sockaddr_storage address;

        if (!net_address_parse(str_from(addresses[i].text), &address))
            CHECK_FAILED(addresses[i].text, "%s", "is an address");
        else
            CHECK_INT(addresses[i].text,
                      net_address_is_public((const struct sockaddr *)&address),
                      addresses[i].is_public);
    }
}

static void test_families(void)
{
    struct sockaddr_storage address;
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/run/socket"};

    CHECK_TRUE("parse", net_address_parse(STR("8.8.8.8"), &address));
    CHECK_INT("IPv4", address.ss_family, AF_INET);
    address.ss_family = AF_UNSPEC;
    CHECK_TRUE("no family", !net_address_is_public((const struct sockaddr *)&address));
    CHECK_TRUE("a path", !net_address_is_public((const struct sockaddr *)&path));
    CHECK_TRUE("parse", net_address_parse(STR("2606:4700::1"), &address));
    CHECK_INT("IPv6", address.ss_family, AF_INET6);
}

static void test_not_addresses(void)
{
    static const char *const texts[] = {
        "",
        "1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.01",
        "00.0.0.0",
        "1.2.3.4.",
        ".1.2.3.4",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.-4",
        "1.2.3.+4",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4\n",
        "1.2.3",
        "1..2.3",
        "localhost",
        "[::1]",
        "::1%lo",
        "::1%1",
        "fe80::1%25eth0",
        ":::",
        "1:2:3:4:5:6:7",
        "12345::",
        "::1/128",
        "1:2:3:4:5:6:7:8:9",
        "::ffff:127.1",
        "::ffff:127.0.0.01",
        "::g",
        "1.2.3.4:80",
        "0000:0000:0000:0000:0000:0000:0000:00000000001",
    };
    struct sockaddr_storage address;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        CHECK_INT(texts[i], net_address_parse(str_from(texts[i]), &address), false);
    CHECK_TRUE("a NUL inside", !net_address_parse(STR("1.2.3.4\0"), &address));
    CHECK_TRUE("no text", !net_address_parse((struct str){NULL, 0}, &address));
}

CHECK_MAIN(CHECK_TEST(test_public), CHECK_TEST(test_families), CHECK_TEST(test_not_addresses))
