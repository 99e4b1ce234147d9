/** The page at `/`: renders `/status` every two seconds, without a build step or a request to anywhere else. */
export const statusPage: string = String.raw`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tabletopic</title>
<style>
  :root { color-scheme: light dark; --line: light-dark(#d8dce2, #3a3f47); --soft: light-dark(#5b6470, #a0a8b4); --bad: light-dark(#b3261e, #ff8a80); --good: light-dark(#1b6e3c, #7ddf9f); }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; background: light-dark(#fff, #16181c); color: light-dark(#1c2026, #e6e8ec); }
  h1 { font-size: 1.25rem; margin: 0; display: inline-block; }
  .good { color: var(--good); } .bad { color: var(--bad); } .soft { color: var(--soft); }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-variant-numeric: tabular-nums; }
  th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
  th { font-weight: 600; color: var(--soft); font-size: .85rem; }
  .number { text-align: right; }
  td.text { white-space: normal; }
  ul { padding-left: 1.2rem; }
</style>
<header><h1>tabletopic</h1> <strong id="ready" aria-live="polite"></strong> <span id="summary" class="soft"></span></header>
<ul id="reasons" class="bad"></ul>
<div class="scroll"><table>
  <thead><tr><th>Table</th><th>Topics</th><th>State</th><th class="number">Rows</th><th class="number">Lag</th><th class="number">Lag s</th><th class="number">Freshness</th><th>Last snapshot</th><th class="number">Dead letters</th></tr></thead>
  <tbody id="tables"></tbody>
</table></div>
<p class="soft">Rows and dead letters: committed by this instance since its start. <a href="/status">/status</a> · <a href="/metrics">/metrics</a> · <a href="/readyz">/readyz</a></p>
<script>
  const $ = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
  const count = (value) => value === null ? '–' : number.format(value);
  const age = (s) => s === null ? '–' : s < 120 ? Math.round(s) + ' s' : s < 7200 ? Math.round(s / 60) + ' min' : Math.round(s / 3600) + ' h';
  function cell(row, text, className) {
    const td = row.insertCell();
    td.textContent = text;
    if (className) td.className = className;
    return td;
  }
  function show(status) {
    $('ready').textContent = status.ready ? 'ready' : 'not ready';
    $('ready').className = status.ready ? 'good' : 'bad';
    $('summary').textContent = 'version ' + status.version + ', up ' + age(status.uptimeSeconds) + ', ' + count(status.recordsPerSecond) + ' records/s, ' + count(status.bufferBytes / 1048576) + ' of ' + count(status.memoryBytes / 1048576) + ' MiB';
    $('reasons').replaceChildren(...status.reasons.map((reason) => Object.assign(document.createElement('li'), { textContent: reason })));
    $('tables').replaceChildren();
    for (const table of status.tables) {
      const row = $('tables').insertRow();
      cell(row, table.table);
      cell(row, table.topics.join(', '), 'text');
      cell(row, table.state, table.state === 'stopped' || table.state === 'retrying' ? 'bad' : table.state === 'caught-up' ? 'good' : '');
      cell(row, count(table.rows), 'number');
      cell(row, count(table.lagRecords), 'number');
      cell(row, count(table.lagSeconds), 'number');
      cell(row, age(table.freshnessSeconds), 'number');
      cell(row, table.lastSnapshotId ?? '–');
      cell(row, count(table.deadLetters), 'number');
      for (const paused of table.paused) {
        const note = cell($('tables').insertRow(), paused.topic + ' is paused, too many dead letters; next: ' + paused.topic + '-' + paused.partition + ' offset ' + paused.offset + ': ' + paused.code + ': ' + paused.reason, 'bad text');
        note.colSpan = 9;
      }
      for (const change of table.waiting) {
        const note = cell($('tables').insertRow(), change.partitions.join(', ') + ' waits for approval of ' + change.schema + ': ' + change.changes.join(', ') + '. ' + change.command, 'bad text');
        note.colSpan = 9;
      }
      if (table.error) {
        const note = cell($('tables').insertRow(), table.error.code + ': ' + table.error.message + ' ' + table.error.hint, 'bad text');
        note.colSpan = 9;
      }
    }
  }
  async function refresh() {
    try {
      show(await (await fetch('/status')).json());
    } catch {
      $('ready').textContent = 'does not answer';
      $('ready').className = 'bad';
    }
    setTimeout(refresh, 2000);
  }
  refresh();
</script>
</html>
`;
