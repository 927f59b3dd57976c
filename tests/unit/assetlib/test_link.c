/* SPDX-License-Identifier: Apache-2.0 */
/* Signed links: the known text of one, its end, and everything that is not it. */
#include "assetlib/link.h"
#include "tests/lib/check.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define PATH "/files/7/" ABC
#define SIGNATURE "4a8b4bf6c942ce172f6013a7f496eb0805d0feefd10feabaa68747215a6b0c08"
#define QUERY "type=mp4&expires=1700000000&signature=" SIGNATURE
#define ENDS_US INT64_C(1700000000000000)

static uint8_t key[CRYPTO_KEY_BYTES];

/* From the master key of the bytes 0 to 31. */
static void make_key(void)
{
    uint8_t master[CRYPTO_KEY_BYTES];

    for (uint8_t i = 0; i < sizeof(master); i++)
        master[i] = i;
    link_key(master, key);
}

static struct link sample(void)
{
    struct link link = {
        .tenant_id = 7, .type = link_type_find(STR("mp4")), .expires_us = ENDS_US};

    crypto_sha256(STR("abc"), link.sha256);
    return link;
}

static enum err_code read_at(const char *path, const char *query, int64_t now_us,
                             struct link *ret_link)
{
    const struct link_target target = {str_from(path), str_from(query), now_us};
    struct err err = {0};
    enum err_code rc = link_read(key, &target, ret_link, &err);

    if (rc != ERR_OK)
        CHECK_TEXT("always the same words", err.msg, "there is no such file");
    return rc;
}

static enum err_code read_link(const char *path, const char *query)
{
    struct link link;

    return read_at(path, query, ENDS_US - 1, &link);
}

/* Key and signature were counted with Python's hmac and hashlib. */
static void test_known(void)
{
    CLEANUP(buf_fini) struct buf url = {0};
    char hex[2 * CRYPTO_KEY_BYTES + 1];
    struct link link = sample(), got = {0};

    make_key();
    str_hex(hex, key, sizeof(key));
    CHECK_TEXT("key", hex, "e1b42bb3af999f957011ac6231de70efc7b250d40c02b48b233b3e78a6830e80");
    buf_init(&url, 1024);
    link_make(key, STR("https://a.example"), &link, &url);
    CHECK_TEXT("link", url.ptr, "https://a.example" PATH "?" QUERY);
    buf_reset(&url);
    link_make(key, STR("https://a.example/sub/"), &link, &url);
    CHECK_TEXT("a slash at the end", url.ptr, "https://a.example/sub" PATH "?" QUERY);

    CHECK_INT("read", read_at(PATH, QUERY, ENDS_US - 1, &got), ERR_OK);
    CHECK_INT("tenant", got.tenant_id, 7);
    CHECK_TRUE("hash", memcmp(got.sha256, link.sha256, sizeof(got.sha256)) == 0);
    CHECK_TEXT("type", got.type != NULL ? got.type->media_type : NULL, "video/mp4");
    CHECK_INT("end", got.expires_us, ENDS_US);
    CHECK_INT("its last microsecond is over", read_at(PATH, QUERY, ENDS_US, &got),
              ERR_NOT_FOUND);
    key[31] ^= 1;
    CHECK_INT("another key", read_link(PATH, QUERY), ERR_NOT_FOUND);
    key[31] ^= 1;
}

/* Each letter in another case, raised by one, left out and doubled. */
static void test_every_letter(void)
{
    static const char whole[] = PATH "?" QUERY;
    const size_t len = sizeof(whole) - 1;

    make_key();
    for (size_t i = 0; i < len; i++) {
        for (int change = 0; change < 4; change++) {
            char text[sizeof(whole) + 1];
            char c = whole[i], *mark;
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

            memcpy(text, whole, sizeof(whole));
            if (change == 0)
                text[i] = (char)(c ^ (letter ? 0x20 : 1));
            else if (change == 1)
                text[i] = (char)(c + 1);
            else if (change == 2)
                memmove(text + i, text + i + 1, len - i);
            else
                memmove(text + i + 1, text + i, len - i + 1);
            mark = strchr(text, '?');
            if (mark != NULL)
                *mark++ = '\0';
            if (read_link(text, mark != NULL ? mark : "") != ERR_NOT_FOUND)
                CHECK_FAILED("taken", "letter %zu (%c), change %d", i, c, change);
        }
    }
}

static const struct {
    const char *what, *path, *query;
} strangers[] = {
    {"nothing", "", ""},
    {"no query", PATH, ""},
    {"no signature", PATH, "type=mp4&expires=1700000000"},
    {"an empty signature", PATH, "type=mp4&expires=1700000000&signature="},
    {"more behind it", PATH, QUERY "&x=1"},
    {"more before it", PATH, "x=1&" QUERY},
    {"another order", PATH, "expires=1700000000&type=mp4&signature=" SIGNATURE},
    {"escaped", PATH, "type=m%704&expires=1700000000&signature=" SIGNATURE},
    {"a prefix", "/x" PATH, QUERY},
    {"another type", PATH, "type=mov&expires=1700000000&signature=" SIGNATURE},
    {"no such type", PATH, "type=html&expires=1700000000&signature=" SIGNATURE},
    {"a later end", PATH, "type=mp4&expires=1700000001&signature=" SIGNATURE},
    {"an end beyond all", PATH, "type=mp4&expires=99999999999999999999&signature=" SIGNATURE},
    {"an end that overflows", PATH,
     "type=mp4&expires=9223372036854775807&signature=" SIGNATURE},
    {"zeros before the end", PATH, "type=mp4&expires=01700000000&signature=" SIGNATURE},
    {"another tenant", "/files/8/" ABC, QUERY},
    {"zeros before the tenant", "/files/07/" ABC, QUERY},
    {"tenant 0", "/files/0/" ABC, QUERY},
    {"a tenant below 0", "/files/-7/" ABC, QUERY},
    {"a shorter hash", "/files/7/ba7816bf", QUERY},
    {"two links in one", PATH "?" QUERY, QUERY},
};

static void test_strangers(void)
{
    static char large[40000];

    make_key();
    for (size_t i = 0; i < COUNT_OF(strangers); i++)
        CHECK_INT(strangers[i].what, read_link(strangers[i].path, strangers[i].query),
                  ERR_NOT_FOUND);
    memset(large, 'a', sizeof(large) - 1);
    CHECK_INT("a large query", read_link(PATH, large), ERR_NOT_FOUND);
    CHECK_INT("itself", read_link(PATH, QUERY), ERR_OK);
}

static void test_types(void)
{
    static const char *const names[] = {"jpeg", "png", "webp", "bmp", "tiff", "gif",
                                        "heic", "mp4", "mov",  "wav", "mp3"};

    make_key();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CLEANUP(buf_fini) struct buf url = {0};
        struct link link = sample(), got = {0};
        char *query;

        link.type = link_type_find(str_from(names[i]));
        CHECK_TRUE(names[i], link.type != NULL);
        buf_init(&url, 1024);
        link_make(key, STR(""), &link, &url);
        query = strchr(url.ptr, '?');
        *query = '\0';
        CHECK_INT(names[i], read_at(url.ptr, query + 1, 0, &got), ERR_OK);
        CHECK_TRUE(names[i], got.type == link.type);
    }
    CHECK_TRUE("what a browser would run", link_type_find(STR("svg")) == NULL);
    CHECK_TRUE("a part of a name", link_type_find(STR("mp")) == NULL);
    CHECK_TRUE("nothing", link_type_find(STR("")) == NULL);
}

CHECK_MAIN(CHECK_TEST(test_known), CHECK_TEST(test_every_letter), CHECK_TEST(test_strangers),
           CHECK_TEST(test_types))
