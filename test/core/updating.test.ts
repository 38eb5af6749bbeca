// Is somebody replacing the gateway's program, and for how long is that respected?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstallationReading } from "../../src/core/readings.ts";
import { after, minutes, ms } from "../../src/core/time.ts";
import { noteUpdate, noUpdateKnown, updateUnderWay, withoutLife } from "../../src/core/updating.ts";
import { noon } from "./support.ts";

const limit = minutes(30);

function installation(partial: Partial<InstallationReading> = {}): InstallationReading {
  return {
    path: "/usr/lib/node_modules/openclaw",
    version: "2026.9.6",
    packageManagerAtWork: false,
    worker: undefined,
    ...partial,
  };
}

test("an installation that nobody touches is known not to be updated", () => {
  const updating = noteUpdate(noUpdateKnown, noon, installation(), "2026.9.6");
  assert.deepEqual(updating, { package_manager: { seen: false }, version_on_disk: { seen: false } });
  assert.equal(updateUnderWay(updating, noon, limit), undefined);
});

test("a package manager at work is an update for as long as it is seen, and no longer", () => {
  const at = (minute: number) => after(noon, minutes(minute));
  let updating = noteUpdate(noUpdateKnown, noon, installation({ packageManagerAtWork: true }), undefined);
  updating = noteUpdate(updating, at(5), installation({ packageManagerAtWork: true }), undefined);
  assert.deepEqual(updateUnderWay(updating, at(5), limit), {
    signs: ["package_manager"],
    until: after(noon, limit),
  });
  updating = noteUpdate(updating, at(6), installation(), undefined);
  assert.equal(updateUnderWay(updating, at(6), limit), undefined);
  updating = noteUpdate(updating, at(40), installation({ packageManagerAtWork: true }), undefined);
  assert.equal(updateUnderWay(updating, at(40), limit)?.until, at(70));
});

test("an update is respected for thirty minutes, then it is only shown", () => {
  const updating = noteUpdate(noUpdateKnown, noon, installation({ version: "2026.10.1" }), "2026.9.6");
  assert.deepEqual(updateUnderWay(updating, after(noon, ms(limit - 1)), limit)?.signs, ["version_on_disk"]);
  assert.equal(updateUnderWay(updating, after(noon, limit), limit), undefined);
  assert.deepEqual(updating.version_on_disk, { seen: true, since: noon });
});

test("of two signs the later one decides until when", () => {
  const changed = installation({ version: "missing", packageManagerAtWork: true });
  const first = noteUpdate(noUpdateKnown, noon, { ...changed, version: "2026.9.6" }, "2026.9.6");
  const both = noteUpdate(first, after(noon, minutes(2)), changed, "2026.9.6");
  assert.deepEqual(updateUnderWay(both, after(noon, minutes(3)), limit), {
    signs: ["package_manager", "version_on_disk"],
    until: after(noon, minutes(32)),
  });
});

test("a version that is not known, on either side, is no sign", () => {
  for (const [onDisk, running] of [
    [undefined, "2026.9.6"],
    ["2026.9.6", undefined],
    [undefined, undefined],
  ]) {
    const seen = noteUpdate(noUpdateKnown, noon, installation({ version: onDisk }), running);
    assert.equal(seen.version_on_disk, undefined);
  }
});

test("a look that failed neither ends an update nor lets its time begin anew", () => {
  const begun = noteUpdate(noUpdateKnown, noon, installation({ packageManagerAtWork: true }), undefined);
  const unseen = noteUpdate(begun, after(noon, minutes(1)), undefined, undefined);
  assert.deepEqual(unseen.package_manager, { seen: true, since: noon });
  const well = noteUpdate(noUpdateKnown, noon, installation(), undefined);
  assert.equal(noteUpdate(well, after(noon, minutes(1)), undefined, undefined).package_manager, undefined);
});

test("when nothing runs any more, no version on the disk can differ from it", () => {
  const changed = installation({ version: "2026.10.1", packageManagerAtWork: true });
  const gone = withoutLife(noteUpdate(noUpdateKnown, noon, changed, "2026.9.6"));
  assert.equal(gone.version_on_disk, undefined);
  assert.deepEqual(updateUnderWay(gone, noon, limit)?.signs, ["package_manager"]);
});
