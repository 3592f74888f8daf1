/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * page_comparison.js - keeps the sections about comparing as the server has them.
 *
 * The server prints a section anew; what differs is changed in the page, and all else stays: what is unfolded, selected,
 * focused or being clicked. An element with data-key is the same one as long as it has that key. What comes is parsed by
 * DOMParser, which runs no script and loads nothing; nothing is written as HTML.
 */
"use strict";

/* The child of `parent` that `child`, of another document, is a newer form of; null if there is none. `place`: where it
 * would be. */
function earlier_form(parent, place, child) {
    const key = child.dataset?.key;
    if (key !== undefined) {
        return [...parent.children].find((one) => one.dataset.key === key && one.localName === child.localName) ?? null;
    }
    return place?.nodeName === child.nodeName && place.dataset?.key === undefined ? place : null;
}

function renew_attributes(element, newer) {
    for (const { name } of [...element.attributes]) {
        if (name !== "open" && !newer.hasAttribute(name)) { // what is unfolded stays so
            element.removeAttribute(name);
        }
    }
    for (const { name, value } of newer.attributes) {
        if (name !== "open" && element.getAttribute(name) !== value) {
            element.setAttribute(name, value);
        }
    }
}

/* Make an element like a newer form of it. */
function renew(element, newer) {
    renew_attributes(element, newer);
    let place = element.firstChild;
    for (const child of [...newer.childNodes]) {
        const former = earlier_form(element, place, child);
        if (former === null) {
            element.insertBefore(document.adoptNode(child), place);
            continue;
        }
        if (former === place) {
            place = place.nextSibling;
        } else {
            element.insertBefore(former, place);
        }
        if (former.nodeType === Node.ELEMENT_NODE) {
            renew(former, child);
        } else if (former.data !== child.data) {
            former.data = child.data;
        }
    }
    while (place) {
        const next = place.nextSibling;
        place.remove();
        place = next;
    }
}

/* A document with some sections of the page; null if it is not the manager's. */
async function sections_of(path, which) {
    const response = await fetch(`${path}/?${which}`, {
        headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(5000),
    });
    const newer = response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
    return newer?.body.dataset.location === path ? newer : null;
}

class Comparisons {
    constructor(path) {
        this.path = path;
        this.turn = 0; // number of the last request
        this.texts = new Map(); // by mirror: the section, as it came last
    }

    /* Query the server; `mirrors`: the JSON of all. */
    async refresh(mirrors) {
        const turn = ++this.turn;
        if (!mirrors.some((one) => one.attributes.compare?.length) && !document.querySelector(".comparison")) {
            return;
        }
        const newer = await sections_of(this.path, "comparison");
        if (newer && turn === this.turn) {
            for (const article of newer.querySelectorAll("article")) {
                this.update(article.dataset.mirror, article.querySelector(".comparison"));
            }
        }
    }


    update(name, newer) {
        const article = document.querySelector(`article[data-mirror="${CSS.escape(name)}"]`);
        const section = article?.querySelector(".comparison");
        if (!article || !newer) {
            section?.remove();
            return;
        }
        if (section && this.texts.get(name) === newer.outerHTML) {
            return;
        }
        this.texts.set(name, newer.outerHTML);
        if (!section) {
            article.querySelector(".responses").after(document.adoptNode(newer));
            return;
        }
        const focused = document.activeElement;
        renew(section.querySelector(".compared"), newer.querySelector(".compared"));
        if (focused !== document.activeElement && focused.isConnected) {
            focused.focus({ preventScroll: true }); // which it has lost if it was moved
        }
    }
}
