// What the agent says of itself: its cameras, what it needs, its facts and its captures.

import { find, foreign, made, put } from "./elements.js";
import { moment, size, span, time } from "./words.js";

// The condition of a camera in words, and its level.
export function condition(camera) {
  const since = camera.since_s === null ? "" : ` for ${span(camera.since_s)}`;
  if (camera.state === "live") {
    const words = [`live, ${camera.fps.toFixed(1)} fps`];
    if (camera.width) words.push(`${camera.width}×${camera.height}`);
    if (camera.quality && camera.quality !== "clear") words.push(camera.quality);
    if (camera.error) words.push(foreign(camera.error));
    const bad = camera.error || ["frozen", "covered"].includes(camera.quality);
    return [words.join(", "), bad ? "bad" : camera.quality && camera.quality !== "clear" ? "warn" : "good"];
  }
  const why = camera.error ? `: ${foreign(camera.error)}` : "";
  if (camera.state === "opening") return [`opening${since}${why}`, "warn"];
  if (camera.state === "ended") return ["the recording has ended", "quiet"];
  return [`${camera.state}${since}${why}`, "bad"];
}

export function renderNeeds(now) {
  const needs = now.needs ?? [];
  const list = find("needs");
  if (list.dataset.text !== needs.join("\n")) {
    list.dataset.text = needs.join("\n");
    list.replaceChildren(...needs.map((need) => made("li", need)));
  }
  list.hidden = !needs.length;
}

export function renderFacts(now) {
  const rows = [...stored(now), ["Upload", ...upload(now)]];
  rows.push(["Model", now.model ? `${foreign(now.model)}, ${provider(now.model_provider)}` : "-", now.model_error ? "bad" : ""]);
  rows.push(["Running", `for ${span(now.uptime_s)}`]);
  const list = find("facts");
  while (list.children.length > rows.length) list.lastChild.remove();
  rows.forEach(([name, value, level = ""], n) => {
    if (!list.children[n]) {
      const row = made("div");
      row.append(made("dt"), made("dd"));
      list.append(row);
    }
    put(list.children[n].firstChild, name);
    put(list.children[n].lastChild, value, level);
  });
}

// What the disk tells; nothing while it hangs.
function stored(now) {
  if (now.waiting === undefined) return [];
  const oldest = now.oldest_waiting ? `, the oldest from ${moment(now.oldest_waiting)}` : "";
  const last = now.last_delivered ? `, the last at ${moment(now.last_delivered)}` : "";
  const rows = [
    ["Waiting", `${now.waiting} captures, ${size(now.waiting_bytes)}${oldest}`],
    ["Delivered", `${now.delivered}${last}`],
  ];
  if (now.in_rejected) rows.push(["Refused", `${now.in_rejected} by the endpoint`, "bad"]);
  if (now.auto) {
    const trusted = now.auto.trusted ? `trusted: ${foreign(now.auto.trusted)}` : "no class is trusted";
    const sent = `${now.auto.sent_today ?? 0} of ${now.auto.per_day} sent today`;
    rows.push(["Auto labels", `${sent}; ${trusted}`, now.auto.trusted ? "" : "warn"]);
  }
  rows.push(
    ["Credits", now.credits_left < 0 ? "no limit" : `${now.credits_left.toFixed(1)} left, ${now.budget_per_day} a day`],
    ["Spool", `${size(now.occupied_bytes)} of ${size(now.max_bytes)}`, now.disk === "spool full" ? "warn" : ""],
    ["Disk", ...disk(now)],
  );
  return rows;
}

function disk(now) {
  const free = now.disk_free_bytes === null ? "" : `${size(now.disk_free_bytes)} free`;
  if (now.disk === "refused") return ["refuses writes", "bad"];
  return now.disk === "full" ? [`full: ${free}`, "bad"] : [free];
}

function upload(now) {
  if (!now.target) return ["off: captures stay on disk"];
  if (now.upload === "blocked") return ["blocked, see above", "bad"];
  const error = now.last_error ? `: ${now.last_error}` : `, ${now.target}`;
  return [`${now.upload ?? "nothing sent yet"}${error}`, now.upload === "delayed" ? "warn" : ""];
}

function provider(name) {
  return (name ?? "").replace(/ExecutionProvider$/, "");
}

export function renderCaptures(captures) {
  const list = find("captures");
  const text = JSON.stringify(captures);
  find("no-captures").hidden = captures.length > 0;
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...captures.map((capture) => {
    const item = made("li");
    const top = made("div", undefined, "top");
    top.append(made("b", capture.camera ?? "-"), made("span", capture.captured_at ? time(capture.captured_at) : "", "soft"));
    item.append(top, made("p", capture.why || capture.lane || ""));
    if (capture.also.length) item.append(made("p", `also ${capture.also.join(", ").replaceAll("_", " ")}`, "soft"));
    const words = [capture.state];
    if (capture.reason) words.push(capture.reason);
    if (capture.lane) words.push(`lane ${capture.lane}`);
    if (typeof capture.value === "number") words.push(`value ${capture.value.toFixed(2)}`);
    item.append(made("p", words.join(", "), "soft"));
    for (const each of capture.verdicts) {
      item.append(made("p", `verdict ${each.verdict}${each.by ? `, by ${foreign(each.by)}` : ""}`, "soft"));
    }
    if (capture.note) item.append(made("p", `"${foreign(capture.note, 1000)}"`, "soft"));
    return item;
  }));
}
