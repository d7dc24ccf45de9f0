// The objects of one capture while it is corrected, and the review that they make.

const NEAR = 0.05; // pixels that a box may differ and be the same
const SHAPES = ["polygon", "keypoints", "corners"];

// An entry is a capture that the page shows: `objects` are those of a detector, `labels` those that
// were chosen for a classifier, `line` is the review that was given here.
export function entryOf(detail) {
  const entry = { detail, objects: [], labels: null, line: null, note: "" };
  toGiven(entry);
  return entry;
}

export function isClassified(entry) {
  return entry.detail.classes !== null;
}

// As the last review says, or as the model says.
export function toGiven(entry) {
  const review = entry.detail.review;
  entry.labels = review?.labels ? [...review.labels] : null;
  if (!review?.boxes) {
    toModel(entry);
    return;
  }
  const model = modelObjects(entry.detail);
  entry.objects = review.boxes.map((given) => {
    const same = model.find((each) => isSame(each, given));
    return { ...structuredClone(given), confidence: same?.confidence, state: same ? "model" : "changed" };
  });
}

export function toModel(entry) {
  entry.labels = null;
  entry.objects = modelObjects(entry.detail);
}

function modelObjects(detail) {
  return detail.detections.filter((each) => each.sure)
    .map((each) => ({ ...structuredClone(each), state: "model" }));
}

export function isSame(one, other) {
  return one.label === other.label && one.box.every((side, at) => Math.abs(side - other.box[at]) < NEAR);
}

export function left(entry) {
  return entry.objects.filter((each) => each.state !== "deleted");
}

export function bestClass(entry) {
  return (entry.detail.classes || []).filter((each) => each.sure)
    .reduce((best, each) => (best && best.confidence >= each.confidence ? best : each), null)?.label ?? null;
}

// What the objects say of the model: wrong where something that it reported is changed or gone,
// missing where something was added alone.
export function kindOf(entry) {
  if (isClassified(entry)) {
    const best = bestClass(entry);
    const isRight = entry.labels === null || (entry.labels.length === 1 && entry.labels[0] === best);
    return isRight ? "right" : "wrong";
  }
  const now = left(entry);
  const model = modelObjects(entry.detail);
  if (model.some((each) => !takeSame(now, each))) return "wrong";
  return now.length ? "missing" : "right";
}

function takeSame(objects, wanted) {
  const at = objects.findIndex((each) => isSame(each, wanted));
  if (at >= 0) objects.splice(at, 1);
  return at >= 0;
}

export function isCorrected(entry) {
  return kindOf(entry) !== "right";
}

// The review that a button or key means; with a correction it says what the correction says.
export function reviewOf(entry, kind) {
  const line = { id: entry.detail.id, verdict: kind };
  if (kind === "unusable" || !isCorrected(entry)) return line;
  line.verdict = kindOf(entry);
  if (isClassified(entry)) line.labels = entry.labels;
  else line.boxes = left(entry).map(plain);
  return line;
}

function plain(object) {
  const { label, box } = object;
  const found = { label, box: box.map((side) => Math.round(side * 100) / 100) };
  if (Number.isInteger(object.class_id)) found.class_id = object.class_id;
  for (const name of SHAPES) if (object[name]) found[name] = object[name];
  if (object.iscrowd) found.iscrowd = true;
  return found;
}

export function relabel(object, label) {
  if (object.label === label) return;
  object.label = label;
  delete object.class_id; // it was that of the other label
  if (object.state === "model" || object.state === "deleted") object.state = "changed";
}

// Move and stretch an object with its outline and keypoints. A rotated box that is stretched
// becomes an upright one.
export function reshape(object, box) {
  const from = object.box;
  const scale = [0, 1].map((axis) => (box[axis + 2] - box[axis]) / Math.max(from[axis + 2] - from[axis], 1e-6));
  const isMoved = scale.every((each) => Math.abs(each - 1) < 1e-6);
  const moved = (point) => [
    box[0] + (point[0] - from[0]) * scale[0], box[1] + (point[1] - from[1]) * scale[1], ...point.slice(2),
  ];
  if (object.polygon) object.polygon = object.polygon.map(moved);
  if (object.keypoints) object.keypoints = object.keypoints.map(moved);
  if (object.corners && isMoved) object.corners = object.corners.map(moved);
  else delete object.corners;
  object.box = box;
  if (object.state === "model" || object.state === "deleted") object.state = "changed";
}

export function inImage(box, detail) {
  const [x1, y1, x2, y2] = box;
  const clamp = (value, most) => Math.min(Math.max(value, 0), most);
  return [
    clamp(Math.min(x1, x2), detail.width), clamp(Math.min(y1, y2), detail.height),
    clamp(Math.max(x1, x2), detail.width), clamp(Math.max(y1, y2), detail.height),
  ];
}

// What is not an object yet, and may become one: a suspect, or a detection below the threshold.
export function isHint(item) {
  return item.state === "suspect" || item.state === "weak";
}

export function area([left, top, right, bottom]) {
  return (right - left) * (bottom - top);
}

export function contains([left, top, right, bottom], [x, y], slack = 0) {
  return x >= left - slack && x <= right + slack && y >= top - slack && y <= bottom + slack;
}
