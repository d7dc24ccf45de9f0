"""A page of another origin on the same computer that tries to reach the API in every way it has."""

import json

from tests.camera.http_camera import HttpCamera, Page

HTML = "text/html; charset=utf-8"

ATTACK = """<!doctype html><html lang=en><title>foreign</title>
<body><script>
const TARGET = %s;
const results = {};
const attempts = [];
function attempt(name, make) {
  attempts.push(new Promise(make).then(
    what => { results[name] = String(what); }, error => { results[name] = 'nothing'; }));
}
function fetched(name, path, options, reads) {
  attempt(name, (yes, no) => fetch(TARGET + path, options).then(
    response => reads ? response.text().then(text => yes('read ' + text)) : no(), no));
}
function element(name, kind, attribute, path, loaded) {
  attempt(name, (yes, no) => {
    const made = document.createElement(kind);
    made.onload = () => { const what = loaded(made); what ? yes(what) : no(); };
    made.onerror = no;
    if (kind === 'link') made.rel = 'stylesheet';
    made[attribute] = TARGET + path;
    document.body.append(made);
  });
}
function posted(name, path, encoding, fields) {
  attempt(name, (yes, no) => {
    const frame = document.createElement('iframe');
    frame.name = name;
    document.body.append(frame);
    const form = document.createElement('form');
    Object.assign(form, {method: 'post', enctype: encoding, target: name, action: TARGET + path});
    for (const [key, value] of Object.entries(fields)) {
      const input = document.createElement('input');
      Object.assign(input, {type: 'hidden', name: key, value: value});
      form.append(input);
    }
    document.body.append(form);
    frame.onload = () => no();
    form.submit();
  });
}
const CAPTURE = JSON.stringify({camera: 'gate'});
const CALLS = {
  'v1/captures': CAPTURE,
  'v1/verdicts': JSON.stringify({camera: 'gate', at: '-1s', verdict: 'wrong'}),
  'v1/shown': JSON.stringify({camera: 'gate', at: '-1s', seconds: 5}),
};
for (const path of ['', 'v1/status', 'metrics', 'v1/cameras/gate/latest.jpg'])
  fetched('fetch ' + path, path, {}, true);
fetched('fetch with credentials', 'v1/status', {credentials: 'include'}, true);
for (const [path, body] of Object.entries(CALLS)) {
  for (const kind of ['text/plain', 'application/x-www-form-urlencoded', 'application/json'])
    fetched('post ' + path + ' ' + kind, path,
      {method: 'POST', headers: {'Content-Type': kind}, body: body}, true);
  for (const method of ['POST', 'PUT', 'DELETE'])
    fetched(method + ' without cors ' + path, path, {method, mode: 'no-cors', body: body}, false);
  attempt('beacon ' + path, (yes, no) => { navigator.sendBeacon(TARGET + path, body); no(); });
  const [before, after] = [body.slice(0, -1) + ',"x":"', '"}'];
  posted('text form ' + path, path, 'text/plain', {[before]: after});
  posted('form ' + path, path, 'application/x-www-form-urlencoded', JSON.parse(body));
  posted('multipart form ' + path, path, 'multipart/form-data', JSON.parse(body));
}
posted('multipart frame', 'v1/frames/gate', 'multipart/form-data', {image: 'x'});
element('image', 'img', 'src', 'v1/cameras/gate/latest.jpg', image => image.naturalWidth);
element('script', 'script', 'src', 'v1/status', () => 'loaded');
element('style', 'link', 'href', 'v1/status', () => 'loaded');
element('iframe', 'iframe', 'src', '', () => '');
element('object', 'object', 'data', 'v1/cameras/gate/latest.jpg', () => 'loaded');
attempt('events', (yes, no) => {
  const source = new EventSource(TARGET + 'v1/detections?camera=gate');
  source.onopen = () => yes('open');
  source.onerror = () => { source.close(); no(); };
});
attempt('socket', (yes, no) => {
  const socket = new WebSocket(TARGET.replace('http', 'ws') + 'v1/detections');
  socket.onopen = () => yes('open');
  socket.onerror = no;
});
Promise.all(attempts).then(() => { document.title = 'done'; });
</script>"""

RESULTS = "return document.title === 'done' ? Object.entries(results) : null"


def serve_attack(target: str) -> HttpCamera:
    """Serve the page at `/`; `target` is the address that it attacks, with its last slash."""
    page = ATTACK % json.dumps(target)
    return HttpCamera({"/": Page(page.encode(), HTML)})
