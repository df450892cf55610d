// Small lines and day charts, drawn as SVG through the DOM: no markup from strings.

import { clock, hour, weekday } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

// The path of the values that are there; a gap where one is missing.
function path(points) {
  let d = "";
  let pen = false;
  for (const point of points) {
    if (point === null) {
      pen = false;
    } else {
      d += `${pen ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
      pen = true;
    }
  }
  return d;
}

// A small line. `values`: numbers, negative for none. `bounds`: [least, greatest] of the scale. `size`: [width, height].
export function sparkline(values, bounds, label, target = null, size = [84, 24]) {
  const [[width, height], edge] = [size, 3];
  const [least, greatest] = bounds;
  const x = (at) => edge + (at * (width - 2 * edge)) / Math.max(1, values.length - 1);
  const y = (value) => height - edge - ((value - least) * (height - 2 * edge)) / Math.max(1, greatest - least);
  const svg = element("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  if (target !== null) svg.append(element("line", { class: "target", x1: 0, x2: width, y1: y(target), y2: y(target) }));
  const points = values.map((value, at) => (value < 0 ? null : [x(at), y(value)]));
  svg.append(element("path", { class: "line", d: path(points) }));
  const last = points.findLast((point) => point !== null);
  if (last) svg.append(element("circle", { class: "end", cx: last[0], cy: last[1], r: 2 }));
  return svg;
}

// The top of a scale of four steps of whole numbers.
function niceTop(greatest) {
  for (let unit = 1; ; unit *= 10) {
    for (const step of [4, 8, 12, 20, 28]) if (step * unit >= greatest) return step * unit;
  }
}

// Every third local hour, found by looking: a day has 23, 24 or 25 hours.
function hourMarks(from, until) {
  const marks = [];
  for (let at = Math.ceil(from / 3600e3) * 3600e3; at <= until; at += 3600e3) {
    const text = hour(at);
    if (Number(text.slice(0, 2)) % 3 === 0) marks.push([at, text]);
  }
  return marks;
}

// A chart over time. `lines`: [{ name, points: [[ms, value or null]], style }]; `top`: the top of the scale or null;
// `targets`: [{ from, until, value }], in ms.
export function timeChart({ title, lines, from, until, top = null, unit = "", targets = [] }) {
  const [width, height] = [440, 190];
  const plot = { left: 42, right: width - 20, top: 10, bottom: height - 24 };
  const values = lines.flatMap((line) => line.points.map((point) => point[1] ?? 0));
  const most = top ?? niceTop(Math.max(1, ...values));
  const x = (ms) => plot.left + ((ms - from) * (plot.right - plot.left)) / (until - from);
  const y = (value) => plot.bottom - (value * (plot.bottom - plot.top)) / most;
  const svg = element("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}; the same figures stand in the table below` });
  for (let part = 0; part <= 4; part++) {
    const value = (most * part) / 4;
    svg.append(element("line", { class: "grid", x1: plot.left, x2: plot.right, y1: y(value), y2: y(value) }));
    svg.append(element("text", { class: "tick end", x: plot.left - 6, y: y(value) + 4 }, `${value}${unit}`));
  }
  for (const [at, text] of hourMarks(from, until)) {
    const midnight = text.startsWith("00:");
    svg.append(element("line", { class: midnight ? "midnight" : "grid", x1: x(at), x2: x(at), y1: midnight ? plot.top : plot.bottom, y2: plot.bottom + 4 }));
    svg.append(element("text", { class: "tick middle", x: x(at), y: plot.bottom + 17 }, text));
    if (midnight) svg.append(element("text", { class: "tick", x: x(at) + 4, y: plot.top + 9 }, weekday(at)));
  }
  for (const step of targets) {
    svg.append(element("line", { class: "target", x1: x(step.from), x2: x(step.until), y1: y(step.value), y2: y(step.value) }));
  }
  const newest = targets[targets.length - 1];
  if (newest) svg.append(element("text", { class: "tick end", x: plot.right, y: y(newest.value) - 4 }, `target ${newest.value}${unit}`));
  for (const line of lines) {
    const points = line.points.map(([ms, value]) => (value === null ? null : [x(ms), y(Math.min(value, most))]));
    svg.append(element("path", { class: `line ${line.style}`, d: path(points) }));
  }
  return svg;
}

// The key of a chart: a sample of each line, its name and its newest value.
export function legend(lines, write) {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const line of lines) {
    const sample = element("svg", { class: "sample", viewBox: "0 0 28 8", width: 28, height: 8, "aria-hidden": "true" });
    sample.append(element("path", { class: `line ${line.style}`, d: "M0 4L28 4" }));
    const newest = line.points.findLast((point) => point[1] !== null);
    const item = document.createElement("li");
    item.append(sample, ` ${line.name}: `);
    const value = document.createElement("strong");
    value.textContent = newest ? write(newest[1]) : "–";
    item.append(value, newest ? ` at ${clock(newest[0])}` : "");
    list.append(item);
  }
  return list;
}
