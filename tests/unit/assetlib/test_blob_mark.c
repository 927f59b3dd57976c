/* SPDX-License-Identifier: Apache-2.0 */
/* The mark of a folder of blobs: offered, taken by whomever, withdrawn, damaged. */
#include "assetlib/blob_mark.h"
#include "tests/lib/check.h"

#include <stdlib.h>
#include <unistd.h>

struct fixture {
    char dir[64], mark[BLOB_MARK_LEN + 1];
    struct err err;
};

static void setup(struct fixture *fx)
{
    *fx = (struct fixture){.dir = "/tmp/arkgate-mark-XXXXXX"};
    if (mkdtemp(fx->dir) == NULL)
        abort();
}

static void teardown(const struct fixture *fx)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf %s", fx->dir);
    CHECK_INT("removed", system(command), 0);
}

static bool exists(const struct fixture *fx, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
    return access(path, F_OK) == 0;
}

static const char *read_mark(struct fixture *fx)
{
    CHECK_OK("read", blob_mark_read(fx->dir, fx->mark, &fx->err), &fx->err);
    return fx->mark;
}

static void test_none(void)
{
    struct fixture fx;

    setup(&fx);
    CHECK_TEXT("no folder", read_mark(&fx), "");
    CHECK_OK("nothing to take",
             blob_mark_take(fx.dir, "0123456789abcdef0123456789abcdef", &fx.err), &fx.err);
    blob_mark_withdraw(fx.dir, "0123456789abcdef0123456789abcdef");
    CHECK_TRUE("nothing is made by looking", !exists(&fx, "blobs"));
    teardown(&fx);
}

static void test_offered_and_taken(void)
{
    char first[BLOB_MARK_LEN + 1], second[BLOB_MARK_LEN + 1], name[64];
    struct fixture fx;

    setup(&fx);
    CHECK_OK("offer", blob_mark_offer(fx.dir, first, &fx.err), &fx.err);
    CHECK_OK("another", blob_mark_offer(fx.dir, second, &fx.err), &fx.err);
    CHECK_TRUE("two marks", strcmp(first, second) != 0);
    CHECK_TEXT("neither counts", read_mark(&fx), "");
    CHECK_OK("one of elsewhere",
             blob_mark_take(fx.dir, "0123456789abcdef0123456789abcdef", &fx.err), &fx.err);
    CHECK_TEXT("is not taken", read_mark(&fx), "");
    CHECK_OK("the second", blob_mark_take(fx.dir, second, &fx.err), &fx.err);
    CHECK_OK("again", blob_mark_take(fx.dir, second, &fx.err), &fx.err);
    CHECK_TEXT("is the folder's", read_mark(&fx), second);
    blob_mark_withdraw(fx.dir, first);
    (void)snprintf(name, sizeof(name), "blobs/id-%s", first);
    CHECK_TRUE("the first is gone", !exists(&fx, name));
    CHECK_TEXT("the second stays", read_mark(&fx), second);
    teardown(&fx);
}

static void test_damaged(void)
{
    static const char *const texts[] = {"", "0123", "0123456789abcdef0123456789abcdeg",
                                        "0123456789abcdef0123456789abcdef0",
                                        "../../etc/0123456789abcdef012345"};
    char mark[BLOB_MARK_LEN + 1], path[256];
    struct fixture fx;

    setup(&fx);
    CHECK_OK("offer", blob_mark_offer(fx.dir, mark, &fx.err), &fx.err);
    (void)snprintf(path, sizeof(path), "%s/blobs/id", fx.dir);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        FILE *file = fopen(path, "w");

        if (file == NULL)
            abort();
        (void)fputs(texts[i], file);
        (void)fclose(file);
        CHECK_INT(texts[i], blob_mark_read(fx.dir, fx.mark, &fx.err), ERR_CONFIG);
        CHECK_TRUE("named", strstr(fx.err.msg, "blobs/id") != NULL);
        CHECK_OK("not a mark to take", blob_mark_take(fx.dir, texts[i], &fx.err), &fx.err);
    }
    teardown(&fx);
}

CHECK_MAIN(CHECK_TEST(test_none), CHECK_TEST(test_offered_and_taken), CHECK_TEST(test_damaged))
