// The live page: the images of the cameras, the stream of facts, and what a person says.

import { find, foreign, put } from "./elements.js";
import { condition, renderCaptures, renderFacts, renderNeeds } from "./facts.js";
import { ask, post, refusal } from "./requests.js";
import { span, time } from "./words.js";

const PERIOD = 1000; // milliseconds between two images of a camera
const RETRY = 2000;
const SILENT = 6000; // without an event for so long, the connection counts as lost
const STALE = 5; // seconds after which an image says how old it is
const JUDGED = 10; // seconds for which the daemon keeps a frame
const TILE = 640;
const FINAL = new Set(["delivered", "rejected", "evicted", "refused"]);

const image = find("image");
const note = find("note");
const who = find("who");

const cameras = new Map(); // by name: what is shown of it
for (const tile of document.querySelectorAll("[data-camera]")) {
  cameras.set(tile.dataset.camera, {
    name: tile.dataset.camera, tile, image: tile.querySelector("img"), frame: tile.querySelector(".frame"),
    state: tile.querySelector(".state"), inView: false,
    small: slot(), large: slot(), facts: null,
  });
}
let chosen = cameras.keys().next().value;
let facts = null; // of the latest event
let held = false;
let stream = null;
let lostAt = null;
let heardAt = 0;
let retry = 0;

function slot() {
  return { tag: "", url: "", at: null, analysed: 0, seen: "", error: "", busy: false };
}

// Images

function visible() {
  return document.visibilityState === "visible";
}

async function fetchImage(camera, kind, width) {
  const now = camera[kind];
  if (now.busy || lostAt || camera.facts?.last_frame_age_s == null) return; // there is none
  now.busy = true;
  try {
    const headers = now.tag ? { "If-None-Match": now.tag } : {};
    const path = `/v1/cameras/${encodeURIComponent(camera.name)}/latest.jpg?boxes=1&size=${width}`;
    const response = await ask(path, { headers });
    if (response.status === 304) return;
    if (!response.ok) {
      now.error = await refusal(response);
      return;
    }
    const error = response.headers.get("Capture-Agent-Error");
    const next = {
      tag: response.headers.get("ETag"),
      at: response.headers.get("Capture-Agent-Captured-At"),
      analysed: performance.now() - 1000 * Number(response.headers.get("Capture-Agent-Age")),
      seen: JSON.parse(response.headers.get("Capture-Agent-Seen")),
      error: error ? JSON.parse(error) : "",
    };
    next.url = URL.createObjectURL(await response.blob());
    try {
      await decoded(next.url);
    } catch {
      URL.revokeObjectURL(next.url); // no image that this browser knows
      return;
    }
    show(camera, kind, next);
  } catch {
    // The connection's own line says it.
  } finally {
    now.busy = false;
  }
}

async function decoded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
}

function show(camera, kind, next) {
  const now = camera[kind];
  if (kind === "large" && held && now.url) {
    URL.revokeObjectURL(next.url);
    return;
  }
  const before = now.url;
  Object.assign(now, next);
  if (kind === "large" && camera.name === chosen) showLarge();
  if (kind === "small" || camera.small.url === "") {
    camera.image.src = now.url;
    camera.image.hidden = false;
  }
  // Only now, because an element may still show it.
  if (before) setTimeout(() => URL.revokeObjectURL(before), PERIOD);
}

function showLarge() {
  const camera = cameras.get(chosen);
  const { url, at, seen } = camera.large;
  image.hidden = !url;
  if (!url) {
    put(find("seen"), "\u00a0");
    put(find("moment"), "");
    return;
  }
  image.src = url;
  image.alt = `Camera ${foreign(chosen)} at ${time(at)}: ${foreign(seen, 1000)}`;
  put(find("seen"), seen);
  ages();
}

function ages() {
  const { at, analysed, error } = cameras.get(chosen).large;
  const over = find("image-error");
  if (!at) {
    const why = error || cameras.get(chosen).facts?.error || "";
    put(over, why);
    over.hidden = !why;
    return;
  }
  const age = (performance.now() - analysed) / 1000;
  if (held && age > JUDGED) {
    hold(false);
    say("The held image is older than 10 seconds; the page goes on.");
  }
  const left = Math.max(0, Math.ceil(JUDGED - age));
  const old = age > STALE ? `, ${span(age)} old` : "";
  put(find("moment"), held ? `${time(at)}, held for ${left} s` : time(at) + old);
  find("frame").toggleAttribute("data-stale", !held && (age > STALE || lostAt !== null));
  const why = error || (age > STALE && !held ? `No new frame for ${span(age)}` : "");
  put(over, why);
  over.hidden = !why;
}

function tick() {
  if (!visible()) return;
  const width = Math.min(1920, Math.ceil(find("frame").clientWidth * devicePixelRatio));
  for (const camera of cameras.values()) {
    if (camera.name === chosen) fetchImage(camera, "large", Math.max(1, width));
    if (camera.inView && !find("others").hidden) fetchImage(camera, "small", TILE);
  }
  ages();
  tellShown();
  if (stream && performance.now() - heardAt > SILENT) lost();
}

function tellShown() {
  const { at, analysed, error } = cameras.get(chosen).large;
  if (!facts?.affirms || !at || error || lostAt || image.hidden) return;
  if (performance.now() - analysed > 1000 * (JUDGED - 1)) return; // the agent keeps it no longer
  post("/v1/shown", { camera: chosen, at, seconds: PERIOD / 1000 }).catch(() => {});
}

// The stream of facts

// `fetch`, not `EventSource`: it tells why the agent refuses.
async function connect() {
  clearTimeout(retry);
  if (stream || !visible()) return;
  const mine = new AbortController();
  stream = mine;
  heardAt = performance.now();
  let why = "";
  try {
    const response = await ask("/v1/live", { signal: mine.signal });
    if (response.ok) await listen(response.body);
    else why = await refusal(response);
  } catch {
    // Gone, or closed here.
  }
  if (stream === mine) lost(why);
}

async function listen(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) heard(JSON.parse(line.slice(6)));
  }
}

function heard(now) {
  heardAt = performance.now();
  lostAt = null;
  render(now);
}

function close() {
  clearTimeout(retry);
  stream?.abort();
  stream = null;
}

function lost(why = "") {
  close();
  lostAt ??= new Date();
  put(find("connection"), `${why || `No connection since ${time(lostAt)}`}; trying again`, "bad");
  for (const camera of cameras.values()) put(camera.state, "no connection", "quiet");
  put(find("stage-state"), "no connection", "quiet");
  retry = setTimeout(connect, RETRY);
}

document.addEventListener("visibilitychange", () => {
  if (visible()) {
    connect();
    tick();
  } else {
    close();
  }
});

function render(now) {
  facts = now;
  if (isAnother(now)) return;
  const running = now.phase === "running";
  put(find("connection"), running ? "Live" : `The agent is ${now.phase}`, running ? "good" : "warn");
  for (const each of now.cameras) {
    const camera = cameras.get(each.name);
    camera.facts = each;
    const [words, level] = condition(each);
    put(camera.state, each.state === "live" && level === "good" ? `live, ${each.fps.toFixed(1)} fps` : words, level);
    if (each.name === chosen) put(find("stage-state"), words, level);
  }
  shape();
  renderNeeds(now);
  renderFacts(now);
  renderCaptures(now.captures);
}

// Another version of the page, or other cameras, need a new document; once each, never in a circle.
function isAnother(now) {
  const names = now.cameras.map((each) => each.name);
  const same = now.page === document.body.dataset.tag
    && names.length === cameras.size && names.every((name) => cameras.has(name));
  if (same || now.phase === "starting") return false;
  const key = `${now.page} ${names.join()}`;
  if (sessionStorage.getItem("reloaded") === key) return names.some((name) => !cameras.has(name));
  sessionStorage.setItem("reloaded", key);
  location.reload();
  return true;
}

function shape() {
  for (const camera of cameras.values()) {
    const { width, height } = camera.facts ?? {};
    if (!width) continue;
    camera.frame.style.aspectRatio = "16 / 9";
    if (camera.name === chosen) find("frame").style.aspectRatio = `${width} / ${height}`;
  }
}

// What a person says

function say(text, level = "quiet") {
  put(find("result"), text, level);
}

let latest = 0; // of the messages, only that of the latest button is kept up to date

async function act(what) {
  if (what === "hold") return hold(!held);
  const { at } = cameras.get(chosen).large;
  const camera = chosen;
  if (!at || image.hidden) return say("There is no image yet.", "bad");
  const mine = (latest += 1);
  const about = `${foreign(camera)} at ${time(at)}`;
  try {
    const more = note.value.trim() ? { note: note.value.trim() } : {};
    const by = who.value.trim() ? { by: who.value.trim() } : {};
    const said = what === "capture"
      ? await post("/v1/captures", { camera, at, ...more })
      : await post("/v1/verdicts", { camera, at, verdict: what, ...by, ...more });
    note.value = "";
    hold(false);
    const done = what === "capture"
      ? `${about}: captured ${short(said.id)}`
      : `${about}: ${what}` + (said.id ? `, captured ${short(said.id)}` : ", noted");
    say(done, "good");
    if (said.id) follow(said.id, done, mine);
  } catch (error) {
    const reason = error instanceof TypeError ? "there is no connection to the agent" : error.message;
    if (mine === latest) say(`${about}: ${reason}`, "bad");
  }
}

function short(id) {
  return id.slice(0, 13); // the time and a few digits: enough to find it in a list
}

async function follow(id, done, mine) {
  for (let n = 0; n < 120 && mine === latest; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
    if (!visible() || lostAt) continue;
    try {
      const response = await ask(`/v1/captures/${encodeURIComponent(id)}`);
      if (!response.ok) return;
      const { state, reason } = await response.json();
      const level = ["rejected", "refused"].includes(state) ? "bad" : "good";
      if (mine === latest) say(`${done}: ${state}${reason ? `, ${reason}` : ""}`, level);
      if (FINAL.has(state)) return;
    } catch {
      // Tried again: the connection's own line says it.
    }
  }
}

function hold(on) {
  held = on;
  find("frame").toggleAttribute("data-held", on);
  document.querySelector('[data-do="hold"]').setAttribute("aria-pressed", String(on));
  ages();
}

function choose(name) {
  if (name !== chosen) hold(false);
  chosen = name;
  for (const camera of cameras.values()) camera.tile.setAttribute("aria-pressed", String(camera.name === name));
  put(find("stage-name"), name);
  const known = cameras.get(name).facts;
  put(find("stage-state"), ...(known ? condition(known) : ["Waiting for the first image", "quiet"]));
  showLarge();
  shape();
  ages();
  fetchImage(cameras.get(name), "large", Math.max(1, Math.min(1920, Math.ceil(find("frame").clientWidth * devicePixelRatio))));
}

function step(by) {
  const names = [...cameras.keys()];
  choose(names[(names.indexOf(chosen) + by + names.length) % names.length]);
  put(find("told"), `Camera ${foreign(chosen)}`);
}

const KEYS = {
  c: () => act("capture"), r: () => act("right"), w: () => act("wrong"), m: () => act("missing"),
  u: () => act("unusable"), h: () => act("hold"),
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), "?": () => find("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (find("help").open || event.target.closest("input, textarea, select, [contenteditable]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key]();
});

for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => act(button.dataset.do));
}
for (const camera of cameras.values()) {
  camera.tile.addEventListener("click", () => choose(camera.name));
}
note.addEventListener("input", () => { if (note.value && !held) hold(true); });
note.addEventListener("keydown", (event) => { if (event.key === "Escape") { note.value = ""; hold(false); note.blur(); } });
who.addEventListener("change", () => store("who", who.value.trim()));
find("help-open").addEventListener("click", () => find("help").showModal());
find("help-close").addEventListener("click", () => find("help").close());

// A browser may forbid storage.
function store(name, value) {
  try { localStorage.setItem(name, value); } catch { /* it is asked again next time */ }
}
try { who.value = localStorage.getItem("who") ?? ""; } catch { /* as above */ }

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) cameras.get(entry.target.dataset.camera).inView = entry.isIntersecting;
});
for (const camera of cameras.values()) seen.observe(camera.tile);

if (chosen !== undefined) {
  choose(chosen);
  setInterval(tick, PERIOD);
  connect();
}
