"""The style of all pages: for phones and laptops, light and dark."""

STYLE = """
:root{color-scheme:light dark;--paper:#f7f7f5;--card:#fff;--ink:#1d1f21;--soft:#63686e;
--line:#dcdedf;--score:#c2560c;--random:#1f6fb2;--interval:#6b7280;--requested:#8b3fa8;
--certain:#16803c;--uncertain:#d9660b}
@media(prefers-color-scheme:dark){:root{--paper:#15171a;--card:#1e2125;--ink:#e8e9ea;
--soft:#9aa0a6;--line:#34383d;--score:#f08a3c;--random:#5aa7e6;--interval:#9aa0a6;
--requested:#c98be0;--certain:#46c172;--uncertain:#f59442}}
*{box-sizing:border-box}
span,small,b,th,td,text{unicode-bidi:isolate} /* names of others, in any direction */
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.2;margin:0}
header p{margin:.25rem 0 0;color:var(--soft);overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.25rem 0 .5rem}
h3{font-size:.95rem;margin:1rem 0 .25rem;overflow-wrap:anywhere}
p{margin:.25rem 0 .75rem}
small{color:var(--soft);font-size:.85em}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;
margin-top:1.25rem}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;
padding:.7rem .9rem}
.tiles b{display:block;font-size:1.7rem;line-height:1.15;font-variant-numeric:tabular-nums}
.tiles span,.tiles small{display:block}
.legend{color:var(--soft);font-size:.85rem}
.legend i{display:inline-block;width:.75em;height:.75em;border-radius:50%;margin:0 .35em 0 .9em}
.legend i:first-child{margin-left:0}
.legend i.certain,.legend i.suspect{border-radius:0;background:none;border:2px solid var(--certain)}
.legend i.suspect{border:2px dashed var(--uncertain)}
i.score{background:var(--score)}i.random{background:var(--random)}
i.interval{background:var(--interval)}
.timeline{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .75rem;
align-items:center;background:var(--card);border:1px solid var(--line);border-radius:.5rem;
padding:.75rem .9rem;font-size:.85rem}
.track{width:100%;height:22px;background:linear-gradient(var(--line),var(--line)) center/100% 1px
no-repeat}
.axis{display:flex;justify-content:space-between;color:var(--soft)}
circle{fill-opacity:.8;stroke:var(--card)}
circle.score{fill:var(--score)}circle.random{fill:var(--random)}
circle.interval{fill:var(--interval)}circle.requested{fill:var(--requested)}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:.8rem}
article{background:var(--card);border:1px solid var(--line);border-radius:.5rem;overflow:hidden}
.image{position:relative;line-height:0;background:#000}
.image img{width:100%;height:auto}
.image svg{position:absolute;inset:0;width:100%;height:100%}
.image rect,.image polygon,.image line{fill:none;stroke-width:2px;vector-effect:non-scaling-stroke;
stroke:#35d070}
.image polygon{fill:#35d070;fill-opacity:.2}.image polygon.suspect{fill:#ffa24d}
.image polygon.rotated{fill:none}.image line{stroke-width:1.5px}
.image rect.suspect,.image polygon.suspect{stroke:#ffa24d;stroke-dasharray:5 3}
.image line.suspect{stroke:#ffa24d}
.image circle{fill:#35d070;fill-opacity:1;stroke:#000a;stroke-width:1px;
vector-effect:non-scaling-stroke}.image circle.suspect{fill:#ffa24d}
.image text{fill:#8ff0b2;font-weight:600;paint-order:stroke;stroke:#000b;stroke-width:.28em;
stroke-linejoin:round}
.image text.suspect{fill:#ffc48f}
.reasons{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem;margin:.6rem .7rem .2rem;padding:0;
font-size:.8rem;font-variant-numeric:tabular-nums}
.reasons li{border:1px solid var(--line);border-radius:1rem;padding:.05rem .55rem}
article p{margin:.2rem .7rem .65rem;color:var(--soft);font-size:.8rem}
article b.score{color:var(--score)}article b.random{color:var(--random)}
.histograms{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:.8rem}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:.5rem;
padding:.7rem .8rem .5rem}
figure svg{width:100%;height:auto;display:block;overflow:visible}
figcaption{overflow-wrap:anywhere}
figure rect.certain{fill:var(--certain)}figure rect.uncertain{fill:var(--uncertain)}
.base{stroke:var(--line)}.limit{stroke:var(--ink);stroke-dasharray:3 2}
figure text{font-size:9px;fill:var(--soft)}
footer{margin-top:2.5rem;padding-top:.75rem;border-top:1px solid var(--line);
color:var(--soft);font-size:.8rem;overflow-wrap:anywhere}
"""
