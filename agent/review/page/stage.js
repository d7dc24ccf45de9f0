// The image with its objects: shows them, selects, draws, moves and stretches them, zooms.

import { inImage, reshape } from "./objects.js";
import { cut, find } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const CLICK = 5; // CSS pixels that a pointer may move and still click
const SMALLEST = 4; // CSS pixels of the sides of a new box
const ZOOM_MAX = 20;
const LETTER = 13; // CSS pixels
const LETTER_WIDTH = 0.6; // of a letter, as a share of its height
const CROWD = 30; // objects above which only the selected one has its label
const HANDLES = [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0, 0.5]];
const HANDLE = { mouse: 9, touch: 22 }; // CSS pixels

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export class Stage {
  // `on.select()`, `on.change()` and `on.draw(box)` tell what a person does.
  constructor(on) {
    this.on = on;
    this.root = find("stage");
    this.canvas = find("canvas");
    this.image = find("image");
    this.svg = shape("svg", { id: "overlay", role: "group", "aria-label": "Objects" });
    this.canvas.append(this.svg);
    this.entry = null;
    this.items = []; // what can be selected: objects, then hints
    this.selected = null; // one of the items
    this.hidden = false;
    this.below = false; // whether detections below the threshold are shown
    this.view = { zoom: 1, x: 0, y: 0 };
    this.pointers = new Map();
    this.drag = null;
    this.drawing = null;
    this.space = false;
    this.touch = matchMedia("(pointer: coarse)").matches;
    this.listen();
  }

  show(entry, url) {
    this.entry = entry;
    this.selected = null;
    this.drawing = null;
    this.drag = null;
    this.view = { zoom: 1, x: 0, y: 0 };
    find("image-error").hidden = true;
    this.canvas.hidden = !entry;
    this.image.hidden = !entry;
    if (!entry) return;
    if (this.image.getAttribute("src") !== url) {
      this.root.toggleAttribute("data-loading", true);
      this.image.src = url;
    }
    this.svg.setAttribute("viewBox", `0 0 ${entry.detail.width} ${entry.detail.height}`);
    this.place();
  }

  // Whether the person sees the image that belongs to the boxes.
  isShown() {
    return !this.root.hasAttribute("data-loading") && this.image.complete && this.image.naturalWidth > 0;
  }

  // What is not an object yet, and may become one: suspects and weak detections.
  hints() {
    const { detail, objects } = this.entry;
    const near = (one, box) => one.every((side, at) => Math.abs(side - box[at]) < 1);
    const isTaken = (box) => objects.some((each) => near(each.box, box) || (each.first && near(each.first, box)));
    const found = [];
    for (const suspect of detail.suspects) {
      if (!suspect.box || isTaken(suspect.box)) continue;
      const weak = detail.detections.find((each) => near(each.box, suspect.box));
      found.push({ ...(weak || {}), label: suspect.label, box: suspect.box, state: "suspect", p: suspect.p });
    }
    if (!this.below) return found;
    for (const weak of detail.detections) {
      if (weak.sure || isTaken(weak.box) || found.some((each) => near(each.box, weak.box))) continue;
      found.push({ ...weak, state: "weak" });
    }
    return found;
  }

  suspicion(object) {
    const box = object.first || object.box;
    return this.entry.detail.suspects.find((each) => each.box
      && each.box.every((side, at) => Math.abs(side - box[at]) < 1));
  }

  select(item, { focus = false } = {}) {
    this.selected = item;
    this.render();
    if (focus) this.focusSelected();
    this.on.select();
  }

  focusSelected() {
    this.svg.querySelector('[aria-pressed="true"]')?.focus({ preventScroll: true });
  }

  // Size and place of the image on the page

  place() {
    if (!this.entry) return;
    const { width, height } = this.entry.detail;
    const room = { width: this.root.clientWidth, height: this.root.clientHeight };
    if (!room.width || !room.height) return; // the list is shown
    const scale = Math.min(room.width / width, room.height / height) * this.view.zoom;
    const size = { width: width * scale, height: height * scale };
    for (const [axis, side] of [["x", "width"], ["y", "height"]]) {
      const spare = room[side] - size[side];
      const least = Math.min(spare, 0);
      this.view[axis] = spare >= 0 ? spare / 2 : Math.min(Math.max(this.view[axis], least), 0);
    }
    Object.assign(this.canvas.style, {
      left: `${this.view.x}px`, top: `${this.view.y}px`, width: `${size.width}px`, height: `${size.height}px`,
    });
    this.unit = 1 / scale; // pixels of the image for a CSS pixel
    this.render();
  }

  zoom(factor, at) {
    const box = this.root.getBoundingClientRect();
    const point = at ? { x: at.x - box.left, y: at.y - box.top } : { x: box.width / 2, y: box.height / 2 };
    const before = this.view.zoom;
    this.view.zoom = factor === 0 ? 1 : Math.min(Math.max(before * factor, 1), ZOOM_MAX);
    const grown = this.view.zoom / before;
    this.view.x = point.x - (point.x - this.view.x) * grown;
    this.view.y = point.y - (point.y - this.view.y) * grown;
    this.place();
  }

  pan(x, y) {
    this.view.x += x;
    this.view.y += y;
    this.place();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * this.unit, (event.clientY - box.top) * this.unit];
  }

  // Drawing

  render() {
    if (!this.entry) return;
    const hadFocus = this.svg.contains(document.activeElement);
    this.items = [...this.entry.objects, ...this.hints()];
    if (this.selected && !this.items.includes(this.selected)) {
      const same = this.items.find((each) => each.state === this.selected.state
        && each.box.every((side, at) => side === this.selected.box[at]));
      this.selected = same || null;
    }
    const parts = [];
    if (!this.hidden) {
      // The largest first: small ones stay visible, and Tab goes from large to small.
      const order = [...this.items].sort((one, other) => area(other.box) - area(one.box));
      const isCrowd = this.items.length > CROWD;
      const taken = []; // by captions; the selected and the small ones choose first
      const groups = new Map();
      const first = [...order].reverse().sort((one, other) => (other === this.selected) - (one === this.selected));
      for (const item of first) groups.set(item, this.drawn(item, isCrowd, taken));
      parts.push(...order.map((item) => groups.get(item)));
      if (this.selected && !isHint(this.selected)) parts.push(this.handles());
    }
    if (this.drawing) parts.push(rectangle(this.drawing, "drawing"));
    this.svg.replaceChildren(...parts);
    if (hadFocus) this.focusSelected();
  }

  drawn(item, isCrowd, taken) {
    const isSelected = item === this.selected;
    const suspect = isHint(item) ? null : this.suspicion(item);
    const group = shape("g", {
      class: "object", tabindex: "0", role: "button", "aria-pressed": String(isSelected),
      "aria-label": this.words(item), "data-state": item.state,
    });
    if (suspect && item.state === "model") group.dataset.suspect = "";
    group.item = item;
    if (item.polygon) group.append(shape("polygon", { class: "outline", points: item.polygon.map((point) => point.join()).join(" ") }));
    if (item.corners) group.append(shape("polygon", { class: "corners", points: item.corners.map((point) => point.join()).join(" ") }));
    group.append(rectangle(item.box, "halo"), rectangle(item.box, item.corners ? "line thin" : "line"));
    if (item.keypoints) group.append(...this.pose(item.keypoints));
    if (!isCrowd || isSelected) {
      const caption = this.caption(item, suspect, taken);
      if (caption) group.append(caption);
    }
    group.addEventListener("focus", () => { if (this.selected !== item && !this.drag) this.select(item, { focus: true }); });
    return group;
  }

  words(item) {
    const number = this.entry.objects.indexOf(item) + 1;
    const place = number ? `object ${number} of ${this.entry.objects.length}` : "not an object yet";
    const state = { suspect: "suspect", weak: "below the threshold", changed: "changed", added: "added", deleted: "not an object" }[item.state];
    const confidence = item.confidence === undefined || item.state === "changed" ? "" : `, ${item.confidence.toFixed(2)}`;
    return `${item.label || "no label"}${confidence}, ${place}${state ? `, ${state}` : ""}`;
  }

  // The text of a box where it covers no other; none where there is no such place.
  caption(item, suspect, taken) {
    const [left, top, right, bottom] = item.box;
    let text = cut(item.label || "?", 40);
    if (item.state === "suspect") text += `? p ${item.p.toFixed(2)}`;
    else if (item.confidence !== undefined && item.state !== "changed") text += ` ${item.confidence.toFixed(2)}`;
    if (suspect && item.state === "model") text += ` ? p ${suspect.p.toFixed(2)}`;
    const size = LETTER * this.unit;
    const { width, height } = this.entry.detail;
    const length = text.length * size * LETTER_WIDTH;
    const edge = 2 * this.unit;
    const start = Math.max(Math.min(left + edge, width - length - edge), edge);
    const end = Math.max(Math.min(right - length, width - length - edge), edge);
    const lines = [top - 4 * this.unit, top + size * 1.1, bottom + size * 1.1, bottom - 4 * this.unit];
    const places = lines.flatMap((y) => [[start, y], [end, y]])
      .filter(([, y]) => y > size && y < height)
      .map(([x, y]) => [x, y - size, x + length, y + size * 0.2]);
    const overlaps = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
    const free = places.find((place) => !taken.some((each) => overlaps(place, each)));
    const place = free || (item === this.selected && places[0]);
    if (!place) return null;
    taken.push(place);
    const element = shape("text", {
      x: place[0], y: place[3] - size * 0.2, "font-size": size, "stroke-width": 3 * this.unit,
    });
    element.textContent = text;
    return element;
  }

  pose(points) {
    const found = [];
    const isSeen = (point) => point[2] === undefined || point[2] >= 0.25;
    for (const [from, to] of this.entry.detail.skeleton) {
      const [one, other] = [points[from], points[to]];
      if (one && other && isSeen(one) && isSeen(other)) {
        found.push(shape("line", { class: "bone", x1: one[0], y1: one[1], x2: other[0], y2: other[1] }));
      }
    }
    for (const point of points.filter(isSeen)) {
      found.push(shape("circle", { class: "joint", cx: point[0], cy: point[1], r: 3 * this.unit }));
    }
    return found;
  }

  handles() {
    const group = shape("g", { class: "handles", "aria-hidden": "true" });
    if (this.selected.state === "deleted") return group;
    const [left, top, right, bottom] = this.selected.box;
    const side = (this.touch ? HANDLE.touch : HANDLE.mouse) * this.unit;
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

  // Pointers

  listen() {
    const { root } = this;
    root.addEventListener("pointerdown", (event) => this.down(event));
    root.addEventListener("pointermove", (event) => this.moved(event));
    root.addEventListener("pointerup", (event) => this.up(event));
    root.addEventListener("pointercancel", (event) => this.cancel(event));
    root.addEventListener("wheel", (event) => {
      if (!this.entry) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), { x: event.clientX, y: event.clientY });
    }, { passive: false });
    this.image.addEventListener("load", () => root.removeAttribute("data-loading"));
    this.image.addEventListener("dragstart", (event) => event.preventDefault());
    new ResizeObserver(() => this.place()).observe(root);
  }

  down(event) {
    if (!this.entry || event.target.closest("button") || event.button === 2) return;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.root.setPointerCapture(event.pointerId);
    this.touch = event.pointerType === "touch";
    const start = this.point(event);
    const begin = { id: event.pointerId, start, x: event.clientX, y: event.clientY, isMoved: false };
    if (this.pointers.size > 1) {
      this.drawing = null;
      this.drag = { kind: "pinch" };
      this.render();
    } else if (event.button === 1 || this.space) {
      this.drag = { ...begin, kind: "pan" };
    } else if (event.target.classList?.contains("handle")) {
      this.drag = { ...begin, kind: "stretch", handle: HANDLES[event.target.dataset.at], box: [...this.selected.box] };
    } else if (this.selected && !isHint(this.selected) && this.selected.state !== "deleted" && contains(this.selected.box, start)) {
      this.drag = { ...begin, kind: "move", box: [...this.selected.box] };
    } else {
      this.drag = { ...begin, kind: "draw" };
    }
  }

  moved(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before || !this.drag) return;
    const now = { x: event.clientX, y: event.clientY };
    if (this.drag.kind === "pinch") {
      this.pinch(event.pointerId, before, now);
    }
    this.pointers.set(event.pointerId, now);
    if (this.drag.kind === "pinch" || this.drag.id !== event.pointerId) return;
    const { drag } = this;
    if (!drag.isMoved && Math.hypot(now.x - drag.x, now.y - drag.y) < CLICK) return;
    drag.isMoved = true;
    const point = this.point(event);
    if (drag.kind === "pan") {
      this.pan(now.x - before.x, now.y - before.y);
    } else if (drag.kind === "draw") {
      this.drawing = inImage([...drag.start, ...point], this.entry.detail);
      this.render();
    } else if (drag.kind === "move") {
      this.shift(drag.box, point[0] - drag.start[0], point[1] - drag.start[1]);
    } else if (drag.kind === "stretch") {
      this.stretch(drag, point);
    }
  }

  pinch(id, before, now) {
    const other = [...this.pointers].find(([each]) => each !== id)?.[1];
    if (!other) return;
    const far = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    this.zoom(far(now) / Math.max(far(before), 1), middle);
  }

  up(event) {
    const { drag } = this;
    if (!this.pointers.delete(event.pointerId) || !drag) return;
    if (this.pointers.size) return; // the other finger of a pinch
    this.drag = null;
    if (drag.kind === "pinch" || drag.kind === "pan") return;
    if (!drag.isMoved) {
      if (drag.kind !== "stretch") this.click(drag.start);
      return;
    }
    if (drag.kind !== "draw") {
      this.on.change();
      return;
    }
    const box = this.drawing;
    this.drawing = null;
    const least = SMALLEST * this.unit;
    if (box && box[2] - box[0] >= least && box[3] - box[1] >= least) this.on.draw(box);
    else this.render();
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    this.drag = null;
    this.drawing = null;
    this.render();
  }

  // The smallest box at a point; a further click at the same place takes the next larger one.
  click(point) {
    const slack = this.touch ? 10 * this.unit : 3 * this.unit;
    const found = this.hidden ? [] : this.items.filter((each) => contains(each.box, point, slack))
      .sort((one, other) => area(one.box) - area(other.box));
    const at = found.indexOf(this.selected);
    this.root.focus({ preventScroll: true });
    this.select(found.length ? found[(at + 1) % found.length] : null, { focus: found.length > 0 });
  }

  // Move and stretch, by pointer or key; lengths in pixels of the image

  shift(box, x, y) {
    const { width, height } = this.entry.detail;
    const limit = (by, low, high, most) => Math.min(Math.max(by, Math.min(-low, 0)), Math.max(most - high, 0));
    const right = limit(x, box[0], box[2], width);
    const down = limit(y, box[1], box[3], height);
    this.reshape([box[0] + right, box[1] + down, box[2] + right, box[3] + down]);
  }

  stretch(drag, point) {
    const box = [...drag.box];
    const [x, y] = drag.handle;
    if (x === 0) box[0] = point[0];
    if (x === 1) box[2] = point[0];
    if (y === 0) box[1] = point[1];
    if (y === 1) box[3] = point[1];
    this.reshape(this.notFlat(inImage(box, this.entry.detail)));
  }

  grow(x, y) {
    const { box } = this.selected;
    this.reshape(this.notFlat(inImage([box[0], box[1], Math.max(box[2] + x, box[0]), Math.max(box[3] + y, box[1])], this.entry.detail)));
  }

  notFlat([left, top, right, bottom]) {
    const { width, height } = this.entry.detail;
    const [x, y] = [Math.min(left, width - 1), Math.min(top, height - 1)];
    return [x, y, Math.max(right, x + 1), Math.max(bottom, y + 1)];
  }

  reshape(box) {
    const object = this.selected;
    object.first ??= [...object.box];
    reshape(object, box);
    this.render();
  }
}

export function isHint(item) {
  return item.state === "suspect" || item.state === "weak";
}

function rectangle([left, top, right, bottom], name) {
  return shape("rect", { class: name, x: left, y: top, width: Math.max(right - left, 0), height: Math.max(bottom - top, 0) });
}

function area([left, top, right, bottom]) {
  return (right - left) * (bottom - top);
}

function contains([left, top, right, bottom], [x, y], slack = 0) {
  return x >= left - slack && x <= right + slack && y >= top - slack && y <= bottom + slack;
}
