"""The script and style of the health page: a figure opens the images behind it."""

SCRIPT = r"""
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const dialog = document.getElementById('viewer');
const sheet = dialog.querySelector('.sheet');
const more = dialog.querySelector('.more');
const STEP = 60;
let shown = [], label = '', place = 0;

function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text) made.textContent = text;
  return made;
}

function drawn(image) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 10000 10000');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  for (const [name, left, top, right, bottom] of image.o) {
    const box = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    box.setAttribute('x', left);
    box.setAttribute('y', top);
    box.setAttribute('width', Math.max(0, right - left));
    box.setAttribute('height', Math.max(0, bottom - top));
    const title = document.createElementNS('http://www.w3.org/2000/svg', 'title');
    title.textContent = data.titles[name];
    box.append(title);
    if (label && data.labels[name] === label) box.setAttribute('class', 'chosen');
    svg.append(box);
  }
  return svg;
}

function card(number) {
  const image = data.images[number];
  const made = element('article');
  const frame = element('a', 'image');
  if (image.f) {
    frame.href = image.f;
    frame.target = '_blank';
    frame.rel = 'noopener noreferrer';
  }
  if (image.t) {
    const img = element('img');
    img.src = image.t;
    img.loading = 'lazy';
    img.alt = image.n;
    img.width = image.w;
    img.height = image.h;
    frame.append(img, drawn(image));
  } else {
    frame.append(element('span', 'lost', image.y || 'no thumbnail'));
  }
  made.append(frame, element('p', '', image.n), element('p', 'about', image.c));
  return made;
}

function addCards() {
  const end = Math.min(place + STEP, shown.length);
  const first = place;
  for (; place < end; place++) sheet.append(card(shown[place]));
  more.hidden = place >= shown.length;
  more.textContent = `Show ${Math.min(STEP, shown.length - place)} more`;
  return sheet.children[first];
}

function show(key, words) {
  shown = data.keys[key] || [];
  const kind = key.split(':')[0];
  label = kind === 'class' ? key.slice(6)
    : kind === 'place' || kind === 'size' ? key.split(':').slice(kind === 'place' ? 3 : 2).join(':')
    : '';
  place = 0;
  sheet.replaceChildren();
  const total = data.totals[key] || shown.length;
  dialog.querySelector('h2').textContent = words;
  dialog.querySelector('.count').textContent = total > shown.length
    ? `${shown.length} of ${total} images; the report in a folder has all`
    : `${total} ${total === 1 ? 'image' : 'images'}`;
  addCards();
  dialog.showModal();
  dialog.scrollTop = 0;
}

function wordsOf(target) {
  const words = target.getAttribute('aria-label') || target.querySelector('.name')?.textContent
    || target.textContent;
  return words.trim();
}

document.addEventListener('click', event => {
  const target = event.target.closest('[data-images]');
  if (target) show(target.dataset.images, wordsOf(target));
  else if (event.target === dialog) dialog.close();
});
dialog.querySelector('.close').addEventListener('click', () => dialog.close());
more.addEventListener('click', () => {
  const first = addCards();
  first?.querySelector('a')?.focus();
});

for (const map of document.querySelectorAll('[data-cells]')) {
  const cells = [...map.querySelectorAll('[data-images]')];
  if (cells.length) cells[0].setAttribute('tabindex', '0');
  map.addEventListener('keydown', event => {
    const cell = event.target.closest('[data-images]');
    if (!cell) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      show(cell.dataset.images, wordsOf(cell));
      return;
    }
    const steps = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1]};
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const x = +cell.getAttribute('x'), y = +cell.getAttribute('y');
    let best = null, least = Infinity;
    for (const other of cells) {
      const dx = other.getAttribute('x') - x, dy = other.getAttribute('y') - y;
      const ahead = dx * step[0] + dy * step[1], aside = Math.abs(dx * step[1] + dy * step[0]);
      if (ahead > 0.01 && ahead + 3 * aside < least) {
        least = ahead + 3 * aside;
        best = other;
      }
    }
    if (best) {
      cell.setAttribute('tabindex', '-1');
      best.setAttribute('tabindex', '0');
      best.focus();
    }
  });
}
"""

PAGE_STYLE = """
.alerts{list-style:none;margin:0;padding:0;display:grid;gap:.4rem}
.alerts li{background:var(--card);border:1px solid var(--line);border-left:.35rem solid
var(--interval);border-radius:.5rem}
.alerts .high{border-left-color:#d3382f}.alerts .medium{border-left-color:var(--uncertain)}
.alerts button,.alerts div{font:inherit;color:inherit;background:none;border:0;text-align:left;
width:100%;padding:.5rem .8rem;display:grid;grid-template-columns:4.5rem 1fr;gap:0 .6rem}
.alerts button{cursor:pointer;border-radius:.5rem}
.alerts button:hover,.alerts button:focus-visible{background:color-mix(in srgb,var(--random) 12%,
transparent)}
.alerts button:focus-visible{outline:2px solid var(--random)}
.alerts .severity{color:var(--soft);font-size:.85rem;line-height:1.75}
.alerts .high .severity{color:var(--bad);font-weight:600}
.alerts .name{overflow-wrap:anywhere}
.alerts .advice{grid-column:2;color:var(--soft);font-size:.87rem;overflow-wrap:anywhere}
:root{--bad:#b3261e}@media(prefers-color-scheme:dark){:root{--bad:#ff8a80}}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:.8rem}
.pair>div{min-width:0}
.maps{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:.8rem}
.maps figure{padding:.5rem}.maps .chart{border:0}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--soft)}
table.plain{border-collapse:collapse;font-size:.9rem}
table.plain th,table.plain td{text-align:left;padding:.2rem 1.2rem .2rem 0;font-weight:400;
border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
.problems{font-size:.85rem;overflow-wrap:anywhere;padding-left:1.2rem}
dialog{width:min(76rem,96vw);max-height:92vh;border:1px solid var(--line);border-radius:.7rem;
background:var(--paper);color:var(--ink);padding:0 1rem 1rem}
dialog::backdrop{background:#000a}
dialog header{position:sticky;top:0;background:var(--paper);display:grid;z-index:1;
grid-template-columns:1fr auto;gap:0 1rem;align-items:center;padding:.8rem 0 .6rem}
dialog h2{margin:0;overflow-wrap:anywhere}
dialog .count{margin:0;grid-row:2}
dialog .close,dialog .more{font:inherit;color:inherit;background:var(--card);border:1px solid
var(--line);border-radius:.4rem;padding:.35rem .9rem;cursor:pointer}
dialog .more{margin-top:.8rem}
dialog .sheet{grid-template-columns:repeat(auto-fill,minmax(min(100%,13rem),1fr))}
dialog .image{display:block;color:#ddd}
dialog .image rect{stroke:#35d070;stroke-width:1.5px}
dialog .image rect.chosen{stroke:#ffd23d;stroke-width:2.5px}
dialog .lost{display:block;line-height:1.4;padding:1rem;font-size:.85rem}
dialog article p{margin:.25rem .6rem;font-size:.75rem;overflow-wrap:anywhere;color:var(--ink)}
dialog article p.about{color:var(--soft)}
"""

VIEWER = (
    '<dialog id="viewer" aria-labelledby="viewed"><header><h2 id="viewed"></h2>'
    '<button type="button" class="close">Close</button><p class="count"></p></header>'
    '<div class="sheet"></div><button type="button" class="more" hidden></button></dialog>'
)
