"""The style of the report: one column on a phone, two of charts where there is room, light or dark."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --rule: #d5dae0;
  --mark: #1659b7; --base: #6b7078; --band: #f4f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15181c; --ink: #e8eaed; --soft: #a6adb6; --rule: #3a4048; --mark: #7fb2ff;
    --base: #9aa1ab; --band: #1e2227; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
tbody th, dt, dd, li, p, h1, figcaption, caption { overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0 1rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; }
p { max-width: 46rem; }
.small, figcaption, caption { color: var(--soft); font-size: .875rem; }
figcaption b { color: var(--ink); display: block; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9375rem; }
.wide { overflow-x: auto; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { padding: .45rem .6rem; border-bottom: 1px solid var(--rule); text-align: right;
  vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; font-size: .8125rem; vertical-align: bottom; }
tbody th, thead th.name { text-align: left; }
tbody th { font-weight: 600; }
.plain tbody th, .wide:not(.plain) thead th { white-space: nowrap; }
tbody tr:nth-child(odd) { background: var(--band); }
td { white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.75rem;
  margin-top: 1.25rem; align-items: start; }
figure { margin: 0; max-width: 34rem; }
svg { display: block; width: 100%; height: auto; margin-top: .35rem; font-family: inherit; }
svg text { fill: var(--ink); font-size: 12px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px;
  stroke-linejoin: round; }
svg .tick, svg .axis { fill: var(--soft); font-size: 11px; }
svg .key { font-weight: 600; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .zero { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 2; }
svg .lead { stroke: var(--soft); stroke-width: .75; }
svg .range { stroke-width: 2; }
svg .range.mark { stroke: var(--mark); }
svg .range.base { stroke: var(--base); }
.dot, .bar { stroke: var(--paper); stroke-width: 1; }
svg .mark { fill: var(--mark); }
svg .base { fill: var(--base); }
.chip { display: inline-block; width: .7em; height: .7em; border-radius: 50%; background: var(--mark); }
.chip.base { border-radius: 0; background: var(--base); }
dt { font-weight: 600; margin-top: .75rem; }
dd { margin: .15rem 0 0; }
code { font: .8125rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; color: var(--soft); }
ul { padding-left: 1.2rem; max-width: 46rem; }
@media (max-width: 52rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr, th, td, caption { display: block; }
  tbody tr { padding: .6rem .75rem; margin-bottom: .6rem; border: 1px solid var(--rule); border-radius: .4rem;
    background: var(--band); }
  tbody th, td { border: 0; padding: .1rem 0; }
  tbody th { padding-bottom: .3rem; }
  .plain tbody th { white-space: normal; }
  td { display: flex; justify-content: space-between; gap: 1rem; }
  td::before { content: attr(data-label); color: var(--soft); text-align: left; white-space: normal;
    min-width: 0; overflow-wrap: anywhere; }
  td[data-empty] { display: none; }
  td.key { float: left; gap: 0; padding: .1rem .4rem 0 0; font-weight: 600; }
  td.key::before { content: none; }
  td.key::after { content: "."; }
}
@media print { .charts { grid-template-columns: 1fr 1fr; } figure, tr { break-inside: avoid; } }
"""
