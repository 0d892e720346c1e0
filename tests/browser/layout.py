"""What a page looks like to a finger and to an eye, measured in the browser."""

from typing import Any

from playwright.sync_api import Page

_SMALL_TARGETS = """(least) => {
    const reach = (least - 2) / 2;
    const isShown = (node) => node.checkVisibility({ visibilityProperty: true }) && !node.disabled;
    const leadsTo = (at) => at.closest("a")?.href ?? at;
    const small = [];
    const pressed = "a[href], button, input, select, textarea, summary";
    for (const node of document.querySelectorAll(pressed)) {
        if (!isShown(node) || node.matches(".skip")) continue;
        const target = node.closest("label") ?? node;
        const shown = node.type === "checkbox" ? target : node;
        shown.scrollIntoView({ block: "center", behavior: "instant" });
        const { x, y, width, height } = shown.getClientRects()[0];
        const hits = (dx, dy) => {
            const left = Math.min(Math.max(x + width / 2 + dx, 1), innerWidth - 2);
            const hit = document.elementFromPoint(left, y + height / 2 + dy);
            return hit && (target.contains(hit) || leadsTo(hit) === leadsTo(node));
        };
        const around = [[0, -reach], [0, reach], [-reach, 0], [reach, 0]];
        const misses = around.filter(([dx, dy]) => !hits(dx, dy)).map(String).join(" and ");
        const size = `${Math.round(width)}x${Math.round(height)}`;
        if (misses) small.push(`${node.outerHTML.slice(0, 120)} ${size}, not at ${misses}`);
    }
    return small;
}"""
_OVERPRINTS = """() => {
    const boxes = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const clipped = (rect, node) => {
        let { left, top, right, bottom } = rect;
        for (let at = node; at && at !== document.body; at = at.parentElement) {
            const style = getComputedStyle(at);
            if (style.position === "fixed") return null;
            if (style.overflowX === "visible" && style.overflowY === "visible") continue;
            const box = at.getBoundingClientRect();
            [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
            [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
        }
        return { left, top, right, bottom };
    };
    while (walker.nextNode()) {
        const text = walker.currentNode, parent = text.parentElement;
        const shown = parent.checkVisibility({ visibilityProperty: true });
        if (!text.textContent.trim() || !shown) continue;
        if (parent.closest(".skip, .unseen, svg, option, [inert]")) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        for (const rect of range.getClientRects()) {
            const box = clipped(rect, parent);
            // The line's height is more than its ink.
            const ink = box && { ...box, top: box.top + 3, bottom: box.bottom - 3 };
            if (ink && ink.right - ink.left > 2 && ink.bottom - ink.top > 2)
                boxes.push({ ...ink, of: text, words: text.textContent.trim().slice(0, 40) });
        }
    }
    const found = [];
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (a.of !== b.of && wide > 1 && high > 1) found.push(`${a.words} / ${b.words}`);
    }));
    return found;
}"""


def small_targets(page: Page, least: int = 44) -> list[str]:
    """What can be pressed, but is smaller than a finger needs."""
    found: list[Any] = page.evaluate(_SMALL_TARGETS, least)
    return [str(one) for one in found]


def overprints(page: Page) -> list[str]:
    """Texts that lie over one another."""
    found: list[Any] = page.evaluate(_OVERPRINTS)
    return [str(one) for one in found]
