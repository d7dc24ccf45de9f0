"""The style of the charts, for phones and laptops, light and dark; colours of the page's style."""

CHART_STYLE = """
.chart{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
.chart button{font:inherit;color:inherit;background:none;border:0;padding:0;margin:0;
text-align:left;cursor:pointer}
.chart .value,.chart .heat{fill:var(--random)}.chart .second{fill:var(--score)}
.chart .third{fill:var(--requested)}.chart .soft{fill:var(--interval);fill-opacity:.55}
.chart .good{fill:var(--certain)}.chart .warning{fill:var(--uncertain)}.chart .bad{fill:#d3382f}
.chart .mark{stroke:var(--ink);stroke-width:2px;stroke-dasharray:3 2}
.bars{display:grid;gap:.1rem .75rem;
grid-template-columns:minmax(5.5rem,max-content) minmax(3rem,1fr) max-content}
.bars>.bar{display:grid;grid-template-columns:subgrid;grid-column:1/-1;align-items:center;
padding:.22rem .3rem;border-radius:.3rem;min-height:1.9rem}
.bars .name{overflow-wrap:anywhere;max-width:14rem;line-height:1.25}
.bars .figure{font-variant-numeric:tabular-nums;color:var(--soft);font-size:.85rem}
.bars .track{width:100%;height:.95rem;background:color-mix(in srgb,var(--line) 45%,transparent);
border-radius:.15rem;display:block}
.chart button:hover,.chart button:focus-visible{
background:color-mix(in srgb,var(--random) 14%,transparent)}
.chart :focus-visible,.grid:focus-visible{outline:2px solid var(--random);outline-offset:1px}
.histogram .columns{display:flex;align-items:stretch;height:7rem;
border-bottom:1px solid var(--soft)}
.histogram .column{flex:1 1 0;min-width:0;padding:0 1px!important;height:100%}
.histogram .column svg{width:100%;height:100%;display:block}
.chart .axis{display:flex;justify-content:space-between;color:var(--soft);font-size:.78rem;
font-variant-numeric:tabular-nums;white-space:nowrap}
.chart .axis span{flex:1 1 0;min-width:0;text-align:center}
.chart .axis.edges span{flex:none;width:0;display:flex;justify-content:center}
.chart .axis.edges span:first-child{justify-content:flex-start}
.chart .axis.edges span:last-child{justify-content:flex-end}
.map{width:100%;height:auto;display:block;padding:0;overflow:hidden;
outline:1px solid var(--line);border-radius:0}
.map .heat{stroke:var(--line);stroke-width:.02px}
.map [data-images]{cursor:pointer}
.map [data-images]:hover,.map [data-images]:focus-visible{stroke:var(--ink);stroke-width:.1px;
outline:none}
.grid{overflow-x:auto;position:relative}
.grid table{border-collapse:collapse;width:100%;font-size:.8rem;font-variant-numeric:tabular-nums}
.grid th{font-weight:400;color:var(--soft);text-align:left;padding:0 .5rem 0 0}
.grid thead th{padding:0;max-width:0;overflow:visible;white-space:nowrap}
.grid thead th:last-child{max-width:none;text-align:right}
.grid th[scope=row]{overflow-wrap:anywhere;width:11rem;min-width:5rem;max-width:11rem;
color:var(--ink)}
.grid .hidden{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.grid td{padding:1px;height:1.6rem;min-width:.85rem}
.grid .sum{text-align:right;width:3.5rem;padding-left:.5rem;color:var(--soft)}
.grid .square{display:block;width:100%;height:100%;min-height:1.5rem;border-radius:.15rem;
background:color-mix(in srgb,var(--line) 45%,transparent)!important}
.grid .square svg{width:100%;height:1.5rem;display:block;border-radius:.15rem}
@media(max-width:30rem){.chart{padding:.5rem}
.bars{grid-template-columns:1fr max-content}
.bars .name{max-width:none}.bars .figure{text-align:right}
.bars .track{grid-row:2;grid-column:1/-1;height:.7rem}
.chart .axis.edges span:nth-child(even):not(:last-child){visibility:hidden}
}
"""
