"""What changed since the baseline, step by step, and accepting it.

The baseline has its own copies of pictures in e2e/recordings/baseline: BASELINE/<take>/<step>.png, listed in
baseline.json. So a run can be pruned, and one step be accepted without the others.
"""

import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageDraw

from .runs import BASELINE, OUT, Run, write_json

TOLERANCE = 12  # of 255, for each of red, green and blue
FEWEST_PIXELS = 4
BLOCK = 24  # pixels: differences within a block are marked together
RED, GREY = (217, 28, 18), (128, 128, 128)
Regions = list[list[int]]


@dataclass(frozen=True)
class Change:
    """`kind` is changed, added or removed; `step` and `before` are entries of the run and of the baseline."""

    id: str
    kind: str
    take: str
    step: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    pixels: int = 0


def baseline() -> dict[str, Any]:
    """`takes` are steps by key, by take; `runs` are the ids of the runs that pictures come from."""
    path = OUT / BASELINE / "baseline.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {"takes": {}}


def sources() -> set[str]:
    return {step["run"] for steps in baseline()["takes"].values() for step in steps.values()}


def forget() -> None:
    """Removes the baseline."""
    shutil.rmtree(OUT / BASELINE, ignore_errors=True)


def _mask(image: Image.Image, regions: Regions) -> Image.Image:
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom in regions:
        if right > left and bottom > top:
            draw.rectangle((left - 1, top - 1, right, bottom), fill=GREY)
    return image


def difference(before: Path, after: Path, regions: Regions) -> tuple[int, Image.Image]:
    """How many pixels differ outside of the regions, and where: white on black."""
    with Image.open(before) as old, Image.open(after) as new:
        size = max(old.width, new.width), max(old.height, new.height)
        canvases = [Image.new("RGB", size, GREY), Image.new("RGB", size, GREY)]
        for canvas, image in zip(canvases, (old, new), strict=True):
            canvas.paste(image.convert("RGB"))
            _mask(canvas, regions)
        apart = ImageChops.difference(*canvases)
        if old.size != new.size:  # what only one of them has differs, whatever its colour
            common = min(old.width, new.width), min(old.height, new.height)
            outside = Image.new("L", size, 255)
            outside.paste(0, (0, 0, *common))
            apart.paste((255, 255, 255), mask=outside)
    red, green, blue = apart.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    marked = most.point([255 * (value > TOLERANCE) for value in range(256)])
    return marked.histogram()[255], marked


def mark(after: Path, marked: Image.Image, regions: Regions, to: Path) -> None:
    """Writes the picture with the differences in red frames and the regions that are left out in grey."""
    with Image.open(after) as picture:
        image = Image.new("RGB", marked.size, GREY)
        image.paste(picture.convert("RGB"))
    _mask(image, regions)
    found = _blocks(marked)
    tint = Image.blend(image, Image.new("RGB", image.size, RED), 0.18)
    image.paste(tint, mask=found)
    image.paste(RED, mask=ImageChops.subtract(found, _shrunk(found)))
    to.parent.mkdir(parents=True, exist_ok=True)
    image.save(to)


def _blocks(marked: Image.Image) -> Image.Image:
    """The blocks in which anything differs."""
    found = Image.new("L", marked.size, 0)
    draw = ImageDraw.Draw(found)
    for top in range(0, marked.height, BLOCK):
        for left in range(0, marked.width, BLOCK):
            box = left, top, min(left + BLOCK, marked.width), min(top + BLOCK, marked.height)
            if marked.crop(box).getbbox():
                draw.rectangle((left, top, box[2] - 1, box[3] - 1), fill=255)
    return found


def _shrunk(mask: Image.Image) -> Image.Image:
    """The mask without its outermost two pixels."""
    inner = mask.copy()
    for x, y in ((-2, 0), (2, 0), (0, -2), (0, 2)):
        moved = Image.new("L", mask.size, 0)
        moved.paste(mask, (x, y))
        inner = ImageChops.darker(inner, moved)
    return inner


def changes_of(run: Run) -> tuple[list[Change], list[str]]:
    """The changes of a run that are not accepted, and the takes that the baseline does not have."""
    takes, changes, unknown = baseline()["takes"], [], []
    for take in run.results()["takes"]:
        before = takes.get(take["id"])
        if before is None:
            unknown.append(take["id"])
            continue
        for step in take["steps"]:
            change = _change(run, take["id"], step, before.get(step["key"]))
            changes += [change] if change else []
        if not take["failure"]:  # else the steps after the failure are not gone
            keys = {step["key"] for step in take["steps"]}
            gone = [step for key, step in before.items() if key not in keys]
            changes += [Change(f"{take['id']}/{s['key']}", "removed", take["id"], before=s) for s in gone]
    return changes, unknown


def _change(run: Run, take: str, step: dict[str, Any], before: dict[str, Any] | None) -> Change | None:
    step_id = f"{take}/{step['key']}"
    if before is None:
        return Change(step_id, "added", take, step)
    regions = [*step["masks"], *before["masks"]]
    after = run.folder / step["picture"]
    pixels, marked = difference(OUT / before["picture"], after, regions)
    if pixels < FEWEST_PIXELS:
        return None
    mark(after, marked, regions, run.folder / "changes" / take / f"{step['key']}.png")
    return Change(step_id, "changed", take, step, before, pixels)


def accept(run: Run, wanted: Collection[str]) -> int:
    """Makes the steps of this run the baseline's. Returns how many there were; SystemExit if a name fits none."""
    stored, names, done = baseline(), set(wanted), 0
    used: set[str] = set()
    for take in run.results()["takes"]:
        steps = stored["takes"].get(take["id"], {})
        current = {step["key"]: step for step in take["steps"]}
        for key in {**current, **steps}:
            fitting = names & {"all", take["story"], take["id"], f"{take['id']}/{key}"}
            if not fitting or (key not in current and take["failure"]):
                continue
            used |= fitting
            done += 1
            _store(run, take["id"], key, current.get(key), steps)
        if steps:
            stored["takes"][take["id"]] = steps
    if names - used:
        raise SystemExit(f"Run {run.id} has no step, recording or story {', '.join(sorted(names - used))}.")
    write_json(OUT / BASELINE / "baseline.json", stored)
    return done


def _store(run: Run, take: str, key: str, step: dict[str, Any] | None, steps: dict[str, Any]) -> None:
    """Copies one step to the baseline, or removes one that is gone."""
    picture = OUT / BASELINE / take / f"{key}.png"
    if step is None:
        picture.unlink(missing_ok=True)
        del steps[key]
        return
    picture.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run.folder / step["picture"], picture)
    shown = picture.relative_to(OUT).as_posix()
    steps[key] = {**{name: step[name] for name in ("key", "says", "seen", "masks")}, "picture": shown, "run": run.id}
