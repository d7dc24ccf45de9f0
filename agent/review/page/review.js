// The review page: connects what is shown, what a person does, and what the server is asked.
//
// A person's key or button changes the captures, the verdicts or the objects; each of these tells
// this module, and this module shows what there is now.

import { Browse } from "./browse.js";
import { Captures, imageOf, whyNoImage } from "./captures.js";
import { Choice } from "./choice.js";
import { Connection } from "./connection.js";
import { Corrections } from "./corrections.js";
import { find, foreign } from "./elements.js";
import { listen } from "./keys.js";
import { isCorrected, toGiven, toModel } from "./objects.js";
import { Outbox } from "./outbox.js";
import { seen, why } from "./panel.js";
import * as picker from "./picker.js";
import { Reviewer } from "./reviewer.js";
import { Stage } from "./stage.js";
import { Verdicts } from "./verdicts.js";
import { announce, say, showCapture, showNone, showObjects, showOver, showProgress, showState } from "./view.js";
import { ask, moment } from "./words.js";

const HOLDING_MAX = 40; // captures, as the server takes them

const { key, by } = document.body.dataset;
const client = Array.from(crypto.getRandomValues(new Uint8Array(12)), (each) => each.toString(16)).join("");
const stage = new Stage({ select: showCurrentObjects, change: objectsChanged, draw: (box) => corrections.drawn(box) });
const corrections = new Corrections(stage, { change: objectsChanged, say, classify });
const reviewer = new Reviewer(by, () => stage.focus());
const outbox = new Outbox(key, client, told, () => connection.show());
const verdicts = new Verdicts(outbox);
const choice = new Choice({ queue: queueChosen, filters: filtersChosen });
const captures = new Captures(
  { page, queue: () => (choice.queue === "reviewed" ? "value" : choice.queue), pending: () => outbox.pending },
  { show, answered: () => connection.answered(), failed: (error) => connection.failed(error) },
);
const connection = new Connection(outbox, page, {
  state: took,
  lost: () => { if (!captures.current) showEmpty(); },
  back: () => stage.retry(),
});
const browse = new Browse(openFromList);

let known = -1; // captures of the dataset, when what can be chosen was asked for

// What each call says of this page: it holds captures until their verdicts are stored.
function page() {
  const holding = [...captures.held, ...outbox.pending].slice(0, HOLDING_MAX);
  return { client, reviewer: reviewer.name, holding, ...choice.filters };
}

// What is shown

function show(entry, isQuiet) {
  const hadFocus = find("stage").contains(document.activeElement);
  stage.show(entry, entry ? imageOf(entry) : "");
  find("note").value = entry?.note || "";
  if (entry) showCapture(entry);
  else showEmpty();
  showCurrentObjects();
  if (isQuiet) return;
  if (hadFocus || document.activeElement === document.body) stage.focus();
  if (entry) announce(`${foreign(entry.detail.camera)}, ${seen(entry)}. ${why(entry)}`);
}

function showEmpty() {
  const waits = captures.isFilling || !captures.isEmpty;
  showNone({ lost: Boolean(connection.lost), waits, left: captures.left }, () => { captures.isEmpty = false; captures.fill({ again: true }); });
}

function showCurrentObjects() {
  const entry = captures.current;
  if (!entry) return;
  showObjects(entry, stage, reviewer.name, classify);
  showPlace();
}

function objectsChanged() {
  stage.render();
  showCurrentObjects();
  if (captures.current) announce(seen(captures.current));
}

function showPlace() {
  const { source, at, left } = captures;
  showProgress({ left, place: source && `${at + 1} of ${source.ids.length}`, given: verdicts.count });
}

// Verdicts

async function give(kind) {
  const entry = captures.current;
  if (!entry) return;
  if (kind !== "unusable") {
    if (!stage.isShown()) {
      say("The image is not shown yet: wait, skip it, or say that it is unusable.", "warn");
      return;
    }
    if (await corrections.nameless(entry)) return;
  }
  await store(kind);
}

// A class is all there is to say: the next capture comes at once.
function classify(label) {
  captures.current.labels = [label];
  store("right");
}

async function store(kind) {
  const entry = captures.current;
  if (!entry || (!reviewer.name && !(await reviewer.ask()))) return;
  const line = verdicts.give(entry, kind, reviewer.name);
  say(`${line.verdict}${line.boxes || line.labels ? ", with the correction" : ""}: ${foreign(entry.detail.camera, 40)}`, line.verdict);
  captures.goOn();
}

let undoing = Promise.resolve(); // one after the other: each finds the one before

function undo() {
  undoing = undoing.then(undoOne).catch((error) => {
    say("Nothing is undone: the server does not answer.", "bad");
    connection.failed(error);
  });
}

async function undoOne() {
  const last = await verdicts.undo(reviewer.name, (id) => captures.find(id));
  if (!last) {
    say("There is nothing to undo: no verdict under your name stands.");
    return;
  }
  const { line, entry, isOld } = last;
  if (!entry) {
    say(`Undone: ${line.verdict}; its capture cannot be shown.`);
    return;
  }
  captures.drop((each) => each.detail.id === line.id);
  browse.close();
  captures.goBack(entry);
  say(`Undone: ${line.verdict}, ${foreign(entry.detail.camera, 40)}${isOld ? `, of ${moment(line.at)}` : ""}`);
}

// What became of reviews that were sent.
function told(results, lines, warning) {
  results.forEach((result, place) => {
    const line = lines[place];
    const other = result.before;
    if (line.undo) stands(line.id, result.review);
    if (line.undo || !other || other.by === line.by || Date.parse(other.at) >= Date.parse(line.at)) return;
    if (verdicts.isKnown(line, other)) return;
    const name = foreign(captures.find(line.id)?.detail.camera || line.id, 40);
    say(`${foreign(other.by, 40)} said ${other.verdict} of ${name} meanwhile; yours is newer and counts. z undoes it.`, "warn");
  });
  if (warning) say(warning, "bad");
  if (!captures.source) captures.fill();
  connection.soon();
}

// After an undo another review counts, or none.
function stands(id, review) {
  const entry = captures.find(id);
  if (!entry || entry.line || outbox.pending.has(id)) return;
  entry.detail.review = review || null;
  if (entry === captures.current) showCurrentObjects();
}

// The server

function took(state) {
  verdicts.setClock(state.now);
  choice.showCounts(state);
  showState(state);
  for (const [id, review] of Object.entries(state.held)) othersSaid(id, review);
  if (!captures.source && !choice.filters.verdict) captures.drop((entry) => entry.detail.review && !entry.line);
  if (!captures.source && choice.queue !== "reviewed") {
    captures.count(Math.max(0, state.queues[choice.queue].left - outbox.pending.size));
  }
  if (state.captures !== known) {
    known = state.captures;
    loadFacets();
  }
  showPlace();
  if (!captures.current) showEmpty();
  captures.fill();
}

// Somebody else reviewed a capture that this page has.
function othersSaid(id, review) {
  const entry = [captures.current, ...captures.upcoming].find((each) => each?.detail.id === id);
  if (!entry || !review || review.by === reviewer.name || outbox.lines.some((line) => line.id === id)) return;
  const had = entry.detail.review;
  if (had && Date.parse(had.at) >= Date.parse(review.at)) return;
  const isUntouched = !isCorrected(entry);
  entry.detail.review = review;
  if (entry !== captures.current) return;
  say(`${foreign(review.by, 40)} just said ${review.verdict} of this capture. Go on with n, or give yours: the newest counts.`, "warn");
  if (isUntouched && review.boxes) {
    toGiven(entry);
    stage.render();
  }
  showCurrentObjects();
}

async function loadFacets() {
  try {
    const facets = await ask("/v1/facets");
    picker.offer(facets.classes);
    choice.offer(facets);
  } catch (error) {
    known = -1; // ask again
    connection.failed(error);
  }
}

// Queues, filters and the list

function queueChosen() {
  if (choice.queue === "reviewed") {
    openList();
  } else {
    closeList();
    captures.restart();
  }
}

function filtersChosen() {
  if (choice.queue !== "reviewed") captures.restart();
  if (browse.isOpen) openList();
}

function openList() {
  browse.start(choice.title, { queue: choice.queue, ...choice.filters });
}

function closeList() {
  browse.close();
  stage.place();
}

function toggleList() {
  if (!browse.isOpen) openList();
  else if (choice.queue === "reviewed" && !captures.current) choice.choose("value");
  else closeList();
}

function openFromList(rows, place) {
  closeList();
  captures.restart({ ids: rows.map((row) => row.id), next: place });
  stage.focus();
}

// Buttons and keys

const actions = {
  right: () => give("right"), wrong: () => give("wrong"), missing: () => give("missing"),
  unusable: () => give("unusable"),
  skip: () => { say("Skipped"); captures.next(); },
  undo,
  next: () => captures.next(),
  previous: () => { if (!captures.previous()) say("This is the first one."); },
  label: () => corrections.label(), delete: () => corrections.remove(), add: () => corrections.add(),
  classes: () => corrections.classify(),
  deselect: () => { stage.select(null); stage.focus(); },
  reset: () => { toModel(captures.current); stage.select(null); objectsChanged(); },
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
  browse: toggleList,
  filters: () => choice.enter(),
  note: () => find("note").focus(),
  help: () => find("help").showModal(),
};

listen(stage, actions, {
  isListed: () => browse.isOpen,
  move: (event, x, y) => corrections.arrow(event, x, y),
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) actions[button.dataset.do]();
});
find("browse-open").addEventListener("click", toggleList);
find("by-open").addEventListener("click", () => reviewer.ask());
find("help-open").addEventListener("click", actions.help);
find("help-close").addEventListener("click", () => find("help").close());
find("help").addEventListener("close", () => stage.focus());
find("note").addEventListener("keydown", (event) => { if (event.key === "Enter") stage.focus(); });
find("note").addEventListener("input", () => {
  if (captures.current) captures.current.note = find("note").value.trim();
});

find("image").addEventListener("error", async () => {
  const entry = captures.current;
  if (!entry || find("image").getAttribute("src") !== imageOf(entry)) return;
  const text = await whyNoImage(entry).catch((error) => {
    connection.failed(error);
    return "The image was not loaded: the server does not answer. It is loaded as soon as it does.";
  });
  if (captures.current === entry) showOver(text);
});
window.addEventListener("online", () => outbox.send());
// What this page holds can go to others at once, also to its own next load.
window.addEventListener("pagehide", () => {
  const body = JSON.stringify({ client, leaving: true });
  const headers = { "Content-Type": "application/json" };
  fetch(`${location.origin}/v1/state`, { method: "POST", keepalive: true, headers, body }).catch(() => {});
});
window.addEventListener("beforeunload", (event) => { if (outbox.waiting) event.preventDefault(); });

choice.recall();
connection.poll();
outbox.send();
if (!reviewer.name) reviewer.ask();
