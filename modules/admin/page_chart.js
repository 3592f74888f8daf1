/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * page_chart.js - figures for people, and a chart of the last ten minutes from totals that only grow.
 *
 * Rates are differences of the totals that were seen, so what happens between two responses is in them, however late a
 * response is. page.js uses this file, which is independent of mirrors. Nothing is ever written as HTML.
 */
"use strict";

const SPAN = 600; // s that a chart shows
const BIN = 2; // s that a point of it stands for
const RECENT = 5; // s that "per second" is the mean of
const SVG = "http://www.w3.org/2000/svg";

/* ---- figures for people ---- */

const whole = new Intl.NumberFormat("en");

function rate_text(n) {
    return n >= 10 ? whole.format(Math.round(n)) : n >= 0.05 ? n.toFixed(1) : n > 0 ? "< 0.1" : "0";
}

function ms_text(ms) {
    if (ms === null) {
        return "–";
    }
    return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

function bytes_text(bytes) {
    const units = ["KB", "MB", "GB", "TB"];
    let n = bytes / 1024;
    let unit = 0;
    if (bytes < 1024) {
        return `${bytes} B`;
    }
    while (n >= 1024 && unit < 3) {
        n /= 1024;
        unit++;
    }
    return `${n.toFixed(n < 10 ? 1 : 0)} ${units[unit]}`;
}

function ago_text(s) {
    const minutes = Math.floor(s / 60);
    return `${minutes ? `${minutes} min ` : ""}${Math.round(s % 60)} s ago`;
}

function write(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}

function svg_element(parent, name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) {
        element.setAttribute(key, value);
    }
    parent.append(element);
    return element;
}

/* ---- the totals of the last ten minutes, and rates from them ---- */

class Totals {
    constructor() {
        this.samples = []; // {at, seen, totals: {outcome: n}}
    }

    add(at, mirror) {
        const last = this.samples[this.samples.length - 1];
        if (last && mirror.seen < last.seen) {
            this.samples = []; // httpd was started anew
        }
        this.samples.push({ at, seen: mirror.seen, totals: mirror.outcomes });
        while (this.samples[0].at < at - SPAN - 2 * BIN) {
            this.samples.shift();
        }
    }

    /* Per second, in the last few seconds. */
    recent(outcome) {
        const last = this.samples[this.samples.length - 1];
        const first = this.samples.find((sample) => sample.at >= last.at - RECENT - 0.5);
        const took = last.at - first.at;
        return took > 0 ? (last.totals[outcome] - first.totals[outcome]) / took : 0;
    }

    /* The outcomes that there were, in the order of the table. */
    active() {
        const first = this.samples[0].totals;
        const last = this.samples[this.samples.length - 1].totals;
        return Object.keys(last).filter((outcome) => last[outcome] > first[outcome]);
    }

    /* For each outcome an array of rates, one for each bin from `start` on; NaN = no data. */
    rates(outcomes, start, bins) {
        const rates = Object.fromEntries(outcomes.map((outcome) => [outcome, new Float64Array(bins).fill(NaN)]));
        let before = null;
        let n = 0;
        for (let edge = 0; edge <= bins; edge++) {
            const at = start + edge * BIN;
            while (n + 1 < this.samples.length && this.samples[n + 1].at < at) {
                n++;
            }
            const now = this.totals_at(at, n, outcomes);
            if (now && before) {
                outcomes.forEach((outcome, i) => {
                    rates[outcome][edge - 1] = Math.max(0, now[i] - before[i]) / BIN;
                });
            }
            before = now;
        }
        return rates;
    }

    /* Between the samples `n` and `n` + 1. */
    totals_at(at, n, outcomes) {
        const a = this.samples[n];
        const b = this.samples[n + 1];
        if (!b || a.at > at || b.at < at) {
            return null;
        }
        const part = (at - a.at) / (b.at - a.at);
        return outcomes.map((outcome) => a.totals[outcome] + part * (b.totals[outcome] - a.totals[outcome]));
    }
}

/* ---- the chart ---- */

class Chart {
    static BINS = SPAN / BIN;

    constructor(box, label_of) {
        this.label_of = label_of;
        this.areas = new Map(); // outcome: path
        this.cursor = null; // the bin that is read out
        this.full = false; // it has all of its time to show
        this.svg = svg_element(box, "svg", { role: "img", tabindex: "0", "aria-label": "Chart of the last ten minutes" });
        this.grid = [1, 0.5, 0].map((part) => ({
            part,
            line: svg_element(this.svg, "line", { class: "grid" }),
            text: svg_element(this.svg, "text", { "text-anchor": "end" }),
        }));
        this.times = [0, 0.5, 1].map((part) => {
            const anchor = ["start", "middle", "end"][part * 2];
            const text = svg_element(this.svg, "text", { "text-anchor": anchor });
            text.textContent = ["10 min ago", "5 min ago", "now"][part * 2];
            return { part, text };
        });
        this.layer = svg_element(this.svg, "g", {});
        this.line = svg_element(this.svg, "line", { class: "cursor", visibility: "hidden" });
        this.readout = document.createElement("p");
        this.readout.className = "readout";
        box.after(this.readout);
        this.listen();
    }

    listen() {
        this.svg.addEventListener("pointermove", (event) => {
            const x = event.clientX - this.svg.getBoundingClientRect().left;
            this.point(Math.floor(((x - this.left) / this.width) * Chart.BINS));
        });
        this.svg.addEventListener("pointerleave", () => this.point(null));
        this.svg.addEventListener("blur", () => this.point(null));
        this.svg.addEventListener("keydown", (event) => {
            const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
            if (step) {
                event.preventDefault();
                this.readout.setAttribute("aria-live", "polite");
                this.point((this.cursor ?? Chart.BINS) + step);
            } else if (event.key === "Escape") {
                this.point(null);
            }
        });
    }

    point(bin) {
        this.cursor = bin === null ? null : Math.max(0, Math.min(Chart.BINS - 1, bin));
        if (bin === null) {
            this.readout.removeAttribute("aria-live");
        }
        this.read_out();
    }

    read_out() {
        const bin = this.cursor;
        this.line.setAttribute("visibility", bin === null ? "hidden" : "visible");
        if (bin === null || !this.rates) {
            const filling = this.full ? "" : "The chart fills while this page is open. ";
            write(this.readout, `${filling}Point at the chart, or use the arrow keys, to read the values of a moment.`);
            return;
        }
        const x = this.left + ((bin + 0.5) / Chart.BINS) * this.width;
        for (const [key, value] of Object.entries({ x1: x, x2: x, y1: this.top, y2: this.top + this.height })) {
            this.line.setAttribute(key, value);
        }
        const parts = Object.entries(this.rates)
            .filter(([, rates]) => rates[bin] > 0)
            .map(([outcome, rates]) => `${this.label_of(outcome)} ${rate_text(rates[bin])}/s`);
        const known = Object.values(this.rates).some((rates) => !Number.isNaN(rates[bin]));
        const what = parts.length ? parts.join(", ") : known ? "no requests" : "no data";
        write(this.readout, `${ago_text((Chart.BINS - bin) * BIN)}: ${what}`);
    }

    draw(totals, now) {
        const outcomes = totals.active();
        const start = Math.floor(now / BIN) * BIN - SPAN;
        this.rates = totals.rates(outcomes, start, Chart.BINS);
        this.full = totals.samples[0].at <= start + BIN;
        const size = this.svg.getBoundingClientRect();
        this.left = 44;
        this.top = 10;
        this.width = Math.max(50, size.width - this.left - 4);
        this.height = Math.max(30, size.height - this.top - 20);
        const sums = new Float64Array(Chart.BINS);
        for (const outcome of outcomes) {
            this.rates[outcome].forEach((rate, bin) => (sums[bin] += rate));
        }
        const scale = Chart.scale(Math.max(0, ...sums.filter((sum) => !Number.isNaN(sum))));
        this.draw_frame(scale);
        this.draw_areas(outcomes, scale);
        const text = outcomes.map((outcome) => `${this.label_of(outcome)} ${rate_text(totals.recent(outcome))}`);
        this.svg.setAttribute("aria-label",
            `Chart of the last ten minutes. Per second now: ${text.join(", ") || "no requests"}.`);
        this.read_out();
    }

    /* The end of the axis: a round number. */
    static scale(most) {
        const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
        return [1, 2, 4, 6, 8, 10].map((n) => n * power).find((n) => n >= most);
    }

    draw_frame(scale) {
        for (const { part, line, text } of this.grid) {
            const y = Math.round(this.top + (1 - part) * this.height) + 0.5;
            for (const [key, value] of Object.entries({ x1: this.left, x2: this.left + this.width, y1: y, y2: y })) {
                line.setAttribute(key, value);
            }
            text.setAttribute("x", this.left - 6);
            text.setAttribute("y", y + 4);
            write(text, part === 0 ? "0" : part === 1 ? `${whole.format(scale)}/s` : whole.format(scale * part));
        }
        for (const { part, text } of this.times) {
            text.setAttribute("x", this.left + part * this.width);
            text.setAttribute("y", this.top + this.height + 16);
        }
    }

    /* One upon the other. */
    draw_areas(outcomes, scale) {
        const floor = new Float64Array(Chart.BINS);
        for (const [outcome, area] of this.areas) {
            if (!outcomes.includes(outcome)) {
                area.remove();
                this.areas.delete(outcome);
            }
        }
        for (const outcome of outcomes) {
            if (!this.areas.has(outcome)) {
                this.areas.set(outcome,
                    svg_element(this.layer, "path", { class: "area", fill: `url(#t-${outcome})` }));
            }
            const there = [];
            const back = [];
            this.rates[outcome].forEach((rate, bin) => {
                if (!Number.isNaN(rate)) {
                    const x = (this.left + ((bin + 0.5) / Chart.BINS) * this.width).toFixed(1);
                    back.push(`${x} ${this.y_of(floor[bin], scale)}`);
                    floor[bin] += rate;
                    there.push(`${x} ${this.y_of(floor[bin], scale)}`);
                }
            });
            const points = there.concat(back.reverse());
            this.areas.get(outcome).setAttribute("d", points.length ? `M${points.join("L")}Z` : "");
        }
    }

    y_of(rate, scale) {
        return (this.top + (1 - rate / scale) * this.height).toFixed(1);
    }
}
