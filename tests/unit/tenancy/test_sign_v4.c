/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: the vectors of the vendor's own signer, what else official clients send, and
 * everything that must not pass. */
#include "tests/unit/tenancy/signed.h"

#define AUTHORIZATION(names, signature) \
    "HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=" names ", Signature=" signature
#define FOUR "content-type;host;x-content-sha256;x-date"

#define V1_BODY \
    "{\"Name\": \"demo-group\", \"GroupType\": \"AIGC\", \"ProjectName\": \"default\"}"
#define V1_HASH "13730fb09f4870430ce6768ec8f0875fb21184b3a08c7e1c5282c3562ea31305"
#define V1_SIGNATURE "d92130ccd62c044ce174a8d41557f96989e4dc510775a9d504f811c051415814"
#define V1_CANONICAL "66283c81a3d601a18c9c8c43a1c05294bbf8f8f8e65dc11803c7f8702606cd8f"
#define V1_QUERY "Action=CreateAssetGroup&Version=2024-01-01"
#define V1_HOST "ark.cn-beijing.volcengineapi.com"
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static const struct signer vendor = {SECRET, DATE};

/* ---- reading and verifying a head ---------------------------------------------------- */

struct outcome {
    enum err_code code;
    struct err err;
    struct sign_v4 sign; /* texts of the query are gone */
};

static struct outcome judge_at(const struct head *head, int64_t now_us)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    struct outcome out = {0};
    uint8_t key[CRYPTO_HASH_BYTES];

    arena_init(&arena, 1 << 20);
    out.code = sign_v4_read(&head->request, &arena, &out.sign, &out.err);
    if (out.code == ERR_OK) {
        sign_v4_key(&out.sign, STR(SECRET), key);
        out.code = sign_v4_verify(&out.sign, key, now_us, &out.err);
    }
    return out;
}

static struct outcome judge(const struct head *head)
{
    return judge_at(head, DATE_US);
}

static void vector_1(struct head *head)
{
    head_init(head, V1_QUERY);
    head_add(head, "Content-Type", "application/json");
    head_add(head, "Host", V1_HOST);
    head_add(head, "X-Content-Sha256", V1_HASH);
    head_add(head, "X-Date", DATE);
    head_add(head, "User-Agent", "volcstack-python-sdk/5.0.42");
    head_add(head, "Authorization", AUTHORIZATION(FOUR, V1_SIGNATURE));
}

/* ---- the vectors ----------------------------------------------------------------------- */

static void check_hash(const char *what, const uint8_t hash[CRYPTO_HASH_BYTES],
                       const char *want)
{
    char hex[2 * CRYPTO_HASH_BYTES + 1];

    str_hex(hex, hash, CRYPTO_HASH_BYTES);
    CHECK_TEXT(what, hex, want);
}

static void test_vector_1(void)
{
    struct head head;

    vector_1(&head);
    struct outcome out = judge(&head);
    CHECK_INT(out.err.msg, out.code, ERR_OK);
    CHECK_TRUE("key", str_is(out.sign.key_id, KEY_ID));
    CHECK_TRUE("region", str_is(out.sign.region, "cn-beijing"));
    CHECK_TRUE("credential", str_is(out.sign.credential, CREDENTIAL));
    CHECK_TRUE("no invocation", out.sign.invocation_id.len == 0 && !out.sign.in_query);
    CHECK_TEXT("signature", out.sign.signature, V1_SIGNATURE);
    CHECK_INT("one way to read it", out.sign.canonical_count, 1);
    check_hash("canonical", out.sign.canonical[0], V1_CANONICAL);
    check_hash("body", out.sign.body_hash, V1_HASH);
    CHECK_OK("body", sign_v4_body(&out.sign, STR(V1_BODY), &out.err), &out.err);
}

static void test_vector_2(void)
{
    struct head head;

    vector_1(&head);
    head.request.query = STR("Action=ListAssetGroups&Version=2024-01-01");
    head_set(&head, "Host", "127.0.0.1:18472");
    head_set(&head, "X-Content-Sha256",
             "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    head_set(&head, "Authorization",
             AUTHORIZATION(FOUR,
                           "d1d9b373a094d6cd4fd2064bdfdef892d1b0d010544b448a91e22db59829aaf8"));
    struct outcome out = judge(&head);
    CHECK_INT(out.err.msg, out.code, ERR_OK);
    check_hash("canonical", out.sign.canonical[0],
               "3648027ff4ee950bc715ff39466c461347542310e9da9162d51af42722e757a0");
    CHECK_OK("body", sign_v4_body(&out.sign, STR("{}"), &out.err), &out.err);
}

/* Signed with a session token and a port that the signer left away. */
static void test_vector_3(void)
{
    static const char body[] = "{\"Id\": \"asset-20260318072044-n8bcl\"}";
    CLEANUP(arena_fini) struct arena arena = {0};
    struct sign_v4_query query;
    struct sign_v4 sign = {0};
    struct err err = {0};
    struct head head;
    uint8_t hash[CRYPTO_HASH_BYTES], key[CRYPTO_HASH_BYTES];
    char hex[2 * CRYPTO_HASH_BYTES + 1];

    vector_1(&head);
    head.request.query = STR("Action=GetAsset&Version=2024-01-01");
    crypto_sha256(str_from(body), hash);
    str_hex(hex, hash, sizeof(hash));
    head_set(&head, "Host", V1_HOST ":443");
    head_set(&head, "X-Content-Sha256", hex);
    head_set(&head, "X-Security-Token", "STSfakeSessionToken==");
    head_set(&head, "Authorization",
             AUTHORIZATION(FOUR ";x-security-token",
                           "6bc241bbd6c9bd21f8164c9eddb6c2fa30502328be99bae33066631596841a29"));
    arena_init(&arena, 1 << 20);
    CHECK_OK("query", sign_v4_query_read(head.request.query, &arena, &query, &err), &err);
    CHECK_OK("take", sign_v4_take(&head.request, &query, &sign, &err), &err);
    CHECK_INT("with and without the port", sign.canonical_count, 2);
    check_hash("canonical", sign.canonical[1],
               "e37e853576c996e967aedcfdc8be2e2852a4d8c8f0d0724afa52f48377459c58");
    sign_v4_key(&sign, STR(SECRET), key);
    CHECK_OK("verify", sign_v4_verify(&sign, key, DATE_US, &err), &err);
    CHECK_OK("body", sign_v4_body(&sign, str_from(body), &err), &err);

    struct outcome out = judge(&head);
    CHECK_INT("but not here", out.code, ERR_AUTHORIZATION);
    CHECK_TRUE("said clearly", strstr(out.err.msg, "X-Security-Token") != NULL);
}

static void test_keys(void)
{
    static const char *const want[] = {
        "5a71e276dd8234edb928cca4efb069df8a713ad11f771f89fad5c117cf44ea3e",
        "c3462b03c34c29ce1e403d7d897765bd414d50e90ea822dce05c6b4cf527977c",
        "84859d382873bd964be687111d4f3d570c78215195fe4984ffe655a5c5093406",
        "42b989129375b70a5f4bbff42ad6773adea5ae6d5d5face38428ba65d27540a7"};
    static const char *const steps[] = {"20260318", "cn-beijing", "ark", "request"};
    struct sign_v4 sign = {.day = STR("20260318"), .region = STR("cn-beijing")};
    uint8_t key[CRYPTO_HASH_BYTES], next[CRYPTO_HASH_BYTES];
    struct str with = STR(SECRET);

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        crypto_hmac_sha256(with, str_from(steps[i]), next);
        check_hash(steps[i], next, want[i]);
        memcpy(key, next, sizeof(key));
        with = (struct str){(const char *)key, sizeof(key)};
    }
    sign_v4_key(&sign, STR(SECRET), next);
    check_hash("all four", next, want[3]);
}

/* ---- what must not pass, and what may ------------------------------------------------- */

/* One change of vector 1 that its signature does not cover, or that breaks it. */
struct change {
    const char *what, *name, *value; /* a header, NULL: taken away; name "" the query */
    enum err_code code;
};

static const struct change changes[] = {
    /* what                    header              value   outcome */
    {"nothing", "User-Agent", "curl/8", ERR_OK},
    {"another host", "Host", "open.volcengineapi.com", ERR_SIGNATURE},
    {"a port", "Host", V1_HOST ":8443", ERR_SIGNATURE},
    {"a port of https", "Host", V1_HOST ":443", ERR_OK},
    {"a port of http", "Host", V1_HOST ":80", ERR_OK},
    {"nothing but a port", "Host", ":443", ERR_SIGNATURE},
    {"another host with it", "Host", "evil.example:443", ERR_SIGNATURE},
    {"spaces around a value", "Content-Type", "  application/json\t", ERR_OK},
    {"another type", "Content-Type", "application/json; charset=utf-8", ERR_SIGNATURE},
    {"a signed header gone", "Content-Type", NULL, ERR_AUTHORIZATION},
    {"no date", "X-Date", NULL, ERR_TIMESTAMP},
    {"empty date", "X-Date", "", ERR_TIMESTAMP},
    {"a date of HTTP", "X-Date", "Wed, 18 Mar 2026 07:20:44 GMT", ERR_TIMESTAMP},
    {"no such month", "X-Date", "20261318T072044Z", ERR_TIMESTAMP},
    {"no such day", "X-Date", "20260230T072044Z", ERR_TIMESTAMP},
    {"no such hour", "X-Date", "20260318T242044Z", ERR_TIMESTAMP},
    {"no such second", "X-Date", "20260318T072060Z", ERR_TIMESTAMP},
    {"lower-case date", "X-Date", "20260318t072044z", ERR_TIMESTAMP},
    {"a longer date", "X-Date", DATE "Z", ERR_TIMESTAMP},
    {"another second", "X-Date", "20260318T072045Z", ERR_SIGNATURE},
    {"another day", "X-Date", "20260319T072044Z", ERR_AUTHORIZATION},
    {"no body hash", "X-Content-Sha256", NULL, ERR_AUTHORIZATION},
    {"a short body hash", "X-Content-Sha256", "13730fb0", ERR_AUTHORIZATION},
    {"no hex", "X-Content-Sha256",
     "UNSIGNED-PAYLOADxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", ERR_AUTHORIZATION},
    {"another body hash", "X-Content-Sha256", EMPTY_HASH, ERR_SIGNATURE},
    {"the hash in upper case", "X-Content-Sha256",
     "13730FB09F4870430CE6768EC8F0875FB21184B3A08C7E1C5282C3562EA31305", ERR_SIGNATURE},
    {"a session token", "X-Security-Token", "x", ERR_AUTHORIZATION},
    {"an empty session token", "X-Security-Token", "", ERR_AUTHORIZATION},
    {"another action", "", "Action=DeleteAssetGroup&Version=2024-01-01", ERR_SIGNATURE},
    {"one more parameter", "", V1_QUERY "&a=b", ERR_SIGNATURE},
    {"the action twice", "", V1_QUERY "&Action=CreateAssetGroup", ERR_SIGNATURE},
    {"a parameter less", "", "Action=CreateAssetGroup", ERR_SIGNATURE},
    {"no query", "", "", ERR_SIGNATURE},
    {"another order", "", "Version=2024-01-01&Action=CreateAssetGroup", ERR_OK},
    {"nothing between", "", "&Version=2024-01-01&&Action=CreateAssetGroup&", ERR_OK},
    {"a percent-encoded twin", "", "%41ction=Create%41sset%47roup&Version=2024%2d01%2D01",
     ERR_OK},
    {"a name in lower case", "", "action=CreateAssetGroup&Version=2024-01-01", ERR_SIGNATURE},
    {"a session token in the query", "", V1_QUERY "&X-Security-Token=x", ERR_AUTHORIZATION},
    {"a second signature", "", V1_QUERY "&X-Signature=" V1_SIGNATURE, ERR_AUTHORIZATION},
    {"half an escape", "", V1_QUERY "%4", ERR_AUTHORIZATION},
    {"no escape", "", V1_QUERY "%zz", ERR_AUTHORIZATION},
    {"an escaped NUL", "", V1_QUERY "%00", ERR_AUTHORIZATION},
    {"not signed", "Authorization", NULL, ERR_AUTHORIZATION},
    {"empty", "Authorization", "", ERR_AUTHORIZATION},
    {"a token", "Authorization", "Bearer oh-x", ERR_AUTHORIZATION},
    {"the algorithm alone", "Authorization", "HMAC-SHA256", ERR_AUTHORIZATION},
    {"another algorithm", "Authorization",
     "HMAC-SHA1 Credential=" CREDENTIAL ", SignedHeaders=" FOUR ", Signature=" V1_SIGNATURE,
     ERR_AUTHORIZATION},
    {"no comma", "Authorization",
     "HMAC-SHA256 Credential=" CREDENTIAL " SignedHeaders=" FOUR " Signature=" V1_SIGNATURE,
     ERR_AUTHORIZATION},
    {"no space behind commas", "Authorization",
     "HMAC-SHA256 Credential=" CREDENTIAL ",SignedHeaders=" FOUR ",Signature=" V1_SIGNATURE,
     ERR_OK},
    {"more spaces", "Authorization",
     "HMAC-SHA256   Credential=" CREDENTIAL "  ,\tSignedHeaders=" FOUR
     " ,  Signature=" V1_SIGNATURE " ",
     ERR_OK},
    {"another order of parts", "Authorization",
     "HMAC-SHA256 Signature=" V1_SIGNATURE ", SignedHeaders=" FOUR ", Credential=" CREDENTIAL,
     ERR_OK},
    {"the parameters named too", "Authorization",
     "HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=" FOUR
     ", SignedQueries=Action;Version, Signature=" V1_SIGNATURE,
     ERR_OK},
    {"a part twice", "Authorization",
     AUTHORIZATION(FOUR, V1_SIGNATURE) ", Signature=" V1_SIGNATURE, ERR_AUTHORIZATION},
    {"an unknown part", "Authorization", AUTHORIZATION(FOUR, V1_SIGNATURE) ", Extra=1",
     ERR_AUTHORIZATION},
    {"a part without a value", "Authorization", AUTHORIZATION(FOUR, V1_SIGNATURE) ", Signature",
     ERR_AUTHORIZATION},
    {"no credential", "Authorization",
     "HMAC-SHA256 SignedHeaders=" FOUR ", Signature=" V1_SIGNATURE, ERR_AUTHORIZATION},
    {"no names", "Authorization",
     "HMAC-SHA256 Credential=" CREDENTIAL ", Signature=" V1_SIGNATURE, ERR_AUTHORIZATION},
    {"no signature", "Authorization",
     "HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=" FOUR, ERR_AUTHORIZATION},
    {"a short signature", "Authorization", AUTHORIZATION(FOUR, "d92130cc"), ERR_AUTHORIZATION},
    {"a signature of no hex", "Authorization",
     AUTHORIZATION(FOUR, "g92130ccd62c044ce174a8d41557f96989e4dc510775a9d504f811c051415814"),
     ERR_AUTHORIZATION},
    {"one bit of it", "Authorization",
     AUTHORIZATION(FOUR, "d92130ccd62c044ce174a8d41557f96989e4dc510775a9d504f811c051415815"),
     ERR_SIGNATURE},
    {"zeros", "Authorization", AUTHORIZATION(FOUR, ZEROS), ERR_SIGNATURE},
    {"the signature in upper case", "Authorization",
     AUTHORIZATION(FOUR, "D92130CCD62C044CE174A8D41557F96989E4DC510775A9D504F811C051415814"),
     ERR_OK},
    {"names in upper case", "Authorization",
     AUTHORIZATION("Content-Type;HOST;X-Content-Sha256;X-Date", V1_SIGNATURE), ERR_OK},
    {"names in another order", "Authorization",
     AUTHORIZATION("host;x-date;x-content-sha256;content-type", V1_SIGNATURE), ERR_SIGNATURE},
    {"a name twice", "Authorization", AUTHORIZATION(FOUR ";host", V1_SIGNATURE),
     ERR_AUTHORIZATION},
    {"a name twice in two cases", "Authorization", AUTHORIZATION(FOUR ";Host", V1_SIGNATURE),
     ERR_AUTHORIZATION},
    {"no header of that name", "Authorization", AUTHORIZATION(FOUR ";x-none", V1_SIGNATURE),
     ERR_AUTHORIZATION},
    {"one more header", "Authorization", AUTHORIZATION(FOUR ";user-agent", V1_SIGNATURE),
     ERR_SIGNATURE},
    {"the date not signed", "Authorization",
     AUTHORIZATION("content-type;host;x-content-sha256", V1_SIGNATURE), ERR_AUTHORIZATION},
    {"no names in the list", "Authorization", AUTHORIZATION("", V1_SIGNATURE),
     ERR_AUTHORIZATION},
    {"an empty name", "Authorization", AUTHORIZATION("host;;x-date", V1_SIGNATURE),
     ERR_AUTHORIZATION},
    {"an empty name at the end", "Authorization", AUTHORIZATION(FOUR ";", V1_SIGNATURE),
     ERR_AUTHORIZATION},
    {"a name with a space", "Authorization", AUTHORIZATION(FOUR ";a b", V1_SIGNATURE),
     ERR_AUTHORIZATION},
    {"a name that is no UTF-8", "Authorization", AUTHORIZATION(FOUR ";\xff", V1_SIGNATURE),
     ERR_AUTHORIZATION},
    {"a name that is too long", "Authorization", AUTHORIZATION(FOUR ";x-" ZEROS, V1_SIGNATURE),
     ERR_AUTHORIZATION},
};

static void test_changes(void)
{
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        const struct change *change = &changes[i];
        struct head head;

        vector_1(&head);
        if (change->name[0] == '\0')
            head.request.query = str_from(change->value);
        else
            head_set(&head, change->name, change->value);
        struct outcome out = judge(&head);
        CHECK_INT(change->what, out.code, change->code);
        CHECK_TRUE(change->what, str_is_utf8(str_from(out.err.msg)));
        if (change->code == ERR_OK)
            CHECK_TEXT(change->what, out.sign.signature, V1_SIGNATURE);
    }
}

static void test_credentials(void)
{
    static const struct {
        const char *credential;
        enum err_code code;
    } cases[] = {
        {CREDENTIAL, ERR_OK},
        {KEY_ID "/20260318/cn-shanghai/ark/request", ERR_SIGNATURE},
        {KEY_ID "/20260318/CN-Beijing/ark/request", ERR_SIGNATURE},
        {"AKLTother/20260318/cn-beijing/ark/request", ERR_OK}, /* the caller finds its key */
        {KEY_ID "/20260317/cn-beijing/ark/request", ERR_AUTHORIZATION},
        {KEY_ID "/2026031/cn-beijing/ark/request", ERR_AUTHORIZATION},
        {KEY_ID "/2026-03-18/cn-beijing/ark/request", ERR_AUTHORIZATION},
        {KEY_ID "/20260318/cn-beijing/cv/request", ERR_AUTHORIZATION},
        {KEY_ID "/20260318/cn-beijing/Ark/request", ERR_AUTHORIZATION},
        {KEY_ID "/20260318/cn-beijing/ark/aws4_request", ERR_AUTHORIZATION},
        {KEY_ID "/20260318/cn-beijing/ark", ERR_AUTHORIZATION},
        {KEY_ID "/20260318/cn-beijing/ark/request/x", ERR_AUTHORIZATION},
        {KEY_ID "/20260318//ark/request", ERR_AUTHORIZATION},
        {KEY_ID "/20260318/cn beijing/ark/request", ERR_AUTHORIZATION},
        {KEY_ID "/20260318/an-unheard-of-region-much-too-long/ark/request", ERR_AUTHORIZATION},
        {"/20260318/cn-beijing/ark/request", ERR_AUTHORIZATION},
        {"A\xc3\xa4/20260318/cn-beijing/ark/request", ERR_AUTHORIZATION},
        {ZEROS "0/20260318/cn-beijing/ark/request", ERR_AUTHORIZATION},
        {ZEROS "/20260318/cn-beijing/ark/request", ERR_OK},
        {"", ERR_AUTHORIZATION},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1024];
        struct head head;

        vector_1(&head);
        (void)snprintf(text, sizeof(text),
                       "HMAC-SHA256 Credential=%s, SignedHeaders=" FOUR
                       ", Signature=" V1_SIGNATURE,
                       cases[i].credential);
        head_set(&head, "Authorization", text);
        CHECK_INT(cases[i].credential, judge(&head).code, cases[i].code);
    }
}

static void test_repeated_headers(void)
{
    static const char *const names[] = {"Host", "X-Date", "x-content-sha256", "AUTHORIZATION",
                                        "content-type"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct head head;
        int count;

        vector_1(&head);
        head_add(&head, names[i], "x");
        CHECK_INT(names[i], judge(&head).code, ERR_AUTHORIZATION);
        vector_1(&head);
        struct str same = head_get(&head, names[i], &count);
        head.lines[head.count++] = (struct head_line){names[i], same};
        CHECK_INT(names[i], judge(&head).code, ERR_AUTHORIZATION);
    }
}

static void test_other_parts(void)
{
    struct sign_v4 sign;
    struct head head;
    struct err err = {0};
    uint8_t key[CRYPTO_HASH_BYTES];

    vector_1(&head);
    head.request.method = STR("GET");
    CHECK_INT("method", judge(&head).code, ERR_SIGNATURE);
    vector_1(&head);
    head.request.path = STR("/volcark/");
    CHECK_INT("path", judge(&head).code, ERR_SIGNATURE);
    head.request.path = STR("");
    CHECK_INT("no path", judge(&head).code, ERR_OK);

    vector_1(&head);
    sign = judge(&head).sign;
    sign_v4_key(&sign, STR("ZmFrZVNlY3JldEtleUZvclRlc3RWZWN0b3JzT25seTAwMDB="), key);
    CHECK_INT("key", sign_v4_verify(&sign, key, DATE_US, &err), ERR_SIGNATURE);
    CHECK_INT("body", sign_v4_body(&sign, STR(V1_BODY " "), &err), ERR_SIGNATURE);
    CHECK_INT("no body", sign_v4_body(&sign, STR(""), &err), ERR_SIGNATURE);
}

static void test_time(void)
{
    static const int64_t second_us = 1000000;
    static const struct {
        const char *what;
        int64_t now_us;
        enum err_code code;
    } cases[] = {
        {"now", DATE_US, ERR_OK},
        {"15 minutes later", DATE_US + 900 * second_us, ERR_OK},
        {"and a bit", DATE_US + 900 * second_us + 1, ERR_TIMESTAMP},
        {"15 minutes before", DATE_US - 900 * second_us, ERR_OK},
        {"and a bit more", DATE_US - 900 * second_us - 1, ERR_TIMESTAMP},
        {"a year later", DATE_US + 365 * 86400 * second_us, ERR_TIMESTAMP},
        {"the epoch", 0, ERR_TIMESTAMP},
    };
    struct head head;

    vector_1(&head);
    CHECK_INT("read as", judge(&head).sign.date_us, DATE_US);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK_INT(cases[i].what, judge_at(&head, cases[i].now_us).code, cases[i].code);
    /* Time is told before the signature. */
    head_set(&head, "Authorization", AUTHORIZATION(FOUR, ZEROS));
    CHECK_INT("both", judge_at(&head, 0).code, ERR_TIMESTAMP);
}

/* ---- heads that the test signs -------------------------------------------------------- */

static char authorization[4096];

/* canonical: all but the body's hash, which is of nothing. */
static void sign_head(struct head *head, const char *names, const char *canonical)
{
    char text[8192], hex[2 * CRYPTO_HASH_BYTES + 1];

    (void)snprintf(text, sizeof(text), "%s\n" EMPTY_HASH, canonical);
    sign_text(&vendor, text, hex);
    (void)snprintf(authorization, sizeof(authorization),
                   "HMAC-SHA256 Credential=" CREDENTIAL ", SignedHeaders=%s, Signature=%s",
                   names, hex);
    head_set(head, "X-Content-Sha256", EMPTY_HASH);
    head_set(head, "X-Date", DATE);
    head_set(head, "Authorization", authorization);
}

static void test_queries(void)
{
    static const struct {
        const char *query, *canonical;
    } cases[] = {
        /* as sent            as signed */
        {"", ""},
        {"a=b%20c", "a=b%20c"},
        {"a=b+c", "a=b%20c"},
        {"a=b%2bc", "a=b%2Bc"},
        {"a", "a="},
        {"=", "="},
        {"=b", "=b"},
        {"a=b=c", "a=b%3Dc"},
        {"a=%2f%3f*'()!~", "a=%2F%3F%2A%27%28%29%21~"},
        {"a=2&a=1&a=10", "a=1&a=10&a=2"},
        {"a=1&a=1", "a=1&a=1"},
        {"b=1&a=2&B=3", "B=3&a=2&b=1"},
        {"a-=1&a=2&a.=3", "a=2&a-=1&a.=3"},
        {"a=%c3%a4&\xc3\xa4=1", "%C3%A4=1&a=%C3%A4"},
        {"a=%ff%FE&b=\xff", "a=%FF%FE&b=%FF"},
        {"a=%0a%0D", "a=%0A%0D"},
        {"Filter.1=a%26b&Filter.10=c&Filter.2=d", "Filter.1=a%26b&Filter.10=c&Filter.2=d"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char canonical[1024];
        struct head head;

        head_init(&head, cases[i].query);
        (void)snprintf(canonical, sizeof(canonical), "POST\n/\n%s\nx-date:" DATE "\n\nx-date",
                       cases[i].canonical);
        sign_head(&head, "x-date", canonical);
        CHECK_INT(cases[i].query, judge(&head).code, ERR_OK);
    }
}

/* The vendor's examples sign in an order of their own, and Ark takes that. */
static void test_order_of_names(void)
{
    struct head head;

    head_init(&head, "Action=A");
    head_add(&head, "Host", "h:1");
    head_add(&head, "Content-Type", "application/json");
    sign_head(&head, "host;x-date;content-type",
              "POST\n/\nAction=A\nhost:h:1\nx-date:" DATE
              "\ncontent-type:application/json\n\nhost;x-date;content-type");
    CHECK_INT("as listed", judge(&head).code, ERR_OK);
}

static void test_invocation(void)
{
    static const char id[] = "3f0c2a4e-7d1b-4a57-9c07-1d2e3f4a5b6c";
    static const char canonical[] = "POST\n/\n\nx-date:" DATE "\nx-sdk-invocation-id:%s\n\n"
                                    "x-date;x-sdk-invocation-id";
    char text[1024], longest[SIGN_V4_INVOCATION_MAX + 2];
    struct head head;

    head_init(&head, "");
    head_add(&head, "X-Sdk-Invocation-Id", id);
    sign_head(&head, "x-date", "POST\n/\n\nx-date:" DATE "\n\nx-date");
    struct outcome out = judge(&head);
    CHECK_INT("not signed", out.code, ERR_OK);
    CHECK_INT("so not told", out.sign.invocation_id.len, 0);
    (void)snprintf(text, sizeof(text), canonical, id);
    sign_head(&head, "x-date;x-sdk-invocation-id", text);
    out = judge(&head);
    CHECK_INT("signed", out.code, ERR_OK);
    CHECK_TRUE("told", str_is(out.sign.invocation_id, id));
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    head_set(&head, "X-Sdk-Invocation-Id", longest);
    CHECK_INT("too long", judge(&head).code, ERR_AUTHORIZATION);
    head_set(&head, "X-Sdk-Invocation-Id", "a b");
    CHECK_INT("odd", judge(&head).code, ERR_AUTHORIZATION);
}

static void test_limits(void)
{
    static char query[SIGN_V4_QUERY_MAX + 2], names[16384];
    static char name[SIGN_V4_HEADERS_MAX + 2][16];
    struct head head;
    size_t len = 0;

    vector_1(&head);
    memset(query, '&', sizeof(query) - 1);
    memcpy(query, V1_QUERY, sizeof(V1_QUERY) - 1);
    query[SIGN_V4_QUERY_MAX] = '\0';
    head.request.query = str_from(query);
    CHECK_INT("longest query", judge(&head).code, ERR_OK);
    query[SIGN_V4_QUERY_MAX] = '&';
    head.request.query = str_from(query);
    CHECK_INT("longer", judge(&head).code, ERR_AUTHORIZATION);

    for (int i = 0; i <= SIGN_V4_PARAMS_MAX; i++)
        len += (size_t)snprintf(query + len, sizeof(query) - len, "&a=%d", i);
    head.request.query = (struct str){query, len};
    struct outcome out = judge(&head);
    CHECK_INT("parameters", out.code, ERR_AUTHORIZATION);
    CHECK_TRUE("told", strstr(out.err.msg, "64 parameters") != NULL);
    head.request.query = str_from(query + 4);
    CHECK_INT("as many as may be", judge(&head).code, ERR_SIGNATURE);

    vector_1(&head);
    len = (size_t)snprintf(names, sizeof(names),
                           "HMAC-SHA256 Credential=" CREDENTIAL ", Signature=" V1_SIGNATURE
                           ", SignedHeaders=x-date");
    for (int i = 0; i < SIGN_V4_HEADERS_MAX; i++) {
        (void)snprintf(name[i], sizeof(name[i]), "x-%d", i);
        head_add(&head, name[i], "1");
        len += (size_t)snprintf(names + len, sizeof(names) - len, ";%s", name[i]);
    }
    head_set(&head, "Authorization", names);
    out = judge(&head);
    CHECK_INT("headers", out.code, ERR_AUTHORIZATION);
    CHECK_TRUE("told", strstr(out.err.msg, "64 headers") != NULL);
    *strrchr(names, ';') = '\0';
    head_set(&head, "Authorization", names);
    CHECK_INT("as many as may be", judge(&head).code, ERR_SIGNATURE);
}

/* The same with spaces in it, which count. */
static void test_long_authorization(void)
{
    static const char rest[] =
        "Credential=" CREDENTIAL ", SignedHeaders=" FOUR ", Signature=" V1_SIGNATURE;
    static char text[8192 + 2];
    struct head head;

    vector_1(&head);
    for (size_t len = 8192; len <= 8193; len++) {
        memset(text, ' ', len);
        memcpy(text, "HMAC-SHA256", 11);
        memcpy(text + len - (sizeof(rest) - 1), rest, sizeof(rest));
        head_set(&head, "Authorization", text);
        CHECK_INT("length", judge(&head).code, len == 8192 ? ERR_OK : ERR_AUTHORIZATION);
    }
}

static void test_memory(void)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    struct sign_v4 sign;
    struct head head;
    struct err err = {0};

    vector_1(&head);
    arena_init(&arena, 64);
    CHECK_INT("no memory", sign_v4_read(&head.request, &arena, &sign, &err), ERR_BUSY);
}

/* ---- the query form -------------------------------------------------------------------- */

/* In the order that is signed. */
#define QUERY_HEAD                                                                     \
    "Action=ListAssets&Version=2024-01-01&X-Algorithm=HMAC-SHA256&X-Credential="       \
    "AKLTfakeAccessKeyId0000000000000000000000000001%2F20260318%2Fcn-beijing%2Fark%2F" \
    "request&X-Date=" DATE
#define SIGNED_QUERY QUERY_HEAD "&X-NotSignBody="

static char signed_query[4096];

/* Signs what comes before it; queries is X-SignedQueries, encoded. */
static void sign_query(struct head *head, const char *query, const char *host,
                       const char *queries)
{
    char canonical[sizeof(signed_query) + 1024], hex[2 * CRYPTO_HASH_BYTES + 1];

    (void)snprintf(signed_query, sizeof(signed_query),
                   "%s&X-SignedHeaders=%s&X-SignedQueries=%s", query,
                   host == NULL ? "" : "host", queries);
    (void)snprintf(canonical, sizeof(canonical), "GET\n/\n%s\n%s%s\n\n%s\n" EMPTY_HASH,
                   signed_query, host == NULL ? "" : "host:", host == NULL ? "" : host,
                   host == NULL ? "" : "host");
    sign_text(&vendor, canonical, hex);
    size_t len = strlen(signed_query);
    (void)snprintf(signed_query + len, sizeof(signed_query) - len, "&X-Signature=%s", hex);
    head_init(head, signed_query);
    head->request.method = STR("GET");
}

#define ALL_QUERIES                                                               \
    "Action%3BVersion%3BX-Algorithm%3BX-Credential%3BX-Date%3BX-NotSignBody%3BX-" \
    "SignedHeaders%3BX-SignedQueries"

static void test_query_form(void)
{
    struct head head;

    sign_query(&head, SIGNED_QUERY, NULL, ALL_QUERIES);
    struct outcome out = judge(&head);
    CHECK_INT(out.err.msg, out.code, ERR_OK);
    CHECK_TRUE("told", out.sign.in_query);
    CHECK_OK("any body", sign_v4_body(&out.sign, STR("x"), &out.err), &out.err);
    CHECK_INT("in time", judge_at(&head, DATE_US + INT64_C(900000000)).code, ERR_OK);
    CHECK_INT("late", judge_at(&head, DATE_US + INT64_C(900000001)).code, ERR_TIMESTAMP);

    sign_query(&head, SIGNED_QUERY, "h:8080", ALL_QUERIES);
    CHECK_INT("its host is missing", judge(&head).code, ERR_AUTHORIZATION);
    head_add(&head, "Host", "h:8080");
    CHECK_INT("its host", judge(&head).code, ERR_OK);
    head_set(&head, "Host", "h");
    CHECK_INT("another host", judge(&head).code, ERR_SIGNATURE);
    sign_query(&head, SIGNED_QUERY, "h:443", ALL_QUERIES);
    head_add(&head, "Host", "h:443");
    CHECK_INT("a port that was kept", judge(&head).code, ERR_OK);
}

static void test_query_life(void)
{
    static const struct {
        const char *life;
        int64_t later_s;
        enum err_code code;
    } cases[] = {
        {"60", 60, ERR_OK},
        {"60", 61, ERR_TIMESTAMP},
        {"900", 900, ERR_OK},
        {"1", -900, ERR_OK},
        {"901", 0, ERR_AUTHORIZATION},
        {"0", 0, ERR_AUTHORIZATION},
        {"-1", 0, ERR_AUTHORIZATION},
        {"", 0, ERR_AUTHORIZATION},
        {"1x", 0, ERR_AUTHORIZATION},
        {"99999999999999999999", 0, ERR_AUTHORIZATION},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char query[2048];
        struct head head;

        (void)snprintf(query, sizeof(query), "%s&X-Expires=%s&X-NotSignBody=", QUERY_HEAD,
                       cases[i].life);
        sign_query(&head, query, NULL, ALL_QUERIES "%3BX-Expires");
        CHECK_INT(cases[i].life, judge_at(&head, DATE_US + cases[i].later_s * 1000000).code,
                  cases[i].code);
    }
}

static void test_query_refused(void)
{
    static const struct {
        const char *what, *added; /* behind a query that is signed */
        enum err_code code;
    } cases[] = {
        {"nothing", "", ERR_OK},
        {"a parameter that is not signed", "&Name=x", ERR_AUTHORIZATION},
        {"another action", "&Action=DeleteAsset", ERR_SIGNATURE},
        {"another signature", "&X-Signature=" ZEROS, ERR_AUTHORIZATION},
        {"another date", "&X-Date=" DATE, ERR_AUTHORIZATION},
        {"a longer life", "&X-Expires=900", ERR_AUTHORIZATION},
        {"a session token", "&X-Security-Token=x", ERR_AUTHORIZATION},
    };
    struct head head;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char query[sizeof(signed_query) + 128];

        sign_query(&head, SIGNED_QUERY, NULL, ALL_QUERIES);
        (void)snprintf(query, sizeof(query), "%s%s", signed_query, cases[i].added);
        head.request.query = str_from(query);
        CHECK_INT(cases[i].what, judge(&head).code, cases[i].code);
    }
    sign_query(&head, SIGNED_QUERY, NULL, "Version%3BX-Algorithm%3BX-Credential%3BX-Date");
    struct outcome out = judge(&head);
    CHECK_INT("the action is not signed", out.code, ERR_AUTHORIZATION);
    CHECK_TRUE("told", strstr(out.err.msg, "X-SignedQueries") != NULL);
    sign_query(&head, "Action=A&X-Algorithm=HMAC-SHA256&X-NotSignBody=&X-Credential=x", NULL,
               "Action%3BX-Algorithm%3BX-NotSignBody%3BX-Credential%3BX-SignedHeaders%3B"
               "X-SignedQueries");
    CHECK_INT("a bad credential", judge(&head).code, ERR_AUTHORIZATION);
}

/* Each part of a signed query, left away. */
static void test_query_parts(void)
{
    static const struct {
        const char *name;
        enum err_code code;
    } cases[] = {
        {"X-Algorithm", ERR_AUTHORIZATION},
        {"X-Credential", ERR_AUTHORIZATION},
        {"X-Date", ERR_TIMESTAMP},
        {"X-NotSignBody", ERR_AUTHORIZATION},
        {"X-SignedHeaders", ERR_AUTHORIZATION},
        {"X-SignedQueries", ERR_AUTHORIZATION},
        {"X-Signature", ERR_AUTHORIZATION},
        {"Action", ERR_SIGNATURE},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char query[sizeof(signed_query) + 1];
        struct head head;

        sign_query(&head, SIGNED_QUERY, NULL, ALL_QUERIES);
        (void)snprintf(query, sizeof(query), "&%s", signed_query);
        char *at = query;
        while (strncmp(at + 1, cases[i].name, strlen(cases[i].name)) != 0 ||
               at[1 + strlen(cases[i].name)] != '=')
            at = strchr(at + 1, '&');
        char *end = strchr(at + 1, '&');
        memmove(at, end == NULL ? at + strlen(at) : end, end == NULL ? 1 : strlen(end) + 1);
        head.request.query = str_from(query);
        CHECK_INT(cases[i].name, judge(&head).code, cases[i].code);
    }
}

CHECK_MAIN(CHECK_TEST(test_vector_1), CHECK_TEST(test_vector_2), CHECK_TEST(test_vector_3),
           CHECK_TEST(test_keys), CHECK_TEST(test_changes), CHECK_TEST(test_credentials),
           CHECK_TEST(test_repeated_headers), CHECK_TEST(test_other_parts),
           CHECK_TEST(test_time), CHECK_TEST(test_queries), CHECK_TEST(test_order_of_names),
           CHECK_TEST(test_invocation), CHECK_TEST(test_limits),
           CHECK_TEST(test_long_authorization), CHECK_TEST(test_memory),
           CHECK_TEST(test_query_form), CHECK_TEST(test_query_life),
           CHECK_TEST(test_query_refused), CHECK_TEST(test_query_parts))
