"""The style of the evaluation page, after that of all pages."""

PAGE_STYLE = """
.warning{background:color-mix(in srgb,var(--uncertain) 14%,var(--card));
border:1px solid var(--uncertain);border-left-width:.35rem;border-radius:.5rem;
padding:.7rem .9rem;margin:1rem 0 0;overflow-wrap:anywhere}
code{font:.92em/1.4 ui-monospace,"DejaVu Sans Mono",Menlo,monospace;user-select:all}
.warning code{display:block;margin-top:.4rem;padding:.35rem .6rem;background:var(--card);
border:1px solid var(--line);border-radius:.3rem;overflow-wrap:anywhere}
.warning b{color:var(--uncertain)}
.better{border-color:var(--certain);background:color-mix(in srgb,var(--certain) 12%,var(--card))}
.better b{color:var(--certain)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
.scroll:focus-visible{outline:2px solid var(--random)}
.scroll table{border-collapse:collapse;width:100%;font-size:.9rem;
font-variant-numeric:tabular-nums}
.scroll th,.scroll td{padding:.4rem .8rem;text-align:right;white-space:nowrap;
border-bottom:1px solid var(--line);vertical-align:top;line-height:1.3}
.scroll tr:last-child th,.scroll tr:last-child td{border-bottom:0}
.scroll th{font-weight:500;color:var(--soft)}
.scroll th:first-child{text-align:left;color:var(--ink);white-space:normal;
overflow-wrap:anywhere;min-width:5rem}
.scroll thead th{color:var(--soft)!important}
.scroll small{display:block}
.scroll .worse{color:var(--uncertain);font-weight:600}
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,18rem),1fr));gap:.8rem}
.curves figcaption{font-size:.85rem;color:var(--soft);margin-top:.35rem}
.legend i.used{background:var(--score)}.legend i.best{background:var(--certain)}
.legend i.expected{background:none;border-radius:0;border-left:2px dashed var(--score);width:.2em}
.legend i.missed,.legend i.wrong,.legend i.right{border-radius:0;background:none}
.legend i.missed{border:2px dashed #ffb454}.legend i.wrong{border:2px solid #ff5c57}
.legend i.right{border:2px solid #35d070}
.image rect.missed{stroke:#ffb454;stroke-dasharray:6 4}.image rect.wrong{stroke:#ff5c57}
.image rect.right{stroke:#35d070;stroke-width:1.5px}
.image text.missed{fill:#ffd9a0}.image text.wrong{fill:#ffb3b0}
.no-image{color:#ddd;line-height:1.4;padding:3rem 1rem;margin:0;text-align:center}
"""
