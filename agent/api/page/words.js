// Times and sizes for people.

export function time(at) {
  return new Date(at).toLocaleTimeString([], { hourCycle: "h23" });
}

export function span(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let n = 0;
  while (bytes >= 1000 && n < units.length - 1) { bytes /= 1000; n += 1; }
  return `${n && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[n]}`;
}

// The time, with the day if it is not today.
export function moment(at) {
  const day = new Date(at).toLocaleDateString();
  return day === new Date().toLocaleDateString() ? time(at) : `${day}, ${time(at)}`;
}
