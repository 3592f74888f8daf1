/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * page.js - makes the page of the manager live.
 *
 * Each second it requests the JSON of all mirrors, writes the figures where the server has written them before
 * (data-field), shows the words that fit (data-when), and has page_chart.js draw a chart. Forms are posted as they would be
 * without it, but the page stays. Nothing is ever written as HTML. What comparing has found is in page_comparison.js.
 */
"use strict";

const PERIOD = 1000; // ms from one question to the next
const PATIENCE = 5000; // ms that a response may take
const FLEET_PERIOD = 3000; // ms from one look at the nodes of the fleet to the next
const QUIET = 10000; // ms between two announcements of changed states

const LOST = new Set(["room", "failed"]);
const location_path = document.body.dataset.location;
const pulse = document.getElementById("pulse");
const reload = document.getElementById("reload");
const title = document.title;
const seconds = () => performance.now() / 1000;

/* ---- figures ---- */

let skew = 0; // ms that the server's clock is ahead of ours
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function percent_text(share) {
    return `${parseFloat((share * 100).toFixed(7))}%`;
}

function until_text(iso) {
    const time = new Date(Date.parse(iso) - skew);
    const left = Math.max(0, Math.round((time - Date.now()) / 1000));
    return `${clock.format(time)} (in ${whole.format(left)} s)`;
}

/* ---- a mirror on the page ---- */

class Mirror {
    constructor(name, parts) {
        this.name = name;
        this.state = null;
        this.totals = new Totals();
        this.parts = parts; // its row in the overview, and its article
        this.article = parts.find((part) => part.localName === "article");
        this.fields = new Map();
        for (const element of this.all("[data-field]")) {
            const field = element.dataset.field;
            this.fields.set(field, [...(this.fields.get(field) ?? []), element]);
        }
        this.rows = new Map(this.all("[data-outcome]").map((row) => [row.dataset.outcome, row]));
        this.losses = new Losses(name, this.article.querySelector(".lost"));
        const box = this.fields.get("chart")[0];
        this.chart = new Chart(box, (outcome) => this.rows.get(outcome).querySelector("b").textContent);
        this.seen = false; // on the screen
        new IntersectionObserver((entries) => {
            this.seen = entries[entries.length - 1].isIntersecting;
            this.draw();
        }).observe(box);
        new ResizeObserver(() => this.draw()).observe(box);
    }

    all(selector) {
        return this.parts.flatMap((part) => [...part.querySelectorAll(selector)]);
    }

    write(field, text) {
        this.fields.get(field)?.forEach((element) => this.write_one(element, text));
    }

    write_one(element, text) {
        if (element.localName !== "input") {
            write(element, text);
        } else if (element.value === element.defaultValue && element !== document.activeElement) {
            element.value = element.defaultValue = text; // not while somebody types there
        }
    }

    show(field, shown) {
        this.fields.get(field)?.forEach((element) => (element.hidden = !shown));
    }

    time(field, iso) {
        this.fields.get(field)?.forEach((element) => {
            if (iso) {
                element.setAttribute("datetime", iso);
            }
            write(element, iso ? until_text(iso) : "");
        });
    }

    draw() {
        if (this.seen && this.totals.samples.length) {
            this.chart.draw(this.totals, seconds());
        }
    }

    /* Returns the words of its state if that has changed. */
    update(at, json) {
        this.totals.add(at, json);
        this.update_outcomes(json.outcomes);
        this.update_figures(json);
        this.update_bounds(json.bounds);
        this.update_servers(json.state.servers);
        this.update_limit(json.attributes, json.state.limit);
        this.update_settings(json);
        this.draw();
        const state = json.state.name;
        const before = this.state;
        this.state = state;
        this.article.dataset.state = state;
        for (const element of this.all("[data-when]")) {
            element.hidden = element.dataset.when !== state;
        }
        return before !== null && before !== state;
    }

    update_outcomes(outcomes) {
        let lost = 0;
        let lost_rate = 0;
        for (const [outcome, row] of this.rows) {
            const total = outcomes[outcome] ?? 0;
            const rate = this.totals.recent(outcome);
            row.hidden = total === 0 && outcome !== "mirrored";
            this.write(`outcome:${outcome}`, whole.format(total));
            this.write(`rate:${outcome}`, rate_text(rate));
            if (LOST.has(row.dataset.group) || outcome === "limit_failed") {
                lost += total;
                lost_rate += rate;
            }
        }
        this.write("lost", whole.format(lost));
        this.write("rate:lost", rate_text(lost_rate));
        this.fields.get("rate:lost")?.forEach((element) => element.classList.toggle("losing", lost_rate > 0));
        this.show("losing", lost_rate > this.totals.recent("mirrored"));
        this.losses.note(lost);
    }

    update_figures({ state, latency_ms, responses }) {
        for (const field of ["queued", "in_flight", "connections"]) {
            this.write(field, whole.format(state[field]));
        }
        for (const field of ["p50", "p90", "p99"]) {
            this.write(field, ms_text(latency_ms[field]));
        }
        this.write("bytes", bytes_text(state.bytes));
        this.time("down_until", state.down_until);
        for (const element of this.article.querySelectorAll("[data-response]")) {
            const n = responses[element.dataset.response];
            element.hidden = n === 0 && element.dataset.response !== "2xx";
            write(element.querySelector("b"), whole.format(n));
        }
    }

    /* The rows are those of page_servers.c. */
    update_servers(servers) {
        this.show("servers", servers !== null);
        const up = (servers ?? []).filter((server) => server.down_until === null).length;
        for (const section of this.fields.get("servers") ?? []) {
            section.toggleAttribute("data-partly", up < (servers ?? []).length);
            const rows = (servers ?? []).map((server) => {
                const row = document.createElement("tr");
                const head = document.createElement("th");
                head.scope = "row";
                head.append(document.createElement("code"));
                head.firstChild.textContent = server.address;
                row.append(head);
                const { connections, in_flight, mirrored, failed } = server;
                const counts = [connections, in_flight, mirrored, failed].map((n) => whole.format(n));
                for (const text of [server.down_until === null ? "Up" : "Down", ...counts]) {
                    row.append(document.createElement("td"));
                    row.lastChild.textContent = text;
                }
                return row;
            });
            section.querySelector("tbody").replaceChildren(...rows);
        }
        this.write("servers:up", `${up} of ${(servers ?? []).length} up`);
    }

    update_bounds({ children, ...all }) {
        for (const field of ["connections", "copies"]) {
            const [each, sum] = [all[field] / children, all[field]].map((n) => whole.format(n));
            this.write(`bounds:${field}`, `${whole.format(children)} \u00d7 ${each} = ${sum}`);
        }
    }

    update_limit({ count, time_window }, limit) {
        this.show("limit", limit !== null);
        this.show("limited", limit !== null);
        for (const element of this.fields.get("count") ?? []) {
            const { offer } = element.dataset; // of the form, as long as nobody has set a limit
            this.write_one(element, limit === null && count === 1 && offer ? offer : String(count));
        }
        this.write("time_window", String(time_window));
        if (limit) {
            this.write("used", whole.format(limit.used));
            this.show("closed", limit.closed_until !== null);
            this.time("closed_until", limit.closed_until);
            this.show("fallback", limit.fallback);
            this.fields.get("bar")[0].setAttribute("width", Math.min(1000, Math.round((limit.used * 1000) / count)));
        }
    }

    update_settings({ attributes, overridden, directive }) {
        this.show("enabled", attributes.enabled);
        this.show("disabled", !attributes.enabled);
        this.show("overridden", overridden);
        this.write("sample_ratio", percent_text(attributes.sample_ratio));
        this.write("host", attributes.host);
        this.write("directive", directive);
        for (const row of this.article.querySelectorAll("[data-attribute]")) {
            const value = attributes[row.dataset.attribute];
            row.hidden = value === undefined;
            write(row.querySelector("td"), value === undefined ? "" : Array.isArray(value) ? value.join(",") : String(value));
        }
    }

    get words() {
        const shown = this.article.querySelector(`.state [data-when="${this.state}"]`);
        return `${this.name}: ${shown.lastChild.textContent.trim()}`;
    }
}

/* ---- the last losses of a mirror ---- */

/* Characters that are invisible, or change how others are shown: as in page_view.c. */
const UNSEEN =
    /[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\u{e0000}-\u{10ffff}]/gu;

function visible(text) {
    return text.replace(UNSEEN, (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);
}

/* They are asked for only while somebody looks at them, and only if there are new ones. */
class Losses {
    constructor(name, section) {
        this.name = name;
        this.section = section;
        this.lost = 0;
        this.shown = null; // how many were lost when the rows were made
        section.addEventListener("toggle", () => this.refresh());
    }

    note(lost) {
        this.lost = lost;
        this.section.hidden &&= lost === 0;
        this.refresh();
    }

    async refresh() {
        const { lost } = this;
        if (!this.section.open || this.shown === lost) {
            return;
        }
        this.shown = lost;
        try {
            const answer = await fetch(`${location_path}/mirrors/${this.name}/losses`, OURS);
            const json = answer.ok ? await json_of(answer) : null;
            this.section.querySelector("tbody").replaceChildren(...json.losses.map((loss) => this.row(loss)));
        } catch {
            this.shown = null; // again with the next figures, which tell why
        }
    }

    row({ time, method, path, outcome, why }) {
        const row = document.createElement("tr");
        const when = document.createElement("time");
        when.dateTime = time;
        when.textContent = clock.format(new Date(Date.parse(time) - skew));
        const [copy, ended] = [`${method} ${path}`, outcome].map((text) => {
            const code = document.createElement("code");
            code.textContent = visible(text);
            return code;
        });
        for (const part of [when, copy, ended, why]) {
            row.insertCell().append(part);
        }
        return row;
    }
}

/* ---- announcing ---- */

/* Announces changed states to screen readers, at most every few seconds, each mirror once. */
class News {
    constructor(element) {
        this.element = element;
        this.changed = new Set();
        this.timer = null;
        this.last = -QUIET;
    }

    add(mirror) {
        this.changed.add(mirror);
        this.timer ??= setTimeout(() => this.announce(), Math.max(0, this.last + QUIET - performance.now()));
    }

    announce() {
        this.timer = null;
        this.last = performance.now();
        write(this.element, [...this.changed].map((mirror) => mirror.words).join("; "));
        this.changed.clear();
    }
}

/* ---- polling ---- */

const mirrors = new Map();
const comparisons = new Comparisons(location_path);
const news = new News(document.getElementById("news"));
let updated = null; // time of the last response

/* What every request has. A redirect is not followed: it leads to something that is not the manager's. */
const OURS = { headers: { Accept: "application/json" }, cache: "no-store", redirect: "manual" };

/* The JSON of a response; null if it has none: then something else has responded in place of the manager. */
async function json_of(response) {
    try {
        return response.type === "opaqueredirect" ? null : await response.json();
    } catch (error) {
        if (error instanceof SyntaxError) {
            return null;
        }
        throw error;
    }
}

/* Why a response without JSON of the manager has none. */
function stranger(response) {
    if (response.ok || response.type === "opaqueredirect" || response.status === 401) {
        return "you are signed out, or something else responds in place of the manager; reload the page";
    }
    return `the server responds with status ${response.status}`;
}

/* The list of mirrors. */
async function get_mirrors() {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), PATIENCE);
    try {
        const response = await fetch(`${location_path}/mirrors`, { ...OURS, signal: abort.signal });
        const json = await json_of(response);
        if (!response.ok || !Array.isArray(json?.mirrors)) {
            throw new Error(json?.error ?? stranger(response));
        }
        const ahead = Date.parse(response.headers.get("Date")) - Date.now();
        skew = Math.abs(ahead) > 2000 ? ahead : 0; // Date has whole seconds
        return json.mirrors;
    } finally {
        clearTimeout(timer);
    }
}

function same_mirrors(list) {
    return list.length === mirrors.size && list.every((json) => mirrors.has(json.name));
}

function update(list) {
    const at = seconds();
    for (const json of list) {
        const mirror = mirrors.get(json.name);
        if (mirror?.update(at, json)) {
            news.add(mirror);
        }
    }
    const resume = document.getElementById("resume");
    if (resume) {
        resume.hidden = !list.some((json) => json.overridden && !json.attributes.enabled);
    }
    const down = [...mirrors.values()].filter((mirror) => mirror.state === "down").length;
    document.title = down ? `${down} down – ${title}` : title;
    const same = same_mirrors(list);
    updated = clock.format(new Date());
    reload.classList.toggle("wanted", !same);
    pulse.parentNode.classList.toggle("bad", !same);
    write(pulse, same ? `Live: figures of ${updated}` : "Mirrors were added or removed.");
}

async function poll() {
    try {
        const list = await get_mirrors();
        update(list);
        await comparisons.refresh(list);
    } catch (error) {
        const why = error.name === "AbortError" || error instanceof TypeError ? "no response" : error.message;
        pulse.parentNode.classList.add("bad");
        reload.classList.add("wanted");
        write(pulse, `Not live${updated ? ` since ${updated}` : ""}: ${why}. Retrying.`);
    }
}

/* ---- the fleet ---- */

/* Its nodes are in the store, which is queried for them: not each second. */
async function keep_fleet(section) {
    try {
        const newer = document.hidden ? null : (await sections_of(location_path, "fleet"))?.querySelector(".fleet");
        if (newer) {
            renew(section, newer);
        }
    } catch {
        // no response: the pulse tells so
    }
    setTimeout(keep_fleet, FLEET_PERIOD, section);
}

async function keep_polling() {
    const began = performance.now();
    await poll();
    setTimeout(keep_polling, Math.max(PERIOD / 4, began + PERIOD - performance.now()));
}

/* ---- changing ---- */

/* null, or what is wrong. A change was made only if the response is JSON of that very mirror: a login page, a proxy's page or
 * a redirect is no proof of anything. */
async function post(form, button) {
    const fields = new URLSearchParams(new FormData(form));
    if (button?.name) {
        fields.append(button.name, button.value);
    }
    const { mirror } = form.closest("[data-mirror]").dataset;
    let response, json;
    try {
        // not form.action: that is the field of this name
        response = await fetch(form.getAttribute("action"), { ...OURS, method: "POST", body: fields });
        json = await json_of(response);
    } catch {
        return "The server did not respond; the change may have been made or not.";
    }
    if (response.ok && json?.name === mirror) {
        return null;
    }
    return json?.error ?? `The change was not confirmed: ${stranger(response)}.`;
}

async function change(form, button) {
    const label = button.textContent;
    const said = form.closest("section").querySelector("[role=status]");
    button.disabled = true;
    write(said, "");
    const error = await post(form, button);
    button.disabled = false;
    said.classList.toggle("failed", error !== null);
    if (error === null) {
        for (const input of form.querySelectorAll("input")) {
            input.defaultValue = input.value; // from here on it follows the figures again
        }
        await poll();
    }
    write(said, error === null ? `${label}: done, now in effect.` : `${label}: ${error}`);
    if (error !== null) {
        said.scrollIntoView({ block: "nearest" });
    }
    if (!button.offsetParent) { // it has gone, as another fits now; stay near for the keyboard
        const near = form.isConnected ? form.parentNode : said.closest("section");
        near.querySelector("form:not([hidden]) button, summary")?.focus();
    }
}

document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.closest("[data-mirror]")) {
        event.preventDefault();
        change(form, event.submitter ?? form.querySelector("button"));
    }
});

/* "12.5" is meant as a percentage, as the page shows it. */
document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.name === "sample_ratio" && /^\s*\d+([.,]\d+)?\s*$/.test(input.value)) {
        input.value = `${input.value.trim().replace(",", ".")}%`;
    }
});

/* ---- begin ---- */

const parts = new Map();
for (const part of document.querySelectorAll("[data-mirror]")) {
    parts.set(part.dataset.mirror, [...(parts.get(part.dataset.mirror) ?? []), part]);
}
document.body.classList.add("is-live");
for (const [name, elements] of parts) {
    mirrors.set(name, new Mirror(name, elements));
}
document.querySelectorAll("section.fleet").forEach((section) => setTimeout(keep_fleet, FLEET_PERIOD, section));
keep_polling();
