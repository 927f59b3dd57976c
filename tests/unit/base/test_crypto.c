/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers for the hashes, every damage to a sealed value, key files. */
#include "base/crypto.h"

#include "tests/lib/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_hex(const char *what, const uint8_t hash[CRYPTO_HASH_BYTES], const char *want)
{
    char hex[2 * CRYPTO_HASH_BYTES + 1];

    str_hex(hex, hash, CRYPTO_HASH_BYTES);
    CHECK_TEXT(what, hex, want);
}

static void count_up(uint8_t bytes[32])
{
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
}

/* From Python's hashlib.blake2b(text, key=bytes(range(32)), digest_size=32). */
static void test_keyed_hash(void)
{
    uint8_t key[CRYPTO_KEY_BYTES], hash[CRYPTO_HASH_BYTES];

    count_up(key);
    crypto_keyed_hash(key, STR("oh-abc"), hash);
    check_hex("text", hash, "fe31387041fad39b9c36b30f9c6092990e2db11bb2ae9151e917dc614a1912b6");
    crypto_keyed_hash(key, (struct str){0}, hash);
    check_hex("empty", hash,
              "4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d");
}

/* FIPS 180-2 examples. */
static void test_sha256(void)
{
    uint8_t hash[CRYPTO_HASH_BYTES];

    crypto_sha256((struct str){0}, hash);
    check_hex("empty", hash,
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sha256(STR("abc"), hash);
    check_hex("abc", hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), hash);
    check_hex("two blocks", hash,
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* However it is cut, also within a block. */
static void test_sha256_in_pieces(void)
{
    static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t hash[CRYPTO_HASH_BYTES];

    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct crypto_sha256 state;

        crypto_sha256_begin(&state);
        crypto_sha256_put(&state, (struct str){text, cut});
        crypto_sha256_put(&state, (struct str){0});
        crypto_sha256_put(&state, (struct str){text + cut, sizeof(text) - 1 - cut});
        crypto_sha256_end(&state, hash);
        check_hex("pieces", hash,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}

/* RFC 4231, cases 1, 2, 6. */
static void test_hmac(void)
{
    uint8_t mac[CRYPTO_HASH_BYTES];
    char key[131];

    memset(key, 0x0b, 20);
    crypto_hmac_sha256((struct str){key, 20}, STR("Hi There"), mac);
    check_hex("case 1", mac,
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    crypto_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), mac);
    check_hex("case 2", mac,
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    crypto_hmac_sha256((struct str){key, sizeof(key)},
                       STR("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    check_hex("case 6", mac,
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    crypto_hmac_sha256((struct str){0}, (struct str){0}, mac);
    check_hex("empty", mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_small(void)
{
    char bytes[] = "secret";

    CHECK_INT("crc", crypto_crc32(STR("123456789")), 0xcbf43926);
    CHECK_INT("crc of nothing", crypto_crc32((struct str){0}), 0);
    CHECK_TRUE("equal", crypto_equal("abc", "abc", 3));
    CHECK_TRUE("not equal", !crypto_equal("abc", "abd", 3));
    CHECK_TRUE("nothing is equal", crypto_equal(NULL, NULL, 0));
    crypto_wipe(bytes, sizeof(bytes));
    CHECK_TRUE("wiped", memcmp(bytes, "\0\0\0\0\0\0", 7) == 0);
}

/* The digest of the same columns, encoded and hashed in Python. */
static void test_record(void)
{
    uint8_t bytes[32], hash[CRYPTO_HASH_BYTES];
    struct crypto_record record;

    count_up(bytes);
    crypto_record_begin(&record, 2);
    crypto_record_text(&record, STR("cli:root"));
    crypto_record_i64(&record, -5);
    crypto_record_none(&record);
    crypto_record_i64(&record, INT64_C(1) << 40);
    crypto_record_bytes(&record, bytes, sizeof(bytes));
    crypto_record_end(&record, hash);
    check_hex("record", hash,
              "e7f2692727f20ec4d0c8578e27e16e2f99ee4e40ac1d756f05af66bbe8890891");
}

struct sealed {
    uint8_t master[CRYPTO_KEY_BYTES];
    struct buf buf;
};

static void sealed_init(struct sealed *sealed, struct str row, struct str plain)
{
    struct err err;

    count_up(sealed->master);
    buf_init(&sealed->buf, 1 << 20);
    CHECK_OK("seal", crypto_seal(sealed->master, row, plain, &sealed->buf, &err), &err);
    CHECK_INT("overhead", sealed->buf.len, plain.len + CRYPTO_SEAL_OVERHEAD);
}

static void check_opens(const char *what, const uint8_t *master, struct str row,
                        struct str sealed, enum err_code want)
{
    struct err err = {0};
    struct secret plain = {0};

    CHECK_INT(what, crypto_open(master, row, sealed, &plain, &err), want);
    CHECK_TRUE("a secret only on success", (plain.ptr != NULL) == (want == ERR_OK));
    secret_fini(&plain);
}

static void test_seal(void)
{
    static const struct str row = STR("upstream.key:7");
    struct sealed sealed;
    struct secret plain = {0};
    struct err err;

    sealed_init(&sealed, row, STR("sk-very-secret"));
    struct str value = buf_str(&sealed.buf);
    CHECK_OK("open", crypto_open(sealed.master, row, value, &plain, &err), &err);
    CHECK_TRUE("same text", str_is(secret_expose(&plain), "sk-very-secret"));
    secret_fini(&plain);
    CHECK_TRUE("gone", plain.ptr == NULL && plain.len == 0);
    secret_fini(&plain);
    CHECK_TRUE("not in clear", memmem(value.ptr, value.len, "very", 4) == NULL);

    check_opens("other row", sealed.master, STR("upstream.key:8"), value, ERR_PERMISSION);
    check_opens("longer row", sealed.master, STR("upstream.key:70"), value, ERR_PERMISSION);
    check_opens("no row", sealed.master, STR(""), value, ERR_PERMISSION);
    for (size_t len = 0; len < value.len; len++)
        check_opens("cut", sealed.master, row, (struct str){value.ptr, len}, ERR_PERMISSION);
    for (size_t i = 0; i < value.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            sealed.buf.ptr[i] ^= (char)(1 << bit);
            check_opens("flipped", sealed.master, row, value, ERR_PERMISSION);
            sealed.buf.ptr[i] ^= (char)(1 << bit);
        }
    }
    check_opens("restored", sealed.master, row, value, ERR_OK);
    buf_put(&sealed.buf, "x", 1);
    check_opens("longer", sealed.master, row, buf_str(&sealed.buf), ERR_PERMISSION);
    sealed.buf.len--;
    for (size_t i = 0; i < CRYPTO_KEY_BYTES; i++) {
        sealed.master[i] ^= 1;
        check_opens("other key", sealed.master, row, buf_str(&sealed.buf), ERR_PERMISSION);
        sealed.master[i] ^= 1;
    }
    buf_fini(&sealed.buf);
}

static void test_seal_limits(void)
{
    static char long_text[65537];
    struct sealed first, second;
    struct err err;

    sealed_init(&first, STR("r"), (struct str){0});
    check_opens("empty secret", first.master, STR("r"), buf_str(&first.buf), ERR_OK);
    sealed_init(&second, STR("r"), (struct str){0});
    CHECK_TRUE("a nonce of its own", !str_eq(buf_str(&first.buf), buf_str(&second.buf)));
    buf_reset(&second.buf);
    CHECK_INT("too long",
              crypto_seal(first.master, STR("r"), (struct str){long_text, sizeof(long_text)},
                          &second.buf, &err),
              ERR_TOO_LARGE);
    CHECK_INT(
        "row too long",
        crypto_seal(first.master, (struct str){long_text, 256}, STR("x"), &second.buf, &err),
        ERR_TOO_LARGE);
    CHECK_OK("longest",
             crypto_seal(first.master, (struct str){long_text, 255},
                         (struct str){long_text, 65536}, &second.buf, &err),
             &err);
    check_opens("longest opens", first.master, (struct str){long_text, 255},
                buf_str(&second.buf), ERR_OK);
    buf_fini(&first.buf);
    buf_fini(&second.buf);
}

/* A key folder of this test in a fresh directory. */
struct folder {
    char top[32];
    char keys[48];
    char master[64];
    char pepper[64];
};

static void folder_init(struct folder *folder)
{
    (void)snprintf(folder->top, sizeof(folder->top), "/tmp/crypto.XXXXXX");
    CHECK_TRUE("temporary folder", mkdtemp(folder->top) != NULL);
    (void)snprintf(folder->keys, sizeof(folder->keys), "%s/keys", folder->top);
    (void)snprintf(folder->master, sizeof(folder->master), "%s/master.key", folder->keys);
    (void)snprintf(folder->pepper, sizeof(folder->pepper), "%s/pepper.key", folder->keys);
}

static void folder_fini(struct folder *folder)
{
    (void)unlink(folder->master);
    (void)unlink(folder->pepper);
    CHECK_TRUE("nothing else in it", rmdir(folder->keys) == 0);
    (void)rmdir(folder->top);
}

static void put_file(const char *path, struct str text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK_TRUE(path, fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len);
    CHECK_TRUE("mode", fchmod(fd, mode) == 0);
    (void)close(fd);
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 ? info.st_mode & 07777 : 0;
}

static void test_keys(void)
{
    struct folder folder;
    struct crypto_keys first, second;
    char print_first[65], print_second[65];
    struct err err;

    folder_init(&folder);
    CHECK_INT("no folder", crypto_keys_load(folder.keys, &first, &err), ERR_CONFIG);
    CHECK_OK("create", crypto_keys_create(folder.keys, &err), &err);
    CHECK_INT("folder mode", mode_of(folder.keys), 0700);
    CHECK_INT("master mode", mode_of(folder.master), 0600);
    CHECK_INT("pepper mode", mode_of(folder.pepper), 0600);
    CHECK_OK("load", crypto_keys_load(folder.keys, &first, &err), &err);
    CHECK_TRUE("two keys", !crypto_equal(first.master, first.pepper, CRYPTO_KEY_BYTES));

    CHECK_OK("again", crypto_keys_create(folder.keys, &err), &err);
    CHECK_OK("load again", crypto_keys_load(folder.keys, &second, &err), &err);
    CHECK_TRUE("kept", crypto_equal(&first, &second, sizeof(first)));
    CHECK_INT("unlink", unlink(folder.pepper), 0);
    CHECK_OK("fill up", crypto_keys_create(folder.keys, &err), &err);
    CHECK_OK("load filled", crypto_keys_load(folder.keys, &second, &err), &err);
    CHECK_TRUE("master kept", crypto_equal(first.master, second.master, CRYPTO_KEY_BYTES));
    CHECK_TRUE("pepper new", !crypto_equal(first.pepper, second.pepper, CRYPTO_KEY_BYTES));

    crypto_keys_fingerprint(&first, print_first);
    crypto_keys_fingerprint(&second, print_second);
    CHECK_INT("64 digits", strspn(print_first, "0123456789abcdef"), 64);
    CHECK_TRUE("pepper counts", strcmp(print_first, print_second) != 0);
    second = first;
    second.master[31] ^= 1;
    crypto_keys_fingerprint(&second, print_second);
    CHECK_TRUE("master counts", strcmp(print_first, print_second) != 0);
    crypto_keys_wipe(&first);
    CHECK_TRUE("wiped", crypto_equal(&first, &(struct crypto_keys){0}, sizeof(first)));
    folder_fini(&folder);
}

#define DIGITS_63 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1"

static void test_keys_refused(void)
{
    static const struct {
        const char *what;
        struct str text;
        mode_t mode;
        bool good;
    } cases[] = {
        /* what            text                     mode  good */
        {"good", STR(DIGITS_63 "f\n"), 0600, true},
        {"stricter", STR(DIGITS_63 "f\n"), 0400, true},
        {"upper case", STR("ABCDEF" DIGITS_63 "f\n"), 0600, false},
        {"group reads", STR(DIGITS_63 "f\n"), 0640, false},
        {"others read", STR(DIGITS_63 "f\n"), 0604, false},
        {"executable", STR(DIGITS_63 "f\n"), 0700, false},
        {"empty", STR(""), 0600, false},
        {"short", STR(DIGITS_63 "\n"), 0600, false},
        {"no line feed", STR(DIGITS_63 "f"), 0600, false},
        {"no line feed, right size", STR(DIGITS_63 "f0"), 0600, false},
        {"more lines", STR(DIGITS_63 "f\n\n"), 0600, false},
        {"no digit", STR(DIGITS_63 "g\n"), 0600, false},
    };
    struct folder folder;
    struct crypto_keys keys;
    struct err err;

    folder_init(&folder);
    CHECK_OK("create", crypto_keys_create(folder.keys, &err), &err);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *path = i % 2 == 0 ? folder.master : folder.pepper;
        CHECK_INT(cases[i].what, unlink(path), 0);
        put_file(path, cases[i].text, cases[i].mode);
        enum err_code rc = crypto_keys_load(folder.keys, &keys, &err);
        CHECK_INT(cases[i].what, rc, cases[i].good ? ERR_OK : ERR_CONFIG);
        CHECK_TRUE(cases[i].what, rc == ERR_OK || strstr(err.msg, path) != NULL);
        CHECK_INT(cases[i].what, unlink(path), 0);
        CHECK_INT("missing", crypto_keys_load(folder.keys, &keys, &err), ERR_CONFIG);
        CHECK_TRUE("named", strstr(err.msg, path) != NULL);
        CHECK_OK("again", crypto_keys_create(folder.keys, &err), &err);
    }
    CHECK_INT("fifo", unlink(folder.master) | mkfifo(folder.master, 0600), 0);
    CHECK_INT("fifo", crypto_keys_load(folder.keys, &keys, &err), ERR_CONFIG);
    CHECK_OK("a bad file is not replaced", crypto_keys_create(folder.keys, &err), &err);
    CHECK_INT("still bad", crypto_keys_load(folder.keys, &keys, &err), ERR_CONFIG);
    folder_fini(&folder);
    CHECK_INT("no parent", crypto_keys_create(folder.keys, &err), ERR_IO);
}

static void test_init(void)
{
    struct err err;

    CHECK_OK("first", crypto_init(&err), &err);
    CHECK_OK("second", crypto_init(&err), &err);
}

CHECK_MAIN(CHECK_TEST(test_init), CHECK_TEST(test_keyed_hash), CHECK_TEST(test_sha256),
           CHECK_TEST(test_sha256_in_pieces), CHECK_TEST(test_hmac), CHECK_TEST(test_small),
           CHECK_TEST(test_record), CHECK_TEST(test_seal), CHECK_TEST(test_seal_limits),
           CHECK_TEST(test_keys), CHECK_TEST(test_keys_refused))
