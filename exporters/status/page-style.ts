/**
 * How the page looks: calm, dense, dark or light as the reader's system is, and nothing by colour
 * alone. One constant text, so that the content security policy can name it by its hash.
 * Contrast of every text on its ground is at least 4.5:1 (WCAG 2.2 AA), the banner's at least 7:1.
 */
export const PAGE_STYLE: string = `
:root{color-scheme:light dark;--ground:#fbfbf9;--card:#fff;--text:#1b1c1e;--soft:#5a5d63;--line:#d9d9d4;
--bad:#a11212;--bad-ground:#fde8e6;--warn:#7d4800;--warn-ground:#fff1d6;--doubt:#5b2a91;--doubt-ground:#f2e9fb;
--good:#1d6130;--good-ground:#e9f5ec}
@media (prefers-color-scheme:dark){:root{--ground:#131417;--card:#1b1d21;--text:#e9e9e6;--soft:#a5a8ae;--line:#34373d;
--bad:#ff9a90;--bad-ground:#4a1512;--warn:#ffc766;--warn-ground:#42300c;--doubt:#d4b3ff;--doubt-ground:#33214d;
--good:#8fd6a1;--good-ground:#163322}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.4 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main,footer{max-width:88rem;margin:0 auto;padding:0 1.25rem}
#old p,#lost p{margin:0;padding:1rem 1.25rem;background:#7a0000;color:#fff;font-size:1.75rem;font-weight:700;line-height:1.25}
#lost p b{display:block}#old p span,#lost p span{display:block;font-size:1.1rem;font-weight:400}
body.old #world{opacity:.6;filter:grayscale(1)}
#headline>div{padding:1.1rem 1.25rem;border-bottom:.35rem solid;background:var(--card)}
#headline h1{margin:0 auto;max-width:85.5rem;font-size:clamp(1.5rem,3.2vw,2.5rem);line-height:1.2;font-weight:700;text-wrap:balance}
#headline h1 small{display:block;margin-top:.2rem;font-size:.6em;font-weight:600}
#headline p{margin:.4rem auto 0;max-width:85.5rem;font-size:1.1rem}
.lost{--ink:var(--bad);--under:var(--bad-ground)}.exposed{--ink:var(--warn);--under:var(--warn-ground)}
.unknown{--ink:var(--doubt);--under:var(--doubt-ground)}.redundant{--ink:var(--good);--under:var(--good-ground)}
.failed,.absent{--ink:var(--bad);--under:var(--bad-ground)}.failing{--ink:var(--warn);--under:var(--warn-ground)}
.ok{--ink:var(--good);--under:transparent}.blind,.stale{--ink:var(--doubt);--under:var(--doubt-ground)}
.empty,.waiting,.none{--ink:var(--soft);--under:transparent}
#headline>div{border-color:var(--ink);background:var(--under)}
#asof{padding-top:.6rem;color:var(--soft)}
h2{margin:1.6rem 0 .5rem;font-size:1.05rem;letter-spacing:.02em}
h2 small{font-weight:400;color:var(--soft)}
ul{margin:0;padding:0;list-style:none}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr));gap:.6rem}
.card{padding:.55rem .8rem .6rem;border:1px solid var(--line);border-left:.4rem solid var(--ink);border-radius:.3rem;background:var(--card)}
.card.lost,.card.exposed,.card.unknown{background:var(--under)}
.card h3{margin:0;font-size:1.15rem;font-weight:600}
.card h3 small,.soft{font-weight:400;font-size:.875rem;color:var(--soft)}
.card.lost .soft,.card.exposed .soft,.card.unknown .soft,.card.lost h3 small,.card.exposed h3 small,.card.unknown h3 small{color:var(--text)}
.card p{margin:.1rem 0}
.says{font-weight:600;color:var(--ink)}
.members{margin-top:.3rem;font-size:.95rem}
.state{display:inline-block;min-width:6.5rem;padding-right:.3rem;color:var(--ink);font-weight:600;white-space:nowrap}
.state.ok{font-weight:400}
.members li,.rows li{padding-left:6.5rem;text-indent:-6.5rem}
.rows li.flat{padding-left:0;text-indent:0}
.state{text-indent:0}
.rows li{padding-top:.3rem;padding-bottom:.3rem;border-top:1px solid var(--line)}
.rows li:first-child{border-top:0}
.name{font-weight:600}
li,td,h3,p{overflow-wrap:anywhere}
details{margin-top:1.6rem;border-top:1px solid var(--line);padding-top:.6rem}
summary{cursor:pointer;font-weight:600;font-size:1.05rem;padding:.3rem 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;border-top:1px solid var(--line)}
th{border-top:0;color:var(--soft);font-weight:600}
td:nth-child(2){max-width:22rem}td:nth-child(4),td:nth-child(5){max-width:30rem}
footer{padding-top:1.5rem;padding-bottom:2rem;color:var(--soft);font-size:.9rem}
a{color:inherit}
:focus-visible{outline:3px solid var(--doubt);outline-offset:2px}
@media print{body.old #world{opacity:1}}
`;
