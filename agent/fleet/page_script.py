"""The script of the fleet page: filter, sort, and fresh rows without losing either."""

SCRIPT = r"""
'use strict';
const fleet = document.getElementById('fleet');
const table = document.getElementById('devices');
const filter = document.getElementById('filter');
const count = document.getElementById('count');
const stale = document.getElementById('stale');
const wanted = new URLSearchParams(location.hash.slice(1));
let show = wanted.get('show') || '';
let column = Number(wanted.get('column') || -1);
let falling = wanted.get('falling') === '1';
let rows = [];
let moved = false;
filter.value = wanted.get('filter') || '';

function taken() {
  rows = [...table.tBodies[0].rows].map((row, place) =>
    ({row, place, text: null}));
  moved = false;
}

function value(row) {
  const cell = row.cells[column];
  return 'v' in cell.dataset ? Number(cell.dataset.v) : cell.textContent.trim().toLowerCase();
}

function sorted() {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    if (place === column) head.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
    else head.removeAttribute('aria-sort');
  });
  const order = [...rows];
  if (column >= 0) {
    order.forEach(each => { each.value = value(each.row); });
    const sign = falling ? -1 : 1;
    order.sort((one, two) => {
      const less = one.value < two.value ? -1 : one.value > two.value ? 1 : 0;
      return less ? sign * less : one.place - two.place;
    });
  }
  if (column >= 0 || moved) table.tBodies[0].append(...order.map(each => each.row));
  moved = column >= 0;
}

function filtered() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let seen = 0;
  for (const each of rows) {
    const row = each.row;
    if (words.length) each.text ??= row.textContent.toLowerCase();
    const fits = Boolean(
      (!show || (show === 'needs' ? row.dataset.needs : row.dataset.show === show))
      && words.every(word => each.text.includes(word)));
    if (row.hidden === fits) row.hidden = !fits;
    seen += fits ? 1 : 0;
  }
  for (const chip of document.querySelectorAll('button[data-show]'))
    chip.setAttribute('aria-pressed', String(chip.dataset.show === show));
  count.textContent = seen === rows.length ? ''
    : `${seen.toLocaleString('en')} of ${rows.length.toLocaleString('en')} devices shown`;
}

function remember() {
  const kept = new URLSearchParams();
  if (filter.value) kept.set('filter', filter.value);
  if (show) kept.set('show', show);
  if (column >= 0) kept.set('column', String(column));
  if (falling) kept.set('falling', '1');
  history.replaceState(null, '', '#' + kept);
}

filter.addEventListener('input', () => { filtered(); remember(); });

document.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (!button) return;
  if ('show' in button.dataset) {
    show = button.dataset.show === show ? '' : button.dataset.show;
    filtered();
  } else if (button.closest('thead')) {
    const place = button.closest('th').cellIndex;
    if (place !== column) { column = place; falling = false; }
    else if (!falling) falling = true;
    else { column = -1; falling = false; }
    sorted();
  }
  remember();
});

function renewed(fresh) {
  const focused = document.activeElement && document.activeElement.dataset.show;
  for (const part of ['#notes', '.tiles', '.chips', '#devices tbody', 'header p']) {
    const old = document.querySelector(part), made = fresh.querySelector(part);
    if (old && made) {
      const open = old.querySelector('details[open]');
      const left = old.scrollLeft;
      old.replaceWith(made);
      made.scrollLeft = left;
      if (open && made.querySelector('details')) made.querySelector('details').open = true;
    }
  }
  taken();
  sorted();
  filtered();
  if (focused !== undefined) {
    const chip = document.querySelector(`button[data-show="${focused}"]`);
    if (chip) chip.focus({preventScroll: true});
  }
}

async function renew() {
  try {
    const response = await fetch(location.origin + location.pathname, {cache: 'no-store'});
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    renewed(new DOMParser().parseFromString(await response.text(), 'text/html'));
    stale.hidden = true;
  } catch (error) {
    if (stale.hidden) {
      const since = new Date().toISOString().slice(0, 19).replace('T', ' ');
      stale.textContent = `Not up to date: no answer since ${since} UTC (${error.message}).`;
      stale.hidden = false;
    }
  }
}

taken();
sorted();
filtered();
if (fleet.dataset.refresh) {
  let due = false;
  setInterval(() => { if (document.hidden) due = true; else renew(); },
    1000 * Number(fleet.dataset.refresh));
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && due) { due = false; renew(); }
  });
}
"""
