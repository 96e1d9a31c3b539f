"""How the page looks: by itself, in light and dark, narrow and on paper."""

STYLE = """
:root{color-scheme:light dark;--page:#fff;--card:#f6f8fa;--line:#d0d7de;--text:#1f2328;--quiet:#57606a;--link:#0550ae;
--good:#1a7f37;--bad:#b35900;--track:#eaeef2;--boot:#8c959f;--stage:#0969da;--beside:#54aeff;--wait:#a8b1bb;--job:#1a7f37;--stop:#bc4c00;--end:#8250df}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--card:#161b22;--line:#30363d;--text:#e6edf3;--quiet:#9da7b3;--link:#79c0ff;
--good:#3fb950;--bad:#db8a2f;--track:#21262d;--boot:#6e7681;--stage:#388bfd;--beside:#79c0ff;--wait:#57606a;--job:#2ea043;--stop:#db6d28;--end:#a371f7}}
@media print{:root{color-scheme:light;--page:#fff;--card:#fff;--line:#999;--text:#000;--quiet:#333;--link:#000;--track:#eee;
--good:#1a7f37;--bad:#b35900;--boot:#8c959f;--stage:#0969da;--beside:#54aeff;--wait:#a8b1bb;--job:#1a7f37;--stop:#bc4c00;--end:#8250df}
svg{print-color-adjust:exact;-webkit-print-color-adjust:exact}
section,.row,tr{break-inside:avoid}a{text-decoration:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:68rem;margin:0 auto;padding:1.5rem 1rem 3rem}
article+article{margin-top:3rem;border-top:3px solid var(--line);padding-top:1.5rem}
h1{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:2rem 0 .6rem}
p{margin:.35rem 0}a{color:var(--link);overflow-wrap:anywhere}
bdi,code,pre{overflow-wrap:anywhere}
code,pre,.at{font:.92em/1.45 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
pre{margin:0;white-space:pre-wrap;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem .75rem}
.quiet{color:var(--quiet)}
.why{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--bad);border-radius:6px;padding:.7rem 1rem}
.why.served{border-left-color:var(--good)}
.why strong{font-size:1.05rem}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.45rem 1.5rem;margin:0}
dt{color:var(--quiet);font-size:.85em}dd{margin:0;overflow-wrap:anywhere}
.parts,.row{display:grid;grid-template-columns:7.5rem 1fr 5.5rem;gap:.75rem;align-items:center}
.parts div{display:flex}.parts span{flex:3;min-width:0;font-size:.85em;color:var(--quiet);padding-left:.3rem;border-left:1px solid var(--line)}
.parts .s4{flex:4}
.row{padding:.14rem 0}.row svg{display:block;width:100%;height:1.15rem;background:var(--track);border-radius:3px}
.took{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.border{stroke:var(--page);stroke-width:3;vector-effect:non-scaling-stroke}
.boot{fill:var(--boot)}.stage{fill:var(--stage)}.beside{fill:var(--beside)}.wait{fill:var(--wait)}.job{fill:var(--job)}.stop{fill:var(--stop)}.end{fill:var(--end)}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600;color:var(--quiet);font-size:.85em}
th,td{padding:.28rem .75rem .28rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td.name,td.at{white-space:nowrap}td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
ul{margin:0;padding-left:1.1rem}li{margin:.2rem 0}
@media (max-width:40rem){dl{grid-template-columns:1fr 1fr}.parts,.row{grid-template-columns:1fr auto;gap:.1rem .5rem}.row svg{grid-row:2;grid-column:1/-1}
.parts div{grid-column:1/-1}.parts>b{display:none}
.happened,.happened tbody{display:block}.happened thead{display:none}
.happened tr{display:flex;flex-wrap:wrap;column-gap:.75rem;border-bottom:1px solid var(--line);padding:.35rem 0}
.happened td{border:0;padding:0}.happened td:nth-child(3){flex:1 0 60%;order:1;white-space:normal}.happened td:nth-child(4){order:2}
.happened td:nth-child(5){flex:1 0 100%;order:3}.happened td:empty{display:none}}
"""
