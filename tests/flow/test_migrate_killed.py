# SPDX-License-Identifier: Apache-2.0
"""A move that ends anywhere: never are two databases in use, and the same command again
ends well, or --abandon takes it back."""
from moves import a_copy, contents, moved, refused_everywhere, scratch

ENGINES = ("postgresql",)
# After which step: the source's mark, the target's tables, in the rows, all of them, the proofs,
# the source's final mark.
FAULTS = ("copy.marked:1", "copy.schema:1", "copy.row:20", "copy.filled:1", "copy.verified:1", "copy.moved:1")


def test_killed_anywhere(ctx):
    for fault in FAULTS:
        copy = a_copy(ctx)
        before = copy.export()
        with scratch() as target:
            ctx.equal(f"{fault}: killed", copy.move(target, f"{fault}:kill", status=None).returncode, -9)
            refused_everywhere(ctx, fault, copy, target, fault.startswith(("copy.filled", "copy.moved")))
            ctx.equal(f"{fault}: marked", "moved_to" in copy.meta(), fault.startswith("copy.moved"))
            if fault.startswith("copy.moved"):
                ran = copy.cli("migrate", "--from", copy.url, "--abandon", status=6)
                ctx.true("no way back", "moved" in ran.stderr, ran.stderr)
            again = {"copy.moved:1": "copy.row:10:kill", "copy.row:20": "copy.moved:1:fail"}.get(fault)
            if again:  # another one in between
                copy.move(target, again, status=None)
                refused_everywhere(ctx, f"{fault}, {again}", copy, target, False)
            copy.move(target)
            moved(ctx, fault, copy, target, before)


def test_given_up(ctx):
    copy = a_copy(ctx)
    with scratch() as first, scratch() as second:
        copy.cli("migrate", "--from", copy.url, "--abandon", status=6)
        ran = copy.move(first, "copy.filled:1:fail", status=1)
        ctx.true("says how to go on", "--abandon" in ran.stderr, ran.stderr)
        ran = copy.move(second, status=6)
        ctx.true("not to another", first.url in ran.stderr and "--abandon" in ran.stderr, ran.stderr)
        ctx.equal("which stays empty", contents(second), {})
        copy.cli("migrate", "--from", copy.url, "--abandon")
        ctx.equal("in use again", copy.takes_writes()[0], 0)
        ctx.equal("the copy is not", copy.takes_writes(first)[0], 3)
        before = copy.export()
        copy.move(first, "copy.verified:1:kill", status=None)  # on with the same one
        copy.cli("migrate", "--from", copy.url, "--abandon")
        copy.move(second)
        moved(ctx, "the other", copy, second, before)
        ran = copy.move(first, status=6)
        ctx.true("the first is of no use any more", "moved" in ran.stderr, ran.stderr)
        ctx.equal("still not", copy.takes_writes(first)[0], 3)


def test_differences_are_found(ctx):
    copy = a_copy(ctx)
    with scratch() as target:
        copy.move(target, "copy.row:30:kill", status=None)
        target.write("CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
                     " 'BEGIN NEW.available_nano := NEW.available_nano + 1; RETURN NEW; END'")
        target.write("CREATE TRIGGER spoil BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION spoil()")
        ran = copy.move(target, status=9)
        ctx.true("where", "table account" in ran.stderr, ran.stderr)
        refused_everywhere(ctx, "another amount", copy, target)
        target.write("DROP TRIGGER spoil ON account")
        copy.move(target)
        ctx.equal("without it", copy.takes_writes(target), (0, ""))
    copy = a_copy(ctx)
    copy.write("UPDATE ledger SET amount_nano = amount_nano + 1 WHERE seq = 2")
    with scratch() as target:
        ctx.true("a chain that was broken before", "entry 2" in copy.move(target, status=9).stderr)
        ctx.equal("is not released", copy.takes_writes(target)[0], 3)
        copy.cli("migrate", "--from", copy.url, "--abandon")
