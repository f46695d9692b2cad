"""The page's stylesheet. In Python, so that it is found wherever the package is, also in an archive."""

from __future__ import annotations

__all__ = ["ICON", "STYLE"]

ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="#00796b">
<ellipse cx="8" cy="3" rx="6" ry="2"/>
<path d="M2 4.5v3C2 8.6 4.7 9.5 8 9.5s6-.9 6-2v-3c0 1.1-2.7 2-6 2s-6-.9-6-2z"/>
<path d="M2 9v3.5c0 1.1 2.7 2 6 2s6-.9 6-2V9c0 1.1-2.7 2-6 2s-6-.9-6-2z"/></g></svg>
"""

STYLE = """
:root { color-scheme: light dark; --line: #cfd8d6; --soft: #5b6b68; --tint: #eef5f3; --accent:
  #00695c; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --line: #39433f; --soft: #9db0ab; --tint: #1c2522; --accent: #5ec9b6; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: center; padding: .6rem
  1.25rem; background: var(--tint);
  border-bottom: 1px solid var(--line); }
header form { margin-left: auto; }
header button { padding: .2rem .7rem; }
@media (max-width: 30rem) { header, main { padding-left: .8rem; padding-right: .8rem; } header { gap: .5rem .8rem; } }
header a.home { font-weight: 700; }
main { padding: 1rem 1.25rem 3rem; max-width: 90rem; margin: 0 auto; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: .5rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.75rem 0 .5rem; }
a { color: var(--accent); }
nav.crumbs { color: var(--soft); overflow-wrap: anywhere; }
.grid { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem; border-bottom: 1px solid var(--line);
  max-width: 32rem; overflow-wrap: break-word; white-space: pre-wrap; unicode-bidi: isolate; }
th { background: var(--tint); position: sticky; top: 0; white-space: pre; }
tbody tr:last-child td { border-bottom: 0; }
td:not(.number) { min-width: 5.5rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: pre; }
td.null, small, .soft { color: var(--soft); }
textarea, input { font: inherit; width: 100%; padding: .5rem .6rem; border: 1px solid var(--line); border-radius: 6px;
  background: Canvas; color: CanvasText; }
textarea { font: .92rem/1.45 ui-monospace, monospace; min-height: 8rem; resize: vertical; }
button { font: inherit; padding: .4rem 1rem; border: 1px solid var(--accent); border-radius: 6px;
  background: var(--accent);
  color: Canvas; cursor: pointer; }
button.second { background: transparent; color: var(--accent); }
button:focus-visible, a:focus-visible, input:focus-visible, textarea:focus-visible, .grid:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px; }
form.sign-in { max-width: 26rem; margin: 12vh auto 0; display: grid; gap: .8rem; }
form.query { display: grid; gap: .6rem; }
.actions { display: flex; flex-wrap: wrap; gap: .8rem; align-items: center; }
.error { color: var(--bad); border-left: 4px solid var(--bad); padding: .4rem .8rem; overflow-wrap: anywhere;
  white-space: pre-wrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: .88rem/1.45 ui-monospace, monospace; }
.pages { display: flex; gap: 1rem; align-items: center; margin: .8rem 0; }
"""
