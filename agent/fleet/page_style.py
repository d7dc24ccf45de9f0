"""The style of the fleet page: a table on a desk, cards on a phone."""

PAGE_STYLE = """
:root{--bad:#b3261e;--warn:#9a5b00;--good:#16703a;--quiet:#5b6168}
@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--warn:#f5b55c;--good:#5fd08b;
--quiet:#a3a9b0}}
main{max-width:96rem}
.warning{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--warn);
border-radius:.3rem;padding:.5rem .8rem;margin:1rem 0 0;overflow-wrap:anywhere}
.warning ul{margin:.4rem 0 0;padding-left:1.2rem}
.filters{position:sticky;top:0;z-index:1;background:var(--paper);padding:.8rem 0 .4rem;
margin-top:.6rem}
.filters label{display:flex;gap:.5rem;align-items:center;font-size:.9rem}
.filters input{font:inherit;flex:1;max-width:26rem;min-width:0;padding:.35rem .6rem;
color:var(--ink);background:var(--card);border:1px solid var(--soft);border-radius:.3rem}
.chips{display:flex;gap:.35rem;margin-top:.5rem;overflow-x:auto;padding:.15rem}
.chip{font-size:.8rem;line-height:1.3;border:1px solid currentColor;border-radius:1rem;
padding:.05rem .55rem;white-space:nowrap;font-weight:600;color:var(--quiet)}
button.chip{font-family:inherit;background:var(--card);cursor:pointer;min-height:1.9rem;
color:var(--ink);font-weight:400}
button.chip[aria-pressed=true]{background:var(--ink);color:var(--paper)}
.silent .chip,.failing .chip{color:var(--bad)}.waiting .chip,.attention .chip{color:var(--warn)}
.well .chip{color:var(--good)}
#count{margin:.3rem 0 0;color:var(--soft);font-size:.85rem;min-height:1.3em}
#devices,#devices thead,#devices tbody{display:block}
#devices{font-size:.88rem;line-height:1.4;font-variant-numeric:tabular-nums}
#devices tr{display:grid;grid-template-columns:9fr 2fr 5fr 2fr 2fr 1.8fr 3fr}
#devices tbody tr{background:var(--card);content-visibility:auto;contain-intrinsic-size:auto 5rem;
border-top:1px solid var(--line)}
#devices tbody tr[hidden]{display:none}
#devices caption{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
#devices th,#devices td{text-align:left;vertical-align:top;padding:.45rem .6rem;
overflow-wrap:anywhere;font-weight:400}
#devices thead th{padding:.2rem .3rem;background:var(--paper)}
#devices thead button{font:inherit;font-size:.82rem;color:var(--soft);background:none;border:0;
padding:.2rem .3rem;cursor:pointer;text-align:left}
#devices thead [aria-sort] button{color:var(--ink);font-weight:600}
#devices thead [aria-sort=ascending] button::after{content:" \\2191"}
#devices thead [aria-sort=descending] button::after{content:" \\2193"}
#devices small{display:block}
#devices p{margin:.15rem 0 0}
#devices ul{list-style:none;margin:0;padding:0}
#devices li.bad{color:var(--bad)}
#devices li::before{content:"";display:inline-block;width:.55em;height:.55em;border-radius:50%;
background:currentColor;margin-right:.4em}
#devices li.more::before{display:none}
#devices li.good::before{background:var(--good)}
#devices tr.past li{color:var(--quiet)}
#devices tr.past li::before{background:none;
border:1px solid currentColor}
#devices tr.silent th,#devices tr.failing th{box-shadow:inset .25rem 0 var(--bad)}
#devices tr.waiting th,#devices tr.attention th{box-shadow:inset .25rem 0 var(--warn)}
#devices .other{color:var(--warn);font-weight:600}
#devices .other code::after{content:" differs";font-family:system-ui,sans-serif}
button:focus-visible,input:focus-visible,summary:focus-visible{outline:2px solid var(--random);
outline-offset:1px}
@media(max-width:56rem){
.tiles{grid-template-columns:repeat(auto-fit,minmax(6.5rem,1fr));gap:.4rem}
.tiles div{padding:.4rem .6rem;min-width:0}.tiles b{font-size:1rem;overflow-wrap:anywhere}
.tiles span{font-size:.85rem}.tiles small{font-size:.75rem}
#devices thead tr{display:flex;overflow-x:auto}
#devices thead th{flex:none}
#devices tbody tr{grid-template-columns:1fr 1fr;gap:0 .8rem;border:1px solid var(--line);
border-radius:.5rem;margin-bottom:.5rem;padding:.5rem .7rem;
contain-intrinsic-size:auto 11rem}
#devices tbody tr.silent,#devices tbody tr.failing{border-left:.3rem solid var(--bad)}
#devices tbody tr.waiting,#devices tbody tr.attention{border-left:.3rem solid var(--warn)}
#devices tbody th,#devices tbody td{padding:.2rem 0;box-shadow:none!important}
#devices tbody th,#devices tbody td.cameras{grid-column:1/-1}
#devices tbody td.cameras{order:1}
#devices tbody td:empty{display:none}
#devices tbody td::before{content:attr(data-label);display:block;color:var(--soft);
font-size:.75rem}
#devices th.device p{font-size:.95rem}
}
"""
