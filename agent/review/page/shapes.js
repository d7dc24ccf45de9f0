// The parts of an overlay as SVG elements. Lengths are pixels of the image; `unit` is how many of
// them a CSS pixel has.

import { foreign } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const LETTER = 13; // CSS pixels
const LETTER_WIDTH = 0.6; // of a letter, as a share of its height
const HANDLE = { mouse: 9, touch: 22 }; // CSS pixels

export const HANDLES = [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0, 0.5]];

export function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function rectangle([left, top, right, bottom], name) {
  return shape("rect", { class: name, x: left, y: top, width: Math.max(right - left, 0), height: Math.max(bottom - top, 0) });
}

export function polygon(points, name) {
  return shape("polygon", { class: name, points: points.map((point) => point.join()).join(" ") });
}

export function pose(points, skeleton, unit) {
  const found = [];
  const isSeen = (point) => point[2] === undefined || point[2] >= 0.25;
  for (const [from, to] of skeleton) {
    const [one, other] = [points[from], points[to]];
    if (one && other && isSeen(one) && isSeen(other)) {
      found.push(shape("line", { class: "bone", x1: one[0], y1: one[1], x2: other[0], y2: other[1] }));
    }
  }
  for (const point of points.filter(isSeen)) {
    found.push(shape("circle", { class: "joint", cx: point[0], cy: point[1], r: 3 * unit }));
  }
  return found;
}

export function handles([left, top, right, bottom], pointer, unit) {
  const group = shape("g", { class: "handles", "aria-hidden": "true" });
  const side = HANDLE[pointer] * unit;
  HANDLES.forEach(([x, y], at) => {
    const handle = shape("rect", {
      class: "handle", x: left + (right - left) * x - side / 2, y: top + (bottom - top) * y - side / 2,
      width: side, height: side,
    });
    handle.dataset.at = at;
    group.append(handle);
  });
  return group;
}

// The text of a box where it covers none of the places that are `taken`; it is added to them. None
// where there is no such place, unless it `must` have one.
export function caption(box, text, { width, height, unit, taken, must }) {
  const [left, top, right, bottom] = box;
  const size = LETTER * unit;
  const length = text.length * size * LETTER_WIDTH;
  const edge = 2 * unit;
  const start = Math.max(Math.min(left + edge, width - length - edge), edge);
  const end = Math.max(Math.min(right - length, width - length - edge), edge);
  const lines = [top - 4 * unit, top + size * 1.1, bottom + size * 1.1, bottom - 4 * unit];
  const places = lines.flatMap((y) => [[start, y], [end, y]])
    .filter(([, y]) => y > size && y < height)
    .map(([x, y]) => [x, y - size, x + length, y + size * 0.2]);
  const overlaps = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
  const free = places.find((place) => !taken.some((each) => overlaps(place, each)));
  const place = free || (must && places[0]);
  if (!place) return null;
  taken.push(place);
  const element = shape("text", {
    x: place[0], y: place[3] - size * 0.2, "font-size": size, "stroke-width": 3 * unit,
  });
  element.textContent = text;
  return element;
}

// What stands beside the box of an object; `suspect` is the suspicion against it, or null.
export function captionText(item, suspect) {
  const text = foreign(item.label || "?", 40);
  if (item.state === "suspect") return `${text}? p ${item.p.toFixed(2)}`;
  const confidence = item.confidence === undefined || item.state === "changed" ? "" : ` ${item.confidence.toFixed(2)}`;
  return text + confidence + (suspect && item.state === "model" ? ` ? p ${suspect.p.toFixed(2)}` : "");
}
