# SPDX-License-Identifier: Apache-2.0
"""Every condition on a create beside the nearest create that passes it: the one is refused
with its member and reaches nothing, the other makes a task."""
from arkgate import text_to_video
from test_errors import AUDIO, IMAGE, TEXT, VIDEO, Untouched, check_error, with_content

ENGINES = ("sqlite",)  # bodies, judged before the store is asked

PUBLIC = "https://callback.example/done?a=1"
FIRST, LAST = {**IMAGE, "role": "first_frame"}, {**IMAGE, "role": "last_frame"}
PICTURE, CLIP = {**IMAGE, "role": "reference_image"}, {**VIDEO, "role": "reference_video"}
SOUND = {**AUDIO, "role": "reference_audio"}
SEARCH = [{"type": "web_search"}]
ANY = None  # the member at fault stands inside of content


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def model(name, body):
    return {**body, "model": name}


def fast(**members):
    return text_to_video(model="doubao-seedance-2-0-fast", **members)


def mini(**members):
    return text_to_video(model="doubao-seedance-2-0-mini", **members)


MEMBERS = [
    # what, refused, its member, accepted
    ("model missing", {"content": [TEXT]}, "model", with_content(TEXT)),
    ("model null", {"model": None, "content": [TEXT]}, "model", with_content(TEXT, seed=None)),
    ("model number", {"model": 5, "content": [TEXT]}, "model", with_content(TEXT)),
    ("content missing", {"model": "doubao-seedance-2-0"}, "content", with_content(TEXT)),
    ("content null", {"model": "doubao-seedance-2-0", "content": None}, "content", with_content(TEXT)),
    ("content text", {"model": "doubao-seedance-2-0", "content": "a"}, "content", with_content(TEXT)),
    ("content empty", with_content(), "content", with_content(TEXT)),
    ("resolution", text_to_video(resolution="8k"), "resolution", text_to_video(resolution="4k")),
    ("resolution number", text_to_video(resolution=720), "resolution", text_to_video(resolution="720p")),
    ("resolution case", text_to_video(resolution="720P"), "resolution", text_to_video(resolution="4K")),
    ("fast has no 1080p", fast(resolution="1080p"), "resolution", fast(resolution="720p")),
    ("fast has no 4k", fast(resolution="4k"), "resolution", fast(resolution="480p")),
    ("mini has no 1080p", mini(resolution="1080p"), "resolution", mini(resolution="720p")),
    ("mini has no 4K", mini(resolution="4K"), "resolution", mini(resolution="480p")),
    ("ratio", text_to_video(ratio="16:10"), "ratio", text_to_video(ratio="21:9")),
    ("ratio blank", text_to_video(ratio=""), "ratio", text_to_video(ratio="adaptive")),
    ("ratio number", text_to_video(ratio=1), "ratio", text_to_video(ratio=None)),
    ("duration text", text_to_video(duration="5"), "duration", text_to_video(duration=5)),
    ("duration fraction", text_to_video(duration=5.5), "duration", text_to_video(duration=-1)),
    ("duration bool", text_to_video(duration=True), "duration", text_to_video(duration=None)),
    ("frames", text_to_video(frames=121), "frames", text_to_video(frames=None)),
    ("frames text", text_to_video(frames="121"), "frames", text_to_video(frames=None)),
    ("draft", text_to_video(draft=True), "draft", text_to_video(draft=False)),
    ("draft number", text_to_video(draft=1), "draft", text_to_video(draft=None)),
    ("camera_fixed", text_to_video(camera_fixed=True), "camera_fixed", text_to_video(camera_fixed=False)),
    ("service_tier flex", text_to_video(service_tier="flex"), "service_tier", text_to_video(service_tier="default")),
    ("service_tier number", text_to_video(service_tier=1), "service_tier", text_to_video(service_tier=None)),
    ("mini and flex", mini(service_tier="flex"), "service_tier", mini(service_tier="default")),
    ("mini and draft", mini(draft=True), "draft", mini(draft=False)),
    ("generate_audio text", text_to_video(generate_audio="yes"), "generate_audio", text_to_video(generate_audio=True)),
    ("return_last_frame number", text_to_video(return_last_frame=1), "return_last_frame",
     text_to_video(return_last_frame=True)),
    ("watermark text", text_to_video(watermark="no"), "watermark", text_to_video(watermark=False)),
    ("priority 10", text_to_video(priority=10), "priority", text_to_video(priority=9)),
    ("priority -1", text_to_video(priority=-1), "priority", text_to_video(priority=0)),
    ("priority text", text_to_video(priority="1"), "priority", text_to_video(priority=1)),
    ("expires 3599", text_to_video(execution_expires_after=3599), "execution_expires_after",
     text_to_video(execution_expires_after=3600)),
    ("expires 259201", text_to_video(execution_expires_after=259201), "execution_expires_after",
     text_to_video(execution_expires_after=259200)),
    ("identifier of 65", text_to_video(safety_identifier="\u597d" * 65), "safety_identifier",
     text_to_video(safety_identifier="\u597d" * 64)),
    ("identifier number", text_to_video(safety_identifier=5), "safety_identifier",
     text_to_video(safety_identifier="5")),
    ("seed -2", text_to_video(seed=-2), "seed", text_to_video(seed=-1)),
    ("seed 2^32", text_to_video(seed=2**32), "seed", text_to_video(seed=2**32 - 1)),
    ("seed huge", text_to_video(seed=10**30), "seed", text_to_video(seed=0)),
]

CONTENT = [
    ("item text", with_content("a"), ANY, with_content(TEXT)),
    ("item without type", with_content({"text": "a"}), ANY, with_content(TEXT)),
    ("unknown type", with_content({"type": "image", "text": "a"}), "content[0].type", with_content(TEXT)),
    ("text missing", with_content({"type": "text"}), "content[0].text", with_content(TEXT)),
    ("text number", with_content({"type": "text", "text": 5}), "content[0].text", with_content(TEXT)),
    ("blank prompt", with_content({"type": "text", "text": " \n\t"}), "content",
     with_content({"type": "text", "text": " \n\t"}, IMAGE)),
    ("image_url text", with_content(TEXT, {"type": "image_url", "image_url": "https://e.com/a"}),
     "content[1].image_url", with_content(TEXT, image("https://e.com/a"))),
    ("image_url empty", with_content(TEXT, {"type": "image_url", "image_url": {}}), "content[1].image_url.url",
     with_content(TEXT, IMAGE)),
    ("url number", with_content(TEXT, image(5)), "content[1].image_url.url", with_content(TEXT, IMAGE)),
    ("url empty", with_content(TEXT, image("")), "content[1].image_url.url",
     with_content(TEXT, image("data:image/png;base64,AAAA"))),
    ("unknown role", with_content(TEXT, {**IMAGE, "role": "hero"}), "content[1].role", with_content(TEXT, PICTURE)),
    ("role of another type", with_content(TEXT, {**IMAGE, "role": "reference_video"}), "content[1].role",
     with_content(TEXT, CLIP)),
    ("a video as first frame", with_content(TEXT, {**VIDEO, "role": "first_frame"}), "content[1].role",
     with_content(TEXT, FIRST)),
    ("an audio as picture", with_content(TEXT, IMAGE, {**AUDIO, "role": "reference_image"}), "content[2].role",
     with_content(TEXT, PICTURE, SOUND)),
    ("role number", with_content(TEXT, {**IMAGE, "role": 1}), "content[1].role",
     with_content(TEXT, {**IMAGE, "role": None})),
    ("data video", with_content(TEXT, {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA"}}),
     "content[1].video_url.url", with_content(TEXT, CLIP)),
    ("data video in capitals", with_content(TEXT, {"type": "video_url", "video_url": {"url": "DATA:video/mp4;base64,AA"}}),
     "content[1].video_url.url", with_content(TEXT, VIDEO)),
    ("two first frames", with_content(TEXT, FIRST, FIRST), "content", with_content(TEXT, FIRST)),
    ("two last frames", with_content(TEXT, FIRST, LAST, LAST), "content", with_content(TEXT, FIRST, LAST)),
    ("last without first", with_content(TEXT, LAST), "content", with_content(TEXT, FIRST, LAST)),
    ("a frame and a video", with_content(TEXT, FIRST, CLIP), "content", with_content(TEXT, PICTURE, CLIP)),
    ("a frame and a picture", with_content(TEXT, FIRST, PICTURE), "content", with_content(TEXT, PICTURE, PICTURE)),
    ("a frame and an audio", with_content(TEXT, FIRST, SOUND), "content", with_content(TEXT, PICTURE, SOUND)),
    ("audio alone", with_content(TEXT, SOUND), "content", with_content(TEXT, SOUND, CLIP)),
    ("audio and no text", with_content(SOUND), "content", with_content(SOUND, PICTURE)),
    ("10 images", with_content(TEXT, *[PICTURE] * 10), "content", with_content(TEXT, *[PICTURE] * 9)),
    ("4 videos", with_content(TEXT, *[CLIP] * 4), "content", with_content(TEXT, *[CLIP] * 3)),
    ("4 audios", with_content(TEXT, PICTURE, *[SOUND] * 4), "content", with_content(TEXT, PICTURE, *[SOUND] * 3)),
    ("mini with audio", model("doubao-seedance-2-0-mini", with_content(TEXT, PICTURE, SOUND)), "content",
     model("doubao-seedance-2-0-mini", with_content(TEXT, PICTURE))),
    ("mini with references.audio", mini(references={"audio": ["a"]}), "references.audio",
     mini(references={"image": ["a"]})),
    ("65 items", with_content(*[TEXT] * 65), "content", with_content(*[TEXT] * 64)),
    ("a draft of another model", with_content({"type": "draft_task", "draft_task": {"id": "cgt-1"}}), "content",
     with_content(TEXT)),
    ("draft_task text", with_content(TEXT, {"type": "draft_task", "draft_task": "cgt-1"}), "content[1].draft_task",
     with_content(TEXT)),
    ("draft_task without id", with_content(TEXT, {"type": "draft_task", "draft_task": {}}),
     "content[1].draft_task.id", with_content(TEXT)),
]

# A server that reads members whatever their letters' case would obey these behind our back.
NAMES = [
    (f"member {name!r}", text_to_video(**{name: value}), name, text_to_video(**{"x_" + name: value}))
    for name, value in (("Duration", 12), ("RESOLUTION", "4k"), ("Ratio", "1:1"), ("Model", "doubao-seedance-2-0-mini"),
                        ("Callback_URL", "http://127.0.0.1/"), ("callbackurl", "http://127.0.0.1/"), ("Tools", []),
                        ("Priority", 9), ("Content", []), ("\u017feed", 1),
                        ("Service_Tier", "flex"), ("References", {"audio": ["a"]}), ("Safety_Identifier", "x" * 99))
] + [
    ("an item's Type", with_content({**TEXT, "Type": "video_url"}), "content[0].Type", with_content({**TEXT, "kind": "a"})),
    ("an item's Role", with_content(TEXT, {**IMAGE, "Role": "first_frame"}), "content[1].Role", with_content(TEXT, FIRST)),
    ("a link's URL", with_content(TEXT, {"type": "image_url", "image_url": {"url": "https://e.com/a", "URL": "asset://a"}}),
     "content[1].image_url.URL", with_content(TEXT, {"type": "image_url", "image_url": {"url": "https://e.com/a", "link": "b"}})),
]

# What stands at a prompt's end is money, so it must be read in one way alone.
PROMPTS = [
    ("an unknown name at the end", text_to_video("a --rs 4k --style film"), "content[0].text",
     text_to_video("a --style film --rs 4k")),
    ("an unknown name between", text_to_video("a --dur 15 --style film --rs 480p"), "content[0].text",
     text_to_video("a --style film --dur 15 --rs 480p")),
    ("one of two texts", with_content({"type": "text", "text": "a --rs 4k"}, {"type": "text", "text": "b --rs 480p"}),
     "content[1].text", with_content({"type": "text", "text": "a"}, {"type": "text", "text": "b"})),
    ("only in the second", with_content(TEXT, {"type": "text", "text": "b --dur 15"}), "content[1].text",
     with_content({"type": "text", "text": " "}, {"type": "text", "text": "b --dur 15"}, IMAGE)),
    ("only in the first", with_content({"type": "text", "text": "b --dur 15"}, TEXT), "content[1].text",
     with_content({"type": "text", "text": "b --wm true"}, TEXT)),
]

TOOLS = [
    ("tools text", text_to_video(tools="web_search"), "tools", text_to_video(tools=SEARCH)),
    ("tools object", text_to_video(tools=SEARCH[0]), "tools", text_to_video(tools=None)),
    ("tools empty", text_to_video(tools=[]), "tools", text_to_video(tools=SEARCH)),
    ("another tool", text_to_video(tools=[{"type": "code"}]), "tools", text_to_video(tools=SEARCH)),
    ("two tools", text_to_video(tools=SEARCH * 2), "tools", text_to_video(tools=SEARCH)),
    ("a tool with more", text_to_video(tools=[{"type": "web_search", "max": 1}]), "tools", text_to_video(tools=SEARCH)),
    ("a tool and a picture", with_content(TEXT, PICTURE, tools=SEARCH), "tools", with_content(TEXT, tools=SEARCH)),
    ("a tool and a frame", with_content(TEXT, FIRST, tools=SEARCH), "tools", with_content(TEXT, FIRST)),
]

CALLBACKS = [
    ("number", text_to_video(callback_url=5), "callback_url", text_to_video(callback_url=PUBLIC)),
    ("object", text_to_video(callback_url={"url": PUBLIC}), "callback_url", text_to_video(callback_url=None)),
    ("empty", text_to_video(callback_url=""), "callback_url", text_to_video(callback_url=PUBLIC)),
    ("blank", text_to_video(callback_url=" \t\n"), "callback_url", text_to_video(callback_url=f" {PUBLIC}\n")),
    ("http", text_to_video(callback_url="http://callback.example/"), "callback_url",
     text_to_video(callback_url="HTTPS://callback.example/")),
    ("another scheme", text_to_video(callback_url="ftp://callback.example/"), "callback_url",
     text_to_video(callback_url=PUBLIC)),
    ("no scheme", text_to_video(callback_url="callback.example/a"), "callback_url", text_to_video(callback_url=PUBLIC)),
    ("no host", text_to_video(callback_url="https:///a"), "callback_url", text_to_video(callback_url=PUBLIC)),
    ("user info", text_to_video(callback_url="https://a:b@callback.example/"), "callback_url",
     text_to_video(callback_url="https://callback.example/a:b")),
    ("port 22", text_to_video(callback_url="https://callback.example:22/"), "callback_url",
     text_to_video(callback_url="https://callback.example:8443/")),
    ("unresolvable", text_to_video(callback_url="https://nowhere.invalid/"), "callback_url",
     text_to_video(callback_url=PUBLIC)),
    ("private name", text_to_video(callback_url="https://inside.example/"), "callback_url",
     text_to_video(callback_url=PUBLIC)),
    ("partly private", text_to_video(callback_url="https://mixed.example/"), "callback_url",
     text_to_video(callback_url="https://both.example/")),
    ("2049 bytes", text_to_video(callback_url="https://callback.example/" + "a" * 2024), "callback_url",
     text_to_video(callback_url="https://callback.example/" + "a" * 2023)),
    ("alias number", text_to_video(CallbackURL=5), "CallbackURL", text_to_video(CallbackURL=PUBLIC)),
    ("alias http", text_to_video(CallbackURL="http://callback.example/"), "CallbackURL",
     text_to_video(CallbackURL=None)),
    ("null and a bad alias", text_to_video(callback_url=None, CallbackURL="http://a"), "CallbackURL",
     text_to_video(callback_url=None, CallbackURL=PUBLIC)),
    ("bad, and a good alias", text_to_video(callback_url="x", CallbackURL=PUBLIC), "callback_url",
     text_to_video(callback_url=PUBLIC, CallbackURL=5)),
] + [(f"address {host}", text_to_video(callback_url=f"https://{host}/"), "callback_url",
      text_to_video(callback_url="https://93.184.215.14/"))
     for host in ("localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "0.0.0.0", "10.0.0.1",
                  "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "240.0.0.1",
                  "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[::ffff:127.0.0.1]",
                  "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::1]")]

PRO = "doubao-seedance-1-5-pro"
ONE = "doubao-seedance-1-0-pro"


def pro(**members):
    return text_to_video(model=PRO, **members)


def one(**members):
    return text_to_video(model=ONE, **members)


OLDER = [
    ("flex is not fast", pro(service_tier="fast"), "service_tier", pro(service_tier="flex")),
    ("draft text", pro(draft="yes"), "draft", pro(draft=True)),
    ("1.0 has no draft", one(draft=True), "draft", one(draft=False)),
    ("camera_fixed number", pro(camera_fixed=1), "camera_fixed", pro(camera_fixed=True)),
    ("1.5 has no frames", pro(frames=29), "frames", pro(duration=12)),
    ("28 frames", one(frames=28), "frames", one(frames=29)),
    ("30 frames", one(frames=30), "frames", one(frames=33)),
    ("293 frames", one(frames=293), "frames", one(frames=289)),
    ("1.5 has no 4k", pro(resolution="4k"), "resolution", pro(resolution="1080p")),
    ("1.5 has no reference", model(PRO, with_content(TEXT, PICTURE)), "content", model(PRO, with_content(TEXT, FIRST))),
    ("1.5 has no video", model(PRO, with_content(TEXT, VIDEO)), "content",
     model(PRO, with_content(TEXT, FIRST, LAST))),
    ("1.5 has no audio", model(PRO, with_content(TEXT, IMAGE, AUDIO)), "content", model(PRO, with_content(TEXT, IMAGE))),
    ("1.5 has no tools", pro(tools=SEARCH), "tools", pro(tools=None)),
    ("text alone is not adaptive", one(ratio="adaptive"), "ratio",
     model(ONE, with_content(TEXT, IMAGE, ratio="adaptive"))),
    ("1.0 fast has no last frame", model("doubao-seedance-1-0-pro-fast", with_content(TEXT, FIRST, LAST)), "content",
     model("doubao-seedance-1-0-pro-fast", with_content(TEXT, FIRST))),
    ("lite t2v takes no image", model("doubao-seedance-1-0-lite-t2v", with_content(TEXT, IMAGE)), "content",
     model("doubao-seedance-1-0-lite-t2v", with_content(TEXT))),
    ("lite i2v needs an image", model("doubao-seedance-1-0-lite-i2v", with_content(TEXT)), "content",
     model("doubao-seedance-1-0-lite-i2v", with_content(TEXT, IMAGE))),
]


def check_table(ctx, rows, code="invalid_request"):
    with Untouched(ctx) as inst:
        for what, refused, member, _ in rows:
            check_error(ctx, what, inst.serve.create(inst.token, refused), 400, code, member)
    for what, _, _, accepted in rows:
        answer = inst.serve.create(inst.token, accepted)
        ctx.equal(f"beside {what}: accepted ({answer.body[:300]!r})", answer.status, 200)


def prepare(ctx):
    """Names that resolve without asking anybody, and money for all neighbours."""
    if ctx._shared is None:
        ctx._shared = ctx.new(credit="10000", settings={
            "resolve": "callback.example=93.184.215.14;both.example=93.184.215.14+2606:2800:21f:cb07:6820:80da:af6b:8b2c;"
                       "inside.example=10.1.2.3;mixed.example=93.184.215.14+127.0.0.1"})
    return ctx.shared


def test_members(ctx):
    prepare(ctx)
    check_table(ctx, MEMBERS)


def test_content(ctx):
    prepare(ctx)
    check_table(ctx, CONTENT)


def test_names_in_other_letters(ctx):
    prepare(ctx)
    check_table(ctx, NAMES)


def test_prompts_that_can_be_read_in_two_ways(ctx):
    prepare(ctx)
    check_table(ctx, PROMPTS)


def test_tools(ctx):
    prepare(ctx)
    check_table(ctx, TOOLS)


def test_callback_urls(ctx):
    prepare(ctx)
    check_table(ctx, CALLBACKS)


def test_durations(ctx):
    prepare(ctx)
    check_table(ctx, [(f"{name} {bad} s", text_to_video(model=name, duration=bad), "duration",
                       text_to_video(model=name, duration=good))
                      for name in ("doubao-seedance-2-0", "doubao-seedance-2-0-fast", "doubao-seedance-2-0-mini")
                      for bad, good in ((3, 4), (16, 15), (0, -1), (-2, -1), (10**12, 5))], code="invalid_duration")


def test_models_that_are_not_sold(ctx):
    inst = prepare(ctx)
    names = [PRO, PRO + "-251215", ONE, "doubao-seedance-1-0-pro-fast", "doubao-seedance-1-0-lite-t2v",
             "doubao-seedance-1-0-lite-i2v-250428", "doubao-seedance-2-5", "doubao-seedance-2-5-260628"]
    with Untouched(ctx):
        for name in names:
            answer = inst.serve.create(inst.token, text_to_video(model=name, duration=1))
            ctx.equal(f"{name}: status", answer.status, 503)
            ctx.equal(f"{name}: code", answer.error["code"], "service_unavailable")


def test_older_models_once_they_are_sold(ctx):
    inst = prepare(ctx)
    for name in (PRO, ONE, "doubao-seedance-1-0-pro-fast", "doubao-seedance-1-0-lite-t2v",
                 "doubao-seedance-1-0-lite-i2v"):
        inst.cli("model", "set", name, "sold=on")
    inst.wait_for_model("doubao-seedance-1-0-lite-i2v")
    check_table(ctx, OLDER)
    check_table(ctx, [("1.5 for 13 s", pro(duration=13), "duration", pro(duration=-1)),
                      ("1.0 for 1 s", one(duration=1), "duration", one(duration=2)),
                      ("1.0 for -1 s", one(duration=-1), "duration", one(duration=12))], code="invalid_duration")
