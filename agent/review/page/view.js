// Shows one capture on the page, and what a person can do with it.

import { find, foreign, made, put } from "./elements.js";
import { isClassified, isCorrected, isHint, kindOf } from "./objects.js";
import { classItems, facts, objectItems, reasons, said, seen, why } from "./panel.js";
import { counted, moment } from "./words.js";

const OTHERS = 4; // names of other reviewers
const PROBLEMS = 5;
const button = (name) => document.querySelector(`[data-do="${name}"]`);

// Say what happened; `level` colours it.
export function say(text, level = "") {
  put(find("result"), text, level);
}

// Tell the person who hears the page what it shows now.
export function announce(text) {
  put(find("told"), text);
}

export function showCapture(entry) {
  enable(true);
  const { detail } = entry;
  put(find("capture-name"), foreign(detail.camera || "no camera", 80));
  find("image").alt = `${foreign(detail.camera)}, ${moment(detail.captured_at)}`;
  put(find("lane"), detail.lane_words ? `Lane ${foreign(detail.lane)}: ${detail.lane_words}.` : `Lane ${foreign(detail.lane)}.`);
  find("why").replaceChildren(...reasons(detail));
  put(find("reason"), why(entry));
  find("facts").replaceChildren(...facts(detail));
  const lines = [
    ...detail.said.map((line) => said(line, "at the device")),
    ...detail.history.map((line) => said(line, line.corrected ? "review with a correction" : "review")),
  ];
  find("said-section").hidden = !lines.length;
  find("said").replaceChildren(...lines);
}

// There is no capture: the server does not answer (`lost`), the page `waits` for one, or `left`
// captures are skipped or with others; `again()` is called to go through those.
export function showNone({ lost, waits, left }, again) {
  enable(false);
  put(button("right").querySelector("span"), "Right");
  find("on-image").hidden = true;
  const others = left > 0 && !waits && !lost;
  put(find("capture-name"), lost ? "No connection" : waits ? "Loading" : "Nothing left here");
  showOver(lost ? "No capture is loaded. The next ones come as soon as the server answers."
    : waits ? "Loading captures" : others ? `${counted(left, "capture")} skipped, or with other reviewers now.`
    : "No capture waits for a review in this queue. New ones appear here.");
  if (others) {
    const begin = made("button", "Go through them again", "small");
    begin.type = "button";
    begin.addEventListener("click", again);
    find("image-error").append(begin);
  }
  for (const id of ["why", "objects", "facts", "said"]) find(id).replaceChildren();
  for (const id of ["lane", "seen", "hint", "reason"]) put(find(id), "");
  find("verdict").hidden = true;
  find("on-object").hidden = true;
}

function enable(isCapture) {
  document.body.toggleAttribute("data-empty", !isCapture);
  for (const each of document.querySelectorAll(".actions button")) {
    if (each.dataset.do !== "undo") each.disabled = !isCapture;
  }
  find("stage").setAttribute("aria-label", isCapture ? "Image" : "No image");
}

// Say something where the image is.
export function showOver(text) {
  const over = find("image-error");
  over.hidden = false;
  over.replaceChildren(made("span", text));
}

// Everything that changes with the objects. `by` is who reviews here; `classify(label)` is called
// when a class is chosen from the list.
export function showObjects(entry, stage, by, classify) {
  const review = entry.line ? { verdict: entry.line.verdict, by } : entry.detail.review;
  find("verdict").hidden = !review?.verdict;
  if (review?.verdict) put(find("verdict"), review.by ? `${review.verdict}, by ${foreign(review.by)}` : review.verdict, review.verdict);
  const corrected = isCorrected(entry);
  put(find("seen"), seen(entry));
  put(button("right").querySelector("span"), corrected ? `Save: ${kindOf(entry)}` : "Right");
  button("reset").hidden = !corrected;
  const classified = isClassified(entry);
  button("classes").hidden = !classified;
  button("add").hidden = classified;
  find("objects").replaceChildren(...(classified ? classItems(entry, classify) : objectItems(entry, stage)));
  showSelection(entry, stage);
}

function showSelection(entry, stage) {
  const object = stage.selected;
  find("on-object").hidden = !object;
  find("on-image").hidden = Boolean(object);
  const remove = button("delete");
  button("label").firstChild.textContent = object && isHint(object) ? "It is an object " : "Label ";
  remove.hidden = Boolean(object) && isHint(object);
  remove.firstChild.textContent = object?.state === "deleted" ? "It is an object " : "Not an object ";
  put(find("hint"), object ? stage.words(object) : isClassified(entry) ? ""
    : stage.pointers.touch ? "Tap a box to correct it. Drag: a missing object." : "Click a box to correct it. Drag on the image: a missing object.");
}

// How far the reviewer is: `left` captures, or the place in a list; `given` verdicts in this window.
export function showProgress({ left, place, given }) {
  const waiting = left ? `${left.toLocaleString()} left` : "";
  const done = given ? `${given.toLocaleString()} reviewed by you now` : "";
  put(find("progress"), [place || waiting, done].filter(Boolean).join(", "));
}

// Who else reviews, and what is wrong with the folder.
export function showState({ others, problems }) {
  const names = others.length > OTHERS ? [...others.slice(0, OTHERS - 1), `${others.length - OTHERS + 1} others`] : others;
  put(find("others"), names.length ? `Here too: ${names.map((each) => foreign(each, 40)).join(", ")}` : "");
  const list = find("problems");
  list.hidden = !problems.length;
  list.replaceChildren(...problems.slice(0, PROBLEMS).map((text) => made("li", text)));
}
