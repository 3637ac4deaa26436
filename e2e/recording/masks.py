"""The regions of a screen that differ in each run, such as clocks, ids and the testers' e-mails.

They are found when the picture is taken, and stored beside it: a comparison leaves them out.
"""

from typing import Any

from playwright.sync_api import Page

# A story or a template can mark a region of its own with `data-varies`.
SELECTORS = ("[data-varies]", ".environment", "time.clock")
# Ids, e-mails with an id in them, numbers of cases, and times of day.
TEXTS = r"[\w.+-]*[0-9a-f]{8,}[\w.@-]*|\bC-[2-9A-Z]{8}\b|\b\d{1,2}[:h]\d{2}(:\d{2})?\b|\b\d{1,2}:\d{2}\s?[ap]\.?m\b"
# What follows a text of another width moves, so the region goes on to the end of the line's box.
FIND = r"""([selectors, texts]) => {
    const regions = [], pattern = new RegExp(texts, "g");
    const add = (box, right) => {
        if (box.width && box.height && box.bottom > 0 && box.top < innerHeight)
            regions.push([box.left, box.top, Math.max(box.right, right), box.bottom].map(Math.round));
    };
    for (const element of document.querySelectorAll(selectors)) {
        const box = element.getBoundingClientRect();
        add(box, box.right);
    }
    for (const field of document.querySelectorAll("input, textarea, select")) {
        const shown = field.localName === "select" ? field.selectedOptions[0]?.text ?? "" : field.value;
        if (field.checkVisibility() && new RegExp(texts).test(shown)) add(field.getBoundingClientRect(), 0);
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (!node.parentElement.checkVisibility({visibilityProperty: true})) continue; // a closed menu's, for example
        for (const match of node.data.matchAll(pattern)) {
            const range = document.createRange();
            range.setStart(node, match.index);
            range.setEnd(node, match.index + match[0].length);
            const right = node.parentElement.getBoundingClientRect().right;
            for (const box of range.getClientRects()) add(box, right);
        }
    }
    return regions;
}"""


def masks_of(page: Page) -> list[list[int]]:
    """Left, top, right and bottom of each region, in CSS pixels of the window."""
    found: Any = page.evaluate(FIND, [", ".join(SELECTORS), TEXTS])
    return [list(region) for region in found]
