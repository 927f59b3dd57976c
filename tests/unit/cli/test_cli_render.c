/* SPDX-License-Identifier: Apache-2.0 */
/* What a result looks like on stdout and stderr, byte by byte, as when neither is a
 * terminal. */
#include "gateway/cli/cli.h"

#include "tests/lib/check.h"

#include <locale.h>
#include <unistd.h>

enum { SHOWN_MAX = 1 << 20 };

struct capture {
    int saved[2];
    FILE *files[2];
};

static void capture_begin(struct capture *capture)
{
    FILE *streams[2] = {stdout, stderr};

    for (int i = 0; i < 2; i++) {
        (void)fflush(streams[i]);
        capture->saved[i] = dup(i + 1);
        capture->files[i] = tmpfile();
        CHECK_TRUE("temporary file", capture->saved[i] >= 0 && capture->files[i] != NULL);
        CHECK_INT("redirected", dup2(fileno(capture->files[i]), i + 1), i + 1);
    }
}

static void capture_end(struct capture *capture, char *out, char *talk)
{
    FILE *streams[2] = {stdout, stderr};
    char *texts[2] = {out, talk};

    for (int i = 0; i < 2; i++) {
        (void)fflush(streams[i]);
        (void)dup2(capture->saved[i], i + 1);
        (void)close(capture->saved[i]);
        rewind(capture->files[i]);
        size_t len = fread(texts[i], 1, SHOWN_MAX - 1, capture->files[i]);
        texts[i][len] = '\0';
        (void)fclose(capture->files[i]);
    }
}

static char out[SHOWN_MAX], talk[SHOWN_MAX];

static enum err_code render(enum cli_output output, struct str result)
{
    struct capture capture;
    struct err err = {0};

    capture_begin(&capture);
    enum err_code rc = cli_render(output, false, result, &err);

    capture_end(&capture, out, talk);
    CHECK_INT("the code is in err", err.code, rc);
    return rc;
}

static const struct {
    const char *what;
    enum cli_output output;
    const char *result, *out, *talk;
} shown[] = {
    {"json as it is", CLI_JSON, "{\"a\":1.50,\"b\":[]}", "{\"a\":1.50,\"b\":[]}\n", ""},
    {"an empty list", CLI_TABLE, "{\"items\":[],\"next\":null}", "(none)\n", ""},
    {"an empty list as CSV", CLI_CSV, "{\"items\":[],\"next\":null}", "", ""},
    {"columns are the union; numbers and amounts stand right", CLI_TABLE,
     "{\"items\":[{\"name\":\"a\",\"n\":1},{\"name\":\"bcd\",\"n\":1000,\"amount\":\"-2.5\"}],"
     "\"next\":null}",
     "NAME    N AMOUNT\n"
     "a       1 \n"
     "bcd  1000   -2.5\n",
     ""},
    {"columns without a value are left out", CLI_TABLE,
     "{\"items\":[{\"a\":\"x\",\"b\":null,\"c\":\"\",\"d\":true}],\"next\":null}",
     "A D\n"
     "x true\n",
     ""},
    {"rows without any value", CLI_TABLE, "{\"items\":[{\"a\":null},{}],\"next\":null}",
     "(2 rows without a value)\n", ""},
    {"an empty object", CLI_TABLE, "{}", "", ""},
    {"but not of CSV", CLI_CSV,
     "{\"items\":[{\"a\":\"x\",\"b\":null,\"c\":\"\",\"d\":true}],\"next\":null}",
     "a,b,c,d\n"
     "x,,,true\n",
     ""},
    {"there is more", CLI_TABLE, "{\"items\":[{\"seq\":7}],\"next\":7}", "SEQ\n  7\n",
     "more: --after 7\n"},
    {"more, by text", CLI_CSV, "{\"next\":\"a\\u001bb\",\"items\":[{\"id\":\"ab\"}]}",
     "id\nab\n", "more: --after a\\u001bb\n"},
    {"control characters", CLI_TABLE,
     "{\"items\":[{\"a\":\"1\\n2\\t3\\u001b[2J\\u007f\\u009b\\u202e\\u2066x\"}],\"next\":null}",
     "A\n1\\n2\\t3\\u001b[2J\\u007f\\u009b\\u202e\\u2066x\n", ""},
    {"wide characters", CLI_TABLE,
     "{\"items\":[{\"a\":\"\xE8\xA7\x86\xE9\xA2\x91\",\"b\":\"x\"},"
     "{\"a\":\"z\",\"b\":\"y\"}],\"next\":null}",
     "A    B\n"
     "\xE8\xA7\x86\xE9\xA2\x91 x\n"
     "z    y\n",
     ""},
    {"CSV quotes what it must", CLI_CSV,
     "{\"items\":[{\"a,b\":\"say \\\"hi\\\"\",\"c\":\"1\\n2\",\"d\":\"x;y z\"}],\"next\":null}",
     "\"a,b\",c,d\n"
     "\"say \"\"hi\"\"\",\"1\n2\",x;y z\n",
     ""},
    {"an object is one row of CSV", CLI_CSV,
     "{\"id\":3,\"models\":[\"a\",\"b\"],\"more\":{\"x\":1}}",
     "id,models,more\n"
     "3,\"a, b\",\"{\"\"x\"\":1}\"\n",
     ""},
    {"an object is a column of names", CLI_TABLE,
     "{\"id\":3,\"models\":[\"a\",\"b\"],\"note\":null,\"none\":[]}",
     "id     3\n"
     "models a, b\n"
     "note   \n"
     "none   \n",
     ""},
    {"what is in an object comes below it", CLI_TABLE,
     "{\"events\":[{\"seq\":1,\"to\":\"queued\"},{\"seq\":12,\"to\":\"done\"}],\"id\":3,"
     "\"quota\":{\"calls\":5,\"models\":[\"m\"]}}",
     "id 3\n"
     "\n"
     "events:\n"
     "SEQ TO\n"
     "  1 queued\n"
     " 12 done\n"
     "\n"
     "quota:\n"
     "calls  5\n"
     "models m\n",
     ""},
    {"brackets and quotes inside of strings", CLI_CSV,
     "{\"a\":\"]},{\\\"\\\\\",\"items\":[{\"x\":\"},{[\\\"\"},{\"x\":\"\\\\\"}],\"next\":null}",
     "x\n"
     "\"},{[\"\"\"\n"
     "\\\n",
     ""},
    {"digits are kept", CLI_CSV, "{\"items\":[{\"n\":9007199254740993},{\"n\":1.50}]}",
     "n\n9007199254740993\n1.50\n", ""},
    {"white space", CLI_CSV,
     " { \"items\" : [ { \"n\" : 1 } , { \"n\" : 2 } ] , \"next\" : 2 } ", "n\n1\n2\n",
     "more: --after 2\n"},
    {"a list of texts", CLI_CSV, "{\"items\":[\"a\",\"b\"],\"next\":null}", "value\na\nb\n",
     ""},
};

static void looks(void)
{
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        CHECK_INT(shown[i].what, render(shown[i].output, str_from(shown[i].result)), ERR_OK);
        CHECK_TEXT(shown[i].what, out, shown[i].out);
        CHECK_TEXT(shown[i].what, talk, shown[i].talk);
    }
}

static void long_values_stay_whole(void)
{
    static char result[8192], value[4097];

    memset(value, 'x', sizeof(value) - 1);
    (void)snprintf(result, sizeof(result),
                   "{\"items\":[{\"id\":1,\"hash\":\"%s\",\"end\":\"here\"}],\"next\":null}",
                   value);
    CHECK_INT("rendered", render(CLI_TABLE, str_from(result)), ERR_OK);
    CHECK_TRUE("the whole value", strstr(out, value) != NULL);
    CHECK_TRUE("and what follows", strstr(out, "x here\n") != NULL);
}

/* 1000 rows of 22 members are more values than one document may hold. */
static void longest_page(void)
{
    CLEANUP(buf_fini) struct buf result = {0};
    size_t lines = 0;

    buf_init(&result, CLI_RESULT_MAX);
    struct json_out json = json_begin(&result);

    json_open_object(&json, NULL);
    json_open_array(&json, "items");
    for (int row = 0; row < 1000; row++) {
        json_open_object(&json, NULL);
        for (int column = 0; column < 22; column++) {
            char name[16];

            (void)snprintf(name, sizeof(name), "c%d", column);
            json_put_int(&json, name, row * column);
        }
        json_close_object(&json);
    }
    json_close_array(&json);
    json_put_null(&json, "next");
    json_close_object(&json);
    CHECK_TRUE("more than one document", 1000 * 22 > JSON_NODES_MAX);
    CHECK_INT("rendered", render(CLI_CSV, buf_str(&result)), ERR_OK);
    for (const char *c = out; *c != '\0'; c++)
        lines += *c == '\n';
    CHECK_INT("lines", lines, 1001);
    CHECK_INT("as a table", render(CLI_TABLE, buf_str(&result)), ERR_OK);
}

static void malformed_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "{",
        "{\"items\":[",
        "{\"items\":[{\"a\":1}",
        "{\"items\":[{\"a\":1},],\"next\":null}",
        "{\"items\":[{\"a\":1 \"b\":2}],\"next\":null}",
        "{\"items\":[1}",
        "{\"items\"}",
        "{\"a\":\"x",
        "{\"a\":\"x\\",
        "{\"a\":tru}",
        "{\"items\":[\"\\q\"]}",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        CHECK_TRUE(texts[i], render(CLI_TABLE, str_from(texts[i])) != ERR_OK);
        CHECK_TRUE(texts[i], render(CLI_CSV, str_from(texts[i])) != ERR_OK);
    }
}

static void too_many_columns(void)
{
    CLEANUP(buf_fini) struct buf result = {0};

    buf_init(&result, CLI_RESULT_MAX);
    buf_puts(&result, "{\"items\":[{\"first\":1");
    for (int i = 0; i < 100; i++)
        buf_printf(&result, ",\"c%d\":1", i);
    buf_puts(&result, "}],\"next\":null}");
    CHECK_INT("refused", render(CLI_TABLE, buf_str(&result)), ERR_TOO_LARGE);
    CHECK_INT("JSON is not", render(CLI_JSON, buf_str(&result)), ERR_OK);
}

static void words(void)
{
    enum cli_output output = CLI_TABLE;

    CHECK_TRUE("csv", cli_render_parse("csv", &output) && output == CLI_CSV);
    CHECK_TRUE("json", cli_render_parse("json", &output) && output == CLI_JSON);
    CHECK_TRUE("table", cli_render_parse("table", &output) && output == CLI_TABLE);
    CHECK_TRUE("yaml", !cli_render_parse("yaml", &output));
    CHECK_TRUE("JSON", !cli_render_parse("JSON", &output));
    CHECK_TRUE("nothing", !cli_render_parse("", &output));
}

static void locale_is_set(void)
{
    CHECK_TRUE("C.UTF-8", setlocale(LC_CTYPE, "C.UTF-8") != NULL);
}

CHECK_MAIN(CHECK_TEST(locale_is_set), CHECK_TEST(words), CHECK_TEST(looks),
           CHECK_TEST(long_values_stay_whole), CHECK_TEST(longest_page),
           CHECK_TEST(malformed_is_refused), CHECK_TEST(too_many_columns))
