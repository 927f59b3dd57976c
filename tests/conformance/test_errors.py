# SPDX-License-Identifier: Apache-2.0
"""Every kind of error as the SDK shows it: its class, status, code, type, message and
request ids; and how often the SDK asks again by itself."""
from arkgate import wait_for
from sdk import MODEL, NEVER, Asked, sync_and_async
from volcenginesdkarkruntime._exceptions import ArkAPIError

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def check(ctx, what, error, kind, status, code, error_type, param=None):
    body, answer = error.body, error.response
    ctx.equal(what, (type(error).__name__, error.status_code, error.code, error.type),
              (kind, status, code, error_type))
    if param is not None:
        ctx.equal(f"{what}: param", error.param, param)
    ctx.true(f"{what}: a message", isinstance(body, dict) and len(body.get("message", "")) > 20, body)
    ctx.true(f"{what}: the message ends in our request id",
             body["message"].endswith(f" Request id: {answer.headers.get('X-Request-Id')}"), body)
    ctx.true(f"{what}: the SDK's text has it", body["message"] in error.message or
             repr(body["message"]) in error.message, error.message)
    ctx.true(f"{what}: the SDK's request id", error.request_id and
             error.request_id == answer.headers.get("X-Client-Request-Id"), (error.request_id, answer.headers))
    ctx.true(f"{what}: printed", error.request_id in str(error), str(error))


@sync_and_async
def test_400(ctx, inst, tasks):
    sdk = tasks()
    made = inst.sim.state()["made"]
    rows = [
        ("resolution", {"resolution": "8k"}, "invalid_request", "resolution"),
        ("ratio", {"ratio": "2:1"}, "invalid_request", "ratio"),
        ("duration", {"duration": 3}, "invalid_duration", "duration"),
        ("priority", {"priority": 10}, "invalid_request", "priority"),
        ("service_tier", {"service_tier": "flex"}, "invalid_request", "service_tier"),
        ("frames", {"frames": 121}, "invalid_request", "frames"),
        ("expiry", {"execution_expires_after": 1}, "invalid_request", "execution_expires_after"),
        ("no content", {"content": []}, "invalid_request", "content"),
        ("no such role", {"content": [{**IMAGE, "role": "hero"}]}, "invalid_request", None),
        ("fast in 4k", {"model": "doubao-seedance-2-0-fast-260128", "resolution": "4k"}, "invalid_request", "resolution"),
    ]
    for what, members, code, param in rows:
        with Asked(inst) as asked:
            error = sdk.refused("create", **members)
        check(ctx, what, error, "ArkBadRequestError", 400, code, "BadRequest", param)
        ctx.equal(f"{what}: asked once", asked.count("POST", 400), 1)
    for what, filters, param in (("page_size", {"page_size": 501}, "page_size"),
                                 ("status", {"status": "done"}, "filter.status"),
                                 ("model", {"model": "nope"}, "filter.model")):
        check(ctx, f"list: {what}", sdk.refused("list", **filters), "ArkBadRequestError", 400, "invalid_request",
              "BadRequest", param)
    ctx.equal("nothing was made", inst.sim.state()["made"], made)


@sync_and_async
def test_400_of_ark_itself(ctx, inst, tasks):
    inst.sim.fault("create", 1, status=400, code="InputTextSensitiveContentDetected", message="The text may be sensitive.")
    sdk = tasks()
    error = sdk.refused("create", "a prompt that Ark refuses")
    check(ctx, "Ark's words", error, "ArkBadRequestError", 400, "InputTextSensitiveContentDetected", "BadRequest")
    ctx.true("its message", "The text may be sensitive." in error.body["message"], error.body)
    error = sdk.refused("create", content=[IMAGE, IMAGE])
    check(ctx, "two images without a role", error, "ArkBadRequestError", 400, "InvalidParameter", "BadRequest")


@sync_and_async
def test_401(ctx, inst, tasks):
    for what, key in (("unknown", "oh-" + "a" * 38), ("another vendor's form", "sk-0123456789"),
                      ("one character off", inst.token[:-1] + ("a" if inst.token[-1] != "a" else "b"))):
        sdk = tasks(token=key)
        for call, arguments in (("create", ()), ("get", (NEVER,)), ("list", ()), ("delete", (NEVER,))):
            with Asked(inst) as asked:
                error = sdk.refused(call, *arguments)
            check(ctx, f"{what}: {call}", error, "ArkAuthenticationError", 401, "AuthenticationError", "Unauthorized")
            ctx.equal(f"{what}: {call} asked once", len(asked.requests), 1)


@sync_and_async
def test_402_without_money(ctx, inst, tasks):
    """No class of the SDK's own: it is the common one, with the two amounts in its body."""
    token = inst.add_tenant(f"poor-{len(inst.rows('SELECT id FROM tenant'))}", "1")
    with Asked(inst) as asked:
        error = tasks(token=token).refused("create", ratio="16:9")
    check(ctx, "balance", error, "ArkAPIStatusError", 402, "insufficient_balance", "PaymentRequired")
    ctx.equal("amounts", (error.body.get("hold"), error.body.get("available")), ("5.0094", "1"))
    ctx.equal("asked once", asked.count("POST", 402), 1)


@sync_and_async
def test_403_of_a_suspended_tenant(ctx, inst, tasks):
    name = f"closed-{len(inst.rows('SELECT id FROM tenant'))}"
    sdk = tasks(token=inst.add_tenant(name, "500"))
    made = sdk.create("before").id
    inst.cli("tenant", "suspend", name)

    def suspended():
        try:
            sdk.create("[sim: stay=queued] until then")
        except ArkAPIError as error:
            return error
        return None

    error = wait_for("it is refused", suspended, 5, pause=0.2)  # known within a second
    check(ctx, "create", error, "ArkPermissionDeniedError", 403, "AccessDenied", "Forbidden")
    with Asked(inst) as asked:
        sdk.refused("create")
    ctx.equal("asked once", asked.count("POST", 403), 1)
    ctx.equal("it may still read", sdk.get(made).id, made)


@sync_and_async
def test_404(ctx, inst, tasks):
    sdk = tasks()
    other = tasks(token=inst.add_tenant(f"other-{len(inst.rows('SELECT id FROM tenant'))}", "50"))
    foreign = other.create("not theirs").id
    for what, task_id in (("unknown", NEVER), ("another tenant's", foreign), ("no id at all", "nonsense")):
        for call in ("get", "delete"):
            with Asked(inst) as asked:
                error = sdk.refused(call, task_id)
            check(ctx, f"{what}: {call}", error, "ArkNotFoundError", 404, "task_not_found", "NotFound")
            ctx.equal(f"{what}: {call} asked once", len(asked.requests), 1)
    for model in ("seedance-2-0", "ep-20260101000000-abcde", "gpt-4"):
        check(ctx, model, sdk.refused("create", model=model), "ArkNotFoundError", 404,
              "InvalidEndpointOrModel.NotFound", "NotFound", "model")


@sync_and_async
def test_429_is_asked_three_times(ctx, inst, tasks):
    sdk, made = tasks(), inst.sim.state()
    inst.sim.fault("create", 3, status=429)
    with Asked(inst, 3) as asked:
        error = sdk.refused("create", "too many")
    check(ctx, "429", error, "ArkRateLimitError", 429, error.code, "TooManyRequests")
    ctx.true("a code", error.code in ("RateLimitExceeded", "QuotaExceeded"), error.code)
    ctx.equal("the SDK's own retries", asked.count("POST", 429), 3)
    ctx.equal("each went to Ark once", inst.sim.creates(), made["calls"]["create"] + 3)
    ctx.equal("nothing was made", inst.sim.state()["made"], made["made"])
    with Asked(inst) as asked:
        inst.sim.fault("create", 1, status=429)
        tasks(max_retries=0).refused("create", "too many, and left at that")
    ctx.equal("without its retries", asked.count("POST", 429), 1)


@sync_and_async
def test_429_and_then_room(ctx, inst, tasks):
    sdk, made = tasks(), inst.sim.state()["made"]
    inst.sim.fault("create", 1, status=429)
    with Asked(inst, 2) as asked:
        task = sdk.create("there is room now")
    ctx.matches("id", task.id, r"cgt-\d{14}-[a-z0-9]{5}")
    ctx.equal("asked twice", (asked.count("POST", 429), asked.count("POST", 200)), (1, 1))
    ctx.equal("made once", inst.sim.state()["made"], made + 1)


@sync_and_async
def test_5xx(ctx, inst, tasks):
    name = f"patient-{len(inst.rows('SELECT id FROM tenant'))}"
    token = inst.add_tenant(name, "50")
    inst.sim.fault("create", 3, status=500)
    with Asked(inst, 3) as asked:
        error = tasks(token=token).refused("create", "Ark is broken")
    check(ctx, "502", error, "ArkInternalServerError", 502, "service_error", "InternalServerError")
    ctx.equal("502: the SDK's own retries", asked.count("POST", 502), 3)
    inst.sim.fault("create", 1, status=403, code="AccountOverdueError")
    once = tasks(token=token, max_retries=0)
    with Asked(inst) as asked:
        error = once.refused("create", "Ark does not know us")
    check(ctx, "503", error, "ArkInternalServerError", 503, "service_unavailable", "InternalServerError")
    ctx.equal("503: without its retries", asked.count("POST", 503), 1)
    ctx.true("nothing of our account with Ark", "Overdue" not in str(error), str(error))
    account = inst.account(name)
    ctx.equal("nothing held, nothing charged", (account["available_nano"], account["held_nano"]), (50 * 10**9, 0))


@sync_and_async
def test_a_body_that_is_no_task(ctx, inst, tasks):
    """Members of the wrong kind, past the SDK's own types."""
    sdk = tasks()
    for what, extra, param in (("model", {"model": 5}, "model"), ("content", {"content": "text"}, "content"),
                               ("duration", {"duration": "5"}, "duration"), ("seed", {"seed": 1.5}, "seed")):
        error = sdk.refused("create", model=MODEL, extra_body=extra)
        check(ctx, what, error, "ArkBadRequestError", 400, "invalid_request", "BadRequest", param)
