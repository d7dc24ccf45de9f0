// The review page: what is shown, what keys and buttons do, and what the server is asked.

import { Browse } from "./browse.js";
import {
  bestClass, entryOf, inImage, isClassified, isCorrected, kindOf, left, relabel, reviewOf, toGiven, toModel,
} from "./objects.js";
import { Outbox } from "./outbox.js";
import { classItems, facts, objectItems, reasons, said, seen, why } from "./panel.js";
import * as picker from "./picker.js";
import { Stage, isHint } from "./stage.js";
import { ask, counted, cut, find, made, moment, put } from "./words.js";

const AHEAD = 6; // captures that are fetched before they are needed
const POLL = 3000; // milliseconds
const SOON = 300;
const RETURNED_MAX = 40;
const TRAIL = 300; // captures to which one can go back
const FILTERS = ["camera", "device", "label", "rule", "lane", "verdict", "by", "text"];
const NAMES = { value: "By value", random: "Random sample", auto: "Auto-labelled", reviewed: "Reviewed" };
const NAME_KEY = "capture-agent reviewer";
const GIVEN_KEY = `capture-agent given ${document.body.dataset.key}`;
const UNDO_MAX = 100; // verdicts that can be undone after the page is loaded again

const client = Array.from(crypto.getRandomValues(new Uint8Array(12)), (each) => each.toString(16)).join("");
const stage = new Stage({ select: selectionChanged, change: objectsChanged, draw: drawn });
const browse = new Browse(openFromList);
const outbox = new Outbox(document.body.dataset.key, client, told, showConnection);

let by = document.body.dataset.by || stored(NAME_KEY);
let queue = "value";
let filters = {};
let source = null; // ids of a list that is gone through; null: the server hands out captures
let trail = []; // entries that were shown, and the one that is
let at = -1;
let upcoming = [];
let given = givenBefore(); // reviews for undo; with their entries, if this page showed them
let unseen = []; // ids of captures that were let go without a look
let filling = false;
let isEmpty = false; // the server had no more captures
let leftHere = 0; // of the queue, as the server says
let offset = 0; // milliseconds that the server's clock is ahead
let stamped = 0;
let lost = ""; // why the server does not answer
let polling = 0; // the timer of the next look
let turn = 0; // another one for each choice of captures

function stored(key) {
  try {
    return localStorage.getItem(key) || "";
  } catch {
    return "";
  }
}

// What was given in this window before it was loaded again.
function givenBefore() {
  try {
    const found = JSON.parse(sessionStorage.getItem(GIVEN_KEY));
    return Array.isArray(found) ? found.map(({ line, before }) => ({ entry: null, line, before, earlier: null })) : [];
  } catch {
    return [];
  }
}

function keepGiven() {
  try {
    sessionStorage.setItem(GIVEN_KEY, JSON.stringify(given.slice(-UNDO_MAX).map(({ line, before }) => ({ line, before }))));
  } catch {
    // The browser stores nothing: undo ends with this page.
  }
}

// What is shown

const current = () => trail[at] || null;
const imageOf = (entry) => `/v1/captures/${encodeURIComponent(entry.detail.id)}/image.jpg`;

function show(place, { quiet = false } = {}) {
  at = place;
  const spare = trail.length - TRAIL;
  if (spare > 0) {
    trail.splice(0, spare);
    at -= spare;
  }
  const entry = current();
  const hadFocus = find("stage").contains(document.activeElement);
  stage.show(entry, entry ? imageOf(entry) : "");
  find("note").value = entry?.note || "";
  renderCapture();
  if (!quiet && (hadFocus || document.activeElement === document.body)) find("stage").focus({ preventScroll: true });
  if (entry && !quiet) put(find("told"), `${entry.detail.camera}, ${seen(entry)}. ${why(entry)}`);
  preload();
}

function preload() {
  for (const entry of upcoming.slice(0, 4)) {
    if (entry.image) continue;
    entry.image = new Image();
    entry.image.src = imageOf(entry);
  }
}

function renderCapture() {
  const entry = current();
  document.body.toggleAttribute("data-empty", !entry);
  for (const button of document.querySelectorAll(".actions button")) {
    if (button.dataset.do !== "undo") button.disabled = !entry;
  }
  find("stage").setAttribute("aria-label", entry ? "Image" : "No image");
  if (!entry) {
    renderEmpty();
    return;
  }
  const { detail } = entry;
  put(find("capture-name"), cut(detail.camera || "no camera", 80));
  find("image").alt = `${detail.camera}, ${moment(detail.captured_at)}`;
  put(find("lane"), detail.lane_words ? `Lane ${detail.lane}: ${detail.lane_words}.` : `Lane ${detail.lane}.`);
  find("why").replaceChildren(...reasons(detail));
  put(find("reason"), why(entry));
  find("facts").replaceChildren(...facts(detail));
  const lines = [
    ...detail.said.map((line) => said(line, "at the device")),
    ...detail.history.map((line) => said(line, line.corrected ? "review with a correction" : "review")),
  ];
  find("said-section").hidden = !lines.length;
  find("said").replaceChildren(...lines);
  renderObjects();
}

function renderEmpty() {
  stage.svg.replaceChildren();
  put(document.querySelector('[data-do="right"] span'), "Right");
  find("on-image").hidden = true;
  const waits = filling || (!isEmpty && !lost);
  const others = leftHere > 0 && !waits;
  put(find("capture-name"), waits ? "Loading" : "Nothing left here");
  const over = find("image-error");
  over.hidden = false;
  over.replaceChildren(made("span", waits ? "Loading captures" : others
    ? `${counted(leftHere, "capture")} skipped, or with other reviewers now.`
    : "No capture waits for a review in this queue. New ones appear here."));
  if (others) {
    const button = made("button", "Go through them again", "small");
    button.type = "button";
    button.addEventListener("click", () => { isEmpty = false; fill({ again: true }); });
    over.append(button);
  }
  for (const id of ["why", "objects", "facts", "said"]) find(id).replaceChildren();
  for (const id of ["lane", "seen", "hint", "reason"]) put(find(id), "");
  find("verdict").hidden = true;
  find("on-object").hidden = true;
}

// Everything that changes with the objects.
function renderObjects() {
  const entry = current();
  if (!entry) return;
  const verdict = entry.line?.verdict || entry.detail.review?.verdict;
  const who = entry.line ? by : entry.detail.review?.by;
  find("verdict").hidden = !verdict;
  if (verdict) put(find("verdict"), who ? `${verdict}, by ${who}` : verdict, verdict);
  const corrected = isCorrected(entry);
  put(find("seen"), seen(entry));
  const right = document.querySelector('[data-do="right"] span');
  put(right, corrected ? `Save: ${kindOf(entry)}` : "Right");
  document.querySelector('[data-do="reset"]').hidden = !corrected;
  const classified = isClassified(entry);
  document.querySelector('[data-do="classes"]').hidden = !classified;
  document.querySelector('[data-do="add"]').hidden = classified;
  find("objects").replaceChildren(...(classified ? classItems(entry, classChosen) : objectItems(entry, stage)));
  selectionShown();
  showProgress();
}

function selectionShown() {
  const entry = current();
  const object = stage.selected;
  find("on-object").hidden = !object;
  find("on-image").hidden = Boolean(object) || !entry;
  if (!entry) return;
  const remove = document.querySelector('[data-do="delete"]');
  document.querySelector('[data-do="label"]').firstChild.textContent = object && isHint(object) ? "It is an object " : "Label ";
  remove.hidden = Boolean(object) && isHint(object);
  remove.firstChild.textContent = object?.state === "deleted" ? "It is an object " : "Not an object ";
  put(find("hint"), object ? stage.words(object) : isClassified(entry) ? ""
    : stage.touch ? "Tap a box to correct it. Drag: a missing object." : "Click a box to correct it. Drag on the image: a missing object.");
}

function selectionChanged() {
  renderObjects();
}

function objectsChanged() {
  const entry = current();
  stage.render();
  renderObjects();
  if (entry) put(find("told"), seen(entry));
}

function say(text, level = "") {
  put(find("result"), text, level);
}

function showProgress() {
  const waiting = leftHere ? `${leftHere.toLocaleString()} left` : "";
  const done = given.length ? `${given.length.toLocaleString()} reviewed by you now` : "";
  put(find("progress"), [source ? `${at + 1} of ${source.ids.length}` : waiting, done].filter(Boolean).join(", "));
  find("review").querySelector('[data-do="undo"]').disabled = !given.length;
}

// Captures

function holding() {
  return [...trail.slice(at, at + 1), ...upcoming].map((entry) => entry.detail.id);
}

function about() {
  return { client, reviewer: by, holding: holding(), ...filters };
}

async function fill({ again = false } = {}) {
  if (filling || upcoming.length >= AHEAD || (isEmpty && !again)) return;
  filling = true;
  const mine = turn;
  const returned = source ? [] : unseen.slice(-RETURNED_MAX);
  try {
    const found = source ? await listed() : await ask("/v1/next", {
      ...about(), queue: queue === "reviewed" ? "value" : queue, count: AHEAD - upcoming.length, again, returned,
    });
    unseen = unseen.filter((id) => !returned.includes(id));
    if (mine !== turn) {
      if (found.left !== undefined) unseen.push(...found.captures.map((detail) => detail.id));
      return;
    }
    answered();
    const known = new Set(again ? holding() : [...trail, ...upcoming].map((entry) => entry.detail.id));
    for (const line of outbox.lines) if (!line.undo) known.add(line.id);
    const fresh = found.captures.filter((detail) => !known.has(detail.id));
    isEmpty = !found.captures.length;
    if (found.left !== undefined) leftHere = found.left;
    upcoming.push(...fresh.map(entryOf));
  } catch (error) {
    if (mine === turn) failed(error);
  } finally {
    filling = false;
  }
  if (mine !== turn) {
    fill();
    return;
  }
  if (!current() && upcoming.length) next();
  else if (!current()) renderCapture();
  preload();
}

// The next captures of a list that was opened.
async function listed() {
  const ids = source.ids.slice(source.next, source.next + AHEAD - upcoming.length);
  source.next += ids.length;
  const captures = [];
  for (const id of ids) captures.push(await ask(`/v1/captures/${encodeURIComponent(id)}`));
  return { captures };
}

function restart(list = null) {
  turn += 1;
  unseen.push(...[current(), ...upcoming].filter((entry) => entry && !entry.line).map((entry) => entry.detail.id));
  source = list;
  trail = [];
  at = -1;
  upcoming = [];
  isEmpty = false;
  leftHere = 0;
  show(-1, { quiet: true });
  fill();
}

function next() {
  keepNote();
  if (at < trail.length - 1) {
    show(at + 1);
  } else if (upcoming.length) {
    trail.push(upcoming.shift());
    show(trail.length - 1);
  } else if (current()) {
    show(trail.length, { quiet: true }); // none: what comes is shown
  }
  fill();
}

function previous() {
  keepNote();
  if (at > 0) show(at - 1);
  else say("This is the first one.");
}

function keepNote() {
  const entry = current();
  if (entry) entry.note = find("note").value.trim();
}

// Verdicts

function stamp(entry) {
  const latest = Date.parse(entry.detail.review?.at || "") || 0;
  const now = Math.max(Date.now() + offset, stamped + 1, latest + 1);
  stamped = now;
  return new Date(now).toISOString();
}

async function give(kind) {
  const entry = current();
  if (!entry) return;
  if (!by && !(await askName())) return;
  keepNote();
  const line = { ...reviewOf(entry, kind), by, at: stamp(entry) };
  if (entry.note) line.note = entry.note;
  given.push({ entry, line, before: entry.detail.review, earlier: entry.line });
  keepGiven();
  entry.line = line;
  entry.detail.review = { ...line, boxes: line.boxes || null, labels: line.labels || null };
  leftHere = Math.max(0, leftHere - 1);
  outbox.add(line);
  say(`${line.verdict}${line.boxes || line.labels ? ", with the correction" : ""}: ${cut(entry.detail.camera, 40)}`, line.verdict);
  const later = trail.findIndex((each, place) => place > at && !each.line);
  if (later > at && !source) show(later);
  else next();
  fill();
}

async function undo() {
  const last = given.pop();
  if (!last) {
    say("There is nothing to undo: no verdict was given in this window. Another verdict on a reviewed capture replaces it.");
    return;
  }
  const { line, before, earlier } = last;
  const now = Math.max(Date.now() + offset, stamped + 1);
  stamped = now;
  outbox.undo(line, new Date(now).toISOString());
  keepGiven();
  leftHere += 1;
  const entry = last.entry || trail.find((each) => each.detail.id === line.id) || await entryAgain(line);
  if (!entry) return;
  entry.line = earlier;
  entry.detail.review = before;
  if (!trail.includes(entry)) trail.splice(Math.max(at, 0), 0, entry);
  closeBrowse();
  show(trail.indexOf(entry));
  say(`Undone: ${line.verdict}, ${cut(entry.detail.camera, 40)}`);
}

// The entry of a review that was given before the page was loaded again, with its corrections.
async function entryAgain(line) {
  upcoming = upcoming.filter((each) => each.detail.id !== line.id);
  try {
    const detail = await ask(`/v1/captures/${encodeURIComponent(line.id)}`);
    const entry = entryOf({ ...detail, review: { ...line, boxes: line.boxes || null, labels: line.labels || null } });
    entry.note = line.note || "";
    return entry;
  } catch (error) {
    say(`Undone: ${line.verdict}; its capture cannot be shown.`);
    failed(error);
    return null;
  }
}

// What became of reviews that were sent.
function told(results, lines, warning) {
  results.forEach((result, place) => {
    const line = lines[place];
    const entry = trail.find((each) => each.detail.id === line.id);
    const other = result.before;
    if (line.undo || !other || other.by === line.by || Date.parse(other.at) >= Date.parse(line.at)) return;
    const known = given.find((each) => each.line === line)?.before;
    if (known && known.at === other.at) return;
    say(`${other.by} said ${other.verdict} of ${cut(entry?.detail.camera || line.id, 40)} meanwhile; yours is newer and counts. z undoes it.`, "warn");
  });
  if (warning) say(warning, "bad");
  if (!source) fill();
  clearTimeout(polling);
  polling = setTimeout(poll, SOON);
}

// Corrections

async function labelSelected() {
  const entry = current();
  if (!entry) return;
  if (isClassified(entry)) {
    chooseClass();
    return;
  }
  const object = stage.selected;
  if (!object) return;
  const label = await picker.pick(isHint(object) ? "Label of the object" : "Label of the box", object.label);
  if (current() !== entry) return;
  if (label !== null) {
    if (isHint(object)) accept(object, label);
    else relabel(object, label);
  }
  objectsChanged();
  stage.focusSelected();
}

// A suspect or weak detection becomes an object.
function accept(hint, label = hint.label) {
  const { box, polygon, keypoints, corners } = hint;
  const object = structuredClone({ label, box, polygon, keypoints, corners });
  for (const name of Object.keys(object)) if (object[name] === undefined) delete object[name];
  object.box = inImage(object.box, current().detail);
  if (label === hint.label && Number.isInteger(hint.class_id)) object.class_id = hint.class_id;
  object.state = "added";
  current().objects.push(object);
  stage.selected = object;
}

function deleteSelected() {
  const object = stage.selected;
  if (!object || isHint(object)) return;
  if (object.state === "added") {
    const { objects } = current();
    objects.splice(objects.indexOf(object), 1);
    stage.selected = null;
    find("stage").focus({ preventScroll: true });
  } else if (object.state === "deleted") {
    object.state = object.was;
  } else {
    object.was = object.state;
    object.state = "deleted";
  }
  objectsChanged();
}

async function drawn(box) {
  const entry = current();
  if (isClassified(entry)) {
    stage.render();
    return;
  }
  const object = { label: "", box, state: "added" };
  entry.objects.push(object);
  stage.select(object);
  await nameNew(entry, object);
}

async function nameNew(entry, object) {
  const label = await picker.pick("What is missing?", "");
  if (label === null) {
    entry.objects.splice(entry.objects.indexOf(object), 1);
    if (stage.selected === object) stage.selected = null;
  } else {
    object.label = label;
  }
  if (current() !== entry) return;
  objectsChanged();
  if (label !== null) stage.focusSelected();
  else find("stage").focus({ preventScroll: true });
}

function add() {
  const entry = current();
  if (!entry || isClassified(entry)) return;
  if (stage.selected && isHint(stage.selected)) {
    if (stage.selected.label) {
      accept(stage.selected);
      objectsChanged();
      stage.focusSelected();
    } else {
      labelSelected();
    }
    return;
  }
  const { width, height } = entry.detail;
  const object = { label: "", box: [0.4 * width, 0.4 * height, 0.6 * width, 0.6 * height], state: "added" };
  entry.objects.push(object);
  stage.select(object, { focus: true });
  say("Arrow keys move the new box, Shift and arrows stretch it, Enter gives it a label.");
}

async function chooseClass() {
  const entry = current();
  const label = await picker.pick("Class of the image", entry.labels?.[0] || bestClass(entry));
  if (label !== null && current() === entry) classChosen(label);
}

// A class is all there is to say: the next capture comes at once.
function classChosen(label) {
  current().labels = [label];
  give("right");
}

function arrow(event, x, y) {
  const entry = current();
  const object = stage.selected;
  const step = event.altKey ? 1 : Math.max(entry.detail.width, entry.detail.height) / 100;
  if (event.shiftKey) stage.grow(x * step, y * step);
  else stage.shift([...object.box], x * step, y * step);
  objectsChanged();
}

// A box without a label cannot be stored.
async function giveNamed(kind) {
  const entry = current();
  if (entry && kind !== "unusable" && !stage.isShown()) {
    say("The image is not shown yet: wait, skip it, or say that it is unusable.", "warn");
    return;
  }
  const nameless = entry && left(entry).find((each) => !each.label);
  if (nameless && kind !== "unusable") {
    stage.select(nameless);
    await nameNew(entry, nameless);
    return;
  }
  await give(kind);
}

// The server

function answered() {
  lost = "";
  showConnection();
}

function failed(error) {
  lost = error.status ? error.message : "The server does not answer";
  showConnection();
}

function showConnection() {
  const parts = [];
  if (outbox.error && outbox.waiting) {
    parts.push(`${counted(outbox.waiting, "verdict")} not stored yet: ${outbox.error}. The page sends them again; leave it open.`);
  } else if (lost) {
    parts.push(`${lost}. The page tries again; go on as far as captures are loaded.`);
  }
  for (const { line, error } of outbox.refused.slice(-3)) parts.push(`The verdict ${line.verdict} on ${line.id} was refused: ${error}`);
  const text = parts.join(" ");
  put(find("connection"), text);
  find("connection").hidden = !text;
}

async function poll() {
  try {
    const state = await ask("/v1/state", about());
    answered();
    offset = Date.parse(state.now) - Date.now();
    took(state);
    if (outbox.failures) outbox.send();
  } catch (error) {
    failed(error);
    if (!current()) renderCapture();
  }
  clearTimeout(polling);
  polling = setTimeout(poll, POLL);
}

let captures = -1; // of the dataset, when its facets were asked for

function took(state) {
  const pending = new Set(outbox.lines.filter((line) => !line.undo).map((line) => line.id)).size;
  for (const button of document.querySelectorAll("[data-queue]")) {
    const name = button.dataset.queue;
    const count = name === "reviewed" ? state.reviewed : state.queues[name].left;
    put(button.querySelector("b"), count.toLocaleString());
    if (name === "auto") button.hidden = !state.queues.auto.all;
    button.title = name === "reviewed" ? `${state.reviewed} of ${state.captures} captures`
      : `${state.queues[name].left} left, ${state.queues[name].reviewed} reviewed`;
  }
  if (!source && queue !== "reviewed") leftHere = Math.max(0, state.queues[queue].left - pending);
  const others = state.others.length > 4 ? [...state.others.slice(0, 3), `${state.others.length - 3} others`] : state.others;
  put(find("others"), others.length ? `Here too: ${others.map((each) => cut(each, 40)).join(", ")}` : "");
  const problems = find("problems");
  problems.hidden = !state.problems.length;
  problems.replaceChildren(...state.problems.slice(0, 5).map((text) => made("li", text)));
  for (const entry of [current(), ...upcoming].filter(Boolean)) othersSaid(entry, state.held[entry.detail.id]);
  if (!source && !filters.verdict) {
    upcoming = upcoming.filter((entry) => !entry.detail.review || entry.line);
  }
  if (state.captures !== captures) {
    captures = state.captures;
    loadFacets();
    if (isEmpty && !current() && leftHere) isEmpty = false;
  }
  showProgress();
  if (!current()) {
    if (leftHere) isEmpty = false;
    renderCapture();
  }
  fill();
}

// Somebody else reviewed a capture that this page has.
function othersSaid(entry, review) {
  if (!review || review.by === by || outbox.lines.some((line) => line.id === entry.detail.id)) return;
  const known = entry.detail.review;
  if (known && Date.parse(known.at) >= Date.parse(review.at)) return;
  const isUntouched = !isCorrected(entry);
  entry.detail.review = review;
  if (entry !== current()) return;
  say(`${review.by} just said ${review.verdict} of this capture. Go on with n, or give yours: the newest counts.`, "warn");
  if (isUntouched && review.boxes) {
    toGiven(entry);
    stage.render();
  }
  renderObjects();
}

async function loadFacets() {
  try {
    const facets = await ask("/v1/facets");
    picker.offer(facets.classes);
    for (const name of FILTERS) {
      const select = find("filters").elements[name];
      if (select.tagName !== "SELECT" || name === "verdict") continue;
      const chosen = filters[name] || "";
      const values = [...new Set([chosen, ...facets[name]])].filter(Boolean);
      select.replaceChildren(new Option("all", ""), ...values.map((value) => new Option(cut(value, 60), value)));
      select.value = chosen;
    }
  } catch (error) {
    captures = -1; // ask again
    failed(error);
  }
}

// Queues, filters and the list

function choose(name) {
  queue = name;
  for (const button of document.querySelectorAll("[data-queue]")) {
    button.setAttribute("aria-pressed", String(button.dataset.queue === name));
  }
  remember();
  if (name === "reviewed") {
    openBrowse();
  } else {
    closeBrowse();
    restart();
  }
}

function readFilters() {
  const form = new FormData(find("filters"));
  filters = {};
  for (const name of FILTERS) if (form.get(name)) filters[name] = String(form.get(name));
  showFilters();
  remember();
  if (queue !== "reviewed") restart();
  if (!find("browse").hidden) openBrowse();
}

function showFilters() {
  const count = Object.keys(filters).length;
  find("filters-open").firstChild.textContent = count ? `Filters (${count}) ` : "Filters ";
}

function remember() {
  const hash = new URLSearchParams({ queue, ...filters });
  history.replaceState(null, "", `#${hash}`);
}

function recall() {
  const hash = new URLSearchParams(location.hash.slice(1));
  for (const name of FILTERS) {
    const value = hash.get(name);
    if (!value) continue;
    filters[name] = value;
    const field = find("filters").elements[name];
    if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) field.append(new Option(value, value));
    field.value = value;
  }
  showFilters();
  if (Object.keys(filters).length) toggleFilters(true);
  choose(Object.hasOwn(NAMES, hash.get("queue")) ? hash.get("queue") : "value");
}

function toggleFilters(open = find("filters").hidden) {
  find("filters").hidden = !open;
  find("filters-open").setAttribute("aria-expanded", String(open));
}

function openBrowse() {
  find("browse").hidden = false;
  find("review").hidden = true;
  document.querySelector(".side").hidden = true;
  find("browse-open").setAttribute("aria-pressed", "true");
  browse.start(NAMES[queue], { queue, ...filters });
}

function closeBrowse() {
  find("browse").hidden = true;
  find("review").hidden = false;
  document.querySelector(".side").hidden = false;
  find("browse-open").setAttribute("aria-pressed", "false");
  stage.place();
}

function toggleBrowse() {
  if (find("browse").hidden) openBrowse();
  else if (queue === "reviewed" && !current()) choose("value");
  else closeBrowse();
}

function openFromList(rows, place) {
  closeBrowse();
  restart({ ids: rows.map((row) => row.id), next: place });
  source.first = place;
  find("stage").focus({ preventScroll: true });
}

// Who

function askName() {
  const dialog = find("who");
  if (dialog.open) return Promise.resolve("");
  find("who-input").value = by;
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const name = find("who-input").value.trim();
      if (name) {
        by = name;
        try {
          localStorage.setItem(NAME_KEY, name);
        } catch {
          // It is asked again next time.
        }
        put(find("by-open"), by);
      }
      find("stage").focus({ preventScroll: true });
      resolve(by);
    }, { once: true });
  });
}

// Buttons and keys

const DO = {
  right: () => giveNamed("right"), wrong: () => giveNamed("wrong"), missing: () => giveNamed("missing"),
  unusable: () => giveNamed("unusable"),
  skip: () => { say("Skipped"); next(); }, undo, next, previous,
  label: labelSelected, delete: deleteSelected, add, classes: chooseClass,
  deselect: () => { stage.select(null); find("stage").focus({ preventScroll: true }); },
  reset: () => { toModel(current()); stage.select(null); objectsChanged(); },
  "zoom-in": () => stage.zoom(1.5), "zoom-out": () => stage.zoom(1 / 1.5), fit: () => stage.zoom(0),
  hide: () => {
    stage.hidden = !stage.hidden;
    document.querySelector('[data-do="hide"]').setAttribute("aria-pressed", String(stage.hidden));
    stage.render();
  },
  below: () => {
    stage.below = !stage.below;
    objectsChanged();
    say(stage.below ? "Detections below the threshold are shown." : "Detections below the threshold are hidden.");
  },
  browse: toggleBrowse,
  filters: () => { toggleFilters(); if (!find("filters").hidden) find("filters").elements.camera.focus(); },
  note: () => find("note").focus(),
  help: () => find("help").showModal(),
};
const KEYS = {
  r: "right", w: "wrong", m: "missing", u: "unusable", s: "skip", z: "undo", n: "next", p: "previous",
  l: "label", x: "delete", a: "add", h: "hide", t: "below", g: "browse", f: "filters", i: "note", "?": "help",
  "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "fit", Delete: "delete", Backspace: "delete", Escape: "deselect",
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const IN_LIST = new Set(["browse", "filters", "help", "undo"]);

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) DO[button.dataset.do]();
});

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const { target } = event;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) {
    if (event.key === "Escape") find("stage").focus({ preventScroll: true });
    return;
  }
  const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
  if (isUndo) {
    event.preventDefault();
    undo();
    return;
  }
  if (event.ctrlKey || event.metaKey) return;
  const isListed = !find("browse").hidden;
  const direction = ARROWS[event.key];
  if (direction && !isListed) {
    const isFree = !/^(BUTTON|A)$/.test(target.tagName);
    if (stage.selected && !isHint(stage.selected) && stage.selected.state !== "deleted" && find("stage").contains(target)) {
      event.preventDefault();
      arrow(event, ...direction);
    } else if (stage.view.zoom > 1 && target === find("stage")) {
      event.preventDefault();
      stage.pan(-80 * direction[0], -80 * direction[1]);
    } else if (isFree && !event.altKey && direction[0] > 0) {
      next();
    } else if (isFree && !event.altKey && direction[0] < 0) {
      previous();
    }
    return;
  }
  if (event.altKey) return;
  if (event.key === " " && target === find("stage")) {
    event.preventDefault();
    stage.space = true;
    return;
  }
  const isBox = stage.svg.contains(target);
  if ((event.key === "Enter" || event.key === " ") && isBox) {
    event.preventDefault();
    labelSelected();
    return;
  }
  const name = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!name || (isListed && !IN_LIST.has(name))) return;
  if (event.repeat && !["zoom-in", "zoom-out", "next", "previous"].includes(name)) return;
  event.preventDefault();
  DO[name]();
});

document.addEventListener("keyup", (event) => { if (event.key === " ") stage.space = false; });
window.addEventListener("blur", () => { stage.space = false; });
window.addEventListener("online", () => outbox.send());
// What this page holds can go to others at once, also to its own next load.
window.addEventListener("pagehide", () => {
  const body = JSON.stringify({ client, leaving: true });
  const headers = { "Content-Type": "application/json" };
  fetch(`${location.origin}/v1/state`, { method: "POST", keepalive: true, headers, body }).catch(() => {});
});
window.addEventListener("beforeunload", (event) => { if (outbox.waiting) event.preventDefault(); });

find("image").addEventListener("error", async () => {
  const entry = current();
  if (!entry || find("image").getAttribute("src") !== imageOf(entry)) return;
  let text = "The image cannot be shown; unusable (u) leaves it out.";
  try {
    const response = await fetch(location.origin + imageOf(entry), { cache: "no-store" });
    if (!response.ok) text = `${(await response.json()).error}. Unusable (u) leaves it out.`;
  } catch {
    text = "The image was not loaded: the server does not answer.";
  }
  if (current() !== entry) return;
  const over = find("image-error");
  over.replaceChildren(made("span", text));
  over.hidden = false;
});

for (const button of document.querySelectorAll("[data-queue]")) {
  button.addEventListener("click", () => choose(button.dataset.queue));
}
find("filters").addEventListener("change", readFilters);
find("filters").addEventListener("submit", (event) => event.preventDefault());
find("filters").addEventListener("reset", () => setTimeout(readFilters));
find("filters-open").addEventListener("click", () => toggleFilters());
find("browse-open").addEventListener("click", toggleBrowse);
find("by-open").addEventListener("click", askName);
find("help-open").addEventListener("click", DO.help);
find("help-close").addEventListener("click", () => find("help").close());
find("help").addEventListener("close", () => find("stage").focus({ preventScroll: true }));
find("note").addEventListener("keydown", (event) => { if (event.key === "Enter") find("stage").focus({ preventScroll: true }); });

put(find("by-open"), by || "Your name");
recall();
poll();
outbox.send();
if (!by) askName();
